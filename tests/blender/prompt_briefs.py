# SPDX-License-Identifier: GPL-3.0-or-later
"""Briefs for the prompt tests, by hand and drawn at random; a mirrored and a reversed one of each."""

import math
from dataclasses import replace
from typing import get_args

import numpy as np
from hypothesis import strategies as st
from wan_previs.prompting.view import at_frame
from wan_previs.scene import brief as facts
from wan_previs.scene.brief import (
    Brief,
    CameraPath,
    CameraSample,
    Environment,
    Light,
    Motion,
    Move,
    Shot,
    StartEnd,
    Subject,
    Sun,
    SunSample,
)
from wan_previs.scene.geometry import Pose
from wan_previs.scene.lighting.sun import SunState, build_sun

OPPOSITE_FALL = {
    "front": "away", "front_left": "away_right", "left": "right", "back_left": "toward_right", "back": "toward",
    "back_right": "toward_left", "right": "left", "front_right": "away_left", "top": "under",
}  # fmt: skip
FALLS_BACK = {"left": "right", "right": "left", "toward": "away", "away": "toward"}
FALLS_BACK |= {"clockwise": "counterclockwise", "counterclockwise": "clockwise"}
LENGTHS_BACK = {"lengthen": "shorten", "shorten": "lengthen"}
LATER = {"dawn": "dusk", "sunrise": "sunset", "morning": "afternoon"}
LATER |= {b: a for a, b in LATER.items()}
MIRRORED_MOVES = {"roll_clockwise": "roll_counterclockwise", "roll_counterclockwise": "roll_clockwise"}
REVERSED_MOVES = {
    "push_in": "pull_back",
    "pedestal_up": "pedestal_down",
    "tilt_up": "tilt_down",
    "zoom_in": "zoom_out",
    **{f"{move}_left": f"{move}_right" for move in ("truck", "pan", "arc")},
    "roll_clockwise": "roll_counterclockwise",
}
REVERSED_MOVES |= {b: a for a, b in REVERSED_MOVES.items()}
REVERSED_DIRECTIONS = {"left": "right", "right": "left", "up": "down", "down": "up", "toward": "away", "away": "toward"}


def camera_sample(frame, heading):
    """A level camera at eye height that looks to the heading (degrees clockwise from north)."""
    x, y = math.sin(math.radians(heading)), math.cos(math.radians(heading))
    matrix = (y, 0.0, -x, 0.0, -x, 0.0, -y, 0.0, 0.0, 1.0, 0.0, 1.6, 0.0, 0.0, 0.0, 1.0)
    return CameraSample(frame, matrix, 35.0, (36.0, 20.25))


def sun_sample(frame, azimuth, elevation, kelvin=None, strength=None):
    a, e = math.radians(azimuth), math.radians(elevation)
    direction = (math.sin(a) * math.cos(e), math.cos(a) * math.cos(e), math.sin(e))
    return SunSample(frame, float(azimuth % 360), float(elevation), direction, kelvin, strength)


def sunrise():
    samples = (sun_sample(1, 70, 6, 2900.0, 3.0), sun_sample(72, 100, 34, 5300.0, 3.5))
    return Sun("sun_light", samples, StartEnd("sunrise", "morning"), StartEnd("back_left", "left"))


def read_sun(samples, path, times=None, sides=None, source="sun_light"):
    """The sun of these samples as the scene reader would put it into a brief, seen by the camera of a path; `times` and
    `sides` are stated instead of read."""
    track, poses = [], []
    first, last = samples[0].frame, samples[-1].frame
    for frame in sorted({*range(first, last, 8), *(sample.frame for sample in samples)}):
        direction = np.array(at_frame(samples, frame, "direction"))
        numbers = [_number(samples, frame, name) for name in ("color_temperature_k", "strength")]
        track.append((frame, SunState(source, direction / np.linalg.norm(direction), *numbers, 1.0)))
        poses.append(Pose.from_matrix(at_frame(path.samples, frame, "matrix_world")))
    sun = build_sun(track, poses)
    return replace(sun, time_of_day=times or sun.time_of_day, relative_to_camera=sides or sun.relative_to_camera)


def _number(samples, frame, name):
    """A number of the samples at a frame, linear between them; None where they hold none."""
    if getattr(samples[0], name) is None:
        return None
    return float(np.interp(frame, [s.frame for s in samples], [getattr(s, name) for s in samples]))


def _shaded(sun, path):
    """A hand-made sun with the shadows that it casts, against the sides that it states."""
    read = read_sun(sun.samples, path)
    shadows = read.shadows
    if shadows is not None:
        sides = (sun.relative_to_camera.start, sun.relative_to_camera.end)
        there = (shadows.fall.start, shadows.fall.end)
        fall = [OPPOSITE_FALL.get(side) if old else None for side, old in zip(sides, there, strict=True)]
        shadows = replace(shadows, fall=StartEnd(*fall))
    return replace(sun, shadows=shadows, stretches=read.stretches)


