# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a prompt: facts told right, closed vocabulary, nothing invented."""

import json
import re
from dataclasses import replace
from typing import get_args

import pytest
from prompt_briefs import brief_of, camera_sample, make_shot, read_sun, sun_sample
from wan_previs.prompting import (
    build_prompt,
    light,
    prompt_json,
    prompt_sentences,
    prompt_text,
    structured,
    subjects,
    vocabulary,
)
from wan_previs.prompting.chinese import words as chinese
from wan_previs.prompting.chinese.grammar import noun
from wan_previs.prompting.english import words as english
from wan_previs.scene import brief as facts
from wan_previs.scene.brief import CameraPath, Environment, Light, Motion, Move, StartEnd, Subject, Sun


def prompt_of(shot, user_text=""):
    return build_prompt(brief_of(shot), shot, user_text)


def test_sunrise_with_an_arc_tells_light_shadows_and_camera():
    text = prompt_text(prompt_of(make_shot()))
    assert text.startswith("Sunrise time, ")
    assert "At first orange sunlight comes from the back left, behind the scene, and the sun is very low" in text
    assert "Very long shadows fall toward the camera and to the right." in text
    assert "The sun rises far, and the shadows shorten." in text
    assert "As the camera turns, the sunlight comes around to the front, and the shadows slide away" in text
    assert "At the end white sunlight comes from the left side, and the sun is at medium height." in text
    assert "The camera arcs to the left around the scene." in text
    assert "The scene shows a fountain in the middle, two benches on both sides, and a cart on the right." in text
    assert "The cart moves slowly to the left." in text


def test_chinese_tells_the_same():
    text = prompt_text(prompt_of(make_shot()), "zh")
    for part in (
        "日出，",
        "开始时橙色的阳光从画面深处左侧照来，太阳贴近地平线，极长的影子投向镜头右侧。",
        "太阳大幅升高，影子变短。",
        "随着镜头转动，光线向镜头后方移动，影子向远处滑动。",
        "最后白色的阳光从左侧照来，太阳不高不低，中等长度的影子投向右侧。",
        "镜头向左环绕场景。",
        "画面中间有一座喷泉，两边有两张长椅，右边有一辆手推车。",
        "手推车慢慢向左移动。",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("sector", "fall"),
    [
        ("front", "away from the camera"),
        ("back", "toward the camera"),
        ("left", "to the right"),
        ("back_left", "toward the camera and to the right"),
        ("front_right", "away from the camera and to the left"),
    ],
)
def test_shadows_fall_opposite_to_the_sun(sector, fall):
    sun = Sun("sun_light", (sun_sample(1, 0, 20), sun_sample(72, 0, 20)), StartEnd(), StartEnd(sector, sector))
    assert f"Long shadows fall {fall}." in prompt_text(prompt_of(make_shot(sun=sun)))


@pytest.mark.parametrize(
    ("elevation", "words"),
    [
        (5, "Very long shadows"),
        (10, "Long shadows"),
        (30, "Shadows of medium length"),
        (55, "Short shadows"),
        (75, "Very short shadows fall right under"),
    ],
)
def test_shadow_length_follows_the_elevation(elevation, words):
    sector = "top" if elevation >= 70 else "left"
    sun = Sun(
        "sun_light", (sun_sample(1, 0, elevation), sun_sample(72, 0, elevation)), StartEnd(), StartEnd(sector, sector)
    )
    assert words in prompt_text(prompt_of(make_shot(sun=sun)))


def test_a_sun_that_moves_by_itself_takes_its_shadows_along():
    sun = Sun(
        "sun_light", (sun_sample(1, 340, 20), sun_sample(72, 20, 20)), StartEnd(), StartEnd("back_left", "back_right")
    )
    shot = make_shot(sun=sun, path=CameraPath((camera_sample(1, 0), camera_sample(72, 0))))
    assert "The sun moves to the right, and the shadows slide to the left." in prompt_text(prompt_of(shot))


def test_a_sun_that_circles_the_scene_is_not_called_still():
    frames = (*range(1, 71, 2), 72)
    samples = tuple(sun_sample(f, 10 * i, 30) for i, f in enumerate(frames))
    sun = Sun("sun_light", samples, StartEnd(), StartEnd("back", "back"))
    shot = make_shot(sun=sun, path=CameraPath((camera_sample(1, 0), camera_sample(72, 0))))
    assert "The sun circles clockwise around the scene, and the shadows turn clockwise." in prompt_text(prompt_of(shot))


