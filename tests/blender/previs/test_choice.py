# SPDX-License-Identifier: GPL-3.0-or-later
"""What is decided before a shot is made: what its clip is held to, and at which size."""

import json
import struct
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tiny_shots import TEXT_ONLY, TINY, one_shot
from wan_previs import compat, conditioning, previs
from wan_previs.bridge.identity import read_identity
from wan_previs.previs import ownership
from wan_previs.previs.progress import Progress
from wan_previs.wan_engine.checkpoint.sizes import squeeze
from wan_previs.wan_engine.checkpoint.summary import outline
from wan_previs.wan_engine.errors import UsageError

NANO = previs.NANO
SCOPE = (1828, 1556, 2.0)  # anamorphic: looked at, 2.35:1


def size_of_png(path):
    return struct.unpack(">2I", path.read_bytes()[16:24])


@pytest.fixture
def scene(blank_scene):
    yield one_shot(blank_scene, "Camera")
    previs.close_engine()


def set_frame(scene, width, height, aspect=1.0, percentage=100):
    """The scene's resolution; `aspect` is that of a pixel, width over height."""
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, percentage
    render.pixel_aspect_x, render.pixel_aspect_y = max(1.0, aspect), max(1.0, 1 / aspect)


def prepared(scene, chosen):
    """The request of the scene's only shot, its job and what was noted."""
    notes = []
    brief, _ = previs.read_shots(scene)
    job = previs.prepare(scene, brief, brief.shots[0], chosen, notes.append)
    return json.loads(job.request.read_text()), job, notes


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    frame=st.tuples(st.integers(300, 2400), st.integers(300, 1400)),
    aspect=st.floats(0.5, 2.0),
    percentage=st.integers(3, 100),
    asked=st.none() | st.tuples(st.integers(64, 200), st.integers(64, 200)),
    made=st.sampled_from([("nano", "first"), ("nano", "text"), (str(TINY), "first"), (str(TEXT_ONLY), "text")]),
)
@example((1998, 1080), 1.0, 100, None, ("nano", "first"))
@example((1920, 1080), 1.0, 7, (160, 96), ("nano", "first"))
@example(SCOPE[:2], SCOPE[2], 100, None, ("nano", "text"))
@example((1440, 1080), 4 / 3, 31, None, ("nano", "first"))
def test_frames_are_rendered_at_the_size_that_the_request_asks_for(
    scene, tmp_path_factory, frame, aspect, percentage, asked, made
):
    model, mode = made
    asked = asked or (None if model == "nano" else (96, 64))
    set_frame(scene, *frame, aspect, percentage)
    shape = frame[0] * scene.render.pixel_aspect_x / (frame[1] * scene.render.pixel_aspect_y)
    folder = tmp_path_factory.mktemp("jobs")
    request, job, notes = prepared(
        scene, previs.Settings(model=model, mode=mode, size=asked, output=folder, guide_light="off")
    )
    size, told = tuple(request["size"]), outline(NANO if model == "nano" else Path(model))
    assert request["exact_size"] and size == told.size_for(shape, asked)
    assert all(side % told.multiple == 0 for side in size)
    assert any("squeezes" in note for note in notes) == (squeeze(shape, size) > 0.03)
    if mode == "first":
        assert size_of_png(job.path / request["image"]) == size


@pytest.mark.parametrize("percentage", [6, 7, 11, 12, 31, 100])
def test_the_percentage_of_the_resolution_does_not_change_the_shape(scene, tmp_path, percentage):
    set_frame(scene, 1920, 1080, 1.0, percentage)
    for asked in (None, (160, 96)):
        assert previs.size_of(scene, previs.Settings(size=asked), outline(NANO)) == (160, 96)


@pytest.mark.parametrize(
    ("frame", "size"),
    [
        (SCOPE, (224, 96)),
        ((1440, 1080, 4 / 3), (160, 96)),
        ((720, 576, 64 / 45), (160, 96)),
        ((2048, 858, 1.0), (224, 96)),
    ],
    ids=["anamorphic", "HDV", "PAL wide", "scope"],
)
def test_pixels_that_are_not_square_count(scene, frame, size):
    set_frame(scene, *frame)
    assert previs.size_of(scene, previs.Settings(), outline(NANO)) == size


