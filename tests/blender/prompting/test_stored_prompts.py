# SPDX-License-Identifier: GPL-3.0-or-later
"""The stored prompts of varied scenes: as they were read and found right, and by the rules of both languages."""

import json

import pytest
from prompt_scenes import FOLDER, SCENES, prompts
from reading_rules import chinese_faults, english_faults
from wan_previs.prompting import contradictions
from wan_previs.prompting.english.grammar import counted, is_clause, plural, with_article
from wan_previs.scene.brief import Brief

NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


def brief_named(name):
    return Brief.from_json(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


def stored(name):
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def test_there_are_thirty_and_each_scene_has_one():
    assert len(NAMES) >= 30 and {build.__name__ for build in SCENES} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_prompts_are_as_they_were_read(name):
    assert prompts(brief_named(name)) == stored(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_prompts_read_well(name):
    lines = stored(name).splitlines()
    for english, chinese in zip(lines[::2], lines[1::2], strict=True):
        assert english_faults(english) == [] and chinese_faults(chinese) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_prompts_contradict_no_fact(name):
    brief = brief_named(name)
    for index, shot in enumerate(brief.shots):
        for text in stored(name).splitlines()[2 * index : 2 * index + 2]:
            assert contradictions(shot, text) == ()


@pytest.mark.parametrize(
    ("name", "told", "not_told"),
    [
        ("strength_dips", ("grows dimmer", "the sunlight is weak", "grows brighter"), ("does not change",)),
        ("day_in_a_shot", ("through midday", "rises far", "the sun is high", "short shadows", "sinks far"), ()),
        ("night_in_a_shot", ("through night", "below the horizon", "no shadows", "appear"), ("does not change",)),
        ("colour_turns", ("the sunlight is orange",), ("does not change",)),
        ("suns_fade_across", ("grows weaker", "fades in"), ("grows brighter", "grows dimmer", "does not change")),
        ("two_suns", ("also comes from the back left", "grows stronger"), ("The sunlight does not change",)),
        ("overhead_car", ("the bottom of the picture", "the top of the picture"), ("camera.", "front", "sky")),
        ("house_and_trees", ("daylight",), ("sky", "gray")),
        ("neon_street", ("Night time", "practical lighting"), ("daylight", "hard lighting")),
        ("handheld_walk", ("The handheld camera pushes in",), ("is handheld",)),
        ("orbit", ("circles clockwise around the scene",), ("comes around clockwise",)),
        ("names_that_are_no_nouns", ("two tori", "a north wall", 'an object called "he said hi there"'), ("toruses",)),
        ("overcast_field", ("Overcast lighting", "hay on the right"), ("a hay", "on their places")),
    ],
)
def test_what_the_scene_holds_is_told(name, told, not_told):
    text = stored(name).splitlines()[0].replace("stands still", "stands")
    text = text.replace("The camera stands.", "") if name == "overhead_car" else text
    assert [words for words in told if words not in text] == []
    assert [words for words in not_told if words in text] == []


@pytest.mark.parametrize(
    ("noun", "one", "many"),
    [
        ("torus", "a torus", "tori"),
        ("hour glass", "an hour glass", "hour glasses"),
        ("unicorn", "a unicorn", "unicorns"),
        ("umbrella", "an umbrella", "umbrellas"),
        ("old man", "an old man", "old men"),
        ("snowman", "a snowman", "snowmen"),
        ("human", "a human", "humans"),
        ("statue of a man", "a statue of a man", "statues of a man"),
        ("bus", "a bus", "buses"),
        ("lens", "a lens", "lenses"),
        ("city", "a city", "cities"),
        ("sheep", "a sheep", "sheep"),
        ("sand", "sand", "sand"),
        ("stairs", "stairs", "stairs"),
        ("two old men", "two old men", "two old men"),
        ("LED wall", "an LED wall", "LED walls"),
        ("his dog", "his dog", "his dog"),
    ],
)
def test_articles_and_plurals(noun, one, many):
    assert with_article(noun) == one
    assert counted(noun, 2).removeprefix("two ") == many.removeprefix("two ")
    assert noun in ("sand", "his dog") or plural(noun) == many


def test_what_says_something_names_nothing():
    assert is_clause("he said hi there") and is_clause("The man is reading")
    assert not is_clause("old man with a hat") and not is_clause('object called "he said hi there"')


@pytest.mark.parametrize(
    "text",
    [
        "It is noon. It is noon.",
        "The camera pushes in and is handheld and sways.",
        "The sunlight comes around counterclockwise around the scene.",
        "The scene shows a arch in the middle.",
        "The scene shows an house in the middle.",
        "The scene shows two tree in the middle.",
        "The scene shows a two men.",
        "The benches moves to the left.",
        "Night time, daylight, wide shot.",
        "The the camera stands still.",
        "Long shadows fall to the left. The sun sinks. At the end the sun is low, and long shadows fall to the left.",
    ],
)
def test_the_rules_find_english_faults(text):
    assert english_faults(text)


@pytest.mark.parametrize(
    "text",
    [
        "画面中间有一座房子，里有三棵树。",
        "画面中间有一个wall。",
        "场景变暗。场景变暗。",
        "画面中间有一房子。",
        "夜晚，日光。",
        "太阳很低，长长的影子投向左侧。太阳下沉。最后太阳很低，长长的影子投向左侧。",
    ],
)
def test_the_rules_find_chinese_faults(text):
    assert chinese_faults(text)
