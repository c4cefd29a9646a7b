# SPDX-License-Identifier: GPL-3.0-or-later
"""From frames to a clip: retiming to an exact frame count, and H.264 at an exact frame rate.

Frames are uint8 [T, H, W, 3], RGB.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from .request import GenerationError

_BT709 = 1  # the same code for matrix, primaries and transfer in ITU-T H.273
_SMALLEST_FOR_FLOW = 32  # below this the flow's coarsest patches do not fit


def exact_rate(fps: float | Fraction) -> Fraction:
    """The frame rate as a fraction; 23.976, 29.97 and their like become n*1000/1001."""
    if isinstance(fps, Fraction):
        return fps
    ntsc = Fraction(round(fps) * 1000, 1001)
    if round(fps) % 6 == 0 and abs(fps - ntsc) < 0.005:
        return ntsc
    return Fraction(fps).limit_denominator(1001)


def retime(frames: np.ndarray, count: int) -> np.ndarray:
    """Exactly `count` frames spanning the same duration; the first and last frame stay as they are.

    Frames in between follow the optical flow of their two neighbours in both directions, blended by time. Where the
    two directions contradict each other (occlusion, light that changes) the neighbours are cross-faded in place.
    """
    total = len(frames)
    if count == total:
        return frames
    times = np.linspace(0, total - 1, count)
    result = np.empty((count, *frames.shape[1:]), np.uint8)
    pair: _FramePair | None = None
    for k, time in enumerate(times):
        first = min(int(time + 1e-9), total - 1)
        part = time - first
        if part < 1e-6:
            result[k] = frames[first]
            continue
        if pair is None or pair.first != first:
            pair = _FramePair(first, frames[first], frames[first + 1])
        result[k] = pair.between(part)
    return result


class _FramePair:
    """Two neighbouring frames and the flow between them, made once for all frames in between."""

    def __init__(self, first: int, a: np.ndarray, b: np.ndarray) -> None:
        self.first = first
        self._a, self._b = a.astype(np.float32), b.astype(np.float32)
        self._flow = min(a.shape[:2]) >= _SMALLEST_FOR_FLOW
        if not self._flow:
            return
        gray_a, gray_b = (cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY) for image in (a, b))
        solver = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        still = np.zeros((*gray_a.shape, 2), np.float32)
        self._ab = solver.calc(gray_a, gray_b, still.copy())
        self._ba = solver.calc(gray_b, gray_a, still)
        self._trust_a = _agreement(self._ab, self._ba)
        self._trust_b = _agreement(self._ba, self._ab)

    def between(self, time: float) -> np.ndarray:
        """The frame at `time` in 0..1. Flow at the time between as in Super SloMo (arXiv 1712.00080), equation 4."""
        t = np.float32(time)
        faded = (1 - t) * self._a + t * self._b
        if self._flow:
            to_a = -(1 - t) * t * self._ab + t * t * self._ba
            to_b = (1 - t) * (1 - t) * self._ab - t * (1 - t) * self._ba
            moved = (1 - t) * _warp(self._a, to_a) + t * _warp(self._b, to_b)
            trust = np.minimum(_warp(self._trust_a, to_a), _warp(self._trust_b, to_b))[..., None]
            faded = trust * moved + (1 - trust) * faded
        return np.clip(np.rint(faded), 0, 255).astype(np.uint8)


def _warp(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Sample `image` at each pixel's position moved by `flow`."""
    rows, columns = np.indices(flow.shape[:2], np.float32)
    return cv2.remap(
        image, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _agreement(forward: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """1 where going there and back ends where it began, 0 where it does not, with a soft edge.

    The bound grows with the length of the motion, as in Sundaram et al. 2010.
    """
    back = _warp(backward, forward)
    error = ((forward + back) ** 2).sum(-1)
    bound = 0.01 * ((forward**2).sum(-1) + (back**2).sum(-1)) + 0.5
    return cv2.GaussianBlur((error < bound).astype(np.float32), (5, 5), 0)


def write_mp4(frames: np.ndarray, fps: float | Fraction, path: Path) -> None:
    """Write H.264, 4:2:0, BT.709 limited range, a keyframe every second at least; appears complete or not at all.

    An odd width or height is padded by repeating the last column or row. Raises GenerationError when the disk is full
    or the folder cannot be written.
    """
    height, width = frames.shape[1:3]
    if height % 2 or width % 2:
        frames = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    write_whole(path, lambda partial: _encode(frames, exact_rate(fps), partial))


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in place at once.

    Raises GenerationError in words when the disk is full or the folder cannot be written; nothing partial stays.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(unfinished)
            with unfinished.open("rb+") as file:
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except (OSError, av.FFmpegError) as error:
        reason = getattr(error, "strerror", None) or error
        raise GenerationError(
            f"{path} cannot be written ({reason}); free some disk space or choose another place."
        ) from error


def write_pngs(frames: np.ndarray, folder: Path) -> None:
    """Every frame as `frame_0001.png` and so on; frames of an earlier run are replaced."""
    for old in folder.glob("frame_*.png"):
        old.unlink()
    for k, frame in enumerate(frames, 1):
        save = partial(Image.fromarray(frame).save, format="PNG")
        write_whole(folder / f"frame_{k:04}.png", save)


def _encode(frames: np.ndarray, rate: Fraction, path: Path) -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        # No B-frames: the first frame starts at zero and editors seek quickly.
        stream.options = {"crf": "16", "preset": "medium", "bf": "0", "g": str(max(1, int(rate)))}
        context = stream.codec_context
        context.time_base = 1 / rate
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = ColorRange.MPEG
        for k, pixels in enumerate(frames):
            container.mux(stream.encode(_yuv_frame(pixels, k, 1 / rate)))
        container.mux(stream.encode(None))


def _yuv_frame(pixels: np.ndarray, k: int, time_base: Fraction) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    frame = frame.reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
    )
    frame.pts, frame.time_base = k, time_base
    return frame
