# SPDX-License-Identifier: GPL-3.0-or-later
"""Nouns and adjectives of previs scenes, English and Chinese, the nouns with their Chinese measure words."""

from __future__ import annotations

from .vocabulary import COLORS

ADJECTIVES: dict[str, str] = {
    **COLORS,
    "beige": "米色", "olive green": "橄榄绿色",
    "grey": "灰色", "brown": "棕色", "gold": "金色", "golden": "金色", "silver": "银色", "dark": "深色",
    "bright": "明亮的", "cyan": "青色", "big": "大", "large": "大", "huge": "巨大的", "giant": "巨大的",
    "small": "小", "little": "小", "tiny": "小", "tall": "高", "high": "高", "low": "矮", "long": "长",
    "short": "短", "wide": "宽", "narrow": "窄", "thin": "细", "thick": "粗", "flat": "平", "old": "旧",
    "new": "新", "ancient": "古老的", "young": "年轻的", "broken": "破损的", "ruined": "残破的", "rusty": "生锈的",
    "dead": "枯", "dry": "干", "wet": "湿", "round": "圆", "square": "方形", "curved": "弧形", "open": "敞开的",
    "closed": "关着的", "empty": "空", "stone": "石制", "wooden": "木制", "wood": "木制", "metal": "金属",
    "iron": "铁制", "steel": "钢制", "brick": "砖砌", "glass": "玻璃", "concrete": "混凝土", "plastic": "塑料",
    "marble": "大理石", "paper": "纸", "leather": "皮", "north": "北侧", "south": "南侧", "east": "东侧",
    "west": "西侧", "left": "左侧", "right": "右侧", "front": "前方", "back": "后方", "rear": "后方", "top": "顶部",
    "bottom": "底部", "upper": "上层", "lower": "下层", "inner": "内侧", "outer": "外侧", "middle": "中间",
    "center": "中央", "central": "中央", "main": "主", "side": "侧面", "corner": "角落的", "parked": "停着的",
    "moving": "移动的", "flying": "飞行的", "hanging": "悬挂的", "standing": "站着的", "sitting": "坐着的",
    "walking": "行走的", "running": "奔跑的", "street": "街边", "city": "城市", "village": "村庄", "garden": "花园",
    "market": "市场", "school": "学校", "police": "警用", "fire": "消防", "kitchen": "厨房", "office": "办公",
    "country": "乡村", "forest": "森林", "desert": "沙漠", "mountain": "山地", "toy": "玩具", "olive": "橄榄",
    "oak": "橡", "pine": "松", "palm": "棕榈", "apple": "苹果", "cherry": "樱花", "neon": "霓虹", "wind": "风力",
    "racing": "赛用", "sports": "运动", "fishing": "捕鱼", "sailing": "帆", "space": "太空",
}  # fmt: skip

