# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a clip from a file, whatever its codec, depth and rate, as 8-bit RGB frames."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from .request import GenerationError, UsageError

_UNSPECIFIED = 2  # ITU-T H.273


def read_clip(path: Path, long_side: int | None = None) -> tuple[np.ndarray, float]:
    """The frames of a video file, uint8 [T, H, W, 3] RGB, and its rate in frames per second.

    10 and 12 bit come down to 8, alpha is dropped, 4:2:0 is brought to RGB by the colour matrix the file states
    (BT.709 where it states none). With a variable rate every coded frame counts once and the rate is the average.
    `long_side` makes the frames smaller while reading. Raises UsageError when there is no such file or it holds no
    picture, GenerationError when it cannot be decoded.
    """
    if not path.is_file():
        raise UsageError(f"There is no clip {path}; give a video file.")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UsageError(f"{path} holds no pictures; give a video file.")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            frames, times = [], []
            for frame in container.decode(stream):
                frames.append(_rgb(frame, long_side))
                times.append(frame.time)
            rate = stream.average_rate or stream.guessed_rate
    except av.FFmpegError as error:
        raise GenerationError(_in_words(path, error)) from error
    if not frames:
        raise UsageError(f"{path} holds no frames; it may not have been written to its end.")
    if any(frame.shape != frames[0].shape for frame in frames):
        raise GenerationError(f"{path} changes its picture size on the way; convert it to one size.")
    return np.stack(frames), _rate(times, None if rate is None else float(rate))


def _rate(times: list[float | None], stated: float | None) -> float:
    """The average over the frames' own times, which is right for a variable rate too; else what the file states."""
    known = [time for time in times if time is not None]
    if len(known) > 1 and known[-1] > known[0]:
        measured = (len(known) - 1) / (known[-1] - known[0])
        return stated if stated and abs(stated / measured - 1) < 0.005 else measured
    return stated or 24.0


def _rgb(frame: av.VideoFrame, long_side: int | None) -> np.ndarray:
    scale = 1.0 if long_side is None else min(1.0, long_side / max(frame.width, frame.height))
    matrix = Colorspace.ITU709 if frame.colorspace == _UNSPECIFIED else None
    rgb = frame.reformat(
        width=max(1, round(frame.width * scale)),
        height=max(1, round(frame.height * scale)),
        format="rgb24",
        src_colorspace=matrix,
        dst_color_range=ColorRange.JPEG,
        interpolation=Interpolation.AREA if scale < 1 else Interpolation.BICUBIC,
    )
    return rgb.to_ndarray()


def _in_words(path: Path, error: av.FFmpegError) -> str:
    if isinstance(error, av.DecoderNotFoundError):
        return f"{path} uses a codec that is not there; convert it to H.264."
    return f"{path} cannot be decoded ({error.strerror or error}); it may be damaged, or convert it to H.264."
