# SPDX-License-Identifier: GPL-3.0-or-later
"""Chinese text of a structured prompt, sentence for sentence the same facts as the English one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .compose import compose, told_by_user
from .fit import Rank, Sentence
from .vocabulary import ADJECTIVES, COLORS, NOUNS, TERMS
from .weave import ended

if TYPE_CHECKING:
    from .structured import Glow, LampLight, SkyLight, StructuredPrompt, SubjectWords, SunChange, SunMoment

TIMES = {
    "night": "夜晚",
    "dawn": "黎明",
    "sunrise": "日出",
    "morning": "上午",
    "midday": "正午",
    "afternoon": "下午",
    "sunset": "日落",
    "dusk": "黄昏",
}
FROM = {
    "front": "从镜头后方照来",
    "front_left": "从镜头左后方照来",
    "front_right": "从镜头右后方照来",
    "left": "从左侧照来",
    "right": "从右侧照来",
    "back": "从画面深处迎着镜头照来",
    "back_left": "从画面深处左侧照来",
    "back_right": "从画面深处右侧照来",
    "top": "从正上方照下",
}
SIDES = {
    "front": "镜头后方",
    "front_left": "镜头左后方",
    "front_right": "镜头右后方",
    "left": "左侧",
    "right": "右侧",
    "back": "画面深处",
    "back_left": "画面深处左侧",
    "back_right": "画面深处右侧",
    "top": "上方",
}
HEIGHTS = {
    "very_low": "太阳贴近地平线",
    "low": "太阳很低",
    "middle": "太阳不高不低",
    "high": "太阳很高",
    "overhead": "太阳在头顶",
}
SHADOWS = {
    "very_low": "极长的影子",
    "low": "长长的影子",
    "middle": "中等长度的影子",
    "high": "短影子",
    "overhead": "极短的影子",
}
FALL = {
    "away": "投向远处",
    "away_right": "投向远处右侧",
    "away_left": "投向远处左侧",
    "right": "投向右侧",
    "left": "投向左侧",
    "toward": "投向镜头",
    "toward_right": "投向镜头右侧",
    "toward_left": "投向镜头左侧",
    "below": "落在物体正下方",
}
TURN = {
    "left": "向左移动",
    "right": "向右移动",
    "back": "向画面深处移动",
    "front": "向镜头后方移动",
    "clockwise": "绕场景顺时针转动",
    "counterclockwise": "绕场景逆时针转动",
}
SLIDE = {
    "left": "向左滑动",
    "right": "向右滑动",
    "back": "向远处滑动",
    "front": "向镜头滑动",
    "clockwise": "顺时针转动",
    "counterclockwise": "逆时针转动",
}
LIGHT_COLORS = {"orange": "橙色", "golden": "金色", "white": "白色", "bluish": "偏蓝", None: ""}
LENGTHS = {"shorten": "变短", "lengthen": "变长", "appear": "出现并变短", "fade": "变长并消失"}
LAMPS = {"lamp": "灯", "spotlight": "聚光灯", "panel": "面光灯", "beam": "平行光"}
ROLES = {"key": "照亮场景", "fill": "照亮阴影", "rim": "勾出明亮的轮廓"}
MOVES = {
    "static": "固定镜头",
    "push_in": "{}推镜头",
    "pull_back": "{}拉镜头",
    "truck_left": "镜头{}向左平移",
    "truck_right": "镜头{}向右平移",
    "pedestal_up": "镜头{}上升",
    "pedestal_down": "镜头{}下降",
    "pan_left": "镜头{}向左摇",
    "pan_right": "镜头{}向右摇",
    "tilt_up": "镜头{}向上摇",
    "tilt_down": "镜头{}向下摇",
    "roll_clockwise": "镜头{}顺时针旋转",
    "roll_counterclockwise": "镜头{}逆时针旋转",
    "zoom_in": "镜头{}变焦拉近",
    "zoom_out": "镜头{}变焦拉远",
    "arc_left": "镜头{}向左环绕场景",
    "arc_right": "镜头{}向右环绕场景",
    "tracking": "跟拍移动的主体",
    "handheld": "手持镜头轻微晃动",
    "dolly_zoom": "滑动变焦镜头",
}
AMOUNTS = {"slightly": "略微", "clearly": "", "far": "大幅", None: ""}
DIRECTIONS = {
    "left": "向左",
    "right": "向右",
    "up": "向上",
    "down": "向下",
    "toward": "朝镜头",
    "away": "朝远处",
    None: "",
}
SPEEDS = {"slowly": "慢慢", "fast": "快速", None: ""}
POSITIONS = {"left": "左边", "middle": "中间", "right": "右边", "both_sides": "两边", None: "里"}
NUMBERS = ("零", "一", "两", "三", "四", "五")
SKIES = {"clear": "天空晴朗", "overcast": "天空布满云层", "night": "夜空漆黑"}
ANGLES = {"eye_level": "平视", "low": "低角度", "high": "高角度", "over_the_shoulder": "过肩"}
LENSES = {"fisheye": "鱼眼镜头", "wide": "广角镜头", "medium": "标准镜头", "long": "长焦镜头"}


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


def length(text: str) -> int:
    """Chinese characters and Latin words or numbers of a text, punctuation aside."""
    return len(re.findall(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+", text))


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
