# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures as a Markdown table and as a plot."""

from __future__ import annotations

import contextlib
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import diffusers
import torch
import transformers
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .cached import STEPS, CachedRow
from .measure import Row, Share

_SHORT = {torch.float32: "fp32", torch.bfloat16: "bf16"}
_HEAD = (
    "| part | | ours, s | theirs, s | time | ours, MiB | theirs, MiB | memory | of peak | difference |\n"
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def processor() -> str:
    """The processor's name where Linux tells it, else what kind it is."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if named := [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]:
            return f"{named[0]} ({platform.machine()})"
    return platform.machine()


def line(row: Row, peaks: Mapping[str, float]) -> str:
    """`peaks` are GFLOP/s by the names in `Row.limit`."""
    ours, theirs = row.seconds
    mib = [f"{size / 2**20:.0f}" for size in row.bytes]
    times = ["-"] * 3 if math.isnan(ours) else [f"{ours:.3f}", f"{theirs:.3f}", f"**{ours / theirs:.2f}**"]
    reached = "-" if row.speed is None else f"{row.speed / peaks[row.limit]:.0%}"
    difference = "-" if math.isnan(row.difference) else f"{row.difference:.1e}"
    cells = [row.title, _SHORT[row.dtype], *times, *mib, f"**{row.bytes[0] / row.bytes[1]:.2f}**", reached, difference]
    return f"| {' | '.join(cells)} |"


def text(
    rows: Sequence[Row],
    shares: Sequence[Share],
    cached: Sequence[CachedRow],
    peaks: Mapping[str, float],
    threads: int,
) -> str:
    blocks = [
        f"Ratios to Diffusers {diffusers.__version__} (text encoder: transformers {transformers.__version__}) on the "
        f"same random weights, PyTorch {torch.__version__}, {processor()}, {threads} threads. Time is the least "
        "over rounds by turns; memory the peak of anonymous memory above the imported libraries, weights included, in "
        "a process of its own; 'of peak' our share of the best matrix product (transformer) or convolution (VAE) "
        "found in this run; 'difference' the relative L2 distance of the two results.",
        "\n".join([_HEAD, *(line(row, peaks) for row in rows)]),
        "What the pieces of a transformer pass reach, beside the calls that Diffusers makes:",
        _shares(shares, peaks),
    ]
    if cached:
        blocks += [
            f"Step caching, {STEPS} steps of the nano checkpoint with both experts and guidance, fp32, 1,920 tokens. "
            "'Error' is the relative L2 distance of the final latents to those without caching.",
            _cached(cached),
        ]
    return "\n\n".join(blocks) + "\n"


def _shares(shares: Sequence[Share], peaks: Mapping[str, float]) -> str:
    head = "| piece | | ours, GFLOP/s | of peak | theirs, GFLOP/s | of peak |"
    lines = [
        f"| {s.title} | {_SHORT[s.dtype]} | {s.ours:.0f} | {s.ours / peaks[str(s.dtype)]:.0%} | {s.theirs:.0f} | "
        f"{s.theirs / peaks[str(s.dtype)]:.0%} |"
        for s in shares
    ]
    return "\n".join([head, "| --- | --- | ---: | ---: | ---: | ---: |", *lines])


def _cached(rows: Sequence[CachedRow]) -> str:
    head = "| threshold | ours, s | Diffusers, s | time | left out | error |"
    lines = [
        f"| {r.threshold or 'off'} | {r.seconds:.3f} | {r.their_seconds:.3f} | **{r.seconds / r.their_seconds:.2f}** | "
        f"{r.skipped} of {r.passes} | {r.error:.1%} |"
        for r in rows
    ]
    return "\n".join([head, "| ---: | ---: | ---: | ---: | ---: | ---: |", *lines])


@dataclass(frozen=True)
class _Bars:
    title: str
    ratios: list[float]


def plot(rows: Sequence[Row], path: Path) -> None:
    """Two rows of bars, time and memory as ratios to the other side, which is the line at 1."""
    labels = [f"{row.title} {_SHORT[row.dtype]}" for row in rows]
    columns = (
        _Bars("time, ratio to theirs", [row.seconds[0] / row.seconds[1] for row in rows]),
        _Bars("peak memory, ratio to theirs", [row.bytes[0] / row.bytes[1] for row in rows]),
    )
    figure = Figure(figsize=(12, 0.4 * len(rows) + 1.2), dpi=110, layout="tight")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, bars in zip(axes, columns, strict=True):
        values = [0 if math.isnan(ratio) else ratio for ratio in bars.ratios]
        drawn = axis.barh(labels, values, color="#3a7ca5")
        axis.bar_label(drawn, [f"{v:.2f}" if v else "not timed" for v in values], padding=3, fontsize=8)
        axis.axvline(1, color="#c0392b", linewidth=1)
        axis.set_xlim(0, max(1.2, *values) * 1.15)
        axis.set_title(bars.title, fontsize=10)
        axis.tick_params(labelsize=8)
    axes[0].invert_yaxis()
    FigureCanvasAgg(figure).print_png(str(path))