def make_shot(**changes):
    """A courtyard at sunrise; keyword arguments replace fields of the shot (`path` the camera's)."""
    arc = (Move("arc_left", 1, 72, 55.0, "deg"),)
    fields = {
        "sun": sunrise(),
        "camera_path": changes.pop("path", None)
        or CameraPath((camera_sample(1, 115), camera_sample(72, 190)), arc, "wide", "eye_level", "medium", "center"),
        "subjects": (
            Subject("Fountain", None, (0.4, 0.1, 0.6, 0.8), 9.0, Motion("static", 0.0)),
            Subject("Bench.001", None, (0.1, 0.1, 0.2, 0.2), 9.0, Motion("static", 0.0)),
            Subject("Bench.002", None, (0.8, 0.1, 0.9, 0.2), 9.0, Motion("static", 0.0)),
            Subject("Cart", None, (0.7, 0.1, 0.9, 0.3), 8.0, Motion("moving", 0.5, "left")),
        ),
        **changes,
    }
    sun, path = fields.pop("sun"), fields.pop("camera_path")
    if sun is not None and sun.shadows is None:
        sun = _shaded(sun, path)
    return Shot("Arc", 1, 72, "Camera", sun, path, **fields)


def brief_of(*shots):
    return Brief("", "Scene", 24.0, (1280, 720), 0.0, shots)


def swap(word):
    """Left for right in one word of the brief."""
    if word is None:
        return None
    return word.replace("left", "#").replace("right", "left").replace("#", "right")


def mirrored(shot):
    """The shot with the world mirrored left to right, as the camera sees it."""
    path = shot.camera_path
    samples = tuple(replace(s, matrix_world=_mirror_matrix(s.matrix_world)) for s in path.samples)
    moves = tuple(replace(m, kind=MIRRORED_MOVES.get(m.kind, swap(m.kind))) for m in path.moves)
    return replace(
        shot,
        sun=shot.sun and _mirrored_sun(shot.sun),
        suns=tuple(map(_mirrored_sun, shot.suns)),
        camera_path=replace(path, samples=samples, moves=moves, composition=swap(path.composition)),
        lights=tuple(replace(one, relative_to_camera=swap(one.relative_to_camera)) for one in shot.lights),
        subjects=tuple(_mirrored_subject(subject) for subject in shot.subjects),
    )


def _mirror_matrix(m):
    # Reflect the world in x and the camera's own x axis back, so that the matrix stays a rotation.
    signs = (1, -1, -1, -1, -1, 1, 1, 1, -1, 1, 1, 1, 1, 1, 1, 1)
    return tuple(value * sign for value, sign in zip(m, signs, strict=True))


def _mirrored_sun(sun):
    return replace(_mirrored_part(sun), stretches=tuple(map(_mirrored_part, sun.stretches)))


def _mirrored_part(sun):
    samples = tuple(
        replace(s, azimuth_deg=-s.azimuth_deg % 360, direction=(-s.direction[0], *s.direction[1:])) for s in sun.samples
    )
    sides, shadows = sun.relative_to_camera, sun.shadows
    if shadows is not None:
        fall = StartEnd(swap(shadows.fall.start), swap(shadows.fall.end))
        slide = FALLS_BACK[shadows.slide] if "clockwise" in (shadows.slide or "") else swap(shadows.slide)
        shadows = replace(shadows, fall=fall, slide=slide, turn_deg=-shadows.turn_deg)
    sides = StartEnd(swap(sides.start), swap(sides.end))
    return replace(sun, samples=samples, relative_to_camera=sides, shadows=shadows)


def _mirrored_subject(subject):
    x0, y0, x1, y1 = subject.screen_box
    motion = subject.motion and replace(subject.motion, screen_direction=swap(subject.motion.screen_direction))
    return replace(subject, screen_box=(1 - x1, y0, 1 - x0, y1), motion=motion)


def reversed_in_time(shot):
    """The shot played backwards."""
    path, flip = shot.camera_path, shot.frame_start + shot.frame_end
    back = lambda samples: tuple(replace(s, frame=flip - s.frame) for s in reversed(samples))  # noqa: E731
    moves = tuple(
        replace(
            m,
            kind=REVERSED_MOVES.get(m.kind, m.kind),
            frame_start=flip - m.frame_end,
            frame_end=flip - m.frame_start,
        )
        for m in path.moves
    )
    turned = [_reversed_sun(sun, back) for sun in ([shot.sun] if shot.sun else []) + list(shot.suns)]
    sun, suns_back = (turned[0], tuple(turned[1:])) if turned else (None, ())
    return replace(shot, sun=sun, suns=suns_back, camera_path=replace(path, samples=back(path.samples), moves=moves))


def _reversed_sun(sun, back):
    parts = tuple(_reversed_part(part, back) for part in reversed(sun.stretches))
    return replace(_reversed_part(sun, back), stretches=parts)


