# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock of a scene: Sun Position data as a file stores it, and where it puts the sun."""

import math

import bpy
import numpy as np
import pytest
from scene_makers import add_camera, add_lamp, add_sky, aim_sun, key
from wan_previs.scene.geometry import angle_between_deg, direction_from
from wan_previs.scene.lighting.sun_position import read_almanac
from wan_previs.scene.reader import read_brief

GOLDEN = {
    "latitude": 39.742476, "longitude": -105.1786, "year": 2003, "month": 10, "day": 17,
    "time": 12.0 + 30.0 / 60.0 + 30.0 / 3600.0, "UTC_zone": -7.0, "use_refraction": False,
}  # fmt: skip

# Geometric azimuth and elevation. The first is the published example of NREL's Solar Position Algorithm (Reda and
# Andreas, NREL/TP-560-34302, table A5.1, uncertainty 0.0003 degrees); the others come from PyEphem 4 (VSOP 87).
EPHEMERIS = [
    (GOLDEN, 194.340241, 39.872046),
    ({"latitude": -33.8688, "longitude": 151.2093, "year": 2024, "month": 12, "day": 22, "time": 9.0, "UTC_zone": 10.0,
      "use_daylight_savings": True}, 94.5683, 38.3628),
    ({"latitude": 64.1466, "longitude": -21.9426, "year": 2024, "month": 6, "day": 21, "time": 23.5}, 332.7368, 0.6399),
    ({"latitude": -0.1807, "longitude": -78.4678, "year": 2025, "month": 3, "day": 20, "time": 12.25, "UTC_zone": -5.0},
     78.4184, 88.4262),
    ({"latitude": 78.2232, "longitude": 15.6267, "year": 2025, "month": 5, "day": 1, "time": 2.0, "UTC_zone": 1.0,
      "use_daylight_savings": True}, 15.8050, 3.7675),
    ({"latitude": 35.6762, "longitude": 139.6503, "year": 2030, "use_day_of_year": True, "day_of_year": 15,
      "time": 15.75, "UTC_zone": 9.0}, 234.1018, 10.6771),
    ({"latitude": -33.9249, "longitude": 18.4241, "year": 1999, "month": 8, "day": 11, "time": 12.0, "UTC_zone": 2.0},
     16.1249, 39.2245),
]  # fmt: skip
WITHIN = 0.05  # degrees


def store(scene, **data):
    scene["sun_pos_properties"] = data


@pytest.mark.parametrize("data,azimuth,elevation", EPHEMERIS)
def test_published_ephemeris(blank_scene, data, azimuth, elevation):
    add_camera(blank_scene)
    store(blank_scene, **{**data, "use_refraction": False})
    brief, _ = read_brief(blank_scene)
    sun = brief.shots[0].sun
    assert sun.source == "sun_position"
    assert angle_between_deg(np.array(sun.samples[0].direction), direction_from(azimuth, elevation)) < WITHIN
    assert sun.samples[0].elevation_deg == pytest.approx(elevation, abs=WITHIN)


def test_refraction_lifts_a_low_sun(blank_scene):
    low = {"latitude": 64.1466, "longitude": -21.9426, "year": 2024, "month": 6, "day": 21, "time": 23.5}
    store(blank_scene, **low)
    lifted = read_almanac(blank_scene).clock.elevation_deg
    store(blank_scene, **low, use_refraction=False)
    assert 0.3 < lifted - read_almanac(blank_scene).clock.elevation_deg < 0.6


