# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of phrases, English and Chinese, that claim something about time, light, weather, camera or lens.

Each value is a pair of regular expressions; what a claim means is judged in `contradictions.py` under the same name.
Names and colours made of such words ("midnight blue", "Sunset Boulevard", 今日出发) are kept out here.
"""

from __future__ import annotations

SLOW = (
    r"(?:(?:very )?(?:slow(?:ly)?|fast|quick(?:ly)?|gentle|gently|smooth(?:ly)?|subtle|gradual(?:ly)?|steady"
    r"|slight(?:ly)?|far)\s+)*"
)
THING = (
    r"(?![- ]?(?:blue|black|purple|pink|orange|red|gold|colou?r(?:ed|s)?|stands?|clubs?|gowns?|vision|shift|porter"
    r"|nurse|owl|cap|lamps?|boulevard|strip|avenue|street|glory|coat|dress|papers?|star|chorus|redwood)\b)"
)
SIDE = r"(?:{0}\b|the (?:\w+ )?{0}\b|{0}wards?)"

TIMES = {
    "night": (
        rf"(?:mid)?night(?:[- ]?time)?{THING}(?![- ]?lights?\b)|moonlit|moonlight|starlit|starry sky|stars in the sky",
        r"夜晚|夜里|夜间|深夜|半夜|午夜(?!蓝)|夜空|夜色|夜景|月光|星空",
    ),
    "dawn": (rf"dawn{THING}|daybreak|first light", r"黎明|拂晓|破晓|凌晨"),
    "sunrise": (rf"sunrise{THING}|sun-?up", r"(?<![今昨明每当近])日出(?![版发生现口入门行来])"),
    "early_morning": (rf"early[- ]morning{THING}", r"清晨|清早|晨光"),
    "morning": (rf"morning{THING}", r"早晨|早上|上午"),
    "noon": (r"(?:high )?noon(?:day|time)?|mid-?day", r"正午|中午|晌午"),
    "afternoon": (r"afternoon", r"下午|午后"),
    "evening": (rf"evening{THING}", r"傍晚|晚间"),
    "sunset": (rf"sunset{THING}|sundown|setting sun", r"日落(?!大道)|夕阳|落日|晚霞"),
    "dusk": (rf"dusk{THING}|nightfall", r"黄昏|薄暮"),
    "twilight": (rf"twilight{THING}", r"暮光|曙暮"),
    "golden_hour": (r"(?:golden|magic)[- ]hour", r"黄金时刻|黄金时段|魔幻时刻"),
    "blue_hour": (r"blue[- ]hour", r"蓝调时刻|蓝色时刻"),
    "day": (r"(?:broad )?daylight|day[- ]?time", r"白天|白昼|日光(?!灯)"),
}
_SHINE = (
    r"(?:sun(?:light|shine|beams?|rays?)?|light(?:s|ing)?|rays?|lit|illuminated|lamps?|beams?|glow)"
    r"(?:\s+(?:comes?|coming|falls?|falling|streams?|streaming|pours?|pouring|shines?|shining|enters?|entering|rakes?"
    r"|raking|hits?|hitting|cuts|cutting|is|in|down|through|scene|subject|it|them|face|window|windows|softly|strongly"
    r"|low|high|only|mostly|hard|from|the|a)){0,5}?\s+from\s+(?:the\s+)?(?:camera[- ])?"
    r"(?:upper|top|lower|front|back)?[- ]?"
)
_ZH_FROM = r"从(?:画面|镜头)?(?:深处|的)?"
_ZH_SHINE = r"[^，。；,.;]{0,6}?(?:照|射|洒|打来|打在|透)[射亮来下入进]?"
LIGHTS = {
    "light_back": (
        rf"back-?lit|back-?light(?:ing|s)?|contre-?jour|against the (?:light|sun)|edge light(?:ing)?|rim[- ]?lit"
        rf"|rim light(?:ing)?|{_SHINE}(?:behind(?! the camera)|(?:the )?(?:back|rear)(?! (?:left|right)))",
        rf"逆光|背光|逆着光|轮廓光|边缘光|{_ZH_FROM}(?:背后|后面|身后){_ZH_SHINE}",
    ),
    "light_front": (
        rf"front-?lit|front(?:al)? light(?:ing)?"
        rf"|{_SHINE}(?:behind the camera|(?:the )?front(?! (?:left|right)))",
        r"顺光|正面光|从正面(?:照|射|打)",
    ),
    "light_side": (rf"side-?lit|side light(?:ing)?|{_SHINE}(?:the )?side\b", r"侧光|侧面光"),
    "light_left": (
        rf"{_SHINE}(?:camera |screen |frame )?left",
        rf"{_ZH_FROM}左(?:侧|边|方|面|上方|下方|前方|后方|上角)?{_ZH_SHINE}|左侧光|左侧来光",
    ),
    "light_right": (
        rf"{_SHINE}(?:camera |screen |frame )?right",
        rf"{_ZH_FROM}右(?:侧|边|方|面|上方|下方|前方|后方|上角)?{_ZH_SHINE}|右侧光|右侧来光",
    ),
    "light_top": (
        rf"top light(?:ing)?|overhead (?:sun|light(?:ing)?)|{_SHINE}(?:directly |straight )?(?:above|overhead)",
        r"顶光|从(?:正)?(?:上方|头顶|顶上)(?:照|射|洒|打)[射来下]?",
    ),
    "light_below": (rf"under-?light(?:ing)?|under-?lit|{_SHINE}below", r"底光|从下方(?:照|射|打)[射来亮]?"),
    "light_hard": (r"(?:hard|harsh) (?:sun|light(?:ing)?|sunlight|shadows?)", r"硬光"),
    "light_warm": (
        r"warm (?:light(?:ing)?|sunlight|tones?|colou?rs?)|(?:golden|orange) (?:sun)?light",
        r"暖光|暖色调|暖色光|金色(?:的)?阳光",
    ),
    "light_cool": (r"(?:cool|cold|bluish) (?:light(?:ing)?|sunlight|tones?|colou?rs?)", r"冷光|冷色调|冷色光"),
    "shadow_long": (r"long,? (?:\w+ )?shadows?", r"长长的影子|长影|影子(?:很|拉得很|拉得)长"),
    "shadow_short": (r"short,? (?:\w+ )?shadows?", r"短影|影子很短|短短的影子"),
    "sun_high": (
        r"sun (?:is |stands |hangs )?(?:very )?(?:high|overhead)|high sun",
        r"太阳(?:很|高高|当)?(?:高|空|头)(?:照|挂)?|烈日当空|在头顶",
    ),
    "sun_low": (
        r"low(?:-hanging)? sun|sun (?:is |stands |hangs |sits )?(?:very )?low|sun near the horizon",
        r"太阳(?:很|压得很)低|太阳贴近地平线|低垂的太阳",
    ),
    "sun_rises": (
        r"rising sun|sun (?:is )?(?:rises|rising|climbs|climbing)",
        r"太阳(?:缓缓|慢慢|略微|大幅)?(?:升起|升高)",
    ),
    "sun_sinks": (
        r"sun (?:is )?(?:sinks|sinking|sets|setting|goes down|going down)",
        r"太阳(?:缓缓|慢慢|略微|大幅)?(?:落下|下沉|西沉|下山)",
    ),
}
SKIES = {
    "overcast": (
        r"overcast|cloudy|storm(?:y| clouds)|thunder-?storm"
        r"|(?:gr[ae]y|cloud-covered|leaden) sk(?:y|ies)|rainy|raining"
        r"|rain-?storm|(?<!after the )(?<!after )rain"
        r"(?![- ]?(?:\w+ed|slick|coats?|boots|puddles?|water|barrels?|gutters?|forests?|bows?|wet|streaked)\b)"
        r"|downpour|drizzle|drizzling|snowing|snowfall|blizzard|clouds cover the sky",
        r"阴天|多云|乌云|阴云|布满云层|下雨|雨天|暴雨|大雨|小雨|细雨|下雪|雪天|大雪|暴风雪",
    ),
    "clear": (
        r"(?:clear|cloudless|blue|bright blue) sk(?:y|ies)|(?:sky|skies) (?:is|are) clear|cloudless",
        r"晴空|蓝天|万里无云|晴朗",
    ),
    "sunny": (r"sunny(?! side)|sunshine|sunlit|bright sun(?:light)?", r"晴天|阳光明媚|阳光灿烂|艳阳"),
    "fog": (
        r"(?:thick |dense |heavy |light )?fog(?![\s-]?(?:lights?|lamps?|machines?|horns?|free|less)\b)"
        r"|foggy|mist|misty",
        r"(?:大|浓|薄|晨)雾|雾气|雾蒙蒙|(?<![喷烟云水])雾(?![灯化霾])",
    ),
    "indoors": (r"indoors", r"室内"),
    "outdoors": (r"outdoors|in the open air", r"室外|户外|露天"),
}
_ZH_SLOW = r"(?:缓慢|慢慢|缓缓|快速|略微|大幅)?(?:地)?"
_LEFT, _RIGHT = SIDE.format("left"), SIDE.format("right")
_TO = rf"\s+{SLOW}(?:to\s+|toward\s+)?"
_NO_OBJECT = r"(?!\s+(?:the|a|an|his|her|their|my|line|front)\b)"
_NO_PLACE = r"(?!\s+(?:on|in|at|behind|over|the|a|his|her|their|line|front)\s+(?:the\s|a\s|his\s|her\s)?)"
MOVES = {
    "push_in": (
        rf"{SLOW}(?:push[- ]?in|pushing in|dolly[- ]?in|dollying in|dollies in|track[- ]in){_NO_OBJECT}",
        rf"{_ZH_SLOW}(?:推近|推镜头?|镜头{_ZH_SLOW}(?:向前)?(?:推近|推进|前推|推向))",
    ),
    "pull_back": (
        rf"{SLOW}(?:pull(?:ing)?[- ]?(?:back|out)|dolly[- ]?(?:out|back)|dollies (?:out|back)){_NO_OBJECT}",
        rf"{_ZH_SLOW}(?:(?<!变焦)拉远|拉镜头?|镜头{_ZH_SLOW}(?:向后)?(?:后拉|拉开|后退))",
    ),
    "pan_left": (rf"{SLOW}pan(?:s|ning)?{_TO}{_LEFT}{_NO_PLACE}", rf"左摇|向左{_ZH_SLOW}摇"),
    "pan_right": (rf"{SLOW}pan(?:s|ning)?{_TO}{_RIGHT}{_NO_PLACE}", rf"右摇|向右{_ZH_SLOW}摇"),
    "pan": (rf"(?:panning|whip[- ]pan) ?(?:shot)?(?!{_TO}(?:{_LEFT}|{_RIGHT}))|pan shot", r"摇镜头|左右摇"),
    "tilt_up": (rf"{SLOW}tilt(?:s|ing)?{_TO}(?:up\b|upwards?)", rf"上摇|向上{_ZH_SLOW}摇"),
    "tilt_down": (rf"{SLOW}tilt(?:s|ing)?{_TO}(?:down\b|downwards?)", rf"下摇|向下{_ZH_SLOW}摇"),
    "truck_left": (
        rf"{SLOW}(?:trucks?|trucking|dolly|tracks?|tracking){_TO}{_LEFT}",
        rf"镜头{_ZH_SLOW}(?:向左|左)(?:平移|移动|移)",
    ),
    "truck_right": (
        rf"{SLOW}(?:trucks?|trucking|dolly|tracks?|tracking){_TO}{_RIGHT}",
        rf"镜头{_ZH_SLOW}(?:向右|右)(?:平移|移动|移)",
    ),
    "pedestal_up": (
        rf"{SLOW}(?:crane|boom|pedestal|jib)s?{_TO}up",
        rf"镜头{_ZH_SLOW}(?:上升|升起|升高)|升镜头",
    ),
    "pedestal_down": (
        rf"{SLOW}(?:crane|boom|pedestal|jib)s?{_TO}down",
        rf"镜头{_ZH_SLOW}(?:下降|降下|降低)|降镜头",
    ),
    "zoom_in": (rf"{SLOW}zoom(?:s|ing)?{_TO}in\b", r"变焦(?:拉近|推近)|镜头拉近|放大镜头"),
    "zoom_out": (rf"{SLOW}zoom(?:s|ing)?{_TO}out\b", r"变焦(?:拉远|推远)"),
    "zoom": (
        r"zoom(?:ing)?(?!\s*(?:lens|in\b|out\b|call|meeting|past|by|along|down|up))(?!\s+\w+ (?:in|out)\b)",
        r"(?<!滑动)变焦(?!拉|推)",
    ),
    "arc_left": (rf"{SLOW}(?:arcs?|arcing|orbits?|orbiting){_TO}{_LEFT}", rf"(?:镜头)?{_ZH_SLOW}向左环绕"),
    "arc_right": (rf"{SLOW}(?:arcs?|arcing|orbits?|orbiting){_TO}{_RIGHT}", rf"(?:镜头)?{_ZH_SLOW}向右环绕"),
    "arc": (
        r"(?:orbit|orbiting|arc) shot|camera (?:\w+ )?(?:orbits|circles)",
        rf"环绕镜头|环绕拍摄|镜头{_ZH_SLOW}环绕",
    ),
    "handheld": (
        r"hand-?held(?! (?:phone|device|radio|console|lamp|lantern|torch|fan|mirror|mic|microphone|tool|drill|game"
        r"|scanner|computer|weapon|gun|object))|shaky[- ]cam(?:era)?",
        r"手持(?:镜头|摄影|拍摄|摄像|感|机)|镜头晃动",
    ),
    "static": (
        r"static (?:shot|camera|frame|take)|locked[- ]?(?:off|down)(?: shot| camera)?|tripod shot|(?:fixed|stationary) "
        r"camera|camera (?:stays|stands|remains|holds|is) (?:still|static|fixed|locked|motionless)"
        r"|no camera (?:movement|motion|moves?)|camera (?:does not|doesn['’]t|never) moves?",
        r"固定(?:镜头|机位)|静止镜头|镜头(?:静止|固定)(?:不动)?|镜头不动|机位不动",
    ),
    "tracking": (r"tracking shot|follow(?:ing)? shot|camera follows", r"跟拍|跟随镜头|镜头(?:缓慢)?跟随|跟镜头"),
    "dolly_zoom": (r"dolly[- ]zoom|vertigo (?:effect|shot)|zolly", r"滑动变焦|希区柯克变焦"),
}
# Verbs that anyone may do: they tell of the camera only in a sentence that names it.
OF_THE_CAMERA = {
    "push_in": rf"{SLOW}(?:pushes in|(?:moves|moving|glides|creeps|travels) (?:in\b|closer|forwards?))",
    "pull_back": rf"{SLOW}(?:pulls (?:back|out)|(?:moves|moving|glides|travels) (?:back\b|backwards?|away))",
    "truck_left": rf"camera\s+{SLOW}(?:moves|slides|glides|drifts|travels){_TO}{_LEFT}",
    "truck_right": rf"camera\s+{SLOW}(?:moves|slides|glides|drifts|travels){_TO}{_RIGHT}",
    "pedestal_up": rf"camera\s+{SLOW}(?:rises|goes up|moves up|ascends|lifts)",
    "pedestal_down": rf"camera\s+{SLOW}(?:sinks|goes down|moves down|descends|lowers)",
    "pan": rf"camera\s+{SLOW}pans(?!{_TO}(?:{_LEFT}|{_RIGHT}))",
}
LENSES = {
    "lens_wide": (r"(?:ultra[- ]?)?wide[- ]angle(?: lens| shot)?|(?:ultra[- ]?)?wide lens", r"超?广角(?:镜头)?"),
    "lens_medium": (r"(?:normal|standard|medium) lens", r"标准镜头"),
    "lens_long": (r"telephoto(?: lens)?|long[- ]lens|tele lens", r"长焦(?:镜头)?|望远镜头"),
    "lens_fisheye": (r"fish-?eye(?: lens)?", r"鱼眼(?:镜头)?"),
    "lens_mm": (r"(\d{1,3}(?:\.\d)?)\s?mm(?:\s+\w+)?\s+lens", r"(\d{1,3})\s?(?:mm|毫米)(?:的)?(?:镜头|焦距)"),
}
SIZES = {
    "size_extreme_wide": (r"extreme(?:ly)? (?:wide|long) shot", r"大远景|极端全景|大全景"),
    "size_wide": (r"wide shot|long shot|establishing shot|full shot", r"全景(?![天窗])|(?<!长)远景(?!规划)"),
    "size_medium_wide": (r"medium (?:wide|long) shot|cowboy shot|american shot", r"中全景|中远景"),
    "size_medium": (r"(?:medium|mid) shot", r"中景"),
    "size_medium_close_up": (r"medium close[- ]?ups?(?: shot)?", r"中近景"),
    "size_close_up": (r"close[- ]?ups?(?: shot)?(?! shop)", r"近景|特写"),
    "size_extreme_close_up": (r"extreme close[- ]?ups?(?: shot)?", r"大特写|极近特写"),
}
ANGLES = {
    "angle_eye_level": (r"(?:at |an )?eye[- ]level", r"平视(?:角度|镜头|拍摄)"),
    "angle_low": (r"low[- ]angle(?: shot)?|worm['’]?s[- ]eye", r"低角度|仰拍|仰角|仰视(?:角度|镜头)"),
    "angle_high": (r"high[- ]angle(?: shot)?", r"高角度|俯拍"),
    "angle_overhead": (
        r"overhead (?:shot|view|angle)|top-?down (?:shot|view)|bird['’]?s[- ]eye",
        r"俯视(?:角度|镜头)|鸟瞰|正俯拍",
    ),
    "angle_aerial": (r"aerial (?:shot|view)|drone shot", r"航拍"),
    "angle_dutch": (r"dutch (?:angle|tilt)(?: shot)?|canted (?:angle|shot)", r"倾斜角度|荷兰角"),
    "angle_over_the_shoulder": (r"over[- ]the[- ]shoulder(?: shot)?", r"过肩(?:镜头)?"),
}
FAMILIES = {"time": TIMES, "light": LIGHTS, "sky": SKIES, "move": MOVES, "lens": LENSES, "size": SIZES, "angle": ANGLES}
