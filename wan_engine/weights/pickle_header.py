# SPDX-License-Identifier: GPL-3.0-or-later
"""What a `.pth` file says about its tensors, read without torch and without running what it names.

A `.pth` file is a pickle, in an archive or (before PyTorch 1.6) behind three short ones. Here every class and function
that it names becomes a stand-in that only notes its arguments, so that names and shapes are left and nothing is called.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import CheckpointError
from .safetensors_header import Stored

WRAPPERS = ("state_dict", "model_state_dict", "model", "module")
_LIMIT = 64_000_000  # bytes of a description; those of the published files have less than one
_OLD_PARTS = 3  # before the tensors' description: magic number, version, machine
_DTYPES = {"DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16"}
_DTYPES |= {"LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8"}
_DTYPES |= {"BoolStorage": "BOOL", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "bfloat16": "BF16"}
_DTYPES |= {"float16": "F16", "float32": "F32", "float64": "F64"}


class _Named:
    """Stands for whatever the file calls `name`; calling it notes the arguments."""

    def __init__(self, name: str, arguments: tuple = ()) -> None:
        self.name = name
        self.arguments = arguments

    def __call__(self, *arguments: Any) -> Any:
        return _Dictionary(*arguments) if self.name == "OrderedDict" else _Named(self.name, arguments)

    def __setstate__(self, state: Any) -> None:
        """Attributes of what is not made are of no interest."""


class _Dictionary(dict):
    """An ordered dictionary, which may have attributes besides."""

    def __setstate__(self, state: Any) -> None:
        """As above."""


class _Reader(pickle._Unpickler):  # type: ignore[name-defined, misc]  # the C one sets aside memory that a file asks for
    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] != "torch" and name != "OrderedDict":
            raise pickle.UnpicklingError(f"it wants to run code: {module}.{name}")
        return _Named(name)

    def persistent_load(self, pid: Any) -> Any:
        return _Named("storage", tuple(pid))

    def get_extension(self, code: int) -> None:
        raise pickle.UnpicklingError("a class by number")


def read_pickle_header(path: Path, zipped: bool) -> dict[str, Stored]:
    """The tensors of a `.pth` file by name (places are left out). Raises CheckpointError for anything else."""
    try:
        if zipped:
            with zipfile.ZipFile(path) as archive:
                name = next(name for name in archive.namelist() if re.fullmatch(r"(?:[^/]*/)?data\.pkl", name))
                if archive.getinfo(name).file_size > _LIMIT:
                    raise ValueError("its description is too long")
                with archive.open(name) as file:
                    state = _Reader(file).load()  # type: ignore[arg-type]
        else:
            with path.open("rb") as file:
                state = _old(file)
        return _tensors(state)
    except Exception as error:  # a damaged pickle ends in any kind of error
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise CheckpointError(f"{path} holds no dictionary of tensors ({reason}); take another file.") from error


def _old(file: BinaryIO) -> Any:
    """The fourth pickle of a file of the old kind, or the only one of a plain pickle."""
    state = _Reader(file).load()  # type: ignore[arg-type]
    for _ in range(_OLD_PARTS if isinstance(state, int) else 0):
        state = _Reader(file).load()  # type: ignore[arg-type]
    return state


def _tensors(state: Any) -> dict[str, Stored]:
    for _ in WRAPPERS:
        inner = [state[key] for key in WRAPPERS if isinstance(state, Mapping) and isinstance(state.get(key), Mapping)]
        state = inner[0] if inner else state
    if not isinstance(state, Mapping):
        raise ValueError("no dictionary")
    return {str(name): _tensor(value) for name, value in state.items()}


def _tensor(value: Any) -> Stored:
    """What `_rebuild_tensor_v2(storage, place, shape, ...)`, its newer form or a parameter around it describes."""
    while isinstance(value, _Named) and "parameter" in value.name.lower():
        value = value.arguments[0]
    if not isinstance(value, _Named) or not value.name.startswith("_rebuild_tensor"):
        raise ValueError("something else than a tensor")
    storage, _, shape, *more = value.arguments
    kinds = [item.name for item in (storage.arguments[1], *more) if isinstance(item, _Named)]
    dtype = next((_DTYPES[kind] for kind in kinds if kind in _DTYPES), "unknown")
    return Stored(dtype, tuple(int(side) for side in shape), 0, 0)
