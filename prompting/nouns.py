# SPDX-License-Identifier: GPL-3.0-or-later
"""Nouns and adjectives of previs scenes, English and Chinese, the nouns with their Chinese measure words."""

from __future__ import annotations

from .noun_rows import BY_MEASURE
from .vocabulary import COLORS

COLORED = {**COLORS, "beige": "米色", "olive green": "橄榄绿色", "grey": "灰色", "brown": "棕色", "cyan": "青色"}
ADJECTIVES: dict[str, str] = {
    **COLORED,
    "gold": "金色", "golden": "金色",
    "silver": "银色", "dark": "深色", "bright": "明亮的", "big": "大", "large": "大",
    "huge": "巨大的", "giant": "巨大的", "small": "小", "little": "小", "tiny": "小", "tall": "高", "high": "高",
    "low": "矮", "long": "长", "short": "短", "wide": "宽", "narrow": "窄", "thin": "细", "thick": "粗",
    "flat": "平", "old": "旧", "new": "新", "ancient": "古老的", "young": "年轻的", "broken": "破损的",
    "ruined": "残破的", "rusty": "生锈的", "dead": "枯", "dry": "干", "wet": "湿", "round": "圆", "square": "方形",
    "curved": "弧形", "open": "敞开的", "closed": "关着的", "empty": "空", "stone": "石制", "wooden": "木制",
    "wood": "木制", "metal": "金属", "iron": "铁制", "steel": "钢制", "brick": "砖砌", "glass": "玻璃",
    "concrete": "混凝土", "plastic": "塑料", "marble": "大理石", "paper": "纸", "leather": "皮", "north": "北侧",
    "south": "南侧", "east": "东侧", "west": "西侧", "left": "左侧", "right": "右侧", "front": "前方",
    "back": "后方", "rear": "后方", "top": "顶部", "bottom": "底部", "upper": "上层", "lower": "下层",
    "inner": "内侧", "outer": "外侧", "middle": "中间", "center": "中央", "central": "中央", "main": "主",
    "side": "侧面", "corner": "角落的", "parked": "停着的", "moving": "移动的", "flying": "飞行的",
    "hanging": "悬挂的", "standing": "站着的", "sitting": "坐着的", "walking": "行走的", "running": "奔跑的",
    "street": "街边", "city": "城市", "village": "村庄", "garden": "花园", "market": "市场", "school": "学校",
    "police": "警用", "fire": "消防", "kitchen": "厨房", "office": "办公", "country": "乡村", "forest": "森林",
    "desert": "沙漠", "mountain": "山地", "toy": "玩具", "olive": "橄榄", "oak": "橡", "pine": "松", "palm": "棕榈",
    "apple": "苹果", "cherry": "樱花", "neon": "霓虹", "wind": "风力", "grand": "大型", "perfume": "香水",
    "wine": "葡萄酒", "coffee": "咖啡", "tea": "茶", "steam": "蒸汽", "rocking": "摇摆的", "barn": "谷仓",
    "house": "房屋", "church": "教堂", "castle": "城堡", "garage": "车库", "elevator": "电梯", "bamboo": "竹制",
    "clay": "陶土", "ceramic": "陶瓷", "porcelain": "瓷", "bronze": "青铜", "copper": "铜制", "rubber": "橡胶",
    "straw": "稻草", "snowy": "积雪的", "frozen": "冰冻的", "burning": "燃烧的", "glowing": "发光的",
    "shiny": "闪亮的", "dusty": "布满灰尘的", "dirty": "脏的", "clean": "干净的", "fancy": "华丽的",
    "simple": "简朴的", "modern": "现代的", "medieval": "中世纪的", "vintage": "复古的", "antique": "古董",
    "abandoned": "废弃的", "floating": "漂浮的", "sleeping": "睡着的", "dancing": "跳舞的", "lonely": "孤独的",
    "happy": "快乐的", "sad": "悲伤的", "evil": "邪恶的", "magic": "魔法", "royal": "皇家", "military": "军用",
    "medical": "医用", "electric": "电动", "mechanical": "机械", "folding": "折叠的", "double": "双层",
    "spiral": "螺旋", "triangular": "三角形", "rectangular": "长方形", "striped": "条纹", "spotted": "斑点",
    "transparent": "透明的", "coastal": "海边的", "sea": "海", "river": "河", "beach": "沙滩", "park": "公园",
    "library": "图书馆", "hospital": "医院", "hotel": "酒店", "bar": "酒吧", "bathroom": "浴室", "bedroom": "卧室",
    "dining": "用餐", "window": "窗", "wall": "墙上的", "ceiling": "天花板", "floor": "落地", "roof": "屋顶",
    "table": "桌上的", "distant": "远处的", "far": "远处的", "near": "近处的", "chess": "国际象棋",
    "pirate": "海盗", "robot": "机器人", "human": "人形", "female": "女性", "male": "男性", "racing": "赛用",
    "sports": "运动", "fishing": "捕鱼", "sailing": "帆", "space": "太空",
}  # fmt: skip

