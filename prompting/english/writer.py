# SPDX-License-Identifier: GPL-3.0-or-later
"""English text of a structured prompt: few sentence forms and a closed set of words, so that a small text encoder
can learn them too."""

from __future__ import annotations

from ..compose import compose, told_by_user
from ..fit import Rank, Sentence
from ..structured import Glow, LampLight, SkyLight, StructuredPrompt, SubjectWords, SunChange, SunMoment
from ..vocabulary import TERMS
from ..weave import ended
from .words import (
    _PLURAL,
    AMOUNTS,
    ANGLES,
    DIRECTIONS,
    FALL,
    FROM,
    HEIGHTS,
    LAMPS,
    LENGTHS,
    MOVES,
    NUMBERS,
    POSITIONS,
    ROLES,
    SHADOWS,
    SKIES,
    SLIDE,
    SUN_TURN,
    VIEW_TURN,
)


def write(prompt: StructuredPrompt) -> list[Sentence]:
    """The English sentences of the prompt."""
    parts = {
        "terms": [Sentence(_finished(", ".join(TERMS[term][0] for term in prompt.terms)), Rank.TERMS)],
        "subject": [Sentence(_subjects(prompt))],
        "action": [Sentence(_motion(subject), Rank.ACTION) for subject in prompt.subjects],
        "light": [
            *map(Sentence, _sun(prompt)),
            *([Sentence(_sky_light(prompt.sky_light))] if prompt.sky_light else []),
            *(Sentence(_lamp(lamp), prompt.rank_of(lamp)) for lamp in prompt.lamps),
            *(Sentence(_glow(glow), Rank.LAMPS) for glow in prompt.glows),
        ],
        "camera": [Sentence(_camera(prompt), Rank.CAMERA)],
        "setting": [Sentence(text, Rank.SETTING) for text in _surroundings(prompt)],
    }
    return compose(prompt, parts, _spare(prompt), lambda text: len(text.split()), _finished)


def _subjects(prompt: StructuredPrompt) -> str:
    parts = [
        _listed([_counted(subject) for subject in members]) + POSITIONS[position]
        for position, members in prompt.subjects_by_position().items()
    ]
    if not parts:
        return ""
    return f"The scene shows {parts[0] if len(parts) == 1 else ', '.join(parts[:-1]) + ', and ' + parts[-1]}."


def _counted(subject: SubjectWords) -> str:
    noun = subject.noun
    if subject.count == 1:
        return noun if _PLURAL.search(noun) else _article(noun)
    number = NUMBERS[subject.count] if subject.count < len(NUMBERS) else "several"
    return f"{number} {_plural(noun)}"


def _plural(noun: str) -> str:
    if _PLURAL.search(noun):
        return noun
    if noun.endswith(("s", "x", "ch", "sh", "z")):
        return noun + "es"
    if noun.endswith("y") and noun[-2:-1] not in tuple("aeiou"):
        return noun[:-1] + "ies"
    return noun + "s"


def _motion(subject: SubjectWords) -> str:
    speed = f" {subject.speed}" if subject.speed else ""
    if subject.motion == "moving":
        return f"The {subject.noun} moves{speed}{DIRECTIONS[subject.direction]}."
    return {"turning": f"The {subject.noun} turns.", "deforming": f"The {subject.noun} changes its shape."}.get(
        subject.motion or "", ""
    )


def _sun(prompt: StructuredPrompt) -> list[str]:
    sun = prompt.sun
    if sun is None:
        return []
    still = _same_look(sun.start, sun.end)
    start_dark = sun.start.height == "below"
    return [
        _times(sun.start, sun.end),
        *_moment(sun.start, "" if still else "At first "),
        *(_change(sun.change) or ([] if start_dark else ["The sunlight does not change."])),
        *([] if still else _moment(sun.end, "At the end ")),
    ]


def _same_look(start: SunMoment, end: SunMoment) -> bool:
    return (start.sector, start.height, start.color) == (end.sector, end.height, end.color)


def _times(start: SunMoment, end: SunMoment) -> str:
    if start.time and end.time and start.time != end.time:
        return f"The time goes from {start.time} to {end.time}."
    time = start.time or end.time
    return f"It is {time}." if time else ""


