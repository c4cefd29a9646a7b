# SPDX-License-Identifier: GPL-3.0-or-later
"""A shot's camera and suns at any frame without evaluating the scene there, where keyframes alone move them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import bpy
from mathutils import Vector

from .animation.fcurves import Curves, PlainObject, Values, never_moves, plain_curves
from .camera.camera import CameraState, camera_state
from .lighting.sun import SunState, lamp_sun
from .visibility import Lamp, lights_surfaces

# What of a light may be keyed and still be told by its curves.
KEYED_LIGHT = {"energy", "color", "exposure", "temperature"}


class _Dof:
    """A camera's depth of field at a frame: keyed under the camera's data."""

    def __init__(self, data: bpy.types.Camera, curves: Curves, frame: int) -> None:
        self._data, self._curves, self._frame = data.dof, curves, frame

    def __getattr__(self, name: str) -> Any:
        curve = self._curves.get((f"dof.{name}", 0))
        value = getattr(self._data, name)
        if curve is None:
            return value
        number = curve.evaluate(self._frame)
        return number >= 0.5 if isinstance(value, bool) else number


class _CameraValues(Values):
    def __init__(self, data: bpy.types.Camera, curves: Curves, frame: int) -> None:
        super().__init__(data, curves, frame)
        self.dof = _Dof(data, curves, frame)


class PlainCamera:
    """A camera that curves of its own, of its data, of its parents and of its focus object move."""

    def __init__(self, camera: PlainObject, data: Curves, focus: PlainObject | None) -> None:
        self.camera, self.data, self.focus = camera, data, focus

    @classmethod
    def of(cls, camera: bpy.types.Object) -> PlainCamera | None:
        """A camera that keyframes alone move; None for any other."""
        plain, data = PlainObject.of(camera), plain_curves(camera.data)
        if plain is None or data is None or any(path in {"type", "sensor_fit"} for path, _ in data):
            return None
        target = camera.data.dof.focus_object
        if target is None:
            return cls(plain, data, None)
        focus = PlainObject.of(target)
        return cls(plain, data, focus) if focus is not None and not camera.data.dof.focus_subtarget else None

    def state(self, frame: int, scene: bpy.types.Scene, unit: float) -> CameraState:
        """The camera at a frame, without evaluating the scene; `unit` is metres per Blender unit."""
        item = self.camera.item
        focus: Vector | None = self.focus.matrix(frame).translation if self.focus is not None else None
        data = _CameraValues(item.data, self.data, frame)
        return camera_state(item.name, self.camera.matrix(frame), data, focus, scene, unit)


@dataclass(frozen=True)
class PlainLights:
    """Lights that curves move; `lamps` as found at one frame, each with its object and its data's curves."""

    lamps: tuple[tuple[Lamp, PlainObject, Curves], ...]

    @classmethod
    def of(cls, lamps: Sequence[Lamp], scene: bpy.types.Scene) -> PlainLights | None:
        """None when a light needs the scene to be evaluated, or the scene itself (its clock) is animated."""
        if plain_curves(scene) != {}:
            return None
        found = []
        for lamp in lamps:
            curves = light_curves(lamp.owner, scene)
            if curves is None:
                return None
            found.append((lamp, *curves))
        return cls(tuple(found))

    @property
    def still(self) -> bool:
        """Whether no curve changes anything of them."""
        return all(
            plain.still and not curves and ("hide_render", 0) not in plain.curves for _, plain, curves in self.lamps
        )

    def at(self, frame: int) -> Iterator[Lamp]:
        """The lights as they are at a frame."""
        for lamp, plain, curves in self.lamps:
            light: Any = Values(lamp.owner.data, curves, frame)
            renders = not plain.values(frame).hide_render
            yield replace(lamp, light=light, matrix=plain.matrix(frame), renders=renders)

    def states(self, frame: int) -> dict[str, SunState]:
        """The lights as suns."""
        found = ((lamp.key, lamp_sun(lamp)) for lamp in self.at(frame))
        return {key: state for key, state in found if state is not None}


def light_curves(light: bpy.types.Object, scene: bpy.types.Scene) -> tuple[PlainObject, Curves] | None:
    """What moves a light and what changes its data; None where more than curves does."""
    plain, curves = PlainObject.of(light), plain_curves(light.data)
    if plain is None or curves is None or any(path not in KEYED_LIGHT for path, _ in curves):
        return None
    if not never_moves([light.data.node_tree]) or plain_curves(scene) != {}:
        return None
    if not lights_surfaces(light, scene) or ("visible_diffuse", 0) in plain.curves:
        return None
    return plain, curves
