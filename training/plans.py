# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans of training clips: plain data, drawn from a seed; no bpy, no torch.

A plan holds everything that one clip of `FRAMES` frames shows, sampled per frame, so that the same plan mirrored or
reversed in time is again a plan: three more clips, with their own prompts, for the price of one render.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from itertools import pairwise

FRAMES = 17
SIZE = (160, 96)

COLORS = {
    "red": (0.72, 0.05, 0.04), "orange": (0.85, 0.28, 0.03), "yellow": (0.85, 0.62, 0.06), "green": (0.07, 0.40, 0.08),
    "teal": (0.03, 0.38, 0.38), "blue": (0.04, 0.13, 0.62), "purple": (0.27, 0.06, 0.45), "pink": (0.82, 0.30, 0.42),
    "white": (0.80, 0.80, 0.78), "grey": (0.32, 0.32, 0.33), "black": (0.03, 0.03, 0.035), "brown": (0.25, 0.11, 0.04),
    "beige": (0.62, 0.50, 0.35),
}  # fmt: skip
GROUNDS = {
    "grass": (0.13, 0.26, 0.06), "sand": (0.62, 0.48, 0.28), "stone": (0.34, 0.33, 0.31), "asphalt": (0.09, 0.09, 0.10),
    "terracotta": (0.48, 0.20, 0.11), "snow": (0.62, 0.65, 0.70), "concrete": (0.50, 0.49, 0.47),
}  # fmt: skip
SHAPES = ("cube", "sphere", "cylinder", "cone", "torus", "pyramid")

Vec = tuple[float, float, float]


@dataclass(frozen=True)
class Thing:
    """One primitive: full size in metres, base centre per frame (one entry when it stands still), colour linear RGB."""

    name: str
    shape: str
    color: Vec
    size: Vec
    bases: tuple[Vec, ...]
    turn: float = 0.0  # radians about the vertical


@dataclass(frozen=True)
class Plan:
    """A clip: every per-frame tuple has FRAMES entries. Angles in degrees, azimuth clockwise from north (+Y)."""

    seed: int
    layout: str
    move: str
    ground: str
    tiles: bool
    view_transform: str
    things: tuple[Thing, ...]
    azimuth: tuple[float, ...]
    elevation: tuple[float, ...]
    eyes: tuple[Vec, ...]
    targets: tuple[Vec, ...]
    lenses: tuple[float, ...]

    def mirrored(self) -> Plan:
        """The same clip seen in a mirror: x is negated, so left and right change places."""

        def flip(points: tuple[Vec, ...]) -> tuple[Vec, ...]:
            return tuple((-x, y, z) for x, y, z in points)

        things = tuple(replace(t, bases=flip(t.bases), turn=-t.turn) for t in self.things)
        azimuth = tuple(-a for a in self.azimuth)
        return replace(self, things=things, azimuth=azimuth, eyes=flip(self.eyes), targets=flip(self.targets))

    def reversed(self) -> Plan:
        """The same clip played backwards."""
        things = tuple(replace(t, bases=t.bases[::-1]) for t in self.things)
        return replace(
            self, things=things, azimuth=self.azimuth[::-1], elevation=self.elevation[::-1],
            eyes=self.eyes[::-1], targets=self.targets[::-1], lenses=self.lenses[::-1],
        )  # fmt: skip

    def variant(self, mirror: bool, reverse: bool) -> Plan:
        plan = self.mirrored() if mirror else self
        return plan.reversed() if reverse else plan


def _ramp(a: float, b: float) -> tuple[float, ...]:
    return tuple(a + (b - a) * i / (FRAMES - 1) for i in range(FRAMES))


def _thing(rng: random.Random, x: float, y: float, scale: float, shape: str | None = None) -> Thing:
    shape = shape or rng.choice(SHAPES)
    color = rng.choice(list(COLORS))
    w = scale * rng.uniform(0.6, 1.1)
    h = {"torus": 0.3, "sphere": 1.0}.get(shape, rng.uniform(0.7, 2.2)) * w
    d = w if shape != "cube" else w * rng.uniform(0.7, 1.4)
    jitter = tuple(max(0.0, c * rng.uniform(0.85, 1.15)) for c in COLORS[color])
    name = f"{color} {'box' if shape == 'cube' and abs(h / w - 1) > 0.25 else shape}"
    return Thing(name, shape, jitter, (w, d, h), ((x, y, 0.0),), rng.uniform(-math.pi, math.pi))


def _scatter(rng: random.Random) -> list[Thing]:
    placed: list[Thing] = []
    for _ in range(rng.randint(1, 5)):
        for _attempt in range(20):
            x, y, s = rng.uniform(-3.2, 3.2), rng.uniform(-2.5, 3.5), rng.uniform(0.8, 2.0)
            if all(math.hypot(x - t.bases[0][0], y - t.bases[0][1]) > (s + t.size[0]) * 0.75 for t in placed):
                placed.append(_thing(rng, x, y, s))
                break
    return placed


