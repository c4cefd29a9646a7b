# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads against a server on this machine that speaks as much of the hub's language as huggingface_hub needs."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import golden
import pytest
from hub_server import COMMIT, MODEL, SHARD, SIZE, SMALL, Handler, Hub, serving

from wan_engine.checkpoint import download
from wan_engine.checkpoint.download import MODELS, RECORD, fetch
from wan_engine.cli import main
from wan_engine.errors import CheckpointError, GenerationError, UsageError


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

        def send_on(handler: Handler) -> None:
            handler.answer(302, b"", {"Location": elsewhere + handler.path})

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
