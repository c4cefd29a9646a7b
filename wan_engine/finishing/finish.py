# SPDX-License-Identifier: GPL-3.0-or-later
"""From the model's frames to the clip: light repaired, enlarged, redrawn, fitted to the shot's frames, written.

Nothing here changes the frames that the model made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..errors import UsageError
from ..light_curve import LightCurve
from ..media.frame_store import Frames, FrameStore
from ..media.video_writer import check_codec, exact_rate, place, write_clip
from ..request import GenerationRequest
from .interpolation import retimed
from .learned_interpolation import InterpolationModel
from .light_repair import deflicker, match_color
from .upscale import FACTORS, upscaled

Redraw = Callable[[Iterable[np.ndarray]], Frames]


def check_finish(request: GenerationRequest, folder: Path) -> None:
    """Notice before the work, not after it, what cannot be done. Raises UsageError, and CheckpointError for a learned
    model that cannot be used.
    """
    check_codec(request.codec)
    if request.upscale_model is not None and not (folder / request.upscale_model).is_file():
        raise UsageError(f"The upscaling model {folder / request.upscale_model} does not exist; check the path.")
    if request.upscale:
        _upscaled((), request.upscale, request, folder)
    if request.interpolation_model is not None:
        InterpolationModel(folder / request.interpolation_model)
    if request.refine and request.upscale not in FACTORS:
        raise UsageError("Refining redraws an enlarged clip; give --upscale too, or leave out --refine.")


def repaired(frames: Frames, repairs: Collection[str], first: np.ndarray | None, expected: LightCurve | None) -> Frames:
    """The frames with these repairs of their light, each made when it is asked for; `first` is the picture they were
    made from, uint8 [h, w, 3].
    """
    if "deflicker" in repairs:
        frames = deflicker(frames, expected)
    if "color" in repairs:
        frames = match_color(frames, first, expected)
    return frames


def enlarged(
    frames: Frames, request: GenerationRequest, folder: Path, redraw: Redraw | None = None
) -> Iterable[np.ndarray]:
    """The frames as large as the clip was asked for.

    `redraw` is the refining pass over the clip enlarged twice, None without one; a factor of 4 enlarges what it gives
    once more.
    """
    if redraw is not None:
        redrawn = redraw(_upscaled(frames, 2, request, folder))
        return _upscaled(redrawn, 2, request, folder) if request.upscale == 4 else redrawn
    return _upscaled(frames, request.upscale, request, folder) if request.upscale else frames


def _upscaled(
    frames: Iterable[np.ndarray], factor: int, request: GenerationRequest, folder: Path
) -> Iterator[np.ndarray]:
    model = None if request.upscale_model is None else folder / request.upscale_model
    return upscaled(frames, factor, request.upscaler, model)


def deliver(
    clip: Iterable[np.ndarray], shape: tuple[int, ...], request: GenerationRequest, fps: float, folder: Path
) -> tuple[dict[str, Any], Frames]:
    """Fit a clip to the shot's frames and write it; returns the report's facts about it, and its frames as delivered,
    scaled back to `shape`.

    `shape` (T, H, W) is that of the clip before it was enlarged, `fps` the rate of its frames. Raises GenerationError
    when the clip cannot be written.
    """
    count, height, width = shape
    between = None if request.interpolation_model is None else InterpolationModel(folder / request.interpolation_model)
    seen = FrameStore(folder, height, width)

    def watched() -> Iterator[np.ndarray]:
        for frame in retimed(clip, count, request.clip_frames or count, between):
            small = frame.shape[:2] == (height, width)
            seen.append(frame if small else cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA))
            yield frame

    out = place(Path(request.out), request.codec)
    written = write_clip(watched(), exact_rate(request.clip_fps or fps), folder / out, request.codec)
    facts = {
        "path": out.as_posix(),
        "frames": written.frames,
        "fps": str(written.fps),
        "size": list(written.size),
        "codec": written.codec,
    }
    return facts, seen
