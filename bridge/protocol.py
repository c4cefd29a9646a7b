# SPDX-License-Identifier: GPL-3.0-or-later
"""What the client and the worker say to each other: one JSON object per line, plain ASCII, both ways.

Commands (client to worker) carry ``"cmd"``: ``run`` (with ``folder``), ``cancel``, ``quit``.
Messages (worker to client) carry ``"type"``: ``hello`` (at once), ``ready`` (the engine is imported), ``unusable``
(it cannot be), ``heartbeat`` (nothing to say, but the main thread gets on, or need not), ``event`` (progress of the
job), and ``done`` / ``failed`` / ``cancelled`` (its end).
"""

from __future__ import annotations

import json
from typing import Any

PROTOCOL = 1
HEARTBEAT_SECONDS = 0.5
HANG_SECONDS = 8.0  # without any sign of work, after which a worker counts as hung
# A longer pause between two polls is the fault of our own side (or the computer slept), not the worker's.
MAX_COUNTED_PAUSE = 5.0
# Processor time in half of the patience below which a silent worker does nothing: its threads that only wait take less.
LEAST_CPU = 0.02
MAX_LINE_BYTES = 1 << 20
MAX_GARBAGE_BYTES = 4 << 20  # of what is no message, after which a worker is none of ours


def hung_in_words(seconds: float) -> str:
    """What to tell the user about a worker that did nothing for so long."""
    return (
        f"The engine has not answered for {seconds:g} seconds and was stopped. Look whether the drives that hold the "
        "model, the pictures and the output folder can be reached, then generate the shot again."
    )


def encode(message: dict[str, Any]) -> bytes:
    """One message as one line of ASCII, newline included.

    Raises ValueError when the message holds what JSON cannot say or is longer than MAX_LINE_BYTES.
    """
    line = json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"a message of {len(line)} bytes is longer than the {MAX_LINE_BYTES} allowed")
    return line


class LineReader:
    """Turns bytes, in whatever portions a pipe hands them out, into messages.

    A line that is no JSON object with a string under `key`, or is longer than MAX_LINE_BYTES, is skipped and
    counted in `dropped`, its bytes in `garbage`; the memory held is bounded by one line.
    """

    def __init__(self, key: str) -> None:
        self.dropped = 0
        self.garbage = 0
        self._key = key
        self._partial = b""
        self._skipping = False

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The messages that are complete once `data` has arrived, in order."""
        messages = []
        *ended, rest = data.split(b"\n")
        for piece in ended:
            line, self._partial = self._partial + piece, b""
            overlong, self._skipping = self._skipping or len(line) >= MAX_LINE_BYTES, False
            if overlong:
                self.dropped += 1
                self.garbage += len(line)
                continue
            message = self._parse(line)
            if message is not None:
                messages.append(message)
        self._partial += rest
        if self._skipping or len(self._partial) >= MAX_LINE_BYTES:
            self.garbage += len(self._partial)
            self._partial, self._skipping = b"", True
        return messages

    def _parse(self, line: bytes) -> dict[str, Any] | None:
        if not line.strip():
            self.garbage += len(line) + 1
            return None
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if isinstance(message, dict) and isinstance(message.get(self._key), str):
            return message
        self.dropped += 1
        self.garbage += len(line)
        return None
