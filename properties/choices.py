# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's properties, made from the table of options: items, bounds, defaults and words are those of the rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from .. import previs
from ..compat import path_options
from ..wan_engine.option_kinds import AnyOf, Choice, File, Flag, Number, OneOf, Text, Whole
from ..wan_engine.options import Option

MODELS = (
    ("NANO", "Nano", "The small model that comes with Wan Previs: quick and rough, for trying things out"),
    ("CUSTOM", "From Folder", "A model in a folder of yours"),
)
SIZES = (
    ("MODEL", "As the Model Likes", "The size that the model was made for"),
    ("CUSTOM", "Choose", "An area of your own, as width and height; the clips have the scene's shape"),
)
EXPERTS = (
    ("both", "Both", "For both experts, and for models with one transformer"),
    ("high", "High Noise", "For the expert that lays out the picture"),
    ("low", "Low Noise", "For the expert that works out the details"),
    ("auto", "By Name", "For the expert that the file's name tells, such as high_noise; else for both"),
)
_NONE = "NONE"
_LARGEST_INT = 2**31 - 1  # of Blender's


def property_of(option: Option, update: Callable[..., None] | None = None) -> Any:
    """The property that stores an option. One that may have no value says so by "", or a number below its bounds."""
    kind = option.kind
    words = {"name": option.title, "description": option.help, **({"update": update} if update else {})}
    if isinstance(kind, OneOf | AnyOf) or (isinstance(kind, Whole) and kind.offered):
        default = option.default
        default = set(default) if isinstance(kind, AnyOf) else _NONE if default is None else str(default)
        flags = {"options": {"ENUM_FLAG", "ANIMATABLE"}} if isinstance(kind, AnyOf) else {}
        return EnumProperty(items=_items(option), default=default, **flags, **words)
    if isinstance(kind, Whole | Number):
        soft = {} if option.soft is None else {"soft_max": option.soft}
        bounds = {"default": _unset(option) if option.default is None else option.default}
        low = 0 if kind.off else bounds["default"] if option.default is None else kind.low
        bounds |= {} if low is None else {"min": low}
        bounds |= {} if kind.high is None else {"max": min(kind.high, _LARGEST_INT)}
        return (IntProperty if isinstance(kind, Whole) else FloatProperty)(**bounds, **soft, **words)
    if isinstance(kind, Flag):
        return BoolProperty(default=option.default, **words)
    if isinstance(kind, File):
        subtype = "DIR_PATH" if kind.is_folder else "FILE_PATH"
        return StringProperty(subtype=subtype, options=path_options(), **words)
    if isinstance(kind, Text):
        return StringProperty(default=option.default or "", **words)
    raise TypeError(f"{option.name} is of a kind that no single property stores.")


def stored(group: bpy.types.PropertyGroup, option: Option) -> Any:
    """The value of an option in a group that has its property."""
    kind, value = option.kind, getattr(group, option.name)
    if isinstance(kind, OneOf) or (isinstance(kind, Whole) and kind.offered):
        # A file of another version, or a script, may hold a choice that is none here: Blender reads "" then.
        return (
            None
            if value == _NONE
            else next((c.value for c in _choices(option) if str(c.value) == value), option.default)
        )
    if isinstance(kind, AnyOf):
        return tuple(name for name in kind.names if name in value)
    if isinstance(kind, File):
        return bpy.path.abspath(value) or None
    if isinstance(kind, Number) and not kind.accepts(value):
        if kind.high is not None and value > kind.high:
            return kind.high  # which Blender's short floats pass by a rounding
        return 0.0 if kind.off else option.default
    return None if option.default is None and not kind.accepts(value) else value


def switched_off(group: bpy.types.PropertyGroup, name: str) -> bool:
    """Whether the option of that name is off, so that what needs it does nothing."""
    return stored(group, previs.OPTIONS[name]) in (0, "off", ())


def _choices(option: Option) -> tuple[Choice, ...]:
    kind: Any = option.kind
    return tuple(kind.offered if isinstance(kind, Whole) else kind.choices)


def _items(option: Option) -> list[tuple[Any, ...]]:
    items = [(str(c.value), c.title, c.help, c.number) for c in _choices(option)]
    if option.default is None:
        free = min(set(range(len(items) + 1)) - {item[3] for item in items})
        return [(_NONE, *option.empty, free), *items]
    return items


def _unset(option: Option) -> float:
    """The number that stands for none: 0 where that is no value, else one below the least."""
    kind: Any = option.kind
    return float(kind.low - 1) if kind.accepts(0) else 0
