# SPDX-License-Identifier: GPL-3.0-or-later
"""From frames to files: movies and sequences of pictures.

Frames are uint8 [H, W, 3], RGB, display-referred: what Blender's view transform made of the scene, so the sRGB curve
over Rec.709 primaries. They are taken one by one, so that the memory needed does not grow with the clip. Colours per
codec:

- h264: 4:2:0, 8 bit, BT.709 matrix, limited range, tagged BT.709. For viewing and for the sequencer: a keyframe every
  second at least, no B-frames and the index in front, so that it scrubs well.
- prores: ProRes 422 HQ, 10 bit, else as h264. For editing; every frame is a keyframe.
- ffv1: RGB, 8 bit, nothing lost; every frame is a keyframe with a checksum. For what the model made, before finishing.
- png: the values as they are, marked sRGB.
- exr: linear light, half floats: the values with the sRGB curve undone, primaries Rec.709. White is 1.0; what the view
  transform had compressed stays compressed, so it is display-referred light, not the scene's.

No codec writes audio.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..errors import GenerationError, UsageError
from .atomic_write import write_whole, write_whole_sequence
from .srgb import to_linear

_BT709 = 1  # the same code for matrix, primaries and transfer in ITU-T H.273


@dataclass(frozen=True)
class Codec:
    """How one kind of clip is written. `ending` is that of its file, or of each picture of a sequence in a folder.

    `grid` is what (width, height) must be multiples of. `options` are the encoder's.
    """

    title: str
    ending: str
    encoder: str
    pixels: str
    sequence: bool = False
    container: str = ""
    grid: tuple[int, int] = (1, 1)
    options: Mapping[str, str] = field(default_factory=dict)


CODECS: Mapping[str, Codec] = MappingProxyType(
    {
        "h264": Codec(
            "H.264",
            ".mp4",
            "libx264",
            "yuv420p",
            container="mp4",
            grid=(2, 2),
            options={"crf": "16", "preset": "medium", "bf": "0"},
        ),
        "prores": Codec(
            "ProRes 422 HQ",
            ".mov",
            "prores_ks",
            "yuv422p10le",
            container="mov",
            grid=(2, 1),
            options={"profile": "hq", "vendor": "apl0"},
        ),
        "ffv1": Codec(
            "FFV1",
            ".mkv",
            "ffv1",
            "bgr0",
            container="matroska",
            options={"level": "3", "slicecrc": "1", "slices": "4"},
        ),
        "png": Codec("PNG sequence", ".png", "png", "rgb24", sequence=True),
        "exr": Codec("OpenEXR sequence", ".exr", "exr", "gbrpf32le", sequence=True),
    }
)


@dataclass(frozen=True)
class Written:
    """What was written: the count of frames, their exact rate, (width, height), and the name of the codec."""

    frames: int
    fps: Fraction
    size: tuple[int, int]
    codec: str


def exact_rate(fps: float | Fraction) -> Fraction:
    """The frame rate as a fraction; 23.976, 29.97 and their like become n*1000/1001."""
    if isinstance(fps, Fraction):
        return fps
    ntsc = Fraction(round(fps) * 1000, 1001)
    if round(fps) % 6 == 0 and abs(fps - ntsc) < 0.005:
        return ntsc
    return Fraction(fps).limit_denominator(1001)


def check_codec(name: str) -> Codec:
    """The codec of that name. Raises UsageError when there is none, or when PyAV was built without its encoder."""
    if name not in CODECS:
        raise UsageError(f"codec is {name!r}, but must be one of {', '.join(CODECS)}.")
    if not _can_encode(CODECS[name]):
        there = ", ".join(known for known, codec in CODECS.items() if _can_encode(codec))
        raise UsageError(
            f"The installed PyAV cannot write {CODECS[name].title} (it was built without {CODECS[name].encoder}); "
            f"it can write {there or 'none of the codecs'}."
        )
    return CODECS[name]


def place(path: Path, codec: str) -> Path:
    """Where a clip of this codec goes when it is to be called `path`: with the codec's own ending, and for a sequence
    the folder of that name without one.
    """
    chosen = check_codec(codec)
    return path.with_suffix("") if chosen.sequence else path.with_suffix(chosen.ending)


def write_clip(frames: Iterable[np.ndarray], fps: float | Fraction, path: Path, codec: str = "h264") -> Written:
    """Write the frames (uint8 [H, W, 3], all of one size) to the file, or for a sequence into the folder, `path`.

    It appears complete or not at all; a clip of that name is replaced. Pictures are called `frame_0001.png` and so on.
    Where the codec needs even sides the last column or row is repeated. `frames` is read once.

    Raises UsageError for an unknown or absent codec or an ending that is not the codec's, GenerationError when there
    is no frame, the disk is full or the place cannot be written.
    """
    chosen = check_codec(codec)
    if not chosen.sequence and path.suffix.lower() != chosen.ending:
        raise UsageError(
            f"{chosen.title} is written to {chosen.ending} files; call the clip {place(path, codec).name}."
        )
    rate = exact_rate(fps)
    counted = _Counted(frames)
    if chosen.sequence:
        save = _save_png if codec == "png" else _save_exr
        fill: Callable[[Path], object] = partial(_write_pictures, counted, chosen.ending, save)
        write_whole_sequence(path, f"frame_*{chosen.ending}", fill)
    else:
        write_whole(path, lambda file: _write_movie(counted, rate, chosen, file))
    return Written(counted.count, rate, counted.size, codec)


def _can_encode(codec: Codec) -> bool:
    try:
        return av.Codec(codec.encoder, "w").is_encoder
    except av.codec.codec.UnknownCodecError:
        return False


class _Counted:
    """The frames, with their size known from the first and their count at the end."""

    def __init__(self, frames: Iterable[np.ndarray]) -> None:
        rest = iter(frames)
        first = next(rest, None)
        if first is None:
            raise GenerationError("There is no frame to write; the clip needs at least one.")
        if first.dtype != np.uint8 or first.ndim != 3 or first.shape[2] != 3:
            raise ValueError(f"frames must be uint8 [H, W, 3], not {first.dtype} {list(first.shape)}")
        self.size = (first.shape[1], first.shape[0])
        self.count = 0
        self._frames = chain([first], rest)

    def __iter__(self) -> Iterator[np.ndarray]:
        for frame in self._frames:
            self.count += 1
            yield np.ascontiguousarray(frame)


def _write_movie(frames: _Counted, rate: Fraction, codec: Codec, path: Path) -> None:
    padding = [-side % multiple for side, multiple in zip(frames.size, codec.grid, strict=True)]
    options = {"movflags": "+faststart"} if codec.container in ("mp4", "mov") else {}
    with av.open(str(path), "w", format=codec.container, options=options) as container:
        stream = container.add_stream(codec.encoder, rate=rate)
        stream.width, stream.height = (side + more for side, more in zip(frames.size, padding, strict=True))
        stream.pix_fmt = codec.pixels
        stream.options = {**codec.options, "g": "1" if codec.encoder == "ffv1" else str(max(1, int(rate)))}
        context = stream.codec_context
        context.time_base = 1 / rate
        if codec.pixels.startswith("yuv"):
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            context.color_range = ColorRange.MPEG
        for k, pixels in enumerate(frames):
            padded = np.pad(pixels, ((0, padding[1]), (0, padding[0]), (0, 0)), mode="edge")
            frame = _video_frame(padded, codec.pixels)
            frame.pts, frame.time_base = k, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _video_frame(pixels: np.ndarray, layout: str) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    if not layout.startswith("yuv"):
        return frame.reformat(format=layout)
    return frame.reformat(
        format=layout,
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
    )


def _write_pictures(frames: _Counted, ending: str, save: Callable[[np.ndarray, Path], None], folder: Path) -> None:
    for k, frame in enumerate(frames, 1):
        save(frame, folder / f"frame_{k:04}{ending}")


def _save_png(pixels: np.ndarray, path: Path) -> None:
    marks = PngInfo()
    marks.add(b"sRGB", b"\0")  # rendering intent: perceptual
    Image.fromarray(pixels).save(path, format="PNG", pnginfo=marks)


def _save_exr(pixels: np.ndarray, path: Path) -> None:
    encoder = av.CodecContext.create("exr", "w")
    encoder.height, encoder.width = pixels.shape[:2]
    encoder.pix_fmt = "gbrpf32le"
    encoder.time_base = Fraction(1)
    encoder.options = {"format": "half", "compression": "zip16"}
    packets = encoder.encode(av.VideoFrame.from_ndarray(to_linear(pixels), format="gbrpf32le"))
    path.write_bytes(b"".join(map(bytes, [*packets, *encoder.encode(None)])))
