# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampling with two experts and guidance, once our way and once as WanPipeline does it; Euler, alike in both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, WanTransformer3DModel
from torch import Tensor

from wan_engine.networks.transformer import WanTransformer
from wan_engine.runtime.free_memory import give_back
from wan_engine.sampling.solvers import Euler
from wan_engine.sampling.step_cache import StepCache


@dataclass(frozen=True)
class Sampling:
    """One sampling: `texts` [L,text_dim] of the prompt and the negative prompt, `noise` [z,t,h,w], and `condition`
    [1,c,t,h,w] that is stacked under it for models that read one.
    """

    steps: int
    texts: Sequence[Tensor]
    noise: Tensor
    condition: Tensor | None = None
    shift: float = 5.0
    boundary: float = 0.875
    guide: Mapping[str, float] = field(default_factory=lambda: {"high": 4.0, "low": 3.0})

    def expert(self, t: Tensor) -> str:
        return "high" if t >= self.boundary * 1000 else "low"

    def stacked(self, x: Tensor) -> Tensor:
        """[1,z,t,h,w] with the condition."""
        return x if self.condition is None else torch.cat([x, self.condition], 1)


def ours(
    sampling: Sampling, open_expert: Callable[[str], WanTransformer], threshold: float = 0.0
) -> tuple[Tensor, list[StepCache]]:
    """Latents, and the step caches used (none with threshold 0). One expert in memory at a time; keys and values of
    the text once per prompt.
    """
    solver = Euler(sampling.steps, sampling.shift)
    x, name, used = sampling.noise, "", []
    for k, t in enumerate(solver.timesteps):
        if sampling.expert(t) != name:
            name = sampling.expert(t)
            network = contexts = None  # let go of the other expert first
            give_back()
            network = open_expert(name)
            contexts = [network.embed_text([text]) for text in sampling.texts]
            caches = [StepCache(threshold, k) if threshold else None for _ in contexts]
            used += [cache for cache in caches if cache is not None]
        inputs, times = sampling.stacked(x[None]), t[None]
        passes = [partial(network, inputs, times, context) for context in contexts]
        cond, uncond = (
            (compute() if cache is None else cache.velocity(times, compute))[0]
            for compute, cache in zip(passes, caches, strict=True)
        )
        x = solver.step(uncond + sampling.guide[name] * (cond - uncond), x)
    return x, used


def theirs(sampling: Sampling, experts: Mapping[str, WanTransformer3DModel], dtype: torch.dtype) -> Tensor:
    """Latents. Both transformers in memory, one call per pass, Diffusers' scheduler."""
    texts = [text[None].to(dtype) for text in sampling.texts]
    scheduler = FlowMatchEulerDiscreteScheduler(shift=sampling.shift)
    scheduler.set_timesteps(sigmas=np.linspace(1, 0, sampling.steps + 1)[:-1])
    x = sampling.noise[None]
    for t in scheduler.timesteps:
        name = sampling.expert(t)
        inputs = sampling.stacked(x).to(dtype)
        cond, uncond = (experts[name](inputs, t.expand(1), text, return_dict=False)[0] for text in texts)
        x = scheduler.step(uncond + sampling.guide[name] * (cond - uncond), t, x, return_dict=False)[0]
    return x[0]
