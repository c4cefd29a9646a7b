# SPDX-License-Identifier: GPL-3.0-or-later
"""A take shows the clip's own colours, whatever the scene's colour management makes of pictures.

The sequencer shows every strip through the scene's view transform, exposure, look, gamma, curves and white balance. A
clip has been through them already, so its strip gets the colour space, and where that is not enough the curves, that
they turn into the clip's colours again. Measured, not modelled: Blender itself saves patches as it would save a render.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from ..scratch import scratch_folder

CURVES = "Clip's own colors"  # the strip modifier
NOTE = "color_note"
OFF = 2.0  # of 255 on average: more is told
_EXACT = 0.3
_UNTOUCHED = ("sRGB", "Standard", "None", 0.0, 1.0, False, False)
_WHITE = ("use_white_balance", "white_balance_temperature", "white_balance_tint")
_LINEAR = ("Linear Rec.709", "scene_linear")
_LEVELS = np.arange(256) / 255
_POINTS = np.unique(np.round(np.linspace(0, 1, 49) ** 1.5 * 255)).astype(int)  # more of them in the dark
_STOPS = np.linspace(-16.0, 16.0, 2048)
_COLORS = 1024
_TABLE = 256  # steps of a curve's table (CM_TABLE in BKE_colortools.hh)

Values = NDArray[np.float64]  # [N, 3]


@dataclass(frozen=True)
class Way:
    """How strips are shown in their own colours: a colour space, and a curve per channel (or none) as points [N, 2], in
    the encoding that modifiers work in. `off` is what colours are missed by on average, of 255.
    """

    space: str
    curves: tuple[Values, ...]
    off: float


def keep_colors(scene: bpy.types.Scene, strips: Iterable[Any]) -> None:
    """Show takes of `scene` in their own colours; where that cannot be done well, `strip["color_note"]` tells why."""
    ways: dict[bool, Way] = {}
    for strip in strips:
        try:
            linear = _is_linear(strip)
            ways[linear] = ways.get(linear) or find_way(scene, linear)
            apply_way(strip, ways[linear])
            words = why_off(scene, ways[linear])
        except (OSError, RuntimeError) as error:
            words = f"The take may have other colors than its clip, because they cannot be measured: {error}"
        strip.pop(NOTE, None)
        if words:
            strip[NOTE] = words


def find_way(scene: bpy.types.Scene, linear_pictures: bool = False) -> Way:
    """The best way for pictures of 8 bit in `scene`, or for pictures of those in linear light."""
    if _settings(scene) == _UNTOUCHED:
        return Way("sRGB", (), 0.0)
    with _Display.of(scene) as display:
        colors = np.round(np.concatenate(_clip_colors(scene, display)) * 255) / 255
        spaces = ["sRGB"] if linear_pictures else _spaces(scene)
        best = min((_without_curves(display, space, colors) for space in spaces), key=lambda way: way.off)
        linear = _works_in_linear_light(scene)
        if best.off <= _EXACT or linear is None:
            return best
        grays = display.grays()
        curved = (_with_curves(display, space, colors, grays, linear) for space in spaces)
        return min([best, *curved], key=lambda way: way.off)


def apply_way(strip: Any, way: Way) -> None:
    """Show a take so. Its other modifiers stay, before ours."""
    for modifier in [m for m in strip.modifiers if m.name.startswith(CURVES)]:
        strip.modifiers.remove(modifier)
    strip.colorspace_settings.name = "Linear Rec.709" if _is_linear(strip) else way.space
    strip.use_float = bool(way.curves) or way.space != "sRGB"  # bytes end at 1, and light does not
    if way.curves:
        mapping = strip.modifiers.new(name=CURVES, type="CURVES").curve_mapping
        mapping.use_clip, mapping.extend = False, "EXTRAPOLATED"
        for curve, points in zip(mapping.curves, way.curves, strict=False):
            _set_points(curve, points)
        mapping.update()


def _is_linear(strip: Any) -> bool:
    """Whether it is of pictures in linear light."""
    return bool(strip.elements[0].filename.lower().endswith(".exr"))


def why_off(scene: bpy.types.Scene, way: Way) -> str:
    """What to tell about takes of a scene that are not seen in their own colours; "" when they are."""
    moving = [*compat.fcurves(scene), *(scene.animation_data.drivers if scene.animation_data else ())]
    if any(curve.data_path.startswith(("view_settings", "display_settings")) for curve in moving):
        return (
            f"The color management of scene {scene.name!r} is animated, so takes in its sequencer have the clip's own "
            "colors only where it is as at the current frame. Edit them in a scene of their own with the view Standard."
        )
    if way.off > OFF:
        view = scene.view_settings
        name = view.view_transform + (f" with the look {view.look}" if view.look != "None" else "")
        return (
            f"Scene {scene.name!r} is shown through {name}, which cannot be undone exactly: takes in its sequencer are "
            f"off by {way.off:.0f} of 255 on average. Edit them in a scene of their own with the view Standard."
        )
    return _elsewhere(scene)


def _elsewhere(scene: bpy.types.Scene) -> str:
    for other in bpy.data.scenes:
        editor = other.sequence_editor
        strips: Iterable[Any] = getattr(editor, "strips_all" if hasattr(editor, "strips_all") else "sequences_all", ())
        shown = any(s.type == "SCENE" and s.scene == scene and s.scene_input == "SEQUENCER" for s in strips)
        if other != scene and shown and _settings(other) != _settings(scene):
            return (
                f"Scene {other.name!r} shows the sequencer of {scene.name!r} through a color management of its own, so "
                "takes have other colors there. Give both scenes the same, or copy the strips there and show them."
            )
    return ""


def _settings(scene: bpy.types.Scene) -> tuple[Any, ...]:
    view = scene.view_settings
    return (
        scene.display_settings.display_device, view.view_transform, view.look, view.exposure, view.gamma,
        view.use_curve_mapping, getattr(view, "use_white_balance", False),
    )  # fmt: skip


def _spaces(scene: bpy.types.Scene) -> list[str]:
    """Colour spaces to try: those that are made for the scene's view and display."""
    view, display = scene.view_settings.view_transform, scene.display_settings.display_device
    known = bpy.types.ColorManagedInputColorspaceSettings.bl_rna.properties["name"].enum_items
    fitting = [item.identifier for item in known if item.identifier.startswith(f"{view.split()[0]} ")]
    return [name for name in dict.fromkeys(["sRGB", display, *fitting]) if name in known]


