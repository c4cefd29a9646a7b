# SPDX-License-Identifier: GPL-3.0-or-later
"""One word about a clip's light, what it was told by, and what it was held to (`bounds`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ..color_temperature import mired
from .bounds import BOUNDS, TEMPERATURE_OF_CHANGE, TEMPERATURE_OF_LIGHT, TOLD_OFF
from .departure import LuminanceDeparture
from .jumps import Jump
from .measure import LightMeasures

_TOLD_BY = {"render": "the render", "brief": "the scene's facts expect", "pictures": "the scene's picture"}
_RENDER_TELLS = "Judge it by a render as the expected light."
_NEAR_END = 0.1  # share of the clip
# What a verdict says, by its code; and the code of each reason to drift.
WORDS: Mapping[str, str] = MappingProxyType(
    {
        "holds": "holds",
        "flickers": "flickers",
        "pulses": "pulses",
        "jumps": "jumps",
        "drifts_in_brightness": "drifts in brightness",
        "drifts_in_colour": "drifts in colour",
        "unmeasured": "is unmeasured",
    }
)
_CODES = {
    "flicker": "flickers",
    "pulses": "pulses",
    "curve": "drifts_in_brightness",
    "slow change": "drifts_in_brightness",
    "color": "drifts_in_colour",
    "temperature": "drifts_in_colour",
}


@dataclass(frozen=True)
class Check:
    """What one reason to drift was `measured` at, the `bound` it was held to, and what tells: the "clip" itself, a
    "render", the "brief" or the scene's "pictures", which may be `uncertain` by so much itself."""

    reason: str
    against: str
    measured: float
    bound: float
    uncertain: float = 0.0

    @property
    def fails(self) -> bool:
        """Whether this alone makes the light drift."""
        return self.measured > self.bound + self.uncertain

    @property
    def open(self) -> bool:
        """Whether what tells is too uncertain to tell."""
        return self.bound < self.measured <= self.bound + self.uncertain


@dataclass(frozen=True)
class Verdict:
    """`word`: "holds", "drifts", "jumps", "unmeasured"; `frame`: that of the largest jump, else None; `checks`: all
    that could make it drift, in the order in which they are told; `code`: why, one of WORDS ("unmeasured": a single
    frame, or a departure that the curve is too uncertain to judge); `first_frame`: the number that the clip's first
    frame has in words, of which `frame` counts from 0; `held_to`: of one that holds, what could not be told, "within
    10 %, colour not judged", "" where a render tells all."""

    word: str
    frame: int | None
    sentence: str
    checks: tuple[Check, ...] = ()
    code: str = "holds"
    first_frame: int = 0
    held_to: str = ""

    @property
    def told(self) -> str:
        """The code in words: "flickers", "jumps at frame 31", "holds within 10 %, colour not judged"."""
        told = f"{WORDS[self.code]} {self.held_to}".rstrip()
        return told if self.frame is None else f"{told} at frame {self.first_frame + self.frame}"

    def __str__(self) -> str:
        return self.word if self.frame is None else f"{self.word} at frame {self.frame}"


def verdict(measures: LightMeasures, first_frame: int = 0) -> Verdict:
    """One word about the light, and a sentence that says why and counts frames from `first_frame`.

    Jumps that the scene means do not count, nor does a cut: it is told, and the light judged on each side. A slow
    change counts only against the expected curve, or where none was given; then the scene is taken for steadily lit.
    """
    faults, found = [jump for jump in measures.jumps if not jump.meant], tuple(checks(measures))
    if faults:
        worst = max(faults, key=lambda jump: abs(jump.size))
        sentence = _jump_sentence(worst, len(faults), first_frame) + _cut_sentence(measures, first_frame)
        return Verdict("jumps", worst.frame, sentence, found, "jumps", first_frame)
    failed = next((check for check in found if check.fails), None)
    if failed is not None:
        sentence = _drift_sentence(failed, measures, first_frame) + _cut_sentence(measures, first_frame)
        return Verdict("drifts", None, sentence, found, _CODES[failed.reason], first_frame)
    if measures.frames == 1:
        return Verdict("holds", None, "One frame: there is nothing to change.", found, "unmeasured", first_frame)
    untold = _untold_sentence(found, measures, first_frame)
    if untold:
        sentence = untold + _cut_sentence(measures, first_frame)
        return Verdict("unmeasured", None, sentence, found, "unmeasured", first_frame)
    sentence = _holding_sentence(measures) + _cut_sentence(measures, first_frame)
    return Verdict("holds", None, sentence, found, "holds", first_frame, _held_to(measures))


