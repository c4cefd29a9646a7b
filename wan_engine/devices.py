# SPDX-License-Identifier: GPL-3.0-or-later
"""The devices that a clip can be computed on: "cuda" (ROCm's too), "xpu", "mps" or "cpu"; of several of a kind by their
number too, such as "cuda:1". What the kinds of device have in different ways stands here alone.
"""

from __future__ import annotations

import platform

import torch

from .errors import UsageError
from .options import AUTO


def kind_of(device: str) -> str:
    """The kind of a device: "cuda" of "cuda:1"."""
    return device.partition(":")[0]


def available() -> list[str]:
    """The kinds of device of this machine that the installed torch can use, the fastest first, "cpu" last."""
    found = torch.accelerator.current_accelerator(check_available=True)
    return [*([] if found is None else [found.type]), "cpu"]


def choose(asked: str = AUTO) -> str:
    """The device asked for; for "auto" the fastest kind, and of several cards the one with the most free memory. Raises
    UsageError for one that is not here."""
    here = available()
    kind, _, number = (here[0] if asked == AUTO else asked).partition(":")
    if kind not in here:
        raise UsageError(
            f"PyTorch {torch.__version__} cannot use {kind} here, only {', '.join(here)}. Choose one of them, or "
            "set up the engine again after installing the device's driver."
        )
    count = 1 if kind == "cpu" else torch.accelerator.device_count()
    if number and int(number) >= count:
        raise UsageError(f"There is no device {asked}: of {kind} there are {count} here, counted from {kind}:0.")
    if asked == AUTO and count > 1:
        return max((f"{kind}:{number}" for number in range(count)), key=free_memory)
    return asked if number else kind


def name_of(device: str) -> str:
    """What the device calls itself, for people."""
    kind = kind_of(device)
    if kind in ("cuda", "xpu"):
        return str(getattr(torch, kind).get_device_name(device))
    return "Apple graphics" if kind == "mps" else f"The processor ({platform.machine()})"


def free_memory(device: str) -> int:
    """Bytes that can be taken now on a device other than the CPU."""
    if kind_of(device) == "mps":  # shares the computer's memory, and Metal bounds what of it is taken
        return max(0, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return int(getattr(torch, kind_of(device)).mem_get_info(device)[0])


def short_dtype(device: str) -> str:
    """The dtype of 16 bits that the device computes in: bfloat16, but float16 on cards of NVIDIA's before 2020."""
    cuda = kind_of(device) == "cuda"
    return "float16" if cuda and not torch.cuda.is_bf16_supported(including_emulation=False) else "bfloat16"


def empty_cache() -> None:
    """Give what torch keeps of freed device memory back."""
    if torch.accelerator.is_available():
        torch.accelerator.empty_cache()
