# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips from a picture that are longer than trained: each segment is a clip of its own, and together they are one."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import Case, assert_refused_before_loading
from movies import write
from PIL import Image
from safetensors.torch import load_file
from test_resume import kill_in_step, outcome

from wan_engine.errors import Cancelled
from wan_engine.light_curve import LightCurve
from wan_engine.media import video_reader
from wan_engine.pipeline import load
from wan_engine.request_parts import Keyframe
from wan_engine.sampling.resume import ResumeFile
from wan_engine.sampling.segments import SEEDS

I2V = Case("Wan2.2-I2V-A14B", "en")
# Rows that start from a picture, by what goes with it.
ROWS = [
    ("", "Wan2.2-I2V-A14B", "en"),
    ("", "Wan2.2-TI2V-5B", "en_image"),
    ("", "Wan2.1-I2V-14B", "en"),
    ("control/", "Wan2.2-Fun-A14B-InP", "image"),
    ("control/", "Wan2.1-Fun-V1.1-14B-Control", "control_image"),
    ("control/", "Wan2.2-Fun-5B-Control-Camera", "camera_image"),
]
STEPS = 2


opened = lru_cache(1)(partial(load, offload="block"))


def given_from(case: Case, start: int, frames: int, folder: Path) -> dict[str, object]:
    """What is given to a case frame by frame, of a clip made longer from its frame `start` on: its own, to and fro."""
    found: dict[str, object] = {}
    if "control_video" in case.given:
        files = sorted(Path(case.given["control_video"]).iterdir())
        files = [*files, *files[-2:0:-1]]
        (folder / "control").mkdir()
        for number in range(frames):
            file = files[(start + number) % len(files)]
            (folder / "control" / f"{number:04}{file.suffix}").symlink_to(file)
        found["control_video"] = "control"
    if "camera" in case.given:
        data = json.loads(Path(case.given["camera"]).read_text(encoding="utf-8"))["frames"]
        data = [*data, *data[-2:0:-1]]
        cut = [data[(start + number) % len(data)] for number in range(frames)]
        (folder / "camera.json").write_text(json.dumps({"frames": cut}), encoding="utf-8")
        found["camera"] = "camera.json"
    return found


def made(case: Case, folder: Path, frames: int, start: int = 0, **changes):
    """Final latents, frames, report and events of a case of another length, made block by block."""
    folder.mkdir()
    given = given_from(case, start, frames, folder)
    asked = replace(
        case.request(**given), frames=frames, steps=STEPS, latents="latents.safetensors", frames_out="frames", **changes
    )
    events: list[dict] = []
    report = opened(asked.checkpoint).generate(asked, folder, events.append)
    files = sorted((folder / "frames").iterdir())
    shown = np.stack([np.array(Image.open(file)) for file in files])
    return load_file(folder / "latents.safetensors")["latents"], shown, report, events


@pytest.mark.parametrize(("root", "model", "name"), ROWS, ids=lambda value: str(value))
def test_each_segment_is_a_clip_of_its_own_from_the_last_frame_before(root, model, name, tmp_path):
    case = Case(model, name, root)
    latents, frames, report, events = made(case, tmp_path / "whole", 9, window=5, seed=SEEDS - 1)
    assert report["segments"] == [0, 4, 8] and report["clip"]["frames"] == 9
    assert any("9 frames are made in 2 segments of up to 5" in words for words in report["warnings"])
    assert [e["segment"] for e in events if e["event"] == "segment"] == [1, 2]
    assert [e["step"] for e in events if e["event"] == "step"] == [1, 2, 3, 4] == [s["step"] for s in report["steps"]]
    assert {e["steps"] for e in events if e["event"] == "step"} == {4}
    first, early, _, _ = made(case, tmp_path / "first", 5, seed=SEEDS - 1)
    start = tmp_path / "start.png"
    Image.fromarray(early[-1]).save(start)
    alone = {"image": str(start), "size": tuple(report["size"]), "exact_size": True, "seed": 0}
    second, late, _, _ = made(case, tmp_path / "second", 5, start=4, **alone)
    apart, shown = torch.cat([first, second[:, 1:]], 1), np.concatenate([early, late[1:]])
    if "camera" in case.given:  # which is brought to the segment's start in float32
        assert torch.allclose(latents, apart, atol=1e-4) and np.abs(frames - shown.astype(int)).max() <= 1
    else:
        assert torch.equal(latents, apart) and np.array_equal(frames, shown)


