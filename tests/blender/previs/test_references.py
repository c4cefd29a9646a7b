# SPDX-License-Identifier: GPL-3.0-or-later
"""Reference pictures: which shots' requests get them, what is told where a model takes none, and what bad ones get."""

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from passes_scene import read_png
from scene_makers import add_box, add_camera, link
from wan_previs import cli, previs, properties
from wan_previs.bridge.environment import venv_python
from wan_previs.bridge.identity import changes
from wan_previs.bridge.state import JobError
from wan_previs.conditioning.passes.png import write_png
from wan_previs.scene.brief import SceneError
from wan_previs.wan_engine.errors import UsageError

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "golden"
FUN = GOLDEN / "control" / "fullstack" / "Wan2.2-Fun-A14B-Control" / "checkpoint"
VACE = GOLDEN / "vace" / "fullstack" / "Wan2.1-VACE-1.3B" / "checkpoint"
TEXT = GOLDEN / "fullstack" / "Wan2.2-T2V-A14B" / "checkpoint"
ENGINE = venv_python(ROOT / ".venv-engine")
COLORS = {"boat": (200, 40, 30), "town": (30, 160, 60), "film": (40, 60, 210), "other": (220, 210, 40)}


@pytest.fixture
def pictures(tmp_path):
    """A file of one colour for each name."""
    places = {}
    for name, color in COLORS.items():
        places[name] = tmp_path / "pictures" / f"{name}.png"
        places[name].parent.mkdir(exist_ok=True)
        write_png(places[name], np.full((32, 48, 3), color, np.uint8))
    return places


@pytest.fixture
def scene(blank_scene):
    """Two shots: the first sees the boat, the second a house of the town; both lie far apart."""
    with properties.available():
        add_box(blank_scene, "Boat", (0.0, 0.0, 1.0))
        town = bpy.data.collections.new("Town")
        blank_scene.collection.children.link(town)
        for number in range(3):
            house = add_box(blank_scene, f"House {number}", (100.0 + 400.0 * number, 0.0, 1.0))
            blank_scene.collection.objects.unlink(house)
            town.objects.link(house)
        for start, x in ((1, 0.0), (9, 100.0)):
            camera = add_camera(blank_scene, (x, -10.0, 1.0), f"At {x:g}")
            blank_scene.timeline_markers.new(f"Shot {start}", frame=start).camera = camera
        blank_scene.frame_start, blank_scene.frame_end = 1, 16
        blank_scene.render.resolution_x, blank_scene.render.resolution_y = 64, 48
        blank_scene.render.engine = "CYCLES"
        blank_scene.cycles.samples = 1
        yield blank_scene
    previs.close_engine()


def give(owner, *places):
    for place in places:
        owner.wan_previs.references.add().image = bpy.data.images.load(str(place), check_existing=True)


def give_all(scene, pictures):
    give(scene, pictures["film"])
    give(bpy.data.objects["Boat"], pictures["boat"])
    give(bpy.data.collections["Town"], pictures["town"])


def settings(folder, model, **choices):
    return previs.Settings(model=str(model), size=(64, 48), steps=1, output=folder / "jobs", mode="text", **choices)


def prepared(scene, chosen, redo=None, shots=None):
    """Of each shot the request and the job folder, and what was told."""
    notes = []
    brief, warnings = previs.read_shots(scene, shots, chosen)
    jobs = [previs.prepare(scene, brief, shot, chosen, notes.append, redo) for shot in brief.shots]
    for job in jobs:
        job.release()
    told = [*warnings, *previs.without_references(brief, previs.outline(chosen.checkpoint)), *notes]
    return [(json.loads(job.request.read_text())["reference"], job) for job in jobs], told


def colors(request):
    """The names of the pictures that a request names, by what lies in its job folder."""
    names, job = request
    found = {value: name for name, value in COLORS.items()}
    return [found[tuple(read_png(job.path / name)[0, 0].tolist())] for name in names]