def _works_in_linear_light(scene: bpy.types.Scene) -> bool | None:
    """Whether the sequencer's modifiers are given linear light, or sRGB values; None for anything else."""
    space = scene.sequencer_colorspace_settings.name
    return True if space in _LINEAR else False if space == "sRGB" else None


def _without_curves(display: _Display, space: str, colors: Values) -> Way:
    return Way(space, (), _off(display.shown(display.decoded(space, colors)), colors))


def _with_curves(display: _Display, space: str, colors: Values, grays: Values, linear: bool) -> Way:
    """Each channel's curve leads from what the space makes of a gray to the light that is shown as that gray."""
    encode, decode = (_same, _same) if linear else (_encoded, _decoded)
    start, end = encode(display.decoded(space, np.repeat(_LEVELS[:, None], 3, axis=1))), encode(grays)
    curves = tuple(_rising(start[_POINTS, channel], end[_POINTS, channel]) for channel in range(3))
    before = encode(display.decoded(space, colors))
    after = np.stack([_along(points, before[:, channel]) for channel, points in enumerate(curves)], axis=1)
    return Way(space, curves, _off(display.shown(decode(after)), colors))


def _off(shown: Values, colors: Values) -> float:
    """By the scene whose colours are missed most."""
    return float(np.abs(shown - colors).reshape(-1, _COLORS * 3).mean(1).max() * 255)


def _clip_colors(scene: bpy.types.Scene, display: _Display) -> list[Values]:
    """What clips look like: as the scene itself, or one beside it that is only edited here."""
    others = {_settings(other): other for other in bpy.data.scenes}
    found = [display.scene_colors()]
    for settings, other in others.items():
        if settings != _settings(scene):
            with _Display.of(other) as theirs:
                found.append(theirs.scene_colors())
    return found


def _rising(x: Values, y: Values) -> Values:
    """Points whose places rise: a space may show several dark grays alike."""
    kept = np.concatenate([[True], np.diff(np.maximum.accumulate(x)) > 1e-5])
    return np.stack([x[kept], y[kept]], axis=1)


def _along(points: Values, x: Values) -> Values:
    """A curve as Blender takes it: straight between the points and beyond them, but from a table of even steps, which
    is coarse for the dark where the last place is far above 1.
    """
    table = np.linspace(points[0, 0], points[-1, 0], _TABLE + 1)
    y = np.interp(x, table, np.interp(table, points[:, 0], points[:, 1]))
    for end, inner in ((0, 1), (-1, -2)):
        slope = (points[end, 1] - points[inner, 1]) / (points[end, 0] - points[inner, 0])
        beyond = x < points[0, 0] if end == 0 else x > points[-1, 0]
        y = np.where(beyond, points[end, 1] + slope * (x - points[end, 0]), y)
    return y


