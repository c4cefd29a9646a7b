# SPDX-License-Identifier: GPL-3.0-or-later
"""The sampling loop: one for text, picture, first and last picture, and text with picture."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor, nn

from ..errors import WanError
from ..inputs.conditioning import Conditioning
from ..inputs.plan import Plan, beginning_noise
from ..networks.transformer import WanTransformer
from ..networks.transformer_blocks import Context
from ..runtime import process_group
from ..runtime.model_pool import ModelPool, non_finite
from ..runtime.run import Run
from .light_guide import LightController
from .resume import ResumeFile, Saved
from .solvers import Solver, make_solver
from .step_cache import StepCache
from .windowed_pass import WindowedPass

OnClean = Callable[[int, Tensor], None]
_AHEAD = 2  # steps before the switch at which the second expert begins to be read


@dataclass(frozen=True)
class SamplingOptions:
    """What a sampling does beside the plan.

    `resume` keeps the state after every step, `step_cache` is the relative error up to which a step is left out (0 =
    none is). `on_clean(step, latents)` gets each step's prediction of the clean latents [z, t, h, w]; `light` steers
    that prediction before the solver sees it. `start` is (clean latents [z, t, h, w], sigma): they are noised to that
    level and sampled from there on, instead of from pure noise. Where the plan is one of several `segments`, `number`
    counts those before it: its steps are told as those of the whole clip.
    """

    resume: ResumeFile = field(default_factory=lambda: ResumeFile(None, ""))
    step_cache: float = 0.0
    on_clean: OnClean = lambda step, latents: None
    light: LightController | None = None
    start: tuple[Tensor, float] | None = None
    number: int = 0
    segments: int = 1


class Denoiser:
    """One sampling of `plan` under `texts`, rows [L, text_dim] of the prompt and, where a step is guided, of the
    negative prompt, and `conditioning`.
    """

    def __init__(
        self,
        plan: Plan,
        pool: ModelPool,
        texts: Sequence[Tensor],
        conditioning: Conditioning,
        run: Run,
        options: SamplingOptions = SamplingOptions(),
    ) -> None:
        self._plan = plan
        self._pool = pool
        self._texts = texts
        self._run = run
        self._options = options
        self._threshold = options.step_cache
        highest = 1.0 if options.start is None else options.start[1]
        self._solver: Solver = make_solver(plan.solver, plan.steps, plan.shift, highest, self._fresh_noise)
        self._conditioning = conditioning.scheduled(self._solver.sigmas)
        self._first = self._conditioning.first_step
        self._lead = conditioning.lead  # latent frames that are no part of the clip
        self._guided: _Guided | None = None
        self._before = len(run.steps)  # told of other segments
        self._earlier = options.number * plan.steps

    def sample(self) -> tuple[Tensor, Tensor]:
        """Final latents [z, t, h, w] and sigmas [steps + 1], float32 throughout.

        Raises GenerationError when a step ends in NaN or infinite values, also in the safer setting.
        """
        try:
            return self._sampled()[:, self._lead :], self._solver.sigmas
        finally:
            self._close()
            self._pool.release()

    def _sampled(self) -> Tensor:
        """The latents after the last step, with those that are no part of the clip."""
        plan, conditioning, run, solver = self._plan, self._conditioning, self._run, self._solver
        light = self._options.light
        x = self._begin()
        for k in range(self._first + len(run.steps) - self._before, plan.steps):
            run.check_cancel()
            began = time.perf_counter()
            t, sigma = solver.timesteps[k], solver.sigmas[k]
            expert = plan.expert(float(t))
            velocity = conditioning.corrected(self._velocity(k, expert, x, t))
            guided = {}
            if light is not None:
                steered = light.steered_velocity(velocity[:, self._lead :], x[:, self._lead :], sigma)
                velocity = torch.cat([velocity[:, : self._lead], steered], 1)
                guided = {"light_change": round(light.change, 4)}
            run.writes()
            self._options.on_clean(self._step(k), conditioning.impose(x - sigma * velocity, 0.0)[:, self._lead :])
            x = conditioning.impose(solver.step(velocity, x), float(solver.sigmas[k + 1]))
            if not torch.isfinite(x).all():
                raise self._non_finite(k, expert)
            seconds = time.perf_counter() - began
            steps = plan.steps * self._options.segments
            with run.step(self._step(k), steps, expert, float(t), float(sigma), seconds, **guided):
                done, cached = run.steps[self._before :], run.facts.get("step_cache")
                self._options.resume.save(Saved(x, solver.state(), done, self._cache_states(), cached))
        return x

    def _step(self, k: int) -> int:
        """The number of step k as it is told, from 1 on."""
        return self._earlier + k + 1

    def _begin(self) -> Tensor:
        """The latents to start from: noise, or what an interrupted run had reached."""
        saved, words = process_group.from_first(lambda: self._options.resume.load(self._pool.device))
        if words:
            self._run.note(words)
        if saved is None:
            self._solver.restore(self._first, {})
            return self._conditioning.beginning(self._noisy(), float(self._solver.sigmas[self._first]))
        self._run.resumed(saved.steps)
        if saved.cached is not None:
            self._run.facts["step_cache"] = saved.cached
        self._restore_caches(saved)
        self._solver.restore(self._first + len(saved.steps), saved.solver)
        return saved.latents

    def _noisy(self) -> Tensor:
        """Pure noise, or the clean latents to start from with as much noise as the first sigma says."""
        pure = beginning_noise(self._plan).to(self._pool.device)
        if self._options.start is None:
            return pure
        sigma = self._solver.sigmas[0]
        return (1 - sigma) * self._conditioning.with_references(self._options.start[0]) + sigma * pure

    def _fresh_noise(self, k: int) -> Tensor:
        """Noise for the latents after step k, the same at every try: the draws that follow the beginning's."""
        return beginning_noise(self._plan, k + 1)

    def _velocity(self, k: int, expert: str, x: Tensor, t: Tensor) -> Tensor:
        """Guided prediction [z, t, h, w] of step k; once more in a safer setting when it holds NaN."""
        if self._guided is None or self._guided.expert != expert:
            self._close()  # let go of the other expert's keys and values before the next one comes
            self._guided = self._open(k, expert, self._threshold)
        self._look_ahead(k, expert)
        self._guided.passes.windows = self._plan.windows(k)
        velocity = self._guided.velocity(x, t)
        if torch.isfinite(velocity).all():
            return velocity
        self._run.retried(self._step(k), expert)
        with _safer(self._guided.passes.network):
            velocity = self._open(k, expert, 0.0).velocity(x, t)
        if not torch.isfinite(velocity).all():
            raise self._non_finite(k, expert)
        return velocity

    def _non_finite(self, k: int, expert: str) -> WanError:
        pool = self._pool
        file, dtype = pool.checkpoint.experts[expert], pool.options.dtype
        return non_finite(f"Step {self._step(k)}/{self._plan.steps * self._options.segments}", file, dtype)

    def _cache_states(self) -> list[dict[str, Tensor]]:
        caches = () if self._guided is None else self._guided.caches
        return [cache.state() for cache in caches if cache is not None]

    def _restore_caches(self, saved: Saved) -> None:
        """What the step caches of the expert at work had learnt, for its next step if there is one."""
        caches = [StepCache(self._threshold) for _ in saved.caches]
        for cache, state in zip(caches, saved.caches, strict=True):
            cache.restore(state, self._pool.device)
        done = self._first + len(saved.steps)
        expert = self._plan.expert(float(self._solver.timesteps[done])) if done < self._plan.steps else None
        if caches and expert is not None and saved.steps[-1]["expert"] == expert:
            self._guided = replace(self._open(done, expert, self._threshold), caches=caches)
        else:
            self._tell(caches)

    def _look_ahead(self, k: int, expert: str) -> None:
        """Shortly before the switch, have the other expert read while this one still works."""
        coming = {self._plan.expert(float(t)) for t in self._solver.timesteps[k + 1 : k + 1 + _AHEAD]}
        for name in coming - {expert}:
            if self._pool.read_ahead(name):
                self._run.facts["read_ahead"] = name

    def _open(self, k: int, expert: str, threshold: float) -> _Guided:
        network = self._pool.expert(expert)
        used = self._texts[:1] if self._plan.guidance(expert) == 1 else self._texts
        contexts = self._conditioning.contexts(network, used)
        caches = [StepCache(threshold, first_step=self._step(k)) if threshold else None for _ in used]

        def tell(number: int, count: int) -> None:
            step = self._step(len(self._run.steps) - self._before)
            self._run.tell("window", step=step, window=number + 1, windows=count)

        passes = WindowedPass(network, self._conditioning, self._plan.windows(k), self._run.check_cancel, tell)
        return _Guided(expert, passes, self._plan.guidance(expert), contexts, caches)

    def _close(self) -> None:
        """Done with an expert: what its caches have done goes into the report."""
        if self._guided is not None:
            self._tell(self._guided.caches)
        self._guided = None

    def _tell(self, caches: Sequence[StepCache | None]) -> None:
        for branch, cache in zip(("conditional", "unconditional"), caches, strict=False):
            if cache is not None:
                told = self._run.facts.setdefault("step_cache", {"skipped": {}, "measured_error": 0.0})
                told["skipped"].setdefault(branch, []).extend(cache.skipped)
                told["measured_error"] = max(told["measured_error"], cache.measured_error)