def test_every_shot_gets_the_references_of_what_it_shows(scene, pictures, tmp_path):
    give_all(scene, pictures)
    jobs, told = prepared(scene, settings(tmp_path, VACE))
    assert [colors(request) for request in jobs] == [["boat", "film"], ["town", "film"]]
    film = [job.path / names[-1] for names, job in jobs]
    assert film[0].read_bytes() == film[1].read_bytes() == pictures["film"].read_bytes()
    assert jobs[0][0][-1] == jobs[1][0][-1] and hashlib.sha256(film[0].read_bytes()).hexdigest()[:32] in film[0].name
    assert not any("reference" in words for words in told)

    jobs, told = prepared(scene, settings(tmp_path, FUN))
    assert [colors(request) for request in jobs] == [["boat"], ["town"]]
    assert any("takes no more than 1 reference picture" in words and '"Shot 1", "Shot 9"' in words for words in told)
    assert any('"Shot 1" is made without film.png.' in words for words in told)

    jobs, told = prepared(scene, settings(tmp_path, TEXT))
    assert [names for names, _ in jobs] == [[], []]
    assert any('clip of shot "Shot 9" is made without town.png of "Town", film.png' in words for words in told)


def test_references_on_the_command_line_stand_for_those_of_the_file(scene, pictures, tmp_path):
    give_all(scene, pictures)
    odd = tmp_path / "Boat=odd.png"
    shutil.copy(pictures["other"], odd)
    os.rename(odd, odd := tmp_path / "pictures" / "Boat=odd.png")
    named = (f"Town={pictures['boat']}", str(odd))
    jobs, _ = prepared(scene, settings(tmp_path, VACE, references=named))
    assert [colors(request) for request in jobs] == [["other"], ["boat", "other"]]
    jobs, told = prepared(scene, settings(tmp_path, TEXT, references=()))
    assert [names for names, _ in jobs] == [[], []] and not any("reference" in words for words in told)
    with pytest.raises(UsageError, match='no object and no collection "Ship"'):
        prepared(scene, settings(tmp_path, VACE, references=(f"Ship={pictures['boat']}",)))


def seen(scene):
    return [[Path(given.path).stem for given in shot.references] for shot in previs.read_shots(scene)[0].shots]


def test_a_thing_is_seen_in_part_of_a_shot_hidden_renamed_or_instanced(scene, pictures):
    boat = bpy.data.objects["Boat"]
    give(boat, pictures["boat"])
    boat.name = "A name from later"
    for frame, hidden in ((1, True), (5, False), (7, True)):
        boat.hide_render = hidden
        boat.keyframe_insert("hide_render", frame=frame)
    assert seen(scene) == [["boat"], []]
    boat.animation_data_clear()
    boat.hide_render = True
    assert seen(scene) == [[], []]
    told = previs.read_shots(scene)[1]
    assert any("'A name from later' has reference pictures but is seen in no shot" in words for words in told)
    boat.hide_render = False
    add_box(scene, "Wall", (0.0, -5.0, 1.0), (30.0, 0.2, 30.0))
    assert seen(scene)[0] == []
    bpy.data.objects.remove(boat)
    fleet = bpy.data.collections.new("Fleet")
    source = add_box(scene, "Hull", (0.0, 0.0, 1.0))
    scene.collection.objects.unlink(source)
    fleet.objects.link(source)
    placed = link(scene, "Placed", None, (100.0, -2.0, 0.0))
    placed.instance_type, placed.instance_collection = "COLLECTION", fleet
    for owner, name in ((fleet, "town"), (source, "other"), (placed, "boat")):
        give(owner, pictures[name])
    first, second = seen(scene)
    assert first == [] and sorted(second[:2]) == ["boat", "other"] and second[2:] == ["town"]


