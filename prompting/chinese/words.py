# SPDX-License-Identifier: GPL-3.0-or-later
"""Words and phrases of the Chinese sentences, by the words of the structured prompt."""

from __future__ import annotations

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
FROM_OF_LAMP = {  # a lamp on the camera's side of the subject need not be behind the camera
    "front": "从正面照来",
    "front_left": "从左前方照来",
    "front_right": "从右前方照来",
    "left": "从左侧照来",
    "right": "从右侧照来",
    "back": "从画面深处照来",
    "back_left": "从画面深处左侧照来",
    "back_right": "从画面深处右侧照来",
    "top": "从正上方照下",
    "both_sides": "从两侧照来",
    "around": "从四周照来",
}
FROM_STEEP = {  # of a camera that looks straight down or up
    "front": "从画面下方照来",
    "front_left": "从画面左下方照来",
    "front_right": "从画面右下方照来",
    "left": "从左侧照来",
    "right": "从右侧照来",
    "back": "从画面上方照来",
    "back_left": "从画面左上方照来",
    "back_right": "从画面右上方照来",
    "top": "从正上方照下",
    "both_sides": "从两侧照来",
    "around": "从四周照来",
}
SIDE = {  # of something in the picture
    "left": "左侧",
    "front_left": "左侧",
    "back_left": "左侧",
    "right": "右侧",
    "front_right": "右侧",
    "back_right": "右侧",
    "both_sides": "两侧",
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
SIDES_OF_LAMP = {**SIDES, "front": "正面", "front_left": "左前方", "front_right": "右前方"}
SIDES_STEEP = {
    sector: words.removeprefix("从").removesuffix("照来").removesuffix("照下") for sector, words in FROM_STEEP.items()
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
    "under": "落在物体正下方",
}
FALL_STEEP = {
    "away": "投向画面上方",
    "away_right": "投向画面右上方",
    "away_left": "投向画面左上方",
    "right": "投向右侧",
    "left": "投向左侧",
    "toward": "投向画面下方",
    "toward_right": "投向画面右下方",
    "toward_left": "投向画面左下方",
    "under": "落在物体正下方",
}
TURN = {
    "left": "向左移动",
    "right": "向右移动",
    "back": "向画面深处移动",
    "front": "向镜头后方移动",
    "clockwise": "绕场景顺时针转动",
    "counterclockwise": "绕场景逆时针转动",
}
TURN_STEEP = {**TURN, "back": "向画面上方移动", "front": "向画面下方移动"}
SLIDE = {
    "left": "向左滑动",
    "right": "向右滑动",
    "back": "向远处滑动",
    "front": "向镜头滑动",
    "clockwise": "顺时针转动",
    "counterclockwise": "逆时针转动",
}
SLIDE_STEEP = {**SLIDE, "back": "向画面上方滑动", "front": "向画面下方滑动"}
WHEN = {"early": "不久之后", "halfway": "中途", "late": "临近结尾时", "later": "稍后"}
POWERS = {"stronger": "逐渐增强", "weaker": "逐渐减弱"}
MOTIONS = {"moving": "移动", "turning": "在转动", "deforming": "在原地动"}
LIGHT_COLORS = {"orange": "橙色", "golden": "金色", "white": "白色", "bluish": "淡蓝色"} | {
    "red": "红色", "yellow": "黄色", "green": "绿色", "teal": "青色", "blue": "蓝色", "purple": "紫色", "pink": "粉色",
}  # fmt: skip
LENGTHS = {"shorten": "变短", "lengthen": "变长", "appear": "出现并变短", "fade": "变长并消失"}
LAMPS = {"lamp": ("灯", "盏"), "spotlight": ("聚光灯", "盏"), "panel": ("面光灯", "盏"), "beam": ("平行光", "束")}
LAMP_CHANGES = {
    "comes_on": "亮起",
    "fades_in": "渐渐亮起",
    "goes_out": "熄灭",
    "fades_out": "渐渐熄灭",
    "brightens": "灯光变亮",
    "dims": "灯光变暗",
    "flickers": "灯光闪烁不定",
}
ROLES = {"key": "照亮场景", "fill": "照亮阴影", "rim": "勾出明亮的轮廓"}
MOVES = {
    "static": "固定不动",
    "push_in": "{}向前推近",
    "pull_back": "{}向后拉远",
    "truck_left": "{}向左平移",
    "truck_right": "{}向右平移",
    "pedestal_up": "{}上升",
    "pedestal_down": "{}下降",
    "pan_left": "{}向左摇",
    "pan_right": "{}向右摇",
    "tilt_up": "{}向上摇",
    "tilt_down": "{}向下摇",
    "roll_clockwise": "{}顺时针旋转",
    "roll_counterclockwise": "{}逆时针旋转",
    "zoom_in": "{}变焦拉近",
    "zoom_out": "{}变焦拉远",
    "arc_left": "{}向左环绕场景",
    "arc_right": "{}向右环绕场景",
    "tracking": "跟拍移动的主体",
    "handheld": "轻微晃动",
    "dolly_zoom": "做滑动变焦",
}
AMOUNTS = {"slightly": "略微", "clearly": "", "far": "大幅", "fast": "快速", None: ""}
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
POSITIONS = {"left": "左边", "middle": "中间", "right": "右边", "both_sides": "两边", "across": "各处", None: "里"}
SKIES = {"clear": "天空晴朗", "overcast": "天空布满云层", "night": "夜空漆黑"}
ANGLES = {"eye_level": "平视", "low": "低角度", "high": "高角度", "over_the_shoulder": "过肩"}
LENSES = {"fisheye": "鱼眼镜头", "wide": "广角镜头", "medium": "标准镜头", "long": "长焦镜头"}
