# SPDX-License-Identifier: GPL-3.0-or-later
"""Movies of any codec and pixel format, and folders of pictures, for tests."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image


def write(path, frames, codec, layout, source="rgb24", times=None, fps=24, **options):
    """A movie with the frames at `times`, counted in frames at `fps`."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = layout
        stream.options = options
        stream.codec_context.time_base = Fraction(1, fps)
        for k, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format=source).reformat(format=layout)
            frame.pts, frame.time_base = k if times is None else times[k], Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_frames(folder: Path, frames: np.ndarray) -> None:
    """Frames uint8 [n, h, w, 3] as pictures of a new folder."""
    folder.mkdir()
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{number:04}.png")
