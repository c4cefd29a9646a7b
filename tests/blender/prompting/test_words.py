# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's words in a prompt: where they go, templates, style, the negative prompt, odd input."""

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prompt_briefs import brief_of, camera_sample, make_shot, shots
from wan_previs.prompting import (
    DEFAULT_TEMPLATE,
    TemplateError,
    build_prompt,
    joined,
    length,
    prompt_json,
    prompt_text,
)
from wan_previs.prompting.template import PARTS
from wan_previs.prompting.weave import weave
from wan_previs.scene.brief import CameraPath, Environment, Light, Motion, Move, StartEnd

drawn = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def prompt_of(shot=None, user_text="", **words):
    shot = shot or make_shot()
    return build_prompt(brief_of(shot), shot, user_text, **words)


def test_words_about_light_and_camera_go_where_those_are_told():
    text = prompt_text(prompt_of(None, "An old cloister, backlit, pigeons. The camera glides past a column."))
    assert "An old cloister, pigeons. The scene shows" in text
    assert text.index("The cart moves") < text.index("Backlit. The time goes") < text.index("The camera glides past")
    assert text.index("The camera glides past a column.") < text.index("The camera arcs")


def test_what_the_user_says_already_is_not_said_again():
    text = prompt_text(prompt_of(None, "a slow arc left around the fountain"))
    assert "A slow arc left" in text or "a slow arc left" in text
    assert "The camera arcs" not in text
    foggy = make_shot(environment=Environment("interior", None, "fog", None))
    told = prompt_text(prompt_of(foggy, "a foggy hall indoors"))
    assert "Fog lies" not in told and "The scene is indoors" not in told
    assert "Fog lies" in prompt_text(prompt_of(foggy, "no fog at all"))


def test_scene_and_shot_words_are_sentences_of_their_own():
    assert joined("an old cloister ", "", " pigeons\nfly up") == "an old cloister. pigeons fly up"
    assert joined("古老的回廊", "鸽子飞起") == "古老的回廊。 鸽子飞起"


def test_the_style_comes_first():
    prompt = prompt_of(style="cinematic,  35mm film look")
    assert prompt_text(prompt).startswith("Cinematic, 35mm film look. Sunrise time, ")
    assert prompt_text(prompt, "zh").startswith("cinematic, 35mm film look。日出，")


@drawn
@given(shots())
def test_the_default_template_changes_nothing(shot):
    for language in ("en", "zh"):
        assert prompt_text(prompt_of(shot, template=DEFAULT_TEMPLATE), language) == prompt_text(
            prompt_of(shot), language
        )


def test_a_template_chooses_and_orders_the_parts():
    text = prompt_text(prompt_of(None, "an old cloister", template="{camera} Shot for previs {light}{ User }"))
    assert text.startswith("The camera arcs to the left around the scene. Shot for previs. The time goes")
    assert "fountain" not in text and "Sunrise time" not in text and "An old cloister." in text


@pytest.mark.parametrize("part", PARTS)
def test_every_part_can_stand_alone(part):
    prompt = prompt_of(None, "an old cloister", style="noir", template=f"{{{part}}}")
    assert (prompt_text(prompt) and prompt_text(prompt, "zh")) or part == "setting"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{lights}", "{lights} that is unknown"),
        ("{}", "unknown"),
        ("{light} {light}", "twice"),
        ("{light", "without its partner"),
        ("light} {camera}", "without its partner"),
    ],
)
def test_a_wrong_template_is_told_with_what_to_do(template, words):
    with pytest.raises(TemplateError, match=words):
        prompt_of(template=template)


def test_the_negative_prompt_is_added_to_the_models():
    assert prompt_of().negative("色调艳丽") is None
    assert prompt_of(negative=" people,  cars ").negative("色调艳丽") == "色调艳丽，people, cars"
    assert prompt_of(negative="people").negative("blurry") == "blurry, people"
    assert prompt_of(negative="people").negative("") == "people"