NOUNS: dict[str, tuple[str, str]] = {
    english.replace("_", " "): (chinese, measure)
    for measure, row in BY_MEASURE.items()
    for english, _, chinese in (entry.partition("=") for entry in row.split())
}
"""Noun: (Chinese, measure word)."""
_PEOPLE = """
    人 男人 女人 孩子 男孩 女孩 婴儿 行人 舞者 士兵 守卫 骑士 国王 王后 司机 跑步者 骑手 骑车人 球员 工人 农民
    少女 少年 老人 幼儿 成年人 村民 快递员 演员 主角 角色 母亲 父亲 兄弟 姐妹 祖母 祖父 朋友 船员 酒保 收银员
    弓箭手 维京人 宇航员 海盗
"""
PEOPLE = frozenset(
    english for english, (chinese, measure) in NOUNS.items() if measure == "名" or chinese in _PEOPLE.split()
)
"""English nouns of persons."""
_TOGETHER = "群=crowd group flock herd pack|堆=pile heap|排=row line|对=pair couple|束=bunch|摞=stack"
GROUPS = {word: row[0] for row in _TOGETHER.split("|") for word in row[2:].split()}
"""What several things may be together, with the Chinese measure word for it ("a flock of birds")."""
ENGLISH: dict[str, str] = {chinese: english for english, (chinese, _) in reversed(NOUNS.items())}
"""Chinese noun: English, the first of several."""


_SHORT = """
    桌=table 椅=chair 灯=lamp 房=house 屋=house 楼=building 墙=wall 门=door 窗=window 树=tree 花=flower 车=car
    船=boat 桥=bridge 塔=tower 山=mountain 床=bed 柜=cabinet 箱=box 瓶=bottle 杯=cup 碗=bowl 盘=plate 壶=teapot
    书=book 钟=clock 伞=umbrella 剑=sword 刀=knife 鼓=drum 旗=flag 球=ball 石=stone 草=grass 竹=bamboo 人=person
    猫=cat 狗=dog 鸟=bird 鱼=fish 马=horse 牛=cow 羊=sheep 龙=dragon 凳=stool 梯=ladder 井=well 亭=pavilion
    庙=temple 碑=monument 台=platform
"""
SHORT = {chinese: english for chinese, _, english in (entry.partition("=") for entry in _SHORT.split())}
"""Last letters of Chinese nouns: English."""
_SHORT_ADJECTIVES = """
    红=red 黄=yellow 蓝=blue 绿=green 白=white 黑=black 灰=gray 紫=purple 粉=pink 橙=orange 金=golden 银=silver
    木=wooden 石=stone 铁=iron 铜=copper 竹=bamboo 玻璃=glass 大=big 小=small 老=old 旧=old 新=new 高=tall
    长=long 圆=round 方=square
"""


def english_of(chinese: str) -> str | None:
    """The English of a Chinese noun, with adjectives before it (红色汽车: red car); None where it is not known."""
    if chinese in ENGLISH:
        return ENGLISH[chinese]
    if chinese in SHORT:
        return SHORT[chinese]
    for adjective, told in _ADJECTIVES_BACK:
        if chinese.startswith(adjective):
            rest = english_of(chinese.removeprefix(adjective).removeprefix("的"))
            return f"{told} {rest}" if rest else None
    return None


def english_head_of(chinese: str) -> str | None:
    """The English of the longest known noun that a Chinese name ends in."""
    return next(filter(None, (english_of(chinese[start:]) for start in range(len(chinese)))), None)


def measure_of(chinese: str) -> str:
    """The measure word of a Chinese noun, by the longest known noun that it ends in."""
    ends = (chinese[start:] for start in range(len(chinese)))
    english = next((ENGLISH.get(end) or SHORT[end] for end in ends if end in ENGLISH or end in SHORT), None)
    return NOUNS[english][1] if english in NOUNS else "个"


_ADJECTIVES_BACK = sorted(
    {
        **{chinese: english for chinese, _, english in (one.partition("=") for one in _SHORT_ADJECTIVES.split())},
        **{told.removesuffix("的"): word for word, told in reversed(ADJECTIVES.items())},
    }.items(),
    key=lambda pair: -len(pair[0]),
)
