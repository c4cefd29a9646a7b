# SPDX-License-Identifier: GPL-3.0-or-later
"""Flow-matching solvers: x runs from noise (sigma 1) to data (sigma 0) along a predicted velocity v = noise - data.

All share one interface: `sigmas` (float32 [steps+1], last 0), `timesteps` ([steps], what the model is told) and
`step(velocity, x) -> x`, called once per timestep in order. alpha = 1 - sigma, lambda = log(alpha / sigma).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

TRAIN_TIMESTEPS = 1000
Fresh = Callable[[int], Tensor]


def shifted(sigmas: np.ndarray, shift: float) -> np.ndarray:
    """Move a noise schedule toward high noise: s*q / (1 + (s-1)*q)."""
    return shift * sigmas / (1 + (shift - 1) * sigmas)


def unshifted(sigma: float, shift: float) -> float:
    """The noise level that `shifted` brings to `sigma`."""
    return sigma / (shift - (shift - 1) * sigma)


def schedule(steps: int, shift: float, highest: float, limit: float = 1.0) -> np.ndarray:
    """[steps] sigmas down from `highest`, which is as it is after the shift, or for 1 from `limit` before the shift."""
    first = limit if highest == 1 else unshifted(highest, shift)
    return shifted(np.linspace(first, 0, steps + 1)[:-1], shift)


class Solver:
    """A schedule and the state of one run through it."""

    def __init__(self, sigmas: np.ndarray, *, whole_timesteps: bool) -> None:
        timesteps = torch.from_numpy(sigmas * TRAIN_TIMESTEPS)
        self.timesteps: Tensor = timesteps.long() if whole_timesteps else timesteps.float()
        self.sigmas: Tensor = torch.from_numpy(np.append(sigmas, 0.0).astype(np.float32))
        self._alphas = 1 - self.sigmas
        self._lambdas = self._alphas.log() - self.sigmas.log()
        self._index = 0

    def step(self, velocity: Tensor, x: Tensor) -> Tensor:
        """x at the next sigma; `velocity` and `x` float32 of one shape."""
        result = self._advance(self._index, velocity, x)
        self._index += 1
        return result

    def state(self) -> dict[str, Tensor]:
        """What the next step must remember of earlier ones; with the count of steps done it is all `restore` needs."""
        return {}

    def restore(self, done: int, state: Mapping[str, Tensor]) -> None:
        """Go on behind `done` steps of a run on the same schedule whose `state()` was this."""
        self._index = done

    def _advance(self, i: int, velocity: Tensor, x: Tensor) -> Tensor:
        raise NotImplementedError


class Euler(Solver):
    """Straight steps along the velocity; the schedule the distilled four-step models were made for."""

    def __init__(self, steps: int, shift: float, highest: float = 1.0) -> None:
        super().__init__(schedule(steps, shift, highest), whole_timesteps=False)

    def _advance(self, i: int, velocity: Tensor, x: Tensor) -> Tensor:
        return x + (self.sigmas[i + 1] - self.sigmas[i]) * velocity


class Flow(Euler):
    """Euler with the schedule of VideoX-Fun's sampler: the lowest noise level is shifted twice."""

    def __init__(self, steps: int, shift: float, highest: float = 1.0) -> None:
        last = float(shifted(np.array(1 / TRAIN_TIMESTEPS), shift))
        first = unshifted(highest, shift)
        Solver.__init__(self, shifted(np.linspace(first, min(last, first), steps), shift), whole_timesteps=False)


class LCM(Euler):
    """Multistep sampling of a consistency model, arXiv 2303.01469, algorithm 1, on Euler's schedule: each step predicts
    the clean clip and puts it under fresh noise of the next level. LightX2V's `WanStepDistillScheduler` for the four
    steps of 2.1, t = 1000, 937.5, 833.3, 625 at shift 5.

    `fresh(k)` is the standard normal noise that goes into the latents after step k, from 0 on.
    """

    def __init__(self, steps: int, shift: float, highest: float = 1.0, fresh: Fresh | None = None) -> None:
        super().__init__(steps, shift, highest)
        self._fresh = fresh

    def _advance(self, i: int, velocity: Tensor, x: Tensor) -> Tensor:
        data = x - self.sigmas[i] * velocity
        sigma = self.sigmas[i + 1]
        if sigma == 0:
            return data
        if self._fresh is None:
            raise ValueError("LCM needs fresh noise for every step but the last.")
        return (1 - sigma) * data + sigma * self._fresh(i).to(data)


