# SPDX-License-Identifier: GPL-3.0-or-later
"""Movies of any codec and pixel format for tests."""

from __future__ import annotations

from fractions import Fraction

import av


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