def picture(path: Path, level: int, size: tuple[int, int]) -> str:
    Image.new("RGB", size, (level, level // 2, 255 - level)).save(path)
    return str(path)


@pytest.mark.parametrize(("root", "model", "name"), [("", "Wan2.1-FLF2V-14B", "en"), ("", "Wan2.2-I2V-A14B", "en")])
def test_a_segment_goes_from_keyframe_to_keyframe_where_the_model_can(root, model, name, tmp_path):
    case = Case(model, name, root)
    ends = Image.open(case.image).size
    key = picture(tmp_path / "key.png", 200, ends)
    last = case.last or picture(tmp_path / "last.png", 40, ends)
    keyed = {"keyframes": (Keyframe(4, key),), "last_image": last}
    latents, frames, report, _ = made(case, tmp_path / "whole", 9, window=5, **keyed)
    assert report["segments"] == [0, 4, 8]
    first, early, _, _ = made(case, tmp_path / "first", 5, last_image=key)
    # The picture that the CLIP encoder sees of a keyframe has the clip's size.
    assert torch.allclose(latents[:, :2], first, atol=1e-4) and np.abs(frames[:4] - early[:4].astype(int)).max() <= 1


def test_a_model_without_a_last_picture_begins_with_the_keyframe_and_says_so(tmp_path):
    case = Case("Wan2.2-TI2V-5B", "en_image")
    key = picture(tmp_path / "key.png", 200, Image.open(case.image).size)
    _, frames, report, _ = made(case, tmp_path / "whole", 9, keyframes=(Keyframe(4, key),))
    assert any("may jump to each keyframe" in words for words in report["warnings"])
    shown = made(case, tmp_path / "alone", 5, image=key, seed=case.request().seed + 1)[1]
    assert np.array_equal(frames[4:], shown)


def test_first_and_last_picture_without_keyframes_between_are_made_in_windows(tmp_path):
    case = Case("Wan2.1-FLF2V-14B", "en")
    _, frames, report, events = made(case, tmp_path / "whole", 9, window=5)
    assert "segments" not in report and any(event["event"] == "window" for event in events) and len(frames) == 9


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_inside_a_segment_it_ends_bit_equal(tmp_path, monkeypatch):
    kept = {"latents": "latents.safetensors", "frames_out": "frames", "resume": "resume.safetensors"}
    asked = I2V.request(frames=13, window=5, steps=STEPS, **kept)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    pipeline = load(asked.checkpoint)
    pipeline.generate(asked, whole)
    kill_in_step(asked, broken, 3, questions=3)
    saved: list[int] = []
    save = ResumeFile.save
    monkeypatch.setattr(ResumeFile, "save", lambda self, state: saved.append(1) or save(self, state))
    report = pipeline.generate(asked, broken)
    assert report["resumed_from_step"] == 3 and len(saved) == 3 * STEPS - 3
    assert [step["step"] for step in report["steps"]] == list(range(1, 3 * STEPS + 1))
    (latents, frames), (wanted, wanted_frames) = outcome(broken), outcome(whole)
    assert torch.equal(latents, wanted) and frames == wanted_frames
    assert [path.name for path in broken.iterdir() if "resume" in path.name] == []


def test_a_cancel_is_heard_inside_a_segment(tmp_path):
    asked, seen = I2V.request(frames=9, window=5, steps=STEPS), []
    with pytest.raises(Cancelled):
        load(asked.checkpoint).generate(asked, tmp_path, seen.append, lambda: any(e.get("segment") == 2 for e in seen))
    assert [event["step"] for event in seen if event["event"] == "step"] == [1, 2]


def test_light_is_led_along_the_clip_s_curve_in_each_segment(tmp_path):
    curve = LightCurve("brief", (0.0, 1.0), (1.0, 0.3))
    free = made(I2V, tmp_path / "free", 9, window=5)[0]
    led, _, report, _ = made(I2V, tmp_path / "led", 9, window=5, light=curve)
    assert report["light"]["guide"]["steps"] == 2 * STEPS
    assert ((led - free).abs().mean((0, 2, 3))[1:] > 0).all()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"keyframes": (Keyframe(6, "a.png"),)}, "for frame 4 or 8"),
        ({"keyframes": (Keyframe(16, "a.png"),)}, "not between the first frame, 0, and the last, 16"),
        ({"keyframes": (Keyframe(4 * 10**12, "a.png"),)}, "not between the first frame"),
        ({"keyframes": (Keyframe(8, "a.png"), Keyframe(8, "b.png"))}, "Frame 8 has two keyframes"),
        ({"keyframes": (Keyframe(8, "a.png"),), "image": None}, "Keyframes need a first picture"),
        ({"keyframes": (Keyframe(8, "none.png"),)}, "none.png"),
    ],
)
def test_keyframes_that_cannot_be_are_refused_before_loading(changes, told, tmp_path, monkeypatch):
    assert_refused_before_loading(I2V.request(frames=17, window=9, **changes), told, tmp_path, monkeypatch)


def test_some_keyframes_of_a_model_that_needs_all_are_refused(tmp_path, monkeypatch):
    case = Case("Wan2.1-FLF2V-14B", "en")
    asked = case.request(frames=25, window=9, keyframes=(Keyframe(8, "a.png"),))
    assert_refused_before_loading(asked, "give --keyframe for 16 too", tmp_path, monkeypatch)


def test_a_control_movie_is_read_on_from_segment_to_segment(tmp_path, monkeypatch):
    case = Case("Wan2.1-Fun-V1.1-14B-Control", "control_image", "control/")
    pictures = [
        np.array(Image.open(file).convert("RGB")) for file in sorted(Path(case.given["control_video"]).iterdir())
    ]
    write(tmp_path / "control.mkv", pictures[:9], "ffv1", "bgr0")
    opened_files: list[Path] = []
    decoded = video_reader._decoded
    monkeypatch.setattr(video_reader, "_decoded", lambda path: opened_files.append(path) or decoded(path))
    asked = case.request(frames=9, window=5, steps=STEPS, control_video="control.mkv", control_share=0.5)
    report = opened(asked.checkpoint).generate(asked, tmp_path)
    assert report["segments"] == [0, 4, 8]
    assert len(opened_files) == 2  # it is looked at, and then encoded
