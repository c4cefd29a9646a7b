# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents that are known inside a mask and put back into the sampling, at the noise level reached, after each step.

The sampling then draws what is around them to fit (SDEdit, arXiv 2108.01073; RePaint, arXiv 2201.09865, without going
back and forth).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

_ABOVE_ALL = 2.0  # a noise level


@dataclass(frozen=True)
class KeptLatents:
    """`latents` and their fixed `noise` [z, t, h, w], put back where the `mask` [1, t, h, w] is 1, at noise levels
    below `begin` down to `until`.
    """

    latents: Tensor
    noise: Tensor
    mask: Tensor
    begin: float = _ABOVE_ALL
    until: float = 0.0

    def noised(self, sigma: float) -> Tensor:
        """The latents [z, t, h, w] at noise level `sigma`, 0..1."""
        return (1 - sigma) * self.latents + sigma * self.noise

    def impose(self, x: Tensor, sigma: float) -> Tensor:
        """Latents [z, t, h, w] at noise level `sigma` with these in the mask's place, while they bind."""
        if not self.until <= sigma < self.begin:
            return x
        return x * (1 - self.mask) + self.mask * self.noised(sigma)

    def corrected(self, velocity: Tensor) -> Tensor:
        """A predicted velocity [z, t, h, w] with the true one in the mask's place."""
        return velocity * (1 - self.mask) + self.mask * (self.noise - self.latents)
