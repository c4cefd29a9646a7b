# SPDX-License-Identifier: GPL-3.0-or-later
"""From a brief to the structured prompt: what is told, and in which of Wan's words."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from ..scene.brief import Brief, Move, Rgb, Shot
from .contradictions import contradictions
from .fit import length
from .focus import focus_shift
from .lamps import COOL_LIGHT, WARM_LIGHT, lamp_lights, sky_light
from .light import other_suns, sun_light
from .structured import (
    Amount,
    Camera,
    CameraMove,
    Contradiction,
    LampLight,
    SkyLight,
    StructuredPrompt,
    SunLight,
    SunMoment,
    Surroundings,
)
from .subjects import color_name, glowing, subject_words
from .template import DEFAULT, parse_template
from .view import sees_sky
from .vocabulary import ANGLE_TERMS, LENS_TERMS, SECTOR_TERMS, TERM_ORDER, TIME_TERMS
from .weave import joined, tidy

MOST_USER_WORDS = 250  # 512 tokens hold about 380 words, and the scene's facts take up to 130
MOST_TERMS = 5
MOST_MOVES = 3
UNDONE = 1 / 3  # of a move: when no more of it is left at the end, it is undone
WIDE_VIEW = frozenset({"overhead", "aerial"})  # angles that make the picture, whatever the camera does
NO_SKY = frozenset({"black", "dark gray", "gray"})  # worlds of these colours stand for no sky that could be filmed
DEFAULT_WORLD = 0.0509  # linear, of each channel: the world of a new scene
SKY_LIGHT = {"clear": "sunny_lighting", "overcast": "overcast_lighting"}
FAST = 1.25  # of what is far, in a second
SHAPELESS = frozenset({"static", "handheld", "tracking", "dolly_zoom"})  # moves told without an amount


def build_prompt(
    brief: Brief, shot: Shot, user_text: str = "", style: str = "", template: str = "", negative: str = ""
) -> StructuredPrompt:
    """The structured prompt of a shot of that brief. `user_text` describes the scene or the shot in the user's own
    words and language, `style` its look; `template` "" is the default one, `negative` is added to the model's negative
    prompt. The same arguments give the same prompt; nothing that the brief leaves open is said. Raises
    TemplateError."""
    parse_template(template)
    user_text, style = tidy(user_text), tidy(style)
    sun, sky, lamps, camera = sun_light(shot), sky_light(shot), lamp_lights(shot), _camera(shot, brief.fps)
    surroundings = _surroundings(shot)
    return StructuredPrompt(
        shot=shot.name,
        terms=_terms(sun, sky, lamps, camera, surroundings, bool(shot.environment.emitters)),
        user_text=user_text,
        sun=sun,
        sky_light=sky,
        other_suns=other_suns(shot),
        lamps=lamps,
        camera=camera,
        subjects=subject_words(shot.subjects),
        surroundings=surroundings,
        glows=glowing(shot.environment.emitters),
        negative_text=tidy(negative) or None,
        style=style,
        template=" ".join(template.split()) or DEFAULT,
        warnings=(*contradictions(shot, joined(style, user_text)), *_too_long(user_text)),
    )


def _too_long(user_text: str) -> tuple[Contradiction, ...]:
    """A warning for words beyond what the text encoder reads."""
    count = length(user_text)
    if count <= MOST_USER_WORDS:
        return ()
    fact = f"the model reads about {MOST_USER_WORDS} words beside the scene's facts"
    start = user_text[:40].rstrip()
    return (Contradiction(f"{start}...", fact, f"Your text is {count} words long, but {fact}. Make it shorter."),)


def _surroundings(shot: Shot) -> Surroundings:
    around = shot.environment
    color = None if around.world_color is None or _says_nothing(around.world_color) else color_name(around.world_color)
    if around.setting == "exterior" and color in NO_SKY:
        color = None
    seen = around.world_share is None or around.world_share > 0.0
    return Surroundings(around.setting, around.sky, around.weather, color, seen and sees_sky(shot.camera_path))


def _says_nothing(color: Rgb) -> bool:
    """Whether it is the grey of a world that nobody has touched."""
    return all(abs(channel - DEFAULT_WORLD) < 1e-3 for channel in color)


def _camera(shot: Shot, fps: float) -> Camera:
    path = shot.camera_path
    moves = [move for move in path.moves if move.kind != "static"]
    undone = set[Move]()
    if len(moves) > MOST_MOVES or not _in_turn(moves, fps):
        moves, undone = _one_per_axis(moves)
    moves = sorted(moves[:MOST_MOVES], key=undone.__contains__)
    in_turn = len(moves) > 1 and _in_turn(moves, fps)
    told = sorted(moves, key=_begin) if in_turn else moves or path.moves[:1]
    reach = shot.subjects[0].distance_m if shot.subjects else None
    words = tuple(CameraMove(move.kind, _move_amount(move, reach, fps), move in undone) for move in told)
    shift = focus_shift(shot)
    return Camera(words, in_turn, path.shot_size, path.angle, path.lens_class, path.composition, shift)


def _begin(move: Move) -> int:
    return move.frame_start


def _in_turn(moves: list[Move], fps: float) -> bool:
    """Whether moves follow one another; a few frames of overlap from easing do not make them one."""
    pairs = pairwise(sorted(moves, key=_begin))
    return all(later.frame_start >= earlier.frame_end - fps / 4 for earlier, later in pairs)


def _one_per_axis(moves: list[Move]) -> tuple[list[Move], set[Move]]:
    """One move for each axis, strongest first, and those of them that are undone: told in one breath, two opposite ones
    would contradict each other."""
    axes: dict[str, list[Move]] = {}
    for move in moves:
        axes.setdefault("push" if move.kind == "pull_back" else move.kind.split("_")[0], []).append(move)
    told, undone = [], set()
    for parts in axes.values():
        net = sum((part.amount or 0.0) * (1 if part.kind == parts[0].kind else -1) for part in parts)
        if len({part.kind for part in parts}) == 1 or net > UNDONE * (parts[0].amount or 0.0):
            told.append(parts[0])
            continue
        first, last = min(parts, key=_begin), max(part.frame_end for part in parts)
        told.append(replace(first, amount=parts[0].amount, frame_end=last))
        undone.add(told[-1])
    return told, undone


def _move_amount(move: Move, reach: float | None, fps: float) -> Amount | None:
    """How far a move goes, or that it is fast: angles and focal lengths by themselves, ways against the distance of the
    main subject."""
    if move.amount is None or move.kind in SHAPELESS:
        return None
    if move.unit == "m":
        value, little, much = (move.amount / reach, 0.1, 0.6) if reach and reach > 0 else (move.amount, 0.5, 6.0)
    else:
        value, little, much = (move.amount, 12.0, 60.0) if move.unit == "deg" else (move.amount, 8.0, 50.0)
    if value >= little and value * fps / max(move.frame_end - move.frame_start, 1) > FAST * much:
        return "fast"
    return "slightly" if value < little else "far" if value >= much else "clearly"


def _terms(
    sun: SunLight | None,
    sky: SkyLight | None,
    lamps: tuple[LampLight, ...],
    camera: Camera,
    surroundings: Surroundings,
    shining: bool,
) -> tuple[str, ...]:
    """The five terms that say most, in the order of Wan's own list. The camera's angle gives way to a move."""
    moving = any(move.kind != "static" for move in camera.moves)
    wanted = [
        _time_term(sun, surroundings),
        camera.shot_size,
        _angle_of_light(sun, sky),
        _color_term(sun, lamps),
        None if moving and camera.angle not in WIDE_VIEW else ANGLE_TERMS.get(camera.angle or ""),
        LENS_TERMS.get(camera.lens or ""),
        _source_term(sun, lamps, surroundings, shining),
        camera.composition,
        _quality_term(sun, surroundings),
    ]
    chosen = [term for term in wanted if term is not None][:MOST_TERMS]
    return tuple(sorted(chosen, key=TERM_ORDER.__getitem__))


def _time_term(sun: SunLight | None, surroundings: Surroundings) -> str | None:
    if sun is not None:
        return TIME_TERMS.get(sun.start.time or sun.end.time or "")
    return "night_time" if surroundings.sky == "night" else None


def _angle_of_light(sun: SunLight | None, sky: SkyLight | None) -> str | None:
    light: SkyLight | SunMoment | None = sky or (sun.start if sun is not None else None)
    if light is None or light.height == "below":
        return None
    term = SECTOR_TERMS.get(light.sector or "")
    return None if light.steep and term == "edge_lighting" else term  # no edges are seen from above


def _color_term(sun: SunLight | None, lamps: tuple[LampLight, ...]) -> str | None:
    lights = [lamp.color for lamp in lamps[:2]]  # a third one tinges little
    if sun is not None:
        lights += [moment.color for moment in sun.moments if moment.height != "below"]
    warm, cool = WARM_LIGHT & set(lights), COOL_LIGHT & set(lights)
    if warm and cool:
        return "mixed_colors"
    return "warm_colors" if warm else "cool_colors" if cool else None


def _source_term(
    sun: SunLight | None, lamps: tuple[LampLight, ...], surroundings: Surroundings, shining: bool
) -> str | None:
    night = _time_term(sun, surroundings) == "night_time"
    if sun is not None and sun.moon and not lamps:
        return "moonlight"
    if not night and sun is not None and any(moment.height != "below" for moment in sun.moments):
        return SKY_LIGHT.get(surroundings.sky or "", "daylight")
    if lamps:
        return "practical_lighting" if lamps[0].role == "practical" else "artificial_lighting"
    if sun is None and surroundings.setting != "interior" and surroundings.sky in SKY_LIGHT:
        return SKY_LIGHT[surroundings.sky]
    return "practical_lighting" if shining else None


def _quality_term(sun: SunLight | None, surroundings: Surroundings) -> str | None:
    if surroundings.sky == "overcast" or surroundings.weather == "fog":
        return "soft_lighting"
    night = _time_term(sun, surroundings) == "night_time"
    return "hard_lighting" if not night and sun is not None and sun.start.shines else None
