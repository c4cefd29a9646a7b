# SPDX-License-Identifier: GPL-3.0-or-later
"""A part of a take made anew, as a new take, with the real engine and a tiny checkpoint."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from tiny_shots import TINY, one_shot
from wan_previs import cli, previs, properties
from wan_previs.bridge.jobs import JobFolder
from wan_previs.previs.redo import Redo, redo_of, take_numbered
from wan_previs.scene.brief import SceneError
from wan_previs.wan_engine.errors import UsageError
from wan_previs.wan_engine.request import GenerationRequest


@pytest.fixture
def scene(blank_scene):
    with properties.available():
        yield one_shot(blank_scene, last=20)
    previs.close_engine()


@pytest.fixture
def settings(tmp_path):
    return previs.Settings(model=str(TINY), size=(64, 48), steps=2, output=tmp_path / "jobs", seed=3, mode="first")


def levels(file: Path) -> np.ndarray:
    """A picture's levels [H, W, 3] in 0..255, top row first."""
    image = bpy.data.images.load(str(file))
    image.colorspace_settings.name = "Non-Color"
    pixels = np.array(image.pixels[:]).reshape(image.size[1], image.size[0], -1)[::-1, :, :3]
    bpy.data.images.remove(image)
    return np.rint(pixels * 255).astype(int)


def raw(take) -> np.ndarray:
    return np.stack([levels(file) for file in sorted((Path(take.folder) / "raw").glob("*.png"))])


def generated(scene, settings, redo=None):
    generation = previs.Generation(scene, settings, ["Wide"], redo=redo)
    generation.run()
    assert generation.errors == []
    return generation.made[0], generation.progress.notes


@pytest.mark.parametrize(
    ("then", "now", "told"), [("off", "gentle", 1), ("off", "off", 0), ("gentle", "strict", 0), ("strict", "off", 0)]
)
def test_light_that_is_guided_from_the_seam_on_is_told(then, now, told, settings):
    request = GenerationRequest("a", "b", seed=1, guide_light=then)
    notes = []
    Redo(SimpleNamespace(name="Wide take 1"), request, 5, False).settled(
        replace(settings, guide_light=now), notes.append
    )
    assert len([note for note in notes if "light may jump" in note]) == told


@pytest.mark.parametrize(
    ("shape", "found", "kept"),
    [(16 / 9, (112, 64), True), (16 / 9, (80, 48), True), (4 / 3, (64, 48), False), (2.4, (96, 48), False)],
)
def test_a_take_keeps_its_size_where_the_scene_still_has_that_shape(shape, found, kept):
    """80x48 is 16:9 to the nearest 16 pixels, though for its own area another size comes nearer."""
    redo = Redo(SimpleNamespace(name="Wide take 1"), GenerationRequest("a", "b", size=(80, 48)), 5, False)
    if kept:
        assert redo.kept_size(shape, found, 16) == (80, 48)
    else:
        with pytest.raises(UsageError, match=f"is 80x48, but clips of this scene are {found[0]}x{found[1]}"):
            redo.kept_size(shape, found, 16)


