# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user named is written whole or not at all: real full disks, and places where no file can be."""

import json
import os
import resource
import subprocess
from contextlib import contextmanager

import bpy
import pytest
from command_line import add_camera, run, save, words_of
from tiny_shots import TINY
from wan_previs.previs.saving import SaveError, check_blend_place, check_place, save_blend, write_file


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("no small file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@contextmanager
def files_no_longer_than(size):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def noise(scene, pixels=256):
    """A packed picture that no compression makes smaller, so that the file is a large one."""
    image = bpy.data.images.new("noise", pixels, pixels)
    image.pixels.foreach_set([byte / 255 for byte in os.urandom(pixels * pixels * 4)])
    image.pack()
    image.use_fake_user = True


def fill(disk, left):
    """Leave no more bytes than that."""
    free = os.statvfs(disk)
    (disk / "filler").write_bytes(bytes(free.f_bavail * free.f_bsize - left))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_that_is_cut_off_anywhere_is_told_and_takes_no_place(blank_scene, tmp_path, compressed):
    noise(blank_scene)
    path = tmp_path / "a.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=compressed)
    noise(blank_scene)
    save_blend(tmp_path / "whole.blend")
    whole = (tmp_path / "whole.blend").stat().st_size
    before = contents(tmp_path)
    for size in (0, 1, 100, 5000, whole // 3, *(whole - less for less in (60_000, 500, 40, 24, 9, 1))):
        with files_no_longer_than(size), pytest.raises(SaveError, match="cannot be written"):
            save_blend(path)
        assert contents(tmp_path) == before, size
    with files_no_longer_than(whole):
        save_blend(path)
    assert bpy.ops.wm.open_mainfile(filepath=str(path)) == {"FINISHED"}


@pytest.mark.parametrize("compress", [False, True])
def test_a_full_disk(blank_scene, small_disk, compress):
    path = small_disk / "a.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=compress)
    before = contents(small_disk)
    noise(blank_scene, 700)
    with pytest.raises(SaveError, match="cannot be written"):
        save_blend(path)
    assert contents(small_disk) == before


def test_the_copy_has_right_paths_and_the_older_file_is_kept_as_blender_keeps_it(blank_scene, tmp_path):
    for name in ("project/pictures", "elsewhere/deep"):
        (tmp_path / name).mkdir(parents=True)
    picture, other = tmp_path / "project" / "pictures" / "a.png", tmp_path / "elsewhere" / "deep" / "b.blend"
    made = bpy.data.images.new("made", 8, 8)
    made.filepath_raw, made.file_format = str(picture), "PNG"
    made.save()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "project" / "a.blend"))
    image = bpy.data.images.load("//pictures/a.png")
    image.use_fake_user = True
    editor = blank_scene.sequence_editor or blank_scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strips.new_image(name="strip", filepath="//pictures/a.png", channel=1, frame_start=1)
    other.write_bytes(b"older")
    save_blend(other)
    assert (image.filepath, bpy.data.filepath) == ("//pictures/a.png", str(tmp_path / "project" / "a.blend"))
    assert sorted(path.name for path in other.parent.iterdir()) == ["b.blend", "b.blend1"]
    assert other.with_name("b.blend1").read_bytes() == b"older"
    save_blend(other)
    assert other.with_name("b.blend1").read_bytes() != b"older"
    bpy.ops.wm.open_mainfile(filepath=str(other))
    assert os.path.realpath(bpy.path.abspath(bpy.data.images["a.png"].filepath)) == str(picture)
    editor = bpy.context.scene.sequence_editor
    (strip,) = editor.strips if hasattr(editor, "strips") else editor.sequences
    assert strip.directory.startswith("//")
    assert os.path.realpath(bpy.path.abspath(strip.directory)) == str(picture.parent)


def test_places_where_no_file_can_be(tmp_path):
    folder, pipe, loop, guarded = (tmp_path / name for name in ("folder", "pipe", "loop", "guarded"))
    folder.mkdir()
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    guarded.write_text("mine")
    guarded.chmod(0o444)
    before = sorted(tmp_path.iterdir())
    for path, words in (
        (tmp_path / "no" / "a", "there is no folder"), (folder, "is a folder"), (pipe, "a device, a pipe"),
        (loop, "a broken link"), (guarded, "write-protected"), (guarded / "a", "there is no folder"),
    ):  # fmt: skip
        with pytest.raises(SaveError, match=words):
            check_place(path)
        with pytest.raises(SaveError, match=words):
            write_file(path, lambda new: new.write_text("new"))
    assert sorted(tmp_path.iterdir()) == before and guarded.read_text() == "mine"


