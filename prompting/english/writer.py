# SPDX-License-Identifier: GPL-3.0-or-later
"""English text of a structured prompt: few sentence forms and a closed set of words, so that a small text encoder
can learn them too."""

from __future__ import annotations

from collections import Counter

from ..compose import compose, told_by_user
from ..fit import Rank, Sentence
from ..structured import FocusShift, StructuredPrompt, SubjectWords
from ..vocabulary import TERMS
from .grammar import NUMBERS, capital, counted, finished, is_clause, is_plural, listed, plural, with_article
from .light import light_sentences
from .words import AMOUNTS, ANGLES, AROUND, BACK, DIRECTIONS, MOTIONS, MOVES, POSITIONS, SKIES


def write(prompt: StructuredPrompt) -> list[Sentence]:
    """The English sentences of the prompt."""
    parts = {
        "terms": [Sentence(finished(", ".join(TERMS[term][0] for term in prompt.terms)), Rank.TERMS)],
        "subject": [Sentence(text) for text in _subjects(prompt)],
        "action": [Sentence(text, Rank.ACTION) for text in _motions(prompt.subjects)],
        "light": light_sentences(prompt),
        "camera": [Sentence(text, Rank.CAMERA) for text in (_camera(prompt), _focus(prompt.camera.focus))],
        "setting": _surroundings(prompt),
    }
    return compose(prompt, parts, _spare(prompt), lambda text: len(text.split()), finished)


def _subjects(prompt: StructuredPrompt) -> list[str]:
    """What is seen and where; a description that is a sentence already is told as one."""
    said = list(dict.fromkeys(finished(one.noun) for one in prompt.subjects if is_clause(one.noun)))
    parts = []
    for position, members in prompt.subjects_by_position().items():
        counts: Counter[str] = Counter()
        for one in members:
            counts[one.noun] += 0 if is_clause(one.noun) else one.count
        things = [counted(noun, count) for noun, count in counts.items() if count]
        if things:
            comma = "," if POSITIONS[position] and "," in things[-1] else ""
            parts.append(listed(things) + comma + POSITIONS[position])
    if not parts:
        return said
    return [f"The scene shows {parts[0] if len(parts) == 1 else ', '.join(parts[:-1]) + ', and ' + parts[-1]}.", *said]


def _motions(subjects: tuple[SubjectWords, ...]) -> list[str]:
    """What moves; things that do the same are told together, each of several of a kind as one or another."""
    totals: Counter[str] = Counter()
    doing: dict[tuple[str, str], Counter[str]] = {}
    for one in subjects:
        totals[one.noun] += one.count
        if one.motion in MOTIONS and not is_clause(one.noun):
            doing.setdefault(_verbs(one), Counter())[one.noun] += one.count
    told, mentioned = [], set[str]()
    for verbs, counts in doing.items():
        names = []
        for noun, count in counts.items():
            names.append(_mention(noun, count, totals[noun], noun in mentioned))
            mentioned.add(noun)
        several = len(names) > 1 or any(count > 1 or is_plural(noun) for noun, count in counts.items())
        told.append(capital(f"{listed(names)} {verbs[several]}."))
    return told


def _verbs(subject: SubjectWords) -> tuple[str, str]:
    """What it does: of one thing, and of several."""
    one, many = MOTIONS[subject.motion or ""]
    how = ""
    if subject.motion == "moving":
        how = (f" {subject.speed}" if subject.speed else "") + DIRECTIONS[subject.direction]
    return one + how, many + how


def _mention(noun: str, count: int, total: int, again: bool) -> str:
    """A thing that has been named before."""
    if count == total:
        return f"the {plural(noun) if count > 1 else noun}"
    if count == 1:
        return f"{'another' if again else 'one'} {noun}"
    return f"{NUMBERS[count] if count < len(NUMBERS) else 'several'} {plural(noun)}"


def _camera(prompt: StructuredPrompt) -> str:
    camera = prompt.camera
    if not camera.moves or told_by_user(prompt, *(move.kind for move in camera.moves)):
        return ""
    handheld = any(move.kind == "handheld" for move in camera.moves)
    others = [move for move in camera.moves if move.kind != "handheld"] or list(camera.moves)
    moves: list[str] = []
    for move in others:
        told = MOVES[move.kind].format(AMOUNTS[move.amount])
        known = any(AROUND in earlier for earlier in moves)
        moves.append(
            (told.removesuffix(AROUND) if known else told) + (BACK.get(move.kind, " and back") if move.back else "")
        )
    name = "the handheld camera" if handheld else "the camera"
    if camera.in_turn and len(moves) > 1:
        return f"First {name} {moves[0]}, then it {', then it '.join(moves[1:])}."
    return f"{capital(name)} {listed(moves)}."


def _focus(shift: FocusShift | None) -> str:
    return f"The focus shifts from the {shift.start} to the {shift.end}." if shift else ""


def _surroundings(prompt: StructuredPrompt) -> list[Sentence]:
    around, told = prompt.surroundings, list[str]()
    sky = _sky(prompt) if around.setting != "interior" else ""
    if around.weather and not told_by_user(prompt, "fog"):
        told.append("Fog lies over the scene.")
    if around.setting == "interior" and not told_by_user(prompt, "indoors"):
        told.append("The scene is indoors.")
    lights = around.sky == "overcast" and not around.sky_seen
    rest = [Sentence(text, Rank.SETTING) for text in told]
    return [Sentence(sky, Rank.COURSE if lights else Rank.SETTING), *rest]


def _sky(prompt: StructuredPrompt) -> str:
    """The sky where it is seen, or lights; else the background's colour."""
    around = prompt.surroundings
    if not around.sky_seen:
        return "Soft light comes from a cloudy sky." if around.sky == "overcast" else ""
    if around.sky:
        return SKIES[around.sky].format(f" and {around.color}" if around.color else "")
    if around.color:
        return f"The {'sky' if around.setting == 'exterior' else 'background'} is {around.color}."
    return ""


def _spare(prompt: StructuredPrompt) -> list[tuple[str, str]]:
    """True sentences for a text that would be short otherwise."""
    camera = prompt.camera
    framing = [
        f"The frame is {with_article(TERMS[camera.shot_size][0])}" if camera.shot_size else "",
        ANGLES.get(camera.angle or "", ""),
        f"through {with_article(f'{camera.lens} lens')}" if camera.lens else "",
        f"with {with_article(TERMS[camera.composition][0])}" if camera.composition else "",
    ]
    lit = prompt.sun is not None and not prompt.sun.moon and prompt.sun.start.shadows and prompt.sun.end.shadows
    calm = prompt.subjects and all(subject.motion == "static" for subject in prompt.subjects)
    return [
        ("camera", " ".join(filter(None, framing)) + "." if camera.shot_size else ""),
        (
            "light",
            "The sides of the objects that face the sun are bright, and the other sides are in shadow." if lit else "",
        ),
        ("action", "All objects stand still." if calm else ""),
        ("camera", "The picture is one continuous shot without cuts."),
    ]
