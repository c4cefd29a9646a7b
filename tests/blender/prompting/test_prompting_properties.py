# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for the prompt of any brief: its length, that it is stable, that it mirrors and reverses."""

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prompt_briefs import brief_of, mirrored, reversed_in_time, shots
from reading_rules import chinese_faults, english_faults
from wan_previs.prompting import build_prompt, length, prompt_text, vocabulary
from wan_previs.scene.brief import Brief

USER = st.lists(st.sampled_from(["an", "old", "square", "with", "pigeons"]), max_size=60).map(" ".join)
MIRROR = {"left": "right", "clockwise": "counterclockwise", "Left": "Right", "左": "右", "顺": "逆"}
MIRROR |= {b: a for a, b in MIRROR.items()}
REVERSE = {
    "rises": "sinks",
    "left": "right",
    "front": "back",
    "clockwise": "counterclockwise",
    "shorten": "lengthen",
    "appear": "fade",
    "brighter": "dimmer",
}
REVERSE |= {b: a for a, b in REVERSE.items()}

# A busy machine may draw slowly; that is no fault of the prompt.
drawn = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def prompt_of(shot, user_text=""):
    return build_prompt(brief_of(shot), shot, user_text)


def swapped(text):
    return re.sub(r"counterclockwise|clockwise|\b(left|right|Left|Right)\b|[左右顺逆]", lambda m: MIRROR[m[0]], text)


def unframed(text):
    """ "Right under the objects" is no side."""
    return text.replace("right under", "under")


@drawn
@given(shots(rich=True), USER)
def test_full_facts_give_60_to_200_words(shot, user_text):
    prompt = prompt_of(shot, user_text)
    assert 60 <= len(prompt_text(prompt).split()) <= 200
    assert length(prompt_text(prompt, "zh")) >= 60


@drawn
@given(shots(), USER)
def test_no_text_is_longer_than_200_words(shot, user_text):
    prompt = prompt_of(shot, user_text)
    assert len(prompt_text(prompt).split()) <= 200
    assert length(prompt_text(prompt, "zh")) <= 200


@drawn
@given(shots(), USER)
def test_the_same_brief_gives_the_same_text(shot, user_text):
    read_again = Brief.from_json(brief_of(shot).to_json())
    again = build_prompt(read_again, read_again.shots[0], user_text)
    assert again == prompt_of(shot, user_text)
    assert prompt_text(again) == prompt_text(prompt_of(shot, user_text))
    assert prompt_text(again, "zh") == prompt_text(prompt_of(shot, user_text), "zh")


@drawn
@given(shots())
def test_a_mirrored_brief_swaps_left_and_right(shot):
    here, there = prompt_of(shot), prompt_of(mirrored(shot))
    assert unframed(prompt_text(there)) == swapped(unframed(prompt_text(here)))
    assert prompt_text(there, "zh") == swapped(prompt_text(here, "zh"))


@drawn
@given(shots().filter(lambda shot: shot.sun is not None))
def test_time_reversal_swaps_start_and_end(shot):
    there, back = prompt_of(shot).sun, prompt_of(reversed_in_time(shot)).sun
    for a, b in zip(there.moments, reversed(back.moments), strict=True):
        assert (a.sector, a.height, a.color, a.shadows) == (b.sector, b.height, b.color, b.shadows)
    for one, other in zip(there.changes, reversed(back.changes), strict=True):
        for field in ("height", "turn", "shadow_length", "shadow_slide", "brightness"):
            before, after = getattr(one, field), getattr(other, field)
            assert after == REVERSE.get(before, before)
        assert one.height_amount == other.height_amount
        assert (one.turn_amount, one.turn_cause) == (other.turn_amount, other.turn_cause)


@drawn
@given(shots())
def test_terms_are_few_known_and_without_repeats(shot):
    terms = prompt_of(shot).terms
    assert len(terms) <= 5 and len(set(terms)) == len(terms)
    assert set(terms) <= set(vocabulary.TERMS)


@drawn
@given(shots())
def test_text_is_plain(shot):
    english, chinese = (prompt_text(prompt_of(shot), language) for language in ("en", "zh"))
    assert not re.search(r"[\d{}_]|None", english + chinese)
    assert english_faults(english) == [] and chinese_faults(chinese) == []
