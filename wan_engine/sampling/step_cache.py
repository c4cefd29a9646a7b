# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaves out passes through the transformer whose result can be told from the passes before.

TeaCache (arXiv 2411.19108) and MagCache (arXiv 2506.09045) reuse what the blocks added at the last computed step and
decide by curves fitted to each model. Here the velocity itself is carried on in a straight line through the last two
computed steps (the first order of TaylorSeer, arXiv 2503.06923), which needs next to no memory, and the decision needs
no fit: every computed step shows how far such a line was off, and that error grows with the product of the distances
to both known points.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor


class StepCache:
    """The velocities of one expert under one prompt; to be made anew for another expert, prompt or clip.

    `threshold` is the relative error (L1, of the velocity) up to which a step is left out. The first three steps are
    always computed: two for the line and one to learn its error. `skipped` lists the steps left out, the first call
    being number `first_step`. `measured_error` is the worst relative L1 difference between line and truth at the
    computed steps that end a row of skipped ones: one step farther from what was known than any of those.
    """

    def __init__(self, threshold: float, first_step: int = 0) -> None:
        self.threshold = threshold
        self.skipped: list[int] = []
        self.measured_error = 0.0
        self._step = first_step
        self._known: list[tuple[float, Tensor]] = []  # the last two computed: timestep and velocity
        self._bend: float | None = None  # error of the line, per product of distances

    def velocity(self, t: Tensor, compute: Callable[[], Tensor]) -> Tensor:
        """The velocity at timesteps t, carried on from the steps before where that is good enough, else computed."""
        known = self.predict(t)
        if known is not None:
            return known
        computed = compute()
        self.keep(t, computed)
        return computed

    def predict(self, t: Tensor) -> Tensor | None:
        """The velocity at timesteps t ([B], or [B,tokens] of which the highest counts), or None: it must be computed
        and given to `keep`.
        """
        when = float(t.max())
        if self._bend is None or not self._reach(when) or self._bend * self._reach(when) > self.threshold:
            return None
        self.skipped.append(self._step)
        self._step += 1
        return self._line(when)

    def keep(self, t: Tensor, velocity: Tensor) -> None:
        """Learn the computed velocity at timesteps t; one with NaN or infinite values is not remembered."""
        when = float(t.max())
        self._step += 1
        if not velocity.isfinite().all():
            return
        if len(self._known) == 2 and self._reach(when):
            error = float((self._line(when) - velocity).abs().sum() / velocity.abs().sum())
            self._bend = error / self._reach(when)
            if self.skipped and self.skipped[-1] == self._step - 2:
                self.measured_error = max(self.measured_error, error)
        self._known = [*self._known, (when, velocity)][-2:]

    def state(self) -> dict[str, Tensor]:
        """All that is remembered, on the CPU, for `restore`."""
        times = [when for when, _ in self._known]
        bend = float("nan") if self._bend is None else self._bend
        numbers = torch.tensor([self._step, bend, self.measured_error, *times], dtype=torch.float64)
        known = {f"known.{i}": velocity.cpu() for i, (_, velocity) in enumerate(self._known)}
        return {"numbers": numbers, "skipped": torch.tensor(self.skipped, dtype=torch.int64), **known}

    def restore(self, state: Mapping[str, Tensor], device: str | torch.device = "cpu") -> None:
        """Go on where the cache was whose `state` this is. Raises KeyError or ValueError for anything else."""
        step, bend, error, *times = state["numbers"].tolist()
        self._step, self._bend, self.measured_error = int(step), None if math.isnan(bend) else bend, error
        self.skipped = state["skipped"].tolist()
        self._known = [(when, state[f"known.{i}"].to(device)) for i, when in enumerate(times)]

    def _line(self, when: float) -> Tensor:
        (t0, v0), (t1, v1) = self._known
        return v1 + (v1 - v0) * ((when - t1) / (t1 - t0))

    def _reach(self, when: float) -> float:
        """Product of the distances to both known steps, 0 when they are one."""
        (t0, _), (t1, _) = self._known
        return 0.0 if t0 == t1 else abs((when - t0) * (when - t1))
