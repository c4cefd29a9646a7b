# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of every kind are read as people see them, and opaque ones of 8 bits as the original reads them."""

import io
import os
import struct
import sys

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from wan_engine.errors import UsageError
from wan_engine.media.pictures import read_picture
from wan_engine.media.srgb import to_linear
from wan_engine.media.video_writer import write_clip

SEEN = np.random.default_rng(4).integers(0, 256, (40, 62, 3), np.uint8)
GREY, ALPHA = SEEN[..., 0], np.random.default_rng(5).integers(0, 256, (40, 62), np.uint8)
ALPHA[:8], ALPHA[8:16] = 0, 255
LOSSLESS = (cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000)
OVER_BLACK = np.rint(SEEN * (ALPHA[..., None] / 255))


def read(path):
    notes = []
    return np.asarray(read_picture(path, notes)).astype(int), " ".join(notes)


def assert_seen(path, want, off=0, words=""):
    pixels, notes = read(path)
    want = np.asarray(want).astype(int)
    assert np.abs(pixels - (want if want.ndim == 3 else want[..., None])).max() <= off, path
    assert words in notes and bool(words) == bool(notes), notes


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "CMYK", "YCbCr"])
@pytest.mark.parametrize("ending", ["png", "tif", "jpg", "bmp", "webp"])
def test_opaque_pictures_are_read_as_the_original_reads_them(tmp_path, mode, ending):
    path = tmp_path / f"a.{ending}"
    try:
        Image.fromarray(SEEN).convert(mode).save(path)
    except (OSError, KeyError):
        pytest.skip(f"there is no {ending} in {mode}")
    assert_seen(path, np.asarray(Image.open(path).convert("RGB")))


def test_opaque_alpha_and_sixteen_bits_in_colour_are_read_as_the_original_reads_them(tmp_path):
    opaque = np.dstack([SEEN, np.full_like(GREY, 255)])
    Image.fromarray(opaque).save(tmp_path / "rgba.png")
    assert_seen(tmp_path / "rgba.png", SEEN)
    deep = np.random.default_rng(6).integers(0, 65536, (40, 62, 3)).astype(np.uint16)
    for name in ("deep.png", "deep.tif"):
        cv2.imwrite(str(tmp_path / name), deep[..., ::-1])
        assert_seen(tmp_path / name, deep >> 8)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
def test_pictures_stand_upright(tmp_path, turn, ending):
    """The stored pixels are turned so that the note makes them upright again; smooth, for JPEG."""
    y, x = np.mgrid[:40, :64]
    seen = np.stack([4 * x, 6 * y, x + y], -1).astype(np.uint8)
    stored = {
        1: seen, 2: seen[:, ::-1], 3: seen[::-1, ::-1], 4: seen[::-1], 5: seen.swapaxes(0, 1),
        6: np.rot90(seen), 7: seen[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(seen, -1),
    }[turn]  # fmt: skip
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turn
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / f"a.{ending}", exif=exif, quality=100)
    assert_seen(tmp_path / f"a.{ending}", seen, 12 if ending in ("jpg", "webp") else 0)


@pytest.mark.parametrize("turn", [3, 6])
def test_deep_and_transparent_pictures_stand_upright(tmp_path, turn):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turn
    stored = np.ascontiguousarray(GREY[::-1, ::-1] if turn == 3 else np.rot90(GREY))
    for name in ("deep.png", "deep.tif"):
        Image.fromarray(stored.astype(np.uint16) * 257).save(tmp_path / name, exif=exif.tobytes())
        assert_seen(tmp_path / name, GREY, words="8 bits")
    Image.fromarray(stored).save(tmp_path / "grey.tif", exif=exif.tobytes())
    assert_seen(tmp_path / "grey.tif", GREY)
    Image.fromarray(np.dstack([stored, np.full_like(stored, 128)])).save(tmp_path / "clear.png", exif=exif)
    assert_seen(tmp_path / "clear.png", GREY * (128 / 255), 1, "over black")


