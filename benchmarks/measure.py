# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds by turns in one process, peak memory in a process of its own, and what this machine can do at most."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from wan_engine.networks import attention, cpu_kernels

from .weights import DIM, FFN, TEXT

TOKENS = 1280
CONVOLUTION = "convolution"

# Operations, our way of doing them, and theirs.
Piece = tuple[int, Callable[[], Tensor], Callable[[], Tensor]]


@dataclass(frozen=True)
class Row:
    """Figures of one part, (ours, theirs): seconds (NaN where not timed) and peak bytes; relative L2 difference of the
    results; our GFLOP/s, None where they are not counted, and by which peak they are to be measured (`peaks`).
    """

    title: str
    dtype: torch.dtype
    seconds: tuple[float, float]
    bytes: tuple[int, int]
    difference: float
    speed: float | None
    limit: str


@dataclass(frozen=True)
class Share:
    """GFLOP/s of one piece of a transformer pass, as we do it and as Diffusers does."""

    title: str
    dtype: torch.dtype
    ours: float
    theirs: float


def by_turns(parts: Mapping[str, Callable[[], object]], rounds: int, warm: bool = True) -> dict[str, float]:
    """Least seconds of each part over the rounds; the parts take turns, after one unmeasured round if `warm`."""
    best = dict.fromkeys(parts, float("inf"))
    for turn in range(-int(warm), rounds):
        for name, part in parts.items():
            start = time.perf_counter()
            part()
            if turn >= 0:
                best[name] = min(best[name], time.perf_counter() - start)
    return best


class PeakMemory:
    """Bytes of anonymous memory (no mapped files) that a block took at most, above what was there before; Linux."""

    def __init__(self, seconds: float = 0.002) -> None:
        self._seconds = seconds
        self.bytes = 0

    def __enter__(self) -> PeakMemory:
        self._before = anonymous()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(self._seconds):
            self.bytes = max(self.bytes, anonymous() - self._before)


def anonymous() -> int:
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))


def peak_memory(part: str, side: str, folder: Path, threads: int) -> int:
    """Bytes that one side of a part takes at most, measured in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.run", "--side", part, side, str(folder), "--threads", str(threads)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(json.loads(result.stdout.splitlines()[-1])["peak"])


def peaks() -> dict[str, float]:
    """GFLOP/s that this machine reaches now, in matrix products by dtype and in convolutions."""
    products = {str(dtype): matrix_peak(dtype) for dtype in (torch.float32, torch.bfloat16)}
    return products | {CONVOLUTION: convolution_peak()}


def highest(shares: Sequence[Share], *found: Mapping[str, float]) -> dict[str, float]:
    """Of peaks found at different times the highest, for a neighbour on the machine can take some of it away; and no
    lower than what a piece of the work has reached."""
    reached = {name: [max(s.ours, s.theirs) for s in shares if str(s.dtype) == name] for name in found[0]}
    return {name: max([peaks[name] for peaks in found] + reached[name]) for name in found[0]}


def matrix_peak(dtype: torch.dtype) -> float:
    """GFLOP/s of the best matrix product found here, whichever library does it."""
    best = 0.0
    for m, k, n in ((1280, 512, 1536), (1280, 512, 2048), (2048, 2048, 2048)):
        x, w = torch.randn(m, k).to(dtype), torch.randn(n, k).to(dtype)
        seconds = by_turns({"a": lambda x=x, w=w: F.linear(x, w), "b": lambda x=x, w=w: cpu_kernels.product(x, w)}, 12)
        best = max(best, 2 * m * k * n / min(seconds.values()) / 1e9)
    return best


def convolution_peak() -> float:
    """GFLOP/s of the best float32 3D convolution found here."""
    best = 0.0
    for channels, side in ((64, 64), (128, 32), (256, 16)):
        x, w = torch.randn(1, channels, 6, side, side), torch.randn(channels, channels, 3, 3, 3)
        last = x.contiguous(memory_format=torch.channels_last_3d), w.contiguous(memory_format=torch.channels_last_3d)
        parts = {"plain": lambda x=x, w=w: F.conv3d(x, w), "last": lambda last=last: F.conv3d(*last)}
        out: Tensor = parts["plain"]()
        best = max(best, 2 * out.numel() * channels * 27 / min(by_turns(parts, 4).values()) / 1e9)
    return best


def shares() -> list[Share]:
    """The pieces of a transformer pass at the benchmark's size."""
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        for title, (flop, ours, theirs) in {**_products(dtype), **_attentions(dtype)}.items():
            seconds = by_turns({"ours": ours, "theirs": theirs}, 8)
            speeds = [flop / seconds[side] / 1e9 for side in ("ours", "theirs")]
            found.append(Share(title, dtype, speeds[0], speeds[1]))
    return found


def _products(dtype: torch.dtype) -> dict[str, Piece]:
    def pair(rows: int, columns: int, gelu: bool = False) -> Piece:
        x, weight = torch.randn(TOKENS, columns).to(dtype), torch.randn(rows, columns).to(dtype)

        def theirs() -> Tensor:
            y = F.linear(x, weight)
            return F.gelu(y, approximate="tanh") if gelu else y

        return 2 * TOKENS * rows * columns, lambda: cpu_kernels.product(x, weight, gelu=gelu), theirs

    return {
        "projection": pair(DIM, DIM),
        "feed-forward in, with GELU": pair(FFN, DIM, gelu=True),
        "feed-forward out": pair(DIM, FFN),
    }


def _attentions(dtype: torch.dtype) -> dict[str, Piece]:
    def pair(keys: int, width: int) -> Piece:
        q, k = (torch.randn(1, n, DIM // width, width).to(dtype) for n in (TOKENS, keys))
        return 4 * TOKENS * keys * DIM, lambda: attention.auto(q, k, k), lambda: attention.sdpa(q, k, k)

    pieces = {"self attention": TOKENS, "cross attention": TEXT}
    return {f"{title}, heads of {width}": pair(keys, width) for title, keys in pieces.items() for width in (64, 128)}
