# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever reads the brief finds its subjects in the file: by the objects' own names, groups by all of them."""

import bpy
import pytest
from scene_makers import add_box, link
from wan_previs.prompting import build_prompt, prompt_text
from wan_previs.scene.reader import read_brief


def subjects_of(scene):
    return read_brief(scene)[0].shots[0].subjects


@pytest.mark.parametrize(
    ("name", "noun"),
    [
        ("Chair.003", "chair"),
        ("SM_OldTree_LOD0", "old tree"),
        ("LampPost", "lamp post"),
        ("路灯.001", "路灯"),
        ("v2", "v2"),
    ],
)
def test_name_is_the_objects_own_and_noun_its_words(scene, name, noun):
    add_box(scene, name)
    (subject,) = subjects_of(scene)
    assert (subject.name, subject.noun, subject.members) == (name, noun, None)
    assert subject.name in bpy.data.objects


def test_a_thing_of_parts_has_the_name_of_the_largest_and_all_as_members(scene):
    cart = add_box(scene, "Cart_GEO", (0, 0, 1), (1.0, 1.0, 0.4))
    load = add_box(scene, "Crate.007", (0, 0, 0.8), (2.0, 2.0, 1.5))
    wheel = add_box(scene, "Wheel.L", (-0.6, 0, 0.2), (0.2, 0.4, 0.4))
    load.parent = wheel.parent = cart
    (subject,) = subjects_of(scene)
    assert (subject.name, subject.noun, subject.count) == ("Crate.007", "cart", 1)
    assert subject.members == ("Crate.007", "Cart_GEO", "Wheel.L")


def test_hidden_parts_are_no_members(scene):
    boat = add_box(scene, "Boat")
    for name in ("Mast", "Proxy"):
        add_box(scene, name, size=(0.2, 0.2, 3.0)).parent = boat
    scene.objects["Proxy"].hide_render = True
    (subject,) = subjects_of(scene)
    assert subject.members == ("Mast", "Boat")


def test_a_rigged_body_is_found_by_its_mesh(scene):
    rig = link(scene, "metarig", bpy.data.armatures.new("metarig"))
    for name, size in (("Hero_body", (1.0, 0.5, 1.8)), ("Hero_hat", (0.4, 0.4, 0.3))):
        add_box(scene, name, size=size).modifiers.new("Armature", "ARMATURE").object = rig
    (subject,) = subjects_of(scene)
    assert (subject.name, subject.members) == ("Hero_body", ("Hero_body", "Hero_hat"))


def test_a_crowd_names_its_largest_and_all(scene):
    heights = (2.0, 1.6, 2.6, 1.8, 2.2)
    for index, height in enumerate(heights):
        add_box(scene, f"Tree.{index:03}", (index * 1.5 - 3, index * 0.7, height / 2), (0.6, 0.6, height))
    (subject,) = subjects_of(scene)
    assert (subject.name, subject.noun, subject.count) == ("Tree.002", "tree", 5)
    assert subject.members == ("Tree.002", "Tree.004", "Tree.000", "Tree.003", "Tree.001")


def test_a_collection_instance_is_its_empty(scene):
    stock = bpy.data.collections.new("Barrels")
    stock.objects.link(bpy.data.objects.new("barrel mesh", add_box(scene, "spare", (0, 0, 50)).data))
    place = link(scene, "Barrels.004", location=(0, 0, 1))
    place.instance_type, place.instance_collection = "COLLECTION", stock
    (subject,) = subjects_of(scene)
    assert (subject.name, subject.noun, subject.members) == ("Barrels.004", "barrels", None)


def test_the_prompt_says_the_noun(scene):
    add_box(scene, "SM_TeaPot_LOD0.012")
    brief, _ = read_brief(scene)
    text = prompt_text(build_prompt(brief, brief.shots[0]))
    assert "tea pot" in text and "LOD" not in text and "SM" not in text
