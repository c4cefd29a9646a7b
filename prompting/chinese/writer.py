# SPDX-License-Identifier: GPL-3.0-or-later
"""Chinese text of a structured prompt, sentence for sentence the same facts as the English one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ..compose import compose, told_by_user
from ..english.grammar import is_clause
from ..fit import Rank, Sentence, length
from ..structured import FocusShift, StructuredPrompt, SubjectWords
from ..vocabulary import COLORS, TERMS
from ..weave import ended
from .grammar import counted, listed, noun, number
from .light import light_sentences
from .words import AMOUNTS, ANGLES, DIRECTIONS, LENSES, MOTIONS, MOVES, POSITIONS, SKIES, SPEEDS


def write(prompt: StructuredPrompt) -> list[Sentence]:
    """The Chinese sentences of the prompt."""
    terms = "，".join(TERMS[term][1] for term in prompt.terms)
    parts = {
        "terms": [Sentence(f"{terms}。" if terms else "", Rank.TERMS)],
        "subject": [Sentence(_subjects(prompt))],
        "action": [Sentence(text, Rank.ACTION) for text in _motions(prompt.subjects)],
        "light": light_sentences(prompt),
        "camera": [Sentence(text, Rank.CAMERA) for text in (_camera(prompt), _focus(prompt.camera.focus))],
        "setting": _surroundings(prompt),
    }
    return compose(prompt, parts, _spare(prompt), length, lambda text: ended(text, "。"))


def _subjects(prompt: StructuredPrompt) -> str:
    parts: list[str] = []
    for position, members in prompt.subjects_by_position().items():
        counts: Counter[tuple[str, bool]] = Counter()
        for name, own, count in _alike((one.chinese or one.noun, one.own, one.count) for one in members):
            counts[name, own] += count
        things = listed([counted(name, count, own) for (name, own), count in counts.items()])
        where = f"{'画面' if position is None or not parts else ''}{POSITIONS[position]}"
        also = "还" if position is None and parts else ""
        parts.append(f"{where}{also}有{things}")
    return f"{'，'.join(parts)}。" if parts else ""


def _alike(things: Iterable[tuple[str, bool, int]]) -> Iterator[tuple[str, bool, int]]:
    """The things with one English noun for all that have the same Chinese one."""
    first: dict[str, str] = {}
    for name, own, count in things:
        yield first.setdefault(noun(name, own)[0], name), own, count


def _motions(subjects: tuple[SubjectWords, ...]) -> list[str]:
    """What moves; things that do the same are told together, each of several of a kind as one or another."""
    totals: Counter[tuple[str, bool]] = Counter()
    doing: dict[str, Counter[tuple[str, bool]]] = {}
    names = [(name, own) for name, own, _ in _alike((one.chinese or one.noun, one.own, one.count) for one in subjects)]
    for one, key in zip(subjects, names, strict=True):
        totals[key] += one.count
        if one.motion in MOTIONS and not is_clause(one.noun):
            doing.setdefault(_verb(one), Counter())[key] += one.count
    told, mentioned = [], set[tuple[str, bool]]()
    for verb, counts in doing.items():
        things = []
        for key, count in counts.items():
            things.append(_mention(*key, count, totals[key], key in mentioned))
            mentioned.add(key)
        told.append(f"{listed(things)}{verb}。")
    return told


def _verb(subject: SubjectWords) -> str:
    if subject.motion != "moving":
        return MOTIONS[subject.motion or ""]
    return f"{SPEEDS[subject.speed]}{DIRECTIONS[subject.direction] or ('' if subject.speed else '在')}移动"


def _mention(name: str, own: bool, count: int, total: int, again: bool) -> str:
    """A thing that has been named before."""
    chinese, measure = noun(name, own)
    if count == total:
        return chinese
    return f"{'另' if again else '其中'}{number(count)}{measure}{chinese}"


def _camera(prompt: StructuredPrompt) -> str:
    camera = prompt.camera
    if not camera.moves or told_by_user(prompt, *(move.kind for move in camera.moves)):
        return ""
    if [move.kind for move in camera.moves] == ["static"]:
        return "固定镜头。"
    handheld = any(move.kind == "handheld" for move in camera.moves)
    others = [move for move in camera.moves if move.kind != "handheld"]
    moves = [MOVES[move.kind].format(AMOUNTS[move.amount]) + ("再复原" if move.back else "") for move in others]
    name, sways = ("手持镜头", "轻微晃动") if handheld else ("镜头", "")
    if camera.in_turn and len(moves) > 1:
        return f"{name}先{'，再'.join(moves)}{'，' if sways else ''}{sways}。"
    together = "，同时".join([*(["、".join(moves[:-1])] if moves[1:] else []), *moves[-1:]])
    return f"{name}{together}{'，' if sways and moves else ''}{sways}。"


def _focus(shift: FocusShift | None) -> str:
    if shift is None:
        return ""
    start, end = (noun(name or told)[0] for name, told in zip(shift.chinese, (shift.start, shift.end), strict=True))
    return f"焦点从{start}转移到{end}。"


def _surroundings(prompt: StructuredPrompt) -> list[Sentence]:
    around, told = prompt.surroundings, list[str]()
    sky = _sky(prompt) if around.setting != "interior" else ""
    if around.weather and not told_by_user(prompt, "fog"):
        told.append("雾气笼罩场景。")
    if around.setting == "interior" and not told_by_user(prompt, "indoors"):
        told.append("场景在室内。")
    lights = around.sky == "overcast" and not around.sky_seen
    rest = [Sentence(text, Rank.SETTING) for text in told]
    return [Sentence(sky, Rank.COURSE if lights else Rank.SETTING), *rest]


def _sky(prompt: StructuredPrompt) -> str:
    """The sky where it is seen, or lights; else the background's colour."""
    around = prompt.surroundings
    if not around.sky_seen:
        return "多云的天空洒下柔和的光。" if around.sky == "overcast" else ""
    if around.sky == "clear":
        return f"{SKIES['clear']}{f'，呈{COLORS[around.color]}' if around.color else ''}。"
    if around.sky:
        return f"{SKIES[around.sky]}。"
    if around.color:
        return f"{'天空' if around.setting == 'exterior' else '背景'}是{COLORS[around.color]}的。"
    return ""


def _spare(prompt: StructuredPrompt) -> list[tuple[str, str]]:
    """True sentences for a text that would be short otherwise."""
    camera = prompt.camera
    framing = [
        TERMS[camera.shot_size][1] if camera.shot_size else "",
        ANGLES.get(camera.angle or "", ""),
        LENSES.get(camera.lens or "", ""),
        TERMS[camera.composition][1] if camera.composition else "",
    ]
    lit = prompt.sun is not None and not prompt.sun.moon and prompt.sun.start.shadows and prompt.sun.end.shadows
    calm = prompt.subjects and all(subject.motion == "static" for subject in prompt.subjects)
    return [
        ("camera", f"画面采用{'、'.join(filter(None, framing))}。" if any(framing) else ""),
        ("light", "物体朝向太阳的一面明亮，背对太阳的一面处在阴影中。" if lit else ""),
        ("action", "所有物体都静止不动。" if calm else ""),
        ("camera", "整个画面是一个没有剪辑的连续镜头。"),
    ]
