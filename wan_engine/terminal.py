# SPDX-License-Identifier: GPL-3.0-or-later
"""Text for a terminal: names come from files and from the network, and may hold what steers one. Standard library."""

from __future__ import annotations

import contextlib
import sys
import unicodedata
from collections.abc import Iterator
from typing import TextIO

# Characters that turn the direction of what follows, so that a name reads as another one.
_TURNING = frozenset(map(chr, (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))))


def plain(text: str) -> str:
    """The text with control characters, turning marks and what no text can hold spelled out, such as \\x1b; line
    breaks and tabs stay."""
    return "".join(char if _harmless(char) else char.encode("unicode_escape").decode("ascii") for char in text)


def _harmless(char: str) -> bool:
    return char in "\n\t" or (char not in _TURNING and unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp"))


class _Plain:
    """A stream that takes text as `plain` leaves it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(plain(text))
        return len(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


class _Unfailing(_Plain):
    """Words on stderr: where they cannot be had, the exit status still tells."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


@contextlib.contextmanager
def plain_output() -> Iterator[None]:
    """Whatever is printed in the block is plain text."""
    out, errors = _Plain(sys.stdout), _Unfailing(sys.stderr)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):  # type: ignore[type-var]
        yield
