# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's words against the facts of a shot: what is warned of, and what is let be."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from prompt_briefs import brief_of, camera_sample, make_shot, shots, sun_sample
from wan_previs.prompting import build_prompt, prompt_text
from wan_previs.prompting.contradictions import contradictions
from wan_previs.prompting.cues import find_cues
from wan_previs.scene.brief import CameraPath, Environment, Hdri, Light, Move, StartEnd, Sun

drawn = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
STILL = (Move("static", 1, 72),)


def sun(first, last, times, sides=("front", "front"), azimuth=180, kelvin=None):
    samples = (sun_sample(1, azimuth, first, kelvin), sun_sample(72, azimuth, last, kelvin))
    return Sun("sun_light", samples, StartEnd(*times), StartEnd(*sides))


def shot(sky="clear", weather=None, moves=STILL, size="wide", angle="eye_level", lens="medium", **changes):
    """A still wide shot at noon, the sun behind a camera that looks north; `changes` are fields of the shot."""
    path = CameraPath((camera_sample(1, 0), camera_sample(72, 0)), moves, size, angle, lens, "center")
    noon = sun(61, 61, ("midday", "midday"))
    fields = {"sun": noon, "path": path, "environment": Environment("exterior", sky, weather), **changes}
    return replace(make_shot(**fields), name="2")


def under_a_picture(side="front", confidence=0.6, turned=0, kelvin=3000.0):
    """No sun; the world's picture is brightest at `side` of a camera that turns to the right by `turned` degrees."""
    sky = Environment("exterior", "clear", hdri=Hdri(120.0, 30.0, confidence, side, kelvin))
    path = CameraPath((camera_sample(1, 0), camera_sample(72, turned)), STILL, "wide", "eye_level", "medium", "center")
    return shot(sun=None, environment=sky, path=path)


@pytest.mark.parametrize(
    ("text", "where", "told"),
    [
        ("backlit", under_a_picture("front"), "the brightest light comes from the front, behind the camera"),
        ("逆光", under_a_picture("front"), "the brightest light comes from the front"),
        ("lit from the left", under_a_picture("right"), "the brightest light comes from the right"),
        ("cold light", under_a_picture(), "the light is orange"),
    ],
)
def test_words_are_compared_with_a_picture_that_lights_the_scene(text, where, told):
    (warning,) = contradictions(where, text)
    assert told in warning.fact


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("backlit", under_a_picture("back_left")),
        ("backlit", under_a_picture("front", 0.1)),  # an even sky says nothing
        ("backlit", under_a_picture("right", turned=90)),  # at the end the light stands behind the scene
        ("warm light", under_a_picture()),
    ],
)
def test_what_the_picture_allows_or_leaves_open_is_let_be(text, where):
    assert words(text, where) == []


def words(text, where=None):
    return [warning.word for warning in contradictions(where or shot(), text)]


def test_the_warning_quotes_the_word_and_the_fact():
    (warning,) = contradictions(shot(), "an old cloister at sunset")
    assert warning.word == "sunset" and warning.fact == "the sun stands at 61 degrees"
    assert warning.message == "'sunset' but the sun stands at 61 degrees in shot 2"


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("sunrise over the hills", "61 degrees"),
        ("golden hour", "61 degrees"),
        ("in the dead of night", "61 degrees"),
        ("moonlit roofs", "61 degrees"),
        ("backlit", "from the front, behind the camera"),
        ("sunlight streams in from the left", "from the front"),
        ("overcast", "the sky is clear"),
        ("a rainy street", "the sky is clear"),
        ("Slow push in on the door", "the camera stands still"),
        ("push-in", "the camera stands still"),
        ("the camera moves to the left", "the camera stands still"),
        ("pan left", "the camera stands still"),
        ("handheld", "the camera stands still"),
        ("a close-up of her face", "a wide shot"),
        ("telephoto", "a medium lens of 35 mm"),
        ("shot on an 85mm prime lens", "35 mm"),
        ("aerial shot", "looks level"),
        ("long shadows", "61 degrees"),
        ("indoors", "exterior"),
        ("日落", "61 degrees"),
        ("夜晚的广场", "61 degrees"),
        ("清晨", "61 degrees"),
        ("逆光", "from the front"),
        ("光从左上方照射", "from the front"),
        ("阴天", "the sky is clear"),
        ("缓慢推近喷泉", "the camera stands still"),
        ("手持拍摄", "the camera stands still"),
        ("特写", "a wide shot"),
        ("长焦镜头", "35 mm"),
    ],
)
def test_a_claim_against_the_scene_is_a_warning(text, fact):
    (warning,) = contradictions(shot(), text)
    assert fact in warning.message and warning.word.lower() in text.lower()


