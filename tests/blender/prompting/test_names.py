# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and descriptions of things as nouns of both languages."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_briefs import brief_of, make_shot
from reading_rules import chinese_faults, english_faults
from wan_previs.prompting import build_prompt, prompt_text
from wan_previs.prompting.chinese.grammar import counted as in_chinese
from wan_previs.prompting.english.grammar import counted
from wan_previs.prompting.nouns import ADJECTIVES, GROUPS, NOUNS
from wan_previs.prompting.subjects import noun, subject_words
from wan_previs.scene.brief import Environment, Motion, Subject
from wan_previs.scene.subjects.names import clean_name


def named(name):
    return Subject(name, None, (0.4, 0.2, 0.6, 0.8), 5.0, Motion("moving", 1.0, "left"))


def described(words):
    return Subject("Cube", words, (0.4, 0.2, 0.6, 0.8), 5.0, Motion("moving", 1.0, "left"))


@pytest.mark.parametrize("make", [named, described])
@pytest.mark.parametrize(
    ("words", "english", "chinese"),
    [
        ("a man", "a man", "一个男人"),
        ("the dog's bed", "a dog's bed", "一张床"),
        ("an apple", "an apple", "一个苹果"),
        ("him", 'an object called "him"', "一个物体"),
        ("x", 'an object called "x"', "一个物体"),
        ("équipe", "an équipe", "一个物体"),
        ("über", "an über", "一个物体"),
        ("one way sign", "a one way sign", "一块招牌"),
        ("face", "a face", "一张脸"),
        ("bottle", "a bottle", "一个瓶子"),
        ("people", "people", "一群人"),
        ("some people", "some people", "几个人"),
        ("many trees", "many trees", "许多树"),
        ("flock of birds", "a flock of birds", "一群鸟"),
        ("policemen", "policemen", "几名警察"),
        ("beggar", "a beggar", "一名乞丐"),
        ("small cafe", "a small cafe", "一家小咖啡馆"),
        ("huge broken tower", "a huge broken tower", "一座巨大破损的塔楼"),
        ("红色汽车", "a red car", "一辆红色汽车"),
        ("古老的红色城堡", "an ancient red castle", "一座古老红色城堡"),
    ],
)
def test_a_name_and_a_description_give_the_same_noun(make, words, english, chinese):
    told = noun(make(words))
    assert counted(told, 1) == english
    assert in_chinese(told, 1) == chinese


@pytest.mark.parametrize(
    ("name", "english", "chinese"),
    [
        ("Steam Locomotive", "a steam locomotive", "一列蒸汽火车"),
        ("Perfume_Bottle", "a perfume bottle", "一个香水瓶子"),
        ("Windmill Blade", "a windmill blade", "一根风车叶片"), ("Sundial", "a sundial", "一个日晷"),
        ("Zorblax", "a zorblax", "一个物体"),
        ("Sandwich", "a sandwich", "一个三明治"), ("Zorblax Chair", "a zorblax chair", "一把椅子"),
        ("Haus.002", "a house", "一座房子"), ("Straßenlaterne", "a street lamp", "一盏路灯"),
        ("silla_01", "a chair", "一把椅子"),
        ("Стол", "a table", "一张桌子"), ("Árbol", "a tree", "一棵树"), ("ドア", "a door", "一扇门"),
        ("木桌", "a wooden table", "一张木制桌子"), ("红灯笼", "a red lantern", "一盏红色灯笼"),
        ("古风凉亭", "a gazebo", "一座凉亭"), ("测试物", 'an object called "测试物"', "一个测试物"),
    ],
)  # fmt: skip
def test_names_of_many_languages(name, english, chinese):
    told = noun(replace(named(name), noun=clean_name(name)))
    assert (counted(told, 1), in_chinese(told, 1)) == (english, chinese)


@pytest.mark.parametrize(
    ("color", "name", "chinese"),
    [
        (None, "铁锅", "一个铁锅"), (None, "木桌", "一张木桌"), (None, "老树.001", "一棵老树"),
        (None, "纸箱_02", "一个纸箱"),
        (None, "三轮车", "一辆三轮车"), (None, "石桥", "一座石桥"), ("red", "红灯笼", "一盏红灯笼"),
        ("brown", "木箱", "一个棕色木箱"), ("red", "老人", "一个穿红色衣服的老人"),
        ("green", "Iron Pot", "一个绿色铁锅"),
        ("brown", "Old Truck", "一辆棕色旧卡车"), (None, "Old Man Head", "一个年老男人头"),
        ("white", "Left Eye", "一只白色左眼"),
        (None, "Old Dog", "一只老狗"), (None, "Old Shoe", "一只旧鞋"), (None, "Brick Wall", "一面砖墙"),
        (None, "Wooden Box", "一个木箱"), (None, "Wooden Table", "一张木制桌子"),
        (None, "蒸汽朋克飞机", "一架蒸汽朋克飞机"),
    ],
)  # fmt: skip
def test_chinese_names_stay_whole_in_chinese(color, name, chinese):
    plain = clean_name(name)
    thing = replace(named(name), noun=plain, description=color and f"{color} {plain}")
    shot = make_shot(subjects=(thing,))
    prompt = build_prompt(brief_of(shot), shot)
    assert f"画面中间有{chinese}。" in prompt_text(prompt, "zh")
    assert chinese_faults(prompt_text(prompt, "zh")) == [] and not re.search("[\u4e00-\u9fff]", prompt_text(prompt))


