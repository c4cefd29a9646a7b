# SPDX-License-Identifier: GPL-3.0-or-later
"""The devices that a clip can be computed on: "cuda" (ROCm's too), "xpu", "mps" or "cpu"."""

from __future__ import annotations

import platform

import torch

from .errors import UsageError
from .options import AUTO


def available() -> list[str]:
    """The kinds of device of this machine that the installed torch can use, the fastest first, "cpu" last."""
    found = torch.accelerator.current_accelerator(check_available=True)
    return [*([] if found is None else [found.type]), "cpu"]


def choose(asked: str = AUTO) -> str:
    """The device asked for; the fastest for "auto". Raises UsageError for one that is not here."""
    here = available()
    if asked == AUTO:
        return here[0]
    if asked not in here:
        raise UsageError(
            f"PyTorch {torch.__version__} cannot use {asked} here, only {', '.join(here)}. Choose one of them, or "
            "set up the engine again after installing the device's driver."
        )
    return asked


def name_of(device: str) -> str:
    """What the device calls itself, for people."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    if device == "xpu":
        return torch.xpu.get_device_name()
    if device == "mps":
        return "Apple graphics"
    return f"The processor ({platform.machine()})"


def empty_cache() -> None:
    """Give what torch keeps of freed device memory back."""
    if torch.accelerator.is_available():
        torch.accelerator.empty_cache()
