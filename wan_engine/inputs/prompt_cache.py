# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoded prompts kept on disk, so that a prompt used before needs no text encoder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from ..checkpoint.checkpoint import Checkpoint
from ..media.atomic_write import BROKEN, digest, read_stored

LIMIT = 256 * 2**20  # bytes that a folder may hold; a prompt of 512 tokens in 4096 channels takes 8 MiB
_ABANDONED = 3600.0  # seconds
_SUFFIX = ".prompt.safetensors"
_FORMAT = 2  # raised when what is stored changes its meaning


def prompt_key(checkpoint: Checkpoint, prompt: str, dtype: torch.dtype | str) -> str:
    """Names the text states of `prompt`: the same exactly for the same text encoder file, tokenizer, text and dtype.

    A file is told by its name, size and time of change, and by its tensors' shapes, not by reading gigabytes.
    """
    encoder, tokenizer = checkpoint.text_encoder, checkpoint.tokenizer
    facts = [
        str(_FORMAT),
        encoder.label,
        *(f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in _files(Path(encoder.label))),
        repr(sorted(encoder.shapes.items())),
        hashlib.sha256(Path(tokenizer).read_bytes()).hexdigest(),
        str(checkpoint.config.text_len),
        str(dtype).removeprefix("torch."),
        prompt,
    ]
    return hashlib.sha256("\0".join(facts).encode("utf-8", "surrogatepass")).hexdigest()


def _files(place: Path) -> list[Path]:
    """A weight file, or the files of a folder of shards."""
    return sorted(path for path in place.iterdir() if path.is_file()) if place.is_dir() else [place]


class PromptCache:
    """Text states [L,dim] by key in a folder of its own; when it holds more than `limit` bytes, the entries that were
    not used for the longest time go. `note` gets a sentence about each damaged entry.
    """

    def __init__(self, folder: Path, limit: int = LIMIT, note: Callable[[str], None] = lambda words: None) -> None:
        self._folder = folder
        self._limit = limit
        self._note = note

    def get(self, key: str) -> Tensor | None:
        """The states kept under `key`, float32 [L,dim]; None when there are none or they are damaged."""
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            facts, tensors = read_stored(path)
            rows = tensors["rows"]
            whole = facts.get("digest") == digest({"key": key}, {"rows": rows})
        except BROKEN:
            whole = False
        if not whole or rows.dim() != 2 or rows.dtype != torch.float32 or not torch.isfinite(rows).all():
            self._note("An encoded prompt that was kept is damaged; the prompt was encoded anew.")
            return None
        with contextlib.suppress(OSError):  # a folder that may only be read still serves
            os.utime(path)
        return rows

    def put(self, key: str, rows: Tensor) -> None:
        """Keep `rows` under `key`; other processes see the whole entry or none. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(key)
        partial = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            tensors = {"rows": rows.detach().float().cpu().contiguous()}
            partial.write_bytes(safetensors.torch.save(tensors, {"digest": digest({"key": key}, tensors)}))
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        self._shrink(path)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"

    def _shrink(self, newest: Path) -> None:
        """Remove the entries used longest ago until the rest fits; the newest always stays."""
        for partial in self._folder.glob(f"*{_SUFFIX}.*.part"):  # of a process that was killed: none takes so long
            with contextlib.suppress(OSError):
                if time.time() - partial.stat().st_mtime > _ABANDONED:
                    partial.unlink()
        entries = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):  # another process has just removed it
                facts = path.stat()
                entries.append((facts.st_mtime_ns, facts.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self._limit:
                break
            if path != newest:
                path.unlink(missing_ok=True)
                total -= size
