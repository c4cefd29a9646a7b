# SPDX-License-Identifier: GPL-3.0-or-later
"""Weight files: their tensors' names and shapes without reading the data, and filling a network from them.

Understands one `.safetensors` file, several with an index, and `.pth` files holding a dictionary of tensors.
Everything wrong with a file ends in a CheckpointError that names the file and the tensor.
"""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from .request import CheckpointError

Shapes = dict[str, tuple[int, ...]]
Network = TypeVar("Network", bound=nn.Module)

_READABLE = {"F64", "F32", "F16", "BF16"}
_BROKEN_PICKLE = (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError)


class WeightFile:
    """The tensors of one network, in one file or several: `shapes`, and `tensors()` to read them one by one."""

    def __init__(self, files: Mapping[Path, list[str]], shapes: Shapes) -> None:
        self._files = dict(files)
        self.shapes = shapes

    @classmethod
    def open(cls, path: Path) -> WeightFile:
        """The file at `path`: .safetensors, .safetensors.index.json or .pth; raises CheckpointError."""
        if path.name.endswith(".index.json"):
            return cls._open_index(path)
        shapes = _safetensors_shapes(path) if path.suffix == ".safetensors" else _pickle_shapes(path)
        return cls({path: list(shapes)}, shapes)

    @classmethod
    def _open_index(cls, path: Path) -> WeightFile:
        weight_map = read_json(path).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise CheckpointError(f"{path} lists no weights; download it again.")
        files: dict[Path, list[str]] = {}
        for name, file in weight_map.items():
            files.setdefault(path.parent / str(file), []).append(name)
        shapes: Shapes = {}
        for file, names in files.items():
            found = _safetensors_shapes(file)
            for name in names:
                if name not in found:
                    raise CheckpointError(
                        f"{file} lacks the tensor {name} that {path.name} promises; download it again."
                    )
                shapes[name] = found[name]
        return cls(files, shapes)

    @property
    def parameters(self) -> int:
        return sum(torch.Size(shape).numel() for shape in self.shapes.values())

    @property
    def label(self) -> str:
        """What to call it in a message: the file, or the folder of several."""
        first = next(iter(self._files))
        return str(first if len(self._files) == 1 else first.parent)

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor by name; data is mapped from disk, not copied."""
        for path, names in self._files.items():
            if path.suffix == ".safetensors":
                yield from _read_safetensors(path, names)
            else:
                state = _load_pickle(path)
                yield from ((name, state[name]) for name in names)

    def outline(self, build: Callable[[], Network]) -> Network:
        """The network without memory, all its tensors on the meta device.

        Raises CheckpointError naming tensors of the file that are missing, unknown or of another shape.
        """
        with torch.device("meta"):
            network = build()
        self._compare({name: tuple(tensor.shape) for name, tensor in network.state_dict().items()})
        return network

    def fill(self, build: Callable[[], Network], dtype: torch.dtype, device: str | torch.device = "cpu") -> Network:
        """The network with these tensors, cast one by one; raises CheckpointError like `outline`."""
        network = self.outline(build)
        state = {name: tensor.to(device=device, dtype=dtype) for name, tensor in self.tensors()}
        network.load_state_dict(state, assign=True)
        return network.eval().requires_grad_(False)

    def _compare(self, wanted: Shapes) -> None:
        missing = [name for name in wanted if name not in self.shapes]
        unknown = [name for name in self.shapes if name not in wanted]
        for wording, names in (("lacks the tensor", missing), ("holds the unknown tensor", unknown)):
            if names:
                others = f" and {len(names) - 1} more" if len(names) > 1 else ""
                raise CheckpointError(f"{self.label} {wording} {names[0]}{others}; it does not fit the network.")
        for name, shape in wanted.items():
            if self.shapes[name] != shape:
                raise CheckpointError(
                    f"{self.label}: the tensor {name} has shape {list(self.shapes[name])}, but {list(shape)} is needed."
                )


def read_json(path: Path) -> dict:
    """The JSON object in `path`; raises CheckpointError when there is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"The checkpoint lacks {path}; download it again.") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); download it again.") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} must hold a JSON object; download it again.")
    return data


def _safetensors_shapes(path: Path) -> Shapes:
    """Names and shapes from the header; notices a file that ends too early."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
            if 8 + length > size:
                raise _truncated(path)
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
        shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}
        odd = {name: entry["dtype"] for name, entry in header.items() if entry["dtype"] not in _READABLE}
    except FileNotFoundError:
        raise CheckpointError(f"The checkpoint lacks {path}; download it again.") from None
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise CheckpointError(f"{path} is no safetensors file ({error}); download it again.") from error
    if 8 + length + end > size:
        raise _truncated(path)
    if odd:
        name, dtype = next(iter(odd.items()))
        raise CheckpointError(
            f"{path}: the tensor {name} is stored as {dtype}, which is not supported; use fp16 or bf16."
        )
    return shapes


def _truncated(path: Path) -> CheckpointError:
    return CheckpointError(f"{path} is truncated; download it again.")


def _read_safetensors(path: Path, names: list[str]) -> Iterator[tuple[str, Tensor]]:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            for name in names:
                yield name, file.get_tensor(name)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); download it again.") from error


def _pickle_shapes(path: Path) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in _load_pickle(path).items()}


def _load_pickle(path: Path) -> dict[str, Tensor]:
    """The tensors of a .pth file; only plain data is unpickled, never code."""
    if not path.is_file():
        raise CheckpointError(f"The checkpoint lacks {path}; download it again.")
    try:
        state = _torch_load(path)
    except _BROKEN_PICKLE as error:
        reason = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"{path} is damaged or truncated ({reason}); download it again.") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(f"{path} must hold a dictionary of tensors and nothing else.")
    return dict(state)


def _torch_load(path: Path) -> object:
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"  # older files are no zip archive and cannot be mapped
    return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