def test_the_lamp_that_the_clock_names(blank_scene):
    add_camera(blank_scene)
    lamp = add_lamp(blank_scene)
    aim_sun(lamp, 214.34, 39.9)
    store(blank_scene, **GOLDEN, sun_object=lamp, north_offset=math.radians(20.0))
    sun = read_brief(blank_scene)[0].shots[0].sun
    assert sun.source == "sun_position"
    assert sun.samples[0].azimuth_deg == pytest.approx(194.34, abs=0.01)
    assert angle_between_deg(np.array(sun.samples[0].direction), direction_from(214.34, 39.9)) < 0.01
    stronger = add_lamp(blank_scene, name="Other", energy=10.0)
    aim_sun(stronger, 100, 20)
    sun = read_brief(blank_scene)[0].shots[0].sun
    assert sun.source == "sun_light" and sun.samples[0].azimuth_deg == pytest.approx(80.0, abs=0.01)
    lamp.hide_render = stronger.hide_render = True
    sun = read_brief(blank_scene)[0].shots[0].sun
    assert sun.source == "sun_position" and sun.samples[0].azimuth_deg == pytest.approx(194.34, abs=WITHIN)
    assert angle_between_deg(np.array(sun.samples[0].direction), direction_from(214.34, 39.872)) < WITHIN


def test_a_sky_comes_before_a_clock_alone(blank_scene):
    add_camera(blank_scene)
    store(blank_scene, **GOLDEN)
    sky = add_sky(blank_scene)
    sky.sun_rotation, sky.sun_elevation = math.radians(80.0), math.radians(30.0)
    sun = read_brief(blank_scene)[0].shots[0].sun
    assert sun.source == "sky_texture" and sun.samples[0].azimuth_deg == pytest.approx(80.0, abs=0.01)


@pytest.mark.parametrize(
    "change",
    [
        {"time": None}, {"month": None, "day": None}, {"usage_mode": 1}, {"month": 13}, {"use_day_of_year": True},
        {"year": 9_999_999}, {"latitude": None, "longitude": None, "time": None, "month": None, "day": None},
    ],
)  # fmt: skip
def test_a_block_without_date_and_time_is_no_clock(blank_scene, change):
    add_camera(blank_scene)
    data = {name: value for name, value in {**GOLDEN, **change}.items() if value is not None}
    store(blank_scene, **data)
    assert read_brief(blank_scene)[0].shots[0].sun is None


def test_odd_values_are_passed_over(blank_scene):
    add_camera(blank_scene)
    store(blank_scene, **{**GOLDEN, "latitude": "north", "longitude": math.nan, "day": 40, "month": 2})
    sun = read_brief(blank_scene)[0].shots[0].sun
    assert sun.source == "sun_position" and math.isfinite(sun.samples[0].elevation_deg)
    blank_scene["sun_pos_properties"] = 3.0
    assert read_brief(blank_scene)[0].shots[0].sun is None


@pytest.mark.parametrize("hour,word", [(7.5, "sunrise"), (9.0, "morning"), (15.5, "afternoon"), (17.0, "sunset")])
def test_the_clock_says_whether_it_is_morning(blank_scene, hour, word):
    """The lamp stands in the other half of the sky and moves the other way: the clock wins."""
    add_camera(blank_scene)
    lamp = add_lamp(blank_scene)
    height = 5.0 if word.startswith("sun") else 30.0
    rises = word in ("sunrise", "morning")
    for frame, way in [(1, 1.0), (250, -1.0)]:
        aim_sun(lamp, 270 if rises else 90, height + (way if rises else -way), frame)
    store(blank_scene, **{**GOLDEN, "time": hour})
    sun = read_brief(blank_scene)[0].shots[0].sun
    assert (sun.time_of_day.start, sun.time_of_day.end) == (word, word)
    del blank_scene["sun_pos_properties"]
    assert read_brief(blank_scene)[0].shots[0].sun.time_of_day.start != word


def test_a_keyed_hour(blank_scene):
    """Keys on the add-on's property, read where the add-on is not there to obey them."""
    add_camera(blank_scene)
    store(blank_scene, **GOLDEN)
    key_stored_hour(blank_scene, {1: 8.0, 250: 16.0})
    blank_scene.frame_set(40)
    sun = read_brief(blank_scene)[0].shots[0].sun
    assert blank_scene.frame_current == 40
    assert (sun.time_of_day.start, sun.time_of_day.end) == ("morning", "afternoon")
    assert sun.samples[0].azimuth_deg < 130 and sun.samples[-1].azimuth_deg > 230 and len(sun.samples) > 5
    highest = max(sample.elevation_deg for sample in sun.samples)
    assert highest > sun.samples[0].elevation_deg + 20


