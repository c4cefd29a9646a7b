# SPDX-License-Identifier: GPL-3.0-or-later
"""What guiding the light costs: one steering against one step, a single pass through the transformer without guidance,
which is the cheapest step there is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.light_curve import LightCurve
from wan_engine.networks.latent_rgb import LightMap, fit_frame_map
from wan_engine.sampling.light_guide import LightController

from . import measure, sides
from .cached import NANO
from .sides import drawn

CURVE = LightCurve("render", (0.0, 1.0), (0.5, 0.3), (5000.0, 3000.0))


@dataclass(frozen=True)
class GuidingRow:
    """Seconds of a step and of the steering in it."""

    title: str
    step: float
    steering: float


def rows(folder: Path) -> list[GuidingRow]:
    """At the size of the transformer's comparison, and the nano checkpoint's own."""
    x = drawn(16, *sides.LATENT)
    colours = fit_frame_map(drawn(16, 40, 100), drawn(16, 40, 100), torch.rand(3, 40, 100))
    forward = sides.our_forward(torch.float32, folder)
    table_size = _row("transformer of the table, 1,280 tokens", forward, LightMap([colours]), x)
    checkpoint = open_checkpoint(NANO)
    network, config = checkpoint.load_transformer("low", torch.float32, "cpu"), checkpoint.config
    latents = drawn(48, 5, 6, 10)
    inputs = torch.cat([latents, torch.zeros(config.in_dim - 48, 5, 6, 10)])[None]
    context = network.embed_text([drawn(100, config.text_dim)], None)
    step = partial(network, inputs, torch.tensor([500.0]), context)
    light_map = checkpoint.load_light_map()
    assert light_map is not None
    return [table_size, _row("nano checkpoint, 300 tokens", step, light_map, latents)]


def _row(title: str, step: Callable[[], object], light_map: LightMap, x: Tensor) -> GuidingRow:
    """`x` are latents [z, t, h, w] of the size that the step is of."""
    controller, sigma = LightController(CURVE, "gentle", light_map), torch.tensor(0.5)
    work = {"step": step, "steering": partial(controller.steered_velocity, x, x, sigma)}
    seconds = measure.by_turns(work, rounds=15)
    return GuidingRow(title, seconds["step"], seconds["steering"])


def table(found: list[GuidingRow]) -> str:
    """The rows as Markdown."""
    lines = [
        f"| {r.title} | {1000 * r.step:.1f} | {1000 * r.steering:.2f} | {r.steering / r.step:.1%} |" for r in found
    ]
    titles = "| guiding the light | step, ms | steering, ms | share |"
    return "\n".join([titles, "| --- | ---: | ---: | ---: |", *lines])