def checks(measures: LightMeasures) -> list[Check]:
    """Every reason to drift that this clip can be asked for."""
    source = measures.expected_source or "clip"
    found = [Check("flicker", "clip", measures.flicker, measures.flicker_allowed)]
    found.append(_check("pulses", "clip", measures.swings))
    if measures.departure is not None:
        uncertain = measures.departure.uncertain[measures.departure.frame]
        found.append(_check("curve", source, abs(measures.departure.size), uncertain))
    else:
        found.append(_check("slow change", "clip", measures.slow_change))
    if measures.color is not None:
        found.append(_check("color", measures.color.source, measures.color.size))
    if measures.color is None or measures.color.source != "render":
        drift = abs(measures.temperature_drift_mired)
        found.append(Check("temperature", source, drift, temperature_bound(measures, source)))
    return found


def temperature_bound(measures: LightMeasures, source: str) -> float:
    """Mired by which the colour may depart: more where a change of it is expected, or, by a curve that tells no colour,
    a change of light."""
    bound = BOUNDS["temperature"][source]
    if measures.expected_temperature_k is not None:
        told = [mired(kelvin) for kelvin in measures.expected_temperature_k]
        return bound + TEMPERATURE_OF_CHANGE * (max(told) - min(told))
    expected = [max(light, 1e-3) for light in measures.expected or (1.0,)]
    return bound + TEMPERATURE_OF_LIGHT * math.log(max(expected) / min(expected))


def _check(reason: str, against: str, measured: float, uncertain: float = 0.0) -> Check:
    return Check(reason, against, measured, BOUNDS[reason][against], uncertain)


def _drift_sentence(check: Check, measures: LightMeasures, first_frame: int) -> str:
    percent = f"{100 * check.measured:.0f} %"
    if check.reason == "flicker":
        return f"The light flickers by {100 * check.measured:.1f} % around its own slow course."
    if check.reason == "pulses":
        return f"The light pulses: it goes up and down by about {100 * measures.swing:.0f} %, again and again."
    if check.reason == "curve" and measures.departure is not None:
        departs = _departs(measures.departure, check, measures.frames, first_frame)
        return f"The light leaves the scene's curve: it {departs}."
    if check.reason == "slow change":
        way = "brighter" if measures.light[-1] > measures.light[0] else "darker"
        return f"The light slowly gets {way}, by {percent}, and nothing says that it should."
    if check.reason == "color" and measures.color is not None:
        when, off = _when(measures.color.frame, measures.frames, first_frame), _color_words(measures.color.change)
        return f"The colour leaves the scene's: the clip {when} with {off} than {_TOLD_BY[check.against]}."
    way = "warmer" if measures.temperature_drift_mired > 0 else "cooler"
    than = "" if measures.expected_temperature_k is None else " than the scene expects"
    return f"The light gets {way} by {check.measured:.0f} mired{than}."


def _departs(departure: LuminanceDeparture, check: Check, count: int, first_frame: int) -> str:
    """Where and by how much: "ends 12 % brighter than the scene's facts expect"."""
    way, when = "brighter" if departure.size > 0 else "darker", _when(departure.frame, count, first_frame)
    return f"{when} {100 * check.measured:.0f} % {way} than {_TOLD_BY[check.against]}"


def _when(frame: int, count: int, first_frame: int) -> str:
    """What the clip of `count` frames does there: "ends", "begins" or "goes, at frame 29,"."""
    share = frame / max(1, count - 1)
    if share >= 1 - _NEAR_END:
        return "ends"
    if share <= _NEAR_END:
        return "begins"
    return f"goes, at frame {first_frame + frame},"


