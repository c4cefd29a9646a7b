# SPDX-License-Identifier: GPL-3.0-or-later
"""What a clip follows in every frame of its shot: which passes of the scene are made, and what the engine is told."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import bpy

from ..conditioning import passes
from ..scene.brief import SceneError, Shot
from ..wan_engine.checkpoint.distilled import sampling_of
from ..wan_engine.checkpoint.summary import Outline
from ..wan_engine.errors import UsageError
from ..wan_engine.options import AUTO
from ..wan_engine.request import GenerationRequest
from .settings import Note, Settings, _ignored

FOLDER = "control"  # of a job
TRACKS = f"{FOLDER}/tracks.json"
_MOTION, _MOTION_MASK = f"{FOLDER}/motion", f"{FOLDER}/motion_mask"
_CAMERA, _MASK = f"{FOLDER}/camera.json", f"{FOLDER}/mask"
_OF_DEPTH = ("depth", "mixed")
# The modes in which a clip follows every frame, and the types of camera that this takes.
FOLLOWING = {"control": passes.KINDS, "camera": ("PERSP",), "motion": passes.KINDS}
MARKED = ("control", "motion")  # those in which marks of objects count
# Noise levels at which Time-to-Move begins, and lets go of what it follows: of no resemblance, of its authors (steps 3
# and 7 of 50 at shift 3 for objects, 2 and 5 for cameras), and of the most.
_OBJECT_CLOCKS = (1.0, 0.9792, 0.93), (1.0, 0.9486, 0.80)
_CAMERA_CLOCKS = (1.0, 0.9863, 0.94), (1.0, 0.9643, 0.85)
_SUBJECT_UNITS = 4.0  # of a camera model, from camera to subject
_NEAREST, _FARTHEST = 0.1, 1e6  # metres: what is nearer, or farther, counts as this far
AS_MADE = 0.75  # the resemblance at which a clip follows as the model's makers have it
_MOST_STRENGTH = 1.5  # of control, at the resemblance 1


def followed(
    scene: bpy.types.Scene, shot: Shot, settings: Settings, model: Outline, mode: str, note: Note = _ignored
) -> dict[str, Any]:
    """What a request says of what its clip follows; file names are relative to the job folder. `note` is told how a
    camera's way is scaled."""
    if mode == "camera":
        return {"camera": _CAMERA, "camera_scale": camera_scale(shot, settings, note)}
    if mode == "motion":
        return {"motion_video": _MOTION, "motion_mask": _MOTION_MASK, **_clocks(scene, settings, model)}
    if mode != "control":
        return {}
    found: dict[str, Any] = {"control_video": f"{FOLDER}/{_clip_name(settings, model)}"}
    if "keep" in passes.marks_of(scene).values():
        found["control_mask"] = _MASK
    resemblance = round(settings.resemblance, 3)  # Blender's floats are short
    if "control_scale" in model.model.controls and resemblance != AS_MADE:
        found["control_scale"] = round(_between(resemblance, 0.0, 1.0, _MOST_STRENGTH), 3)
    if "control_share" in model.model.controls and resemblance < AS_MADE:
        found["control_share"] = round(resemblance / AS_MADE, 3)
    return found


def camera_scale(shot: Shot, settings: Settings, note: Note = _ignored) -> float:
    """How many units of the model's a metre is: as asked for, else so that the subject is at the distance which the
    moves that the models were trained with go by. Their makers' examples truck by 1.5 units and dolly in by 3, in no
    stated unit, and a dolly in must end before the subject."""
    if settings.camera_scale is not None:
        return _short(settings.camera_scale)
    if not shot.subjects:
        note(f"Nothing stands out in shot \"{shot.name}\", so a metre of its camera's way is one unit of the model's.")
        return 1.0
    subject = shot.subjects[0]
    scale = _short(_SUBJECT_UNITS / min(max(subject.distance_m, _NEAREST), _FARTHEST))
    note(
        f'In shot "{shot.name}" a metre of the camera\'s way is {scale:.3g} units of the model\'s: "{subject.name}" is '
        f"{subject.distance_m:.3g} m away, and {_SUBJECT_UNITS:g} units for that suit the moves it was trained with. "
        "--camera-scale sets another."
    )
    return scale


def _short(value: float) -> float:
    """To as many digits as Blender's floats hold for sure."""
    return float(f"{value:.6g}")


def _follows_objects(scene: bpy.types.Scene) -> bool:
    return "follow" in passes.marks_of(scene).values()


def _clocks(scene: bpy.types.Scene, settings: Settings, model: Outline) -> dict[str, int]:
    """The steps between which an animation is followed, as near to the noise levels as the schedule has them."""
    preset = sampling_of(model.model, settings.preset)
    steps = settings.steps or preset.get("steps") or model.model.steps
    shift = preset.get("shift") or model.model.shift_for(settings.size or model.area)
    levels = _OBJECT_CLOCKS if _follows_objects(scene) else _CAMERA_CLOCKS

    def step(level: float) -> int:
        unshifted = level / (shift - (shift - 1) * level)
        return min(round((1 - unshifted) * steps), steps - 1)

    begin, end = (step(_between(settings.resemblance, *three)) for three in levels)
    return {"motion_start": begin, "motion_end": max(begin, end)}


