# SPDX-License-Identifier: GPL-3.0-or-later
"""The lights beside the sun in words: lamps, and the bright side of a picture that lights the scene."""

from __future__ import annotations

import colorsys

from ..scene.brief import Light, LightChange, LightRole, Shot, Vector3, settled
from .structured import Height, LampChange, LampKind, LampLight, LightColor, SkyLight, When
from .view import is_steep

HEIGHTS: tuple[tuple[float, Height], ...] = (
    (0, "below"),
    (10, "very_low"),
    (25, "low"),
    (50, "middle"),
    (70, "high"),
)
LIGHT_HUES: tuple[tuple[float, LightColor | None], ...] = (
    (12, "red"), (50, None), (70, "yellow"), (165, "green"), (195, "teal"), (255, "blue"), (290, "purple"),
    (345, "pink"),
)  # fmt: skip
"""Upper bounds of hue in degrees, then red again; from 12 to 50 the temperature tells more."""
VIVID, TINTED = 0.6, 0.15  # saturation from which a hue has a name, and where no temperature tells it
WARM_LIGHT: frozenset[LightColor] = frozenset({"orange", "golden", "red", "yellow"})
COOL_LIGHT: frozenset[LightColor] = frozenset({"bluish", "blue", "teal"})
COMES_OR_GOES = frozenset({"comes_on", "fades_in", "goes_out", "fades_out"})
OVERHEAD: Height = "overhead"
KELVINS: tuple[tuple[float, LightColor], ...] = ((3300, "orange"), (5000, "golden"), (7500, "white"))
CLEAR_DIRECTION = 0.3  # confidence from which a world picture has one bright place
LAMP_KINDS: dict[str, LampKind] = {"point": "lamp", "spot": "spotlight", "area": "panel", "sun": "beam"}


def lamp_lights(shot: Shot, most: int = 2) -> tuple[LampLight, ...]:
    """The first lights besides the suns, in the brief's order; background lights are left out."""
    kinds = {kind: word for kind, word in LAMP_KINDS.items() if kind != "sun" or len(shot.suns) < 2}
    lights = [light for light in shot.lights if light.role != "background" and light.type in kinds]
    steep = is_steep(shot.camera_path, shot.frame_start)
    return tuple(
        LampLight(
            kinds[light.type],
            _told_role(light),
            light_color(light.color_temperature_k, light.color),
            light.relative_to_camera,
            steep,
            tuple(LampChange(change.kind, _when(change, shot)) for change in light.changes),
            light.moves_to,
        )
        for light in lights[:most]
    )


def _told_role(light: Light) -> LightRole | None:
    """A fill that comes or goes is for a while the light there is."""
    alone = light.role == "fill" and any(change.kind in COMES_OR_GOES for change in light.changes)
    return "key" if alone else light.role


def _when(change: LightChange, shot: Shot) -> When | None:
    """The third of the shot in which something changes; None for what goes on over more of it."""
    length = max(shot.frame_end - shot.frame_start, 1)
    if change.kind == "flickers" or change.frame_end - change.frame_start > length / 3:
        return None
    return when_word(((change.frame_start + change.frame_end) / 2 - shot.frame_start) / length)


def when_word(part: float) -> When:
    """The word for a part (0..1) of the shot."""
    return "early" if part < 0.35 else "late" if part > 0.65 else "halfway"


def sky_light(shot: Shot) -> SkyLight | None:
    """The words for a world picture's brightest direction, where no sun tells it and the picture clearly has one."""
    hdri = shot.environment.hdri
    if hdri is None or (shot.sun is not None and shot.sun.samples) or hdri.relative_to_camera is None:
        return None
    if hdri.confidence < CLEAR_DIRECTION or hdri.elevation_deg < 0:
        return None
    color, steep = light_color(hdri.color_temperature_k), is_steep(shot.camera_path, shot.frame_start)
    return SkyLight(hdri.relative_to_camera, height_word(hdri.elevation_deg), color, steep)


def light_color(kelvin: float | None, color: Vector3 | None = None) -> LightColor | None:
    """The colour word of a light: of its hue (linear RGB) where that is vivid or where it has no colour temperature,
    else of the temperature."""
    if color is not None and (word := _hue_word(color, kelvin)) is not None:
        return word
    if kelvin is None:
        return None
    return next((word for limit, word in KELVINS if settled(kelvin) < limit), "bluish")


def _hue_word(color: Vector3, kelvin: float | None) -> LightColor | None:
    # Gamma 2.2 stands for the display's curve.
    hue, saturation, _ = colorsys.rgb_to_hsv(*(min(max(c, 0.0), 1.0) ** (1 / 2.2) for c in color))
    if saturation < (TINTED if kelvin is None else VIVID):
        return None
    word: LightColor | None = next((word for limit, word in LIGHT_HUES if hue * 360.0 < limit), "red")
    return "bluish" if word == "blue" and saturation < VIVID else word


def height_word(elevation_deg: float) -> Height:
    """The word for a light's elevation."""
    return next((word for limit, word in HEIGHTS if settled(elevation_deg) < limit), OVERHEAD)
