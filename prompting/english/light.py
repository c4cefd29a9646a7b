# SPDX-License-Identifier: GPL-3.0-or-later
"""English sentences of the light: suns, lamps, the sky's bright side, things that shine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..light_story import End, LightWords, own_turn, without_repeats
from ..light_story import light_sentences as story
from ..structured import Amount, Glow, LampChange, LampLight, SkyLight, SunChange, SunLight, SunMoment, SunStop
from .grammar import capital, counted, is_plural, listed
from .words import (
    AMOUNTS,
    BELOW,
    FALL,
    FALL_STEEP,
    FROM,
    FROM_OF_LAMP,
    FROM_STEEP,
    HEIGHTS,
    LAMP_CHANGES,
    LAMPS,
    LENGTHS,
    POSITIONS,
    ROLES,
    SHADOWS,
    SIDE,
    SLIDE,
    SLIDE_STEEP,
    SUN_TURN,
    SUN_TURN_STEEP,
    VIEW_TURN,
    VIEW_TURN_STEEP,
    WHEN,
)


def source(sector: str, steep: bool = False) -> str:
    """Where light comes from."""
    return (FROM_STEEP if steep else FROM)[sector]


def _times(times: Sequence[str]) -> str:
    if len(times) == 1:
        return f"It is {times[0]}."
    through = f" through {listed(list(times[1:-1]))}" if times[1:-1] else ""
    return f"The time goes from {times[0]}{through} to {times[-1]}."


def _moment(moment: SunMoment, end: End, alone: bool) -> list[str]:
    when = _ENDS[end]
    if moment.height == "below":
        side = BELOW[moment.sector] if moment.sector and not moment.steep else ""
        return [capital(f"{when}the sun is below the horizon{side}, and it casts no shadows.")]
    if moment.strength == "out":
        gone = "no sunlight falls on the scene" if alone else "this sunlight is gone"
        return [capital(f"{when}{gone}.")]
    from_where = f" comes from {source(moment.sector, moment.steep)}" if moment.sector else " lights the scene"
    light = capital(f"{when}{_sunlight(moment)}{from_where}, and the sun is {HEIGHTS[moment.height]}.")
    return [light, f"{capital(_shadows(moment))}."] if moment.shadows else [light]


def _sunlight(moment: SunMoment) -> str:
    strength = "weak " if moment.strength == "weak" else ""
    return f"{strength}{moment.color} sunlight" if moment.color else f"{strength}sunlight"


def _shadows(moment: SunMoment) -> str:
    return f"{SHADOWS[moment.height]} fall {(FALL_STEEP if moment.steep else FALL)[moment.shadows or '']}"


def _stop(before: SunMoment, stop: SunStop) -> str:
    """What is new at a moment on the way, in one sentence."""
    here, when = stop.moment, WHEN[stop.when]
    if here.height == "below":
        return f"{when}, the sun is below the horizon, and it casts no shadows."
    if here.strength == "out":
        return f"{when}, the sunlight is gone."
    parts = []
    if here.height != before.height or before.strength == "out":
        parts.append(f"the sun is {HEIGHTS[here.height]}")
    if here.strength != before.strength or here.color != before.color:
        looks = ["weak"] if here.strength == "weak" else []
        looks += [here.color] if here.color and here.color != before.color else []
        parts += [f"the sunlight is {' and '.join(looks)}"] if looks else []
    if here.shadows and (here.shadows, here.height) != (before.shadows, before.height):
        parts.append(_shadows(here))
    return f"{when}, {', and '.join([', '.join(parts[:-1]), parts[-1]] if parts[1:] else parts)}." if parts else ""


def _changes(change: SunChange, before: Sequence[SunChange]) -> list[str]:
    """The change as sentences of its own, "then" before the first where others came before."""
    course = [*before, change]
    told = without_repeats(
        [_change(one, course[:i]) for i, one in enumerate(course)], lambda text: f"{text.removesuffix('.')} again."
    )
    if change.power:
        told.append(f"The sunlight grows {_compared(change.power, [other.power for other in before])}.")
    if change.brightness:
        told.append(f"The scene grows {_compared(change.brightness, [other.brightness for other in before])}.")
    if before and told:
        told[0] = f"Then {told[0][0].lower()}{told[0][1:]}"
    return told


def _compared(word: str, before: Sequence[str | None]) -> str:
    """What grows more so, or does so another time."""
    if before and before[-1] == word:
        return f"even {word}" if before.count(word) == 1 else f"{word} and {word}"
    return f"{word} again" if word in before else word


def _change(change: SunChange, before: Sequence[SunChange]) -> list[str]:
    lengths = [LENGTHS[change.shadow_length]] if change.shadow_length else []
    slides = [(SLIDE_STEEP if change.steep else SLIDE)[change.shadow_slide]] if change.shadow_slide else []
    by_camera = change.turn is not None and change.turn_cause == "camera"
    shadows = lengths if by_camera else lengths + slides
    way = _way(change, before)
    told = [f"The sun {' and '.join(way)}{_with_shadows(shadows)}."] if way else []
    if not told and lengths:
        told.append(f"The shadows {' and '.join(lengths)}.")
    if by_camera:
        around = (VIEW_TURN_STEEP if change.steep else VIEW_TURN)[change.turn or ""]
        told.append(f"As the camera turns, the sunlight {around}{_with_shadows(slides)}.")
    return told


def _way(change: SunChange, before: Sequence[SunChange] = ()) -> list[str]:
    """What the sun itself does: further where it goes on so, again where it did so before."""
    way = []
    if change.height:
        far, again = _far(change.height, change.height_amount, [other.height for other in before])
        way.append(f"{change.height}{far}{again}")
    if change.turn and change.turn_cause != "camera":
        turn = (SUN_TURN_STEEP if change.steep else SUN_TURN)[change.turn]
        far, again = _far(change.turn, change.turn_amount, [own_turn(other) for other in before])
        way.append(f"{turn.format(far)}{again}")
    return way


def _far(word: str, amount: Amount | None, before: Sequence[str | None]) -> tuple[str, str]:
    if before and before[-1] == word:
        return " further", ""
    return AMOUNTS[amount], " again" if word in before else ""


def _with_shadows(verbs: list[str]) -> str:
    return f", and the shadows {' and '.join(verbs)}" if verbs else ""


def _other_sun(sun: SunLight) -> str:
    """A sun that shares the shot: where its light comes from, and how that changes."""
    start, end = sun.start, sun.end
    seen = end if start.strength == "out" or start.height == "below" else start
    from_where = f" from {source(seen.sector, seen.steep)}" if seen.sector else ""
    light = capital(_sunlight(seen).removeprefix("weak "))
    powers = [change.power for change in sun.changes if change.power]
    if start.strength == "out" and end.strength != "out":
        told = [f"{light}{from_where} fades in", _shadows(end) if end.shadows else ""]
    elif end.strength == "out" and start.strength != "out":
        told = [f"{light}{from_where} fades out"]
    else:
        told = [f"{light} also comes{from_where or ' from a second sun'}"]
        told.append(f"it grows {' and then '.join(powers)}" if powers else "")
    told_ways = (_way(change, sun.changes[:index]) for index, change in enumerate(sun.changes))
    ways = [" and ".join(way) for way in told_ways if way]
    told.append(f"its sun {', then '.join(ways)}" if ways else "")
    return f"{', and '.join(filter(None, told))}."


def _sky_light(light: SkyLight) -> str:
    color = f"is {light.color} and " if light.color else ""
    place = f", {HEIGHTS[light.height]}" if light.sector != "top" else ""
    return f"The brightest light of the surroundings {color}comes from {source(light.sector, light.steep)}{place}."


def _lamps(lamp: LampLight) -> str:
    """What one lamp does, or several that do the same."""
    color = f"{lamp.color} " if lamp.color else ""
    many = int(lamp.count > 1)
    lights = capital(counted(f"{color}{LAMPS[lamp.kind]}", lamp.count))
    does = [_lamp_change(change, many) for change in lamp.changes]
    if lamp.changes and lamp.changes[0].kind in ("comes_on", "fades_in"):
        lights = f"{lights} {does.pop(0)} and"
    sides = FROM_STEEP if lamp.steep else FROM_OF_LAMP
    if lamp.role == "practical":
        side = SIDE.get(lamp.sector or "", "") if not lamp.steep else ""
        told = f"{lights} {('glows', 'glow')[many]} in the scene{side}"
    else:
        from_where = f" from {sides[lamp.sector]}" if lamp.sector else ""
        told = f"{lights} {ROLES.get(lamp.role or '', ROLES['key'])[many]}{from_where}"
        if lamp.moves_to:
            does.append(f"{('moves', 'move')[many]} {'to ' if lamp.moves_to != 'top' else ''}{sides[lamp.moves_to]}")
    return f"{told}, and {('it', 'they')[many]} {', then '.join(does)}." if does else f"{told}."


def _lamp_change(change: LampChange, many: int) -> str:
    when = f" {WHEN[change.when][0].lower()}{WHEN[change.when][1:]}" if change.when else ""
    return f"{LAMP_CHANGES[change.kind][many]}{when}"


def _glow(glow: Glow) -> str:
    color = f" {glow.color}" if glow.color else ""
    return f"The {glow.noun} {'glow' if is_plural(glow.noun) else 'glows'}{color}{POSITIONS[glow.position]}."


_ENDS: dict[End, str] = {"": "", "first": "At first ", "last": "At the end "}
_WORDS = LightWords(
    times=_times,
    moment=_moment,
    changes=_changes,
    stop=_stop,
    unchanging=lambda alone: f"{'The' if alone else 'This'} sunlight does not change.",
    as_at_first="At the end the light is as it was at first.",
    net=lambda power: f"The sunlight is {power} than at first.",
    other_sun=_other_sun,
    sky_light=_sky_light,
    lamps=_lamps,
    glow=_glow,
    by_moon=lambda text: (
        text.replace("sunlight", "moonlight").replace("Sunlight", "Moonlight").replace(" sun", " moon")
    ),
)
light_sentences = partial(story, words=_WORDS)
"""All that is told of the light of a StructuredPrompt, as sentences."""