def test_one_of_many_is_seen(scene, pictures):
    crowd = bpy.data.collections.new("Crowd")
    scene.collection.children.link(crowd)
    for number in range(300):
        item = add_box(scene, f"Man {number}", (number % 20 - 10.0, 300.0 + number // 20, 1.0), (0.3, 0.3, 1.8))
        scene.collection.objects.unlink(item)
        crowd.objects.link(item)
        give(item, pictures["other" if number else "town"])
    bpy.data.objects["Man 0"].location = (1.5, -2.0, 1.0)
    give(crowd, pictures["boat"])
    assert seen(scene) == [["town", "boat"], ["boat"]]  # the second sees them from afar, as a crowd alone


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda place: place.unlink(), "does not exist"),
        (lambda place: place.write_text("no picture"), "is no picture that Blender can read"),
        (lambda place: place.write_bytes(place.read_bytes()[:40]), "is no picture that Blender can read"),
        (lambda place: place.write_bytes(place.read_bytes()[:16] + (30000).to_bytes(4, "big") * 2), "million pixels"),
        (lambda place: (place.unlink(), place.mkdir()), "cannot be read"),
        (lambda place: (place.unlink(), os.mkfifo(place)), "it is no file"),
        (lambda place: os.truncate(place, 2**31), "larger than a gigabyte"),
        (lambda place: place.write_bytes(b"SDPX" + bytes(2048)), "kind that the video engine does not read"),
    ],
)
def test_a_picture_that_cannot_be_read_is_told_before_anything_is_rendered(scene, pictures, tmp_path, spoil, words):
    give(scene, pictures["film"])
    spoil(pictures["film"])
    chosen = settings(tmp_path, VACE)
    with pytest.raises(SceneError, match=words):
        previs.Generation(scene, chosen)
    with pytest.raises(UsageError, match=words):
        previs.Generation(scene, settings(tmp_path, VACE, references=(str(pictures["film"]),)))
    with pytest.raises(SceneError, match=words):
        prepared(scene, chosen)
    assert not (tmp_path / "jobs").exists()
    prepared(scene, settings(tmp_path, TEXT))  # which takes none


def test_the_picture_goes_with_the_project(scene, pictures, tmp_path):
    give(scene, pictures["film"])
    give(bpy.data.objects["Boat"], pictures["boat"])
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    shutil.move(tmp_path / "pictures", here / "pictures")
    for image in bpy.data.images:
        image.filepath = str(here / "pictures" / image.name)
    bpy.ops.wm.save_as_mainfile(filepath=str(here / "scene.blend"), relative_remap=True)
    bpy.ops.file.make_paths_relative()
    bpy.data.images["boat.png"].pack()
    bpy.ops.wm.save_as_mainfile(filepath=str(here / "scene.blend"))
    shutil.move(here, there)
    (there / "pictures" / "boat.png").unlink()
    bpy.ops.wm.open_mainfile(filepath=str(there / "scene.blend"))
    jobs, _ = prepared(bpy.context.scene, settings(tmp_path, VACE))
    assert [colors(request) for request in jobs] == [["boat", "film"], ["film"]]
    (tmp_path / "far" / "away").mkdir(parents=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "far" / "away" / "scene.blend"), relative_remap=True)
    assert colors(prepared(bpy.context.scene, settings(tmp_path, VACE))[0][1]) == ["film"]


def test_pictures_of_a_library_are_found_beside_it(scene, pictures, tmp_path):
    boat = bpy.data.objects["Boat"]
    give(boat, pictures["boat"])
    library = tmp_path / "assets" / "boat.blend"
    (library.parent / "own").mkdir(parents=True)
    shutil.move(pictures["boat"], library.parent / "own" / "boat.png")
    bpy.data.images["boat.png"].filepath = "//own/boat.png"
    bpy.data.libraries.write(str(library), {boat}, path_remap="NONE")
    bpy.data.objects.remove(boat)
    bpy.data.images.remove(bpy.data.images["boat.png"])
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    with bpy.data.libraries.load(str(library), link=True) as (_, wanted):
        wanted.objects = ["Boat"]
    scene = bpy.context.scene
    scene.collection.objects.link(wanted.objects[0])
    assert colors(prepared(scene, settings(tmp_path, VACE))[0][0]) == ["boat"]


