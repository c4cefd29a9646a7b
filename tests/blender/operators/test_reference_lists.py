# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of reference pictures, frames of takes on them, and stars of takes, by the buttons that make them."""

from types import SimpleNamespace

import bpy
import numpy as np
import pytest
import wan_previs
from drawn_panels import draw_all
from scene_makers import add_box, add_camera
from wan_previs import previs, properties, sequencer
from wan_previs.conditioning.passes.png import write_png

FRAMES = 3


@pytest.fixture
def scene(tmp_path):
    """A saved scene with an active object and a take of three noisy pictures, and one that is a red square."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    wan_previs.register()
    scene = bpy.context.scene
    boat = add_box(scene, "Boat")
    bpy.context.view_layer.objects.active = boat
    add_camera(scene)
    scene.frame_start, scene.frame_end = 5, 4 + FRAMES
    scene.view_settings.view_transform, scene.view_settings.exposure = "AgX", 1.0
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    clip = tmp_path / "previs" / "Camera-take-1" / "clip"
    clip.mkdir(parents=True)
    for number in range(FRAMES):
        write_png(clip / f"frame_{number + 1:04d}.png", noise(number))
    write_png(tmp_path / "red.png", np.full((8, 8, 3), (255, 0, 0), np.uint8))
    (tmp_path / "words.png").write_text("words")
    sequencer.add_take(scene, "Camera", 5, 4 + FRAMES, clip, {})
    assert bpy.ops.wan_previs.read_shots() == {"FINISHED"}
    yield scene
    wan_previs.unregister()


def noise(number):
    return np.random.default_rng(number).integers(0, 256, (24, 40, 3)).astype(np.uint8)


def add(folder, owner="SCENE", *names):
    return bpy.ops.wan_previs.add_reference(owner=owner, directory=str(folder), files=[{"name": n} for n in names])


def drawn(scene):
    return draw_all(
        SimpleNamespace(
            scene=scene, window_manager=bpy.context.window_manager, preferences=bpy.context.preferences,
            region=SimpleNamespace(width=400), object=bpy.context.object, collection=bpy.context.collection,
        )
    )  # fmt: skip


def test_pictures_are_added_shown_and_taken_away(scene, tmp_path):
    boat, crowd = bpy.data.objects["Boat"], bpy.context.collection
    for owner, of in (("SCENE", scene), ("OBJECT", boat), ("COLLECTION", crowd)):
        assert add(tmp_path, owner, "red.png") == add(tmp_path, owner, "red.png") == {"FINISHED"}
        assert [entry.image.filepath for entry in of.wan_previs.references] == ["//red.png"]
    with pytest.raises(RuntimeError, match="is no picture that Blender can read"):
        add(tmp_path, "SCENE", "words.png")
    with pytest.raises(RuntimeError, match="No picture is chosen"):
        add(tmp_path)
    assert len(bpy.data.images) == 1
    assert properties.outdated(scene)
    bpy.ops.wan_previs.read_shots()
    told = drawn(scene)
    assert told.count(("label", "red.png")) == 8  # three in the tab of two editors, one of object and of collection
    row = scene.wan_previs.shots[0]
    assert row.references == f"red.png (Boat), red.png ({crowd.name}), red.png" and row.reference_count == 1
    assert any("takes no reference pictures" in str(words) for _, words in told)  # nano
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    scene, boat = bpy.context.scene, bpy.data.objects["Boat"]
    assert boat.wan_previs.references[0].image == scene.wan_previs.references[0].image
    bpy.data.images.remove(bpy.data.images["red.png"])
    assert ("label", "Picture deleted") in drawn(scene) and previs.read_shots(scene)[0].shots[0].references == ()
    assert bpy.ops.wan_previs.remove_reference(owner="SCENE", index=0) == {"FINISHED"}
    assert len(scene.wan_previs.references) == 0
    bpy.context.view_layer.objects.active = None
    with pytest.raises(RuntimeError, match="No object is active"):
        add(tmp_path, "OBJECT", "red.png")


def test_a_takes_frame_becomes_a_reference_as_the_clip_has_it(scene, tmp_path):
    scenes = list(bpy.data.scenes)
    scene.frame_set(6)
    use = bpy.ops.wan_previs.reference_from_take
    assert use(take="Camera take 1", owner="OBJECT") == use(take="Camera take 1", owner="SCENE") == {"FINISHED"}
    (entry,) = bpy.data.objects["Boat"].wan_previs.references
    files = list((tmp_path / "previs" / "references").iterdir())
    assert [bpy.path.abspath(entry.image.filepath)] == list(map(str, files)) and entry.image.filepath.startswith("//")
    assert entry.origin == "Camera take 1, frame 6" and ("label", "Camera take 1, frame 6") in drawn(scene)
    saved = np.rint(np.array(entry.image.pixels[:]).reshape(24, 40, 4)[::-1, :, :3] * 255)
    assert np.array_equal(saved, noise(1))
    assert list(bpy.data.scenes) == scenes and scene.frame_current == 6
    scene.frame_set(20)
    with pytest.raises(RuntimeError, match=r"has the frames 5 to 7\. Move the current frame"):
        use(take="Camera take 1", owner="SCENE")
    (tmp_path / "previs" / "Camera-take-1" / "clip").rename(tmp_path / "elsewhere")
    scene.frame_set(6)
    with pytest.raises(RuntimeError, match="is not there"):
        use(take="Camera take 1", owner="SCENE")


@pytest.mark.parametrize("override", [False, True])
def test_what_is_linked_is_told(scene, tmp_path, override):
    library = tmp_path / "boats.blend"
    bpy.data.libraries.write(str(library), {bpy.data.objects["Boat"]})
    bpy.data.objects.remove(bpy.data.objects["Boat"])
    with bpy.data.libraries.load(str(library), link=True) as (_, wanted):
        wanted.objects = ["Boat"]
    (boat,) = wanted.objects
    scene.collection.objects.link(boat)
    boat = boat.override_create(remap_local_usages=True) if override else boat
    bpy.context.view_layer.objects.active = boat
    for change in (
        lambda: add(tmp_path, "OBJECT", "red.png"),
        lambda: bpy.ops.wan_previs.remove_reference(owner="OBJECT", index=0),
        lambda: bpy.ops.wan_previs.reference_from_take(take="Camera take 1", owner="OBJECT"),
    ):
        with pytest.raises(RuntimeError, match=r'"Boat" is linked from boats\.blend\. Give'):
            change()


def test_a_star_stays_with_its_take(scene):
    assert not previs.takes_of(scene, "Camera")[0].starred
    assert bpy.ops.wan_previs.star_take(take="Camera take 1") == {"FINISHED"}
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    scene = bpy.context.scene
    assert previs.takes_of(scene, "Camera")[0].starred
    bpy.ops.wan_previs.star_take(take="Camera take 1")
    assert not previs.takes_of(scene, "Camera")[0].starred
    scene.sequence_editor.strips_all[0]["starred"] = "by hand"
    assert previs.takes_of(scene, "Camera")[0].starred and drawn(scene)