@pytest.mark.engine
@pytest.mark.parametrize(("mode", "model"), [("first_last", "nano"), ("text", "nano"), ("first", str(TINY))])
def test_the_engine_makes_exactly_the_size_that_was_rendered(scene, tmp_path, mode, model):
    set_frame(scene, *SCOPE)
    size = None if model == "nano" else (160, 96)
    generation = previs.Generation(scene, previs.Settings(model=model, mode=mode, size=size, steps=1, output=tmp_path))
    generation.run()
    assert generation.errors == []
    (job,) = tmp_path.glob("*-take-*")
    report, request = (json.loads((job / name).read_text()) for name in ("report.json", "request.json"))
    assert report["size"] == request["size"]
    assert report["clip"]["size"] == [max(1, request["upscale"]) * side for side in request["size"]]
    assert request["upscale"] == (4 if model == "nano" else 0)
    assert squeeze(2.35, tuple(request["size"])) < 0.03
    if mode != "text":
        assert size_of_png(job / "conditioning" / "first.png") == tuple(request["size"])


@pytest.mark.engine
def test_the_mode_that_a_text_model_can_do_is_taken_and_told(scene, tmp_path):
    set_frame(scene, 96, 64)
    generation = previs.Generation(
        scene, previs.Settings(model=str(TEXT_ONLY), size=(96, 64), steps=1, output=tmp_path)
    )
    generation.run()
    assert generation.errors == [] and len(generation.made) == 1
    assert any("text alone" in note for note in generation.progress.notes)
    (job,) = tmp_path.glob("*-take-*")
    assert json.loads((job / "request.json").read_text())["image"] is None


@pytest.mark.parametrize(
    ("model", "mode", "can"), [(TEXT_ONLY, "first_last", "auto, text;"), (TEXT_ONLY, "first", "auto, text;"),
                               (TINY, "text", "auto, first_last, first, motion;")],
)  # fmt: skip
def test_a_mode_that_the_model_cannot_do_is_refused_before_anything_is_rendered(scene, tmp_path, model, mode, can):
    chosen = previs.Settings(model=str(model), mode=mode, size=(96, 64), output=tmp_path / "jobs")
    with pytest.raises(UsageError, match=can):
        previs.Generation(scene, chosen)
    with pytest.raises(UsageError, match=can):
        prepared(scene, chosen)
    assert not chosen.output.exists()


def test_auto_with_nano_holds_both_ends(scene, tmp_path):
    scene.objects["Cube"].keyframe_insert("location", frame=1)
    scene.objects["Cube"].location.x = 1
    scene.objects["Cube"].keyframe_insert("location", frame=10)
    request, _, notes = prepared(scene, previs.Settings(output=tmp_path))
    assert request["image"] and request["last_image"] and not any("mode" in note for note in notes)


@pytest.mark.engine
def test_the_machine_chooses_precision_and_offload_unless_they_are_stated(scene, tmp_path):
    set_frame(scene, 96, 64)
    request, _, _ = prepared(scene, previs.Settings(model=str(TINY), mode="first", size=(96, 64), output=tmp_path))
    assert (request["dtype"], request["offload"]) == ("auto", "auto")
    request, _, _ = prepared(scene, previs.Settings(mode="text", output=tmp_path))  # nano is always run exactly
    assert (request["dtype"], request["offload"]) == ("float32", "auto")
    stated = previs.Settings(
        model=str(TINY), mode="first", size=(96, 64), steps=1, output=tmp_path / "jobs", dtype="bfloat16",
        offload="block",
    )  # fmt: skip
    generation = previs.Generation(scene, stated)
    generation.run()
    assert generation.errors == []
    report = json.loads((generation.clips[0].parent / "report.json").read_text())
    assert (report["dtype"], report["offload"]) == ("bfloat16", "block")
    assert not any("Chosen" in note for note in generation.progress.notes)


def animate(item, path, *keys):
    """Key a property at (frame, value) pairs."""
    for frame, value in keys:
        setattr(item, path, value)
        item.keyframe_insert(path, frame=frame)


def turntable(scene):
    """A cube with a knob turns once round; the last frame is the first again."""
    bpy.ops.mesh.primitive_cube_add(size=0.8, location=(1.3, 0, 0))
    bpy.context.object.parent = scene.objects["Cube"]
    animate(scene.objects["Cube"], "rotation_euler", (1, (0, 0, 0)), (10, (0, 0, 6.2831853)))


def there_and_back(scene):
    animate(scene.camera, "location", (1, (0, -8, 1)), (5, (1.5, -8, 1)), (10, (0, -8, 1)))


def light_comes_and_goes(scene):
    animate(scene.objects["Sun"].data, "energy", (1, 0.2), (5, 3.0), (10, 0.2))


def loop(scene):
    """A turntable of 40 frames that lacks the very last step, so that it can be played again and again."""
    turntable(scene)
    scene.frame_end = 40
    curves = compat.fcurves(scene.objects["Cube"])
    for point in (curve.keyframe_points[-1] for curve in curves):
        point.co.x = 41
    for point in (point for curve in curves for point in curve.keyframe_points):
        point.interpolation = "LINEAR"