def _moment(moment: SunMoment, when: str) -> list[str]:
    if moment.height == "below":
        side = f" in the {moment.sector.replace('_', ' ')}" if moment.sector else ""
        return [_capital(f"{when}the sun is below the horizon{side}, and it casts no shadows.")]
    color = f"{moment.color} " if moment.color else ""
    source = f" comes from {FROM[moment.sector]}" if moment.sector else " lights the scene"
    light = _capital(f"{when}{color}sunlight{source}, and the sun is {HEIGHTS[moment.height]}.")
    if moment.shadows is None:
        return [light]
    return [light, f"{_capital(SHADOWS[moment.height])} fall {FALL[moment.shadows]}."]


def _change(change: SunChange) -> list[str]:
    sun = [f"{change.height}{AMOUNTS[change.height_amount]}"] if change.height else []
    shadows = [LENGTHS[change.shadow_length]] if change.shadow_length else []
    slide = [SLIDE[change.shadow_slide]] if change.shadow_slide else []
    by_camera = change.turn_cause == "camera"
    if change.turn and not by_camera:
        sun.append(SUN_TURN[change.turn].format(AMOUNTS[change.turn_amount]))
        shadows += slide
    told = [f"The sun {' and '.join(sun)}{_shadows(shadows)}."] if sun else []
    if change.turn and by_camera:
        told.append(f"As the camera turns, the sunlight comes around {VIEW_TURN[change.turn]}{_shadows(slide)}.")
    if change.brightness:
        told.append(f"The scene grows {change.brightness}.")
    return told


def _shadows(verbs: list[str]) -> str:
    return f", and the shadows {' and '.join(verbs)}" if verbs else ""


def _sky_light(light: SkyLight) -> str:
    color = f"{light.color} " if light.color else ""
    source = f"{FROM[light.sector]}, {HEIGHTS[light.height]}" if light.sector != "top" else FROM["top"]
    return f"The brightest {color}light of the surroundings comes from {source}."


def _lamp(lamp: LampLight) -> str:
    color = f"{lamp.color} " if lamp.color else ""
    article = "An" if color.startswith("o") else "A"
    if lamp.role == "practical":
        side = f" on the {lamp.sector.replace('_', ' ')}" if lamp.sector and lamp.sector != "top" else ""
        return f"{article} {color}{LAMPS[lamp.kind]} glows in the scene{side}."
    source = f" from {FROM[lamp.sector]}" if lamp.sector else ""
    return f"{article} {color}{LAMPS[lamp.kind]} {ROLES.get(lamp.role or '', 'lights the scene')}{source}."


def _glow(glow: Glow) -> str:
    color = f" {glow.color}" if glow.color else ""
    return f"The {glow.noun} glows{color}{POSITIONS[glow.position]}."


def _camera(prompt: StructuredPrompt) -> str:
    camera = prompt.camera
    if told_by_user(prompt, *(move.kind for move in camera.moves)):
        return ""
    moves = [MOVES[move.kind].format(AMOUNTS[move.amount]) for move in camera.moves]
    if not moves:
        return ""
    if camera.in_turn:
        return f"First the camera {moves[0]}, then it {', then it '.join(moves[1:])}."
    return f"The camera {_listed(moves)}."


def _surroundings(prompt: StructuredPrompt) -> list[str]:
    around, told = prompt.surroundings, []
    if around.sky:
        told.append(SKIES[around.sky].format(f" and {around.color}" if around.color else ""))
    elif around.color:
        told.append(f"The {'sky' if around.setting == 'exterior' else 'background'} is {around.color}.")
    if around.weather and not told_by_user(prompt, "fog"):
        told.append("Fog lies over the scene.")
    if around.setting == "interior" and not told_by_user(prompt, "indoors"):
        told.append("The scene is indoors.")
    return told


def _spare(prompt: StructuredPrompt) -> list[tuple[str, str]]:
    """True sentences for a text that would be short otherwise."""
    camera = prompt.camera
    framing = [
        f"The frame is {_article(TERMS[camera.shot_size][0])}" if camera.shot_size else "",
        ANGLES.get(camera.angle or "", ""),
        f"through a {camera.lens} lens" if camera.lens else "",
        f"with a {TERMS[camera.composition][0]}" if camera.composition else "",
    ]
    lit = prompt.sun is not None and prompt.sun.start.shadows and prompt.sun.end.shadows
    calm = prompt.subjects and all(subject.motion == "static" for subject in prompt.subjects)
    return [
        ("camera", " ".join(filter(None, framing)) + "." if camera.shot_size else ""),
        (
            "light",
            "The sides of the objects that face the sun are bright, and the other sides are in shadow." if lit else "",
        ),
        ("action", "All objects stand still on their places." if calm else ""),
        ("camera", "The picture is one continuous shot without cuts."),
    ]


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _finished(text: str) -> str:
    return _capital(ended(text, "."))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
