# SPDX-License-Identifier: GPL-3.0-or-later
"""Chinese sentences of the light, sentence for sentence the same facts as the English ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..light_story import End, LightWords, own_turn, without_repeats
from ..light_story import light_sentences as story
from ..structured import Amount, Glow, LampLight, LightColor, SkyLight, SunChange, SunLight, SunMoment, SunStop
from .grammar import listed, noun, number
from .words import (
    AMOUNTS,
    FALL,
    FALL_STEEP,
    FROM,
    FROM_OF_LAMP,
    FROM_STEEP,
    HEIGHTS,
    LAMP_CHANGES,
    LAMPS,
    LENGTHS,
    LIGHT_COLORS,
    POSITIONS,
    POWERS,
    ROLES,
    SHADOWS,
    SIDE,
    SIDES,
    SIDES_OF_LAMP,
    SIDES_STEEP,
    SLIDE,
    SLIDE_STEEP,
    TIMES,
    TURN,
    TURN_STEEP,
    WHEN,
)


def _times(times: Sequence[str]) -> str:
    times = [TIMES[time] for time in times]
    if len(times) == 1:
        return f"时间是{times[0]}。"
    through = f"经过{listed(times[1:-1])}" if times[1:-1] else ""
    return f"时间从{times[0]}{through}到{times[-1]}。"


def _moment(moment: SunMoment, end: End, alone: bool) -> list[str]:
    when = _ENDS[end]
    if moment.height == "below":
        side = f"{SIDES[moment.sector]}的" if moment.sector and moment.sector != "top" and not moment.steep else ""
        return [f"{when}太阳在{side}地平线以下，没有影子。"]
    if moment.strength == "out":
        return [f"{when}没有阳光照进场景。" if alone else f"{when}这道阳光已经消失。"]
    where = (FROM_STEEP if moment.steep else FROM)[moment.sector] if moment.sector else "照亮场景"
    shadows = f"，{_shadows(moment)}" if moment.shadows else ""
    return [f"{when}{_sunlight(moment)}{where}，{HEIGHTS[moment.height]}{shadows}。"]


def _sunlight(moment: SunMoment, name: str = "阳光") -> str:
    color = _colored(moment.color)
    return f"微弱的{color.removesuffix('的')}{name}" if moment.strength == "weak" else f"{color}{name}"


def _colored(color: LightColor | None) -> str:
    return f"{LIGHT_COLORS[color]}的" if color else ""


def _shadows(moment: SunMoment) -> str:
    return SHADOWS[moment.height] + (FALL_STEEP if moment.steep else FALL)[moment.shadows or ""]


def _stop(before: SunMoment, stop: SunStop) -> str:
    """What is new at a moment on the way, in one sentence."""
    here, when = stop.moment, WHEN[stop.when]
    if here.height == "below":
        return f"{when}太阳在地平线以下，没有影子。"
    if here.strength == "out":
        return f"{when}阳光消失。"
    parts = []
    if here.height != before.height or before.strength == "out":
        parts.append(HEIGHTS[here.height])
    if here.strength != before.strength and here.strength == "weak":
        parts.append("阳光微弱")
    if here.color and here.color != before.color:
        parts.append(f"阳光呈{LIGHT_COLORS[here.color]}")
    if here.shadows and (here.shadows, here.height) != (before.shadows, before.height):
        parts.append(_shadows(here))
    return f"{when}{'，'.join(parts)}。" if parts else ""


def _changes(change: SunChange, before: Sequence[SunChange]) -> list[str]:
    """The change as sentences of its own, 随后 before the first where others came before."""
    course = [*before, change]
    told = without_repeats([_change(one, course[:i]) for i, one in enumerate(course)], lambda text: f"再一次，{text}")
    if change.power:
        told.append(f"阳光{_again(change.power, [other.power for other in before])}{POWERS[change.power]}。")
    if change.brightness:
        way = "变亮" if change.brightness == "brighter" else "变暗"
        told.append(f"场景{_again(change.brightness, [other.brightness for other in before])}{way}。")
    return [f"随后{told[0]}", *told[1:]] if before and told else told


def _again(word: str, before: Sequence[str | None]) -> str:
    """What goes on, or comes another time."""
    if before and before[-1] == word:
        return "继续" if before.count(word) == 1 else "越来越明显地"
    return "再次" if word in before else ""


def _change(change: SunChange, before: Sequence[SunChange]) -> list[str]:
    lengths = [LENGTHS[change.shadow_length]] if change.shadow_length else []
    slides = [(SLIDE_STEEP if change.steep else SLIDE)[change.shadow_slide]] if change.shadow_slide else []
    by_camera = change.turn is not None and change.turn_cause == "camera"
    shadows = lengths if by_camera else lengths + slides
    way = _way(change, before)
    told = [f"太阳{'并'.join(way)}{_with_shadows(shadows)}。"] if way else []
    if not told and lengths:
        told.append(f"影子{'并'.join(lengths)}。")
    if by_camera:
        around = (TURN_STEEP if change.steep else TURN)[change.turn or ""]
        told.append(f"随着镜头转动，光线{around}{_with_shadows(slides)}。")
    return told


def _way(change: SunChange, before: Sequence[SunChange] = ()) -> list[str]:
    """What the sun itself does: 继续 where it goes on so, 再次 where it did so before."""
    way = []
    if change.height:
        far = _far(change.height, change.height_amount, [other.height for other in before])
        way.append(far + ("升高" if change.height == "rises" else "下沉"))
    if change.turn and change.turn_cause != "camera":
        far = _far(change.turn, change.turn_amount, [own_turn(other) for other in before])
        way.append(far + (TURN_STEEP if change.steep else TURN)[change.turn])
    return way


def _far(word: str, amount: Amount | None, before: Sequence[str | None]) -> str:
    if before and before[-1] == word:
        return "继续"
    return ("再次" if word in before else "") + AMOUNTS[amount]


def _with_shadows(verbs: list[str]) -> str:
    return f"，影子{'并'.join(verbs)}" if verbs else ""


def _other_sun(sun: SunLight) -> str:
    """A sun that shares the shot: where its light comes from, and how that changes."""
    start, end = sun.start, sun.end
    seen = end if start.strength == "out" or start.height == "below" else start
    where = (FROM_STEEP if seen.steep else FROM)[seen.sector] if seen.sector else "照亮场景"
    light = f"另一道{_colored(seen.color)}阳光{where}"
    powers = [POWERS[change.power] for change in sun.changes if change.power]
    if start.strength == "out" and end.strength != "out":
        told = [light, "逐渐亮起", _shadows(end) if end.shadows else ""]
    elif end.strength == "out" and start.strength != "out":
        told = [light, "逐渐消失"]
    else:
        told = [light, "，随后".join(powers)]
    told_ways = (_way(change, sun.changes[:index]) for index, change in enumerate(sun.changes))
    ways = ["并".join(way) for way in told_ways if way]
    told.append(f"光源{'，随后'.join(ways)}" if ways else "")
    return f"{'，'.join(filter(None, told))}。"


def _sky_light(light: SkyLight) -> str:
    color = f"呈{LIGHT_COLORS[light.color]}，" if light.color else ""
    place = f"，位置{HEIGHTS[light.height].removeprefix('太阳')}" if light.sector != "top" else ""
    return f"环境中最亮的光{color}{(FROM_STEEP if light.steep else FROM)[light.sector]}{place}。"


def _lamps(lamp: LampLight) -> str:
    """What one lamp does, or several that do the same."""
    kind, measure = LAMPS[lamp.kind]
    name = f"{number(lamp.count)}{measure}{_colored(lamp.color)}{kind}"
    does = [(WHEN[change.when] if change.when else "") + LAMP_CHANGES[change.kind] for change in lamp.changes]
    first = does.pop(0) if lamp.changes and lamp.changes[0].kind in ("comes_on", "fades_in") else ""
    if lamp.role == "practical":
        side = (SIDE.get(lamp.sector or "", "") if not lamp.steep else "") or "场景里"
        told = f"{side}有{name}{first}" if first else f"{side}亮着{name}"
    else:
        where = f"{(FROM_STEEP if lamp.steep else FROM_OF_LAMP)[lamp.sector]}，" if lamp.sector else ""
        told = f"{name}{first}{'，' if first else ''}{where}{ROLES.get(lamp.role or '', ROLES['key'])}"
        if lamp.moves_to:
            does.append(f"移到{(SIDES_STEEP if lamp.steep else SIDES_OF_LAMP)[lamp.moves_to]}")
    return f"{told}{'，' if does else ''}{'，随后'.join(does)}。"


def _glow(glow: Glow) -> str:
    return f"画面{POSITIONS[glow.position]}的{noun(glow.chinese or glow.noun)[0]}发出{_colored(glow.color)}光。"


_ENDS: dict[End, str] = {"": "", "first": "开始时", "last": "最后"}
_WORDS = LightWords(
    times=_times,
    moment=_moment,
    changes=_changes,
    stop=_stop,
    unchanging=lambda alone: f"{'' if alone else '这道'}阳光没有变化。",
    as_at_first="最后光线恢复到开始时的样子。",
    net=lambda power: f"阳光比开始时{'强' if power == 'stronger' else '弱'}。",
    other_sun=_other_sun,
    sky_light=_sky_light,
    lamps=_lamps,
    glow=_glow,
    by_moon=lambda text: text.replace("阳光", "月光").replace("太阳", "月亮"),
)
light_sentences = partial(story, words=_WORDS)
"""All that is told of the light of a StructuredPrompt, as sentences."""
