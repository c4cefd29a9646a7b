# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditioning frames show what the shot's camera sees, and rendering them leaves the scene as it was."""

import resource
import struct
from contextlib import contextmanager

import bpy
import pytest
from walls import BLUE, GREEN, RED, add_object, add_wall, middle, picture, shows
from wan_previs.conditioning import preserved, render_first_last
from wan_previs.scene.brief import CameraPath, SceneError, Shot

EEVEE = "BLENDER_EEVEE" if bpy.app.version >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"


def make_shot(camera, frame_start=1, frame_end=10):
    return Shot("Shot", frame_start, frame_end, camera, sun=None, camera_path=CameraPath(samples=()))


def furnish(scene):
    """Three walls seen from above; camera A goes from red (frame 1) to blue (frame 10), camera B stands over green."""
    for name, color, x in (("red", RED, 0), ("green", GREEN, 20), ("blue", BLUE, 40)):
        add_wall(scene, name, color, x)
    moving = add_object(scene, "A", bpy.data.cameras.new("A"), (0, 0, 4))
    moving.keyframe_insert("location", frame=1)
    moving.location.x = 40
    moving.keyframe_insert("location", frame=10)
    moving.location.x = 0
    add_object(scene, "B", bpy.data.cameras.new("B"), (20, 0, 4))
    scene.camera = moving
    scene.render.engine = "CYCLES"
    scene.view_settings.view_transform = "Standard"
    scene.frame_set(1)
    return scene


@pytest.fixture
def stage(blank_scene):
    return furnish(blank_scene)


def facts(struct_, depth=4, prefix=""):
    """Every property of an RNA struct and of the structs it owns, by path, as comparable text."""
    found = {}
    for prop in struct_.bl_rna.properties:
        # Not stored in the scene, and tool settings that are not set up yet crash Blender 4.2 when they are read.
        if prop.identifier in {"rna_type", "depsgraph", "selected_studio_light", "tool_settings"}:
            continue
        value = getattr(struct_, prop.identifier)
        path = f"{prefix}.{prop.identifier}"
        if prop.type == "POINTER":
            if value is not None and not isinstance(value, bpy.types.ID) and depth:
                found |= facts(value, depth - 1, path)
            else:
                found[path] = getattr(value, "name_full", None)
        elif prop.type == "COLLECTION":
            found[path] = [getattr(item, "name", "") for item in value]
        else:
            found[path] = repr(value[:] if getattr(prop, "is_array", False) else value)
    return found


def everything(scene):
    """All that rendering could touch in and around a scene."""
    found = facts(scene, prefix="scene")
    for marker in scene.timeline_markers:
        found |= facts(marker, prefix=f"marker {marker.frame}")
    for layer in scene.view_layers:
        found |= facts(layer, depth=1, prefix=f"layer {layer.name}")
        found[f"selected in {layer.name}"] = [item.name for item in layer.objects.selected]
    for item in scene.objects:
        found[f"place of {item.name}"] = [tuple(row) for row in item.matrix_basis]
    for name in ("images", "scenes", "objects", "cameras", "node_groups", "texts", "collections", "worlds"):
        found[f"data.{name}"] = sorted(item.name_full for item in getattr(bpy.data, name))
    found["window"] = (bpy.context.window.scene.name, bpy.context.window.view_layer.name)
    return found


def changes(before, after):
    """What differs between two states: {path: (before, after)}."""
    return {path: (before.get(path), after.get(path)) for path in before | after if before.get(path) != after.get(path)}