def _reversed_part(sun, back):
    times, sides, shadows = sun.time_of_day, sun.relative_to_camera, sun.shadows
    if shadows is not None:
        shadows = replace(
            shadows,
            fall=StartEnd(shadows.fall.end, shadows.fall.start),
            turn_deg=-shadows.turn_deg,
            length_ratio=facts.Extent(shadows.length_ratio.end, shadows.length_ratio.start),
            slide=FALLS_BACK.get(shadows.slide),
            change=LENGTHS_BACK.get(shadows.change),
        )
    return replace(
        sun,
        samples=back(sun.samples),
        time_of_day=StartEnd(LATER.get(times.end, times.end), LATER.get(times.start, times.start)),
        relative_to_camera=StartEnd(sides.end, sides.start),
        shadows=shadows,
    )


def one_of(literal):
    return st.sampled_from(get_args(literal))


@st.composite
def tracks(draw, low, high, step):
    """Three whole numbers, neighbours at most `step` apart."""
    values = [draw(st.integers(low, high))]
    for _ in range(2):
        values.append(min(max(values[-1] + draw(st.integers(-step, step)), low), high))
    return values


@st.composite
def suns(draw, path):
    azimuths, elevations = draw(tracks(-400, 400, 90)), draw(tracks(-30, 89, 40))
    kelvins = draw(st.sampled_from([None, (2500.0, 4500.0), (6500.0, 6500.0), (9000.0, 3000.0)]))
    strengths = draw(st.sampled_from([None, (1.0, 1.2), (1.0, 4.0), (5.0, 0.5)]))
    samples = tuple(
        sun_sample(
            frame,
            azimuths[i],
            elevations[i],
            kelvins and kelvins[min(i, 1)],
            strengths and strengths[min(i, 1)],
        )
        for i, frame in enumerate((1, 30, 72))
    )
    return read_sun(samples, path, source=draw(one_of(facts.SunSource)))


@st.composite
def moves(draw):
    kind = draw(one_of(facts.MoveKind))
    if kind == "static":
        return Move("static", 1, 72)
    start, end = sorted(draw(st.tuples(st.integers(1, 72), st.integers(1, 72))))
    return Move(kind, start, end, float(draw(st.integers(1, 90))), draw(one_of(facts.MoveUnit)))


@st.composite
def subjects(draw):
    # Boxes on a grid of 1/64 mirror without rounding.
    x0, x1 = sorted(draw(st.lists(st.integers(0, 64), min_size=2, max_size=2, unique=True)))
    name = draw(st.sampled_from(["Cube", "Tree.001", "LampPost", "Red Box", "Cart", "Old House", "Blue Cone"]))
    motion = st.builds(
        Motion,
        one_of(facts.MotionKind),
        st.sampled_from([None, 0.2, 1.5, 9.0]),
        st.none() | one_of(facts.ScreenDirection),
    )
    return Subject(name, None, (x0 / 64, 0.25, x1 / 64, 0.75), 8.0, draw(st.none() | motion))


LIGHTS = st.builds(
    Light,
    st.just("Lamp"),
    st.sampled_from(["point", "spot", "area", "sun"]),
    st.none() | one_of(facts.LightRole),
    st.sampled_from([None, 2700.0, 6500.0]),
    st.sampled_from([10.0, 500.0]),
    st.none() | one_of(facts.Sector),
)
ENVIRONMENTS = st.builds(
    Environment,
    one_of(facts.Setting),
    st.none() | one_of(facts.Sky),
    st.none() | one_of(facts.Weather),
    st.none() | st.just((0.2, 0.35, 0.8)),
)


@st.composite
def shots(draw, rich=False):
    """A shot; a `rich` one has a sun above the horizon, a subject, a camera move and framing."""
    headings = draw(tracks(-400, 400, 90))
    moved = st.lists(moves(), max_size=4)
    if rich:
        moved = st.lists(moves(), min_size=1, max_size=4)
    optional = (lambda strategy: strategy) if rich else (lambda strategy: st.none() | strategy)
    path = CameraPath(
        tuple(camera_sample(frame, heading) for frame, heading in zip((1, 40, 72), headings, strict=True)),
        tuple(draw(moved)),
        draw(optional(one_of(facts.ShotSize))),
        draw(optional(one_of(facts.Angle))),
        draw(optional(one_of(facts.LensClass))),
        draw(optional(one_of(facts.Composition))),
    )
    sun = suns(path)
    if rich:
        sun = sun.filter(lambda s: min(s.samples[0].elevation_deg, s.samples[-1].elevation_deg) >= 0)
    return Shot(
        "Shot",
        1,
        72,
        "Camera",
        first := draw(sun if rich else st.none() | sun),
        path,
        tuple(draw(st.lists(LIGHTS, max_size=3))),
        tuple(draw(st.lists(subjects(), min_size=int(rich), max_size=8))),
        draw(ENVIRONMENTS),
        suns=(first, draw(suns(path))) if first is not None and draw(st.booleans()) else (),
    )
