# SPDX-License-Identifier: GPL-3.0-or-later
"""A pass of the transformer over a clip that may be longer than it was trained for.

Of a longer clip every step predicts window by window, under what is given for each, and the predictions are faded into
each other where windows overlap (MultiDiffusion, arXiv 2302.08113, along time as in Gen-L-Video, arXiv 2305.18264). So
noise, solver, light guide and step cache see one clip, and the transformer's memory is that of a window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..inputs.conditioning import Conditioning
from ..networks.transformer import WanTransformer
from ..networks.transformer_blocks import Context, Control
from ..windows import Window


class WindowedPass:
    """Passes of `network` over a clip under `conditioning`, in `windows` that may be laid anew before each. `on_block`
    may raise to stop one; `on_window(number, count)` is told each window of a clip that has several.
    """

    def __init__(
        self,
        network: WanTransformer,
        conditioning: Conditioning,
        windows: Sequence[Window],
        on_block: Callable[[int], None],
        on_window: Callable[[int, int], None],
    ) -> None:
        self.network = network
        self.windows = windows
        self._conditioning = conditioning
        self._on_block, self._on_window = on_block, on_window
        self._control: tuple[int, Control] | None = None

    def velocity(self, x: Tensor, t: Tensor, context: Context) -> Tensor:
        """[1, z, t, h, w], float32, at latents `x` [z, t, h, w] and timestep `t`, under one prompt."""
        if len(self.windows) == 1:
            return self._predicted(0, self._conditioning, x, t, context)
        lead, together = self._conditioning.lead, torch.zeros_like(x)
        for number, window in enumerate(self.windows):
            self._on_window(number, len(self.windows))
            part = self._conditioning.cut(window)
            velocity = self._predicted(window.start, part, self._conditioning.of_window(x, window), t, context)[
                0
            ].float()
            weights = torch.tensor(window.weights, device=x.device)[:, None, None]
            together[:, lead + window.start : lead + window.stop] += velocity[:, lead:] * weights
            together[:, :lead] += velocity[:, :lead] / len(self.windows)
        return together[None]

    def _predicted(self, start: int, part: Conditioning, x: Tensor, t: Tensor, context: Context) -> Tensor:
        if self._control is None or self._control[0] != start:
            self._control = None  # let go of the last window's before the next one's comes
            self._control = start, part.control(self.network, x.device)
        context.control = self._control[1]
        return self.network(part.model_input(x, t), part.timestep(t, x), context, on_block=self._on_block)
