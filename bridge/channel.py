# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's messages to its client, written from a thread of their own."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from . import protocol
from .output import write_all


class Channel:
    """Sends messages to the client from its own thread, so that a client that does not read holds up no job.

    `on_beat` is called there all the while; it says whether to send a heartbeat.
    """

    def __init__(self, descriptor: int, on_beat: Callable[[], bool]) -> None:
        self._descriptor = descriptor
        self._on_beat = on_beat
        self._messages: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="messages", daemon=True)
        self._thread.start()

    def send(self, kind: str, **content: Any) -> None:
        """Put a message in line to be written; never waits."""
        self._messages.put({"type": kind, **content})

    def close(self) -> None:
        """Wait, not for ever, until everything is written."""
        self._messages.put(None)
        self._thread.join(2.0)

    def _write(self) -> None:
        due = time.monotonic()
        while True:
            try:
                message = self._messages.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                due = time.monotonic() + protocol.HEARTBEAT_SECONDS
                if not self._on_beat():
                    continue
                message = {"type": "heartbeat"}
            if message is None:
                return
            # Where nobody reads any more, the end of stdin tells what to do about it; there is still to look after.
            with contextlib.suppress(OSError):
                write_all(self._descriptor, protocol.encode(message))
