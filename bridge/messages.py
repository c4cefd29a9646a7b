# SPDX-License-Identifier: GPL-3.0-or-later
"""What the client reports of the worker, made of lines that are trusted in nothing: another version, a broken package
or a damaged disk may have written them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

from ..wan_engine.errors import Cancelled, CheckpointError, GenerationError, UsageError, WanError
from .state import ENDED

MOST_TEXT = 2000  # characters of a sentence for the user
MOST_STEPS = 100_000
_ERRORS: dict[int, type[WanError]] = {
    error.exit_status: error for error in (UsageError, CheckpointError, GenerationError, Cancelled)
}
_STATUS = {"done": 0, "failed": GenerationError.exit_status, "cancelled": Cancelled.exit_status}


@dataclass(frozen=True)
class Message:
    """What `poll` reports.

    `kind`: `starting` and `ready` (the worker); `event` (the progress of `job`, in `event`); `done`, `failed`,
    `cancelled` (the end of `job`); `stopped` (the worker ended while it had no job). `text` is for the user.
    """

    kind: str
    text: str = ""
    exit_status: int = 0
    job: Path | None = None
    event: dict[str, Any] = field(default_factory=dict)

    @property
    def ends_job(self) -> bool:
        """Whether the job is over."""
        return self.kind in ENDED


def error_of(message: Message) -> WanError:
    """The error that the end of a job stands for, by its exit status."""
    return error_for(message.exit_status, message.text)


def error_for(exit_status: int, text: str) -> WanError:
    """The error that a program of the engine's ended in."""
    return _ERRORS.get(exit_status, GenerationError)(text)


def text_of(value: object) -> str:
    """A sentence to be shown: without control characters, not too long; "" for what is no text."""
    if not isinstance(value, str):
        return ""
    return "".join(c if c.isprintable() else " " for c in value[:MOST_TEXT]).strip()


def end_of(content: Mapping[str, Any], job: Path) -> Message:
    """The end of a job; an exit status that cannot be its kind's is that kind's own."""
    kind, told = content["type"], content.get("exit_status")
    status = _STATUS[kind]
    if kind == "failed" and isinstance(told, int) and told in _ERRORS and told != Cancelled.exit_status:
        status = int(told)
    return Message(kind, text_of(content.get("message")), status, job)


def event_of(event: object) -> dict[str, Any] | None:
    """An event as the engine tells it, with every known field fit for use; None for what is none. Kinds that are not
    known pass, for an engine that is newer.
    """
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        return None
    checks = _EVENTS.get(event["event"], {})
    if not all(check(event.get(key)) for key, check in checks.items()):
        return None
    if event["event"] == "step" and event["step"] > event["steps"]:
        return None
    return {**event, "message": text_of(event["message"])} if "message" in checks else event


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MOST_STEPS


def _is_duration(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < math.inf  # type: ignore[operator]  # NaN is not


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 100 and value.isprintable()


def _is_own_path(value: object) -> bool:
    """Of a file in the job folder, as every system reads it."""
    if not isinstance(value, str) or not value.isprintable() or not value:
        return False
    path = PureWindowsPath(value)
    return not path.is_absolute() and not path.drive and not path.root and ".." not in path.parts


def _is_text(value: object) -> bool:
    return isinstance(value, str)


_EVENTS: dict[str, dict[str, Callable[[object], bool]]] = {
    "stage": {"stage": _is_name},
    "step": {"step": _is_count, "steps": _is_count, "seconds": _is_duration},
    "segment": {"segment": _is_count, "segments": _is_count},
    "window": {"step": _is_count, "window": _is_count, "windows": _is_count},
    "preview": {"path": _is_own_path},
    "resume": {"step": _is_count},
    "retry": {"message": _is_text},
    "note": {"message": _is_text},
}
