# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip that starts from a picture and is longer than its model was trained for: segments, one after the other.

Each is made as a clip of its own, from the picture at its border: its keyframe, or the last frame of the segment before
as it was decoded. So all that is given, seeds, state and progress are those of a clip, and what is held at once is that
of one segment. Most clips are a single one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
from torch import Tensor

from ..inputs.images import as_picture, mean_rgb
from ..inputs.plan import Plan
from ..light_curve import LightCurve
from ..media.frame_store import FrameStore
from ..networks.latent_rgb import LightMap
from ..runtime import process_group
from ..runtime.run import Run
from ..windows import latents_of
from .light_guide import LightController

SEEDS = 2**64

Sample = Callable[[Plan, int], Tensor]
Decode = Callable[[Tensor], Iterable[np.ndarray]]


def in_segments(plan: Plan, run: Run, frames: FrameStore | None, sample: Sample, decode: Decode) -> Iterator[Tensor]:
    """Make the clip of `plan` into `frames`, which the first process alone has; yields each segment's latents
    [z, t, h, w].

    `sample(segment, number)` gives these, `decode` the frames uint8 [H, W, 3] that they stand for. At a border the clip
    shows the frame that the earlier segment ends with, which leads there more evenly, but a keyframe as the later one
    begins with it.
    """
    for number in range(plan.segments):
        last = None
        if plan.segments > 1:
            run.tell("segment", segment=number + 1, segments=plan.segments)
        if number:
            last = as_picture(process_group.from_first(lambda: np.empty(0) if frames is None else frames[-1]))
        latents = sample(segment_of(plan, number, last), number)
        if frames is not None:
            if number and plan.picture_at(plan.borders[number]) is not None:
                frames.pop()
            with run.stage("decode"):
                for frame in islice(decode(latents), len(frames) - plan.borders[number], None):
                    frames.append(frame if plan.redo is None else plan.redo.joined(len(frames), frame))
        yield latents


def segment_of(plan: Plan, number: int, last: Tensor | None) -> Plan:
    """The segment of that number (from 0 on) as a plan of its own; `last` is the picture, [3, H, W] in -1..1, that the
    one before ends with. The plan itself where it is the only one.

    Its seed is the clip's plus its number.
    """
    if plan.segments == 1:
        return plan
    start, stop = plan.borders[number : number + 2]
    first, given_end = plan.picture_at(start), plan.picture_at(stop)
    first = last if first is None else first
    end = given_end if plan.holds_ends else None
    frames = stop - start + 1
    return replace(
        plan,
        frames=frames,
        latent_shape=(plan.latent_shape[0], latents_of(frames), *plan.latent_shape[2:]),
        borders=(0, frames - 1),
        keyframes=(),
        seed=(plan.seed + number) % SEEDS,
        first=first,
        last=end,
        clip_pictures=_seen(plan, number, first, end),
        control=None if plan.control is None else plan.control.cut(start, stop + 1),
        camera=None if plan.camera is None else plan.camera.cut(start, stop + 1),
        motion=None if plan.motion is None else plan.motion.cut(start),
        redo=None if plan.redo is None else plan.redo.cut(start, stop + 1),
    )


def _seen(plan: Plan, number: int, first: Tensor | None, end: Tensor | None) -> tuple[Tensor, ...]:
    """What CLIP looks at: a reference in every segment, else the pictures that this one starts and ends with."""
    if plan.references or not plan.clip_pictures:
        return plan.clip_pictures
    given = [plan.clip_pictures[0] if number == 0 else first, end]
    if number == plan.segments - 1 and len(plan.clip_pictures) > 1:
        given[1] = plan.clip_pictures[1]
    return tuple(picture for picture in given[: len(plan.clip_pictures)] if picture is not None)


def light_of(plan: Plan, number: int, curve: LightCurve, strength: str, light_map: LightMap) -> LightController:
    """What holds the light of a segment to the scene's: between the pictures given on either side of it, which the
    clip's course goes through, so that nothing that drifts in one segment is the measure of the next.
    """
    if plan.segments == 1:
        first, last = (None if picture is None else mean_rgb(picture) for picture in (plan.first, plan.last))
        return LightController(curve, strength, light_map, first, last)
    start, stop = plan.borders[number : number + 2]
    given = {frame: mean_rgb(picture) for frame in plan.borders if (picture := plan.picture_at(frame)) is not None}
    begin = max(frame for frame in given if frame <= start)  # the clip's first one is given
    end = min((frame for frame in given if frame >= stop), default=plan.frames - 1)
    part = curve.cut(begin / (plan.frames - 1), end / (plan.frames - 1))
    place, whole = (start - begin) // 4, latents_of(end - begin + 1)
    return LightController(part, strength, light_map, given[begin], given.get(end), place, whole)
