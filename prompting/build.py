# SPDX-License-Identifier: GPL-3.0-or-later
"""From a brief to the structured prompt: what is told, and in which of Wan's words."""

from __future__ import annotations

from itertools import pairwise

from ..scene.brief import Brief, Move, Shot
from .contradictions import contradictions
from .fit import length
from .light import lamp_lights, sky_light, sun_light
from .structured import (
    Amount,
    Camera,
    CameraMove,
    Contradiction,
    LampLight,
    SkyLight,
    StructuredPrompt,
    SunLight,
    Surroundings,
)
from .subjects import color_name, glowing, subject_words
from .template import DEFAULT, parse_template
from .vocabulary import ANGLE_TERMS, LENS_TERMS, SECTOR_TERMS, TERM_ORDER, TIME_TERMS
from .weave import joined, tidy

MOST_USER_WORDS = 250  # 512 tokens hold about 380 words, and the scene's facts take up to 130
MOST_TERMS = 5
MOST_MOVES = 3
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
    environment = shot.environment
    surroundings = Surroundings(
        environment.setting, environment.sky, environment.weather, color_name(environment.world_color)
    )
    return StructuredPrompt(
        shot=shot.name,
        terms=_terms(sun, sky, lamps, camera, surroundings),
        user_text=user_text,
        sun=sun,
        sky_light=sky,
        lamps=lamps,
        camera=camera,
        subjects=subject_words(shot.subjects),
        surroundings=surroundings,
        glows=glowing(environment.emitters),
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


def _camera(shot: Shot, fps: float) -> Camera:
    path = shot.camera_path
    moves = [move for move in path.moves if move.kind != "static"][:MOST_MOVES]
    ordered = sorted(moves, key=lambda move: move.frame_start)
    # A few frames of overlap from easing do not make moves simultaneous.
    in_turn = len(moves) > 1 and all(
        later.frame_start >= earlier.frame_end - fps / 4 for earlier, later in pairwise(ordered)
    )
    told = ordered if in_turn else _one_per_axis(moves) or [move for move in path.moves if move.kind == "static"][:1]
    reach = shot.subjects[0].distance_m if shot.subjects else None
    words = tuple(CameraMove(move.kind, _move_amount(move, reach)) for move in told)
    return Camera(words, in_turn, path.shot_size, path.angle, path.lens_class, path.composition)


def _one_per_axis(moves: list[Move]) -> list[Move]:
    """The strongest move of each kind: told in one breath, two opposite ones would contradict each other."""
    strongest: dict[str, Move] = {}
    for move in moves:
        strongest.setdefault("push" if move.kind == "pull_back" else move.kind.split("_")[0], move)
    return list(strongest.values())


def _move_amount(move: Move, reach: float | None) -> Amount | None:
    """How far a move goes: angles and focal lengths by themselves, ways against the distance of the main subject."""
    if move.amount is None or move.kind in SHAPELESS:
        return None
    if move.unit == "m":
        value, little, much = (move.amount / reach, 0.1, 0.6) if reach and reach > 0 else (move.amount, 0.5, 6.0)
    else:
        value, little, much = (move.amount, 12.0, 60.0) if move.unit == "deg" else (move.amount, 8.0, 50.0)
    return "slightly" if value < little else "far" if value >= much else "clearly"


def _terms(
    sun: SunLight | None,
    sky: SkyLight | None,
    lamps: tuple[LampLight, ...],
    camera: Camera,
    surroundings: Surroundings,
) -> tuple[str, ...]:
    """The five terms that say most, in the order of Wan's own list. The camera's angle gives way to a move."""
    moving = any(move.kind != "static" for move in camera.moves)
    wanted = [
        _time_term(sun, surroundings),
        camera.shot_size,
        _angle_of_light(sun, sky),
        _color_term(sun, lamps),
        None if moving else ANGLE_TERMS.get(camera.angle or ""),
        LENS_TERMS.get(camera.lens or ""),
        _source_term(sun, lamps, surroundings),
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
    if sky is not None:
        return SECTOR_TERMS.get(sky.sector)
    if sun is None or sun.start.height == "below":
        return None
    return SECTOR_TERMS.get(sun.start.sector or "")


def _color_term(sun: SunLight | None, lamps: tuple[LampLight, ...]) -> str | None:
    lights = [lamp.color for lamp in lamps]
    if sun is not None:
        lights += [moment.color for moment in (sun.start, sun.end) if moment.height != "below"]
    warm, cool = {"orange", "golden"} & set(lights), "bluish" in lights
    if warm and cool:
        return "mixed_colors"
    return "warm_colors" if warm else "cool_colors" if cool else None


def _source_term(sun: SunLight | None, lamps: tuple[LampLight, ...], surroundings: Surroundings) -> str | None:
    if sun is not None and (sun.start.height != "below" or sun.end.height != "below"):
        return {"clear": "sunny_lighting", "overcast": "overcast_lighting"}.get(surroundings.sky or "", "daylight")
    if lamps:
        return "practical_lighting" if lamps[0].role == "practical" else "artificial_lighting"
    return None


def _quality_term(sun: SunLight | None, surroundings: Surroundings) -> str | None:
    if surroundings.sky == "overcast" or surroundings.weather == "fog":
        return "soft_lighting"
    return "hard_lighting" if sun is not None and sun.start.shadows else None
