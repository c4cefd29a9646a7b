# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes land on the shot's frames, on a free channel, and remember how they were made."""

from itertools import pairwise
from pathlib import Path

import bpy
import pytest
from wan_previs.sequencer import SequencerError, add_take, read_take, takes

FACTS = {"prompt": "a courtyard", "seed": 7, "model": "nano", "job_folder": "/jobs/7", "shift": 5.5}


@pytest.fixture(scope="session")
def make_clip(tmp_path_factory):
    """A function that gives an MP4 of so many frames, 64 x 32, written by Blender itself."""
    folder = tmp_path_factory.mktemp("clips")

    def make(frames):
        path = folder / f"{frames}.mp4"
        if not path.exists():
            write_clip(path, frames)
        return path

    return make


def write_clip(path, frames, color=None):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    render, image = scene.render, scene.render.image_settings
    render.engine = "BLENDER_WORKBENCH"
    render.resolution_x, render.resolution_y = 64, 32
    if hasattr(image, "media_type"):
        image.media_type = "VIDEO"
    image.file_format = "FFMPEG"
    render.ffmpeg.format, render.ffmpeg.codec = "MPEG4", "H264"
    render.filepath = str(path)
    scene.frame_start, scene.frame_end = 1, frames
    if color is not None:
        scene.view_settings.view_transform = "Standard"
        add_color(scene, 1, 1, frames).color = color
    bpy.ops.render.render(animation=True)


@pytest.fixture
def clip(make_clip):
    return make_clip(5)


@pytest.fixture
def scene(clip, blank_scene):  # the clip first: writing it resets Blender
    blank_scene.sequence_editor_clear()  # some versions start with an empty one
    return blank_scene


def frames_of(strip):
    if hasattr(strip, "left_handle"):
        return int(strip.left_handle), int(strip.right_handle) - 1
    return int(strip.frame_final_start), int(strip.frame_final_end) - 1


def strips_of(scene):
    editor = scene.sequence_editor or scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def add_color(scene, channel, first, last, name="color"):
    end = {"length": last + 1 - first} if bpy.app.version >= (5, 0, 0) else {"frame_end": last + 1}
    return strips_of(scene).new_effect(name=name, type="COLOR", channel=channel, frame_start=first, **end)


def no_overlaps(scene):
    spans = sorted((strip.channel, *frames_of(strip)) for strip in strips_of(scene))
    return all(a[0] != b[0] or a[2] < b[1] for a, b in pairwise(spans))


@pytest.mark.parametrize(("first", "length"), [(1, 5), (101, 5), (-3, 5), (0, 1), (24, 33)])
def test_a_take_lies_exactly_on_the_shots_frames(make_clip, first, length):
    clip = make_clip(length)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    strip = add_take(bpy.context.scene, "Shot", first, first + length - 1, clip, FACTS)
    assert frames_of(strip) == (first, first + length - 1)
    assert (strip.type, strip.name, strip.channel) == ("MOVIE", "Shot take 1", 1)


def test_provenance_is_plain_and_complete(scene, clip):
    strip = add_take(scene, "Shot", 1, 5, clip, {**FACTS, "noise_seed": 2**63, "low": -(2**31)})
    stored = dict(strip.items())
    assert stored.pop("created").endswith("+00:00")
    assert stored == {
        **FACTS, "wan_previs": "wan_previs.take/1", "shot": "Shot", "take": 1, "noise_seed": str(2**63), "low": -(2**31)
    }  # fmt: skip
    assert {type(value) for value in stored.values()} == {str, int, float}


def test_each_take_gets_the_next_number_and_its_own_channel(scene, clip):
    strips = [add_take(scene, "Shot", 1, 5, clip, FACTS) for _ in range(3)]
    other = add_take(scene, "Other", 6, 10, clip, FACTS)
    assert [strip.name for strip in strips] == ["Shot take 1", "Shot take 2", "Shot take 3"]
    assert [strip.channel for strip in strips] == [1, 2, 3]
    assert (other.name, other.channel) == ("Other take 1", 1)
    assert no_overlaps(scene)


def test_numbers_continue_after_the_highest_take(scene, clip):
    first, second, _ = (add_take(scene, "Shot", 1, 5, clip, FACTS) for _ in range(3))
    strips_of(scene).remove(first)
    strips_of(scene).remove(second)
    assert add_take(scene, "Shot", 1, 5, clip, FACTS).name == "Shot take 4"


def test_a_name_used_by_hand_is_passed_over(scene, clip):
    add_color(scene, 1, 50, 60, name="Shot take 1")
    strip = add_take(scene, "Shot", 1, 5, clip, FACTS)
    assert (strip.name, strip["take"]) == ("Shot take 2", 2)


