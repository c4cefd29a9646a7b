# SPDX-License-Identifier: GPL-3.0-or-later
"""From the model's frames to the clip: light repaired, enlarged, redrawn, fitted to the shot's frames, written.

Nothing here changes what the model made: its frames go to `frames_out` before anything is done to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from .correct import deflicker, match_color
from .encode import check_codec, exact_rate, place, write_clip
from .interpolate import retimed
from .lighting import measure
from .plan import Plan
from .request import GenerationRequest, UsageError
from .run import Run
from .upscale import FACTORS, upscale, upscaled

Redraw = Callable[[np.ndarray], np.ndarray]


def check_finish(request: GenerationRequest, folder: Path) -> None:
    """Notice before the work, not after it, what cannot be done. Raises UsageError."""
    check_codec(request.codec)
    if request.upscale_model is not None and not (folder / request.upscale_model).is_file():
        raise UsageError(f"The upscaling model {folder / request.upscale_model} does not exist; check the path.")
    if request.refine and request.upscale not in FACTORS:
        raise UsageError("Refining redraws an enlarged clip; give --upscale too, or leave out --refine.")


def finish(
    request: GenerationRequest, plan: Plan, frames: np.ndarray, folder: Path, run: Run, redraw: Redraw | None
) -> dict[str, Any]:
    """Write the clip; returns the report's facts about it.

    `frames` is uint8 [T, H, W, 3] as decoded, `redraw` the refining pass over the clip enlarged twice, None without
    one. A factor of 4 enlarges the redrawn clip once more.
    """
    if request.frames_out is not None:
        write_clip(frames, 1, folder / request.frames_out, "png")
    model = None if request.upscale_model is None else folder / request.upscale_model
    clip: Iterable[np.ndarray] = _repaired(request, plan, frames, run)
    if redraw is not None:
        clip = redraw(upscale(np.asarray(clip), 2, model))
        if request.upscale == 4:
            clip = upscaled(clip, 2, model)
    elif request.upscale:
        clip = upscaled(clip, request.upscale, model)
    rate = exact_rate(request.clip_fps or plan.fps)
    out = place(Path(request.out), request.codec)
    fitted = retimed(clip, len(frames), request.clip_frames or len(frames))
    written = write_clip(fitted, rate, folder / out, request.codec)
    return {
        "path": out.as_posix(),
        "frames": written.frames,
        "fps": str(written.fps),
        "size": list(written.size),
        "codec": written.codec,
    }


def _repaired(request: GenerationRequest, plan: Plan, frames: np.ndarray, run: Run) -> np.ndarray:
    """The frames with the asked repairs of their light; what was measured before them goes into the report."""
    if not request.correct:
        return frames
    light = run.facts.setdefault("light", {})
    light["before"] = measure(frames, plan.fps, request.light).to_json()
    light["correct"] = list(request.correct)
    if "deflicker" in request.correct:
        frames = deflicker(frames, request.light)
    if "color" in request.correct:
        frames = match_color(frames, _as_pixels(plan.first), request.light)
    return frames


def _as_pixels(picture: Tensor | None) -> np.ndarray | None:
    """[3, H, W] in -1..1 to uint8 [H, W, 3]."""
    if picture is None:
        return None
    return ((picture.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
