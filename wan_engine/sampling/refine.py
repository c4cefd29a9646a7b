# SPDX-License-Identifier: GPL-3.0-or-later
"""Refining: enlarged frames are encoded, lightly re-noised and finished by the model itself, in the one denoise loop.

What enlarging cannot know, the model draws: at a noise level of 0.2 to 0.35 it redraws texture and edges and keeps
composition, motion and light. That is the low-noise expert's part of the schedule. Starting from a partly noised
picture is the idea of SDEdit (arXiv 2108.01073). What the light was it must stay: `with_light_of` puts it back.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import UsageError
from ..inputs.conditioning import condition
from ..inputs.plan import Plan
from ..media.frame_store import Changed, Frames, Section
from ..media.srgb import from_linear, to_linear
from ..runtime.model_pool import ModelPool, non_finite
from ..runtime.run import Run
from .denoise import Denoiser, SamplingOptions

WEAKEST, STRONGEST = 0.05, 0.6
_LIGHT_SPREAD = 1 / 12  # of the height: what is broader is light, what is finer is drawing
_DARKEST = 0.002  # linear light below which a ratio says nothing


def refined_plan(plan: Plan, factor: int, strength: float) -> Plan:
    """The plan of the refining pass over `plan`'s clip made `factor` times as large; memory can be judged by it.

    It takes that share of the steps that lies below `strength`, the noise level (sigma) to begin at, at least two; the
    pictures that the clip is conditioned on are enlarged. Raises UsageError when `strength` is not from 0.05 to 0.6, or
    reaches into the high-noise expert's part.
    """
    if not WEAKEST <= strength <= STRONGEST:
        raise UsageError(f"The refining strength is {strength:g}, but must be from {WEAKEST} to {STRONGEST}.")
    if plan.expert(strength * 1000) == "high":
        raise UsageError(f"The refining strength must be below {plan.boundary:g}, where the low-noise expert begins.")
    size = plan.size[0] * factor, plan.size[1] * factor
    z, t, h, w = plan.latent_shape
    return replace(
        plan,
        size=size,
        latent_shape=(z, t, h * factor, w * factor),
        steps=max(2, round(plan.steps * strength)),
        first=None if plan.first is None else _enlarged(plan.first, factor),
        last=None if plan.last is None else _enlarged(plan.last, factor),
        keyframes=tuple(replace(key, pixels=_enlarged(key.pixels, factor)) for key in plan.keyframes),
        references=tuple(_enlarged(picture, factor) for picture in plan.references),
        vace=None if plan.vace is None else replace(plan.vace, size=size),
        motion=None,  # it binds at higher noise levels only
    )


class Refiner:
    """Redraws enlarged `frames`, of the size and count of `plan`, which `refined_plan` made with the same strength.

    `texts` are the prompts as encoded for the clip itself. The steps are told to `run` as events and under
    `facts["refine"]`; the report's own steps stay those of the clip.
    """

    def __init__(
        self, frames: Frames, plan: Plan, pool: ModelPool, texts: list[Tensor], run: Run, strength: float
    ) -> None:
        found = len(frames), *frames[0].shape[1::-1]
        if found != (plan.frames, *plan.size):
            told = f"the plan says {plan.frames}, {plan.size}"
            raise ValueError(f"count, width and height of the frames are {found}, {told}")
        self._frames, self._plan, self._pool, self._texts = frames, plan, pool, texts
        self._run, self._strength = run, strength
        self._inner = Run(lambda event: run.tell(**event), lambda: _asked(run))
        run.facts["refine"] = {"strength": strength, "size": list(plan.size), "steps": self._inner.steps}

    def refine(self, part: Plan, number: int) -> Tensor:
        """Latents [z, t, h, w] of the segment of that number, whose plan is `part`.

        Raises GenerationError as the denoise loop does, Cancelled when the user stops.
        """
        start = self._plan.borders[number]
        clean = _encode(Section(self._frames, start, start + part.frames), self._pool, self._run)
        conditioning = condition(part, self._pool, self._inner)
        options = SamplingOptions(start=(clean, self._strength), number=number, segments=self._plan.segments)
        latents, _ = Denoiser(part, self._pool, self._texts, conditioning, self._inner, options).sample()
        self._run.notes += [words for words in self._inner.notes if words not in self._run.notes]
        return latents


def with_light_of(frames: Frames, redrawn: Frames) -> Frames:
    """`redrawn` under the light of `frames`, as many and as large: broad brightness and colour of each frame are those
    of `frames`, in linear light; what is finer stays as it was redrawn.
    """
    return Changed(redrawn, lambda number, other: _relit(frames[number], other))


def _relit(frame: np.ndarray, redrawn: np.ndarray) -> np.ndarray:
    light = to_linear(redrawn)
    broad = [cv2.GaussianBlur(image, (0, 0), _LIGHT_SPREAD * len(frame)) for image in (to_linear(frame), light)]
    return from_linear(light * ((broad[0] + _DARKEST) / (broad[1] + _DARKEST)))


def _asked(run: Run) -> bool:
    """Whether to stop: raises Cancelled itself."""
    run.check_cancel()
    return False


def _encode(frames: Frames, pool: ModelPool, run: Run) -> Tensor:
    pixels = (torch.from_numpy(frame).permute(2, 0, 1)[None, :, None].float() / 127.5 - 1 for frame in frames)
    vae = pool.vae()
    with run.watching(vae):
        latents = torch.cat(list(vae.encode_stream(frame.to(pool.device) for frame in pixels)), dim=2)[0]
    pool.release()
    if not torch.isfinite(latents).all():
        raise non_finite("Encoding the enlarged frames", pool.checkpoint.vae)
    return latents


def _enlarged(picture: Tensor, factor: int) -> Tensor:
    """[3, H, W] in -1..1."""
    return F.interpolate(picture[None], scale_factor=factor, mode="bicubic").clamp(-1, 1)[0]