def test_deep_grey_keeps_its_tones(tmp_path):
    deep = {
        "16.png": Image.fromarray(GREY.astype(np.uint16) * 257),
        "16.tif": Image.fromarray(GREY.astype(np.uint16) * 257),
        "32.tif": Image.fromarray((GREY.astype(np.int64) * (2**31 - 1) // 255).astype(np.int32)),
        "16in32.tif": Image.fromarray(GREY.astype(np.int32) * 257),
        "float.tif": Image.fromarray(GREY.astype(np.float32) / 255),
        "bytes.tif": Image.fromarray(GREY.astype(np.float32)),
    }
    for name, picture in deep.items():
        picture.save(tmp_path / name)
        assert_seen(tmp_path / name, GREY, words="8 bits" if "32" in name or name[0] == "1" else "floating point")
    for name, values in {
        "unsigned.tif": (GREY / 255 * (2**32 - 1)).astype(np.uint32),
        "dark.tif": (GREY / 1020 * (2**32 - 1)).astype(np.uint32),
        "faint.png": np.full((4, 4), 257, np.uint16),
    }.items():
        cv2.imwrite(str(tmp_path / name), values)
        want = {"unsigned.tif": GREY, "dark.tif": np.rint(GREY / 4), "faint.png": np.ones((4, 4))}[name]
        assert_seen(tmp_path / name, want, name == "dark.tif", "8 bits")


def write_tiff(path, values, kind, photometric=1):
    """An uncompressed TIFF of values [H, W] or [H, W, N], as no library at hand writes them; `kind`: 1 unsigned, 2
    signed, 3 floating point; a last channel of two is transparency.
    """
    height, width, *rest = values.shape
    count = rest[0] if rest else 1
    tags = [
        (256, width),
        (257, height),
        (258, values.itemsize * 8),
        (259, 1),
        (262, photometric),
        (273, 8),
        (277, count),
    ]
    tags += [(278, height), (279, values.nbytes), *([(338, 2)] if count == 2 else []), (339, kind)]
    start = 8 + values.nbytes
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags]
    if count == 2:  # two numbers of 16 bits fit an entry
        for tag, value in ((258, values.itemsize * 8), (339, kind)):
            entries[[t for t, _ in tags].index(tag)] = struct.pack("<HHIHH", tag, 3, 2, value, value)
    head = b"II*\0" + struct.pack("<I", start) + values.tobytes() + struct.pack("<H", len(tags))
    path.write_bytes(head + b"".join(entries) + struct.pack("<I", 0))


def test_grey_of_every_kind_keeps_its_tones(tmp_path):
    share = GREY / 255
    for name, values, kind in (
        ("double", share, 3),
        ("signed", np.rint(share * 32767).astype(np.int16), 2),
        ("unsigned", np.rint(share * 65535).astype(np.uint16), 1),
    ):
        write_tiff(tmp_path / f"{name}.tif", values, kind)
        assert_seen(tmp_path / f"{name}.tif", np.repeat(GREY[..., None], 3, -1), 1, "8 bits")
    write_tiff(tmp_path / "negative.tif", GREY.astype(np.uint16) * 257, 1, photometric=0)
    assert_seen(tmp_path / "negative.tif", 255 - GREY, words="8 bits")
    write_tiff(tmp_path / "clear.tif", np.dstack([GREY, ALPHA]).astype(np.uint16) * 257, 1)
    assert_seen(tmp_path / "clear.tif", np.rint(share * ALPHA), 1, "transparency")


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_deep_jpeg_2000_keeps_its_tones(tmp_path, channels):
    display = np.dstack([SEEN, np.full_like(GREY, 255)])[..., :channels]
    display[:9], display[9:18] = 255, 0
    deep = display.astype(np.uint16) * 257
    deep[:9] -= 2  # nearly white
    cv2.imwrite(str(tmp_path / "a.jp2"), deep[..., [2, 1, 0, 3][:channels]] if channels > 1 else deep, LOSSLESS)
    assert_seen(tmp_path / "a.jp2", display[..., :3], 4, "8 bits")
    Image.fromarray(display[..., :3].squeeze()).save(tmp_path / "8.jp2", irreversible=False)
    assert_seen(tmp_path / "8.jp2", display[..., :3])


def test_floating_point_pictures(tmp_path):
    display, light = (SEEN / 255).astype(np.float32), to_linear(SEEN)
    cv2.imwrite(str(tmp_path / "a.tif"), display[..., ::-1])
    assert_seen(tmp_path / "a.tif", SEEN, words="floating point")
    odd = GREY.astype(np.float32) / 255
    odd[0, :3] = np.nan, np.inf, -3
    Image.fromarray(odd).save(tmp_path / "odd.tif")
    assert [*read(tmp_path / "odd.tif")[0][0, :3, 0]] == [0, 255, 0]
    cv2.imwrite(str(tmp_path / "a.pfm"), light[..., ::-1])
    cv2.imwrite(str(tmp_path / "grey.pfm"), light[..., 0])
    assert_seen(tmp_path / "a.pfm", SEEN, words="linear light")
    assert_seen(tmp_path / "grey.pfm", GREY, words="linear light")
    grey = np.repeat(light[..., :1], 3, -1)  # a byte each and a common exponent: grey is the most exact
    cv2.imwrite(str(tmp_path / "a.hdr"), grey)
    assert_seen(tmp_path / "a.hdr", GREY, 2, "linear light")


def test_linear_pictures_are_the_same_every_time(tmp_path):
    write_clip(SEEN[None], 1, tmp_path / "clip", "exr")
    for _ in range(500):
        assert_seen(tmp_path / "clip" / "frame_0001.exr", SEEN, 2, "linear light")


def test_what_transparency_hides_stays_hidden(tmp_path):
    deep = np.dstack([SEEN[..., ::-1], ALPHA]).astype(np.uint16) * 257
    palette = Image.fromarray(SEEN).quantize(16)
    indices, colors = np.asarray(palette), np.asarray(palette.convert("RGB")).copy()
    Image.fromarray(np.dstack([SEEN, ALPHA])).save(tmp_path / "rgba.png")
    Image.fromarray(np.dstack([SEEN, ALPHA])).save(tmp_path / "rgba.tif")
    Image.fromarray(np.dstack([SEEN, ALPHA])).save(tmp_path / "rgba.webp", lossless=True, exact=True)
    Image.fromarray(np.dstack([GREY, ALPHA])).save(tmp_path / "la.png")
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    palette.save(tmp_path / "steps.png", transparency=bytes([0] * 8 + [128] * 4 + [255] * 4))
    palette.save(tmp_path / "one.gif", transparency=3)
    clear = tuple(int(value) for value in SEEN[0, 0])
    Image.fromarray(SEEN).save(tmp_path / "color.png", transparency=clear)
    Image.fromarray(GREY).save(tmp_path / "grey.png", transparency=int(GREY[0, 0]))
    Image.fromarray(GREY.astype(np.uint16) * 257).save(tmp_path / "deepgrey.png", transparency=int(GREY[0, 0]) * 257)
    share = np.array([0] * 8 + [128] * 4 + [255] * 4)[indices][..., None] / 255
    hidden_grey = np.where(GREY[0, 0] == GREY, 0, GREY)
    for name, want in {
        "rgba.png": OVER_BLACK,
        "rgba.tif": OVER_BLACK,
        "rgba.webp": OVER_BLACK,
        "la.png": np.rint(GREY * (ALPHA / 255)),
        "deep.png": OVER_BLACK,
        "steps.png": colors * share,
        "one.gif": np.where((indices == 3)[..., None], 0, colors),
        "color.png": np.where((clear == SEEN).all(-1)[..., None], 0, SEEN),
        "grey.png": hidden_grey,
    }.items():
        assert_seen(tmp_path / name, want, 1, "over black")
    assert np.abs(read(tmp_path / "deepgrey.png")[0] - hidden_grey[..., None]).max() == 0


def profile(red, green, blue, gamma=2.2):
    """A display's ICC profile by its primaries (XYZ over D50) and gamma."""

    def xyz(values):
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    name = b"desc\0\0\0\0" + struct.pack(">I", 8) + b"Swapped\0" + bytes(78)
    white = xyz((0.9642, 1.0, 0.8249))
    tags = {b"desc": name, b"wtpt": white, b"rXYZ": xyz(red), b"gXYZ": xyz(green), b"bXYZ": xyz(blue)}
    tags |= {key: curve for key in (b"rTRC", b"gTRC", b"bTRC")}
    body, table = b"", struct.pack(">I", len(tags))
    for key, data in tags.items():
        table += key + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", 128 + len(table) + len(body), b"\0\0\0\0", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">iii", 63190, 65536, 54061)
    return head + bytes(128 - len(head)) + table + body


SRGB = ((0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))


def test_colours_are_brought_to_srgb(tmp_path):
    smooth = np.stack(np.broadcast_arrays(*np.ogrid[60:200:4, 60:200:5], 128), -1).astype(np.uint8)
    for name in ("a.png", "a.tif", "a.jpg"):
        Image.fromarray(smooth).save(tmp_path / name, icc_profile=profile(*SRGB[::-1]), quality=100, subsampling=0)
        assert_seen(tmp_path / name, smooth[..., ::-1], 6, "Swapped")  # the curves of gamma 2.2 and sRGB differ
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(SEEN).save(tmp_path / "b.png", icc_profile=plain)
    assert_seen(tmp_path / "b.png", SEEN)
    Image.fromarray(SEEN).save(tmp_path / "c.png", icc_profile=b"no profile")
    assert_seen(tmp_path / "c.png", SEEN, words="does not fit")
    Image.fromarray(GREY).save(tmp_path / "d.png", icc_profile=profile(*SRGB[::-1]))
    assert np.abs(read(tmp_path / "d.png")[0] - GREY[..., None].astype(int)).max() == 0


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "tif"])
def test_of_several_pictures_the_first_is_used_and_told(tmp_path, ending):
    first, second = Image.fromarray(SEEN).quantize(16).convert("RGB"), Image.fromarray(255 - SEEN)
    first.save(tmp_path / f"a.{ending}", save_all=True, append_images=[second], lossless=True)
    assert_seen(tmp_path / f"a.{ending}", first, 40 if ending == "gif" else 0, "holds 2 pictures")


