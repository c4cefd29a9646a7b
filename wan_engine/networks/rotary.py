# SPDX-License-Identifier: GPL-3.0-or-later
"""The 3D rotary embedding of Wan's transformers."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

_COMPLEX = ("cpu", "cuda")  # the devices that have complex numbers


def rotary_on(device: torch.device, head_dim: int, grid: tuple[int, int, int]) -> Tensor:
    """The table for `rotate` on a device: complex numbers, or [tokens, head_dim/2, 2] where it has none."""
    table = rotary_table(head_dim, grid)
    return (table if device.type in _COMPLEX else torch.view_as_real(table)).to(device)


@lru_cache(maxsize=4)
def rotary_table(head_dim: int, grid: tuple[int, int, int]) -> Tensor:
    """The turns of the 3D rotary embedding as complex numbers [tokens, head_dim/2] (complex64), tokens in (t, h, w)
    order.

    The pairs of a head are split over time, height and width as d-4(d//6), 2(d//6), 2(d//6) channels, each with base
    10000. Angles are computed in float64.
    """
    sixth = head_dim // 6
    angles = []
    with torch.inference_mode(False):  # the table outlives this pass and may meet gradients in the next
        for axis, width in enumerate((head_dim - 4 * sixth, 2 * sixth, 2 * sixth)):
            frequency = 10000.0 ** -(torch.arange(0, width, 2, dtype=torch.float64) / width)
            shape = [1, 1, 1, -1]
            shape[axis] = grid[axis]
            angle = torch.outer(torch.arange(grid[axis], dtype=torch.float64), frequency)
            angles.append(angle.view(shape).expand(*grid, -1))
        table = torch.cat(angles, dim=-1).flatten(0, 2)
        return torch.complex(table.cos().float(), table.sin().float())


def rotate(x: Tensor, table: Tensor) -> Tensor:
    """Turns neighbouring channel pairs of x [B,L,heads,d] float32 by the table, complex [L,d/2] or real [L,d/2,2]."""
    pairs = x.unflatten(-1, (-1, 2))
    if table.is_complex():
        return torch.view_as_real(torch.view_as_complex(pairs) * table[:, None]).flatten(-2)
    (real, imaginary), (cos, sin) = pairs.unbind(-1), table[:, None].unbind(-1)
    return torch.stack([real * cos - imaginary * sin, real * sin + imaginary * cos], -1).flatten(-2)