def _color_words(change: tuple[float, ...]) -> str:
    """The channels that are off most: "12 % more red and 20 % less blue"."""
    most = max(map(abs, change))
    parts = [
        f"{abs(100 * part):.0f} % {'more' if part > 0 else 'less'} {name}"
        for name, part in zip(("red", "green", "blue"), change, strict=True)
        if abs(part) >= most / 2
    ]
    return " and ".join(parts) if len(parts) < 3 else f"{parts[0]}, {parts[1]} and {parts[2]}"


def _jump_sentence(jump: Jump, count: int, first_frame: int) -> str:
    what = "flashes" if jump.kind == "flash" else "jumps"
    way = "up" if jump.size > 0 else "down"
    more = f" and at {count - 1} more place{'s' if count > 2 else ''}" if count > 1 else ""
    size = abs(jump.size) if jump.size > 0 else min(1.0, -jump.size)  # a size is relative to the mean of both sides
    return f"The light {what} {way} by {100 * size:.0f} % at frame {first_frame + jump.frame}{more}."


def _untold_sentence(found: Sequence[Check], measures: LightMeasures, first_frame: int) -> str:
    """For a departure that the facts cannot judge, or facts that would hide one; "" for others."""
    if measures.departure is None:  # nothing else is uncertain
        return ""
    for check in found:
        if check.open:
            departs = _departs(measures.departure, check, measures.frames, first_frame)
            return f"The light {departs}, but these may be {100 * check.uncertain:.0f} % off there. {_RENDER_TELLS}"
    if _reach(measures) <= TOLD_OFF:
        return ""
    most = _percent(max(measures.departure.uncertain))
    return f"The scene's facts may be up to {most} off, too much to tell whether the light holds. {_RENDER_TELLS}"


def _reach(measures: LightMeasures) -> float:
    """By how much the light of a clip that holds may be off, relative, where that is most."""
    if measures.departure is None:
        return BOUNDS["slow change"]["clip"]
    return BOUNDS["curve"][measures.expected_source or "brief"] + max(measures.departure.uncertain)


def _rendered(measures: LightMeasures) -> bool:
    """Whether a render tells luminance and colour of every frame."""
    return measures.color is not None and measures.color.source == "render"


def _seen_colour(measures: LightMeasures) -> str:
    """Where the colour is held to what the scene's pictures show; "" for nowhere."""
    if measures.color is None:
        return ""
    if len(measures.color.frames) > 1:
        return "at both ends"
    return "at the first frame" if measures.color.frames[0] == 0 else "at the last frame"


def _held_to(measures: LightMeasures) -> str:
    """What a clip that holds was held to, where that is less than all one sees."""
    if _rendered(measures):
        return ""
    seen = _seen_colour(measures)
    return f"within {_percent(_reach(measures))}, colour {f'{seen} only' if seen else 'not judged'}"


def _holding_sentence(measures: LightMeasures) -> str:
    """How the light holds, what was not judged, and what would tell it."""
    against = "as the scene predicts" if measures.expected is not None else "steadily"
    if _rendered(measures):
        return f"The light holds: it goes {against}."
    seen, source = _seen_colour(measures), measures.expected_source or "clip"
    loose = f"only a turn to warm or cool by more than {temperature_bound(measures, source):.0f} mired would be told"
    colour = f"Colour was held to the scene's pictures {seen}; elsewhere {loose}" if seen else f"Of colour {loose}"
    advice = f" {_RENDER_TELLS}" if measures.expected_source == "brief" else ""
    return f"The light holds: it goes {against}, within {_percent(_reach(measures))}. {colour}.{advice}"


def _percent(share: float) -> str:
    return f"{math.ceil(round(100 * share, 6))} %"


def _cut_sentence(measures: LightMeasures, first_frame: int) -> str:
    if not measures.cuts:
        return ""
    where = ", ".join(str(first_frame + cut) for cut in measures.cuts)
    return f" The picture cuts at frame {where}; its light is judged on each side by itself."
