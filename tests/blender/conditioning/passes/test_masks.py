# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks of marked objects cover exactly what a ray through the middle of each pixel meets of them."""

import bpy
import numpy as np
import pytest
from passes_scene import FRAMES, SIZE, make_scene, met, read_png, shot_of, traces
from scene_makers import add_box, link
from test_frames import everything
from wan_previs import properties
from wan_previs.conditioning import passes
from wan_previs.conditioning.passes.sweep import look
from wan_previs.scene.brief import SceneError

INDEX = {"none": 0, "follow": 1, "free": 2, "keep": 3}


@pytest.fixture
def stage(blank_scene):
    with properties.available():
        make_scene(blank_scene)
        yield blank_scene


def indices(scene, frames=FRAMES, layers=("objects",)):
    return [seen.layers for seen in look(scene, shot_of(scene), SIZE, frames, layers)]


def expected(scene, frame, marks):
    _, names = met(scene, frame)
    return np.vectorize(lambda name: INDEX[marks.get(name, "none")])(names)


def test_they_are_exact_in_front_of_and_behind_others(stage):
    """The moving crate passes before the still one."""
    marks = {"Moving": "follow", "Still": "keep"}
    for name, mark in marks.items():
        stage.objects[name].wan_previs.mark = mark
    stage.objects["Ground"].pass_index = 3  # the user's own
    covered = []
    for frame, layers in zip(FRAMES, indices(stage), strict=True):
        true = expected(stage, frame, marks)
        assert (np.rint(layers["objects"]) == true).mean() > 0.998
        covered.append(int((true == INDEX["keep"]).sum()))
    assert min(covered) > 0 and len(set(covered)) > 1
    assert stage.objects["Ground"].pass_index == 3


def test_a_collection_marks_all_in_it_that_has_no_mark_of_its_own(stage):
    outer, inner = bpy.data.collections.new("Outer"), bpy.data.collections.new("Inner")
    stage.collection.children.link(outer)
    outer.children.link(inner)
    for name, collection in (("Ground", outer), ("Still", inner), ("Moving", inner)):
        stage.collection.objects.unlink(stage.objects[name])
        collection.objects.link(bpy.data.objects[name])
    outer.wan_previs.mark, bpy.data.objects["Moving"].wan_previs.mark = "follow", "keep"
    assert {item.name: mark for item, mark in passes.marks_of(stage).items()} == {
        "Ground": "follow", "Still": "follow", "Moving": "keep",
    }  # fmt: skip
    inner.wan_previs.mark = "free"
    assert passes.marks_of(stage)[stage.objects["Still"]] == "free"


def test_a_mark_on_a_collections_instance_covers_what_it_places(stage):
    collection = bpy.data.collections.new("Boats")
    boat = add_box(stage, "Boat", (0.0, 0.0, 1.0))
    stage.collection.objects.unlink(boat)
    collection.objects.link(boat)
    place = link(stage, "Place", None, (0.0, -3.0, 0.5))
    place.instance_type, place.instance_collection = "COLLECTION", collection
    place.wan_previs.mark = "follow"
    (layers,) = indices(stage, [1.0])
    assert (layers["objects"] == 1).sum() > 5


def test_what_is_free_is_seen_through_by_depth_and_told_by_its_mask(stage):
    stage.objects["Moving"].wan_previs.mark = "free"
    (layers,) = indices(stage, [2.5], ("objects", "depth"))
    true = expected(stage, 2.5, {"Moving": "free"})
    assert (true == INDEX["free"]).sum() > 5 and (np.rint(layers["objects"]) == true).mean() > 0.998
    bpy.data.objects.remove(stage.objects["Moving"])
    depth, _ = met(stage, 2.5)
    close = np.isclose(layers["depth"], depth, atol=1e-4)
    assert close.mean() > 0.998


def test_the_files_are_black_and_white_and_leave_no_trace(stage, tmp_path):
    stage.objects["Moving"].wan_previs.mark, stage.objects["Still"].wan_previs.mark = "follow", "free"
    before, shot = everything(stage), shot_of(stage)
    indexes = {item.name: (item.pass_index, item.visible_camera) for item in bpy.data.objects}
    list(passes.write_passes(
        stage, shot, SIZE, tmp_path, 3, lambda scratch: [passes.MaskPass(tmp_path, ["follow", "free"])]
    ))  # fmt: skip
    assert traces(before, everything(stage)) == {}
    assert {item.name: (item.pass_index, item.visible_camera) for item in bpy.data.objects} == indexes
    for number, frame in enumerate((1.0, 4.5, 8.0), 1):
        true = expected(stage, frame, {"Moving": "follow", "Still": "free"})
        for mark in ("follow", "free"):
            mask = read_png(tmp_path / mark / f"{number:05}.png")
            assert set(np.unique(mask)) <= {0, 255} and ((mask == 255) == (true == INDEX[mark])).mean() > 0.998


def test_kept_objects_stand_in_the_clip_as_they_are_rendered(stage, tmp_path):
    stage.cycles.samples = 1
    stage.objects["Moving"].wan_previs.mark = "keep"
    shot = shot_of(stage)
    seen = {}

    class Spy:
        layers = ("picture", "objects")

        def add(self, now):
            seen.setdefault(now.frame, {}).update(now.layers)

        def finish(self): ...

    def wanted(scratch):
        clip = tmp_path / "depth"
        return [
            passes.DepthPass(shot, tmp_path, scratch, "depth", "linear", "clip"),
            passes.KeepPass(clip, tmp_path / "mask", scratch),
            Spy(),
        ]

    list(passes.write_passes(stage, shot, SIZE, tmp_path, 2, wanted))
    for number, layers in enumerate(seen.values(), 1):
        kept = layers["objects"] == INDEX["keep"]
        clip, mask = (read_png(tmp_path / name / f"{number:05}.png") for name in ("depth", "mask"))
        assert np.array_equal(mask == 0, kept) and kept.any() and not kept.all()
        assert np.array_equal(clip[kept], layers["picture"][kept])
        assert np.array_equal(clip[~kept][:, 0], clip[~kept][:, 1])  # grey: the depth


@pytest.mark.parametrize("how", ["render", "collection"])
def test_a_marked_object_that_no_render_shows_is_told(stage, how):
    item = stage.objects["Moving"]
    item.wan_previs.mark = "keep"
    passes.check_marks(stage)
    if how == "render":
        item.hide_render = True
    else:
        hidden = bpy.data.collections.new("Hidden")
        stage.collection.children.link(hidden)
        stage.collection.objects.unlink(item)
        hidden.objects.link(item)
        hidden.hide_render = True
    with pytest.raises(SceneError, match='"Moving" is marked "Keep as Rendered" but hidden'):
        passes.check_marks(stage)
    item.wan_previs.mark = "none"
    passes.check_marks(stage)
