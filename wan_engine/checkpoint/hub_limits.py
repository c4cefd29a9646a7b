# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits on what a hub, or whatever stands in its place, may do with our time: hooks of huggingface_hub's HTTP client.

huggingface_hub waits without end for an API's answer, and as long as a busy hub asks it to, follows pages as long as
they come, and takes a byte a second.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
from huggingface_hub import close_session, set_client_factory
from huggingface_hub.utils import parse_ratelimit_headers

from ..errors import GenerationError
from .hub_private import default_client_factory

ANSWER_SECONDS = 20.0  # between two signs of life of a connection
HEAD_SECONDS = 60.0  # from asking to the end of an answer's head, which may come a byte at a time
LIST_SECONDS = 120.0  # for the list of a repository's files, all its pages and attempts
LONGEST_WAIT = 60.0  # seconds that a hub may ask to wait before the next attempt
WINDOW_SECONDS = 60.0  # in which LEAST_BYTES must come of a file
LEAST_BYTES = 64 * 1024


@contextmanager
def patient_but_not_for_ever(hub: str) -> Iterator[Limits]:
    """huggingface_hub's connections are held to the limits as long as the block runs; `hub` is its address."""
    limits = Limits(hub)
    set_client_factory(limits.client)
    try:
        yield limits
    finally:
        limits.rest()
        set_client_factory(default_client_factory)
        close_session()


class Limits:
    """Raises GenerationError in words where a limit is passed."""

    def __init__(self, hub: str) -> None:
        self._hub = hub
        self._list_by: float | None = None
        self._sockets: list[socket.socket] = []
        self._waits: threading.Timer | None = None

    def client(self) -> httpx2.Client:
        """A client of huggingface_hub's own making, with the limits."""
        client = default_client_factory()
        hooks = client.event_hooks
        client.event_hooks = {
            "request": [*hooks["request"], self._asked],
            "response": [*hooks["response"], self._answered],
        }
        return client

    @contextmanager
    def listing(self) -> Iterator[None]:
        """All that is asked for in the block must come within LIST_SECONDS."""
        self._list_by = time.monotonic() + LIST_SECONDS
        try:
            yield
        finally:
            self._list_by = None

    def _asked(self, request: httpx2.Request) -> None:
        self._look()
        stated = request.extensions.get("timeout") or {}
        waits = {name: stated.get(name) or ANSWER_SECONDS for name in ("connect", "read", "write", "pool")}
        request.extensions = {**request.extensions, "timeout": waits, "trace": self._traced}
        self.rest()
        self._waits = threading.Timer(HEAD_SECONDS, self._hang_up)
        self._waits.daemon = True
        self._waits.start()

    def rest(self) -> None:
        """Nothing is waited for any more."""
        if self._waits is not None:
            self._waits.cancel()

    def _traced(self, event: str, facts: dict[str, Any]) -> None:
        """Note each connection that is made (httpx's "trace" extension)."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._sockets.append(facts["return_value"].get_extra_info("socket"))

    def _hang_up(self) -> None:
        """End all connections: whoever reads from one, in the other thread, sees that it broke."""
        for one in self._sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)  # that of TLS alone would wait for the other side

    def _answered(self, response: httpx2.Response) -> None:
        self.rest()
        if response.status_code == 200 and "text/html" in response.headers.get("content-type", ""):
            raise GenerationError(
                f"Instead of the hub at {self._hub} a web page answers, perhaps the log-in page of your network. Open "
                "any page in a browser, log in, and start again."
            )
        if response.status_code >= 400 and _asks_to_wait(response) > LONGEST_WAIT:
            raise GenerationError(
                f"The hub at {self._hub} asks to wait for more than {LONGEST_WAIT:g} seconds (status "
                f"{response.status_code}); try again later, it goes on from here."
            )
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = _Watched(response.stream, self)

    def _look(self) -> None:
        if self._list_by is not None and time.monotonic() > self._list_by:
            raise GenerationError(
                f"The hub at {self._hub} has not told its files within {LIST_SECONDS:g} seconds. Look at the network, "
                "and try again later."
            )

    def too_slow(self) -> GenerationError:
        """The error that ends a download which sends less than the limit."""
        return GenerationError(
            f"The hub at {self._hub} sends too slowly: less than {LEAST_BYTES // 1024} kB in {WINDOW_SECONDS:g} "
            "seconds. Look at the network, and start again: it goes on from here."
        )


def _asks_to_wait(response: httpx2.Response) -> float:
    """Seconds until the next attempt, as the answer's head states them."""
    after, limit = response.headers.get("retry-after", "").strip(), parse_ratelimit_headers(response.headers)
    return max(float(after) if after.isdecimal() else 0.0, 0.0 if limit is None else limit.reset_in_seconds)


class _Watched(httpx2.SyncByteStream):
    """A body that must come with a least speed."""

    def __init__(self, body: httpx2.SyncByteStream, limits: Limits) -> None:
        self._body, self._limits = body, limits

    def __iter__(self) -> Iterator[bytes]:
        begun, came = time.monotonic(), 0
        for part in self._body:
            self._limits._look()
            came += len(part)
            now = time.monotonic()
            if now - begun > WINDOW_SECONDS:
                if came < LEAST_BYTES:
                    raise self._limits.too_slow()
                begun, came = now, 0
            yield part

    def close(self) -> None:
        self._body.close()
