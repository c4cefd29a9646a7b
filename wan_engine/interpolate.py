# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames between frames: motion is warped along the optical flow, light is blended between the two in linear light.

Frames are uint8 [H, W, 3], RGB, display-referred. Flow is OpenCV's DIS (arXiv 1603.03590) in both directions.

For a time t between frames A (0) and B (1), a pixel's motion u is looked up where it comes from: u = flow_ab(x - t u),
and once more from the other side, u = -flow_ba(x + (1 - t) u), each by a few fixed-point iterations. Of the two, the one
counts more that is consistent: it leads to a fixed point, and the flows there and back cancel (Sundaram et al. 2010,
"Dense point trajectories"). Where only one frame shows what is seen (occlusion), only that one is taken, and the light
that it lacks follows the change of light around it. Where nothing fits, the frames are faded in place; a pair of which
most does not fit (a cut, a motion too large) is faded as a whole, so that nothing tears.

Learned models are not offered: those in use are published as Python code with pickled weights per version, or as
TorchScript, which runs whatever code its file holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from .colour import from_linear, to_linear

_SMALLEST = 32  # below this many pixels the flow's coarsest patches do not fit
_ITERATIONS = 3
_LIGHT_GRID = 8  # light changes are gathered on a grid this much coarser than the picture
_FIT = (0.35, 0.6)  # share of a pair that must fit: below the first it is faded, above the second it is warped
_LARGEST_GAIN = 8.0


def retime(frames: np.ndarray, count: int) -> np.ndarray:
    """Exactly `count` frames spanning the same duration as `frames` [T, H, W, 3]; the first and the last stay as they
    are, and so does every frame whose time is asked for.
    """
    if count == len(frames):
        return frames
    return np.stack(list(retimed(frames, len(frames), count)))


def retimed(frames: Iterable[np.ndarray], total: int, count: int) -> Iterator[np.ndarray]:
    """`retime` for frames that come one by one, `total` of them; two are held at a time."""
    times = np.linspace(0, total - 1, count)
    coming = enumerate(frames)
    index, frame = next(coming)
    pair: _FramePair | None = None
    for time in times:
        first = min(int(time + 1e-9), total - 1)
        while index < min(first + 1, total - 1) and (index < first or time - first >= 1e-6):
            previous = frame
            index, frame = next(coming)
            pair = None
        ...
