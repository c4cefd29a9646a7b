# SPDX-License-Identifier: GPL-3.0-or-later
"""The real engine, but for a step that lasts: a test can end the job there, however fast or busy the machine is."""

from __future__ import annotations

import shlex
from pathlib import Path

from real_jobs import ROOT, engine_python


class HeldEngine:
    """A Python of the engine's, below `folder`. Once `hold` is called, its worker stays in a step, alive and saying so,
    until the job is cancelled, the process killed, or `go_on` called. POSIX only."""

    def __init__(self, folder: Path) -> None:
        folder = folder / "held engine"
        folder.mkdir(parents=True)
        self.python, self._step = folder / "python", folder / "step"
        held, root, python, after = (
            shlex.quote(str(path)) for path in (Path(__file__).with_name("held"), ROOT, engine_python(), self._step)
        )
        self.python.write_text(
            f'#!/bin/sh\nexport PYTHONPATH={held}:${{PYTHONPATH:-{root}}} HELD_AFTER={after}\nexec {python} "$@"\n'
        )
        self.python.chmod(0o755)

    def hold(self, step: int = 1) -> None:
        """From now on jobs stay in this step, when it is done and told."""
        self._step.with_suffix(".new").write_text(str(step))
        self._step.with_suffix(".new").replace(self._step)

    def go_on(self) -> None:
        """The step that lasts comes to its end, and no other one lasts."""
        self._step.unlink(missing_ok=True)