def disturb(scene):
    """Settings far from those a conditioning frame needs, and a state that a change of frame would lose."""
    render, image = scene.render, scene.render.image_settings
    render.resolution_x, render.resolution_y, render.resolution_percentage = 1998, 1080, 37
    render.pixel_aspect_x, render.use_border, render.use_crop_to_border = 1.5, True, True
    render.border_min_x, render.filepath = 0.4, "//elsewhere/shot_####"
    render.use_stamp = render.use_multiview = render.film_transparent = True
    if hasattr(image, "media_type"):
        image.media_type = "IMAGE"
    image.file_format = "OPEN_EXR"
    image.color_mode, image.color_depth, image.color_management = "RGBA", "16", "OVERRIDE"
    scene.cycles.samples, scene.cycles.use_denoising = 77, True
    scene.cycles.use_layer_samples = "BOUNDED"
    scene.view_layers.new("second").samples = 900
    for frame, camera in ((1, "A"), (6, "B")):
        scene.timeline_markers.new(camera, frame=frame).camera = scene.objects[camera]
    hidden = scene.objects["green"]
    hidden.hide_viewport = False
    hidden.keyframe_insert("hide_viewport", frame=4)
    hidden.hide_viewport = True
    hidden.keyframe_insert("hide_viewport", frame=8)
    scene.keyframe_insert("cycles.samples", frame=1)
    scene.frame_set(3, subframe=0.25)
    scene.camera = scene.objects["B"]
    for name in ("green", "A"):
        scene.objects[name].select_set(True)
    bpy.context.view_layer.objects.active = hidden


def seen_while_rendering(scene, read, call):
    """What `read(scene)` gives each time a render of `scene` starts during `call()`."""
    seen = []

    def note(started, *_):
        seen.append(read(started))

    bpy.app.handlers.render_pre.append(note)
    try:
        call()
    finally:
        bpy.app.handlers.render_pre.remove(note)
    return seen


