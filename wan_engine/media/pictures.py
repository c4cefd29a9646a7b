# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures from disk, whatever made them, as people see them: upright, opaque, sRGB, 8 bits.

An opaque picture of 8 bits in sRGB comes out byte for byte as Pillow's `convert("RGB")` gives it, which is how the
original implementation reads pictures. What is done to others:

- turned as the camera's EXIF note says; of several pictures in a file the first
- transparency laid over black, as for clips, so that colours hidden by it stay hidden
- 16 and 32-bit grey scaled to 8 bits; floating point likewise, where EXR, HDR and PFM hold linear light, which gets the
  sRGB curve, and other files display values
- colours brought from the file's ICC profile to sRGB
"""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from ..errors import UsageError, reason_of
from .srgb import from_linear

_EXR, _HDR, _TIFF = b"\x76\x2f\x31\x01", (b"#?RADIANCE", b"#?RGBE", b"PF"), (b"II*\0", b"MM\0*")
_TILES, _DEEP, _PARTS = 0x200, 0x800, 0x1000  # flags in the head of an EXR
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # TIFF tags
_WHITE_IS_ZERO, _UNSIGNED, _SIGNED = 0, 1, 2  # what the latter two say; the second where there is none
_BYTE = 8  # bits
_UNKNOWN = "its format is unknown or it is damaged"
_BRIGHT = 32.0  # floating point values beyond it are counted like bytes, not with white at 1


def read_picture(path: Path, notes: list[str] | None = None, behind: str = "black") -> Image.Image:
    """The picture as RGB, laid over the colour `behind` where it is transparent; `notes` gets a sentence for each thing
    that was done to it and is not seen at once.

    Raises UsageError when it is missing, unreadable or too large.
    """
    told: list[str] = []
    if not path.exists():
        raise UsageError(f"The picture {path} does not exist; check the path.")
    if not path.is_file():
        raise UsageError(f"The picture {path} cannot be read (it is no file); give a picture file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata, and sizes still well below the limit
            picture = _read(path, told, behind)
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 1_000_000
        raise UsageError(f"The picture {path} is larger than {most} million pixels; save it smaller.") from None
    except MemoryError:
        raise UsageError(f"The picture {path} does not fit into memory; save it smaller.") from None
    except UnidentifiedImageError as error:  # whose own words name a place in memory
        raise UsageError(f"The picture {path} cannot be read ({_UNKNOWN}); save it again as PNG.") from error
    except Exception as error:  # a damaged file can make its reader fail with anything
        raise UsageError(f"The picture {path} cannot be read ({reason_of(error)}); save it again as PNG.") from error
    if notes is not None:
        notes += [f"The picture {path.name} {words}." for words in told]
    return picture


def _read(path: Path, told: list[str], behind: str) -> Image.Image:
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(_EXR):
        return _linear(_decoded_exr(path), told)
    if start.startswith(_HDR):
        return _linear(_decoded(path), told)
    try:
        # Not by its path: a file that Pillow maps into memory is scrambled where its sides are to be swapped.
        opened = Image.open(io.BytesIO(path.read_bytes()))
    except Image.UnidentifiedImageError:
        if not start.startswith(_TIFF):
            raise ValueError(_UNKNOWN) from None
        values = _decoded(path)  # such as floating point in colour, which Pillow does not read
        deep = _decoded_deep(path) if values.dtype == np.uint8 else None  # OpenCV has left out what it does not know
        return _opaque(_from_array(values if deep is None else deep, told), told, behind).convert("RGB")
    with opened:
        count = 1 if opened.format == "MPO" else getattr(opened, "n_frames", 1)  # MPO: a phone's previews
        if count > 1:
            told.append(f"holds {count} pictures; the first one is used")
        opened.load()
        if opened.format == "PPM" and opened.mode == "F":
            return _linear(np.asarray(opened), told)
        deep = _decoded_deep(path) if opened.format == "JPEG2000" else None
        if deep is None:
            negative = getattr(opened, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO
            upright = _of_8_bits(ImageOps.exif_transpose(opened), _whole_numbers(opened), negative, told)
        else:  # Pillow rounds what is nearly white up to black
            upright = _from_array(deep, told)
        return _in_srgb(_opaque(upright, told, behind), opened.info.get("icc_profile"), told)


def _of_8_bits(picture: Image.Image, whole: np.dtype, negative: bool, told: list[str]) -> Image.Image:
    """`whole` is what whole numbers of 32 bits stand for; `negative` tells that white is zero, which Pillow minds only
    in pictures of 8 bits.
    """
    if picture.mode != "F" and not picture.mode.startswith("I"):
        return picture
    values = np.asarray(picture)
    grey = _from_array(values.astype(whole) if picture.mode == "I" else values, told)
    if negative:
        grey = ImageOps.invert(grey)
    clear = picture.info.get("transparency")
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return grey


def _from_array(values: np.ndarray, told: list[str]) -> Image.Image:
    """[H, W], [H, W, 3] or [H, W, 4] of any number format, display values, as L, RGB or RGBA."""
    if np.issubdtype(values.dtype, np.floating):
        values = np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=0.0)
        top = np.max(values, initial=0.0, where=np.isfinite(values))
        white = 1.0 if top <= _BRIGHT else 255.0 if top <= 255 else 65535.0
        told.append("has floating point values; they were rounded to 8 bits")
    else:
        most = np.iinfo(values.dtype).max
        # 32 bits may hold a picture of fewer; 8 and 16 bits are what they say.
        whites = (2**8 - 1, 2**16 - 1, most) if values.dtype.itemsize > 2 else (most,)
        white = float(next(white for white in whites if values.max(initial=0) <= white))
        told.append("has more than 8 bits per channel; it was rounded to 8")
    return Image.fromarray(np.rint(np.clip(values / white, 0, 1) * 255).astype(np.uint8))


def _whole_numbers(picture: Image.Image) -> np.dtype:
    """What the whole numbers of a file are that Pillow gives as signed ones of 32 bits."""
    tags = getattr(picture, "tag_v2", {})
    kind = tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))[0] if tags else None
    if kind == _SIGNED and max(tags.get(_BITS, (0,))) == 2 * _BYTE:
        return np.dtype(np.int16)
    return np.dtype(np.uint32 if kind == _UNSIGNED else np.int32)


def _opaque(picture: Image.Image, told: list[str], behind: str) -> Image.Image:
    """Without transparency: laid over that colour where there is any."""
    if not picture.has_transparency_data:
        return picture
    pixels = picture.convert("RGBA")
    alpha = pixels.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return picture.convert("RGB")
    told.append(f"has transparency; it was laid over {behind}")
    return Image.composite(pixels.convert("RGB"), Image.new("RGB", pixels.size, behind), alpha)


def _in_srgb(picture: Image.Image, profile: bytes | None, told: list[str]) -> Image.Image:
    """RGB by the file's own profile; by Pillow's plain way where it has none, or sRGB, or one that cannot be used."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            name = ImageCms.getProfileDescription(source).strip()
            if "srgb" not in name.lower():
                picture = picture if picture.mode in ("RGB", "CMYK", "L") else picture.convert("RGB")
                converted = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
                if converted is not None:
                    told.append(f"was brought from the colours of {name} to sRGB")
                    return converted
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            told.append("has a colour profile that does not fit it; its values were taken as sRGB")
    return picture.convert("RGB")