def _street(rng: random.Random) -> list[Thing]:
    things = []
    half = rng.uniform(2.6, 4.0)
    for side in (-1, 1):
        y = -6.0
        while y < 26:
            w, d, h = rng.uniform(2.5, 4.0), rng.uniform(3.0, 6.0), rng.uniform(2.5, 7.5)
            color = rng.choice(list(COLORS))
            base = (side * (half + w / 2), y + d / 2, 0.0)
            things.append(Thing(f"{color} house", "cube", COLORS[color], (w, d, h), (base,)))
            y += d + rng.choice((0.0, 0.4, 1.5, 2.5))
    for _ in range(rng.randint(0, 3)):
        things.append(_thing(rng, rng.uniform(-1.8, 1.8), rng.uniform(1.0, 9.0), rng.uniform(0.7, 1.5)))
    return things


def _courtyard(rng: random.Random) -> list[Thing]:
    half, wall_h = rng.uniform(5.0, 8.0), rng.uniform(0.6, 2.6)
    color = rng.choice(("white", "beige", "grey", "orange", "brown", "yellow"))
    rgb = COLORS[color]
    walls = [
        Thing(f"{color} wall", "cube", rgb, (2 * half, 0.4, wall_h), ((0, half, 0),)),
        Thing(f"{color} wall", "cube", rgb, (0.4, 2 * half, wall_h), ((-half, 0, 0),)),
        Thing(f"{color} wall", "cube", rgb, (0.4, 2 * half, wall_h), ((half, 0, 0),)),
    ]
    return walls + _monument(rng, 0.0, 0.0) + [t for t in _scatter(rng) if math.hypot(*t.bases[0][:2]) > 2.0]


def _monument(rng: random.Random, x: float, y: float) -> list[Thing]:
    """Two or three primitives on top of each other."""
    things, z, width = [], 0.0, rng.uniform(1.4, 2.2)
    for shape in (rng.choice(("cube", "cylinder")), rng.choice(("cylinder", "cube", "cone")), rng.choice(SHAPES)):
        base = _thing(rng, x, y, width, shape)
        things.append(replace(base, bases=((x, y, z),)))
        z += base.size[2]
        width *= rng.uniform(0.45, 0.75)
        if shape in ("cone", "pyramid"):
            break
    return things


def _plaza(rng: random.Random) -> list[Thing]:
    things = _monument(rng, rng.uniform(-1, 1), rng.uniform(0, 2))
    things += [
        _thing(rng, rng.choice((-1, 1)) * rng.uniform(2.5, 4.5), rng.uniform(-1, 4), rng.uniform(1, 2.2), "cube")
    ]
    walker = _thing(rng, 0, 0, rng.uniform(0.5, 1.1), rng.choice(("cube", "cylinder", "sphere", "cone")))
    y, reach = rng.uniform(-2.5, -1.2), rng.uniform(1.0, 3.0) * rng.choice((-1, 1))
    start = rng.uniform(-1.5, 1.5) - reach / 2
    path = tuple((start + reach * k, y, 0.0) for k in _ramp(0, 1))
    return [*things, replace(walker, bases=path)]


LAYOUTS = {"scatter": _scatter, "street": _street, "courtyard": _courtyard, "plaza": _plaza}
MOVES = ("static", "arc", "arc", "push", "pull", "truck", "pan", "pedestal", "tilt", "zoom")


