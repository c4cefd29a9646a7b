# SPDX-License-Identifier: GPL-3.0-or-later
"""Read by the Python of a `HeldEngine` before all else: its worker waits after the step that a file names."""

import os
import sys
import time
from pathlib import Path
from typing import Any


def hold() -> None:
    from bridge.warm_engine import WarmEngine

    begin, step = WarmEngine.pipeline, Path(os.environ["HELD_AFTER"])

    class Held:
        """A pipeline like any other, but for its long step."""

        def __init__(self, pipeline: Any) -> None:
            self.pipeline = pipeline

        def generate(self, *arguments: Any, on_event: Any, should_cancel: Any, **options: Any) -> Any:
            def tell(event: dict[str, Any]) -> None:
                on_event(event)
                while event["event"] == "step" and _number(step) == event["step"] and not should_cancel():
                    time.sleep(0.01)

            return self.pipeline.generate(*arguments, on_event=tell, should_cancel=should_cancel, **options)

    WarmEngine.pipeline = lambda *arguments: Held(begin(*arguments))  # type: ignore[method-assign]


def _number(step: Path) -> int | None:
    try:
        return int(step.read_text())
    except FileNotFoundError:
        return None


if "bridge.worker" in sys.orig_argv:
    hold()
