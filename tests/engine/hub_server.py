# SPDX-License-Identifier: GPL-3.0-or-later
"""A server on this machine that speaks as much of the hub's language as huggingface_hub needs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from wan_engine.checkpoint.download import MODELS

MODEL = "Wan2.2-T2V-A14B"

COMMIT = "0123456789abcdef0123456789abcdef01234567"

SHARD = "high_noise_model/diffusion_pytorch_model-00001-of-00001.safetensors"

SMALL = "high_noise_model/config.json"

SIZE = 50_000


class Hub:
    """The files of one repository, random where none are given, and what goes wrong with them.

    `cut` ends the connection after so many bytes of a file, each time until the count in `cuts` is used up;
    `spoilt` files come with a flipped byte as often as told; `status` answers all requests whose path holds a word,
    `wrong` does so in any way; what never ends there ends with `stopped`.
    """

    def __init__(self, model: str = MODEL, files: Mapping[str, bytes] | None = None) -> None:
        self.repo = MODELS[model].repo
        rng = random.Random(0)
        large = [SHARD, SHARD.replace("high", "low"), "Wan2.1_VAE.pth", "models_t5_umt5-xxl-enc-bf16.pth"]
        small = [SMALL, SMALL.replace("high", "low"), "google/umt5-xxl/tokenizer.json", "README.md"]
        self.lfs = {*large, "assets/unneeded.safetensors"}
        self.files = {name: rng.randbytes(SIZE) for name in self.lfs} | {name: rng.randbytes(900) for name in small}
        if files is not None:
            self.files, self.lfs = dict(files), set(files)
        self.requests: list[tuple[str, str | None]] = []
        self.tokens: list[str | None] = []
        self.cut: dict[str, int] = {}
        self.cuts = 1
        self.spoilt: Counter[str] = Counter()
        self.status: dict[str, tuple[int, str]] = {}
        self.wrong: dict[str, Callable[[Handler], None]] = {}
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


class Handler(BaseHTTPRequestHandler):
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
                return self.answer(status, b"{}", {"X-Error-Code": code} if code else {})
        repo = f"/api/models/{hub.repo}"
        if path == f"{repo}/revision/main":
            return self.answer(200, json.dumps({"id": hub.repo, "sha": hub.commit}).encode())
        if path == f"{repo}/tree/{hub.commit}":
            return self.answer(200, json.dumps(hub.tree()).encode())
        name = path.partition(f"/{hub.repo}/resolve/{hub.commit}/")[2]
        if name not in hub.files:
            return self.answer(404, b"{}", {"X-Error-Code": "EntryNotFound"})
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
            self.answer(206 if asked else 200, body[:end], {**headers, "Content-Length": str(len(body))})
            self.close_connection = True
            return
        self.answer(206 if asked else 200, body, headers)

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def serving(hub: Hub) -> Iterator[str]:
    """A server that answers as this hub; yields its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"hub": hub}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        hub.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()