def test_places_where_blender_keeps_no_file_are_told_before_it_is_written(blank_scene, tmp_path):
    deep = tmp_path.joinpath(*["d" * 200] * 5)
    deep.mkdir(parents=True)
    slashed = tmp_path / "a\\b"
    slashed.mkdir()
    older = tmp_path / "a.blend"
    older.write_bytes(b"older")
    (tmp_path / "a.blend1").mkdir()
    for path, words in (
        (deep / "a.blend", "longer than Blender can read"), (slashed / "a.blend", "backslash"),
        (older, 'a.blend1" is a folder'),
    ):  # fmt: skip
        with pytest.raises(SaveError, match=words):
            check_blend_place(path)
    assert older.read_bytes() == b"older" and not list(deep.iterdir())
    check_blend_place(tmp_path / "b.blend")


def test_a_read_only_place(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(SaveError, match="Read-only file system"):
        check_blend_place(small_disk / "a.blend")


def test_a_library_in_use_is_not_written_over(blank_scene, tmp_path):
    library = tmp_path / "library.blend"
    bpy.data.objects.new("thing", None).use_fake_user = True
    bpy.ops.wm.save_as_mainfile(filepath=str(library))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(library), link=True) as (_, wanted):
        wanted.objects = ["thing"]
    with pytest.raises(SaveError, match="links from"):
        check_blend_place(library)


@pytest.mark.parametrize(
    ("place", "status"),
    [("no/a.blend", 5), ("folder.blend", 5), ("pipe.blend", 5), ("/dev/null", 2), ("scene", 2), ("scene.blend1", 2)],
)
@pytest.mark.parametrize("how", [["--dry-run"], []], ids=["dry", "real"])
def test_render_tells_a_bad_place_before_the_work(tmp_path, place, status, how):
    path = save(tmp_path / "a.blend", add_camera)
    (tmp_path / "folder.blend").mkdir()
    os.mkfifo(tmp_path / "pipe.blend")
    done = run(path, "render", *how, "--model", TINY, "--output", tmp_path / "jobs", "--save", tmp_path / place)
    assert done.returncode == status, done.stderr
    assert not (tmp_path / "jobs").exists()
    assert done.stdout == "" and (status == 2 or len(words_of(done)) == 1)


@pytest.mark.engine
def test_render_onto_a_full_disk_keeps_the_scene_and_the_clip(tmp_path, small_disk):
    path = save(small_disk / "a.blend", lambda scene: (add_camera(scene), noise(scene, 256)))
    fill(small_disk, 99_000)
    before = contents(small_disk)
    done = run(
        path, "render", "--model", TINY, "--size", "64x48", "--steps", "2", "--mode", "first",
        "--output", tmp_path / "jobs", "--save", path,
    )  # fmt: skip
    assert done.returncode == 5, done.stderr
    assert any("cannot be written" in line and "kept in their job folders" in line for line in words_of(done))
    assert contents(small_disk) == before
    assert (tmp_path / "jobs" / "Camera-take-001" / "clip.mp4").is_file() and "clip.mp4" in done.stdout


def test_a_brief_is_written_whole_or_not_at_all(tmp_path, small_disk):
    path = save(tmp_path / "a.blend", add_camera)
    out = small_disk / "brief.json"
    assert run(path, "brief", "--out", out).returncode == 0
    old = out.read_bytes()
    assert json.loads(old)["shots"]
    fill(small_disk, 0)
    done = run(path, "brief", "--out", out)
    assert done.returncode == 5 and len(words_of(done)) == 1
    assert out.read_bytes() == old and sorted(p.name for p in small_disk.iterdir()) == ["brief.json", "filler"]
    for place in (tmp_path, tmp_path / "no" / "a.json", "/dev/null"):
        done = run(path, "brief", "--out", place)
        assert done.returncode == 5 and len(words_of(done)) == 1
