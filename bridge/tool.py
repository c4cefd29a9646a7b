# SPDX-License-Identifier: GPL-3.0-or-later
"""One of the engine's small programs, run to its end beside Blender: a JSON task in, lines of words out."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ..wan_engine.errors import CheckpointError, GenerationError
from . import process
from .messages import error_for, text_of
from .protocol import LEAST_CPU, MAX_COUNTED_PAUSE, hung_in_words
from .pulse import LONG_SECONDS

_KEPT = 1 << 16  # bytes of what a program has printed; its last line counts


class EngineTool:
    """`python -m MODULE` of the engine's environment with `task` as JSON on its stdin.

    The last line it prints is its result, or its error when it ends with another status than 0. It ends with this
    process, and where the system tells, after `hang_after` seconds without a word and without processor time.
    Nothing here blocks. `cache` is where its libraries keep what they look up. Raises CheckpointError when it
    cannot be started.
    """

    def __init__(
        self,
        python: Path,
        addon_dir: Path,
        module: str,
        task: dict[str, Any],
        cache: Path | None = None,
        hang_after: float = LONG_SECONDS,
    ) -> None:
        self._said = b""
        self._hang_after = hang_after
        self._quiet, self._polled, self._cpu = 0.0, time.monotonic(), 0.0
        environment = process.engine_environment(os.environ, addon_dir, cache)
        line = json.dumps(task).encode("ascii")
        try:
            self._child = process.spawn_guarded([str(python), "-m", module], addon_dir, environment, line)
        except OSError as error:
            raise CheckpointError(
                f"The engine's Python {python} cannot be started ({error.strerror or error}). Set up the engine, or "
                "choose another Python, in the add-on's preferences."
            ) from error

    @property
    def words(self) -> str:
        """The last whole line it has printed."""
        lines = [line.strip() for line in self._said.decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def poll(self) -> bool:
        """Whether it has ended well; `words` is its result then. Raises the WanError that it ended in."""
        code = self._child.poll()
        data = b""
        if self._child.stdout and not self._child.stdout.closed:
            for data in process.read_for(self._child.stdout):
                self._said = (self._said + data)[-_KEPT:]
        if code is None or data:
            self._watch(bool(data))
            return False
        process.close_pipes(self._child)
        if code != 0:
            raise error_for(code, text_of(self.words) or f"The engine was {process.exit_in_words(code)}.")
        return True

    def _watch(self, said: bool) -> None:
        """Raises GenerationError, with the program ended, once it has done nothing for too long."""
        now = time.monotonic()
        self._quiet, self._polled = self._quiet + min(now - self._polled, MAX_COUNTED_PAUSE), now
        if not said and self._quiet <= self._hang_after:
            return
        cpu = process.group_cpu_seconds(self._child.pid)
        if not said and cpu is not None and cpu - self._cpu < LEAST_CPU:
            self.stop()
            raise GenerationError(hung_in_words(self._hang_after))
        self._quiet, self._cpu = 0.0, cpu or 0.0

    def stop(self) -> None:
        """End it now."""
        process.kill(self._child)
        process.close_pipes(self._child)
