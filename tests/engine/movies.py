# SPDX-License-Identifier: GPL-3.0-or-later
"""Movies of any codec and pixel format for tests."""

from __future__ import annotations

from fractions import Fraction

import av


def write(path, frames, codec, layout, source="rgb24", times=None, **options):
    """A movie with the frames at `times`, in 24ths of a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=24)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = layout
        stream.options = options
        stream.codec_context.time_base = Fraction(1, 24)
        for k, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format=source).reformat(format=layout)
            frame.pts, frame.time_base = k if times is None else times[k], Fraction(1, 24)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
