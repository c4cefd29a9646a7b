# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine inside the worker's process: imported once, with the last checkpoint kept loaded."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

from wan_engine.errors import CheckpointError
from wan_engine.request import GenerationRequest

from .files import DISK_FULL, NOT_ALLOWED, disk_trouble


class WarmEngine:
    """The pipeline that was used last, kept for the next job that wants the same one."""

    def __init__(self) -> None:
        self._key: object = None
        self._pipeline: Any = None

    def pipeline(self, request: GenerationRequest) -> Any:
        """The pipeline for a request. Files that changed on disk since count as another checkpoint.

        Raises CheckpointError when the environment or the checkpoint is not fit, UsageError for a bad option.
        """
        import_engine()
        from wan_engine import pipeline
        from wan_engine.saved_state import weights_of

        weights = weights_of(Path(request.checkpoint), *(Path(lora.path) for lora in request.loras))
        key = (request.load_options, weights)
        if self._pipeline is not None and key == self._key:
            print(f"still loaded: {request.checkpoint}", file=sys.stderr)
            return self._pipeline
        self._pipeline = self._key = None
        gc.collect()  # the old weights have to be gone before the new ones come
        print(f"loading {request.checkpoint} ({request.dtype}, offload {request.offload})", file=sys.stderr)
        self._pipeline = pipeline.load(**request.load_options)
        self._key = key
        return self._pipeline


def import_engine() -> str:
    """Import everything a job needs, the slow part of starting; returns torch's version.

    Raises CheckpointError when a package is missing or broken.
    """
    try:
        import torch

        from wan_engine import pipeline  # noqa: F401
    except (ImportError, OSError) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        what = f"lacks {missing}" if missing else f"is broken ({error})"
        raise CheckpointError(
            f"The engine environment of {sys.executable} {what}. Set it up again in the add-on's preferences."
        ) from error
    return str(torch.__version__)


def trouble_in_words(error: Exception, folder: Path) -> str:
    """What to tell the user about an error that the engine did not foresee."""
    root: BaseException | None = error
    while root is not None and not isinstance(root, OSError):
        root = root.__cause__ or root.__context__
    if isinstance(root, OSError) and root.errno in DISK_FULL + NOT_ALLOWED:
        return disk_trouble(root, folder)
    if isinstance(error, MemoryError) or "not enough memory" in str(error) or "out of memory" in str(error):
        return "The memory is not enough for this. Choose a smaller size, fewer frames, or an offload setting."
    if isinstance(error, ModuleNotFoundError):
        return (
            f"The engine environment of {sys.executable} lacks {error.name}. "
            "Set it up again in the add-on's preferences."
        )
    text = str(error).strip().split("\n")[0][:300]
    return f"The engine failed unexpectedly ({type(error).__name__}: {text}). {folder / 'log.txt'} has the details."