def test_sunset_lets_the_shadows_fade():
    sun = Sun(
        "sun_light",
        (sun_sample(1, 300, 8, strength=3.0), sun_sample(72, 300, -3, strength=0.2)),
        StartEnd("sunset", "dusk"),
        StartEnd("back", "back"),
    )
    text = prompt_text(prompt_of(make_shot(sun=sun)))
    assert "The time goes from sunset to dusk." in text
    assert "the shadows lengthen and fade." in text
    assert "The scene grows dimmer." in text
    assert "At the end the sun is below the horizon behind the scene, and it casts no shadows." in text


def test_a_still_sun_is_told_once():
    sun = Sun(
        "sun_light",
        (sun_sample(1, 90, 30), sun_sample(72, 90, 30)),
        StartEnd("morning", "morning"),
        StartEnd("right", "right"),
    )
    shot = make_shot(sun=sun, path=CameraPath((camera_sample(1, 0), camera_sample(72, 0)), (Move("static", 1, 72),)))
    text = prompt_text(prompt_of(shot))
    assert text.count("unlight comes from the right side") == 1
    assert "The sunlight does not change." in text
    assert "The camera stands still." in text


def test_without_a_sun_no_sun_is_claimed():
    shot = make_shot(sun=None)
    prompt = prompt_of(shot)
    assert prompt.sun is None
    assert "sun" not in prompt_text(prompt).lower() and "shadow" not in prompt_text(prompt)
    assert not re.search("太阳|阳光|影子|日", prompt_text(prompt, "zh"))


def test_lamps_without_a_sun_are_artificial_light():
    shot = make_shot(sun=None, lights=(Light("Key", "area", "key", 2700.0, 500.0, "left"),))
    prompt = prompt_of(shot)
    assert "artificial_lighting" in prompt.terms and "warm_colors" in prompt.terms
    assert "An orange light panel lights the scene from the left side." in prompt_text(prompt)
    assert "一盏橙色的面光灯从左侧照来，照亮场景。" in prompt_text(prompt, "zh")


def test_moves_one_after_the_other():
    moves = (Move("push_in", 37, 72, 4.0, "m"), Move("pan_left", 1, 36, 70.0, "deg"))
    path = CameraPath((camera_sample(1, 0), camera_sample(72, 0)), moves)
    text = prompt_text(prompt_of(make_shot(path=path)))
    assert "First the camera pans far to the left, then it pushes in." in text
    assert "镜头先大幅向左摇，再向前推近。" in prompt_text(prompt_of(make_shot(path=path)), "zh")


def test_moves_at_the_same_time():
    moves = (Move("truck_right", 1, 72, 0.3, "m"), Move("pedestal_up", 1, 72, 4.0, "m"))
    path = CameraPath((camera_sample(1, 0), camera_sample(72, 0)), moves)
    assert "The camera moves slightly to the right and rises." in prompt_text(prompt_of(make_shot(path=path)))


def test_opposite_moves_are_not_told_in_one_breath():
    moves = (
        Move("roll_clockwise", 1, 40, 90.0, "deg"),
        Move("roll_counterclockwise", 33, 72, 80.0, "deg"),
        Move("pull_back", 1, 72, 4.0, "m"),
    )
    path = CameraPath((camera_sample(1, 0), camera_sample(72, 0)), moves)
    assert "The camera pulls back and rolls far clockwise and back." in prompt_text(prompt_of(make_shot(path=path)))


def test_a_rising_sun_brightens_the_ground_though_its_lamp_grows_weaker():
    samples = (sun_sample(1, 90, 7, strength=7.0), sun_sample(72, 90, 34, strength=4.2))
    sun = Sun("sun_light", samples, StartEnd(), StartEnd("left", "left"))
    assert "The scene grows brighter." in prompt_text(prompt_of(make_shot(sun=sun)))


def test_the_angle_gives_way_to_a_move():
    samples = (camera_sample(1, 0), camera_sample(72, 0))
    still = make_shot(path=CameraPath(samples, (Move("static", 1, 72),), "wide", "low", "medium"))
    moving = make_shot(path=CameraPath(samples, (Move("push_in", 1, 72, 3.0, "m"),), "wide", "low", "medium"))
    assert "low_angle" in prompt_of(still).terms
    assert "low_angle" not in prompt_of(moving).terms


def test_user_text_comes_first_after_the_terms():
    prompt = prompt_of(make_shot(), "  an old cloister\n in Tuscany ")
    assert prompt.user_text == "an old cloister in Tuscany"
    terms, rest = prompt_text(prompt).split(". ", 1)
    assert "lighting" in terms and rest.startswith("An old cloister in Tuscany. The scene shows")
    assert "。an old cloister in Tuscany。画面" in prompt_text(prompt, "zh")