@dataclass(frozen=True)
class _Guided:
    """One expert with the prompts embedded for it, the negative one only where guidance uses it."""

    expert: str
    passes: WindowedPass
    guide: float
    contexts: Sequence[Context]
    caches: Sequence[StepCache | None]

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        """Guided prediction [z, t, h, w] at latents `x` and timestep `t`."""
        made = [
            self._pass(x, t, context, cache)[0].float()
            for context, cache in zip(self.contexts, self.caches, strict=True)
        ]
        if len(made) == 1:
            return made[0]
        conditional, unconditional = made
        return unconditional + self.guide * (conditional - unconditional)

    def _pass(self, x: Tensor, t: Tensor, context: Context, cache: StepCache | None) -> Tensor:
        """Velocity [1, z, t, h, w] under one prompt."""

        def compute() -> Tensor:
            return self.passes.velocity(x, t, context)

        return compute() if cache is None else cache.velocity(t.float()[None], compute)


@contextmanager
def _safer(network: WanTransformer) -> Iterator[None]:
    """Plain attention, and float32 in place of a shorter dtype: for one block at a time, so that memory suffices.

    Casting back loses nothing, for the values came from the shorter dtype. Blocks shared with other processes stay as
    they are.
    """
    attention, dtype = network.attention, network.dtype
    network.attention = "math"
    with contextlib.ExitStack() as stack:
        stack.callback(setattr, network, "attention", attention)
        if dtype != torch.float32 and not process_group.active():
            stack.callback(network.to, dtype)
            for name, module in network.named_children():
                if name not in ("blocks", "vace_blocks"):
                    module.float()
            for block in network.in_order.values():
                stack.callback(block.register_forward_pre_hook(_widen).remove)
                stack.callback(block.register_forward_hook(partial(_narrow, dtype), prepend=True).remove)
        yield


def _widen(block: nn.Module, _: object) -> None:
    block.float()


def _narrow(dtype: torch.dtype, block: nn.Module, _: object, __: object) -> None:
    block.to(dtype)
