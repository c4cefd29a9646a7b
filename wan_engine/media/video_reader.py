# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips from disk, whatever made them, as frames at one constant rate."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Colorspace

from ..errors import UsageError
from .video_writer import exact_rate

_BT709, _UNTAGGED = 1, 2  # matrix codes of ITU-T H.273
_HIGH_DEFINITION = 720  # rows from which untagged footage is taken for BT.709, as players do
_UNEVEN = 0.25  # of a frame's duration: what a container's rounding of times does not reach


@dataclass(frozen=True)
class Footage:
    """uint8 [T, H, W, 3] RGB, their rate, and in words what was changed to get there."""

    frames: np.ndarray
    fps: Fraction
    notes: tuple[str, ...] = ()


def read_clip(path: Path) -> Footage:
    """All frames of a movie file, 8 bits per channel, each colour by the file's own matrix and range.

    More bits are rounded, transparency is laid over black, and a variable frame rate is resampled to its mean rate;
    notes tell of it. Raises UsageError when the file is not there or holds no readable video.
    """
    try:
        return _read(path)
    except (OSError, av.FFmpegError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path} cannot be read as a video ({reason}).") from error


def _read(path: Path) -> Footage:
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise UsageError(f"{path} holds no video; give a movie file.")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise UsageError(f"{path} is in a codec that is not known here; convert it to H.264 first.")
        stream.thread_type = "AUTO"
        frames: list[np.ndarray] = []
        times: list[float] = []
        notes = _format_notes(stream.codec_context.format)
        for frame in container.decode(stream):
            frames.append(_rgb(frame))
            times.append(len(times) if frame.time is None else frame.time)
        rate = stream.average_rate or stream.guessed_rate or Fraction(24)
    if not frames:
        raise UsageError(f"{path} holds no readable frame.")
    if len({frame.shape for frame in frames}) > 1:
        raise UsageError(f"{path} changes its size midway; give a clip of one size.")
    if len(frames) > 2:
        durations = np.diff(times)
        mean = (times[-1] - times[0]) / (len(frames) - 1)
        if mean > 0 and np.abs(durations - mean).max() > _UNEVEN * mean:
            rate = Fraction(1 / mean).limit_denominator(1001)
            moments = times[0] + np.arange(len(frames)) * mean
            frames = [frames[k] for k in np.searchsorted(times, moments + 0.01 * mean, "right") - 1]
            notes.append(f"The frame rate varies; the frames were laid out evenly at {float(rate):.3g} per second.")
    return Footage(np.stack(frames), exact_rate(float(rate)), tuple(notes))


def _format_notes(layout: av.VideoFormat) -> list[str]:
    notes = []
    bits = max(component.bits for component in layout.components)
    if bits > 8:
        notes.append(f"The clip has {bits} bits per channel; it was rounded to 8.")
    if any(component.is_alpha for component in layout.components):
        notes.append("The clip has transparency; it was laid over black.")
    return notes


def _rgb(frame: av.VideoFrame) -> np.ndarray:
    matrix = int(frame.colorspace)
    is_709 = matrix == _BT709 or (matrix == _UNTAGGED and frame.height >= _HIGH_DEFINITION)
    source = Colorspace.ITU709 if is_709 else Colorspace.ITU601
    if not any(component.is_alpha for component in frame.format.components):
        return frame.reformat(format="rgb24", src_colorspace=source).to_ndarray()
    pixels = frame.reformat(format="rgba", src_colorspace=source).to_ndarray().astype(np.uint16)
    return ((pixels[..., :3] * pixels[..., 3:] + 127) // 255).astype(np.uint8)