def test_the_user_text_stays_whole_when_it_is_long():
    words = " ".join(f"word{i}" for i in range(250))
    text = prompt_text(prompt_of(make_shot(), words))
    assert "word0" in text.lower() and "word249." in text
    assert "The scene shows" in text and "At first orange sunlight" in text


def test_json_holds_the_schema_and_both_texts():
    data = json.loads(json.dumps(prompt_json(prompt_of(make_shot()))))
    assert data["schema"] == "wan_previs.prompt/1"
    assert data["negative"] is None and set(data["text"]) == {"en", "zh"}
    assert data["sun"]["change"]["turn"] == "front" and data["sun"]["start"]["shadows"] == "toward_right"


def test_an_unknown_language_is_refused():
    with pytest.raises(ValueError, match="en or zh"):
        prompt_text(prompt_of(make_shot()), "fr")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("LampPost.002", "lamp post"),
        ("geo_Cube", "cube"),
        ("Parked Car", "parked car"),
        ("TREE", "tree"),
        ("Bench_L.001", "bench"),
        ("042", "object"),
        ("喷泉", "fountain"),
        ("铁锅", "iron pot"),
        ("he said hi there", 'object called "he said hi there"'),
        ("Wall North", "north wall"),
        ("Crate_B", "crate"),
    ],
)
def test_nouns_from_object_names(name, expected):
    assert subjects.noun(Subject(name, None, (0, 0, 1, 1), 1.0)) == expected


def test_a_description_wins_over_the_name():
    assert subjects.noun(Subject("Cube", "A rusty tank", (0, 0, 1, 1), 1.0)) == "rusty tank"


def test_chinese_nouns_with_adjectives():
    assert noun("red box") == ("红色方块", "个")
    assert noun("lamp post") == ("路灯", "盏")
    assert noun("suzanne") == ("物体", "个")


@pytest.mark.parametrize(
    ("color", "name"),
    [
        ((0.0, 0.0, 0.0), "black"),
        ((0.05, 0.05, 0.05), "dark gray"),
        ((1.0, 1.0, 1.0), "white"),
        ((0.2, 0.35, 0.8), "blue"),
        ((0.6, 0.75, 1.0), "pale blue"),
        ((0.01, 0.02, 0.1), "dark blue"),
        ((0.9, 0.3, 0.05), "orange"),
        (None, None),
    ],
)
def test_color_names(color, name):
    assert subjects.color_name(color) == name
    assert name is None or name in vocabulary.COLORS


def test_fog_and_sky_are_told():
    shot = make_shot(environment=Environment("exterior", "overcast", "fog", None))
    assert "overcast_lighting" in prompt_of(replace(shot, camera_path=CameraPath(shot.camera_path.samples))).terms
    assert "Clouds cover the sky. Fog lies over the scene." in prompt_text(prompt_of(shot))


def test_motion_of_every_kind_has_words():
    for kind in get_args(facts.MotionKind):
        for direction in (*get_args(facts.ScreenDirection), None):
            subject = Subject("Cart", None, (0.4, 0, 0.6, 0.5), 5.0, Motion(kind, 1.0, direction))
            prompt = prompt_of(make_shot(subjects=(subject,)))
            assert ("The cart " in prompt_text(prompt)) == (kind != "static")


def test_every_word_of_the_brief_has_words_in_both_languages():
    assert set(english.MOVES) == set(chinese.MOVES) == set(get_args(facts.MoveKind))
    sectors = set(get_args(facts.Sector))
    assert set(english.FROM) == set(chinese.FROM) == set(chinese.SIDES) == set(english.BELOW) == sectors
    around = sectors | set(get_args(structured.Around))
    assert set(english.FROM_STEEP) == set(chinese.FROM_STEEP) == around
    assert set(english.FROM_OF_LAMP) == set(chinese.FROM_OF_LAMP) == around
    falls = set(get_args(facts.ShadowFall))
    assert set(english.FALL) == set(chinese.FALL) == set(english.FALL_STEEP) == set(chinese.FALL_STEEP) == falls
    assert set(light.TURN_OF_SHADOWS) == set(get_args(facts.ShadowSlide))
    assert set(english.SUN_TURN) == set(english.SLIDE) == set(chinese.TURN) == set(chinese.SLIDE) == set(light.OPPOSITE)
    assert set(vocabulary.TIME_TERMS) == set(chinese.TIMES) == set(get_args(facts.TimeOfDay))
    assert set(get_args(facts.ShotSize)) | set(get_args(facts.Composition)) <= set(vocabulary.TERMS)
    for table in (vocabulary.TIME_TERMS, vocabulary.SECTOR_TERMS, vocabulary.ANGLE_TERMS, vocabulary.LENS_TERMS):
        assert set(table.values()) <= set(vocabulary.TERMS)


