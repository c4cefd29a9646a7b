# SPDX-License-Identifier: GPL-3.0-or-later
"""Movies from disk, whatever made them: frame by frame, or whole at one constant rate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import Colorspace

from ..errors import UsageError, reason_of
from ..text_files import check_file
from .video_writer import exact_rate

_BT709, _UNTAGGED = 1, 2  # matrix codes of ITU-T H.273
_HIGH_DEFINITION = 720  # rows from which untagged footage is taken for BT.709, as players do
_UNEVEN = 0.25  # of a frame's duration: what a container's rounding of times does not reach
_LOCAL = {"protocol_whitelist": "file"}  # a playlist opens nothing but files


@dataclass(frozen=True)
class Footage:
    """uint8 [T, H, W, 3] RGB, their rate, and in words what was changed to get there."""

    frames: np.ndarray
    fps: Fraction
    notes: tuple[str, ...] = ()


class Shown(NamedTuple):
    """A frame as it is seen: uint8 [H, W, 3], when it begins in seconds, and whether any of it was transparent."""

    pixels: np.ndarray
    time: float
    transparent: bool


class Movie:
    """The frames of a movie file, decoded when they are asked for: memory does not grow with its length, and in their
    order they cost one pass through the file. `fps` is their mean rate, `bits` are those of a channel.

    Each colour is told by the file's own matrix and range, brought to 8 bits, turned as the file says, and transparency
    laid over black. Raises UsageError when the file is not there or holds no readable video, also in its middle.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with _opened(path) as (_, stream):
            self.fps = stream.average_rate or stream.guessed_rate or Fraction(24)
            self.bits = max(component.bits for component in stream.codec_context.format.components)
        self._coming: Iterator[av.VideoFrame] = iter(())
        self._frame: av.VideoFrame | None = None
        self._number: int | None = None

    def __iter__(self) -> Iterator[Shown]:
        for number, frame in enumerate(_decoded(self._path)):
            pixels, transparent = _rgb(frame)
            yield Shown(pixels, float(number / self.fps) if frame.time is None else frame.time, transparent)

    def __getitem__(self, number: int) -> np.ndarray:
        """uint8 [H, W, 3]."""
        if self._number is None or number < self._number:
            self._coming, self._number = _decoded(self._path), -1
        while self._number < number:
            self._frame = next(self._coming, None)
            self._number += 1
        if self._frame is None:
            raise UsageError(f"{self._path} has changed while it was read; give the same command again.")
        return _rgb(self._frame)[0]

    def notes(self, words: str, transparent: bool) -> list[str]:
        """What was done to each frame, of the movie that `words` tell."""
        notes = []
        if self.bits > 8:
            notes.append(f"{words} has {self.bits} bits per channel; it was rounded to 8.")
        if transparent:
            notes.append(f"{words} has transparency; it was laid over black.")
        return notes


def read_clip(path: Path) -> Footage:
    """All frames of a movie file as a `Movie` tells them, a variable frame rate resampled to its mean rate; notes tell
    of it. Raises UsageError when the file is not there or holds no readable video.
    """
    movie = Movie(path)
    shown = list(movie)
    check_sizes(path, {frame.pixels.shape for frame in shown})
    frames, rate = [frame.pixels for frame in shown], movie.fps
    notes = movie.notes("The clip", any(frame.transparent for frame in shown))
    times = np.array([frame.time for frame in shown])
    if is_uneven(times):
        mean = (times[-1] - times[0]) / (len(frames) - 1)
        rate = Fraction(1 / mean).limit_denominator(1001)
        moments = times[0] + np.arange(len(frames)) * mean
        frames = [frames[k] for k in np.searchsorted(times, moments + 0.01 * mean, "right") - 1]
        notes.append(f"The frame rate varies; the frames were laid out evenly at {float(rate):.3g} per second.")
    return Footage(np.stack(frames), exact_rate(float(rate)), tuple(notes))


def check_sizes(path: Path, shapes: set[tuple[int, ...]]) -> None:
    """Raise UsageError for a movie whose frames have none or several of these shapes."""
    if not shapes:
        raise UsageError(f"{path} holds no readable frame.")
    if len(shapes) > 1:
        raise UsageError(f"{path} changes its size midway; give a clip of one size.")


def is_uneven(times: np.ndarray) -> bool:
    """Whether frames that begin at these times [T], in seconds, do not follow each other at one rate."""
    if len(times) < 3 or not times[-1] > times[0]:
        return False
    mean = (times[-1] - times[0]) / (len(times) - 1)
    return bool(np.abs(np.diff(times) - mean).max() > _UNEVEN * mean)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """The file and its video; what the file makes go wrong is told in words."""
    try:
        check_file(path)
        with av.open(f"file:{path}", options=_LOCAL, metadata_errors="replace") as container:
            stream = container.streams.best("video")
            if not isinstance(stream, av.VideoStream):
                raise UsageError(f"{path} holds no video; give a movie file.")
            if stream.codec_context is None or stream.codec_context.format is None:
                raise UsageError(f"{path} is in a codec that is not known here; convert it to H.264 first.")
            stream.thread_type = "AUTO"
            yield container, stream
    except (OSError, av.FFmpegError) as error:
        raise UsageError(f"{path} cannot be read as a video ({reason_of(error)}); give a whole movie file.") from error


def _decoded(path: Path) -> Iterator[av.VideoFrame]:
    with _opened(path) as (container, stream):
        yield from container.decode(stream)


def _rgb(frame: av.VideoFrame) -> tuple[np.ndarray, bool]:
    """uint8 [H, W, 3], turned upright, and whether any pixel was transparent."""
    matrix = int(frame.colorspace)
    is_709 = matrix == _BT709 or (matrix == _UNTAGGED and frame.height >= _HIGH_DEFINITION)
    source = Colorspace.ITU709 if is_709 else Colorspace.ITU601
    alpha = any(component.is_alpha for component in frame.format.components)
    pixels = frame.reformat(format="rgba" if alpha else "rgb24", src_colorspace=source).to_ndarray()
    pixels = np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))
    if not alpha:
        return pixels, False
    opaque = bool((pixels[..., 3] == 255).all())
    wide = pixels.astype(np.uint16)
    return ((wide[..., :3] * wide[..., 3:] + 127) // 255).astype(np.uint8), not opaque
