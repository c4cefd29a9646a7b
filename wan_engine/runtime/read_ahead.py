# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what is needed next while something else is computed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class ReadAhead(Generic[T]):
    """What `read` gives, read in a thread of its own.

    `read` gets a function to call before each of its pieces, which ends it where nobody waits any longer: after `stop`,
    or when the process ends. That waits for the piece, since torch aborts where Python takes a thread away from it.
    """

    def __init__(self, name: str, read: Callable[[Callable[[], None]], T]) -> None:
        self.name = name
        self._read = read
        self._found: list[T] = []
        self._error: BaseException | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name=f"read ahead: {name}", daemon=False)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._found = [self._read(self._go_on)]
        except BaseException as error:  # told where the result is wanted
            self._error = error

    def _go_on(self) -> None:
        if self._stopped or not threading.main_thread().is_alive():
            raise _Stopped

    def stop(self) -> None:
        """Until the piece that is being read is there; no other follows, and nothing is held."""
        self._stopped = True
        self._thread.join()
        self._found.clear()

    def result(self) -> T:
        """What was read, once it is there; to be asked for once, nothing is held afterwards.

        Raises what reading it raised.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._found.pop()


class _Stopped(Exception):
    """Nobody waits for what is read."""
