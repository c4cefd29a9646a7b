# SPDX-License-Identifier: GPL-3.0-or-later
"""One generation as its watchers see it: events, timing, notes for the report, and the way to stop it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from ..errors import Cancelled, WanError
from .free_memory import give_back

OnEvent = Callable[[dict], None]


class Run:
    """Collects what the report tells: `steps` of all segments, `seconds` per stage, `notes` in words, `facts` by name.

    `memory` is the memory plan as text, once there is one; `unsaved` names the files asked for, beside the clip, that
    could not be written.
    """

    def __init__(
        self, on_event: OnEvent = lambda event: None, should_cancel: Callable[[], bool] = lambda: False
    ) -> None:
        self._on_event = on_event
        self._should_cancel = should_cancel
        self.steps: list[dict[str, Any]] = []
        self.seconds: dict[str, float] = {}
        self.notes: list[str] = []
        self.facts: dict[str, Any] = {}
        self.memory = ""
        self.unsaved: list[str] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Tells and times a part of the work. Raises Cancelled when the user wants to stop."""
        self.check_cancel()
        give_back()
        self.tell("stage", stage=name)
        began = time.perf_counter()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - began, 3)

    @contextmanager
    def step(
        self, step: int, steps: int, expert: str, timestep: float, sigma: float, seconds: float, **more
    ) -> Iterator[None]:
        """A step is done; `more` goes into the report alone. The block keeps its state: only what a run can go on from
        behind a kill is told as done.
        """
        facts = {"step": step, "expert": expert, "timestep": timestep, "seconds": round(seconds, 3)}
        self.steps.append({**facts, "sigma": sigma, **more})
        yield
        self.tell("step", steps=steps, **facts)

    def writes(self) -> None:
        """Files are written now, which on a slow disk takes long without a trace."""
        self.tell("writes")

    def resumed(self, steps: list[dict[str, Any]]) -> None:
        """An earlier run had done these steps, too."""
        self.steps += steps
        self.facts["resumed_from_step"] = len(self.steps)
        self.tell("resume", step=len(self.steps))

    def retried(self, step: int, expert: str) -> None:
        """A step gave NaN or infinite values and is computed again in a safer setting."""
        self.facts.setdefault("retried_steps", []).append(step)
        words = f"Step {step} gave NaN or infinite values and was computed again in float32 with plain attention."
        self.notes.append(words)
        self.tell("retry", step=step, expert=expert, message=words)

    def note(self, words: str) -> None:
        """Something the user should know that is no error: an event now, a warning in the report; told once."""
        if words not in self.notes:
            self.notes.append(words)
            self.tell("note", message=words)

    @contextmanager
    def sparing(self, lost: str, unsaved: str | None = None) -> Iterator[None]:
        """For what is not worth a clip: whatever goes wrong inside becomes a note that begins with `lost`, where
        `unsaved` is the file that is not there then."""
        try:
            yield
        except Cancelled:
            raise
        except Exception as error:
            if not isinstance(error, WanError | OSError | ImportError):
                traceback.print_exc()  # a fault of ours; the log keeps where it is
            if unsaved is not None:
                self.unsaved.append(unsaved)
            self.note(f"{lost}: {_in_words(error)}")

    def tell(self, event: str, **facts: Any) -> None:
        """Hands an event to whoever follows the run."""
        self._on_event({"event": event, **facts})

    def check_cancel(self, *_: object) -> None:
        """Raises Cancelled when the user wants to stop; takes any arguments, so that it can be a callback."""
        if self._should_cancel():
            raise Cancelled("The generation was cancelled.")

    @contextmanager
    def watching(self, network: nn.Module) -> Iterator[None]:
        """Ask before every layer of `network` whether to stop: a whole forward can take minutes."""
        hooks = [layer.register_forward_pre_hook(self.check_cancel) for layer in network.modules()]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def _in_words(error: Exception) -> str:
    if isinstance(error, WanError):
        return str(error)
    if isinstance(error, ImportError) and error.name:
        return f"the engine lacks {error.name}. Set up the engine again."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'}: {error.strerror}."
    text = (str(error).strip().splitlines() or [""])[0][:200]
    return f"{type(error).__name__}{': ' if text else ''}{text}"
