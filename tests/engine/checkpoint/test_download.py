# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads against a server on this machine that speaks as much of the hub's language as huggingface_hub needs."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import random
import shutil
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import golden
import pytest

from wan_engine.checkpoint import download, hub_limits
from wan_engine.checkpoint.download import MODELS, RECORD, fetch
from wan_engine.cli import main
from wan_engine.errors import CheckpointError, GenerationError, UsageError

MODEL = "Wan2.2-T2V-A14B"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHARD = "high_noise_model/diffusion_pytorch_model-00001-of-00001.safetensors"
SMALL = "high_noise_model/config.json"
SIZE = 50_000


class Hub:
    """Random files of one repository, and what goes wrong with them.

    `cut` ends the connection after so many bytes of a file, each time until the count in `cuts` is used up;
    `spoilt` files come with a flipped byte as often as told; `status` answers all requests whose path holds a word,
    `wrong` does so in any way; what never ends there ends with `stopped`.
    """

    def __init__(self) -> None:
        rng = random.Random(0)
        large = [SHARD, SHARD.replace("high", "low"), "Wan2.1_VAE.pth", "models_t5_umt5-xxl-enc-bf16.pth"]
        small = [SMALL, SMALL.replace("high", "low"), "google/umt5-xxl/tokenizer.json", "README.md"]
        self.lfs = {*large, "assets/unneeded.safetensors"}
        self.files = {name: rng.randbytes(SIZE) for name in self.lfs} | {name: rng.randbytes(900) for name in small}
        self.requests: list[tuple[str, str | None]] = []
        self.tokens: list[str | None] = []
        self.cut: dict[str, int] = {}
        self.cuts = 1
        self.spoilt: Counter[str] = Counter()
        self.status: dict[str, tuple[int, str]] = {}
        self.wrong: dict[str, Callable[[_Handler], None]] = {}
        self.stopped = threading.Event()
        self.ranges = True
        self.commit = COMMIT

    def tree(self) -> list[dict]:
        entries = []
        for name, data in self.files.items():
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            entry = {"type": "file", "path": name, "size": len(data), "oid": blob}
            if name in self.lfs:
                sha = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"oid": sha, "size": len(data), "pointerSize": 134}
            entries.append(entry)
        return entries

    def fetched(self) -> list[str]:
        """The files whose content has been asked for, in order."""
        return [path.split(f"/resolve/{self.commit}/")[1] for path, _ in self.requests if "/resolve/" in path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *args: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        hub, path = self.hub, self.path.split("?")[0]
        hub.requests.append((path, self.headers.get("Range")))
        hub.tokens.append(self.headers.get("Authorization"))
        for word, wrong in hub.wrong.items():
            if word in path:
                return wrong(self)
        for word, (status, code) in hub.status.items():
            if word in path:
                return self._answer(status, b"{}", {"X-Error-Code": code} if code else {})
        repo = f"/api/models/{MODELS[MODEL].repo}"
        if path == f"{repo}/revision/main":
            return self._answer(200, json.dumps({"id": MODELS[MODEL].repo, "sha": hub.commit}).encode())
        if path == f"{repo}/tree/{hub.commit}":
            return self._answer(200, json.dumps(hub.tree()).encode())
        name = path.partition(f"/{MODELS[MODEL].repo}/resolve/{hub.commit}/")[2]
        if name not in hub.files:
            return self._answer(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        return self._file(name)

    def _file(self, name: str) -> None:
        data = bytearray(self.hub.files[name])
        if self.hub.spoilt[name] > 0:
            self.hub.spoilt[name] -= 1
            data[len(data) // 2] ^= 1
        asked = self.headers.get("Range") if self.hub.ranges else None
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        headers = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if asked else {}
        body = bytes(data[start:])
        end = self.hub.cut.get(name, len(body))
        if end < len(body) and self.hub.cuts > 0:
            self.hub.cuts -= 1
            self._answer(206 if asked else 200, body[:end], {**headers, "Content-Length": str(len(body))})
            self.close_connection = True
            return
        self._answer(206 if asked else 200, body, headers)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def serving(hub: Hub) -> Iterator[str]:
    """A server that answers as this hub; yields its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        hub.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def hub(monkeypatch) -> Iterator[Hub]:
    made = Hub()
    with serving(made) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setattr(download.constants, "DOWNLOAD_CHUNK_SIZE", 1000)  # of 10 MB, which are lost on a break
        monkeypatch.setattr("time.sleep", lambda seconds: None)  # huggingface_hub waits between attempts
        yield made


def whole(folder: Path, hub: Hub) -> bool:
    needed = [name for name in hub.files if name not in ("README.md", "assets/unneeded.safetensors")]
    assert not list(folder.rglob("*.partial"))
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {*needed, RECORD, ".wan_previs.download.lock"}
    return all((folder / name).read_bytes() == hub.files[name] for name in needed)


def test_everything_needed_comes_and_nothing_else(hub, tmp_path):
    events: list[dict] = []
    assert fetch(MODEL, tmp_path / "new" / "folder", events.append) == tmp_path / "new" / "folder"
    assert whole(tmp_path / "new" / "folder", hub)
    done = [event["done"] for event in events]
    total = 4 * SIZE + 3 * 900
    assert done == sorted(done)
    assert (done[0], done[-1], {event["total"] for event in events}) == (0, total, {total})
    assert {event["file"] for event in events} == set(hub.fetched())
    record = json.loads((tmp_path / "new" / "folder" / RECORD).read_text())
    assert (record["model"], record["commit"]) == (MODEL, COMMIT)
    assert record["files"][SHARD]["digest"] == hashlib.sha256(hub.files[SHARD]).hexdigest()


def test_a_second_time_nothing_is_asked(hub, tmp_path):
    fetch(MODEL, tmp_path)
    hub.requests.clear()
    hub.commit = "f" * 40  # what the branch moves on to is no longer of interest
    events: list[dict] = []
    fetch(MODEL, tmp_path, events.append)
    assert hub.requests == []
    assert [(event["done"], event["total"]) for event in events] == [(4 * SIZE + 2700, 4 * SIZE + 2700)]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_token_goes_to_the_hub_alone(host, hub, tmp_path, monkeypatch):
    """Large files lie with other hosts, to which the hub sends on: those are told no token, nor are others that a
    hub's list is said to lie with."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    other = Hub()
    with serving(other) as address:
        elsewhere = address.replace("127.0.0.1", host)

        def send_on(handler: _Handler) -> None:
            handler._answer(302, b"", {"Location": elsewhere + handler.path})

        hub.wrong = {"/resolve/": send_on, "/tree/": send_on}
        fetch(MODEL, tmp_path)
    assert whole(tmp_path, other)
    assert set(hub.tokens) == {"Bearer hf_secret"} and len(other.tokens) == 8
    assert set(other.tokens) == {None}


@pytest.mark.parametrize("name", [SHARD, SMALL])
def test_changed_and_lost_files_are_fetched_again(name, hub, tmp_path):
    fetch(MODEL, tmp_path)
    data = bytearray((tmp_path / name).read_bytes())
    data[7] ^= 1
    (tmp_path / name).write_bytes(data)
    (tmp_path / "Wan2.1_VAE.pth").unlink()
    hub.requests.clear()
    fetch(MODEL, tmp_path)
    assert sorted(hub.fetched()) == sorted([name, "Wan2.1_VAE.pth"])
    assert whole(tmp_path, hub)


def test_a_transfer_that_breaks_off_is_gone_on_with(hub, tmp_path):
    hub.cut = {SHARD: 20_500}
    fetch(MODEL, tmp_path)
    assert [asked for path, asked in hub.requests if path.endswith(SHARD)] == [None, "bytes=20000-"]
    assert whole(tmp_path, hub)


def test_what_an_interrupted_download_has_is_kept(hub, tmp_path):
    class Stop(BaseException):
        """As Ctrl-C, in the middle of a file."""

    def stop(event: dict) -> None:
        if event["file"] == SHARD and event["done"] > seen.setdefault("at", event["done"]) + 10_000:
            raise Stop

    seen: dict[str, int] = {}
    download_events, download._BETWEEN_EVENTS = download._BETWEEN_EVENTS, 0.0
    try:
        with pytest.raises(Stop):
            fetch(MODEL, tmp_path, stop)
    finally:
        download._BETWEEN_EVENTS = download_events
    has = (tmp_path / f"{SHARD}.partial").stat().st_size
    assert 10_000 <= has < SIZE
    hub.requests.clear()
    events: list[dict] = []
    fetch(MODEL, tmp_path, events.append)
    assert (f"bytes={has}-") in [asked for path, asked in hub.requests if path.endswith(SHARD)]
    assert events[0]["done"] >= has
    assert events[-1]["done"] == events[-1]["total"]
    assert whole(tmp_path, hub)


def test_a_server_without_ranges_begins_anew(hub, tmp_path):
    hub.ranges = False
    hub.cut = {SHARD: 20_500}
    events: list[dict] = []
    fetch(MODEL, tmp_path, events.append)
    assert whole(tmp_path, hub)
    assert events[-1]["done"] == events[-1]["total"]


def test_a_server_that_dies_in_the_middle(hub, tmp_path):
    hub.cut, hub.cuts = {SHARD: 0}, 1000
    with pytest.raises(GenerationError, match="goes on from here") as told:
        fetch(MODEL, tmp_path)
    assert SHARD in str(told.value)
    hub.cuts = 0
    fetch(MODEL, tmp_path)
    assert whole(tmp_path, hub)


@pytest.mark.parametrize("name", [SHARD, SMALL])
def test_a_damaged_file_is_named_and_fetched_again(name, hub, tmp_path):
    hub.spoilt[name] = 1
    events: list[dict] = []
    fetch(MODEL, tmp_path, events.append)
    assert whole(tmp_path, hub)
    assert [event["message"] for event in events if event["event"] == "note"] == [
        f"{name} came damaged (its checksum differs) and is fetched again."
    ]
    assert hub.fetched().count(name) == 2
    assert events[-1]["done"] == events[-1]["total"]


def test_a_file_that_stays_damaged_is_refused(hub, tmp_path):
    hub.spoilt[SHARD] = 2
    with pytest.raises(CheckpointError, match="checksum") as told:
        fetch(MODEL, tmp_path)
    assert SHARD in str(told.value)
    assert not (tmp_path / SHARD).exists()
    assert not (tmp_path / f"{SHARD}.partial").exists()
    fetch(MODEL, tmp_path)
    assert whole(tmp_path, hub)


@pytest.mark.parametrize(
    ("where", "status", "code", "error", "words"),
    [
        ("/api/", 401, "", CheckpointError, "login"),
        ("/api/", 401, "GatedRepo", CheckpointError, "accept its terms"),
        ("/api/", 404, "RepoNotFound", CheckpointError, "has no Wan-AI"),
        ("/resolve/", 401, "", CheckpointError, "login"),
        ("/resolve/", 403, "", CheckpointError, "HF_TOKEN"),
        ("/resolve/", 404, "EntryNotFound", CheckpointError, "does not have"),
        ("/resolve/", 404, "RevisionNotFound", CheckpointError, "remove that file"),
        ("/resolve/", 500, "", GenerationError, "try again later"),
        ("/api/", 503, "", GenerationError, "try again later"),
    ],
)
def test_refusals_are_told_in_words(where, status, code, error, words, hub, tmp_path):
    hub.status[where] = (status, code)
    with pytest.raises(error, match=words) as told:
        fetch(MODEL, tmp_path)
    assert len(str(told.value)) < 300


def test_a_hub_out_of_reach(tmp_path, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        with pytest.raises(GenerationError, match="Look at the network"):
            fetch(MODEL, tmp_path)


def test_space_is_looked_at_first(hub, tmp_path, monkeypatch):
    free = shutil.disk_usage(tmp_path)._replace(free=150_000)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda folder: free)
    with pytest.raises(UsageError, match=r"needs 0\.2 MB more .* where 0\.1 MB are free"):
        fetch(MODEL, tmp_path)
    assert hub.fetched() == []


@pytest.mark.parametrize("when", ["lock", "list", "folder", "file"])
def test_a_disk_that_others_fill_meanwhile(when, hub, tmp_path, monkeypatch):
    """Whatever cannot be written says so in words; with room again it goes on."""
    full = OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patch:
        places = {"lock": (download, "FileLock"), "list": (Path, "write_text"), "file": (download.os, "replace")}
        place, name = places.get(when, (Path, "mkdir"))
        patch.setattr(place, name, lambda *_, **__: (_ for _ in ()).throw(full))
        with pytest.raises(GenerationError, match=r"No space left on device.*make room.*goes on from here"):
            fetch(MODEL, tmp_path)
    fetch(MODEL, tmp_path)
    assert whole(tmp_path, hub)


def test_a_repository_laid_out_otherwise(hub, tmp_path):
    del hub.files["Wan2.1_VAE.pth"]
    with pytest.raises(CheckpointError, match=r"no file Wan2\.1_VAE\.pth"):
        fetch(MODEL, tmp_path)


def test_names_cannot_leave_the_folder(hub, tmp_path):
    hub.files["high_noise_model/../../diffusion_pytorch_model.safetensors"] = b"evil"
    with pytest.raises(CheckpointError, match="leave the folder"):
        fetch(MODEL, tmp_path / "inside")
    assert hub.fetched() == []


def test_folders_that_do_not_fit(hub, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        fetch(MODEL, tmp_path / "file")
    with pytest.raises(UsageError, match=r"Wan2\.2-TI2V-5B"):
        fetch("Wan2.2", tmp_path)
    fetch(MODEL, tmp_path / "folder")
    with pytest.raises(UsageError, match="another folder"):
        fetch("Wan2.2-TI2V-5B", tmp_path / "folder")
    (tmp_path / "folder" / RECORD).write_text("{")
    with pytest.raises(CheckpointError, match="Remove it"):
        fetch(MODEL, tmp_path / "folder")


def test_one_download_at_a_time(hub, tmp_path):
    def again(event: dict) -> None:
        with pytest.raises(UsageError, match="at work"):
            fetch(MODEL, tmp_path)

    fetch(MODEL, tmp_path, again)
    assert whole(tmp_path, hub)


@pytest.fixture
def no_sockets(monkeypatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, forbidden)


def test_offline_opens_no_connection(no_sockets, tmp_path):
    with pytest.raises(UsageError, match="offline switch"):
        fetch(MODEL, tmp_path, offline=True)
    with pytest.raises(AssertionError, match="a connection was opened"):
        fetch(MODEL, tmp_path)


def test_offline_takes_what_is_there(hub, tmp_path, request, monkeypatch):
    fetch(MODEL, tmp_path)
    request.getfixturevalue("no_sockets")
    assert fetch(MODEL, tmp_path, offline=True) == tmp_path
    monkeypatch.setattr(download.constants, "HF_HUB_OFFLINE", True)
    assert fetch(MODEL, tmp_path) == tmp_path
    (tmp_path / SHARD).write_bytes(b"short")
    with pytest.raises(UsageError, match=SHARD):
        fetch(MODEL, tmp_path)


def test_the_command_line(hub, tmp_path, capsys):
    assert main(["download", MODEL, "--to", str(tmp_path / "folder")]) == 0
    told = capsys.readouterr()
    assert told.out.strip() == str(tmp_path / "folder")
    assert "100 %" in told.err
    assert whole(tmp_path / "folder", hub)
    assert main(["download", MODEL, "--to", str(tmp_path / "other"), "--offline"]) == 2
    assert "offline switch" in capsys.readouterr().err
    hub.status["/api/"] = (401, "")
    assert main(["download", MODEL, "--to", str(tmp_path / "other")]) == 4
    assert "login" in capsys.readouterr().err


def test_killed_and_started_again(hub, tmp_path):
    """A real process that is killed in the middle of a file; the next one goes on from its partial file."""
    code = (
        "import os, sys, pathlib\n"
        "from huggingface_hub import constants\n"
        "from wan_engine.checkpoint import download\n"
        "constants.DOWNLOAD_CHUNK_SIZE, download._BETWEEN_EVENTS = 1000, 0.0\n"
        "def kill(event):\n"
        "    if event['done'] > 120_000: os._exit(9)\n"
        "download.fetch(sys.argv[1], pathlib.Path(sys.argv[2]), kill)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, MODEL, str(tmp_path)], cwd=golden.REPOSITORY)
    assert ended.returncode == 9
    assert [path.name for path in tmp_path.rglob("*.partial")] != []
    fetch(MODEL, tmp_path)
    assert whole(tmp_path, hub)


def _portal(handler: _Handler) -> None:
    handler._answer(200, b"<html>Log in</html>", {"Content-Type": "text/html; charset=utf-8"})


def _silent(handler: _Handler) -> None:
    handler.hub.stopped.wait()
    handler.close_connection = True


def _one_byte_at_a_time(handler: _Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(SIZE))
    handler.end_headers()
    with contextlib.suppress(OSError):
        while not handler.hub.stopped.wait(0.05):
            handler.wfile.write(b"x")
    handler.close_connection = True


def _head_without_end(handler: _Handler) -> None:
    with contextlib.suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not handler.hub.stopped.wait(0.05):
            handler.wfile.write(b"X: y\r\n")
    handler.close_connection = True


def _endless_pages(handler: _Handler) -> None:
    host = handler.headers["Host"]
    handler._answer(200, b"[]", {"Link": f'<http://{host}{handler.path}>; rel="next"'})


def _endless_entries(handler: _Handler) -> None:
    entry = {"type": "file", "size": 1, "oid": "0" * 40}
    page = json.dumps([{**entry, "path": f"{len(handler.hub.requests)}/{k}"} for k in range(1000)]).encode()
    handler._answer(200, page, {"Link": f'<http://{handler.headers["Host"]}{handler.path}>; rel="next"'})


def _endless_file(handler: _Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    with contextlib.suppress(OSError):
        while not handler.hub.stopped.is_set():
            handler.wfile.write(bytes(1 << 16))


def _busy(header: str, value: str) -> Callable[[_Handler], None]:
    return lambda handler: handler._answer(429, b"{}", {header: value})


def _nonsense_about_an_error(handler: _Handler) -> None:
    handler._answer(400, b'{"errors": 3, "error": [1]}', {"Content-Type": "application/json"})


def _saying(body: bytes) -> Callable[[_Handler], None]:
    return lambda handler: handler._answer(200, body)


def _tree_with(**wrong: object) -> Callable[[_Handler], None]:
    """The files, each with these facts about it changed."""
    return lambda handler: handler._answer(
        200, json.dumps([{**entry, **wrong} for entry in handler.hub.tree()]).encode()
    )


def _long_names(handler: _Handler) -> None:
    handler._answer(200, json.dumps(handler.hub.tree()).replace("model-", f"model-{'a' * 300}").encode())


def _next_page_nowhere(handler: _Handler) -> None:
    handler._answer(200, b"[]", {"Link": '<http://[::x>; rel="next"'})


@pytest.mark.parametrize(
    ("where", "wrong", "error", "words"),
    [
        ("/api/", _portal, GenerationError, "a web page answers"),
        ("/tree/", _portal, GenerationError, "a web page answers"),
        ("/resolve/", _portal, GenerationError, "a web page answers"),
        ("/revision/", _silent, GenerationError, "Look at the network"),
        ("/tree/", _silent, GenerationError, "Look at the network"),
        ("/resolve/", _silent, GenerationError, "Look at the network"),
        ("/revision/", _one_byte_at_a_time, GenerationError, "Look at the network"),
        ("/tree/", _one_byte_at_a_time, GenerationError, "Look at the network"),
        ("/resolve/", _one_byte_at_a_time, GenerationError, "sends too slowly"),
        ("/tree/", _head_without_end, GenerationError, "Look at the network"),
        ("/resolve/", _head_without_end, GenerationError, "Look at the network"),
        ("/tree/", _endless_pages, GenerationError, "has not told its files"),
        ("/tree/", _endless_entries, CheckpointError, "more than"),
        ("/resolve/", _endless_file, GenerationError, "More comes than"),
        ("/tree/", _busy("Retry-After", "999999"), GenerationError, "asks to wait"),
        ("/resolve/", _busy("Retry-After", "9" * 5000), GenerationError, "asks to wait"),
        ("/resolve/", _busy("RateLimit", '"api";r=0;t=99999'), GenerationError, "asks to wait"),
        ("/resolve/", _busy("Retry-After", "1"), GenerationError, "status 429"),
        ("/tree/", _nonsense_about_an_error, CheckpointError, "is no hub"),
        ("/resolve/", _nonsense_about_an_error, CheckpointError, "is no hub"),
        ("/revision/", _saying(b"no json"), CheckpointError, "is no hub"),
        ("/revision/", _saying(b"[1, 2]"), CheckpointError, "is no hub"),
        ("/revision/", _saying(b'{"id": "a", "sha": 3}'), CheckpointError, "is no hub"),
        ("/revision/", _saying(b'{"id": "a", "sha": "../../x"}'), CheckpointError, "is no hub"),
        ("/revision/", _saying(b"[" * 200_000), CheckpointError, "is no hub"),
        ("/tree/", _saying(b"{}"), CheckpointError, "no file"),
        ("/tree/", _saying(b"[3]"), CheckpointError, "is no hub"),
        ("/tree/", _saying(b'[{"type": "file"}]'), CheckpointError, "is no hub"),
        ("/tree/", _saying(b'[{"type": "file", "path": 7, "size": "x", "oid": []}]'), CheckpointError, "is no hub"),
        ("/tree/", _tree_with(lfs=None, size="x"), CheckpointError, "is no hub"),
        ("/tree/", _tree_with(lfs=None, size=None), CheckpointError, "is no hub"),
        ("/tree/", _tree_with(lfs=None, size=1e308), CheckpointError, "is no hub"),
        ("/tree/", _tree_with(lfs={"oid": "a" * 64, "size": [], "pointerSize": 1}), CheckpointError, "is no hub"),
        ("/tree/", _tree_with(lfs=None, oid=[]), CheckpointError, "is no hub"),
        ("/tree/", _long_names, CheckpointError, "too long"),
        ("/tree/", _next_page_nowhere, CheckpointError, "is no hub"),
    ],
)
def test_what_is_no_hub_ends_in_words(where, wrong, error, words, hub, tmp_path, monkeypatch):
    if wrong in (_silent, _one_byte_at_a_time, _endless_pages):  # short only where the limit is what must be met
        if where == "/resolve/":
            monkeypatch.setattr(hub_limits, "WINDOW_SECONDS", 0.5)
            monkeypatch.setattr(download.constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.5)
        else:
            monkeypatch.setattr(hub_limits, "ANSWER_SECONDS", 0.5)
            monkeypatch.setattr(hub_limits, "LIST_SECONDS", 1.0)
    if wrong is _head_without_end:
        monkeypatch.setattr(hub_limits, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(download, "_MOST_FILES", 5000)
    hub.wrong[where] = wrong
    with pytest.raises(error, match=words) as told:
        fetch(MODEL, tmp_path)
    assert len(str(told.value)) < 400


@pytest.mark.parametrize(
    "files",
    ["[]", "3", '{"a": 3}', '{"../out": {"size": 1, "digest": "a"}}', '{"/etc/x": {"size": 1, "digest": "a"}}',
     '{"a": {"size": -1, "digest": "a"}}', '{"a": {"size": 1e999, "digest": "a"}}', "[" * 100_000],
)  # fmt: skip
def test_a_record_changed_by_hand_is_refused(files, hub, tmp_path):
    known = {"schema": download.SCHEMA, "model": MODEL, "repo": MODELS[MODEL].repo, "commit": COMMIT}
    (tmp_path / RECORD).write_text(json.dumps(known)[:-1] + f', "files": {files}}}')
    for offline in (True, False):
        with pytest.raises((CheckpointError, UsageError)) if files == "[]" else pytest.raises(CheckpointError):
            fetch(MODEL, tmp_path, offline=offline)
        if files == "[]":
            break
    assert hub.requests == []
