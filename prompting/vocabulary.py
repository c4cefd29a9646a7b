# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of words: Wan's own terms in both languages, and the names of colours.

The terms are those of the prompt rewriter that ships with Wan 2.2 (`wan/utils/system_prompt.py`).
"""

from __future__ import annotations

TERMS: dict[str, tuple[str, str]] = {
    # time
    "day_time": ("day time", "白天"),
    "night_time": ("night time", "夜晚"),
    "dawn_time": ("dawn time", "黎明"),
    "sunrise_time": ("sunrise time", "日出"),
    "dusk_time": ("dusk time", "黄昏"),
    "sunset_time": ("sunset time", "日落"),
    # light source
    "daylight": ("daylight", "日光"),
    "sunny_lighting": ("sunny lighting", "晴天光"),
    "overcast_lighting": ("overcast lighting", "阴天光"),
    "moonlight": ("moonlight", "月光"),
    "artificial_lighting": ("artificial lighting", "人工光"),
    "practical_lighting": ("practical lighting", "实用光"),
    # light quality
    "soft_lighting": ("soft lighting", "柔光"),
    "hard_lighting": ("hard lighting", "硬光"),
    # light angle
    "top_lighting": ("top lighting", "顶光"),
    "side_lighting": ("side lighting", "侧光"),
    "edge_lighting": ("edge lighting", "边缘光"),
    # colour
    "warm_colors": ("warm colors", "暖色调"),
    "cool_colors": ("cool colors", "冷色调"),
    "mixed_colors": ("mixed colors", "混合色调"),
    # shot size
    "extreme_close_up": ("extreme close-up shot", "特写"),
    "close_up": ("close-up shot", "近景"),
    "medium_close_up": ("medium close-up shot", "中近景"),
    "medium": ("medium shot", "中景"),
    "medium_wide": ("medium wide shot", "中全景"),
    "wide": ("wide shot", "全景"),
    "extreme_wide": ("extreme wide shot", "极端全景"),
    # camera angle
    "over_the_shoulder": ("over-the-shoulder shot", "过肩镜头角度拍摄"),
    "low_angle": ("low angle shot", "低角度拍摄"),
    "high_angle": ("high angle shot", "高角度拍摄"),
    "dutch_angle": ("Dutch angle shot", "倾斜角度拍摄"),
    "aerial": ("aerial shot", "航拍"),
    "overhead": ("overhead shot", "俯视角度拍摄"),
    # lens
    "fisheye_lens": ("fisheye lens", "鱼眼"),
    "wide_lens": ("wide lens", "广角"),
    "long_lens": ("long lens shot", "长焦"),
    # composition
    "center": ("center composition", "中心构图"),
    "balanced": ("balanced composition", "平衡构图"),
    "left_heavy": ("left-heavy composition", "左侧重构图"),
    "right_heavy": ("right-heavy composition", "右侧重构图"),
    "symmetrical": ("symmetrical composition", "对称构图"),
}
TERM_ORDER = {term: rank for rank, term in enumerate(TERMS)}

TIME_TERMS = {
    "night": "night_time",
    "dawn": "dawn_time",
    "sunrise": "sunrise_time",
    "morning": "day_time",
    "midday": "day_time",
    "afternoon": "day_time",
    "sunset": "sunset_time",
    "dusk": "dusk_time",
}
SECTOR_TERMS = {
    "left": "side_lighting",
    "right": "side_lighting",
    "back": "edge_lighting",
    "back_left": "edge_lighting",
    "back_right": "edge_lighting",
    "top": "top_lighting",
}
ANGLE_TERMS = {
    "low": "low_angle",
    "high": "high_angle",
    "overhead": "overhead",
    "aerial": "aerial",
    "dutch": "dutch_angle",
    "over_the_shoulder": "over_the_shoulder",
}
LENS_TERMS = {"fisheye": "fisheye_lens", "wide": "wide_lens", "long": "long_lens"}

COLORS: dict[str, str] = {
    "black": "黑色",
    "dark gray": "深灰色",
    "gray": "灰色",
    "white": "白色",
    "red": "红色",
    "orange": "橙色",
    "yellow": "黄色",
    "green": "绿色",
    "teal": "青色",
    "blue": "蓝色",
    "purple": "紫色",
    "pink": "粉色",
    "pale red": "浅红色",
    "pale orange": "浅橙色",
    "pale yellow": "浅黄色",
    "pale green": "浅绿色",
    "pale teal": "浅青色",
    "pale blue": "浅蓝色",
    "pale purple": "浅紫色",
    "pale pink": "浅粉色",
    "dark red": "深红色",
    "dark orange": "棕色",
    "dark yellow": "深黄色",
    "dark green": "深绿色",
    "dark teal": "深青色",
    "dark blue": "深蓝色",
    "dark purple": "深紫色",
    "dark pink": "深粉色",
}
HUES = ((15, "red"), (45, "orange"), (70, "yellow"), (165, "green"), (195, "teal"), (255, "blue"), (290, "purple"))
"""Upper bounds of hue in degrees; between the last and 345 is pink, then red again."""
