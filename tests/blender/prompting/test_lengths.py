# SPDX-License-Identifier: GPL-3.0-or-later
"""What a long text gives up, and what is told of it."""

import json

import bpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_scenes import FOLDER, boxes, camera, ground, sun, world
from scene_makers import key
from wan_previs.prompting import build_prompt, left_out, prompt_sentences
from wan_previs.prompting.fit import FACTS, MOST, Rank, Sentence, fit, length
from wan_previs.scene.brief import Brief
from wan_previs.scene.reader import read_brief


def many(rank, count, words=20):
    return [Sentence(" ".join([f"{rank.name}{index}", *["word"] * (words - 1)]), rank) for index in range(count)]


def told(text):
    return [one for one in fit(text, [], length) if one.told]


def test_decor_gives_way_before_action_terms_and_the_course_of_light():
    text = [*many(Rank.TERMS, 1), *many(Rank.MAIN, 4), *many(Rank.ACTION, 1), *many(Rank.COURSE, 4)]
    kept = told([*text, *many(Rank.SETTING, 1), *many(Rank.LAMPS, 2)])
    assert kept == text and sum(length(one.text) for one in kept) == MOST


def test_no_more_is_lost_than_must_be():
    text = [*many(Rank.MAIN, 8), *many(Rank.COURSE, 1, 30), *many(Rank.SETTING, 1, 4), *many(Rank.LAMPS, 1, 18)]
    assert told(text) == text[:-1]
    text = [*many(Rank.MAIN, 9), *many(Rank.COURSE, 1, 30), *many(Rank.SETTING, 2, 4)]
    assert told(text) == [*text[:9], *text[10:]]  # what has no room itself leaves some to what matters less
    text = [*many(Rank.MAIN, 9), *many(Rank.COURSE, 1, 8), *many(Rank.COURSE, 1, 4), *many(Rank.COURSE, 1, 12)]
    assert told(text) == [*text[:10], text[11]]  # the shortest that does


@given(st.lists(st.tuples(st.sampled_from(list(Rank)), st.integers(1, 60)), max_size=14))
def test_how_the_light_goes_is_left_out_last(drawn):
    text = [Sentence(" ".join(["word"] * words), rank) for rank, words in drawn]
    fitted = fit(text, [], length)
    assert all(one.told for one in fitted if one.rank <= Rank.MAIN)
    gone = [one for one in fitted if not one.told]
    if lights := [one for one in gone if one.rank == Rank.COURSE]:  # the rest makes no room for the shortest of them
        kept = sum(length(one.text) for one in fitted if one.told and one.rank <= Rank.COURSE)
        room = max(MOST, sum(length(one.text) for one in text if one.rank == Rank.OWN) + FACTS)
        assert kept + min(length(one.text) for one in lights) > room


@pytest.mark.parametrize("own", [0, 40, 100, 190])
def test_many_words_of_the_users_leave_room_for_the_facts(own):
    facts = [*many(Rank.MAIN, 4), *many(Rank.CAMERA, 1), *many(Rank.COURSE, 2)]
    text = [*([Sentence(" ".join(["own"] * own), Rank.OWN)] if own else []), *facts]
    assert told(text) == text
    more = [*text, *many(Rank.ACTION, 1), *many(Rank.SETTING, 1), *many(Rank.LAMPS, 3)]
    kept = told(more)
    assert kept[: len(text)] == text and {one.text.split()[0] for one in kept[len(text) :]} <= {
        "ACTION0",
        "SETTING0",
        "LAMPS0",
    }


DAY = "An old fisherman mends his nets while the tide comes in, and thinks of the boats that never came back to him. "
DAY_IN_CHINESE = "一位老渔夫在涨潮时修补渔网，想着那些再也没有回来的船，也想着小时候母亲唱过的歌。"


@pytest.mark.parametrize("name", ["day_in_a_shot", "night_in_a_shot", "square_noon_to_dusk", "two_suns", "traffic"])
@pytest.mark.parametrize(("language", "words"), [("en", DAY * 3), ("zh", DAY_IN_CHINESE * 3)])
def test_light_and_subject_stay_beside_many_words(name, language, words):
    brief = Brief.from_json(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))
    for shot in brief.shots:
        bare, full = (prompt_sentences(build_prompt(brief, shot, text), language) for text in ("", words))
        light = {one.text for one in bare if one.rank <= Rank.COURSE}
        kept = {one.text for one in full}
        gone = left_out(build_prompt(brief, shot, words), language)
        assert light <= kept and any(one.rank == Rank.OWN for one in full)
        assert {one.text for one in bare if one.rank == Rank.CAMERA} <= kept | set(gone)
        assert sum(length(text) for text in gone) <= 25


def test_a_chinese_text_has_as_much_room_as_an_english_one():
    assert length("一位老渔夫在修补渔网。") == length("an old fisherman mends his nets") + 1
    text = "太阳大幅升高并大幅向左移动，影子变短并向右滑动。"
    kept = [one for one in fit([Sentence(text, Rank.COURSE)] * 12, [], length) if one.told]
    assert len(kept) == 12


def test_where_a_model_reads_less_the_sky_goes_before_light_and_action(blank_scene):
    ground(blank_scene), boxes(blank_scene, ("Cart", 0, 0)), world(blank_scene, (0.2, 0.3, 0.9))
    key(blank_scene.objects["Cart"], "location", {1: (0, 0, 1), 72: (5, 0, 1)})
    sun(blank_scene, {1: (180, 60), 40: (180, 5), 72: (180, 40)}), camera(blank_scene)
    brief, _ = read_brief(blank_scene)
    ranks = {one.text: one.rank for one in prompt_sentences(build_prompt(brief, brief.shots[0]))}
    sky = next(rank for text, rank in ranks.items() if text.startswith("The sky is"))
    kept = [rank for text, rank in ranks.items() if "sun " in text or "scene grows" in text or "cart moves" in text]
    assert len(kept) >= 5 and all(0 <= rank < sky for rank in kept)


def test_a_lamp_that_changes_stays_longer_than_one_that_does_not(blank_scene):
    ground(blank_scene), boxes(blank_scene, ("Cart", 0, 0)), sun(blank_scene, {1: (180, 60)}), camera(blank_scene)
    for name, place in (("Still", -3), ("Switched", 3)):
        lamp = bpy.data.objects.new(name, bpy.data.lights.new(name, "POINT"))
        lamp.location, lamp.data.energy = (place, -1, 2), 2000
        blank_scene.collection.objects.link(lamp)
    key(lamp.data, "energy", {1: 2000, 40: 2000, 41: 0, 72: 0})
    brief, _ = read_brief(blank_scene)
    for language, changes in (("en", "goes out"), ("zh", "熄灭")):
        prompt = build_prompt(brief, brief.shots[0])
        ranks = [one.rank for one in prompt_sentences(prompt, language) if changes in one.text]
        assert ranks == [Rank.COURSE], [one.text for one in prompt_sentences(prompt, language)]
        assert any(one.rank == Rank.LAMPS for one in prompt_sentences(prompt, language))
