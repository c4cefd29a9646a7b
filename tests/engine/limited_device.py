# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in, on the CPU, for a device without float64 and complex numbers, such as Apple's: `with limited_device():`.

Tensors of the device "mps" are made, moved and computed with while the block runs; their data lies in CPU tensors
inside. As on a real one, no operation there makes or takes float64 or complex numbers, and tensors of two devices do
not meet, but for single numbers and indices of the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map_only, tree_unflatten

from wan_engine import devices
from wan_engine.runtime.read_ahead import ReadAhead
from wan_engine.torch_private import TorchDispatchMode

DEVICE = "mps"
LACKING = (torch.float64, torch.complex32, torch.complex64, torch.complex128)
_MOVES = {torch.ops.aten._to_copy, torch.ops.aten.copy_}
_INDEXED = {torch.ops.aten.index, torch.ops.aten.index_put_, torch.ops.aten.embedding}


class _OnDevice(Tensor):
    """A tensor of the device; `inner` holds its data."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> _OnDevice:
        made = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, inner.size(), inner.stride(), inner.storage_offset(), dtype=inner.dtype, device="meta",
        )  # fmt: skip
        made.inner = inner
        return made

    @property
    def device(self) -> torch.device:  # to torch itself it is on "meta": a build without the device has no more of it
        return torch.device(DEVICE)

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"can't convert {DEVICE} device type tensor to numpy")


class _Intercepting(TorchDispatchMode):
    """Has what is asked of the device made by the stand-in."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


class _Early(TorchFunctionMode):
    """What looks for the device before any operation of tensors can be intercepted."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is Tensor.__setitem__ and isinstance(args[0], _OnDevice) and not isinstance(args[2], Tensor):
            return args[0][args[1]].fill_(args[2])
        if func is Tensor.tolist and isinstance(args[0], _OnDevice):
            return args[0].inner.tolist()
        if func is Tensor.to and len(args) == 2 and isinstance(args[1], _OnDevice):
            return args[0].to(device=DEVICE, dtype=args[1].dtype)
        if func is not torch.tensor or "device" not in kwargs:
            return func(*args, **kwargs)
        device = kwargs.pop("device")
        return func(*args, **kwargs).to(device)


def _computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    flat, spec = tree_flatten((args, kwargs))
    tensors = [item for item in flat if isinstance(item, Tensor)]
    here = [item for item in tensors if isinstance(item, _OnDevice)]
    asked = [item for item in flat if isinstance(item, torch.device)]
    there = (DEVICE, "meta") if here else (DEVICE,)
    on_device = any(device.type in there for device in asked) if asked else bool(here)
    if not here and not on_device:
        return func(*args, **kwargs)
    packet = func.overloadpacket
    if packet is torch.ops.aten._has_compatible_shallow_copy_type:
        return False
    if here and packet not in _MOVES:
        _check_neighbours(func, packet, tensors)
    if packet is not torch.ops.aten._to_copy or on_device:
        _check_numbers(func, here)
    known = {id(item.inner): item for item in here}
    inner = [item.inner if isinstance(item, _OnDevice) else item for item in flat]
    if on_device:
        inner = [torch.device("cpu") if isinstance(item, torch.device) else item for item in inner]
    inner_args, inner_kwargs = tree_unflatten(inner, spec)
    result = func(*inner_args, **inner_kwargs)
    if not on_device and not (packet is torch.ops.aten.copy_ and isinstance(args[0], _OnDevice)):
        return result

    def wrapped(made: Tensor) -> Tensor:
        before = known.get(id(made))
        if before is not None:
            return before
        if packet is torch.ops.aten.copy_:
            return made
        if made.dtype in LACKING:
            raise TypeError(f"{func} would make {made.dtype} on a device that has none")
        return _OnDevice(made)

    if packet is torch.ops.aten.copy_ and not isinstance(args[0], _OnDevice):
        return args[0]
    return tree_map_only(Tensor, wrapped, result)


def _check_neighbours(func: Any, packet: Any, tensors: list[Tensor]) -> None:
    strange = [one for one in tensors if not isinstance(one, _OnDevice) and one.dim() and packet not in _INDEXED]
    if strange:
        raise RuntimeError(f"{func}: a tensor of the CPU, {tuple(strange[0].shape)}, meets one of the device")


def _check_numbers(func: Any, here: list[_OnDevice]) -> None:
    lacking = [one for one in here if one.dtype in LACKING]
    if lacking:
        raise TypeError(f"{func} takes {lacking[0].dtype} on a device that has none")


def _working(work: Any) -> Any:
    """The work of a thread, which has to be intercepted there."""

    def intercepted(*given: Any) -> Any:
        with _Early(), _Intercepting(), torch.inference_mode():
            return work(*given)

    return intercepted


@contextmanager
def limited_device() -> Iterator[None]:
    """While the block runs, the engine chooses the stand-in where it is free to."""
    with pytest.MonkeyPatch.context() as patch, _Early(), _Intercepting():
        patch.setattr(ReadAhead, "_work", _working(ReadAhead._work))
        patch.setattr(devices, "available", lambda: [DEVICE, "cpu"])
        patch.setattr(devices, "free_memory", lambda device: 2**40)
        yield