@pytest.mark.parametrize(
    ("color", "name", "english", "chinese"),
    [
        ("red", "Woman", "a woman in red", "一个穿红色衣服的女人"),
        ("blue", "Fisherman", "a fisherman in blue", "一名穿蓝色衣服的渔夫"),
        ("beige", "Boy", "a boy", "一个男孩"), ("orange", "Face", "a face", "一张脸"),
        ("green", "Face", "a green face", "一张绿色脸"),
        ("black", "Grand Piano", "a black grand piano", "一架黑色三角钢琴"),
        ("red", "Zorblax", "a red zorblax", "一个红色物体"),
        ("red", "红灯笼", "a red lantern", "一盏红色灯笼"),
        ("brown", "Old Truck", "an old brown truck", "一辆棕色旧卡车"),
        ("green", "XJ Unit", "a green xj unit", "一个绿色物体"),
        ("white", "Big Old House", "a big old white house", "一座白色大旧房子"),
        (None, "XJ Unit", "an xj unit", "一个物体"),
        ("beige", "Barn", "a beige barn", "一座米色谷仓"),
    ],
)  # fmt: skip
def test_colours_of_things_and_of_people(color, name, english, chinese):
    plain = clean_name(name)
    told = noun(replace(named(name), noun=plain, description=color and f"{color} {plain}"))
    assert (counted(told, 1), in_chinese(told, 1)) == (english, chinese)


def test_of_the_users_own_words_nothing_is_left_out():
    (told,) = subject_words((replace(described("a zorblax from Mars"), noun="cube"),))
    assert told.own and in_chinese(told.noun, 1, told.own) == "一个物体（zorblax from Mars）"


def test_parts_are_not_told_beside_the_whole():
    names = ("Barn", "Barn Roof", "Fir crown", "Fir trunk", "Table", "Table Lamp", "Windmill", "Windmill Blades")
    things = [replace(named(name), noun=clean_name(name), motion=Motion("static", 0.0)) for name in names]
    things[-1] = replace(things[-1], motion=Motion("turning", 0.0))
    told = [one.noun for one in subject_words(tuple(things), most=9)]
    assert told == ["barn", "fir tree", "table", "table lamp", "windmill", "windmill blades"]


def test_two_things_that_nobody_knows_are_two_things():
    around = Environment()
    shot = make_shot(
        subjects=(named("Zorblax"), replace(named("Quux"), motion=Motion("static", 0.0))), environment=around
    )
    text = prompt_text(build_prompt(brief_of(shot), shot), "zh")
    assert "有两个物体" in text and "其中一个物体" in text


@pytest.mark.parametrize(("words", "chinese"), [("people", "三个人"), ("face", "三张脸"), ("singer", "三名歌手")])
def test_three_of_them(words, chinese):
    assert in_chinese(noun(named(words)), 3) == chinese


def test_a_chinese_name_that_nobody_knows_has_the_measure_word_of_its_end():
    assert in_chinese("蒸汽朋克飞机", 1) == "一架蒸汽朋克飞机"


WORDS = st.sampled_from(
    [*NOUNS, *ADJECTIVES, *GROUPS, "a", "an", "the", "of", "him", "x", "équipe", "Ötzi", "said", "3", "two", "people's"]
)


@given(st.lists(WORDS, min_size=1, max_size=4), st.booleans())
def test_any_words_keep_to_the_rules(words, as_description):
    name = " ".join(words)
    shot = make_shot(subjects=((described if as_description else named)(name),))
    prompt = build_prompt(brief_of(shot), shot)
    english, chinese = prompt_text(prompt), prompt_text(prompt, "zh")
    faults = [fault for fault in english_faults(english) if re.match("an? for|article|doubled article", fault)]
    faults += [fault for fault in chinese_faults(chinese) if "measure" in fault or "foreign letters" in fault]
    assert faults == [] and not re.search(r"\b[Aa]n? (?:an?|the|him)\b", english)


def test_things_that_move_alike_are_counted_together():
    trucks = [
        replace(named(f"Truck.{i:03}"), screen_box=(x, 0.2, x + 0.1, 0.4)) for i, x in enumerate((0.1, 0.45, 0.8))
    ]
    (told,) = subject_words(tuple(trucks))
    assert (told.count, told.position, told.direction) == (3, "across", "left")
    away = replace(trucks[2], motion=Motion("moving", 1.0, "away"))
    assert [one.count for one in subject_words((*trucks[:2], away))] == [2, 1]