@pytest.mark.parametrize(
    ("description", "told"),
    [
        ("A rusty fishing boat, half sunk.", "The scene shows a rusty fishing boat, half sunk, in the middle."),
        ("two old men", "The scene shows two old men in the middle."),
        ("Olive trees", "The scene shows olive trees in the middle."),
        ("喷泉", "The scene shows a fountain in the middle."),
    ],
)
def test_a_description_is_told_as_it_was_written(description, told):
    thing = Subject("Cube", description, (0.4, 0.1, 0.6, 0.5), 8.0, None)
    assert told in prompt_text(prompt_of(make_shot(subjects=(thing,))))


def test_things_that_shine_are_told():
    sign = facts.Emitter("Neon_Sign.002", (0.0, 0.5, 0.2, 0.7), 2700.0, 5.0)
    prompt = prompt_of(make_shot(environment=Environment(emitters=(sign, sign))))
    assert prompt_text(prompt).count("The neon sign glows orange on the left.") == 1
    assert "画面左边的霓虹招牌发出橙色的光。" in prompt_text(prompt, "zh")


def hdri(confidence, elevation=30.0):
    sky = facts.Hdri(120.0, elevation, confidence, "back_left", 3000.0)
    return make_shot(sun=None, environment=Environment(sky="clear", hdri=sky))


def test_the_bright_side_of_a_sky_picture_is_told_where_no_sun_is():
    prompt = prompt_of(hdri(0.6))
    told = (
        "The brightest light of the surroundings is orange and comes from the back left, behind the scene, at medium "
        "height."
    )
    assert told in prompt_text(prompt) and "edge_lighting" in prompt.terms
    assert "环境中最亮的光呈橙色，从画面深处左侧照来，位置不高不低。" in prompt_text(prompt, "zh")


@pytest.mark.parametrize("shot", [hdri(0.1), hdri(0.6, -20.0), replace(hdri(0.6), sun=make_shot().sun)])
def test_an_even_sky_a_bright_floor_and_a_picture_beside_a_sun_are_not(shot):
    assert prompt_of(shot).sky_light is None and "surroundings comes" not in prompt_text(prompt_of(shot))


def test_light_and_subject_stay_whatever_is_long():
    long = " ".join(f"word{i}" for i in range(400))
    for words in ({"style": long}, {"user_text": long}, {"template": f"{long} {{light}} {{subject}} {{user}}"}):
        shot = make_shot()
        prompt = build_prompt(brief_of(shot), shot, **words)
        for language, told in {"en": ("The scene shows", "sunlight comes from"), "zh": ("画面", "阳光")}.items():
            text = prompt_text(prompt, language)
            assert all(told_words in text[: text.index("ord0")] for told_words in told), (language, text)


def test_sentences_say_what_can_be_left_out():
    prompt = prompt_of(make_shot(), "A calm day.")
    sentences = prompt_sentences(prompt, "en")
    assert " ".join(sentence.text for sentence in sentences) == prompt_text(prompt, "en")
    ranks = {sentence.text: sentence.rank for sentence in sentences}
    assert ranks["A calm day."] < 0
    assert all(rank == 0 for text, rank in ranks.items() if "sunlight" in text or text.startswith("The scene shows"))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_turn_that_goes_on_over_a_night_is_told_once(language):
    """The camera pans on while the sun goes down and comes up again."""
    path = CameraPath((camera_sample(1, 0), camera_sample(72, 30)), (), None, None, None, None)
    samples = (sun_sample(1, 0, 1), sun_sample(30, -5, -3), sun_sample(72, -10, 2))
    shot = make_shot(path=path, sun=read_sun(samples, path, source="sun_position"), subjects=())
    told = [sentence.text for sentence in prompt_sentences(build_prompt(brief_of(shot), shot), language)]
    turning = [text for text in told if "As the camera turns" in text or "随着镜头转动" in text]
    assert len(turning) == 1 and len(told) == len(set(told))


def test_an_arc_there_and_back_names_once_what_it_goes_around():
    moves = (Move("arc_right", 1, 36, 40.0, "deg"), Move("arc_left", 37, 72, 40.0, "deg"))
    path = CameraPath((camera_sample(1, 115), camera_sample(72, 115)), moves, "wide", "eye_level", "medium", "center")
    shot = make_shot(path=path)
    text = prompt_text(build_prompt(brief_of(shot), shot))
    assert re.search(r"First the camera arcs[^.]* around the scene, then it arcs[^.]* to the left\.", text)