@pytest.mark.parametrize(
    "text",
    [
        "noon in a dusty square",
        "正午的阳光",
        "sunny, clear sky, a wide shot, static shot, eye level",
        "a nightingale on a midnight blue wall",
        "Sunset Boulevard, a sunset-orange door beside a nightclub",
        "a painting of a sunset, like a stormy night",
        "an hour before sunset, until dusk",
        "日落前的广场，今日出发的船，夜莺在歌唱，像夜晚一样",
        "a frying pan left on the stove, a crowd pushes in, she zooms past",
        "he holds a handheld radio; static electricity",
        "no fog, not at night, without any handheld shake, never overcast, no rain or snow",
        "it isn't sunset; nothing like dusk",
        "没有雾，不是夜晚，不要手持镜头，没有阴天或下雨",
        "foggy",  # the scene does not say that there is none
        "",
        "🌅 {sunset} ".replace("sunset", "subject"),
        "في الساحة القديمة",
    ],
)
def test_what_fits_or_claims_nothing_is_let_be(text):
    assert words(text) == []


def test_several_cues_come_in_the_order_of_the_text_and_once_each():
    text = "Overcast sunset, sunset again. A close-up, handheld."
    assert words(text) == ["Overcast", "sunset", "close-up", "handheld"]


def test_what_is_true_at_some_time_of_the_shot_contradicts_nothing():
    falling = shot(sun=sun(60, -1, ("midday", "dusk"), azimuth=230))
    assert words("noon, afternoon, golden hour, sunset, dusk", falling) == []
    assert words("sunrise", falling) == ["sunrise"]
    assert words("morning light", falling) == ["morning"]


def test_morning_and_evening_of_one_height_are_told_apart():
    evening = shot(sun=sun(9, 4, ("sunset", "sunset")))
    (warning,) = contradictions(evening, "sunrise")
    assert warning.message == "'sunrise' but it is sunset and the sun goes from 9 to 4 degrees in shot 2"


def test_a_denial_contradicts_what_holds_throughout():
    night = shot(sky="night", weather="fog", sun=sun(-20, -20, ("night", "night"), (None, None)))
    assert words("no fog, not at night", night) == ["no fog", "not at night"]
    assert words("没有雾", night) == ["没有雾"]
    assert words("not without fog", night) == []
    assert contradictions(night, "noon")[0].fact == "the sun stands 20 degrees below the horizon"


def test_unknown_facts_contradict_nothing():
    path = CameraPath((camera_sample(1, 0), camera_sample(72, 0)))
    unknown = replace(make_shot(sun=None, path=path), environment=Environment())
    text = "a foggy overcast sunset, backlit, slow push in, close-up, telephoto, low angle, indoors, cool light"
    assert words(text, unknown) == []


def test_a_rim_lamp_and_lamps_of_unknown_place_may_backlight():
    for lamp in (Light("Rim", "area", "rim", None, 50.0, "left"), Light("Lamp", "point", None, None, 50.0, None)):
        assert words("backlit", shot(lights=(lamp,))) == []


def test_moves_that_a_move_is_made_of_fit():
    arc = shot(moves=(Move("arc_left", 1, 72, 40.0, "deg"),))
    assert words("the camera moves left", arc) == []
    assert words("pan left", arc) == ["pan left"]
    assert words("orbit shot", arc) == []
    follow = shot(moves=(Move("tracking", 1, 72, 4.0, "m"),))
    assert words("the camera pushes in and pans right, tracking shot", follow) == []
    assert words("static shot", follow) == ["static shot"]


def test_opposite_directions_are_told():
    right = shot(moves=(Move("pan_right", 1, 72, 40.0, "deg"),))
    (warning,) = contradictions(right, "the camera pans slowly to the left")
    assert warning.message == "'pans slowly to the left' but the camera pans to the right in shot 2"


def test_a_close_up_may_come_at_the_end_of_a_push():
    assert words("a slow push in to a close-up", shot(moves=(Move("push_in", 1, 72, 4.0, "m"),))) == []


def test_the_colour_of_the_light():
    warm = shot(sun=sun(8, 6, ("sunset", "sunset"), kelvin=2800.0))
    assert words("cold light", warm) == ["cold light"] and words("warm light", warm) == []


def test_a_longer_cue_hides_the_one_inside():
    assert [cue.claim for cue in find_cues("an extreme close-up, a dolly zoom")] == [
        "size_extreme_close_up",
        "dolly_zoom",
    ]


@drawn
@given(shots())
def test_our_own_text_never_contradicts_its_brief(random_shot):
    prompt = build_prompt(brief_of(random_shot), random_shot)
    for text in (prompt_text(prompt, "en"), prompt_text(prompt, "zh")):
        assert contradictions(random_shot, text) == (), text


def test_a_long_text_is_read_quickly():
    text = "at sunset no fog lies on the sea, " * 150
    assert len(text) > 5000 and words(text) == ["sunset"]
