# SPDX-License-Identifier: GPL-3.0-or-later
"""Attention over tokens that lie on several processes."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from ..errors import UsageError


class TokenParallel:
    """Cuts tokens over the processes and gathers them; counts that do not divide give shares that differ by one.

    Shares of unequal length travel padded to the longest and the padding is cut off on arrival: it is never attended.
    """

    def __init__(self) -> None:
        self._lengths: list[int] = []

    def split(self, x: Tensor, dim: int) -> Tensor:
        """This process's share of x along `dim`; remembers how x was cut. Raises UsageError for too few tokens."""
        processes = dist.get_world_size()
        if x.shape[dim] < processes:
            raise UsageError(f"{x.shape[dim]} tokens cannot be cut over {processes} processes; use fewer processes.")
        shares = x.tensor_split(processes, dim)
        self._lengths = [share.shape[dim] for share in shares]
        return shares[dist.get_rank()]

    def join(self, x: Tensor, dim: int) -> Tensor:
        """The shares of all processes along `dim`, in token order; x must be a share as the last `split` cut it."""
        longest = max(self._lengths)
        padded = x.movedim(dim, 0)
        if padded.shape[0] < longest:
            padded = torch.cat([padded, padded.new_zeros(longest - padded.shape[0], *padded.shape[1:])])
        gathered = padded.new_empty(len(self._lengths) * longest, *padded.shape[1:])
        dist.all_gather_single(gathered, padded.contiguous())
        if min(self._lengths) < longest:
            shares = gathered.split(longest)
            gathered = torch.cat([share[:n] for share, n in zip(shares, self._lengths, strict=True)])
        return gathered.movedim(0, dim)