def check_followed(scene: bpy.types.Scene, shot: Shot, settings: Settings, model: Outline, mode: str) -> None:
    """Raises SceneError where there is nothing in the shot that a clip in this mode could follow, or what is marked is
    not there; UsageError for a mark that the model can do nothing with."""
    if mode not in FOLLOWING:
        return
    passes.check_shot(scene, shot, FOLLOWING[mode])
    passes.check_marks(scene)
    if mode == "control" and settings.control == "pose":
        passes.check_bodies(scene)
    stands = all(move.kind == "static" for move in shot.camera_path.moves)
    if mode == "motion" and stands and not _follows_objects(scene):
        raise SceneError(
            f'In shot "{shot.name}" the camera stands still and no object is marked "Follow Exactly", so there is no '
            "motion to follow. Mark what moves (Object properties, Previs), or choose another mode."
        )
    kept = [item.name for item, mark in passes.marks_of(scene).items() if mark == "keep"]
    if kept and mode == "control" and "control_mask" not in model.model.controls:
        raise UsageError(
            f'{model.title} cannot keep "{kept[0]}" as rendered, for it takes no mask. Take the mark away (Object '
            "properties, Previs), or use a VACE model."
        )


def write_followed(
    scene: bpy.types.Scene,
    shot: Shot,
    settings: Settings,
    model: Outline,
    mode: str,
    request: GenerationRequest,
    folder: Path,
) -> Generator[float, None, None]:
    """Write what the clip of `request` follows into the job's `folder`; yields the share that is done. Raises
    SceneError."""
    if request.size is None or request.frames is None:
        return
    place, size, count = folder / FOLDER, request.size, request.frames

    def wanted(scratch: Path) -> Sequence[passes.Pass]:
        told: list[passes.Pass] = [passes.TracksPass(folder / TRACKS, size, count)]
        if passes.is_perspective(scene, shot):
            told.append(passes.CameraPass(shot, folder / _CAMERA))
        if mode == "camera":
            return told
        if mode == "motion":
            clip, mask = folder / _MOTION, folder / _MOTION_MASK
            if _follows_objects(scene):
                return [*told, passes.ObjectMotionPass(clip, mask)]
            return [*told, passes.CameraMotionPass(clip, mask, folder / str(request.image))]
        marks = set(passes.marks_of(scene).values())
        found = [*told, _clip(shot, settings, model, place, scratch, size)]
        if settings.control == "mixed":
            found.append(passes.LinesOverPass(place / _clip_name(settings, model), scratch))
        found += [passes.MaskPass(place / "masks", sorted(marks))] if marks else []
        if request.control_video and request.control_mask:
            found.append(passes.KeepPass(folder / request.control_video, folder / request.control_mask, scratch))
        return found

    yield from passes.write_passes(scene, shot, size, place, count, wanted)


def write_tracks(
    scene: bpy.types.Scene, shot: Shot, request: GenerationRequest, folder: Path, note: Note = _ignored
) -> Generator[float, None, None]:
    """Write the tracks that tell whether the clip of `request` follows a scene whose frames it is not given, into the
    job's `folder`; yields the share that is done. They are for the report alone: where there can be none, `note` is
    told why, and the clip is made."""
    if request.size is None or request.frames is None or not passes.has_tracks(scene, shot):
        return
    tracks = passes.TracksPass(folder / TRACKS, request.size, request.frames)
    try:
        yield from passes.write_passes(
            scene, shot, request.size, folder / FOLDER, request.frames, lambda scratch: [tracks]
        )
    except SceneError as error:
        note(f'Whether the clip of shot "{shot.name}" follows the scene will not be told: {error}')


def _between(resemblance: float, least: float, as_made: float, most: float) -> float:
    """What stands for a resemblance where these stand for 0, for that of the makers, and for 1."""
    if resemblance <= AS_MADE:
        return least + (as_made - least) * resemblance / AS_MADE
    return as_made + (most - as_made) * (resemblance - AS_MADE) / (1 - AS_MADE)


def _clip(
    shot: Shot, settings: Settings, model: Outline, place: Path, scratch: Path, size: tuple[int, int]
) -> passes.Pass:
    """What writes the control clip."""
    name = _clip_name(settings, model)
    if settings.control in _OF_DEPTH:
        scale: passes.Range = "frame" if settings.depth_range == "frame" else "clip"
        return passes.DepthPass(shot, place, scratch, name, _curve(settings, model), scale)
    if settings.control == "pose":
        return passes.PosePass(place / name, size)
    return passes.ClipPass(place / name, name)


def _clip_name(settings: Settings, model: Outline) -> str:
    """The folder of the control clip; its name tells all that decides how it looks."""
    name = settings.control
    if name == "blockout" and settings.blockout_light == "studio":
        name += "_studio"
    if name in _OF_DEPTH:
        name += "_inverse" * (_curve(settings, model) == "inverse") + "_by_frame" * (settings.depth_range == "frame")
    return name


def _curve(settings: Settings, model: Outline) -> passes.Curve:
    """As the model was trained: VACE with the inverse of depth (MiDaS), the Fun models with depth itself (ZoeDepth)."""
    if settings.depth_curve == AUTO:
        return "inverse" if "vace" in model.model.modules else "linear"
    return "inverse" if settings.depth_curve == "inverse" else "linear"
