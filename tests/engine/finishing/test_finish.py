# SPDX-License-Identifier: GPL-3.0-or-later
"""Finishing in a generation: repair, enlarging, redrawing and codecs leave what the model made alone."""

import json
import os
import subprocess
import sys

import av
import numpy as np
import pytest
from onnx_models import stacked
from PIL import Image

from wan_engine.errors import CheckpointError, UsageError
from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest

NANO = "checkpoints/nano"


@pytest.fixture(scope="module")
def nano():
    return load(NANO)


@pytest.fixture
def first(tmp_path):
    ramp = np.linspace(40, 200, 160, dtype=np.uint8)
    Image.fromarray(np.broadcast_to(ramp[None, :, None], (96, 160, 3)).copy()).save(tmp_path / "first.png")
    return "first.png"


def frames_in(folder):
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("frame_*.png"))]


def request(first, **changes):
    return GenerationRequest(NANO, "A plain at noon.", image=first, steps=2, frames=5, frames_out="raw", **changes)


def test_finishing_leaves_the_raw_frames_as_they_were(nano, first, tmp_path):
    nano.generate(request(first), tmp_path)
    plain = frames_in(tmp_path / "raw")
    report = nano.generate(
        request(
            first,
            repair=("deflicker", "color"),
            upscale=4,
            refine=0.3,
            codec="prores",
            clip_frames=9,
            clip_fps=24.0,
            page="page.png",
        ),
        tmp_path,
    )
    assert all(np.array_equal(a, b) for a, b in zip(plain, frames_in(tmp_path / "raw"), strict=True))
    assert report["clip"] == {"path": "clip.mov", "frames": 9, "fps": "24", "size": [640, 384], "codec": "prores"}
    light = report["light"]
    assert light["repair"] == ["deflicker", "color"] and light["verdict"]["word"] in ("holds", "drifts", "jumps")
    assert len(light["before"]["luminance"]["mean"]) == len(light["after"]["luminance"]["mean"]) == 9
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
    assert report["refine"]["size"] == [320, 192]
    with av.open(str(tmp_path / "clip.mov")) as clip:
        assert sum(1 for _ in clip.decode(video=0)) == 9


def test_enlarged_clip_shows_the_same_picture(nano, first, tmp_path):
    nano.generate(request(first, upscale=2, codec="png", out="large"), tmp_path)
    small, large = frames_in(tmp_path / "raw"), frames_in(tmp_path / "large")
    assert len(large) == 5 and large[0].shape == (192, 320, 3)
    for a, b in zip(small, large, strict=True):
        back = np.asarray(Image.fromarray(b).resize((160, 96), Image.Resampling.BOX)).astype(float)
        assert np.abs(back - a).mean() < 2


def test_a_learned_model_makes_the_frames_between(nano, first, tmp_path):
    """This one fades, so that what it makes of the model's frames is known."""
    stacked(tmp_path / "fade.onnx")
    wanted = request(first, interpolation_model="fade.onnx", clip_frames=9, clip_fps=24.0, codec="png", out="clip")
    nano.generate(wanted, tmp_path)
    own, clip = frames_in(tmp_path / "raw"), frames_in(tmp_path / "clip")
    assert len(clip) == 9 and all(np.array_equal(a, b) for a, b in zip(own, clip[::2], strict=True))
    for number in range(4):
        between = (own[number].astype(float) + own[number + 1]) / 2
        assert np.abs(clip[2 * number + 1] - between).max() <= 1


def test_what_cannot_be_finished_is_told_before_the_work(nano, first, tmp_path):
    events = []
    with pytest.raises(UsageError, match="--upscale"):
        nano.generate(request(first, refine=0.3), tmp_path, on_event=events.append)
    with pytest.raises(UsageError, match=r"no\.pth does not exist"):
        nano.generate(request(first, upscale=2, upscale_model="no.pth"), tmp_path, on_event=events.append)
    (tmp_path / "no_model.pth").write_bytes(b"no model")
    with pytest.raises((UsageError, CheckpointError), match="spandrel"):  # not installed, or does not know it
        nano.generate(request(first, upscale=2, upscale_model="no_model.pth"), tmp_path, on_event=events.append)
    with pytest.raises(UsageError, match=r"no\.onnx is not there"):
        nano.generate(request(first, interpolation_model="no.onnx"), tmp_path, on_event=events.append)
    assert not events and not (tmp_path / "raw").exists()


LOST = [
    ({"page": "there"}, "report picture", []),
    ({"page": "file/page.png"}, "report picture", []),
    ({"preview": "there"}, "preview", []),
    ({"report": "file/report.json"}, "report could not be written", ["report"]),
    ({"latents": "file/latents.safetensors"}, "latents could not be kept", ["latents"]),
    ({"frames_out": "file/raw"}, "frames could not be kept", ["frames_out"]),
]


@pytest.mark.parametrize(("places", "words", "unsaved"), LOST)
def test_no_picture_or_report_is_worth_the_clip(nano, first, tmp_path, places, words, unsaved):
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_text("in the way")
    events = []
    asked = GenerationRequest(NANO, "A plain.", image=first, steps=2, frames=5, resume="state.safetensors", **places)
    report = nano.generate(asked, tmp_path, on_event=events.append)
    with av.open(str(tmp_path / report["clip"]["path"])) as clip:
        assert sum(1 for _ in clip.decode(video=0)) == 5
    (told,) = [warning for warning in report["warnings"] if words in warning]
    assert [event["message"] for event in events if event["event"] == "note"].count(told) == 1
    assert report["unsaved"] == unsaved and not (tmp_path / "state.safetensors").exists()


@pytest.mark.parametrize(
    "prompt", [r"It costs $\frac{$ in $x_{$.", "a \udcff b", "\x00 \x1b[31m", "日出 שלום 😀 \u202e"]
)
def test_any_words_and_a_single_frame_end_in_a_clip_with_its_page(nano, first, tmp_path, prompt):
    places = {"page": "page.png", "report": "report.json", "prompt_cache": "prompts", "out": "a$\\frac{$.mp4"}
    report = nano.generate(GenerationRequest(NANO, prompt, image=first, steps=1, frames=1, **places), tmp_path)
    assert (tmp_path / "a$\\frac{$.mp4").stat().st_size and (tmp_path / "page.png").stat().st_size
    assert json.loads((tmp_path / "report.json").read_text())["request"]["prompt"] == prompt
    assert not [warning for warning in report["warnings"] if "made for" not in warning]


def test_the_command_line_ends_in_5_when_a_file_asked_for_is_not_there(first, tmp_path):
    (tmp_path / "file").write_text("in the way")
    words = ["generate", "--checkpoint", NANO, "--prompt", b"a \xff b", "--image", str(tmp_path / first)]
    words += ["--out", os.fsencode(tmp_path) + b"/\xff.mp4", "--frames", "1", "--steps", "1"]
    lost = ["--report", str(tmp_path / "file" / "report.json")]
    for more, status in (([], 0), (lost, 5)):
        ended = subprocess.run([sys.executable, "-m", "wan_engine", *words, *more], capture_output=True)
        assert ended.returncode == status, ended.stderr
        assert b"Traceback" not in ended.stderr and os.listdir(os.fsencode(tmp_path)).count(b"\xff.mp4") == 1
    assert b"report could not be written" in ended.stderr