@pytest.mark.parametrize("shot", ["s" * 63, "é" * 31, "鏡" * 21])
def test_long_shot_names_keep_their_take_number(scene, clip, shot):
    assert [add_take(scene, shot, 1, 5, clip, FACTS).name[-7:] for _ in range(11)][-2:] == ["take 10", "take 11"]
    assert [strip["take"] for strip in takes(scene, shot)] == list(range(1, 12))
    assert {strip["shot"] for strip in takes(scene, shot)} == {shot}


def test_takes_lists_one_shot_in_order_also_inside_metas(scene, clip):
    assert takes(scene, "Shot") == [] and scene.sequence_editor is None
    names = [add_take(scene, "Shot", 1, 5, clip, FACTS).name for _ in range(2)]
    add_take(scene, "Other", 1, 5, clip, FACTS)
    add_color(scene, 9, 1, 5, name="Shot take 9")
    meta = strips_of(scene).new_meta(name="meta", channel=12, frame_start=1)
    takes(scene, "Shot")[0].move_to_meta(meta)
    assert [strip.name for strip in takes(scene, "Shot")] == names
    assert add_take(scene, "Shot", 1, 5, clip, FACTS).name == "Shot take 3"


@pytest.mark.parametrize(
    ("strips", "channel"),
    [
        ([(1, 6, 20)], 1),  # begins on the frame after the shot
        ([(1, -5, 0)], 1),  # ends on the frame before it
        ([(1, 5, 20)], 2),
        ([(1, -5, 1)], 2),
        ([(3, 2, 3)], 4),  # a take under a strip would not be seen
        ([(1, 1, 5), (2, 50, 60), (3, -9, 90)], 4),
        ([(128, 1, 5)], 127),  # nothing above: as high as possible
    ],
)
def test_the_lowest_free_channel_above_what_is_there(scene, clip, strips, channel):
    for number, first, last in strips:
        add_color(scene, number, first, last)
    assert add_take(scene, "Shot", 1, 5, clip, FACTS).channel == channel
    assert no_overlaps(scene)


def test_meta_strips_are_not_overlapped(scene, clip):
    meta = strips_of(scene).new_meta(name="meta", channel=1, frame_start=1)
    add_color(scene, 1, 3, 8).move_to_meta(meta)
    assert add_take(scene, "Shot", 1, 5, clip, FACTS).channel == 2


def test_locked_and_muted_channels_are_passed_over(scene, clip):
    strips_of(scene)
    scene.sequence_editor.channels[1].lock = True
    scene.sequence_editor.channels[2].mute = True
    assert add_take(scene, "Shot", 1, 5, clip, FACTS).channel == 3


def test_no_free_channel_is_told_in_words(scene, clip):
    for channel in range(1, 129):
        add_color(scene, channel, 1, 5)
    with pytest.raises(SequencerError, match="No sequencer channel is free on the frames 1 to 5"):
        add_take(scene, "Shot", 1, 5, clip, FACTS)
    assert len(strips_of(scene)) == 128


@pytest.mark.parametrize(
    ("resolution", "aspect", "scale"),
    [
        ((128, 64), (1, 1), (2, 2)),
        ((128, 128), (1, 1), (2, 4)),
        ((32, 32), (2, 1), (0.5, 1)),
    ],
)
def test_the_clip_fills_the_frame(scene, clip, resolution, aspect, scale):
    scene.render.resolution_x, scene.render.resolution_y = resolution
    scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = aspect
    strip = add_take(scene, "Shot", 1, 5, clip, FACTS)
    assert (strip.transform.scale_x, strip.transform.scale_y) == pytest.approx(scale)


def test_the_path_is_absolute_in_an_unsaved_file(scene, clip):
    assert add_take(scene, "Shot", 1, 5, clip, FACTS).filepath == str(clip)


def test_takes_survive_saving_and_loading_with_a_relative_path(scene, clip, tmp_path):
    inside = tmp_path / "project" / "clips" / "take.mp4"
    inside.parent.mkdir(parents=True)
    inside.write_bytes(clip.read_bytes())
    file = str(tmp_path / "project" / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    strip = add_take(bpy.context.scene, "Shot", 1, 5, inside, FACTS)
    assert Path(strip.filepath).as_posix() == "//clips/take.mp4"
    before = dict(strip.items())
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=file)
    (loaded,) = takes(bpy.context.scene, "Shot")
    assert (loaded.name, loaded.channel, frames_of(loaded)) == ("Shot take 1", 1, (1, 5))
    assert Path(bpy.path.abspath(loaded.filepath)) == inside
    assert dict(loaded.items()) == before


