# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's properties are the table of options, and files of earlier versions open with their values."""

import warnings
from dataclasses import replace
from pathlib import Path

import bpy
import pytest
from wan_previs import previs, properties
from wan_previs.properties.choices import EXPERTS, property_of, stored, switched_off
from wan_previs.wan_engine.checkpoint.summary import MODES
from wan_previs.wan_engine.light_curve import LIGHT_SOURCES
from wan_previs.wan_engine.option_kinds import Flag, Number, OneOf, Whole
from wan_previs.wan_engine.options import AUTO, Choice, Option
from wan_previs.wan_engine.request_parts import LORA_EXPERTS

OLD = Path(__file__).resolve().parents[2] / "data" / "before_options"
COMPOSED = {"model", "size", "loras", "references"}
SINGLE = [option for name, option in previs.OPTIONS.items() if name not in COMPOSED]


@pytest.fixture
def state(blank_scene):
    """The settings of a new scene."""
    with properties.available():
        yield blank_scene.wan_previs


def test_an_untouched_scene_holds_the_defaults(state):
    state.model, state.checkpoint = "CUSTOM", "/models/wan"
    assert previs.Settings(**state.chosen()) == previs.Settings(model="/models/wan")
    state.model = "NANO"
    assert previs.Settings(**state.chosen()) == previs.Settings()


@pytest.mark.parametrize("option", SINGLE, ids=lambda option: option.name)
def test_a_property_is_made_of_its_row(option, state):
    made = state.bl_rna.properties[option.name]
    assert (made.name, made.description) == (option.title, option.help)
    assert stored(state, option) == option.default or option.name == "template"
    if isinstance(option.kind, OneOf):
        numbers = {item.identifier: item.value for item in made.enum_items if item.identifier != "NONE"}
        assert numbers == {str(choice.value): choice.number for choice in option.kind.choices}
        for choice in option.kind.choices:
            setattr(state, option.name, str(choice.value))
            assert stored(state, option) == choice.value
    elif isinstance(option.kind, Whole | Number) and not getattr(option.kind, "offered", ()):
        most = 2**31 - 1  # of Blender's
        ends = option.kind.low, most if option.kind.high is None else min(option.kind.high, most)
        for value in filter(option.kind.accepts, ends):
            setattr(state, option.name, value)
            assert stored(state, option) == pytest.approx(value)
        setattr(state, option.name, -5)
        assert stored(state, option) in (option.default, option.kind.low)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        (Option("grain", Number(0, 1), 0.0, "Grain", title="Grain"), 0.5),
        (Option("grain", Number(0, 1), None, "Grain", title="Grain"), 0.0),
        (Option("grain", Number(0, open=True), None, "Grain", title="Grain"), 3.0),
        (Option("grain", Whole(1), None, "Grain", title="Grain"), 3),
        (Option("grain", Flag(), False, "Grain", title="Grain"), True),
        (Option("grain", OneOf(Choice("a", "A", "a", 0), Choice("b", "B", "b", 1)), None, "Grain", title="Grain"), "a"),
    ],
    ids=lambda item: type(item.kind).__name__ if isinstance(item, Option) else str(item),
)
def test_any_new_row_can_be_stored(option, value):
    group = type("WanPrevisTrial", (bpy.types.PropertyGroup,), {"__annotations__": {"grain": property_of(option)}})
    bpy.utils.register_class(group)
    bpy.types.Scene.trial = bpy.props.PointerProperty(type=group)
    try:
        state = bpy.context.scene.trial
        state.property_unset("grain")
        assert stored(state, option) == option.default
        state.grain = value
        assert stored(state, option) == value
    finally:
        del bpy.types.Scene.trial
        bpy.utils.unregister_class(group)


def test_choices_are_those_that_other_rooms_know():
    assert previs.OPTIONS["mode"].kind.names == (AUTO, *MODES)
    assert previs.OPTIONS["expected_light"].kind.names == LIGHT_SOURCES
    assert [expert[0] for expert in EXPERTS] == [*LORA_EXPERTS, "auto"]


def test_what_needs_an_option_that_is_off_is_grey(state):
    assert not switched_off(state, "upscale"), "the model's own default may be to enlarge"
    state.upscale, state.guide_light = "0", "off"
    assert switched_off(state, "upscale") and switched_off(state, "guide_light")
    assert all(option.needs in previs.OPTIONS for option in SINGLE if option.needs)


def test_paths_may_be_relative_to_the_file(state):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        state.checkpoint = state.output = state.upscale_model = "//beside"
        state.loras.add().path = "//style.safetensors"
    assert not told


def test_a_file_of_an_earlier_version_opens_with_its_values():
    bpy.ops.wm.open_mainfile(filepath=str(OLD / "settings.blend"), load_ui=False)
    with properties.available():
        chosen = previs.Settings(**bpy.context.scene.wan_previs.chosen())
    beside = str(OLD)
    assert chosen == previs.Settings(
        model="//checkpoint", mode="first", size=(96, 64), steps=3, seed=11, guide_light="strict",
        expected_light="render", repair=("deflicker", "color"), upscale=2, upscale_model=f"{beside}/up.pth",
        interpolation_model=f"{beside}/between.onnx", refine=pytest.approx(0.3), codec="png", preset="lightning",
        dtype="bfloat16", offload="block", step_cache=pytest.approx(0.1), vae_tiles=256, output=f"{beside}/clips",
        loras=(
            previs.Lora(f"{beside}/style.safetensors", 0.5, "high"),
            previs.Lora(f"{beside}/other_low.safetensors", 1.0, "low"),
        ),
        description="an old cloister", style="noir", negative="people", template="{style}{user}{light}",
        shot_words={"Camera": previs.ShotWords("slow push in", "birds")},
    )  # fmt: skip


def test_old_values_do_not_take_the_place_of_new_ones():
    bpy.ops.wm.open_mainfile(filepath=str(OLD / "settings.blend"), load_ui=False)
    with properties.available():
        state = bpy.context.scene.wan_previs
        state.dtype, state.repair = "float16", set()
        properties.bring_up_to_date()
        assert state.dtype == "float16" and state.repair == set() and not state.is_property_set("precision")


def test_a_preset_of_an_earlier_version_is_read(tmp_path, monkeypatch):
    from wan_previs.previs import presets

    (tmp_path / "Old Noir.json").write_bytes((OLD / "preset.json").read_bytes())
    monkeypatch.setattr(presets, "preset_folder", lambda create=False: tmp_path)
    fields = presets.read_preset("Old Noir")
    assert fields == {"template": "{style}{user}{light}", "style": "noir", "negative": "people"}
    assert set(fields) <= set(previs.OPTIONS)
    assert replace(previs.Settings(), **fields).style == "noir"