def _camera(rng: random.Random, layout: str, move: str) -> tuple[list[Vec], list[Vec], list[float]]:
    if layout == "street":
        angle, distance, height = math.radians(rng.uniform(-12, 12)), rng.uniform(7, 10), rng.uniform(1.4, 3.2)
        middle = (rng.uniform(-0.6, 0.6), 3.0, rng.uniform(1.0, 1.8))
    else:
        angle, distance, height = rng.uniform(-math.pi, math.pi), rng.uniform(6, 11), rng.uniform(1.2, 4.8)
        if layout == "courtyard":
            angle, distance = math.radians(rng.uniform(-50, 50)), rng.uniform(7, 10)
        elif layout == "plaza":
            angle = math.radians(rng.uniform(-60, 60))
        middle = (rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5), rng.uniform(0.5, 1.3))
    sign = rng.choice((-1, 1))
    size = rng.uniform(0.4, 1.0) * sign
    lens0 = rng.choice((24.0, 28.0, 35.0, 35.0, 50.0))
    distance *= lens0 / 32.0 if layout != "street" else 1.0
    reach = {"push": -0.35 * abs(size), "pull": 0.45 * abs(size)}.get(move, 0.0)
    swing = math.radians(50) * size if move == "arc" and layout != "street" else math.radians(10) * size
    eyes, targets, lenses = [], [], []
    for k in _ramp(0, 1):
        a = angle + (swing * k if move == "arc" else 0.0)
        r = distance * (1 + reach * k)
        side = 2.4 * size * k if move == "truck" else 0.0
        lift = 1.6 * size * k if move == "pedestal" else 0.0
        right = (math.cos(angle), math.sin(angle))
        eye = (middle[0] + r * math.sin(a) + side * right[0], middle[1] - r * math.cos(a) + side * right[1],
               max(0.5, height + lift))  # fmt: skip
        pan = math.radians(24) * size * (k - 0.5) if move == "pan" else 0.0
        tilt = 1.6 * size * (k - 0.5) if move == "tilt" else 0.0
        dx, dy = middle[0] + side * right[0] - eye[0], middle[1] + side * right[1] - eye[1]
        target = (eye[0] + dx * math.cos(pan) - dy * math.sin(pan), eye[1] + dx * math.sin(pan) + dy * math.cos(pan),
                  middle[2] + tilt + (lift if move == "pedestal" else 0.0))  # fmt: skip
        eyes.append(eye)
        targets.append(target)
        lenses.append(lens0 * (1 + 0.5 * abs(size) * (k if sign > 0 else 1 - k)) if move == "zoom" else lens0)
    return eyes, targets, lenses


def _sun(rng: random.Random, heading: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Azimuth and elevation per frame. `heading` (degrees) is where the camera looks; back light is frequent."""
    start = heading + rng.choice((rng.uniform(-180, 180), rng.gauss(0, 40)))
    kind = rng.choice(("still", "turn", "turn", "rise", "rise", "day", "dusk"))
    if kind == "still":
        el = rng.uniform(6, 70)
        return _ramp(start, start), _ramp(el, el)
    swing = rng.choice((-1, 1)) * rng.uniform(15, 100)
    if kind == "turn":
        el = rng.uniform(8, 60)
        return _ramp(start, start + swing), _ramp(el, min(72.0, max(5.0, el + rng.uniform(-12, 12))))
    if kind == "rise":
        return _ramp(start, start + swing * 0.5), _ramp(rng.uniform(2, 8), rng.uniform(16, 50))
    if kind == "day":
        return _ramp(start, start + swing), _ramp(rng.uniform(40, 72), rng.uniform(5, 25))
    return _ramp(start, start + swing * 0.5), _ramp(rng.uniform(12, 50), rng.uniform(-4, 4))


def draw_plan(seed: int) -> Plan:
    """The plan of a seed; half of all plans come out reversed, so rising and setting are equally frequent."""
    rng = random.Random(seed)
    layout = rng.choices(("scatter", "street", "courtyard", "plaza"), (4, 2, 2, 2))[0]
    move = rng.choice(MOVES)
    things = LAYOUTS[layout](rng)
    eyes, targets, lenses = _camera(rng, layout, move)
    heading = math.degrees(math.atan2(targets[0][0] - eyes[0][0], targets[0][1] - eyes[0][1]))
    azimuth, elevation = _sun(rng, heading)
    plan = Plan(
        seed, layout, move, rng.choice(list(GROUNDS)), rng.random() < 0.12, rng.choice(("AgX", "AgX", "Standard")),
        tuple(things), azimuth, elevation, tuple(eyes), tuple(targets), tuple(lenses),
    )  # fmt: skip
    return plan.reversed() if rng.random() < 0.5 else plan


def sun_kelvin(elevation: float) -> float:
    """Colour temperature of direct sunlight by elevation in degrees: a plain ramp from ember to neutral."""
    points = ((-4, 1900), (0, 2100), (5, 2700), (12, 3600), (25, 4700), (45, 5500), (90, 5800))
    return _interpolate(points, elevation)


def sun_strength(elevation: float) -> float:
    """Strength of the Sun light (W/m2) by elevation in degrees."""
    return _interpolate(((-5, 0.0), (-1, 0.25), (2, 1.4), (8, 2.6), (25, 3.6), (90, 4.2)), elevation)


def sky_color(elevation: float) -> Vec:
    """World colour, linear RGB, by the sun's elevation in degrees."""
    table = (
        (-6, (0.012, 0.016, 0.045)), (-2, (0.045, 0.04, 0.08)), (2, (0.16, 0.10, 0.11)), (8, (0.22, 0.17, 0.17)),
        (20, (0.17, 0.23, 0.33)), (45, (0.15, 0.26, 0.44)), (90, (0.15, 0.27, 0.48)),
    )  # fmt: skip
    r, g, b = (_interpolate([(e, c[i]) for e, c in table], elevation) for i in range(3))
    return (r, g, b)


def _interpolate(points, x: float) -> float:
    if x <= points[0][0]:
        return float(points[0][1])
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return float(points[-1][1])