def test_continue_notices_another_picture(scene, pictures, tmp_path):
    give(scene, pictures["film"])
    chosen = settings(tmp_path, VACE)
    (_, job), _other = prepared(scene, chosen)[0]

    def changed():
        brief, _ = previs.read_shots(scene, settings=chosen)
        wish = previs.wish_of(scene, brief, brief.shots[0], chosen)
        return changes(job, wish.asked, wish.facts)

    assert changed() == []
    scene.wan_previs.references[0].image.name = "renamed"
    assert changed() == []
    shutil.copy(pictures["other"], pictures["film"])
    assert changed() == ["reference pictures"]
    pictures["film"].unlink()
    assert changed() == ["reference pictures"]


def test_brief_and_dry_run_show_them(scene, pictures, tmp_path, capsys):
    give_all(scene, pictures)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert cli.main(["brief", "--out", str(tmp_path / "brief.json")]) == 0
    shots = json.loads((tmp_path / "brief.json").read_text())["shots"]
    assert shots[0]["references"] == [
        {"kind": "object", "name": "Boat", "path": str(pictures["boat"])},
        {"kind": "scene", "name": scene.name, "path": str(pictures["film"])},
    ]
    words = ["render", "--dry-run", "--mode", "text", "--size", "64x48", "--shot", "Shot 1", "--output", str(tmp_path)]
    assert cli.main([*words, "--model", str(TEXT)]) == 0
    assert 'takes no reference pictures, so some that belong to the shot "Shot 1"' in capsys.readouterr().err
    assert cli.main([*words, "--model", str(VACE), "--reference", "none"]) == 0
    assert "reference" not in capsys.readouterr().err
    assert cli.main([*words, "--model", str(VACE), "--reference", f"Boat={tmp_path}/gone.png"]) == 2
    assert f'"{tmp_path}/gone.png", does not exist' in capsys.readouterr().err
    pictures["film"].unlink()
    assert cli.main([*words, "--model", str(VACE)]) == 3


@pytest.mark.engine
@pytest.mark.parametrize("model", [FUN, VACE], ids=lambda path: path.parent.name)
def test_the_engine_makes_another_clip_by_another_reference_and_redo_keeps_the_takes(scene, pictures, tmp_path, model):
    """And the same clip as its own command line makes of the same reference."""
    scene.frame_end = 16
    chosen = settings(tmp_path, model, guide_light="off", dtype="float32", offload="none")
    frames = {}
    for name in ("film", "other"):
        generation = previs.Generation(scene, replace(chosen, references=(str(pictures[name]),)), ["Shot 1"])
        generation.run()
        assert generation.errors == []
        frames[name] = raw(Path(generation.made[0].folder))
    assert len(frames["film"]) == len(frames["other"]) == 5 and frames["film"][0] != frames["other"][0]

    first = previs.takes_of(scene, "Shot 1")[0]
    request = json.loads((Path(first.folder) / "request.json").read_text())
    words = {
        "checkpoint": model, "prompt": request["prompt"], "size": "x".join(map(str, request["size"])),
        "frames": request["frames"], "steps": 1, "seed": request["seed"], "reference": pictures["film"],
        "frames-out": tmp_path / "by_hand" / "raw", "out": tmp_path / "by_hand" / "clip.mp4",
    }  # fmt: skip
    words |= {} if request["negative"] is None else {"negative": request["negative"]}
    command = [ENGINE, "-m", "wan_engine", "generate", *(f"--{name}={value}" for name, value in words.items())]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=600)
    assert done.returncode == 0, done.stderr
    assert raw(tmp_path / "by_hand") == frames["film"]

    give(scene, pictures["other"])
    redo = previs.redo_of(scene, first, frame=5)
    (names, job) = prepared(scene, chosen, redo, ["Shot 1"])[0][0]
    assert names == request["reference"] and colors((names, job)) == ["film"]
    (Path(first.folder) / names[0]).unlink()
    with pytest.raises(JobError, match="is gone from"):
        prepared(scene, chosen, redo, ["Shot 1"])


def raw(folder):
    """The model's frames, as files."""
    return [place.read_bytes() for place in sorted((folder / "raw").iterdir())]
