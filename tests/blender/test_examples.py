# SPDX-License-Identifier: GPL-3.0-or-later
"""The example scenes build, stay small, and hold the shots and the moving sun that they promise."""

import bpy
import pytest
from wan_previs.examples import build
from wan_previs.prompting import build_prompt, prompt_text
from wan_previs.scene.reader import read_brief

EXPECTED = {
    # file: [(shot, first frame, last frame, sun's source, elevation first and last, move, time of day)]
    "courtyard_sunrise": [("Arc Camera", 1, 72, "sun_light", (7, 34), "arc_left", ("sunrise", "morning"))],
    "street_golden_hour": [("Push Camera", 1, 72, "sky_texture", (14, 6), "push_in", ("afternoon", "sunset"))],
    "square_noon_to_dusk": [
        ("Wide", 1, 48, "sun_light", (60, 32), "static", ("midday", "afternoon")),
        ("Close", 49, 96, "sun_light", (31.5, -1), "push_in", ("afternoon", "dusk")),
    ],
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return {path.stem: path for path in build.main(tmp_path_factory.mktemp("examples"))}


def opened(path):
    bpy.ops.wm.open_mainfile(filepath=str(path))
    return bpy.context.scene


def contents(path):
    """Every object's place and form at the first, a middle and the last frame."""
    scene = opened(path)
    found = []
    for frame in (scene.frame_start, 30, scene.frame_end):
        scene.frame_set(frame)
        for thing in sorted(scene.objects, key=lambda one: one.name):
            size = len(thing.data.vertices) if thing.type == "MESH" else None
            look = (tuple(thing.data.color), thing.data.energy) if thing.type == "LIGHT" else None
            found.append((frame, thing.name, [tuple(row) for row in thing.matrix_world], size, look))
    return found


def test_the_files_are_small(files):
    assert set(files) == set(EXPECTED)
    assert all(path.stat().st_size < 500_000 for path in files.values())


@pytest.mark.parametrize("name", EXPECTED)
def test_shots_sun_and_camera(files, name):
    brief, warnings = read_brief(opened(files[name]))
    assert warnings == []
    assert (brief.fps, brief.resolution) == (24.0, (1280, 720))
    assert len(brief.shots) == len(EXPECTED[name])
    for shot, (title, first, last, source, elevations, move, times) in zip(brief.shots, EXPECTED[name], strict=True):
        assert (shot.name, shot.frame_start, shot.frame_end) == (title, first, last)
        assert shot.sun.source == source
        assert [s.elevation_deg for s in (shot.sun.samples[0], shot.sun.samples[-1])] == pytest.approx(
            elevations, abs=0.01
        )
        assert (shot.sun.time_of_day.start, shot.sun.time_of_day.end) == times
        assert shot.camera_path.moves[0].kind == move
        assert 60 <= len(prompt_text(build_prompt(brief, shot)).split()) <= 200


def test_the_sun_is_keyed_and_its_color_follows_the_elevation(files):
    scene = opened(files["courtyard_sunrise"])
    sun = scene.objects["Sun"]
    looks = []
    for frame in (1, 36, 72):
        scene.frame_set(frame)
        looks.append(tuple(sun.data.color))
    blues = [color[2] for color in looks]
    assert blues == sorted(blues) and blues[0] < 0.3 < 0.7 < blues[-1]


def test_the_cart_moves_across_both_shots(files):
    brief, _ = read_brief(opened(files["square_noon_to_dusk"]))
    for shot in brief.shots:
        cart = next(subject for subject in shot.subjects if subject.noun == "cart")
        assert cart.motion.kind == "moving" and cart.motion.speed_m_s == pytest.approx(1.566, abs=0.01)


def test_only_the_street_takes_its_sun_from_the_sky(files):
    suns = {}
    for name, path in files.items():
        scene = opened(path)
        suns[name] = any(thing.type == "LIGHT" and thing.data.type == "SUN" for thing in scene.objects)
    assert suns == {"courtyard_sunrise": True, "street_golden_hour": False, "square_noon_to_dusk": True}


@pytest.mark.parametrize("name", EXPECTED)
def test_building_again_gives_the_same_scene(files, name, tmp_path):
    again = {path.stem: path for path in build.main(tmp_path)}
    assert contents(again[name]) == contents(files[name])


@pytest.mark.parametrize("name", EXPECTED)
def test_the_shipped_file_is_what_the_script_builds(files, name):
    shipped = build.FOLDER / f"{name}.blend"
    assert contents(shipped) == contents(files[name])