def key_stored_hour(scene, hours):
    """As the add-on's animation is stored: a curve whose path no property answers to."""
    scene["hour"] = 0.0
    for frame, hour in hours.items():
        scene["hour"] = hour
        scene.keyframe_insert('["hour"]', frame=frame)
    from wan_previs import compat

    (curve,) = compat.fcurves(scene)
    curve.data_path = "sun_pos_properties.time"
    for point in curve.keyframe_points:
        point.interpolation = "LINEAR"


def test_data_that_the_add_on_registered(blank_scene):
    """Stored by a registered property group, then read without it: from 5.0 on such data lies elsewhere."""

    class SunPosProperties(bpy.types.PropertyGroup):
        latitude: bpy.props.FloatProperty()
        longitude: bpy.props.FloatProperty()
        month: bpy.props.IntProperty(default=1)
        day: bpy.props.IntProperty(default=1)
        year: bpy.props.IntProperty(default=2000)
        time: bpy.props.FloatProperty(default=12.0)
        UTC_zone: bpy.props.FloatProperty()
        use_refraction: bpy.props.BoolProperty(default=True)
        north_offset: bpy.props.FloatProperty()
        sun_object: bpy.props.PointerProperty(type=bpy.types.Object)

    add_camera(blank_scene)
    lamp = add_lamp(blank_scene)
    bpy.utils.register_class(SunPosProperties)
    bpy.types.Scene.sun_pos_properties = bpy.props.PointerProperty(type=SunPosProperties)
    try:
        data = blank_scene.sun_pos_properties
        data.latitude, data.longitude = 39.742476, -105.1786
        data.north_offset = math.radians(-15.0)
        assert read_almanac(blank_scene).clock is None
        for name in ("month", "day", "year", "time", "UTC_zone", "use_refraction"):
            setattr(data, name, GOLDEN[name])
        data.sun_object = lamp
        installed = read_almanac(blank_scene)
    finally:
        del bpy.types.Scene.sun_pos_properties
        bpy.utils.unregister_class(SunPosProperties)
    without = read_almanac(blank_scene)
    assert installed == without
    assert without.north_offset_deg == pytest.approx(-15.0, abs=1e-4)
    assert without.clock.lamp == lamp and without.clock.azimuth_deg == pytest.approx(194.34, abs=WITHIN)
    assert read_brief(blank_scene)[0].shots[0].sun.source == "sun_position"


def test_shadows_of_a_day(blank_scene):
    """Camera to the north: at noon the sun stands ahead, shadows come toward the camera."""
    add_camera(blank_scene, (0.0, 10.0, 1.0)).rotation_euler = (math.radians(90.0), 0.0, math.radians(180.0))
    lamp = add_lamp(blank_scene)
    key(lamp, "rotation_euler", {1: aim(lamp, 170, 40), 250: aim(lamp, 240, 12)})
    shadows = read_brief(blank_scene)[0].shots[0].sun.shadows
    assert shadows.fall.start == "toward" and shadows.fall.end == "toward_left"
    assert shadows.turn_deg == pytest.approx(70.0, abs=0.1)
    assert shadows.length_ratio.start == pytest.approx(1.0 / math.tan(math.radians(40.0)), abs=1e-3)
    assert (shadows.slide, shadows.change) == ("left", "lengthen")
    aim_sun(lamp, 170, 40)
    lamp.animation_data_clear()
    still = read_brief(blank_scene)[0].shots[0].sun.shadows
    assert (still.slide, still.change, still.turn_deg) == (None, None, 0.0)
    aim_sun(lamp, 170, 80)
    assert read_brief(blank_scene)[0].shots[0].sun.shadows.fall.start == "under"
    aim_sun(lamp, 170, -3)
    assert read_brief(blank_scene)[0].shots[0].sun.shadows is None


def aim(lamp, azimuth, elevation):
    aim_sun(lamp, azimuth, elevation)
    return tuple(lamp.rotation_euler)
