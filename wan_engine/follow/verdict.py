# SPDX-License-Identifier: GPL-3.0-or-later
"""One word about whether a clip follows its scene, what it was told by, and what it was held to (`bounds`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from ..light.verdict import Check
from .bounds import ELSEWHERE, IN_A_ROW, KNOWN_FRAMES
from .measure import FollowMeasures

# What a verdict says, by its code.
WORDS: Mapping[str, str] = MappingProxyType(
    {
        "follows": "follows",
        "strays_in_motion": "strays",
        "strays_in_place": "strays",
        "misses_subject": "strays",
        "doubles_subject": "strays",
        "still": "cannot be told",
        "plain": "cannot be told",
    }
)
_STANDS, _SLOW, _FAST = 0.2, 0.8, 1.25  # along the scene's way, of it
_STANDS_AT_ALL = 0.5  # in any direction


@dataclass(frozen=True)
class FollowVerdict:
    """`word`: "follows", "strays" or "cannot be told"; `frame`: that from which the clip strays, else None; `checks`:
    all that could make it stray; `code`: why, one of WORDS ("still": the scene hardly moves; "plain": too little is
    seen of what moves); `first_frame`: the number that the clip's first frame has in words, of which `frame` counts
    from 0."""

    word: str
    frame: int | None
    sentence: str
    checks: tuple[Check, ...] = ()
    code: str = "follows"
    first_frame: int = 0

    @property
    def told(self) -> str:
        """The verdict in words: "follows", "strays at frame 31"."""
        told = WORDS[self.code]
        return told if self.frame is None else f"{told} at frame {self.first_frame + self.frame}"


def verdict(measures: FollowMeasures, first_frame: int = 0) -> FollowVerdict:
    """One word, and a sentence that says why and counts frames from `first_frame`. What goes elsewhere is told before
    what is missing or seen twice, for in a clip that goes elsewhere nothing is at its place."""
    faults = _faults(measures)
    checks = (
        Check("motion", "scene", max(_least_of_runs(measures).values(), default=0.0), ELSEWHERE),
        *(Check(reason, "scene", float(len(_names(measures, fault))), 0.0) for reason, fault in _REASONS.items()),
    )
    for code, frame, sentence in faults:
        words = sentence.format(frame=first_frame + frame)
        return FollowVerdict("strays", frame, words, checks, code, first_frame)
    code, sentence = _unless_it_strays(measures)
    return FollowVerdict(WORDS[code], None, sentence, checks, code, first_frame)


def _unless_it_strays(measures: FollowMeasures) -> tuple[str, str]:
    """(code, sentence) of a clip of which nothing is known to be wrong."""
    known = sum(gain is not None for gain in measures.gain)
    if known > KNOWN_FRAMES * measures.moving:
        error = max((e for e in measures.error_px if e is not None), default=0.0)
        share = 100 * error / measures.size[0]
        words = f"points are off by at most {error:.1f} pixels, {share:.1f} % of the width"
        return "follows", f"The clip follows the scene: {words}."
    if measures.moving:
        return "plain", "Too little is seen of what moves in the scene: it is plain, hidden, or too small."
    if measures.frames == 1:
        return "still", "A clip of one frame shows no motion."
    return "still", "Hardly anything moves in the scene."


_REASONS = {"place": "displaced", "missing": "missing", "doubled": "doubled"}


def _names(measures: FollowMeasures, fault: str) -> list[tuple[int, str]]:
    """(first frame, name) of the subjects with a fault."""
    return sorted((frame, subject.name) for subject in measures.subjects if (frame := subject.first(fault)) is not None)


def _faults(measures: FollowMeasures) -> list[tuple[str, int, str]]:
    """(code, frame, sentence) of all that is wrong, the first told first."""
    found = []
    strays = _straying(measures)
    if strays:
        found.append(("strays_in_motion", strays[0], _motion_words(measures, strays)))
    missing, displaced = _names(measures, "missing"), _names(measures, "displaced")
    for frame, name in [one for one in displaced if one[1] not in {name for _, name in missing}][:1]:
        found.append(
            ("strays_in_place", frame, f'From frame {{frame}} on "{_plain(name)}" is not where the scene has it.')
        )
    for frame, name in missing[:1]:
        found.append(("misses_subject", frame, f'"{_plain(name)}" is not to be seen from frame {{frame}} on.'))
    for frame, name in _names(measures, "doubled")[:1]:
        found.append(("doubles_subject", frame, f'"{_plain(name)}" is seen twice from frame {{frame}} on.'))
    return found


def _straying(measures: FollowMeasures) -> list[int]:
    """The frames in which the ways go elsewhere, with others beside them."""
    runs = _least_of_runs(measures)
    return sorted({first + k for first, least in runs.items() if least > ELSEWHERE for k in range(_in_a_row(measures))})


def _least_of_runs(measures: FollowMeasures) -> dict[int, float]:
    """Of each so many frames, by their first, the least share of ways that go elsewhere; 0 where it is not known."""
    shares, count = [share or 0.0 for share in measures.elsewhere], _in_a_row(measures)
    return {first: min(shares[first : first + count]) for first in range(1, len(shares) - count + 1)}


def _in_a_row(measures: FollowMeasures) -> int:
    """A clip of two frames shows one way alone."""
    return max(1, min(IN_A_ROW, measures.frames - 1))


def _plain(name: str) -> str:
    """A name inside a sentence that is filled in."""
    return name.replace("{", "{{").replace("}", "}}")


def _motion_words(measures: FollowMeasures, strays: list[int]) -> str:
    gain, pace = _middle(measures.gain, strays), _middle(measures.pace, strays)
    later = [share for share in measures.elsewhere[strays[-1] + 1 :] if share is not None]
    elsewhere = "the clip moves elsewhere than the scene"
    if gain is None or pace is None:
        how = "the clip moves, and the scene stands still"
    elif gain < -_STANDS:
        how = "the clip moves the other way"
    elif gain < _STANDS and pace < _STANDS_AT_ALL:
        late = ", and goes later" if len(later) > len(strays) else ""
        how = f"what moves in the scene stands still in the clip{late}"
    elif gain < _STANDS:
        how = elsewhere
    elif gain < _SLOW:
        how = f"the clip moves at about {gain:.1f} times the scene's speed"
    elif gain > _FAST:
        how = f"the clip moves {gain:.1f} times as fast as the scene"
    else:
        how = elsewhere
    return f"From frame {{frame}} on {how}."


def _middle(course: list[float | None], frames: list[int]) -> float | None:
    known = [value for k in frames if (value := course[k]) is not None]
    return float(np.median(known)) if known else None