def _linear(light: np.ndarray, told: list[str]) -> Image.Image:
    told.append("has linear light; it was given the sRGB curve, and what is brighter than white is white")
    pixels = Image.fromarray(from_linear(np.nan_to_num(light, nan=0.0, posinf=1.0, neginf=0.0)))
    return pixels.convert("RGB")


def _decoded_exr(path: Path) -> np.ndarray:
    """float32 [H, W, 3]. Its colours are multiplied by its transparency already, and so lie over black."""
    if not _is_whole_exr(path.read_bytes()):
        raise ValueError("it ends in the middle")  # FFmpeg makes a picture with holes of it
    try:
        with av.open(str(path)) as container:
            # In one thread: FFmpeg's threads now and then leave wrong pixels where a band of half floats begins.
            return next(container.decode(video=0)).to_ndarray(format="gbrpf32le", threads=1)
    except av.PatchWelcomeError as error:
        raise ValueError("it has several layers or is of a rare kind") from error


def _is_whole_exr(data: bytes) -> bool:
    """Whether all blocks of pixels are there (openexr.com, "OpenEXR File Layout"): behind the header's attributes, each
    a name, a type, a size and that many bytes, lie the blocks' places, up to the first block. Of files with blocks that
    begin otherwise than by line and size, in tiles or several parts, only the places are looked at.
    """
    (flags,) = struct.unpack_from("<I", data, 4)
    place = 8
    while data[place] != 0:
        place = data.index(b"\0", data.index(b"\0", place) + 1) + 1
        place += 4 + struct.unpack_from("<I", data, place)[0]
    place += 1 + bool(flags & _PARTS)
    (first,) = struct.unpack_from("<Q", data, place)
    blocks = struct.unpack_from(f"<{max(0, first - place) // 8}Q", data, place)
    lines = not flags & (_TILES | _DEEP | _PARTS)
    sizes = [struct.unpack_from("<I", data, block + 4)[0] if lines else 0 for block in blocks]
    return bool(blocks) and all(block + 8 + size <= len(data) for block, size in zip(blocks, sizes, strict=True))


def _decoded(path: Path) -> np.ndarray:
    """[H, W], [H, W, 3] or [H, W, 4] in the file's own number format, by OpenCV. Raises ValueError."""
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError(_UNKNOWN)
    return pixels[..., [2, 1, 0, *range(3, pixels.shape[-1])]] if pixels.ndim == 3 else pixels


def _decoded_deep(path: Path) -> np.ndarray | None:
    """uint16 [H, W, 4] by FFmpeg; None for a picture of 8 bits, or one that FFmpeg does not read."""
    try:
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            if max(component.bits for component in frame.format.components) <= _BYTE:
                return None
            return frame.to_ndarray(format="rgba64le")
    except (av.FFmpegError, StopIteration):
        return None


def sides(size: tuple[int, int]) -> str:
    """Width and height in words."""
    return f"{size[0]}x{size[1]}"
