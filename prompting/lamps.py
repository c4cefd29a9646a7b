# SPDX-License-Identifier: GPL-3.0-or-later
"""The lights beside the sun in words: lamps, and the bright side of a picture that lights the scene."""

from __future__ import annotations

import colorsys
from collections import Counter
from dataclasses import replace

from ..scene.brief import Light, LightChange, LightRole, Rgb, Sector, Shot, settled
from .structured import Around, Height, LampChange, LampKind, LampLight, LightColor, SkyLight, When
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
EQUAL = 0.6  # of the stronger of two lamps that are told as equal
HIGH = 45.0  # degrees up to several lamps whose light comes from above
LEFT: frozenset[Sector | None] = frozenset({"left", "front_left", "back_left"})
RIGHT: frozenset[Sector | None] = frozenset({"right", "front_right", "back_right"})
HALVES: dict[Sector, frozenset[Sector | None]] = {
    "left": LEFT,
    "right": RIGHT,
    "front": frozenset({"front", "front_left", "front_right"}),
    "back": frozenset({"back", "back_left", "back_right"}),
}
CLEAR_DIRECTION = 0.3  # confidence from which a world picture has one bright place
LAMP_KINDS: dict[str, LampKind] = {"point": "lamp", "spot": "spotlight", "area": "panel", "sun": "beam"}


def lamp_lights(shot: Shot, most: int = 3) -> tuple[LampLight, ...]:
    """The lights besides the suns, equal ones that do the same together, the first `most` of them in the brief's order;
    background lights are left out unless they are as those that are seen."""
    kinds = {kind: word for kind, word in LAMP_KINDS.items() if kind != "sun" or len(shot.suns) < 2}
    lights = _shown([light for light in shot.lights if light.type in kinds])
    roles = _told_roles(lights)
    steep = is_steep(shot.camera_path, shot.frame_start)
    groups: dict[LampLight, list[Light]] = {}
    for light, role in zip(lights, roles, strict=True):
        told = LampLight(
            kinds[light.type],
            role,
            light_color(light.color_temperature_k, light.color),
            None,
            steep,
            tuple(LampChange(change.kind, _when(change, shot)) for change in light.changes),
            light.moves_to,
        )
        groups.setdefault(told, []).append(light)
    return tuple(lamp for told, members in groups.items() for lamp in _placed(told, members))[:most]


def _placed(told: LampLight, lights: list[Light]) -> list[LampLight]:
    """Lamps that do the same, where they stand: together where that can be said in a word, else by their sides."""
    side = _side_of(lights)
    if side is not None or all(light.relative_to_camera is None for light in lights):
        return [replace(told, sector=side, count=len(lights))]
    counts = Counter(light.relative_to_camera for light in lights)
    return [replace(told, sector=sector, count=count) for sector, count in counts.items()]


def _side_of(lights: list[Light]) -> Sector | Around | None:
    """The side of the picture that some lamps share, or how they stand around what they light; None where neither
    says it."""
    sectors = {light.relative_to_camera for light in lights}
    if len(sectors) == 1:
        return sectors.pop()
    if all((light.elevation_deg or 0.0) >= HIGH for light in lights):
        return "top"
    if sectors <= LEFT | RIGHT and sectors & LEFT and sectors & RIGHT:
        return "both_sides"
    half = next((half for half, members in HALVES.items() if sectors <= members), None)
    return half or ("around" if len(sectors) > 2 else None)


def _shown(lights: list[Light]) -> list[Light]:
    """Those that are told: of a row of lamps in the picture also the far ones, which light the background alone."""
    seen = [light for light in lights if light.role == "practical"]
    return [light for light in lights if light.role != "background" or any(_is_like(light, one) for one in seen)]


def _told_roles(lights: list[Light]) -> list[LightRole | None]:
    """What each light does. Equal lamps over the scene or all around it light it together."""
    key = lights[0] if lights and lights[0].role == "key" else None
    roles = [_told_role(light, key, lights) for light in lights]
    if key is None or roles[0] == "practical":
        return roles
    alike = [light.role in ("key", "fill", "rim") and _is_like(light, key) for light in lights]
    side = _side_of([light for light, like in zip(lights, alike, strict=True) if like])
    if sum(alike) < (2 if side == "top" else 4) or side not in ("top", "around"):
        return roles
    return ["key" if like else role for role, like in zip(roles, alike, strict=True)]


def _told_role(light: Light, key: Light | None, lights: list[Light]) -> LightRole | None:
    """What a light does, beside the others: a fill that comes or goes is for a while the light there is, one about as
    strong as the key is another key; a key that is one of several equal lamps in the picture is seen as they are."""
    if light.role == "fill":
        alone = any(change.kind in COMES_OR_GOES for change in light.changes)
        strong = key is not None and light.share is not None and light.share >= EQUAL * (key.share or 0.0) > 0.0
        return "key" if alone or strong else "fill"
    if light.role == "background":
        return "practical"
    alike = [other for other in lights if _is_like(other, light)]
    if light is key and 2 * sum(other.role in ("practical", "background") for other in alike) > len(alike):
        return "practical"
    return light.role


def _is_like(one: Light, other: Light) -> bool:
    """Whether two lamps are of one kind, colour and energy."""
    kinds = [(light.type, light_color(light.color_temperature_k, light.color)) for light in (one, other)]
    low, high = sorted((one.energy or 0.0, other.energy or 0.0))
    return kinds[0] == kinds[1] and low >= EQUAL * high


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


def light_color(kelvin: float | None, color: Rgb | None = None) -> LightColor | None:
    """The colour word of a light: of its hue (linear RGB) where that is vivid or where it has no colour temperature,
    else of the temperature."""
    if color is not None and (word := _hue_word(color, kelvin)) is not None:
        return word
    if kelvin is None:
        return None
    return next((word for limit, word in KELVINS if settled(kelvin) < limit), "bluish")


def _hue_word(color: Rgb, kelvin: float | None) -> LightColor | None:
    # Gamma 2.2 stands for the display's curve.
    hue, saturation, _ = colorsys.rgb_to_hsv(*(min(max(c, 0.0), 1.0) ** (1 / 2.2) for c in color))
    if saturation < (TINTED if kelvin is None else VIVID):
        return None
    word: LightColor | None = next((word for limit, word in LIGHT_HUES if hue * 360.0 < limit), "red")
    return "bluish" if word == "blue" and saturation < VIVID else word


def height_word(elevation_deg: float) -> Height:
    """The word for a light's elevation."""
    return next((word for limit, word in HEIGHTS if settled(elevation_deg) < limit), OVERHEAD)
