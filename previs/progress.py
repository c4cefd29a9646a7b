# SPDX-License-Identifier: GPL-3.0-or-later
"""What a face shows of a running job: words, how much of it is done, how long it will take, and what went on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from ..bridge.messages import Message

STAGES = {
    "load": "Loading the model", "encode_text": "Reading the prompt", "encode_image": "Reading the frames",
    "denoise": "Generating", "decode": "Decoding", "finish": "Finishing the clip", "measure": "Measuring the light",
}  # fmt: skip
# How much of a shot's time each part takes, about; only the progress bar depends on it.
SHARES = {
    "frames": 0.1,
    "load": 0.1,
    "encode_text": 0.12,
    "encode_image": 0.14,
    "denoise": 0.15,
    "decode": 0.9,
    "finish": 0.94,
    "measure": 0.97,
}
_AFTER = 0.15  # what decoding and finishing take, as a share of the steps' time
_LATEST = 5  # steps whose time tells that of the next ones
_MOST_NOTES = 50
_GOES_ON = "Goes on after step"


@dataclass
class Progress:
    """`share` of the running shot that is done, 0..1. `left` is its remaining time in seconds, None until a step's time
    is known. `picture` is rewritten by the engine; `pictures` counts how often.
    """

    status: str = "Waiting"
    share: float = 0.0
    picture: Path | None = None
    pictures: int = 0
    notes: list[str] = field(default_factory=list)
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._seconds: list[float] = []
        self._ends_at: float | None = None
        self._segment = self._segments = 1

    @property
    def left(self) -> float | None:
        """Seconds that it will still take; None while that cannot be told."""
        return None if self._ends_at is None else max(0.0, self._ends_at - self.clock())

    def tell(self, status: str, share: float) -> None:
        """Something of our own is done now."""
        self.status, self.share = status, max(share, self.share)

    def begin(self) -> None:
        """Another shot: what was known of the last one's time and picture is forgotten, its notes stay."""
        self.picture, self._seconds, self._ends_at = None, [], None
        self._segment = self._segments = 1
        self.share = 0.0

    def follow(self, message: Message) -> None:
        """Take in what the worker says."""
        event = message.event
        kind = event.get("event")
        if message.kind == "starting":
            self.tell("Starting the engine", SHARES["frames"])
        elif kind == "stage":
            self._stage(event["stage"])
        elif kind == "step":
            self._step(event["step"], event["steps"], event["seconds"])
        elif kind == "segment":
            self._segment, self._segments = event["segment"], event["segments"]
        elif kind == "window":
            self.status = f"Step {event['step']}, window {event['window']} of {event['windows']}"
        elif kind == "preview" and message.job is not None:
            self.picture = message.job / event["path"]
            self.pictures += 1
        elif kind == "resume":
            self._resumed(event["step"])
        elif kind in ("retry", "note"):
            self.note(event["message"])

    def _stage(self, name: str) -> None:
        """Every segment is decoded before the next is made: only the last one's decoding ends the steps."""
        words = STAGES.get(name, name.replace("_", " ").capitalize())
        between = name == "decode" and self._segment < self._segments
        self.tell(self._in_segment(words), self.share if between else SHARES.get(name, self.share))

    def _in_segment(self, words: str) -> str:
        if self._segments == 1:
            return words
        return f"Segment {self._segment} of {self._segments}: {words[:1].lower()}{words[1:]}"

    def _resumed(self, step: int) -> None:
        """Told for each segment that was begun; the last one counts."""
        self.notes = [note for note in self.notes if not note.startswith(_GOES_ON)]
        self.note(f"{_GOES_ON} {step}, where it was interrupted.")

    def _step(self, step: int, steps: int, seconds: float) -> None:
        span = SHARES["decode"] - SHARES["denoise"]
        self.tell(self._in_segment(f"Step {step} of {steps}"), SHARES["denoise"] + span * step / max(1, steps))
        self._seconds = [*self._seconds, seconds][-_LATEST:]
        each = median(self._seconds)
        self._ends_at = self.clock() + each * (steps - step + _AFTER * steps)

    def note(self, words: str) -> None:
        """Something to tell that is no error; each is told once."""
        if words not in self.notes:
            self.notes = [*self.notes, words][-_MOST_NOTES:]


def duration_in_words(seconds: float) -> str:
    """As coarse as an estimate is: "20 s", "4 min", "2 h 10 min"."""
    if seconds < 55:
        return f"{max(5, round(seconds / 5) * 5)} s"
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60 // 10 * 10} min"
