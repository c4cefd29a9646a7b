# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: time and peak memory of our side and of Diffusers (transformers for the text encoder).

    python -m benchmarks.run [OUT.md] [--threads N] [--only PART,...]

Seconds are the least over rounds in which the sides take turns; memory is the peak of anonymous memory above the
imported libraries, weights included, each side in a process of its own. Times depend on the machine; the ratios are
what counts. With OUT.md a plot OUT.png is written beside it.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from . import cached, finishing, guiding, measure, report, vace, weights
from .measure import Row
from .parts import PARTS, Part


def measured(name: str, folder: Path, threads: int) -> Row:
    part = PARTS[name]
    seconds, difference, speed = (math.nan, math.nan), math.nan, None
    if part.rounds:
        work = {"ours": part.ours(folder), "theirs": part.theirs(folder)}
        results = {}

        def keep(side: str) -> None:
            results[side] = work[side]()

        times = measure.by_turns(
            {side: lambda side=side: keep(side) for side in work}, part.rounds, warm=part.rounds > 1
        )
        seconds = times["ours"], times["theirs"]
        difference = float((results["ours"] - results["theirs"]).norm() / results["theirs"].norm())
        if not difference <= part.agreement:
            raise SystemExit(f"{part.title}: the two sides differ by {difference:.2g}; the comparison would be void")
        speed = _speed(name, part, seconds[0], work["theirs"])
    peak = tuple(measure.peak_memory(name, side, folder, threads) for side in ("ours", "theirs"))
    limit = str(part.dtype) if part.gflop else measure.CONVOLUTION
    return Row(part.title, part.dtype, seconds, (peak[0], peak[1]), difference, speed, limit)


def _speed(name: str, part: Part, seconds: float, theirs: Callable[[], object]) -> float | None:
    """Our GFLOP/s: of matrix products for the transformer, of convolutions for the VAE."""
    if part.gflop:
        return part.gflop / seconds
    if not name.startswith("vae"):
        return None
    with FlopCounterMode(display=False) as counter:  # both sides convolve alike
        theirs()
    return counter.get_total_flops() / 1e9 / seconds


def one_side(name: str, side: str, folder: Path) -> None:
    """The work of one side, once, in this process; prints its peak memory."""
    part = PARTS[name]
    sides = part.light or (part.ours, part.theirs)
    with torch.inference_mode(), measure.PeakMemory() as memory:
        sides[0 if side == "ours" else 1](folder)()
    print(json.dumps({"peak": memory.bytes}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, nargs="?", help="write the table here, and a plot beside it")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only", help="parts to measure, separated by commas: " + ", ".join(PARTS))
    parser.add_argument("--side", nargs=3, metavar=("PART", "SIDE", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.side:
        return one_side(args.side[0], args.side[1], Path(args.side[2]))
    names = args.only.split(",") if args.only else list(PARTS)
    with tempfile.TemporaryDirectory() as scratch, torch.inference_mode():
        folder = Path(scratch)
        weights.write(folder)
        vace.write(folder)
        peaks = measure.peaks()
        rows = []
        for name in names:
            rows.append(measured(name, folder, args.threads))
            print(report.line(rows[-1], peaks), flush=True)
        shares = [] if args.only else measure.shares()
        peaks = measure.highest(shares, peaks, measure.peaks())
        guided = [] if args.only else guiding.rows(folder)
        table = report.text(rows, shares, [] if args.only else cached.rows(), peaks, args.threads)
    if not args.only:
        table += "\nFinishing, per frame of 832x480:\n\n" + finishing.table(finishing.rows()) + "\n"
        table += f"\nThe light guide beside the cheapest step there is:\n\n{guiding.table(guided)}\n"
    print(table)
    if args.out is not None:
        args.out.write_text(table, encoding="utf-8")
        report.plot(rows, args.out.with_suffix(".png"))
    return None


if __name__ == "__main__":
    main()
