# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and descriptions of things as nouns of both languages."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_briefs import brief_of, make_shot
from reading_rules import chinese_faults, english_faults
from wan_previs.prompting import build_prompt, prompt_text
from wan_previs.prompting.chinese.grammar import counted as in_chinese
from wan_previs.prompting.english.grammar import counted
from wan_previs.prompting.nouns import ADJECTIVES, GROUPS, NOUNS
from wan_previs.prompting.subjects import noun
from wan_previs.scene.brief import Motion, Subject


def named(name):
    return Subject(name, None, (0.4, 0.2, 0.6, 0.8), 5.0, Motion("moving", 1.0, "left"))


def described(words):
    return Subject("Cube", words, (0.4, 0.2, 0.6, 0.8), 5.0, Motion("moving", 1.0, "left"))


@pytest.mark.parametrize("make", [named, described])
@pytest.mark.parametrize(
    ("words", "english", "chinese"),
    [
        ("a man", "a man", "一个男人"),
        ("the dog's bed", "a dog's bed", "一张床（dog's bed）"),
        ("an apple", "an apple", "一个苹果"),
        ("him", 'an object called "him"', "一个物体（him）"),
        ("x", 'an object called "x"', "一个物体（x）"),
        ("équipe", "an équipe", "一个物体（équipe）"),
        ("über", "an über", "一个物体（über）"),
        ("one way sign", "a one way sign", "一块招牌（one way sign）"),
        ("face", "a face", "一张脸"),
        ("bottle", "a bottle", "一个瓶子"),
        ("people", "people", "一群人"),
        ("some people", "some people", "几个人"),
        ("many trees", "many trees", "许多树"),
        ("flock of birds", "a flock of birds", "一群鸟"),
        ("policemen", "policemen", "几名警察"),
        ("beggar", "a beggar", "一名乞丐"),
        ("small cafe", "a small cafe", "一家小咖啡馆"),
        ("huge broken tower", "a huge broken tower", "一座巨大破损的塔楼"),
        ("红色汽车", "a red car", "一辆红色汽车"),
        ("古老的红色城堡", "an ancient red castle", "一座古老红色城堡"),
    ],
)
def test_a_name_and_a_description_give_the_same_noun(make, words, english, chinese):
    told = noun(make(words))
    assert counted(told, 1) == english
    assert in_chinese(told, 1) == chinese


@pytest.mark.parametrize(("words", "chinese"), [("people", "三个人"), ("face", "三张脸"), ("singer", "三名歌手")])
def test_three_of_them(words, chinese):
    assert in_chinese(noun(named(words)), 3) == chinese


def test_a_chinese_name_that_nobody_knows_has_the_measure_word_of_its_end():
    assert in_chinese(noun(named("蒸汽朋克飞机")), 1) == "一架蒸汽朋克飞机"


WORDS = st.sampled_from(
    [*NOUNS, *ADJECTIVES, *GROUPS, "a", "an", "the", "of", "him", "x", "équipe", "Ötzi", "said", "3", "two", "people's"]
)


@given(st.lists(WORDS, min_size=1, max_size=4), st.booleans())
def test_any_words_keep_to_the_rules(words, as_description):
    name = " ".join(words)
    shot = make_shot(subjects=((described if as_description else named)(name),))
    prompt = build_prompt(brief_of(shot), shot)
    english, chinese = prompt_text(prompt), prompt_text(prompt, "zh")
    faults = [fault for fault in english_faults(english) if re.match("an? for|article|doubled article", fault)]
    faults += [fault for fault in chinese_faults(chinese) if "measure" in fault or "foreign letters" in fault]
    assert faults == [] and not re.search(r"\b[Aa]n? (?:an?|the|him)\b", english)