@contextmanager
def files_no_larger_than(size):
    """Writing beyond `size` bytes fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_first_and_last_frame_through_the_camera(stage, tmp_path):
    paths = render_first_last(stage, make_shot("A"), (32, 16), tmp_path)
    assert paths == {"first": tmp_path / "first.png", "last": tmp_path / "last.png"}
    assert shows(paths["first"], RED)
    assert shows(paths["last"], BLUE)


def test_without_the_last_frame(stage, tmp_path):
    assert render_first_last(stage, make_shot("A"), (32, 16), tmp_path, last=False) == {"first": tmp_path / "first.png"}
    assert not (tmp_path / "last.png").exists()


def test_the_shots_camera_wins_over_bound_markers(stage, tmp_path):
    stage.timeline_markers.new("cut", frame=1).camera = stage.objects["A"]
    stage.timeline_markers.new("cut", frame=10).camera = stage.objects["A"]
    paths = render_first_last(stage, make_shot("B"), (32, 16), tmp_path)
    assert shows(paths["first"], GREEN) and shows(paths["last"], GREEN)


def test_picture_is_rgb_of_exactly_the_size_whatever_the_settings(stage, tmp_path):
    disturb(stage)
    path = render_first_last(stage, make_shot("A"), (40, 24), tmp_path, last=False)["first"]
    width, height, depth, color_type = struct.unpack(">2I2B", path.read_bytes()[16:26])
    assert (width, height, depth, color_type) == (40, 24, 8, 2)
    inner = [color for (x, y), color in picture(path)[1].items() if 0 < x < 39 and 0 < y < 23]
    assert min(color[0] for color in inner) > 200  # the denoiser darkens the outermost corners of this picture
    assert max(max(color[1:]) for color in inner) < 50


@pytest.mark.parametrize(("resolution", "aspect"), [((64, 64), 2), ((128, 64), 1), ((64, 128), 1), ((64, 64), 1)])
def test_the_picture_covers_the_scenes_frame(stage, tmp_path, resolution, aspect):
    stage.objects["B"].location.z = 36
    stage.render.resolution_x, stage.render.resolution_y = resolution
    stage.render.pixel_aspect_x = aspect
    path = render_first_last(stage, make_shot("B"), (64, 64), tmp_path, last=False)["first"]
    lit = [place for place, color in picture(path)[1].items() if color[1] > 128]
    width, height = (len({place[axis] for place in lit}) for axis in (0, 1))
    wide, high = resolution[0] * aspect, resolution[1]
    share = 8 / (36 * 36 / 50)  # of the frame's longer side
    assert width == pytest.approx(64 * share * max(wide, high) / wide, abs=2)
    assert height == pytest.approx(64 * share * max(wide, high) / high, abs=2)


def test_strips_compositing_and_output_colours_stay_out(stage, tmp_path):
    editor = stage.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    length = {"length": 50} if bpy.app.version >= (5, 0, 0) else {"frame_end": 51}
    strips.new_effect(name="white", type="COLOR", channel=1, frame_start=1, **length).color = (1, 1, 1)
    if bpy.app.version >= (5, 0, 0):
        tree = stage.compositing_node_group = bpy.data.node_groups.new("grade", "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        output = tree.nodes.new("NodeGroupOutput")
    else:
        stage.use_nodes = True
        tree = stage.node_tree
        tree.nodes.clear()
        output = tree.nodes.new("CompositorNodeComposite")
    tree.links.new(tree.nodes.new("CompositorNodeRGB").outputs[0], output.inputs["Image"])
    stage.render.image_settings.color_management = "OVERRIDE"
    stage.render.image_settings.view_settings.view_transform = "Raw"
    stage.view_settings.exposure = -1
    assert shows(render_first_last(stage, make_shot("A"), (32, 16), tmp_path)["last"], (0, 0, 188))


def test_the_scenes_view_transform_is_used(stage, tmp_path):
    stage.view_settings.view_transform = "AgX"
    red, green, blue = middle(render_first_last(stage, make_shot("A"), (32, 16), tmp_path)["first"])
    assert red > 150 and green > 10 and blue > 10  # AgX bends pure red towards white


def test_of_several_view_layers_the_active_one_makes_the_picture(stage, tmp_path):
    walls = bpy.data.collections.new("walls")
    stage.collection.children.link(walls)
    red = stage.objects["red"]
    walls.objects.link(red)
    stage.collection.objects.unlink(red)
    stage.view_layers[0].layer_collection.children["walls"].exclude = True
    bpy.context.window.view_layer = stage.view_layers.new("with walls")
    stage.view_layers["with walls"].layer_collection.children["walls"].exclude = False
    assert shows(render_first_last(stage, make_shot("A"), (32, 16), tmp_path)["first"], RED)


def test_a_scene_that_is_not_the_active_one(blank_scene, tmp_path):
    other = furnish(bpy.data.scenes.new("other"))
    before = everything(other), everything(blank_scene)
    paths = render_first_last(other, make_shot("A"), (32, 16), tmp_path)
    assert shows(paths["first"], RED) and shows(paths["last"], BLUE)
    assert changes(before[0], everything(other)) == changes(before[1], everything(blank_scene)) == {}


def test_a_linked_scene(stage, tmp_path):
    stage.name = "set"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "set.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "set.blend"), link=True) as (_, wanted):
        wanted.scenes = ["set"]
    linked = bpy.data.scenes["set", str(tmp_path / "set.blend")]
    before = everything(linked)
    assert shows(render_first_last(linked, make_shot("A"), (32, 16), tmp_path)["last"], BLUE)
    assert changes(before, everything(linked)) == {}


def test_folders_with_placeholder_characters_are_taken_literally(stage, tmp_path):
    folder = tmp_path / "take {blend_name} ##" / "conditioning"
    paths = render_first_last(stage, make_shot("A"), (32, 16), folder)
    assert sorted(folder.iterdir()) == [paths["first"], paths["last"]]


@pytest.mark.parametrize("engine", ["CYCLES", EEVEE, "BLENDER_WORKBENCH"])
def test_nothing_in_the_scene_has_changed(stage, tmp_path, engine):
    disturb(stage)
    stage.render.engine = engine
    before = everything(stage)
    render_first_last(stage, make_shot("A"), (32, 16), tmp_path)
    assert changes(before, everything(stage)) == {}


def test_nothing_has_changed_with_movie_output(stage, tmp_path):
    image = stage.render.image_settings
    if hasattr(image, "media_type"):
        image.media_type = "VIDEO"
    image.file_format = "FFMPEG"
    before = everything(stage)
    render_first_last(stage, make_shot("A"), (32, 16), tmp_path)
    assert changes(before, everything(stage)) == {}


def test_nothing_has_changed_after_a_failed_save(stage, tmp_path):
    disturb(stage)
    (tmp_path / "last.png").mkdir()
    before = everything(stage)
    with pytest.raises(SceneError, match=r'Frame 10 of shot "Shot" could not be saved as ".*last\.png"'):
        render_first_last(stage, make_shot("A"), (32, 16), tmp_path)
    assert changes(before, everything(stage)) == {}


def test_nothing_has_changed_after_an_interrupt(stage):
    disturb(stage)
    before = everything(stage)
    with pytest.raises(KeyboardInterrupt), preserved(stage):
        stage.frame_set(9)
        stage.render.engine = "BLENDER_WORKBENCH"
        stage.render.image_settings.file_format = "JPEG"
        stage.cycles.samples = 1
        stage.camera = stage.objects["A"]
        stage.view_layers[0].use = False
        raise KeyboardInterrupt
    assert changes(before, everything(stage)) == {}


def test_a_render_result_that_was_there_stays(stage, tmp_path):
    stage.render.resolution_x = stage.render.resolution_y = stage.cycles.samples = 8
    bpy.ops.render.render()
    render_first_last(stage, make_shot("A"), (32, 16), tmp_path)
    assert "Render Result" in bpy.data.images


@pytest.mark.parametrize(
    ("engine", "rendered"),
    [("CYCLES", "CYCLES"), (EEVEE, "CYCLES"), ("BLENDER_WORKBENCH", "BLENDER_WORKBENCH")],
)
def test_engine_in_the_background(stage, tmp_path, engine, rendered):
    stage.render.engine = engine
    assert bpy.app.background
    seen = seen_while_rendering(
        stage,
        lambda scene: scene.render.engine,
        lambda: render_first_last(stage, make_shot("A"), (32, 16), tmp_path),
    )
    assert seen == [rendered, rendered]


@pytest.mark.parametrize(("own", "expected"), [(4096, 5), (2, 2)])
def test_samples_are_capped(stage, tmp_path, own, expected):
    stage.cycles.samples = own
    seen = seen_while_rendering(
        stage,
        lambda scene: scene.cycles.samples,
        lambda: render_first_last(stage, make_shot("A"), (32, 16), tmp_path, samples=5),
    )
    assert seen == [expected, expected]


@pytest.mark.parametrize("camera", ["gone", ""])
def test_a_missing_camera_is_told_in_words(stage, tmp_path, camera):
    before = everything(stage)
    with pytest.raises(SceneError, match="no camera") as caught:
        render_first_last(stage, make_shot(camera), (32, 16), tmp_path)
    assert caught.value.exit_status == 3
    assert changes(before, everything(stage)) == {}
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_told_before_rendering(stage, tmp_path):
    (tmp_path / "file").write_text("")
    seen = []

    def render():
        with pytest.raises(SceneError, match=r"cannot be written .*Choose another output folder"):
            render_first_last(stage, make_shot("A"), (32, 16), tmp_path / "file" / "conditioning")
        seen.append("told")

    assert seen_while_rendering(stage, lambda scene: "rendered", render) == [] and seen == ["told"]


def test_a_full_disk_is_told_in_words(stage, tmp_path):
    before = everything(stage)
    with files_no_larger_than(64), pytest.raises(SceneError, match=r'could not be saved .*first\.png"'):
        render_first_last(stage, make_shot("A"), (640, 320), tmp_path, samples=1)
    assert changes(before, everything(stage)) == {}


def test_view_layers_all_switched_off_are_told_in_words(stage, tmp_path):
    for layer in stage.view_layers:
        layer.use = False
    before = everything(stage)
    with pytest.raises(SceneError, match="No view layer"):
        render_first_last(stage, make_shot("A"), (32, 16), tmp_path)
    assert changes(before, everything(stage)) == {}


def test_a_render_that_fails_is_told_in_words(stage, tmp_path):
    class Broken(bpy.types.RenderEngine):
        bl_idname = bl_label = "BROKEN"

        def render(self, depsgraph):
            self.report({"ERROR"}, "out of paint")

    bpy.utils.register_class(Broken)
    try:
        stage.render.engine = "BROKEN"
        before = everything(stage)
        with pytest.raises(SceneError, match=r'Frame 1 of shot "Shot" could not be rendered: out of paint'):
            render_first_last(stage, make_shot("A"), (32, 16), tmp_path)
        assert changes(before, everything(stage)) == {}
    finally:
        bpy.utils.unregister_class(Broken)
