# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the worker's main thread gets on, told by what it does and by what the system counts of its work.

A long step of a large model says nothing for minutes but takes processor time, and reading weights from a slow disk
takes pages; a read that never returns takes neither.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

try:
    import resource
except ImportError:  # Windows, where processor time alone has to tell
    resource = None  # type: ignore[assignment]

# What may take long without a trace: a file forced onto a slow disk, a compiler's own process.
LONG_SECONDS = 60.0
# Processor time that counts, in seconds and as a share of the time in which it was taken. Who waits may be woken now
# and then to go on waiting (one in a thousand was seen); who works on a machine full of others gets more.
_LEAST_CPU = 0.005
_LEAST_SHARE = 0.0025


# A longer pause between two looks means that the whole process was made to stand still, or the computer slept.
_COUNTED_PAUSE = 2.0


class WakingClock:
    """Seconds in which this process ran, as far as reading it often tells."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._read, self._awake = clock(), 0.0

    def __call__(self) -> float:
        now = self._clock()
        self._awake += min(now - self._read, _COUNTED_PAUSE)
        self._read = now
        return self._awake


class Pulse:
    """Written by the main thread, read by one other. `quiet` is for how many seconds there was no sign of work."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock = clock or WakingClock()
        self._signs = 0
        self._resting = False
        self._long = False
        self._seen: tuple[int, int] = (0, 0)
        self._cpu = 0.0
        self._since = clock()
        self.quiet = 0.0

    def sign(self, long: bool = False) -> None:
        """The main thread gets on; `long`: what comes now may take up to LONG_SECONDS without a trace."""
        self._signs += 1
        self._long = long

    @contextmanager
    def resting(self) -> Iterator[None]:
        """There is nothing to do."""
        self._resting = True
        try:
            yield
        finally:
            self.sign()
            self._resting = False

    def beats(self) -> bool:
        """Whether the main thread has got on since the last call, or need not."""
        now, seen = self._clock(), (self._signs, _pages_read())
        cpu = time.process_time() - time.thread_time()  # of all threads but the one that asks
        worked = cpu - self._cpu >= max(_LEAST_CPU, _LEAST_SHARE * (now - self._since))
        if self._resting or seen != self._seen or worked:
            self._seen, self._cpu, self._since = seen, cpu, now
        self.quiet = now - self._since
        return self.quiet == 0 or (self._long and self.quiet < LONG_SECONDS)


def _pages_read() -> int:
    """How often this process waited for a disk."""
    if resource is None:
        return 0
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_majflt + usage.ru_inblock