@pytest.mark.engine
def test_from_a_frame_on_and_where_objects_are_marked(scene, settings):
    first, _ = generated(scene, settings)
    old = raw(first)
    second, notes = generated(scene, settings, redo_of(scene, first, frame=15))
    new, request = raw(second), JobFolder(second.folder).read_request()
    start = (request["redo_from"] - 1) // 4 * 4 + 1
    assert len(new) == len(old) == request["frames"] and request["redo_from"] == -(-14 * (len(old) - 1) // 19)
    assert np.array_equal(new[: start - 4], old[: start - 4])
    assert not (new[start:] == old[start:]).all(axis=(1, 2, 3)).any()
    assert (request["seed"], second.redo_of, previs.takes_of(scene, "Wide")[0].redo_of) == (4, "Wide take 1", "")
    assert any("made with the seed 3" in note for note in notes)

    scene.objects["Cube"].wan_previs.mark = "free"
    third, _ = generated(scene, settings, redo_of(scene, first, marked=True))
    masks = sorted((Path(third.folder) / "conditioning" / "redo_mask").glob("*.png"))
    white = levels(masks[0])[:, :, 0] > 127
    assert len(masks) == len(old) and white[24, 32] and not white[:, :8].any()
    made, told, brief = raw(third), [], previs.read_shots(scene)[0]
    assert np.array_equal(made[:, :, :4], old[:, :, :4]) and not np.array_equal(made[:, white], old[:, white])
    shutil.rmtree(Path(first.folder) / "raw")
    job = previs.prepare(scene, brief, brief.shots[0], settings, told.append, redo_of(scene, first, frame=15))
    assert (job.path / job.read_request()["redo"]).read_bytes() == first.clip.read_bytes()
    assert any("its clip is taken instead" in words for words in told)


def plain_take(scene, settings):
    """A take as its job folder and strip tell it, which no engine made."""
    brief, _ = previs.read_shots(scene)
    job = previs.prepare(scene, brief, brief.shots[0], settings)
    image = bpy.data.images.new("frame", 8, 8)
    image.file_format = "PNG"
    (job.path / "clip").mkdir()
    for number in range(1, 21):
        image.filepath_raw = str(job.path / "clip" / f"frame_{number:04d}.png")
        image.save()
    (job.path / "raw").mkdir()
    for number in range(job.read_request()["frames"]):
        shutil.copy(job.path / "clip" / "frame_0001.png", job.path / "raw" / f"frame_{number:04d}.png")
    job.report.write_text('{"clip": {"path": "clip"}}')
    return previs.import_take(scene, "Wide", range(1, 21), job)


def test_what_cannot_be_made_anew_is_told_before_anything_is_rendered(scene, settings):
    take = plain_take(scene, settings)
    for frame in (1, 21, 400):
        with pytest.raises(SceneError, match=f"from frame 2 to 20 on, not from frame {frame}"):
            redo_of(scene, take, frame)
    with pytest.raises(UsageError, match="Say what of Wide take 1"):
        redo_of(scene, take)
    scene.objects["Cube"].wan_previs.mark = "keep"
    with pytest.raises(SceneError, match="Nothing is marked"):
        redo_of(scene, take, marked=True)
    with pytest.raises(SceneError, match=r"no take 7 \(it has 1\)"):
        take_numbered(scene, "Wide", 7)
    redo, brief = redo_of(scene, take, 12), previs.read_shots(scene)[0]
    jobs = len(list(settings.output.iterdir()))
    with pytest.raises(UsageError, match="leave out refine"):
        previs.prepare(scene, brief, brief.shots[0], replace(settings, upscale=2, refine=0.3), redo=redo)
    scene.render.resolution_y = 96
    brief = previs.read_shots(scene)[0]
    with pytest.raises(UsageError, match="Wide take 1 is 64x48, but clips of this scene are"):
        previs.prepare(scene, brief, brief.shots[0], settings, redo=redo)
    assert len(list(settings.output.iterdir())) == jobs
    next((Path(take.folder) / "raw").iterdir()).unlink()
    with pytest.raises(previs.JobError, match="its clip's pictures have another rate"):
        redo_of(scene, take, 12)
    shutil.rmtree(take.folder)
    with pytest.raises(previs.JobError, match="no part of it can stay"):
        redo_of(scene, take, 12)


def test_the_command_line_makes_it_ready_and_says_what_is_wrong(scene, settings, capsys):
    plain_take(scene, settings)
    render = ["render", "--model", str(TINY), "--mode", "first", "--size", "64x48", "--output", str(settings.output)]
    dry = [*render, "--dry-run", "--shot", "Wide"]
    assert cli.main([*dry, "--redo", "1", "--redo-from", "12"]) == 0
    request = JobFolder(capsys.readouterr().out.strip()).read_request()
    assert (request["redo_of"], request["redo_mask"]) == ("Wide take 1", None) and request["redo_from"] > 1
    for words, status, told in (
        (["--redo-from", "5"], 2, "name it with --redo"),
        (["--redo", "1"], 2, "Say what of"),
        (["--redo", "4", "--redo-from", "5"], 3, "no take 4"),
        (["--redo", "1", "--redo-from", "90"], 3, "not from frame 90"),
    ):
        assert cli.main([*dry, *words]) == status and told in capsys.readouterr().err
    assert cli.main([*render, "--redo", "1", "--redo-from", "12"]) == 2 and "--shot" in capsys.readouterr().err
