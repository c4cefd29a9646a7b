# SPDX-License-Identifier: GPL-3.0-or-later
"""Chinese text of a structured prompt, sentence for sentence the same facts as the English one."""

from __future__ import annotations

from ..compose import compose, told_by_user
from ..fit import Rank, Sentence, length
from ..structured import Glow, LampLight, SkyLight, StructuredPrompt, SubjectWords, SunChange, SunMoment
from ..vocabulary import ADJECTIVES, COLORS, NOUNS, TERMS
from ..weave import ended
from .words import (
    AMOUNTS,
    ANGLES,
    DIRECTIONS,
    FALL,
    FROM,
    HEIGHTS,
    LAMPS,
    LENGTHS,
    LENSES,
    LIGHT_COLORS,
    MOVES,
    NUMBERS,
    POSITIONS,
    ROLES,
    SHADOWS,
    SIDES,
    SKIES,
    SLIDE,
    SPEEDS,
    TIMES,
    TURN,
)


def write(prompt: StructuredPrompt) -> list[Sentence]:
    """The Chinese sentences of the prompt. A noun that has no entry in `vocabulary.NOUNS` stays as it is."""
    parts = {
        "terms": [
            Sentence("，".join(TERMS[term][1] for term in prompt.terms) + "。" if prompt.terms else "", Rank.TERMS)
        ],
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
    return compose(prompt, parts, _spare(prompt), length, lambda text: ended(text, "。"))


def noun(english: str) -> tuple[str, str]:
    """Chinese noun and its measure word for an English noun, adjectives in front (`red box` is 红色方块)."""
    words = english.split()
    for split in range(len(words)):
        head, adjectives = " ".join(words[split:]), words[:split]
        if head in NOUNS and all(word in ADJECTIVES for word in adjectives):
            chinese, measure = NOUNS[head]
            return "".join(ADJECTIVES[word] for word in adjectives) + chinese, measure
    return english, "个"


def _subjects(prompt: StructuredPrompt) -> str:
    parts = [
        f"{POSITIONS[position]}有{_listed([_counted(subject) for subject in members])}"
        for position, members in prompt.subjects_by_position().items()
    ]
    return f"画面{'，'.join(parts)}。" if parts else ""


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{'、'.join(items[:-1])}和{items[-1]}"


def _counted(subject: SubjectWords) -> str:
    name, measure = noun(subject.noun)
    number = NUMBERS[subject.count] if subject.count < len(NUMBERS) else "好几"
    return f"{number}{measure}{name}"


def _motion(subject: SubjectWords) -> str:
    name, _ = noun(subject.noun)
    if subject.motion == "moving":
        return f"{name}{SPEEDS[subject.speed]}{DIRECTIONS[subject.direction]}移动。"
    return {"turning": f"{name}在转动。", "deforming": f"{name}在变形。"}.get(subject.motion or "", "")


def _sun(prompt: StructuredPrompt) -> list[str]:
    sun = prompt.sun
    if sun is None:
        return []
    start, end = sun.start, sun.end
    still = (start.sector, start.height, start.color) == (end.sector, end.height, end.color)
    return [
        _times(start, end),
        _moment(start, "" if still else "开始时"),
        _change(sun.change) or ("" if start.height == "below" else "阳光没有变化。"),
        "" if still else _moment(end, "最后"),
    ]


def _times(start: SunMoment, end: SunMoment) -> str:
    if start.time and end.time and start.time != end.time:
        return f"时间从{TIMES[start.time]}到{TIMES[end.time]}。"
    time = start.time or end.time
    return f"时间是{TIMES[time]}。" if time else ""


def _moment(moment: SunMoment, when: str) -> str:
    if moment.height == "below":
        side = f"{SIDES[moment.sector]}的" if moment.sector else ""
        return f"{when}太阳在{side}地平线以下，没有影子。"
    color = LIGHT_COLORS[moment.color]
    light = f"{when}{color}{'的' if color else ''}阳光{FROM[moment.sector] if moment.sector else '照亮场景'}"
    shadows = f"，{SHADOWS[moment.height]}{FALL[moment.shadows]}" if moment.shadows else ""
    return f"{light}，{HEIGHTS[moment.height]}{shadows}。"


def _change(change: SunChange) -> str:
    lengths = [LENGTHS[change.shadow_length]] if change.shadow_length else []
    slides = [SLIDE[change.shadow_slide]] if change.shadow_slide else []
    sun = []
    if change.height:
        sun.append(f"{AMOUNTS[change.height_amount]}{'升高' if change.height == 'rises' else '下沉'}")
    by_camera = change.turn_cause == "camera"
    if change.turn and not by_camera:
        sun.append(AMOUNTS[change.turn_amount] + TURN[change.turn])
        lengths += slides
    told = [f"太阳{'并'.join(sun)}{_shadows(lengths)}。"] if sun else []
    if change.turn and by_camera:
        told.append(f"随着镜头转动，光线{TURN[change.turn]}{_shadows(slides)}。")
    if change.brightness:
        told.append("场景变亮。" if change.brightness == "brighter" else "场景变暗。")
    return "".join(told)


def _shadows(verbs: list[str]) -> str:
    return f"，影子{'并'.join(verbs)}" if verbs else ""


def _sky_light(light: SkyLight) -> str:
    color = f"{LIGHT_COLORS[light.color]}的" if light.color else ""
    place = f"，位置{HEIGHTS[light.height].removeprefix('太阳')}" if light.sector != "top" else ""
    return f"环境中最亮的{color}光{FROM[light.sector]}{place}。"


def _lamp(lamp: LampLight) -> str:
    color = LIGHT_COLORS[lamp.color]
    name = f"{color}{'的' if color else ''}{LAMPS[lamp.kind]}"
    if lamp.role == "practical":
        side = SIDES[lamp.sector] if lamp.sector and lamp.sector != "top" else ""
        return f"{side or '场景里'}亮着{name}。"
    source = f"{FROM[lamp.sector]}，" if lamp.sector else ""
    return f"{name}{source}{ROLES.get(lamp.role or '', '照亮场景')}。"


def _glow(glow: Glow) -> str:
    color = LIGHT_COLORS[glow.color]
    return f"画面{POSITIONS[glow.position]}的{noun(glow.noun)[0]}发出{color}{'的' if color else ''}光。"


def _camera(prompt: StructuredPrompt) -> str:
    camera = prompt.camera
    if told_by_user(prompt, *(move.kind for move in camera.moves)):
        return ""
    moves = [MOVES[move.kind].format(AMOUNTS[move.amount]) for move in camera.moves]
    if not moves:
        return ""
    if camera.in_turn:
        return f"先{'，再'.join(moves)}。"
    return f"{'，同时'.join(moves)}。"


def _surroundings(prompt: StructuredPrompt) -> list[str]:
    around, told = prompt.surroundings, []
    if around.sky == "clear":
        told.append(f"{SKIES['clear']}{f'，呈{COLORS[around.color]}' if around.color else ''}。")
    elif around.sky:
        told.append(f"{SKIES[around.sky]}。")
    elif around.color:
        told.append(f"{'天空' if around.setting == 'exterior' else '背景'}是{COLORS[around.color]}的。")
    if around.weather and not told_by_user(prompt, "fog"):
        told.append("雾气笼罩场景。")
    if around.setting == "interior" and not told_by_user(prompt, "indoors"):
        told.append("场景在室内。")
    return told


def _spare(prompt: StructuredPrompt) -> list[tuple[str, str]]:
    camera = prompt.camera
    framing = [
        TERMS[camera.shot_size][1] if camera.shot_size else "",
        ANGLES.get(camera.angle or "", ""),
        LENSES.get(camera.lens or "", ""),
        TERMS[camera.composition][1] if camera.composition else "",
    ]
    lit = prompt.sun is not None and prompt.sun.start.shadows and prompt.sun.end.shadows
    calm = prompt.subjects and all(subject.motion == "static" for subject in prompt.subjects)
    return [
        ("camera", f"画面取{'、'.join(filter(None, framing))}。" if any(framing) else ""),
        ("light", "物体朝向太阳的一面明亮，背对太阳的一面处在阴影中。" if lit else ""),
        ("action", "所有物体都静止不动。" if calm else ""),
        ("camera", "整个画面是一个没有剪辑的连续镜头。"),
    ]
