# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what is needed next while something else is computed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class ReadAhead(Generic[T]):
    """What `read` gives, read in a thread of its own.

    The process waits for what is `short` before it ends: torch aborts where Python takes a thread away from it. It does
    not wait for what is long.
    """

    def __init__(self, name: str, read: Callable[[], T], short: bool = False) -> None:
        self.name = name
        self._read = read
        self._found: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name=f"read ahead: {name}", daemon=not short)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._found = [self._read()]
        except BaseException as error:  # told where the result is wanted
            self._error = error

    def wait(self) -> None:
        """Until it is read, or has failed."""
        self._thread.join()

    def result(self) -> T:
        """What was read, once it is there; to be asked for once, nothing is held afterwards.

        Raises what reading it raised.
        """
        self.wait()
        if self._error is not None:
            raise self._error
        return self._found.pop()