def damaged(tmp_path):
    """Files that are no whole picture, with a word that their message has."""
    whole = io.BytesIO()
    Image.fromarray(SEEN).save(whole, "PNG")
    Image.new("1", (20000, 20000)).save(tmp_path / "bomb.png")
    write_clip(SEEN[None], 1, tmp_path / "exr", "exr")
    contents = {f"{length}.png": whole.getvalue()[:length] for length in (0, 8, 60, 2000)}
    contents |= {"a.jpg": b"\xff\xd8\xff\xe0 no more", "a.svg": b"<svg/>", "a.exr": b"\x76\x2f\x31\x01 no more"}
    light = (tmp_path / "exr" / "frame_0001.exr").read_bytes()
    contents |= {f"{length}.exr": light[:length] for length in (4, 9, 100, 340, 400, 9000, len(light) - 1)}
    contents["a.hdr"] = b"#?RADIANCE\n"
    contents |= {"a.tif": b"II*\0\xff\xff\xff\xff", "b.tif": b"II*\0\x08\0\0\0\xff\xff" + bytes(40)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {**dict.fromkeys(contents, "cannot be read"), "bomb.png": "million pixels", "c.png": "does not exist"}


def test_what_cannot_be_read_is_told_in_words(tmp_path):
    files = damaged(tmp_path) | {".": "it is no file"}
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "pipe")
        files["pipe"] = "it is no file"
    for name, word in files.items():
        with pytest.raises(UsageError, match=word) as told:
            read_picture(tmp_path / name)
        assert "\n" not in str(told.value) and "BytesIO" not in str(told.value)


def test_long_and_thin_pictures_are_read(tmp_path):
    Image.new("L", (60000, 1), 7).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").size == (60000, 1)