@pytest.mark.parametrize(
    "text",
    [
        "🕊️ " * 50,
        "ساحة قديمة عند النافورة",
        "first line\nsecond\tline\r\nthird",
        "a plaza {subject} {0} {{light}} %s \\n",
        "null\x00and\x07bell \ud83d half a pair",
        "word " * 1000,
        "喷" * 5000,
        ",,, ;; .",
    ],
)
def test_odd_words_are_kept_and_can_be_written(text):
    prompt = prompt_of(None, text)
    for language in ("en", "zh"):
        written = prompt_text(prompt, language).encode("utf-8").decode("utf-8")
        assert "\n" not in written and "\x00" not in written
    json.dumps(prompt_json(prompt), ensure_ascii=False).encode("utf-8")
    assert "{subject}" in prompt_text(prompt) or "{subject}" not in text


def test_words_longer_than_a_prompt_come_last_and_are_warned_of():
    prompt = prompt_of(None, "pigeon " * 700)
    assert prompt_text(prompt).startswith("Sunrise time") and prompt_text(prompt).endswith("pigeon pigeon.")
    assert "Your text is 700 words long" in prompt.warnings[0].message


def test_warnings_stand_in_the_json():
    data = prompt_json(prompt_of(None, "at night"))
    (warning,) = data["warnings"]
    assert set(warning) == {"word", "fact", "message"} and warning["word"] == "night"


def test_weaving_keeps_every_word():
    text = "An old man, handheld, feeds pigeons. Soft light falls from the left. He smiles, backlit, and sits."
    woven = weave(text)
    kept = " ".join((*woven.user, *woven.light, *woven.camera))
    assert sorted(kept.replace(",", "").replace(".", "").split()) == sorted(
        text.replace(",", "").replace(".", "").split()
    )


def _changed(shot):
    """The shot with one told fact changed, for each kind of fact."""
    path, sun = shot.camera_path, shot.sun
    yield replace(shot, sun=None)
    yield replace(shot, sun=replace(sun, relative_to_camera=StartEnd("right", "right")))
    yield replace(shot, sun=replace(sun, time_of_day=StartEnd("morning", "midday")))
    yield replace(shot, sun=replace(sun, samples=tuple(replace(s, color_temperature_k=9000.0) for s in sun.samples)))
    yield replace(shot, camera_path=replace(path, moves=(Move("arc_right", 1, 72, 55.0, "deg"),)))
    yield replace(shot, camera_path=replace(path, moves=(Move("arc_left", 1, 72, 80.0, "deg"),)))
    yield replace(shot, camera_path=replace(path, shot_size="close_up"))
    yield replace(shot, lights=(Light("Lamp", "point", "fill", 2700.0, 50.0, "left"),))
    yield replace(shot, environment=Environment("exterior", "overcast", None, None))
    yield replace(shot, environment=Environment("exterior", None, "fog", None))
    yield replace(shot, environment=Environment("interior", None, None, None))
    yield replace(shot, environment=Environment("exterior", None, None, (0.2, 0.35, 0.8)))
    first, *others = shot.subjects
    yield replace(shot, subjects=(replace(first, name="Statue"), *others))
    yield replace(shot, subjects=(replace(first, screen_box=(0.0, 0.1, 0.1, 0.8)), *others))
    yield replace(shot, subjects=(replace(first, motion=Motion("turning")), *others))
    yield replace(shot, subjects=tuple(others))


def test_shots_that_differ_in_a_told_fact_have_different_texts():
    shot = make_shot()
    family = [shot, *_changed(shot)]
    for language in ("en", "zh"):
        assert len({prompt_text(prompt_of(one), language) for one in family}) == len(family)


@drawn
@given(shots(rich=True), st.sampled_from(["an old cloister", "backlit ruins, handheld", "日落时分，推近"]))
def test_with_words_of_the_user_the_length_stays_in_bounds(shot, text):
    prompt = prompt_of(shot, text, style="cinematic")
    assert 60 <= len(prompt_text(prompt).split()) <= 200 and 60 <= length(prompt_text(prompt, "zh")) <= 200


def test_a_still_camera_without_facts_has_a_prompt():
    bare = make_shot(sun=None, subjects=(), path=CameraPath((camera_sample(1, 0), camera_sample(72, 0))))
    assert prompt_text(prompt_of(bare)) and prompt_text(prompt_of(bare), "zh")
