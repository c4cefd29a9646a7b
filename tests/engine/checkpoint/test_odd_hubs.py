# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that are no hub, or one gone wrong: each download from them ends, in words."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

import pytest
from hub_server import MODEL, SIZE, Handler

from wan_engine.checkpoint import download, hub_limits
from wan_engine.checkpoint.download import fetch
from wan_engine.errors import CheckpointError, GenerationError


def _portal(handler: Handler) -> None:
    handler.answer(200, b"<html>Log in</html>", {"Content-Type": "text/html; charset=utf-8"})


def _silent(handler: Handler) -> None:
    handler.hub.stopped.wait()
    handler.close_connection = True


def _one_byte_at_a_time(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(SIZE))
    handler.end_headers()
    with contextlib.suppress(OSError):
        while not handler.hub.stopped.wait(0.05):
            handler.wfile.write(b"x")
    handler.close_connection = True


def _head_without_end(handler: Handler) -> None:
    with contextlib.suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not handler.hub.stopped.wait(0.05):
            handler.wfile.write(b"X: y\r\n")
    handler.close_connection = True


def _endless_pages(handler: Handler) -> None:
    host = handler.headers["Host"]
    handler.answer(200, b"[]", {"Link": f'<http://{host}{handler.path}>; rel="next"'})


def _endless_entries(handler: Handler) -> None:
    entry = {"type": "file", "size": 1, "oid": "0" * 40}
    page = json.dumps([{**entry, "path": f"{len(handler.hub.requests)}/{k}"} for k in range(1000)]).encode()
    handler.answer(200, page, {"Link": f'<http://{handler.headers["Host"]}{handler.path}>; rel="next"'})


def _endless_file(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    with contextlib.suppress(OSError):
        while not handler.hub.stopped.is_set():
            handler.wfile.write(bytes(1 << 16))


def _busy(header: str, value: str) -> Callable[[Handler], None]:
    return lambda handler: handler.answer(429, b"{}", {header: value})


def _nonsense_about_an_error(handler: Handler) -> None:
    handler.answer(400, b'{"errors": 3, "error": [1]}', {"Content-Type": "application/json"})


def _saying(body: bytes) -> Callable[[Handler], None]:
    return lambda handler: handler.answer(200, body)


def _tree_with(**wrong: object) -> Callable[[Handler], None]:
    """The files, each with these facts about it changed."""
    return lambda handler: handler.answer(
        200, json.dumps([{**entry, **wrong} for entry in handler.hub.tree()]).encode()
    )


def _long_names(handler: Handler) -> None:
    handler.answer(200, json.dumps(handler.hub.tree()).replace("model-", f"model-{'a' * 300}").encode())


def _next_page_nowhere(handler: Handler) -> None:
    handler.answer(200, b"[]", {"Link": '<http://[::x>; rel="next"'})


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