def _set_points(curve: Any, points: Sequence[Any] | Values) -> None:
    while len(curve.points) > 2:
        curve.points.remove(curve.points[1])
    curve.points[0].location, curve.points[1].location = points[0], points[-1]
    for x, y in points[1:-1]:
        curve.points.new(x, y)
    for point in curve.points:
        point.handle_type = "VECTOR"


class _Display:
    """A scene's colour management, as an empty scene with the same settings saves pictures."""

    def __init__(self, scene: bpy.types.Scene, folder: Path) -> None:
        self._scene, self._folder = scene, folder

    @classmethod
    @contextmanager
    def of(cls, scene: bpy.types.Scene) -> Iterator[_Display]:
        copy = bpy.data.scenes.new("Colors")
        try:
            _copy_settings(scene, copy)
            image = copy.render.image_settings
            if hasattr(image, "media_type"):  # from 5.0 on it decides which file formats there are
                image.media_type = "IMAGE"
            image.color_management = "FOLLOW_SCENE"
            copy.render.dither_intensity = 0.0
            with scratch_folder() as folder:
                yield cls(copy, folder)
        finally:
            bpy.data.scenes.remove(copy)

    def shown(self, linear: Values) -> Values:
        """Scene-linear light -> display values 0..1."""
        return self._saved(linear, "PNG", "16", None)

    def decoded(self, space: str, values: Values) -> Values:
        """Values of 8 bit in a colour space -> scene-linear light."""
        return self._saved(values, "OPEN_EXR", "32", space)

    def scene_colors(self) -> Values:
        """What a scene may look like: colours of all kinds from the dark to the bright, as they are shown."""
        random = np.random.default_rng(0)
        light = 2.0 ** (random.uniform(-9, 1.5, (_COLORS, 1)) - self._scene.view_settings.exposure)
        return self.shown(light * random.uniform(0.1, 1.0, (_COLORS, 3)))

    def grays(self) -> Values:
        """The light [256, 3] whose gray shows the values 0, 1, ... 255 in each channel."""
        light = np.concatenate([[0.0], 2.0 ** (_STOPS - self._scene.view_settings.exposure)])
        shown = np.maximum.accumulate(self.shown(np.repeat(light[:, None], 3, axis=1)), axis=0)
        first = [np.unique(shown[:, channel], return_index=True) for channel in range(3)]
        return np.stack([np.interp(_LEVELS, values, light[index]) for values, index in first], axis=1)

    def _saved(self, values: Values, file_format: str, depth: str, space: str | None) -> Values:
        """The values, in bytes of a colour space or as scene-linear floats, as the scene saves them."""
        settings = self._scene.render.image_settings
        settings.file_format = file_format
        settings.color_mode, settings.color_depth = "RGB", depth
        image = bpy.data.images.new("patches", len(values), 1, float_buffer=space is None)
        try:
            if space is not None:
                image.colorspace_settings.name = space
            image.pixels.foreach_set(np.column_stack([values, np.ones(len(values))]).astype(np.float32).ravel())
            path = self._folder / f"patches.{file_format.removeprefix('OPEN_').lower()}"
            image.save_render(str(path), scene=self._scene)
        finally:
            bpy.data.images.remove(image)
        return _pixels(path)


def _copy_settings(scene: bpy.types.Scene, copy: bpy.types.Scene) -> None:
    copy.display_settings.display_device = scene.display_settings.display_device
    view, own = scene.view_settings, copy.view_settings
    for name in ("view_transform", "look", "exposure", "gamma", "use_curve_mapping", *_WHITE):
        if hasattr(view, name):
            setattr(own, name, getattr(view, name))
    if not view.use_curve_mapping:
        return
    for name in ("black_level", "white_level", "tone", "use_clip", "extend"):
        setattr(own.curve_mapping, name, getattr(view.curve_mapping, name))
    for curve, new in zip(view.curve_mapping.curves, own.curve_mapping.curves, strict=True):
        _set_points(new, [point.location for point in curve.points])
        for point, copied in zip(curve.points, new.points, strict=True):
            copied.handle_type = point.handle_type
    own.curve_mapping.update()


def _pixels(path: Path) -> Values:
    image = bpy.data.images.load(str(path))
    try:
        image.colorspace_settings.name = "Non-Color"  # the values of the file as they are
        pixels = np.empty(len(image.pixels), np.float32)
        image.pixels.foreach_get(pixels)
    finally:
        bpy.data.images.remove(image)
    return pixels.reshape(-1, 4)[:, :3].astype(np.float64)


def _encoded(linear: Values) -> Values:
    """IEC 61966-2-1 (sRGB), beyond 0..1 as well."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


def _decoded(encoded: Values) -> Values:
    return np.where(encoded <= 0.04045, encoded / 12.92, ((np.maximum(encoded, 0.04045) + 0.055) / 1.055) ** 2.4)


def _same(values: Values) -> Values:
    return values