def test_a_scene_that_is_not_the_active_one(scene, clip):
    other = bpy.data.scenes.new("other")
    add_take(other, "Shot", 1, 5, clip, FACTS)
    assert len(takes(other, "Shot")) == 1 and scene.sequence_editor is None


def test_a_clip_of_another_length_states_both_numbers(scene, clip):
    with pytest.raises(SequencerError, match='has 5 frames but the shot "Shot" has 8') as caught:
        add_take(scene, "Shot", 1, 8, clip, FACTS)
    assert caught.value.exit_status == 5
    assert scene.sequence_editor is None


def test_a_missing_clip_is_told_in_words(scene, tmp_path):
    with pytest.raises(SequencerError, match=r'gone\.mp4" is not there'):
        add_take(scene, "Shot", 1, 1, tmp_path / "gone.mp4", FACTS)
    assert scene.sequence_editor is None


def test_an_unreadable_clip_is_told_in_words(scene, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video" * 100)
    add_color(scene, 1, 1, 5)
    with pytest.raises(SequencerError, match=r'cannot read ".*broken\.mp4" as a video'):
        add_take(scene, "Shot", 1, 1, tmp_path / "broken.mp4", FACTS)
    assert [strip.name for strip in strips_of(scene)] == ["color"]


def test_a_linked_scene_is_refused(scene, clip, tmp_path):
    file = str(tmp_path / "set.blend")
    scene.name = "set"
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(file, link=True) as (_, wanted):
        wanted.scenes = ["set"]
    with pytest.raises(SequencerError, match="linked from another file") as told:
        add_take(bpy.data.scenes["set", file], "Shot", 1, 5, clip, FACTS)
    assert told.value.exit_status == 3  # the scene lacks what it takes, whatever is made


@pytest.mark.parametrize("transform", ["Standard", "AgX", "Filmic"])
def test_a_take_keeps_the_clips_colours_under_the_scenes_view_transform(tmp_path, transform):
    """The take, seen through the sequencer, has the colours of the file; without care AgX is off by tens of steps."""
    clip = tmp_path / "orange.mp4"
    write_clip(clip, 5, color=(0.8, 0.3, 0.1))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.view_settings.view_transform = transform
    strip = add_take(scene, "Shot", 1, 5, clip, FACTS)
    scene.render.resolution_x, scene.render.resolution_y = strip.elements[0].orig_width, strip.elements[0].orig_height
    strip.transform.scale_x = strip.transform.scale_y = 1
    shown = rendered_middle(scene, tmp_path / "shown.png")
    scene.view_settings.view_transform = "Standard"
    strip.colorspace_settings.name = "sRGB"
    assert shown == pytest.approx(rendered_middle(scene, tmp_path / "file.png"), abs=3 / 255)


def rendered_middle(scene, path):
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    scene.render.resolution_percentage = 100
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    width, height = image.size
    start = 4 * (width * (height // 2) + width // 2)
    color = image.pixels[start : start + 3]
    bpy.data.images.remove(image)
    return tuple(color)


@pytest.mark.parametrize(
    ("noted", "words", "fails"),
    [
        ({"verdict": "holds"}, "holds", False),
        ({"verdict": "holds", "verdict_held_to": "within 10 %"}, "holds within 10 %", False),
        ({"verdict": "unmeasured"}, "unmeasured", False),
        ({"verdict": "drifts_in_colour"}, "drifts in colour", True),
        ({"verdict": "jumps", "verdict_frame": 31}, "jumps at frame 31", True),
        ({"verdict": "drifts"}, "drifts", True),  # as earlier versions noted it
        ({}, "", False),
    ],
)
def test_a_take_tells_why_its_light_does_not_hold(scene, clip, noted, words, fails):
    take = read_take(add_take(scene, "Wide", 1, 5, clip, noted))
    assert (take.verdict, take.fails) == (words, fails)


@pytest.mark.parametrize(
    ("noted", "words", "strays"),
    [
        ({"follow": "follows"}, "follows", False),
        ({"follow": "cannot be told"}, "cannot be told", False),
        ({"follow": "strays", "follow_frame": 31}, "strays at frame 31", True),
        ({"follow": "strays", "follow_frame": "soon"}, "strays", True),
        ({}, "", False),
    ],
)
def test_a_take_tells_whether_it_follows_its_scene(scene, clip, noted, words, strays):
    take = read_take(add_take(scene, "Wide", 1, 5, clip, noted))
    assert (take.follow, take.strays) == (words, strays)
