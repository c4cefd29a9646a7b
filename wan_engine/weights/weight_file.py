# SPDX-License-Identifier: GPL-3.0-or-later
"""Weight files: their tensors' names and shapes without reading the data, and filling a network from them.

Understands one `.safetensors`, `.pth` or GGUF file, or several with an index, in any of the layouts that
`tensor_names.py` knows, with 16-bit, 32-bit or quantised weights. Whatever the file, `shapes` speaks of the published
names and of the tensors as a network needs them. Everything wrong with a file ends in a CheckpointError naming the file
and the tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import CheckpointError
from .containers import DTYPES, Container, Scratch, open_container
from .contents import Contents, Headers
from .fp8 import FP8, check_factors, check_scales, check_unscaled, companions, multiplied_out
from .safetensors_header import check_weight
from .tensor_names import Recipe, networks_of, published

Shapes = dict[str, tuple[int, ...]]
Patch = Callable[[str, Tensor], Tensor]
Network = TypeVar("Network", bound=nn.Module)

_WEIGHTS = {"F64", "F32", "F16", "BF16", *FP8}


class WeightFile:
    """The tensors of one network, in one file or several. Data is read tensor by tensor, nothing is kept."""

    def __init__(self, contents: Contents, part: str | None = None) -> None:
        """`contents` is the header of the file, or of an index and its shards.

        `part` (transformer, vae, text, clip) says which network's names to translate; None leaves them as they are.
        Raises CheckpointError for tensors that are stored in a way that is not known.
        """
        self.contents = contents
        opened = [open_container(file) for file in contents.shards or (contents,)]
        holding = {name: container for container in opened for name in container.stored}
        self._containers: dict[str, Container] = {name: holding[name] for name in contents.stored}
        self._files = list(dict.fromkeys(self._containers.values()))
        self._scales, others = companions(self._containers, self.label)
        stored = {name: file.stored[name] for name, file in self._containers.items() if name not in others}
        self._recipes: dict[str, Recipe] = published({name: entry.shape for name, entry in stored.items()}, part)
        own = {name: stored[name] for recipe in self._recipes.values() for name in recipe.parts}
        for name, entry in own.items():
            self._check_dtype(name, entry.dtype)
        check_scales(own, self._scales, others, self.label)
        self._transformer = part == "transformer"
        self._shared = len(networks_of(stored)) > 1
        self.shapes: Shapes = {name: recipe.shape for name, recipe in self._recipes.items()}

    @classmethod
    def open(cls, path: Path, part: str | None = None) -> WeightFile:
        """The weights at `path`: a file or an index (`.index.json`) of several; raises CheckpointError."""
        return cls(Headers().read(path), part)

    @property
    def parameters(self) -> int:
        """How many numbers its tensors hold."""
        return sum(torch.Size(shape).numel() for shape in self.shapes.values())

    @property
    def bytes(self) -> int:
        """What the files take up on disk; of a file that holds other networks, too, the own tensors."""
        if self._shared:
            parts = (part for recipe in self._recipes.values() for part in recipe.parts)
            return sum(self._containers[part].stored[part].bytes for part in parts)
        return sum(file.path.stat().st_size for file in self._files)

    @property
    def label(self) -> str:
        """What to call it in a message: the file, or the folder of several."""
        first = self._files[0].path if self._files else Path("the weight file")
        return str(first if len(self._files) == 1 else first.parent)

    @property
    def stored_as(self) -> str:
        """In words: the dtype that most of the numbers are stored in, and the number of files if there are several."""
        counts: dict[str, int] = {}
        for recipe in self._recipes.values():
            for name in recipe.parts:
                entry = self._containers[name].stored[name]
                counts[entry.dtype] = counts.get(entry.dtype, 0) + torch.Size(entry.shape).numel()
        dtype = max(counts, key=lambda key: counts[key], default="nothing")
        scaled = " scaled" if dtype in FP8 and self._scales else ""
        return f"{dtype}{scaled}" + (f" in {len(self._files)} files" if len(self._files) > 1 else "")

    def read(self, name: str) -> Tensor:
        """One published tensor in memory of its own, on the CPU: in the dtype it is stored in, 8-bit floats as bfloat16
        or, when scaled, float32, other quantised ones as float32.
        """
        recipe = self._recipes[name]
        parts = [self._stored(part) for part in recipe.parts]
        return (parts[0] if len(parts) == 1 else torch.cat(parts)).reshape(recipe.shape)

    def rows(self, name: str, index: Tensor) -> Tensor:
        """The rows `index` ([n] integers) of a published 2-D tensor, [n, width]; other rows are not read.

        Raises CheckpointError when a row is not there.
        """
        recipe = self._recipes[name]
        if len(index) and not 0 <= int(index.min()) <= int(index.max()) < recipe.shape[0]:
            raise CheckpointError(
                f"{self.label}: {name} has {recipe.shape[0]} rows, but row {int(index.max())} is asked for; the files "
                "do not belong together."
            )
        if len(recipe.parts) != 1:
            return self.read(name)[index]
        part = recipe.parts[0]
        rows = self._containers[part].rows(part, index)
        scale = self._scale(part)
        if scale is not None and scale.numel() > 1:
            scale = scale.reshape(-1)[index]
        return self._multiplied(part, rows, scale)

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor by its published name, one at a time."""
        yield from ((name, self.read(name)) for name in self.shapes)
        self._close()

    def outline(self, build: Callable[[], Network]) -> Network:
        """The network without memory, all its tensors on the meta device.

        Raises CheckpointError naming tensors of the file that are missing, unknown or of another shape.
        """
        with torch.device("meta"), _Uninitialised():
            network = build()
        self._compare({name: tuple(tensor.shape) for name, tensor in network.state_dict().items()})
        return network

    def fill(
        self,
        build: Callable[[], Network],
        dtype: torch.dtype,
        device: str | torch.device = "cpu",
        patch: Patch | None = None,
    ) -> Network:
        """The network with these tensors, cast and moved one by one; raises CheckpointError like `outline`.

        `patch` gets each tensor as read, before the cast, and returns what takes its place. At no time is more in
        memory than the network in its final dtype and one tensor of the file.
        """
        network = self.outline(build)
        scratch = Scratch()
        try:
            state = {name: self._final(name, dtype, torch.device(device), patch, scratch) for name in self.shapes}
        finally:
            self._close()
        network.load_state_dict(state, assign=True)
        return network.eval().requires_grad_(False)

    def _final(
        self, name: str, dtype: torch.dtype, device: torch.device, patch: Patch | None, scratch: Scratch
    ) -> Tensor:
        recipe = self._recipes[name]
        first = recipe.parts[0]
        container = self._containers[first]
        passing = False
        if len(recipe.parts) > 1:
            tensor = self.read(name)
        elif DTYPES.get(container.stored[first].dtype) == dtype and device.type == "cpu":
            tensor = container.map(first).reshape(recipe.shape)  # becomes the parameter itself
        else:
            passing = True
            tensor = self._stored(first, scratch).reshape(recipe.shape)
        if patch is not None:
            tensor = patch(name, tensor)
        return tensor.to(device=device, dtype=dtype, copy=passing)

    def _stored(self, name: str, scratch: Scratch | None = None) -> Tensor:
        return self._multiplied(name, self._containers[name].read(name, scratch), self._scale(name))

    def _scale(self, name: str) -> Tensor | None:
        scale = self._scales.get(name)
        return None if scale is None else self._containers[scale].read(scale)

    def _multiplied(self, name: str, data: Tensor, scale: Tensor | None) -> Tensor:
        if scale is None and self._containers[name].stored[name].dtype not in FP8:
            return data
        if scale is None and self._transformer:
            check_unscaled(data, name, self.label)
        if scale is not None:
            check_factors(data, scale, name, self.label)
        return multiplied_out(data, scale)

    def first_non_finite(self) -> str | None:
        """The first tensor, in published names, with NaN or infinite values; reads tensor after tensor."""
        return next((name for name, tensor in self.tensors() if not torch.isfinite(tensor).all()), None)

    def _check_dtype(self, name: str, dtype: str) -> None:
        container = self._containers[name]
        check_weight(container.path, name, dtype, dtype in _WEIGHTS or container.unpacks)

    def _close(self) -> None:
        for file in self._files:
            file.close()

    def _compare(self, wanted: Shapes) -> None:
        missing = [name for name in wanted if name not in self.shapes]
        unknown = [name for name in self.shapes if name not in wanted]
        for wording, names in (("lacks the tensor", missing), ("holds the unknown tensor", unknown)):
            if names:
                others = f" and {len(names) - 1} more" if len(names) > 1 else ""
                raise CheckpointError(
                    f"{self.label} {wording} {names[0]}{others}; it does not fit the network. Download it again."
                )
        for name, shape in wanted.items():
            if self.shapes[name] != shape:
                raise CheckpointError(
                    f"{self.label}: the tensor {name} has shape {list(self.shapes[name])}, but {list(shape)} is needed."
                )


class _Uninitialised(TorchFunctionMode):
    """Leaves out what `torch.nn.init` does to new layers: without data it is a second's work for a large network."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))
