# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a clip will take here: its operations over those that this machine does in a second.

What finished clips took is remembered for each device and precision; before the first one, a product of matrices is
timed, a fraction of a second long, and what a transformer reaches of its rate is guessed.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from ..caches import cache_folder
from ..checkpoint.checkpoint import Checkpoint
from ..devices import name_of
from ..networks.cpu_kernels import product
from ..text_files import parsed, read_text
from ..windows import latents_of, usual_overlap, windows
from .memory_plan import MemorySettings

_SIDE, _ROWS, _TRIES = 2048, 256, 3  # of the product that is timed
_REACHED = 0.6  # of that product's rate by whole passes
_TELLING = 1e12  # operations of a clip from which on its rate counts: less is mostly reading and starting
_FILE = "speed.json"


@dataclass(frozen=True)
class Speed:
    """Operations a second; `from_clips` tells that they were counted while clips were made."""

    operations: float
    from_clips: bool

    def seconds(self, operations: float) -> float:
        """What so many operations take."""
        return operations / self.operations


def operations_of(checkpoint: Checkpoint, settings: MemorySettings, steps: int) -> float:
    """Of all passes of a sampling: two for each weight and token, and four for each pair of tokens and channel."""
    config, model = checkpoint.config, checkpoint.model
    width, height = settings.size
    frame = (width // model.stride[1] // config.patch_size[2]) * (height // model.stride[1] // config.patch_size[1])
    weights = next(iter(checkpoint.experts.values())).parameters
    blocks = config.num_layers + len(config.vace_layers)
    whole, longest = latents_of(settings.frames), latents_of(settings.window or settings.frames)
    parts = windows(whole, longest, usual_overlap(settings.window) // 4 if settings.window else 0)

    def one(latent_frames: int) -> float:
        tokens = frame * latent_frames
        return 2.0 * weights * tokens + 4.0 * blocks * config.dim * float(tokens) ** 2

    return steps * (2 if settings.guided else 1) * sum(one(part.stop - part.start) for part in parts)


def speed_of(device: str, dtype: str) -> Speed:
    """What is remembered of the device in that precision, else what a short measure tells."""
    known = _read().get(_key(device, dtype))
    if isinstance(known, int | float) and known > 0:
        return Speed(float(known), True)
    return Speed(_REACHED * _measured(device, getattr(torch, dtype)), False)


def remember(device: str, dtype: str, operations: float, seconds: float) -> None:
    """Keep what the last clip took. Tiny ones tell nothing; that it cannot be kept costs nothing else."""
    if seconds <= 0 or operations < _TELLING:
        return
    with contextlib.suppress(OSError):
        path = _path()
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        partial.write_text(json.dumps({**_read(), _key(device, dtype): operations / seconds}), encoding="utf-8")
        partial.replace(path)


def _measured(device: str, dtype: torch.dtype) -> float:
    """Operations a second of a product of matrices, the quickest of a few."""
    x, weight = (torch.ones(rows, _SIDE, dtype=dtype, device=device) for rows in (_ROWS, _SIDE))
    taken = []
    with torch.inference_mode():
        for _ in range(_TRIES):
            began = time.perf_counter()
            float(product(x, weight)[0, 0])  # waits for the device
            taken.append(time.perf_counter() - began)
    return 2.0 * _ROWS * _SIDE**2 / max(min(taken), 1e-9)


def _read() -> dict[str, float]:
    try:
        found = parsed(read_text(_path()))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _path() -> Path:
    return cache_folder(os.environ) / _FILE


def _key(device: str, dtype: str) -> str:
    return f"{name_of(device)}, {torch.get_num_threads()} threads, {dtype}"
