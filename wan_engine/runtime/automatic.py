# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings by themselves: what stands for `auto`, and what to propose where a clip does not fit.

What is dearest to the picture is given up last: first networks are no longer kept in memory (offload expert, then
block), then the picture is decoded in tiles, then the size goes down, and the frames last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product

from ..checkpoint.checkpoint import Checkpoint
from ..checkpoint.sizes import SAME_AREA, Size, squeeze
from ..checkpoint.summary import Outline
from ..errors import UsageError
from ..options import AUTO, STATED_OFFLOADS
from .memory_plan import MemoryPlan, MemorySettings, Planner, in_words

TILES = (0, 512, 256, 128, 64)  # sides in pixels; the smaller, the more is computed twice and the more seams there are
_COUNTS = 32  # the most counts of frames that are tried, even for an absurd one
_EXACT = 2**30  # bytes of a transformer in float32, up to which that is what `auto` takes
_SHARES = (1, 0.7, 0.5, 0.35, 0.25)  # of a model's smallest area; of less it makes no picture
_SQUEEZE = 0.2  # of a smaller size against the one that was asked for, at most


@dataclass(frozen=True)
class Machine:
    """What of a machine decides the settings: the device, the bytes that can be had on it and in the computer's own
    memory (`host`, the same on the CPU), and the short dtype that the device computes in."""

    device: str
    memory: int
    host: int
    half: str = "bfloat16"


def automatic_dtype(checkpoint: Checkpoint, half: str = "bfloat16") -> str:
    """What `auto` stands for: float32 for small models, and else `half`, bfloat16, in which the large ones are
    published and at their best used, or float16 on a device that lacks it. The free memory has no say: a clip that goes
    on after an interruption must get the same again.
    """
    largest = max(file.parameters for file in checkpoint.experts.values())
    return "float32" if largest * 4 <= _EXACT else half


def choices(offload: str, tiles: int | None, size: Size) -> Iterator[tuple[str, int]]:
    """The offloads and tiles that may be taken for a clip of that size, where `offload` may be auto and `tiles` None;
    the best first."""
    open_tiles = [side for side in TILES if side < max(size)]
    yield from (
        (kept, side)
        for side in (open_tiles if tiles is None else [tiles])
        for kept in (STATED_OFFLOADS if offload == AUTO else [offload])
    )


def best_of(plans: Iterable[MemoryPlan]) -> MemoryPlan:
    """The first of `plans` that fits, else the one that needs least; none behind the first that fits is made."""
    least = None
    for plan in plans:
        if plan.fits:
            return plan
        least = plan if least is None or plan.peak < least.peak else least
    assert least is not None
    return least


def settled(
    checkpoint: Checkpoint,
    machine: Machine,
    asked: MemorySettings,
    tiles: int | None,
    any_size: bool = False,
    bearable: Callable[[MemorySettings], bool] = lambda settings: True,
) -> MemoryPlan:
    """The plan with everything settled that is left open: `asked.dtype` and `asked.offload` where they are auto, the
    `tiles` where they are None, and with `any_size` the size: the largest of the model's own, of the shape of
    `asked.size` and no larger, that fits and is `bearable`; the smallest of those that fit where none is; and where
    none fits, the largest of the smaller ones that does. Where nothing fits, what needs least.
    """
    planner = Planner(checkpoint)
    dtype = automatic_dtype(checkpoint, machine.half) if asked.dtype == AUTO else asked.dtype

    def best(size: Size) -> MemoryPlan:
        return best_of(
            planner.plan(
                replace(asked, size=size, dtype=dtype, offload=offload, vae_tiles=side, device=machine.device),
                machine.memory,
                machine.host,
            )
            for offload, side in choices(asked.offload, tiles, size)
        )

    first = best(asked.size)
    if not any_size or (first.fits and bearable(first.settings)):
        return first
    smaller = smaller_sizes(checkpoint, asked.size)
    least = min(width * height for width, height in checkpoint.model.sizes)
    own = [size for size in smaller if size[0] * size[1] >= least * (1 - SAME_AREA)]
    fitting = [first] if first.fits else []
    for size in own:
        plan = best(size)
        if plan.fits and bearable(plan.settings):
            return plan
        fitting += [plan] if plan.fits else []
    return fitting[-1] if fitting else best_of(map(best, [size for size in smaller if size not in own] or [asked.size]))


def smaller_sizes(checkpoint: Checkpoint, size: Size) -> list[Size]:
    """Sizes below `size` of its shape, the largest first: those of the model's areas, then ever smaller ones."""
    outline, shape = Outline(checkpoint.model), size[0] / size[1]
    areas = {width * height for width, height in checkpoint.model.sizes}
    found: set[Size] = set()
    for area in (*areas, *(share * min(areas) for share in _SHARES)):
        with suppress(UsageError):  # nothing so small has the shape
            found.add(outline.size_for(shape, (round(area), 1)))
    below = [one for one in found if one[0] * one[1] < size[0] * size[1] and squeeze(shape, one) <= _SQUEEZE]
    return sorted(below, key=lambda one: -one[0] * one[1])


def nearest_that_fits(checkpoint: Checkpoint, plan: MemoryPlan) -> MemoryPlan | None:
    """The plan nearest to `plan` that fits, None when none does."""
    planner = Planner(checkpoint)
    tried = _given_up(checkpoint, plan.settings)
    plans = (planner.plan(settings, plan.available, plan.host_available) for settings in tried)
    return next((found for found in plans if found.fits), None)


def _given_up(checkpoint: Checkpoint, asked: MemorySettings) -> Iterator[MemorySettings]:
    """What is asked for, then less and less of it."""
    dtypes = [asked.dtype] + (["bfloat16"] if asked.dtype == "float32" else [])
    offloads = STATED_OFFLOADS[STATED_OFFLOADS.index(asked.offload) :]
    step = max(16, asked.frames // _COUNTS // 4 * 4)
    counts = [asked.frames, *range((asked.frames - 1) // 8 * 4 + 1, 4, -step), 5]
    smaller = smaller_sizes(checkpoint, asked.size)
    for frames, size in product(dict.fromkeys(n for n in counts if n <= asked.frames), [asked.size, *smaller]):
        for tile, dtype, offload in product(_tiles_from(asked.vae_tiles, size), dtypes, offloads):
            yield replace(asked, frames=frames, size=size, vae_tiles=tile, dtype=dtype, offload=offload)


def _tiles_from(side: int, size: Size) -> Sequence[int]:
    return [side, *(smaller for smaller in TILES if smaller and smaller < (side or max(size)))]


def refusal(plan: MemoryPlan, nearest: MemoryPlan | None) -> str:
    """What to tell a user whose generation does not fit, with the nearest settings that do."""
    stage = max(plan.parts, key=lambda part: part.total)
    told = (
        f"This clip needs about {in_words(plan.peak)} of memory (most of it for the {stage.name}), but "
        f"{in_words(plan.available)} are free."
    )
    if plan.host > plan.host_available:
        told += (
            f" The computer's own memory must hold {in_words(plan.host)} of it on the way, and "
            f"{in_words(plan.host_available)} of that are free."
        )
    if nearest is None:
        return (
            f"{told} No smaller setting of this model fits either; use a smaller model or a machine with more memory."
        )
    return f"{told} The nearest settings that fit: {nearest.settings.as_options()} (about {in_words(nearest.peak)})."
