# SPDX-License-Identifier: GPL-3.0-or-later
"""`plan`: the settings that a clip would be made with here, with its peak of memory and its time, before any work.

`python -m wan_engine plan` prints them as JSON; `python -m wan_engine.commands.plan` takes the options as a JSON
object on stdin. What is left out is chosen: the size, too, the largest of the model's own that fits and takes bearable
time; smaller ones where none fits.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..checkpoint.checkpoint import Checkpoint, open_checkpoint
from ..checkpoint.sizes import check_size
from ..checkpoint.summary import Outline
from ..devices import choose, name_of, short_dtype
from ..errors import UsageError
from ..media.pictures import sides
from ..options import AUTO, PRESETS
from ..request import OPTIONS, PLANNED, check_frames
from ..runtime.automatic import Machine, nearest_that_fits, refusal, settled
from ..runtime.free_memory import available_memory
from ..runtime.memory_plan import MemoryPlan, MemorySettings
from ..runtime.speed import Speed, operations_of, speed_of
from .task_io import answer

BEARABLE = 3600.0  # seconds; beyond that a smaller size of the model's own is taken
_OFFLOADS = {"none": "all in memory", "expert": "one expert in memory", "block": "block offload"}
_GB = 1e9


def plan_of(checkpoint: Path, shape: float | None = None, **asked: Any) -> dict[str, Any]:
    """What would be chosen for the clip that is asked for, by names of options; a `shape` (width over height) is that
    of the scene, whose clip has the area of `size`.

    Raises CheckpointError, and UsageError for values that no model could work with; a clip that does not fit has the
    reason as `refusal`.
    """
    _check(asked)
    opened = open_checkpoint(checkpoint)
    device = choose(asked.get("device") or AUTO)
    memory = available_memory(device)
    machine = Machine(device, memory, available_memory("cpu"), short_dtype(device))
    wish, steps = _wish(opened, shape, asked, device)
    speeds: dict[str, Speed] = {}

    def speed(settings: MemorySettings) -> Speed:
        return speeds.setdefault(settings.dtype, speed_of(device, settings.dtype))

    def seconds(settings: MemorySettings) -> float:
        return speed(settings).seconds(operations_of(opened, settings, steps))

    any_size = asked.get("size") is None
    plan = settled(
        opened, machine, wish, asked.get("vae_tiles"), any_size, lambda settings: seconds(settings) <= BEARABLE
    )
    settings, taken = plan.settings, seconds(plan.settings)
    return {
        "device": device,
        "device_name": name_of(device),
        "dtype": settings.dtype,
        "offload": settings.offload,
        "attention": asked.get("attention") or AUTO,
        "size": list(settings.size),
        "frames": settings.frames,
        "vae_tiles": settings.vae_tiles,
        "fits": plan.fits,
        "peak": plan.peak,
        "available": plan.available,
        "host_peak": plan.host,
        "host_available": plan.host_available,
        "seconds": round(taken),
        "seconds_from": "clips" if speed(settings).from_clips else "measure",
        "words": in_words(plan, taken, name_of(device)),
        "smaller": _why_smaller(settled(opened, machine, wish, asked.get("vae_tiles")), plan, seconds),
        "refusal": "" if plan.fits else refusal(plan, nearest_that_fits(opened, plan)),
    }


def in_words(plan: MemoryPlan, seconds: float, device: str) -> str:
    """Settings, memory and time on one line."""
    settings = plan.settings
    tiles = f", tiles {settings.vae_tiles}" if settings.vae_tiles else ""
    chosen = f"{settings.dtype}, {_OFFLOADS[settings.offload]}, {sides(settings.size)}{tiles}"
    memory = f"about {plan.peak / _GB:.1f} GB of {plan.available / _GB:.1f} GB that are free"
    where = "this CPU" if settings.device == "cpu" else device
    return f"{chosen} · {memory} · about {duration(seconds)} on {where}"


def duration(seconds: float) -> str:
    """As people say it: "40 s", "40 min", "3 h", "2 days"."""
    for unit, length, most in (("s", 1, 90), ("min", 60, 90), ("h", 3600, 48)):
        if seconds < most * length:
            return f"{max(1, round(seconds / length))} {unit}"
    return f"{round(seconds / 86400)} days"


def _why_smaller(usual: MemoryPlan, taken: MemoryPlan, seconds: Callable[[MemorySettings], float]) -> str:
    """Why another size than the model's `usual` one was taken; "" where it was not."""
    size = usual.settings.size
    if taken.settings.size == size:
        return ""
    why = f"take about {duration(seconds(usual.settings))}" if usual.fits else f"need {usual.peak / _GB:.1f} GB"
    made = sides(taken.settings.size)
    return f"The clip is made at {made}, for at {sides(size)} it would {why}. Choose a size to have another."


def _check(asked: dict[str, Any]) -> None:
    for name, value in asked.items():
        if name not in PLANNED:
            raise UsageError(f"A plan knows no {name!r}; leave it out.")
        option = OPTIONS[name]
        if value is not None and not option.kind.accepts(value):
            raise UsageError(f"{name} is {value!r}, but must be {option.kind.wording}.")
    check_frames(asked.get("frames"))


def _wish(opened: Checkpoint, shape: float | None, asked: dict[str, Any], device: str) -> tuple[MemorySettings, int]:
    """What is asked for, with the model's own where nothing is, and the number of steps."""
    model = opened.model
    preset = PRESETS.get(asked.get("preset") or "", {})
    size = asked.get("size")
    size = (size or model.sizes[0]) if shape is None else Outline(model).size_for(shape, size)
    check_size(size, model.stride[1] * opened.config.patch_size[1])
    settings = MemorySettings(
        size=size,
        frames=asked.get("frames") or model.frame_counts[0],
        dtype=asked.get("dtype") or AUTO,
        offload=asked.get("offload") or AUTO,
        guided=any(guide != 1 for guide in preset.get("guide", model.guide)),
        window=model.longest,
        device=device,
    )
    return settings, asked.get("steps") or preset.get("steps") or model.steps


def _answered(task: dict[str, Any]) -> str:
    asked = {name: OPTIONS[name].kind.from_json(task[name]) for name in PLANNED if name in task}
    return json.dumps(plan_of(Path(task["checkpoint"]), task.get("shape"), **asked))


if __name__ == "__main__":
    sys.exit(answer(_answered))