_BY_MEASURE = {
    "个": """
        object=物体 thing=物体 box=方块 block=方块 cube=立方体 sphere=球体 ball=球 football=足球 cone=圆锥
        cylinder=圆柱体 bus_stop=公交站 torus=圆环 ring=圆环 disc=圆盘 disk=圆盘 prism=棱柱 capsule=胶囊体 shape=几何体
        crown=树冠 tree_crown=树冠 barrel=木桶 bucket=水桶 basket=篮子 crate=木箱 chest=箱子 case=箱子
        suitcase=行李箱 container=集装箱 shipping_container=集装箱 trash_can=垃圾桶 bin=垃圾桶 dumpster=垃圾箱
        mailbox=邮筒 hydrant=消防栓 fire_hydrant=消防栓 traffic_light=红绿灯 person=人 man=男人
        woman=女人 child=孩子 boy=男孩 girl=女孩 baby=婴儿 walker=行人 pedestrian=行人 figure=人影 dummy=人偶
        mannequin=人体模型 doll=玩偶 character=角色 hero=主角 actor=演员 dancer=舞者 soldier=士兵 guard=守卫
        knight=骑士 king=国王 queen=王后 driver=司机 runner=跑步者 rider=骑手 cyclist=骑车人 player=球员
        worker=工人 farmer=农民 robot=机器人 alien=外星人 zombie=僵尸 ghost=鬼魂 astronaut=宇航员 pirate=海盗
        head=头 skull=头骨 apple=苹果 orange=橙子 pumpkin=南瓜 egg=鸡蛋 cake=蛋糕 bowl=碗 plate=盘子
        pot=锅 cup=杯子 mug=杯子 glass=玻璃杯 vase=花瓶 teapot=茶壶 kettle=水壶 clock=时钟 globe=地球仪
        moon=月亮 sun=太阳 balloon=气球 wheel=轮子 tire=轮胎 tyre=轮胎 gear=齿轮 pond=池塘
        pool=水池 lake=湖 stage=舞台 platform=平台 fence_post=栅栏柱 target=靶子 marker=标记 arrow=箭头
        button=按钮 logo=标志 letter=字母 stall=摊位 cabinet=柜子 wardrobe=衣柜 shelf=架子 bookshelf=书架
        cupboard=橱柜 fireplace=壁炉 stove=炉子 oven=烤箱 sink=水槽 bathtub=浴缸 pillow=枕头 cushion=靠垫
        playground=游乐场 swing=秋千 slide=滑梯 anchor=船锚 rotor=旋翼 propeller=螺旋桨 teddy_bear=玩具熊
        snowman=雪人 scarecrow=稻草人 tent_pole=帐篷杆 product=产品 trophy=奖杯 helmet=头盔 mask=面具
        backpack=背包 spool=线轴 fruit=水果 jar=罐子 lid=盖子 body=主体 panel=面板
        bottle=瓶子 aquarium=水族箱 fish_tank=鱼缸 bag=包 toy=玩具 hourglass=沙漏 park=公园 zoo=动物园 market=市场
        square=广场 garden=花园 mother=母亲 father=父亲 brother=兄弟 sister=姐妹 grandmother=祖母 grandfather=祖父
        friend=朋友 angel=天使 demon=恶魔 vampire=吸血鬼 mermaid=美人鱼 sandwich=三明治 pizza=披萨 lemon=柠檬
        watermelon=西瓜
        pear=梨 peach=桃子 potato=土豆 tomato=番茄 onion=洋葱 coconut=椰子 burger=汉堡 envelope=信封 sculpture_head=头像
        iceberg=冰山 nest=鸟巢 web=蛛网 ball_pit=球池 basketball=篮球 dice=骰子 spring=弹簧 battery=电池
    """,
    "座": """
        pyramid=金字塔 arch=拱门 gate=大门 fountain=喷泉 monument=纪念碑 statue=雕像 sculpture=雕塑
        obelisk=方尖碑 tower=塔楼 clock_tower=钟楼 house=房子 hut=小屋 cottage=小屋 cabin=木屋 building=建筑
        skyscraper=摩天大楼 apartment=公寓楼 castle=城堡 palace=宫殿 temple=寺庙 church=教堂 chapel=小教堂
        cathedral=大教堂 mosque=清真寺 kiosk=报亭 shed=棚屋 barn=谷仓 garage=车库 warehouse=仓库 factory=工厂
        school=学校 hospital=医院 station=车站 stadium=体育场 bridge=桥 stone_bridge=石桥 dam=水坝
        lighthouse=灯塔 windmill=风车 mill=磨坊 greenhouse=温室 pavilion=亭子 gazebo=凉亭 mountain=山 hill=小山
        volcano=火山 island=岛 cliff=悬崖 well=水井 tomb=坟墓 altar=祭坛 bell=钟 chimney=烟囱
        wind_turbine=风力发电机 water_tower=水塔 ruin=废墟 cloister=回廊 rig=架子 phone_booth=电话亭
        bust=半身像 crane=起重机 pier=码头 museum=博物馆 library=图书馆 theater=剧院 theatre=剧院 airport=机场
        prison=监狱 monastery=修道院 shrine=神社 pagoda=宝塔 cemetery=墓地 university=大学
        city=城市 village=村庄 town=小镇
    """,
    "名": """
        singer=歌手 policeman=警察 policewoman=女警察 police_officer=警察 police=警察 beggar=乞丐 waiter=服务员
        waitress=女服务员 chef=厨师 cook=厨师 doctor=医生 nurse=护士 teacher=老师 student=学生 priest=神父 monk=僧人
        nun=修女 thief=小偷 fisherman=渔夫 hunter=猎人 sailor=水手 captain=船长 pilot=飞行员 musician=乐手 painter=画家
        artist=艺术家 guitarist=吉他手 drummer=鼓手 violinist=小提琴手 pianist=钢琴家 businessman=商人 merchant=商人
        vendor=小贩 seller=小贩 postman=邮递员 firefighter=消防员 fireman=消防员 butcher=屠夫 baker=面包师
        mechanic=机械师 engineer=工程师 scientist=科学家 lawyer=律师 judge=法官 detective=侦探 spy=间谍 wizard=巫师
        witch=女巫 prince=王子 princess=公主 clown=小丑 magician=魔术师 bride=新娘 groom=新郎 tourist=游客
        passenger=乘客 customer=顾客 shepherd=牧羊人 cowboy=牛仔 samurai=武士 ninja=忍者 warrior=战士 lady=女士
        gentleman=绅士 teenager=少年 builder=建筑工人 miner=矿工 gardener=园丁 cleaner=清洁工 photographer=摄影师
        athlete=运动员 swimmer=游泳者 boxer=拳击手 skater=滑冰者 surfer=冲浪者 skier=滑雪者 climber=攀登者 prisoner=囚犯
        stranger=陌生人 traveler=旅人 hiker=徒步者 reporter=记者 secretary=秘书 conductor=指挥 speaker=演讲者
    """,
    "家": """
        cafe=咖啡馆 café=咖啡馆 coffee_shop=咖啡馆 restaurant=餐厅 hotel=酒店 bar=酒吧 pub=酒吧 bakery=面包店
        pharmacy=药店 cinema=电影院 bank=银行 supermarket=超市 bookstore=书店 bookshop=书店 inn=客栈
    """,
    "颗": "star=星星 planet=行星 gem=宝石 pearl=珍珠 bead=珠子 tooth=牙齿 diamond=钻石 bullet=子弹",
    "副": "glasses=眼镜 sunglasses=墨镜 coffin=棺材",
    "份": "newspaper=报纸 document=文件",
    "面": "wall=墙壁 stone_wall=石墙 flag=旗帜 mirror=镜子 drum=鼓 shield=盾牌 banner=旗子",
    "扇": "door=门 window=窗户 fan=风扇 shutter=百叶窗",
    "段": "stairs=台阶 stair=台阶 staircase=楼梯 steps=台阶",
    "根": """
        column=柱子 pillar=柱子 pole=杆子 post=柱子 pipe=管子 rod=杆 stick=棍子 beam=梁 log=原木 trunk=树干
        stem=茎 branch=树枝 rope=绳子 cable=电缆 candle=蜡烛 bone=骨头 feather=羽毛 banana=香蕉 torch=火把
    """,
    "棵": "tree=树 palm=棕榈树 pine=松树 oak=橡树 plant=植物 cactus=仙人掌 sapling=树苗 grass=草 bamboo=竹子",
    "丛": "bush=灌木 shrub=灌木 hedge=树篱",
    "朵": "flower=花 rose=玫瑰 cloud=云 mushroom=蘑菇 tulip=郁金香",
    "片": """
        ground=地面 floor=地板 leaf=叶子 lawn=草坪 field=田野 forest=森林 sea=海 ocean=海洋 water=水面 sand=沙地
        terrain=地形 desert=沙漠 beach=沙滩 sky=天空
    """,
    "块": """
        rock=岩石 stone=石头 boulder=巨石 brick=砖 sign=招牌 board=木板 plank=木板 billboard=广告牌 cloth=布
        carpet=地毯 rug=地毯 curtain=帘子 screen=屏幕 slab=石板 tile=瓷砖 blackboard=黑板
    """,
    "张": "face=脸 bench=长椅 table=桌子 desk=书桌 bed=床 sofa=沙发 couch=沙发 poster=海报 paper=纸 picture=画 net=网",
    "把": """
        chair=椅子 armchair=扶手椅 stool=凳子 umbrella=雨伞 parasol=遮阳伞 sword=剑 knife=刀 axe=斧头
        hammer=锤子 key=钥匙 guitar=吉他 gun=枪 fork=叉子 spoon=勺子 broom=扫帚 ladder=梯子 throne=王座
    """,
    "盏": """
        lamp=灯 light=灯 lamp_post=路灯 lamppost=路灯 street_lamp=路灯 street_light=路灯 lantern=灯笼
        chandelier=吊灯 spotlight=聚光灯 floor_lamp=落地灯 headlight=车灯
    """,
    "辆": """
        car=汽车 truck=卡车 lorry=卡车 van=面包车 taxi=出租车 cart=手推车 wagon=马车 carriage=马车 bus=公交车
        bicycle=自行车 bike=自行车 motorcycle=摩托车 motorbike=摩托车 scooter=滑板车 tractor=拖拉机 tank=坦克
        jeep=吉普车 ambulance=救护车 vehicle=车 tram=电车 trolley=手推车 excavator=挖掘机 wheelchair=轮椅
        race_car=赛车
    """,
    "列": "train=火车 metro=地铁 subway=地铁",
    "艘": """
        boat=船 fishing_boat=渔船 ship=轮船
        sailboat=帆船 yacht=游艇 submarine=潜水艇 spaceship=飞船 spacecraft=飞船 ferry=渡轮
    """,
    "架": """
        plane=飞机 airplane=飞机 aircraft=飞机 jet=喷气机 helicopter=直升机 drone=无人机 piano=钢琴
        camera=摄影机 glider=滑翔机 satellite=卫星
    """,
    "枚": "rocket=火箭 missile=导弹 coin=硬币 medal=奖牌",
    "只": """
        parrot=鹦鹉 swan=天鹅 peacock=孔雀 penguin=企鹅 owl=猫头鹰 squirrel=松鼠 rat=老鼠 kitten=小猫
        puppy=小狗 panda=熊猫 kangaroo=袋鼠 giraffe=长颈鹿 crocodile=鳄鱼 lizard=蜥蜴 snail=蜗牛 insect=昆虫 kite=风筝
        ear=耳朵 arm=胳膊 watch=手表 monkey=猴子 dog=狗 cat=猫 bird=鸟
        pigeon=鸽子 dove=鸽子 crow=乌鸦 eagle=鹰 duck=鸭子 goose=鹅 chicken=鸡
        sheep=羊 goat=山羊 rabbit=兔子 bunny=兔子 fox=狐狸 wolf=狼 bear=熊 lion=狮子 tiger=老虎 mouse=老鼠
        frog=青蛙 turtle=乌龟 butterfly=蝴蝶 bee=蜜蜂 spider=蜘蛛 animal=动物 creature=生物 monster=怪物
        starfish=海星 hand=手 foot=脚 eye=眼睛 shoe=鞋 boot=靴子 teacup=茶杯 octopus=章鱼 crab=螃蟹 seagull=海鸥
        deer=鹿
    """,
    "头": "cow=牛 bull=公牛 pig=猪 elephant=大象 donkey=驴 whale=鲸鱼 lion_cub=幼狮",
    "匹": "horse=马 camel=骆驼 pony=小马 zebra=斑马",
    "条": """
        fish=鱼 snake=蛇 shark=鲨鱼 dragon=龙 road=路 path=小路 street=街道 river=河 track=轨道 race_track=赛道
        rail=栏杆 railing=栏杆 scarf=围巾 chain=链子 dolphin=海豚 curb=路缘 alley=小巷 corridor=走廊 tunnel=隧道
        sidewalk=人行道 pavement=人行道
    """,
    "道": "fence=栅栏 barrier=路障 hedge_row=树篱 ramp=坡道 waterfall=瀑布 rainbow=彩虹",
    "顶": "tent=帐篷 hat=帽子 awning=遮阳篷 canopy=顶篷",
    "台": """
        computer=电脑 television=电视 tv=电视 monitor=显示器 machine=机器 engine=发动机 radio=收音机
        laptop=笔记本电脑 vending_machine=自动售货机 fridge=冰箱 refrigerator=冰箱 washing_machine=洗衣机
        microphone=麦克风 phone=电话
    """,
    "本": "book=书 notebook=笔记本",
    "支": "pen=笔 pencil=铅笔 flute=长笛",
    "幅": "painting=画 portrait=肖像画 map=地图",
    "件": "dress=裙子 shirt=衬衫 coat=外套 jacket=夹克 furniture=家具",
    "级": "step=台阶",
    "堆": "pile=东西 fire=火 campfire=篝火 hay=干草 rubble=瓦砾",
    "群": "crowd=人 people=人 flock=鸟 herd=牲畜 cattle=牛",
    "间": "shop=商店 store=商店 room=房间 kitchen=厨房 bathroom=浴室 office=办公室",
    "层": "roof=屋顶 ceiling=天花板 fog=雾",
    "门": "cannon=大炮",
}
NOUNS: dict[str, tuple[str, str]] = {
    english.replace("_", " "): (chinese, measure)
    for measure, row in _BY_MEASURE.items()
    for english, _, chinese in (entry.partition("=") for entry in row.split())
}
"""Noun: (Chinese, measure word)."""
_TOGETHER = "群=crowd group flock herd pack|堆=pile heap|排=row line|对=pair couple|束=bunch|摞=stack"
GROUPS = {word: row[0] for row in _TOGETHER.split("|") for word in row[2:].split()}
"""What several things may be together, with the Chinese measure word for it ("a flock of birds")."""
ENGLISH: dict[str, str] = {chinese: english for english, (chinese, _) in reversed(NOUNS.items())}
"""Chinese noun: English, the first of several."""


def english_of(chinese: str) -> str | None:
    """The English of a Chinese noun, with adjectives before it (红色汽车: red car); None where it is not known."""
    if chinese in ENGLISH:
        return ENGLISH[chinese]
    for adjective, told in _ADJECTIVES_BACK:
        if chinese.startswith(adjective):
            rest = english_of(chinese.removeprefix(adjective).removeprefix("的"))
            return f"{told} {rest}" if rest else None
    return None


def measure_of(chinese: str) -> str:
    """The measure word of a Chinese noun, by the longest known noun that it ends in."""
    ends = (chinese[start:] for start in range(len(chinese)))
    return next((NOUNS[ENGLISH[end]][1] for end in ends if end in ENGLISH), "个")


_ADJECTIVES_BACK = sorted(
    {told.removesuffix("的"): word for word, told in reversed(ADJECTIVES.items())}.items(),
    key=lambda pair: -len(pair[0]),
)
