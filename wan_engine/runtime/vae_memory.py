# SPDX-License-Identifier: GPL-3.0-or-later
"""What the video autoencoder takes at work, found by running it on tensors without data and counting what is alive.

The count is that of the real pass to the byte; it depends on tensor shapes alone and takes as long for a large picture
as for a small one, so each is made once.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ..networks.vae import load_vae
from ..torch_private import TorchDispatchMode

Side = tuple[int, int]
_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def decoder_peak(shapes: Mapping[str, Sequence[int]], latent: Side) -> int:
    """The most bytes alive beside the weights while latents of this height and width are decoded frame by frame.

    `shapes` are those of the autoencoder's tensors.
    """
    return _decoder_peak(_plain(shapes), *sorted(latent))


def encoder_peak(shapes: Mapping[str, Sequence[int]], side: Side) -> int:
    """The most bytes alive beside the weights, but for the finished latents, while frames of this height and width are
    encoded one by one.
    """
    return _encoder_peak(_plain(shapes), *sorted(side))


_Shapes = tuple[tuple[str, tuple[int, ...]], ...]


def _plain(shapes: Mapping[str, Sequence[int]]) -> _Shapes:
    return tuple((name, tuple(shape)) for name, shape in shapes.items())


@lru_cache(maxsize=256)
def _decoder_peak(shapes: _Shapes, h: int, w: int) -> int:
    vae = _outline(shapes)
    latents = torch.empty(1, vae.z_dim, 2, h, w, device="meta")  # the second frame is the first with a past
    return _most_alive(vae.decode_stream(latents))


@lru_cache(maxsize=256)
def _encoder_peak(shapes: _Shapes, h: int, w: int) -> int:
    frame = torch.empty(1, 3, 1, h, w, device="meta")
    return _most_alive(_outline(shapes).encode_stream([frame] * 5))


def _outline(shapes: _Shapes) -> Any:
    return load_vae({name: torch.empty(shape, device="meta") for name, shape in shapes})


def _most_alive(work: Iterable[Tensor]) -> int:
    with _Alive() as alive:
        for chunk in work:
            del chunk
    return alive.peak


class _Alive(TorchDispatchMode):
    """Counts the bytes of the tensors made under it that are still alive, and their `peak`."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.convolution.default:  # what comes after would copy what on a real device is a view
            result = torch.empty_like(result, memory_format=_LAST[result.dim()])
        given = {id(tensor.untyped_storage()) for tensor in args if isinstance(tensor, Tensor)}
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage(), given)
        return result

    def _count(self, storage: torch.UntypedStorage, given: set[int]) -> None:
        key = id(storage)
        if key in self._known or key in given:
            return
        self._known.add(key)
        self._now += storage.nbytes()
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._gone, key, storage.nbytes())

    def _gone(self, key: int, count: int) -> None:
        self._known.discard(key)
        self._now -= count
