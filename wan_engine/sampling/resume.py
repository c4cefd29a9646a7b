# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a sampling on disk, so that an interrupted generation goes on where it was and ends bit-equal.

Each segment of a clip has a file of its own, which stays until the clip is there: a finished one's holds its latents.

One safetensors file holds the latents, what the solver and the step caches remember, the count of steps done, and a
fingerprint of all that decides the result; it is replaced in one go after every step. A digest over all of it tells
damage: what is not as it was written is never gone on from.
"""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from ..inputs.plan import Plan
from ..media.atomic_write import BROKEN, digest, read_stored, write_whole
from ..saved_state import SCHEMA

_SOLVER = "solver."
_CACHE = "cache."
_OTHER = "The saved state belongs to another request, checkpoint or version; sampling started anew."
_DAMAGED = "The saved state is damaged; sampling started anew."
_INDIFFERENT = ("fps", "warnings")  # what of a plan the latents do not depend on


@dataclass(frozen=True)
class Saved:
    """Where a sampling stood: `latents` [z, t, h, w] behind `len(steps)` steps, each as the report tells it.

    `caches` are the states of the step caches of the expert at work, `cached` what the report tells of those before.
    """

    latents: Tensor
    solver: Mapping[str, Tensor]
    steps: list[dict[str, Any]]
    caches: Sequence[Mapping[str, Tensor]] = ()
    cached: Mapping[str, Any] | None = None


class ResumeFile:
    """The state file of one generation; with no path nothing is kept. `fingerprint` stands for all that decides the
    latents, `weights` (of `weights_of`) for the part of it that is known without the engine.
    """

    def __init__(self, path: Path | None, fingerprint: str, weights: str = "") -> None:
        self._path = path
        self._fingerprint, self._weights = fingerprint, weights

    def load(self, device: str) -> tuple[Saved | None, str]:
        """The saved state, or None with a sentence on why there is none to go on from (empty: no file). With a state
        comes a sentence when the rest will not be bit-equal to a run without interruption.
        """
        if self._path is None or not self._path.is_file():
            return None, ""
        try:
            facts, tensors = read_stored(self._path)
            kept = facts.pop("digest", None)
            if kept != digest(facts, tensors):
                return None, _OTHER if kept is None and facts.get("schema") != SCHEMA else _DAMAGED
        except BROKEN:
            return None, _DAMAGED
        if facts["schema"] != SCHEMA or facts["fingerprint"] != self._fingerprint:
            return None, _OTHER
        caches = [_below(tensors, f"{_CACHE}{i}.") for i in range(int(facts["caches"]))]
        steps, cached = json.loads(facts["steps"]), json.loads(facts["cached"])
        # Sums are taken in another order; nothing else is another.
        then, now = f"{facts['threads']} threads and PyTorch {facts['torch']}", _here()
        words = "" if then == now else f"The saved state was made with {then}; with {now} the last bits may differ."
        latents, solver = tensors["latents"].to(device), _below(tensors, _SOLVER)
        return Saved(latents, {name: data.to(device) for name, data in solver.items()}, steps, caches, cached), words

    def save(self, state: Saved) -> None:
        """Replace the file; raises GenerationError in words when the disk does not let us."""
        if self._path is None:
            return
        tensors = {"latents": state.latents, **{_SOLVER + name: data for name, data in state.solver.items()}}
        for i, cache in enumerate(state.caches):
            tensors |= {f"{_CACHE}{i}.{name}": data for name, data in cache.items()}
        metadata = {
            "schema": SCHEMA,
            "fingerprint": self._fingerprint,
            "weights": self._weights,
            "steps": json.dumps(state.steps),
            "caches": str(len(state.caches)),
            "cached": json.dumps(state.cached),
            "threads": str(torch.get_num_threads()),
            "torch": torch.__version__,
        }
        tensors = {name: tensor.cpu().clone().contiguous() for name, tensor in tensors.items()}
        data = save(tensors, {**metadata, "digest": digest(metadata, tensors)})
        write_whole(self._path, lambda partial: partial.write_bytes(data))


def state_file(first: Path, number: int) -> Path:
    """Where the state of a segment is kept, by its number from 0 on; that of the first, or of a clip made at once, is
    in `first`."""
    return first.with_name(f"{first.name}.{number + 1}") if number else first


def remove_states(first: Path) -> None:
    """The clip is there: its states are not needed any more, nor what a kill in the middle of a write left of them."""
    name = glob.escape(first.name)
    for path in (first, *first.parent.glob(f"{name}.[0-9]*"), *first.parent.glob(f".{name}.*.partial")):
        path.unlink(missing_ok=True)


def _here() -> str:
    return f"{torch.get_num_threads()} threads and PyTorch {torch.__version__}"


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): data for name, data in tensors.items() if name.startswith(prefix)}


def fingerprint(plan: Plan, weights: str, settings: Mapping[str, Any]) -> str:
    """One value for all that decides the latents: the plan with its pictures, the weights' files, `settings`."""
    decides = {name: value for name, value in vars(plan).items() if name not in _INDIFFERENT}
    plain = {name: value for name, value in decides.items() if not _holds_tensor(value)}
    pictures = {name: _digest(value) for name, value in decides.items() if _holds_tensor(value)}
    facts = {"plan": plain, "pictures": pictures, "weights": weights, **settings}
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _holds_tensor(value: object) -> bool:
    items = value if isinstance(value, tuple) else (value,)
    return any(isinstance(item, Tensor) for item in items)


def _digest(value: Any) -> str:
    items = value if isinstance(value, tuple) else (value,)
    digest = hashlib.sha256()
    for item in (item for item in items if isinstance(item, Tensor)):
        digest.update(str(tuple(item.shape)).encode())
        digest.update(item.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
