# SPDX-License-Identifier: GPL-3.0-or-later
"""`measure` from the command line: what it writes takes the place of nothing else."""

import json
import subprocess
import sys
import types
from pathlib import Path

import drawn
import light_scenes as scenes
import numpy as np
import pytest
from movies import write
from PIL import Image

from wan_engine.cli import main
from wan_engine.commands import measure as measure_command
from wan_engine.commands.repair import repair
from wan_engine.errors import GenerationError, UsageError
from wan_engine.light_curve import LightCurve
from wan_engine.media.atomic_write import write_whole
from wan_engine.media.video_writer import write_clip
from wan_engine.request import GenerationRequest


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mkv"
    write(path, [np.full((48, 64, 3), 90 + k, np.uint8) for k in range(5)], "ffv1", "bgr0")
    return path


def test_numbers_and_page_are_written(clip, tmp_path):
    report, page = tmp_path / "light.json", tmp_path / "page.png"
    assert main(["measure", str(clip), "--report", str(report), "--page", str(page)]) == 0
    assert json.loads(report.read_text())["light"]["verdict"]["word"] == "holds"
    assert Image.open(page).size[0] > 400


def test_whether_a_clip_follows_its_scene_is_told_by_its_tracks(tmp_path, capsys):
    path, report = tmp_path / "clip.mkv", tmp_path / "follow.json"
    write(path, list(drawn.clip()[:, :, ::-1]), "ffv1", "bgr0")
    tracks = drawn.write_tracks(tmp_path / "tracks.json")
    words = ["measure", str(path), "--tracks", str(tracks), "--report", str(report), "--first-frame", "101"]
    assert main(words) == 0
    told = json.loads(report.read_text())["follow"]["verdict"]
    assert told["word"] == "strays" and told["code"] == "strays_in_motion"
    line = capsys.readouterr().out.splitlines()[1]
    assert f"strays at frame {101 + told['frame']}. " in line and "the other way" in line
    assert main(["measure", str(path), "--tracks", str(report)]) == 2
    assert "holds no tracks" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--report", "clip.mkv"], "same file as CLIP"),
        (["--page", "./clip.mkv"], "same file as CLIP"),
        (["--report", "a.png", "--page", "a.png"], "same file as --report"),
        (["--page", "a.jpg"], "end its name in .png"),
        (["--report", "."], "choose another name"),
        (["--report", ""], "choose another name"),
    ],
)
def test_nothing_is_written_over(clip, options, words, monkeypatch, capsys):
    monkeypatch.chdir(clip.parent)
    before = clip.read_bytes()
    assert main(["measure", "clip.mkv", *options]) != 0
    assert words in capsys.readouterr().err
    assert clip.read_bytes() == before and [path.name for path in clip.parent.iterdir()] == ["clip.mkv"]


def test_a_device_stays_one(tmp_path):
    with pytest.raises(GenerationError, match="choose another name"):
        write_whole(tmp_path, lambda path: path.write_text("x"))
    with pytest.raises(GenerationError, match="choose another name"):
        write_whole(Path("/dev/null"), lambda path: path.write_text("x"))


@pytest.mark.parametrize("text", ["[" * 200000, "{"])
def test_what_is_no_json_is_told(clip, tmp_path, text, capsys):
    (tmp_path / "light.json").write_text(text)
    assert main(["measure", str(clip), "--expected", str(tmp_path / "light.json")]) == 2
    assert "no light curve" in capsys.readouterr().err


def test_a_number_too_large_for_any_light_is_told():
    with pytest.raises(UsageError, match="luminance"):
        LightCurve.from_json({"source": "brief", "times": [0, 1], "luminance": [1, 10**400]})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rgb": [[0.5, 0.5, 0.5]]}, "one luminance .*rgb"),
        ({"rgb": [[0.5, 0.5], [0.5, 0.5]]}, "three numbers"),
        ({"rgb": [[0.5, 0.5, 1.5], [0.5, 0.5, 0.5]]}, "three numbers"),
        ({"rgb": "grey"}, "three numbers"),
        ({"source": "brief", "luminance": [1, 1]}, "only a render"),
    ],
)
def test_colours_that_are_none_are_told(changes, words):
    good = {"source": "render", "times": [0, 1], "luminance": [0.5, 0.5], "rgb": [[0.5, 0.5, 0.5], [0.4, 0.5, 0.6]]}
    curve = LightCurve.from_json(good)
    assert curve.rgb == ((0.5, 0.5, 0.5), (0.4, 0.5, 0.6))
    request = GenerationRequest("nano", "a street", light=curve)
    assert GenerationRequest.from_json(json.loads(json.dumps(request.to_json()))).light == curve
    with pytest.raises(UsageError, match=words):
        LightCurve.from_json(good | changes)


@pytest.mark.parametrize(
    ("changes", "words"), [({"job": "a"}, "folder of its own"), ({"repair": ["gloss"]}, "any of deflicker, color")]
)
def test_a_repair_is_refused_in_words(tmp_path, changes, words):
    task = {"source": str(tmp_path / "a"), "job": str(tmp_path / "b"), "repair": ["color"]}
    task |= {key: str(tmp_path / value) if key == "job" else value for key, value in changes.items()}
    with pytest.raises(UsageError, match=words):
        repair(task)


class TestCommand:
    def options(self, clip, **given):
        return types.SimpleNamespace(
            **{
                "clip": str(clip),
                "expected": None,
                "first_frame": 0,
                "tracks": None,
                "report": None,
                "page": None,
                **given,
            }
        )

    def test_measure_a_file(self, tmp_path, capsys):
        light = np.where(np.arange(20) < 11, 1, 1.3)
        write_clip(scenes.display_gain(0.7 * scenes.scene(20), light), 24, tmp_path / "clip.mp4")
        report, page = tmp_path / "light.json", tmp_path / "light.png"
        options = self.options(tmp_path / "clip.mp4", report=str(report), page=str(page))
        assert measure_command.run(options) == 0
        assert "jumps at frame 11" in capsys.readouterr().out
        assert json.loads(report.read_text())["light"]["verdict"]["frame"] == 11
        assert page.stat().st_size > 10000

    @pytest.mark.parametrize("text", ["{", "[]", '{"source": "brief", "times": [0], "luminance": [1]}'])
    def test_wrong_expected(self, tmp_path, text):
        (tmp_path / "light.json").write_text(text)
        with pytest.raises(UsageError, match="light curve"):
            measure_command.run(self.options("none.mp4", expected=str(tmp_path / "light.json")))

    def test_no_such_clip(self, tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            measure_command.run(self.options(tmp_path / "none.mp4"))

    def test_imports_without_torch(self):
        code = "import sys; import wan_engine.commands.measure; assert 'torch' not in sys.modules"
        subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parents[3])