def short_hop(scene):
    """Between the frames that are looked at."""
    scene.frame_end = 60
    animate(scene.objects["Cube"], "location", (5, (0, 0, 0)), (7, (0, 0, 2)), (9, (0, 0, 0)))


def half_way_back(scene):
    animate(scene.camera, "location", (1, (0, -8, 1)), (5, (1.5, -8, 1)), (10, (0.8, -8, 1)))


def small_thing_crosses(scene):
    bpy.ops.mesh.primitive_cube_add(size=0.3)
    animate(bpy.context.object, "location", (1, (-2, -2, 1)), (10, (2, -2, 1)))


def day_passes(scene):
    animate(scene.objects["Sun"].data, "energy", (1, 0.5), (10, 3.0))


@pytest.fixture
def lit(scene):
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.rotation_euler = (0.9, 0.0, 0.4)
    scene.collection.objects.link(sun)
    set_frame(scene, 160, 90)
    return scene


@pytest.mark.parametrize("returns", [turntable, loop, there_and_back, short_hop, light_comes_and_goes])
@pytest.mark.parametrize("mode", ["auto", "first_last"])
def test_a_shot_that_returns_to_its_first_picture_is_let_move(lit, tmp_path, returns, mode):
    returns(lit)
    before = lit.frame_current
    request, job, notes = prepared(lit, previs.Settings(mode=mode, output=tmp_path))
    (told,) = [note for note in notes if "ends as it begins" in note]
    assert lit.frame_current == before
    assert (request["last_image"] is None) == (mode == "auto") == ("first frame alone" in told)
    assert (job.conditioning / "last.png").exists() == (mode == "first_last")
    assert request["light"]["times"]


@pytest.mark.parametrize("mode", ["auto", "first_last"])
def test_a_shot_in_which_nothing_moves_may_stand_still_and_is_told(lit, tmp_path, mode):
    request, _, notes = prepared(lit, previs.Settings(mode=mode, output=tmp_path))
    assert request["last_image"] and any("Nothing is seen to move" in note for note in notes)


def test_a_long_loop_is_held_at_the_pictures_on_its_way(lit, tmp_path):
    """Its segments end where things stand elsewhere, so none of them stands still."""
    turntable(lit)
    lit.frame_end = 60
    for curve in compat.fcurves(lit.objects["Cube"]):
        curve.keyframe_points[-1].co.x = 60
    request, job, notes = prepared(lit, previs.Settings(output=tmp_path))
    assert request["last_image"] and not any("ends as it begins" in note for note in notes)
    assert request["keyframes"] and all((job.path / key["path"]).exists() for key in request["keyframes"])


def test_pictures_that_are_all_alike_are_found_so_before_they_are_rendered(lit, tmp_path, monkeypatch):
    short_hop(lit)
    rendered = []
    monkeypatch.setattr(conditioning, "render_keyframes", lambda *given: rendered.append(given) or iter(()))
    brief, _ = previs.read_shots(lit)
    assert previs.wish_of(lit, brief, brief.shots[0], previs.Settings(output=tmp_path)).request.keyframes
    request, _, _ = prepared(lit, previs.Settings(output=tmp_path))
    assert rendered == [] and request["keyframes"] == [] and request["last_image"] is None


@pytest.mark.parametrize("moves", [small_thing_crosses, day_passes, half_way_back])
def test_a_shot_that_ends_elsewhere_is_held_at_both_ends(lit, tmp_path, moves):
    moves(lit)
    request, _, notes = prepared(lit, previs.Settings(output=tmp_path))
    assert request["last_image"] and not any("move" in note for note in notes)


def test_what_the_pictures_ruled_out_is_no_change_of_the_users(lit, tmp_path):
    """The job of a shot that returns goes on without a question about its mode."""
    turntable(lit)
    chosen = previs.Settings(output=tmp_path)
    _, job, _ = prepared(lit, chosen)
    brief, _ = previs.read_shots(lit)
    offer = SimpleNamespace(job=job, sampled=False, found=SimpleNamespace(sure=True, identity=read_identity(job)))
    wish = previs.wish_of(lit, brief, brief.shots[0], chosen)
    assert ownership.doubts(offer, wish) == []
    other = previs.wish_of(lit, brief, brief.shots[0], replace(chosen, mode="first", seed=4))
    assert "seed" in " ".join(ownership.doubts(offer, other))


def test_no_note_of_a_long_queue_is_lost():
    progress = Progress()
    for number in range(12):
        progress.note(f"Shot {number} ends as it begins.")
        progress.note("The picture is squeezed.")
    assert len(progress.notes) == 13 and progress.notes[0].startswith("Shot 0")
