# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that appear complete or not at all, and the digest by which damage to them is told later."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from ..errors import GenerationError

# What reading a damaged safetensors file raises, wherever the damage is.
BROKEN = (SafetensorError, OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, MemoryError)
_AT_IT, _LONG = 60.0, 3600.0  # seconds: longer than who writes pauses, and than anything takes


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in place at once.

    Raises GenerationError in words when the disk is full, the folder cannot be written, or something other than a file
    (a folder, a device) has that name; nothing partial stays.
    """
    if not path.name or (path.exists() and not path.is_file()):
        raise GenerationError(f"{path} is no file that can be written; choose another name.")
    with _disk_errors_in_words(path):
        unfinished = _beside(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            create_file(unfinished)
            write(unfinished)
            with unfinished.open("rb+") as file:
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write `data` for people to read too; errors as `write_whole`."""
    try:
        content = json.dumps(data, indent=1, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:  # a path or a prompt that is no text, as command lines on Linux allow
        content = json.dumps(data, indent=1).encode("ascii")
    write_whole(path, lambda partial: partial.write_bytes(content))


def write_whole_sequence(folder: Path, pattern: str, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary folder beside `folder`; then its files take the place of those in `folder` that
    match `pattern`. Whatever else lies in `folder` stays. Raises GenerationError as `write_whole` does.
    """
    unfinished = _beside(folder)
    with _disk_errors_in_words(folder):
        try:
            unfinished.mkdir(parents=True)
            write(unfinished)
            folder.mkdir(exist_ok=True)
            for old in folder.glob(pattern):
                old.unlink()
            for new in unfinished.iterdir():
                new.replace(folder / new.name)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def create_file(path: Path) -> None:
    """An empty new file at `path`: what had that name, also a link to somewhere else, is gone. Raises OSError."""
    path.unlink(missing_ok=True)
    path.open("xb").close()


def digest(facts: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256, in hexadecimal, over what a file says and holds, whatever the order."""
    total = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        total.update(f"\0{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        total.update(tensor.contiguous().flatten().view(torch.uint8).numpy())
    return total.hexdigest()


def read_stored(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """(metadata, tensors) of a small safetensors file. The library opens no path that is not UTF-8, so it gets the
    bytes. Raises one of BROKEN for a damaged file."""
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return header.get("__metadata__") or {}, load(data)


def _beside(path: Path) -> Path:
    """What is filled in place of `path`; what killed processes left of theirs is gone."""
    for left in _unfinished(path):
        with contextlib.suppress(OSError):
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def _unfinished(path: Path) -> list[Path]:
    """What other processes began to fill in place of `path`, and will not go on with."""
    pattern = re.compile(re.escape(f".{path.name}.") + r"(\d+)\.partial")
    with contextlib.suppress(OSError, ValueError):
        found = [(entry, pattern.fullmatch(entry.name)) for entry in path.parent.iterdir()]
        return [entry for entry, match in found if match and _abandoned(entry, int(match[1]))]
    return []


def _abandoned(entry: Path, pid: int) -> bool:
    """Whether the process that fills it is gone; where the system does not tell, whether it has long been left. What
    was written just now may be that of a process of another computer."""
    age = time.time() - entry.lstat().st_mtime
    if sys.platform == "win32" or age < _AT_IT:  # where a process asked like below would be ended
        return age > _LONG
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False


@contextmanager
def _disk_errors_in_words(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, av.FFmpegError) as error:
        reason = getattr(error, "strerror", None) or error
        raise GenerationError(
            f"{path} cannot be written ({reason}); free some disk space or choose another place."
        ) from error
