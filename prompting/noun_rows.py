# SPDX-License-Identifier: GPL-3.0-or-later
"""Nouns of previs scenes, English and Chinese, by the Chinese measure word that counts them; an underscore is a
space."""

from __future__ import annotations

BY_MEASURE = {
    "个": """
        object=物体 thing=物体 box=方块 block=方块 cube=立方体 sphere=球体 ball=球 football=足球 cone=圆锥
        cylinder=圆柱体 bus_stop=公交站 torus=圆环 ring=圆环 disc=圆盘 disk=圆盘 prism=棱柱 capsule=胶囊体
        shape=几何体 crown=树冠 tree_crown=树冠 barrel=木桶 bucket=水桶 basket=篮子 crate=木箱
        wooden_box=木箱 metal_box=铁箱 cardboard_box=纸箱 chest=箱子 case=箱子
        suitcase=行李箱 container=集装箱 shipping_container=集装箱 trash_can=垃圾桶 bin=垃圾桶 dumpster=垃圾箱
        mailbox=邮筒 hydrant=消防栓 fire_hydrant=消防栓 traffic_light=红绿灯 person=人 man=男人 woman=女人
        child=孩子 boy=男孩 girl=女孩 baby=婴儿 walker=行人 pedestrian=行人 figure=人影 dummy=人偶
        mannequin=人体模型 doll=玩偶 character=角色 hero=主角 actor=演员 dancer=舞者 soldier=士兵 guard=守卫
        knight=骑士 king=国王 queen=王后 driver=司机 runner=跑步者 rider=骑手 cyclist=骑车人 player=球员
        worker=工人 farmer=农民 robot=机器人 alien=外星人 zombie=僵尸 ghost=鬼魂 astronaut=宇航员 pirate=海盗
        head=头 skull=头骨 apple=苹果 orange=橙子 pumpkin=南瓜 egg=鸡蛋 cake=蛋糕 bowl=碗 plate=盘子 pot=锅
        cup=杯子 mug=杯子 glass=玻璃杯 vase=花瓶 teapot=茶壶 kettle=水壶 clock=时钟 globe=地球仪 moon=月亮 sun=太阳
        balloon=气球 wheel=轮子 tire=轮胎 tyre=轮胎 gear=齿轮 pond=池塘 pool=水池 lake=湖 stage=舞台 platform=平台
        fence_post=栅栏柱 target=靶子 marker=标记 arrow=箭头 button=按钮 logo=标志 letter=字母 stall=摊位
        cabinet=柜子 wardrobe=衣柜 shelf=架子 bookshelf=书架 cupboard=橱柜 fireplace=壁炉 stove=炉子 oven=烤箱
        sink=水槽 bathtub=浴缸 pillow=枕头 cushion=靠垫 playground=游乐场 swing=秋千 slide=滑梯 anchor=船锚
        rotor=旋翼 propeller=螺旋桨 teddy_bear=玩具熊 snowman=雪人 scarecrow=稻草人 tent_pole=帐篷杆 product=产品
        trophy=奖杯 helmet=头盔 mask=面具 backpack=背包 spool=线轴 fruit=水果 jar=罐子 lid=盖子 body=身体
        panel=面板 bottle=瓶子 aquarium=水族箱 fish_tank=鱼缸 bag=包 toy=玩具 hourglass=沙漏 park=公园 zoo=动物园
        market=市场 square=广场 garden=花园 mother=母亲 father=父亲 brother=兄弟 sister=姐妹 grandmother=祖母
        grandfather=祖父 friend=朋友 angel=天使 demon=恶魔 vampire=吸血鬼 mermaid=美人鱼 sandwich=三明治 pizza=披萨
        lemon=柠檬 watermelon=西瓜 pear=梨 peach=桃子 potato=土豆 tomato=番茄 onion=洋葱 coconut=椰子 burger=汉堡
        envelope=信封 sculpture_head=头像 iceberg=冰山 nest=鸟巢 web=蛛网 ball_pit=球池 basketball=篮球 dice=骰子
        spring=弹簧 battery=电池 sundial=日晷 iris=虹膜 pupil=瞳孔 nose=鼻子 mouth=嘴 finger=手指 neck=脖子
        shoulder=肩膀 torso=躯干 pawn=兵 toaster=烤面包机 teen=少年 kid=孩子 toddler=幼儿 adult=成年人 elder=老人
        crew=船员 nomad=游牧人 villager=村民 peasant=农民 courier=快递员 janitor=清洁工 barista=咖啡师
        bartender=酒保 cashier=收银员 hostage=人质 assassin=刺客 archer=弓箭手 viking=维京人 gladiator=角斗士
        goblin=哥布林 elf=精灵 dwarf=矮人 orc=兽人 troll=巨魔 fairy=仙女 giant=巨人 android=仿生人 cyborg=半机械人
        mech=机甲 droid=机器人 puppet=木偶 marionette=提线木偶 dumbbell=哑铃 cocoon=茧 acorn=橡果 pinecone=松果
        seashell=贝壳 shell=贝壳 donut=甜甜圈 doughnut=甜甜圈 croissant=羊角面包 muffin=松饼 cupcake=纸杯蛋糕
        pie=馅饼 hamburger=汉堡 hotdog=热狗 sushi=寿司 dumpling=饺子 tray=托盘 saucer=茶碟 pan=平底锅 wok=炒锅
        jug=水罐 pitcher=水壶 flask=烧瓶 beaker=烧杯 test_tube=试管 vial=小瓶 thermos=保温瓶 can=罐头 tin=铁罐
        drawer=抽屉 dresser=梳妆柜 nightstand=床头柜 locker=储物柜 safe=保险箱 toolbox=工具箱 sack=麻袋
        briefcase=公文包 handbag=手提包 purse=钱包 wallet=钱包 pallet=托盘 cage=笼子 birdcage=鸟笼 fishbowl=鱼缸
        trough=食槽 planter=花盆 flowerpot=花盆 houseplant=盆栽 wreath=花环 bouquet=花束 pendulum=钟摆
        compass=指南针 tripod=三脚架 loudspeaker=扬声器 amplifier=音箱 turntable=唱盘 gramophone=留声机
        music_box=音乐盒 keyboard=键盘 console=控制台 control_panel=控制面板 generator=发电机 boiler=锅炉
        furnace=熔炉 valve=阀门 faucet=水龙头 tap=水龙头 shower=淋浴间 toilet=马桶 bath=浴缸 basin=水盆
        icosphere=多面球体 dome=圆顶 orb=球体 crystal_ball=水晶球 cuboid=长方体 hexagon=六边形 polyhedron=多面体
        spiral=螺旋体 knot=绳结 hook=钩子 bolt=螺栓 screw=螺丝 nut=螺母 hinge=铰链 handle=把手 knob=旋钮 lever=杠杆
        switch=开关 socket=插座 plug=插头 bulb=灯泡 light_bulb=灯泡 lightbulb=灯泡 flame=火苗 snowball=雪球
        sand_castle=沙堡 sandcastle=沙堡 jack-o'-lantern=南瓜灯 buoy=浮标 lifebuoy=救生圈 goal=球门 hoop=篮筐
        bowling_ball=保龄球 volleyball=排球 baseball=棒球 shuttlecock=羽毛球 bell_pepper=甜椒 corn=玉米
        cabbage=卷心菜 garlic=大蒜 mango=芒果 pineapple=菠萝 grapefruit=葡萄柚 plum=李子 rubber_duck=橡皮鸭
        robot_arm=机械臂 satellite_dish=卫星天线 antenna=天线 radar=雷达 turbine=涡轮机 water_wheel=水车
        waterwheel=水车 ferris_wheel=摩天轮 carousel=旋转木马 roller_coaster=过山车 trampoline=蹦床 seesaw=跷跷板
        sandbox=沙池 prop=道具 hangar=机库 bunker=地堡 cellar=地窖 basement=地下室 attic=阁楼 balcony=阳台
        terrace=露台 patio=庭院 courtyard=庭院 backyard=后院 plaza=广场 harbor=港口 harbour=港口 dock=码头
        port=港口 bay=海湾 canyon=峡谷 valley=山谷 cave=洞穴 crater=陨石坑 oasis=绿洲 swamp=沼泽 geyser=间歇泉
        filing_cabinet=文件柜 medicine_cabinet=药柜 display_case=展柜 showcase=展柜 counter=柜台 bar_counter=吧台
        checkout=收银台 podium=讲台 lectern=讲台 pulpit=布道台 pedestal=基座 plinth=底座 base=底座
        elevator_cabin=电梯轿厢 elevator_car=电梯轿厢 lift_cabin=电梯轿厢 drumstick=鼓槌 mailman=邮递员
        gas_station=加油站 petrol_station=加油站 fuel_pump=加油机 parking_meter=停车计时器 road_cone=路锥
        traffic_cone=路锥 manhole=井盖 phone_box=电话亭 bus_shelter=候车亭 newsstand=报摊 food_stall=小吃摊
        market_stall=市场摊位 fruit_stall=水果摊
    """,
    "座": """
        pyramid=金字塔 arch=拱门 gate=大门 fountain=喷泉 monument=纪念碑 statue=雕像 sculpture=雕塑 obelisk=方尖碑
        tower=塔楼 clock_tower=钟楼 house=房子 hut=小屋 cottage=小屋 cabin=木屋 building=建筑 skyscraper=摩天大楼
        apartment=公寓楼 castle=城堡 palace=宫殿 temple=寺庙 church=教堂 chapel=小教堂 cathedral=大教堂
        mosque=清真寺 kiosk=报亭 shed=棚屋 barn=谷仓 garage=车库 warehouse=仓库 factory=工厂 school=学校
        hospital=医院 station=车站 stadium=体育场 bridge=桥 stone_bridge=石桥 dam=水坝 lighthouse=灯塔
        windmill=风车 mill=磨坊 greenhouse=温室 pavilion=亭子 gazebo=凉亭 mountain=山 hill=小山 volcano=火山
        island=岛 cliff=悬崖 well=水井 tomb=坟墓 altar=祭坛 bell=钟 chimney=烟囱 wind_turbine=风力发电机
        water_tower=水塔 ruin=废墟 cloister=回廊 rig=架子 phone_booth=电话亭 bust=半身像 crane=起重机 pier=码头
        museum=博物馆 library=图书馆 theater=剧院 theatre=剧院 airport=机场 prison=监狱 monastery=修道院
        shrine=神社 pagoda=宝塔 cemetery=墓地 university=大学 city=城市 village=村庄 town=小镇 villa=别墅
        mansion=豪宅 farmhouse=农舍 farm=农场 bungalow=平房 townhouse=联排房屋 townhall=市政厅 town_hall=市政厅
        courthouse=法院 fortress=要塞 fort=堡垒 citadel=城堡 keep=城堡主楼 watchtower=瞭望塔 bell_tower=钟楼
        radio_tower=广播塔 silo=筒仓 stable=马厩 torii=鸟居 torii_gate=鸟居 mausoleum=陵墓 amphitheater=圆形剧场
        colosseum=斗兽场 aqueduct=高架渠 viaduct=高架桥 footbridge=人行桥 overpass=立交桥 gatehouse=门楼
        guardhouse=岗亭 outhouse=户外厕所 treehouse=树屋 tree_house=树屋 doghouse=狗屋 igloo=冰屋 teepee=圆锥帐篷
        yurt=蒙古包 observatory=天文台 planetarium=天文馆 opera_house=歌剧院 concert_hall=音乐厅 hall=大厅
        mall=商场 shopping_mall=购物中心 office_building=办公楼 apartment_building=公寓楼 tower_block=塔楼
        high_rise=高楼 power_plant=发电厂 power_station=发电站 refinery=炼油厂 oil_rig=钻井平台 sawmill=锯木厂
        glacier=冰川 dune=沙丘 sand_dune=沙丘 plateau=高原 peak=山峰 summit=山顶 ridge=山脊 reef=礁石
        shipwreck=沉船 wreck=残骸 space_station=空间站 launch_pad=发射台 space_shuttle=航天飞机
        grandfather_clock=落地钟 cuckoo_clock=布谷鸟钟 tombstone=墓碑 gravestone=墓碑 headstone=墓碑 grave=坟墓
        totem=图腾柱 totem_pole=图腾柱 stone_lantern=石灯笼
    """,
    "名": """
        singer=歌手 policeman=警察 policewoman=女警察 police_officer=警察 police=警察 beggar=乞丐 waiter=服务员
        waitress=女服务员 chef=厨师 cook=厨师 doctor=医生 nurse=护士 teacher=老师 student=学生 priest=神父
        monk=僧人 nun=修女 thief=小偷 fisherman=渔夫 hunter=猎人 sailor=水手 captain=船长 pilot=飞行员
        musician=乐手 painter=画家 artist=艺术家 guitarist=吉他手 drummer=鼓手 violinist=小提琴手 pianist=钢琴家
        businessman=商人 merchant=商人 vendor=小贩 seller=小贩 postman=邮递员 firefighter=消防员 fireman=消防员
        butcher=屠夫 baker=面包师 mechanic=机械师 engineer=工程师 scientist=科学家 lawyer=律师 judge=法官
        detective=侦探 spy=间谍 wizard=巫师 witch=女巫 prince=王子 princess=公主 clown=小丑 magician=魔术师
        bride=新娘 groom=新郎 tourist=游客 passenger=乘客 customer=顾客 shepherd=牧羊人 cowboy=牛仔 samurai=武士
        ninja=忍者 warrior=战士 lady=女士 gentleman=绅士 teenager=少年 builder=建筑工人 miner=矿工 gardener=园丁
        cleaner=清洁工 photographer=摄影师 athlete=运动员 swimmer=游泳者 boxer=拳击手 skater=滑冰者 surfer=冲浪者
        skier=滑雪者 climber=攀登者 prisoner=囚犯 stranger=陌生人 traveler=旅人 hiker=徒步者 reporter=记者
        secretary=秘书 conductor=指挥 speaker=演讲者 mayor=市长 ranger=护林员 lifeguard=救生员 goalkeeper=守门员
        referee=裁判 jockey=骑师 racer=赛车手 bodyguard=保镖 sheriff=警长 bandit=强盗 robber=劫匪 burglar=窃贼
        gangster=黑帮成员 ballerina=芭蕾舞者 actress=女演员 director=导演 cameraman=摄影师 journalist=记者
        bishop=主教 rabbi=拉比 pilgrim=朝圣者 hermit=隐士 sorcerer=巫师 druid=德鲁伊 paladin=圣骑士 geisha=艺伎
        emperor=皇帝 empress=女皇 duke=公爵 servant=仆人 butler=管家 maid=女仆 carpenter=木匠 blacksmith=铁匠
        potter=陶工 plumber=水管工 electrician=电工 welder=焊工 sculptor=雕塑家 writer=作家 poet=诗人 dj=音乐主持人
        rapper=说唱歌手 biker=摩托车手 commuter=通勤者 shopper=购物者 patient=病人 surgeon=外科医生 dentist=牙医
        paramedic=急救员 crewman=船员 diver=潜水员 skydiver=跳伞者 gymnast=体操运动员 wrestler=摔跤手
        golfer=高尔夫球手 bellboy=行李员 doorman=门卫 usher=引座员 executioner=刽子手 herald=传令官 bard=吟游诗人
        rogue=盗贼 scout=侦察兵 sniper=狙击手 general=将军 officer=军官 lieutenant=中尉 trooper=士兵
        marine=海军陆战队员
    """,
    "家": """
        cafe=咖啡馆 café=咖啡馆 coffee_shop=咖啡馆 restaurant=餐厅 hotel=酒店 bar=酒吧 pub=酒吧 bakery=面包店
        pharmacy=药店 cinema=电影院 bank=银行 supermarket=超市 bookstore=书店 bookshop=书店 inn=客栈 diner=小餐馆
        bistro=小酒馆 tavern=小酒馆 saloon=酒馆 motel=汽车旅馆 casino=赌场 barbershop=理发店 bike_shop=自行车店
        flower_shop=花店 toy_store=玩具店 grocery=杂货店 noodle_shop=面馆 ramen_shop=拉面店 tea_house=茶馆
        teahouse=茶馆 nightclub=夜总会 gym=健身房
    """,
    "颗": """
        star=星星 planet=行星 gem=宝石 pearl=珍珠 bead=珠子 tooth=牙齿 diamond=钻石 bullet=子弹 heart=心 seed=种子
        ruby=红宝石 emerald=绿宝石 strawberry=草莓 grape=葡萄
    """,
    "副": """
        glasses=眼镜 sunglasses=墨镜 coffin=棺材 goggles=护目镜 binoculars=双筒望远镜 headphones=耳机
        handcuffs=手铐 skeleton=骷髅 skis=滑雪板 chess_set=国际象棋
    """,
    "份": "newspaper=报纸 document=文件 breakfast=早餐 meal=饭菜 gift=礼物 present=礼物 salad=沙拉",
    "面": """
        wall=墙壁 stone_wall=石墙 flag=旗帜 mirror=镜子 drum=鼓 shield=盾牌 banner=旗子 facade=立面 brick_wall=砖墙
        gong=锣 cliff_face=崖壁 rock_face=岩壁 window_wall=窗墙 sail=帆 partition=隔墙
    """,
    "扇": """
        door=门 window=窗户 fan=风扇 shutter=百叶窗 front_door=前门 back_door=后门 fire_door=防火门
        garage_door=车库门 glass_door=玻璃门 barn_door=谷仓门 sliding_door=推拉门 trapdoor=活板门 hatch=舱门
        porthole=舷窗 stained_glass_window=彩色玻璃窗 skylight=天窗 folding_screen=屏风
    """,
    "段": "stairs=台阶 stair=台阶 staircase=楼梯 steps=台阶 spiral_staircase=螺旋楼梯",
    "根": """
        column=柱子 pillar=柱子 pole=杆子 post=柱子 pipe=管子 rod=杆 stick=棍子 beam=梁 log=原木 trunk=树干 stem=茎
        branch=树枝 rope=绳子 cable=电缆 candle=蜡烛 bone=骨头 feather=羽毛 banana=香蕉 torch=火把
        utility_pole=电线杆 telephone_pole=电线杆 telegraph_pole=电线杆 flagpole=旗杆 flag_pole=旗杆 mast=桅杆
        spear=长矛 wand=魔杖 staff=手杖 cane=手杖 walking_stick=拐杖 crutch=拐杖 bollard=路桩 stalk=茎 straw=吸管
        matchstick=火柴 match=火柴 cigarette=香烟 cigar=雪茄 needle=针 nail=钉子 tube=管子 pipeline=管道 hair=头发
        baguette=法棍面包 carrot=胡萝卜 cucumber=黄瓜 sausage=香肠 stump=树桩 tree_trunk=树干 tree_stump=树桩
        blade=叶片 windmill_blade=风车叶片 stalactite=钟乳石 icicle=冰柱 fishing_rod=鱼竿 oar=船桨 paddle=船桨
        axle=车轴 pin=针
    """,
    "棵": """
        tree=树 palm=棕榈树 pine=松树 oak=橡树 plant=植物 cactus=仙人掌 sapling=树苗 grass=草 bamboo=竹子 fir=冷杉
        fir_tree=冷杉 spruce=云杉 birch=白桦树 willow=柳树 maple=枫树 cedar=雪松 cypress=柏树 beech=山毛榉
        poplar=杨树 redwood=红杉 sequoia=红杉 baobab=猴面包树 cherry_tree=樱花树 apple_tree=苹果树
        olive_tree=橄榄树 lemon_tree=柠檬树 palm_tree=棕榈树 pine_tree=松树 oak_tree=橡树 coconut_tree=椰子树
        christmas_tree=圣诞树 conifer=针叶树 deciduous_tree=落叶树 dead_tree=枯树 bonsai=盆景 fern=蕨类植物
        seedling=幼苗 tumbleweed=风滚草 weed=野草
    """,
    "丛": """
        bush=灌木 shrub=灌木 hedge=树篱 reed=芦苇 reeds=芦苇 thicket=灌木丛 rosebush=玫瑰丛 rose_bush=玫瑰丛
        bramble=荆棘 coral=珊瑚 seagrass=海草 lily_pad=睡莲叶
    """,
    "朵": """
        flower=花 rose=玫瑰 cloud=云 mushroom=蘑菇 tulip=郁金香 dandelion=蒲公英 sunflower=向日葵 daisy=雏菊
        lily=百合 lotus=莲花 orchid=兰花 poppy=罂粟花 violet=紫罗兰 lavender=薰衣草 daffodil=水仙花 peony=牡丹
        chrysanthemum=菊花 blossom=花 wildflower=野花 cauliflower=花椰菜
    """,
    "片": """
        ground=地面 floor=地板 leaf=叶子 lawn=草坪 field=田野 forest=森林 sea=海 ocean=海洋 water=水面 sand=沙地
        terrain=地形 desert=沙漠 beach=沙滩 sky=天空 meadow=草地 pasture=牧场 orchard=果园 vineyard=葡萄园
        cornfield=玉米地 wheat_field=麦田 wheatfield=麦田 rice_paddy=稻田 paddy=稻田 clearing=林间空地 woods=树林
        woodland=林地 jungle=丛林 grassland=草原 prairie=草原 steppe=草原 savanna=稀树草原 tundra=苔原 marsh=湿地
        snowfield=雪地 petal=花瓣 puddle=水洼 parquet=木地板 parking_lot=停车场 slice=切片
    """,
    "块": """
        rock=岩石 stone=石头 boulder=巨石 brick=砖 sign=招牌 board=木板 plank=木板 billboard=广告牌 cloth=布
        carpet=地毯 rug=地毯 curtain=帘子 screen=屏幕 slab=石板 tile=瓷砖 blackboard=黑板 cheese=奶酪
        chocolate=巧克力 soap=肥皂 sponge=海绵 gemstone=宝石 crystal=水晶 ice=冰 ice_cube=冰块 cobblestone=鹅卵石
        pebble=鹅卵石 ore=矿石 gold_bar=金条 plaque=牌匾 signboard=招牌 neon_sign=霓虹招牌 street_sign=路牌
        road_sign=路牌 stop_sign=停车标志 signpost=路标 noticeboard=布告栏 whiteboard=白板 canvas=画布 label=标签
        cutting_board=砧板 surfboard=冲浪板 snowboard=滑雪板 skateboard=滑板 meteor=流星 meteorite=陨石
        asteroid=小行星 steak=牛排 cookie=饼干 biscuit=饼干 gravel=碎石 solar_panel=太阳能板
    """,
    "张": """
        face=脸 bench=长椅 table=桌子 desk=书桌 bed=床 sofa=沙发 couch=沙发 poster=海报 paper=纸 picture=画 net=网
        coffee_table=茶几 side_table=边桌 dining_table=餐桌 kitchen_table=餐桌 picnic_table=野餐桌
        park_bench=公园长椅 workbench=工作台 operating_table=手术台 pool_table=台球桌 billiard_table=台球桌
        hammock=吊床 mattress=床垫 crib=婴儿床 cot=小床 bunk_bed=双层床 blanket=毯子 ticket=票 card=卡片
        postcard=明信片 photo=照片 photograph=照片 spiderweb=蛛网 cobweb=蛛网 mat=垫子 tablecloth=桌布
        chess_board=棋盘 chessboard=棋盘
    """,
    "把": """
        chair=椅子 armchair=扶手椅 stool=凳子 umbrella=雨伞 parasol=遮阳伞 sword=剑 knife=刀 axe=斧头 hammer=锤子
        key=钥匙 guitar=吉他 gun=枪 fork=叉子 spoon=勺子 broom=扫帚 ladder=梯子 throne=王座 rocking_chair=摇椅
        office_chair=办公椅 deck_chair=躺椅 lounge_chair=躺椅 piano_stool=琴凳 bar_stool=吧台凳 violin=小提琴
        cello=大提琴 ukulele=尤克里里 banjo=班卓琴 harp=竖琴 rifle=步枪 pistol=手枪 revolver=左轮手枪
        shotgun=霰弹枪 bow=弓 crossbow=弩 dagger=匕首 katana=武士刀 saw=锯子 chainsaw=电锯 shovel=铲子 spade=铁锹
        rake=耙子 pickaxe=镐 hoe=锄头 wrench=扳手 screwdriver=螺丝刀 scissors=剪刀 comb=梳子 brush=刷子
        toothbrush=牙刷 paintbrush=画笔 lock=锁 padlock=挂锁 teaspoon=茶匙 ladle=长勺 spatula=锅铲 razor=剃刀
    """,
    "盏": """
        lamp=灯 light=灯 lamp_post=路灯 lamppost=路灯 street_lamp=路灯 street_light=路灯 lantern=灯笼
        chandelier=吊灯 spotlight=聚光灯 floor_lamp=落地灯 headlight=车灯 desk_lamp=台灯 table_lamp=台灯
        bedside_lamp=床头灯 ceiling_lamp=吊灯 ceiling_light=吸顶灯 pendant_lamp=吊灯 wall_lamp=壁灯 sconce=壁灯
        oil_lamp=油灯 lava_lamp=熔岩灯 neon_light=霓虹灯 neon_lamp=霓虹灯 flood_light=泛光灯 floodlight=泛光灯
        paper_lantern=纸灯笼 torchlight=火炬 streetlamp=路灯 streetlight=路灯 fluorescent_lamp=荧光灯
        fluorescent=荧光灯 stop_light=红灯
    """,
    "辆": """
        car=汽车 truck=卡车 lorry=卡车 van=面包车 taxi=出租车 cart=手推车 wagon=马车 carriage=马车 bus=公交车
        bicycle=自行车 bike=自行车 motorcycle=摩托车 motorbike=摩托车 scooter=滑板车 tractor=拖拉机 tank=坦克
        jeep=吉普车 ambulance=救护车 vehicle=车 tram=电车 trolley=手推车 excavator=挖掘机 wheelchair=轮椅
        race_car=赛车 convertible=敞篷车 sedan=轿车 coupe=双门轿车 hatchback=掀背车 suv=越野车 limousine=豪华轿车
        limo=豪华轿车 sports_car=跑车 pickup=皮卡 pickup_truck=皮卡 pick-up=皮卡 minivan=小型面包车 camper=房车
        caravan=房车 motorhome=房车 trailer=拖车 fire_truck=消防车 fire_engine=消防车 police_car=警车
        school_bus=校车 double-decker=双层巴士 tanker=油罐车 dump_truck=自卸车 bulldozer=推土机 forklift=叉车
        crane_truck=吊车 golf_cart=高尔夫球车 go-kart=卡丁车 kart=卡丁车 moped=轻便摩托车 quad=四轮摩托
        buggy=越野车 rover=探测车 stroller=婴儿车 pram=婴儿车 rickshaw=人力车 chariot=战车 sleigh=雪橇 sled=雪橇
        shopping_cart=购物车 wheelbarrow=独轮车 cable_car=缆车 streetcar=有轨电车 minibus=小巴 coach=长途汽车
        hearse=灵车 food_truck=餐车 delivery_van=送货车
    """,
    "列": """
        train=火车 metro=地铁 subway=地铁 steam_train=蒸汽火车 steam_locomotive=蒸汽火车 locomotive=火车
        freight_train=货运火车 bullet_train=高速列车 subway_train=地铁 railcar=轨道车
    """,
    "艘": """
        boat=船 fishing_boat=渔船 trawler=拖网渔船 hull=船体
        ship=轮船 sailboat=帆船 yacht=游艇 submarine=潜水艇 spaceship=飞船
        spacecraft=飞船 ferry=渡轮 rowing_boat=划艇 rowboat=划艇 canoe=独木舟 kayak=皮划艇 gondola=贡多拉 raft=木筏
        barge=驳船 cruise_ship=游轮 cargo_ship=货船 container_ship=集装箱船 pirate_ship=海盗船 galleon=帆船
        warship=战舰 battleship=战列舰 aircraft_carrier=航空母舰 tugboat=拖船 speedboat=快艇 motorboat=摩托艇
        steamboat=汽船 airship=飞艇 zeppelin=齐柏林飞艇 lifeboat=救生艇 dinghy=小艇 houseboat=船屋 starship=星舰
        space_ship=飞船 hovercraft=气垫船 catamaran=双体船 ufo=飞碟 icebreaker=破冰船
    """,
    "架": """
        plane=飞机 airplane=飞机 aircraft=飞机 jet=喷气机 helicopter=直升机 drone=无人机 piano=钢琴 camera=摄影机
        glider=滑翔机 satellite=卫星 biplane=双翼飞机 airliner=客机 fighter_jet=战斗机 fighter=战斗机 bomber=轰炸机
        seaplane=水上飞机 grand_piano=三角钢琴 quadcopter=四旋翼无人机 telescope=望远镜 drum_kit=架子鼓
        drum_set=架子鼓 swing_set=秋千 loom=织布机 hang_glider=悬挂滑翔机
    """,
    "枚": """
        rocket=火箭 missile=导弹 coin=硬币 medal=奖牌 stamp=邮票 badge=徽章 brooch=胸针 bomb=炸弹 grenade=手榴弹
        torpedo=鱼雷 dart=飞镖 chess_piece=棋子 die=骰子
    """,
    "只": """
        parrot=鹦鹉 swan=天鹅 peacock=孔雀 penguin=企鹅 owl=猫头鹰 squirrel=松鼠 rat=老鼠 kitten=小猫 puppy=小狗
        panda=熊猫 kangaroo=袋鼠 giraffe=长颈鹿 crocodile=鳄鱼 lizard=蜥蜴 snail=蜗牛 insect=昆虫 kite=风筝
       
        left_eye=左眼 right_eye=右眼 left_hand=左手 right_hand=右手 left_foot=左脚 right_foot=右脚
        left_ear=左耳 right_ear=右耳
        ear=耳朵 arm=胳膊 watch=手表 monkey=猴子 dog=狗 cat=猫 bird=鸟 pigeon=鸽子 dove=鸽子 crow=乌鸦 eagle=鹰
        duck=鸭子 goose=鹅 chicken=鸡 sheep=羊 goat=山羊 rabbit=兔子 bunny=兔子 fox=狐狸 wolf=狼 bear=熊 lion=狮子
        tiger=老虎 mouse=老鼠 frog=青蛙 turtle=乌龟 butterfly=蝴蝶 bee=蜜蜂 spider=蜘蛛 animal=动物 creature=生物
        monster=怪物 starfish=海星 hand=手 foot=脚 eye=眼睛 shoe=鞋 boot=靴子 teacup=茶杯 octopus=章鱼 crab=螃蟹
        seagull=海鸥 deer=鹿 raven=乌鸦 sparrow=麻雀 falcon=猎鹰 hawk=鹰 vulture=秃鹫 flamingo=火烈鸟 pelican=鹈鹕
        ostrich=鸵鸟 turkey=火鸡 rooster=公鸡 hen=母鸡 chick=小鸡 hedgehog=刺猬 raccoon=浣熊 otter=水獭 beaver=海狸
        badger=獾 bat=蝙蝠 koala=考拉 sloth=树懒 gorilla=大猩猩 chimpanzee=黑猩猩 leopard=豹 cheetah=猎豹
        jaguar=美洲豹 panther=黑豹 lynx=猞猁 coyote=郊狼 hyena=鬣狗 lamb=小羊 tortoise=陆龟 sea_turtle=海龟
        toad=蟾蜍 chameleon=变色龙 beetle=甲虫 ant=蚂蚁 fly=苍蝇 mosquito=蚊子 dragonfly=蜻蜓 ladybug=瓢虫
        moth=蛾子 cricket=蟋蟀 grasshopper=蚱蜢 scorpion=蝎子 lobster=龙虾 squid=鱿鱼 jellyfish=水母 seal=海豹
        dinosaur=恐龙 unicorn=独角兽 phoenix=凤凰 griffin=狮鹫 goblet=高脚杯 wine_glass=酒杯 glove=手套 sock=袜子
        slipper=拖鞋 sandal=凉鞋 sneaker=运动鞋 wing=翅膀 paw=爪子 claw=爪子 leg=腿 horn=角 bracelet=手镯
        earring=耳环 reindeer=驯鹿 teddy=玩具熊 hot_air_balloon=热气球 urn=瓮 hamster=仓鼠 duckling=小鸭子
        woodpecker=啄木鸟 hummingbird=蜂鸟
    """,
    "头": """
        cow=牛 bull=公牛 pig=猪 elephant=大象 donkey=驴 whale=鲸鱼 lion_cub=幼狮 ox=牛 buffalo=水牛 bison=野牛
        rhino=犀牛 rhinoceros=犀牛 hippo=河马 moose=驼鹿 boar=野猪 mammoth=猛犸象 yak=牦牛 llama=羊驼 alpaca=羊驼
        mule=骡子 calf=小牛 piglet=小猪
    """,
    "匹": "horse=马 camel=骆驼 pony=小马 zebra=斑马 stallion=种马 mare=母马 foal=小马驹",
    "条": """
        fish=鱼 snake=蛇 shark=鲨鱼 dragon=龙 road=路 path=小路 street=街道 river=河 track=轨道 race_track=赛道
        rail=栏杆 railing=栏杆 scarf=围巾 chain=链子 dolphin=海豚 curb=路缘 alley=小巷 corridor=走廊 tunnel=隧道
        sidewalk=人行道 pavement=人行道 salmon=三文鱼 goldfish=金鱼 eel=鳗鱼 worm=虫子 caterpillar=毛毛虫
        python=蟒蛇 cobra=眼镜蛇 hose=软管 belt=腰带 tie=领带 necklace=项链 towel=毛巾 trousers=裤子 pants=裤子
        jeans=牛仔裤 skirt=裙子 shorts=短裤 tail=尾巴 tentacle=触手 highway=公路 motorway=高速公路 railway=铁路
        railroad=铁路 canal=运河 creek=小溪 stream=小溪 brook=小溪 trail=小径 driveway=车道 walkway=走道
        hallway=走廊 conveyor_belt=传送带 conveyor=传送带 garland=花环 vine=藤蔓 trench=壕沟 runway=跑道
        power_line=电线 wire=电线 lane=车道
    """,
    "道": """
        fence=栅栏 barrier=路障 hedge_row=树篱 ramp=坡道 waterfall=瀑布 rainbow=彩虹 lightning=闪电 archway=拱门
        rapids=急流 curtain_wall=幕墙 picket_fence=尖桩栅栏 stone_fence=石栅栏 stairway=楼梯 barricade=路障
        hurdle=跨栏 portal=传送门 door_frame=门框
    """,
    "顶": """
        tent=帐篷 hat=帽子 awning=遮阳篷 canopy=顶篷 cap=帽子 top_hat=礼帽 cowboy_hat=牛仔帽 parachute=降落伞
        wig=假发 beanie=毛线帽 marquee=大帐篷 sunshade=遮阳伞
    """,
    "台": """
        computer=电脑 television=电视 tv=电视 monitor=显示器 machine=机器 engine=发动机 radio=收音机
        laptop=笔记本电脑 vending_machine=自动售货机 fridge=冰箱 refrigerator=冰箱 washing_machine=洗衣机
        microphone=麦克风 phone=电话 typewriter=打字机 printer=打印机 projector=投影仪 air_conditioner=空调
        dishwasher=洗碗机 microwave=微波炉 microwave_oven=微波炉 coffee_machine=咖啡机 coffee_maker=咖啡机
        sewing_machine=缝纫机 jukebox=点唱机 arcade_machine=街机 slot_machine=老虎机 pinball_machine=弹球机
        atm=自动取款机 server=服务器 server_rack=服务器机架 tablet=平板电脑 treadmill=跑步机 scale=秤 scales=秤
        microscope=显微镜 lawn_mower=割草机 lawnmower=割草机 harvester=收割机 combine=联合收割机 drill=电钻
        pump=水泵 record_player=唱片机 elevator=电梯 lift=电梯 escalator=自动扶梯 motor=电动机 smartphone=智能手机
        cell_phone=手机 mobile_phone=手机 telephone=电话 organ=管风琴
    """,
    "本": "book=书 notebook=笔记本 magazine=杂志 diary=日记本 dictionary=词典 album=相册",
    "支": """
        pen=笔 pencil=铅笔 flute=长笛 lipstick=口红 syringe=注射器 thermometer=温度计 trumpet=小号 clarinet=单簧管
        trombone=长号 quill=羽毛笔 crayon=蜡笔 marker_pen=记号笔
    """,
    "幅": "painting=画 portrait=肖像画 map=地图 mural=壁画 fresco=壁画 tapestry=挂毯 scroll=卷轴",
    "件": """
        dress=裙子 shirt=衬衫 coat=外套 jacket=夹克 furniture=家具 sweater=毛衣 hoodie=连帽衫 t-shirt=T恤
        cloak=斗篷 cape=披风 robe=长袍 kimono=和服 uniform=制服 suit=西装 armor=盔甲 armour=盔甲 vest=背心
        raincoat=雨衣 jersey=球衣 artifact=文物 toolkit=工具 instrument=乐器 saxophone=萨克斯管
    """,
    "级": "step=台阶",
    "堆": """
        pile=东西 fire=火 campfire=篝火 hay=干草 rubble=瓦砾 bonfire=篝火 woodpile=木柴 haystack=干草 garbage=垃圾
        trash=垃圾 junk=废品 debris=碎片 firewood=木柴 snow=雪 coal=煤
    """,
    "群": "crowd=人 people=人 flock=鸟 herd=牲畜 cattle=牛",
    "间": """
        shop=商店 store=商店 room=房间 kitchen=厨房 bathroom=浴室 office=办公室 classroom=教室 bedroom=卧室
        living_room=客厅 studio=工作室 workshop=工坊 laboratory=实验室 lab=实验室 cell=牢房 toolshed=工具房
        porch=门廊 dining_room=餐厅
    """,
    "层": "roof=屋顶 ceiling=天花板 fog=雾",
    "门": "cannon=大炮 mortar=迫击炮 howitzer=榴弹炮",
    "节": "train_car=火车车厢",
    "部": "cellphone=手机",
    "瓶": "wine=葡萄酒 perfume=香水 beer=啤酒",
    "团": "smoke=烟 fireball=火球 yarn=毛线",
    "串": "grapes=葡萄 keychain=钥匙链 beads=珠子 string_lights=灯串 fairy_lights=灯串",
    "杯": "coffee=咖啡 tea=茶 juice=果汁 milk=牛奶 cocktail=鸡尾酒",
}