class DPMpp2M(Solver):
    """DPM-Solver++ (2M), midpoint, arXiv 2211.01095; first and last step of first order (`fm_solvers.py`)."""

    def __init__(self, steps: int, shift: float, highest: float = 1.0) -> None:
        super().__init__(schedule(steps, shift, highest), whole_timesteps=True)
        self._previous: Tensor | None = None

    def state(self) -> dict[str, Tensor]:
        return {} if self._previous is None else {"previous": self._previous}

    def restore(self, done: int, state: Mapping[str, Tensor]) -> None:
        super().restore(done, state)
        self._previous = state.get("previous")

    def _advance(self, i: int, velocity: Tensor, x: Tensor) -> Tensor:
        data = x - self.sigmas[i] * velocity
        h = self._lambdas[i + 1] - self._lambdas[i]
        scale = self._alphas[i + 1] * torch.expm1(-h)
        result = self.sigmas[i + 1] / self.sigmas[i] * x - scale * data
        last = i == len(self.timesteps) - 1
        if self._previous is not None and not last:
            ratio = (self._lambdas[i] - self._lambdas[i - 1]) / h
            result = result - 0.5 * scale * ((data - self._previous) / ratio)
        self._previous = data
        return result


class UniPC(Solver):
    """UniPC of order 2 with B(h) = expm1(h), predictor and corrector, arXiv 2302.04867 (`fm_solvers_unipc.py`).

    The predictor's last step is of first order. The highest sigma is 1 - 1/1000 in float32, before the shift.
    """

    def __init__(self, steps: int, shift: float, highest: float = 1.0) -> None:
        limit = float(np.float32(1 - 1 / TRAIN_TIMESTEPS))
        super().__init__(schedule(steps, shift, highest, limit), whole_timesteps=True)
        self._data: list[Tensor] = []  # the two latest predictions of the clean latents
        self._predicted_from: Tensor | None = None
        self._order = 0

    def state(self) -> dict[str, Tensor]:
        kept = {f"data_{k}": data for k, data in enumerate(self._data)}
        return kept if self._predicted_from is None else {**kept, "predicted_from": self._predicted_from}

    def restore(self, done: int, state: Mapping[str, Tensor]) -> None:
        super().restore(done, state)
        self._data = [state[name] for name in ("data_0", "data_1") if name in state]
        self._predicted_from = state.get("predicted_from")
        self._order = self._order_of(done - 1)

    def _order_of(self, i: int) -> int:
        """Of the step at i: as high as there are predictions, and the schedule leaves steps."""
        return min(2, len(self._data), len(self.timesteps) - i)

    def _advance(self, i: int, velocity: Tensor, x: Tensor) -> Tensor:
        data = x - self.sigmas[i] * velocity
        if self._predicted_from is not None:
            x = self._correct(i, data, self._predicted_from)
        self._data = [*self._data, data][-2:]
        self._order = self._order_of(i)
        self._predicted_from = x
        return self._predict(i, x)

    def _predict(self, i: int, x: Tensor) -> Tensor:
        base, scale, h = self._exponential_step(i, x, self._data[-1])
        if self._order == 1:
            return base
        slope = (self._data[-2] - self._data[-1]) / ((self._lambdas[i - 1] - self._lambdas[i]) / h)
        return base - scale * 0.5 * slope

    def _correct(self, i: int, data: Tensor, x: Tensor) -> Tensor:
        """Redo the step from i-1 to i that began at `x`, now knowing the prediction `data` made at i."""
        base, scale, h = self._exponential_step(i - 1, x, self._data[-1])
        change = data - self._data[-1]
        if self._order == 1:
            return base - scale * 0.5 * change
        ratio = (self._lambdas[i - 2] - self._lambdas[i - 1]) / h
        slope = (self._data[-2] - self._data[-1]) / ratio
        weights = self._corrector_weights(-h, ratio)
        return base - scale * (weights[0] * slope + weights[1] * change)

    def _exponential_step(self, i: int, x: Tensor, data: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """First-order solution from i to i+1, the factor of the higher-order terms, and the step in lambda."""
        h = self._lambdas[i + 1] - self._lambdas[i]
        scale = self._alphas[i + 1] * torch.expm1(-h)
        return self.sigmas[i + 1] / self.sigmas[i] * x - scale * data, scale, h

    @staticmethod
    def _corrector_weights(hh: Tensor, ratio: Tensor) -> Tensor:
        """Solve the order conditions for the two nodes `ratio` and 1."""
        growth = torch.expm1(hh)
        phi_1 = growth / hh - 1
        phi_2 = phi_1 / hh - 1 / math.factorial(2)
        nodes = torch.stack([torch.ones(2), torch.stack([ratio, torch.ones(())])])
        return torch.linalg.solve(nodes, torch.stack([phi_1 / growth, 2 * phi_2 / growth]))


def make_solver(name: str, steps: int, shift: float, highest: float = 1.0, fresh: Fresh | None = None) -> Solver:
    """A fresh solver by its command-line name (unipc, dpm++, euler, flow, lcm), from the noise level `highest` down.
    `fresh` is what `LCM` takes; the others take no noise.
    """
    if name == "lcm":
        return LCM(steps, shift, highest, fresh)
    return {"unipc": UniPC, "dpm++": DPMpp2M, "euler": Euler, "flow": Flow}[name](steps, shift, highest)
