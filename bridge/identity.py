# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose a job folder is: identity.json names the job, its file, scene and shot, and what was asked for."""

from __future__ import annotations

import hashlib
import json
import math
import os
import uuid
from collections.abc import Collection, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path, PurePath
from typing import Any, Literal

from ..wan_engine.errors import WanError
from ..wan_engine.request import OUTPUTS, GenerationRequest
from .files import read_own
from .jobs import JobFolder
from .state import JobError, utc_now

SCHEMA = "wan_previs.identity/1"
# Of the .blend that asks: its own job; its own from before it was renamed, moved or first saved; another file's.
Standing = Literal["own", "moved", "other"]
_NO_OTHER_CLIP = {
    *OUTPUTS,
    "offload",
    "light",
    "tracks",
}  # what of a request makes no other clip, or is made of the scene
_DEFAULTS = {item.name: item.default for item in fields(GenerationRequest) if item.default is not MISSING}
_FIELDS = {
    "checkpoint": "model", "frames": "number of the model's frames", "clip_frames": "number of frames",
    "clip_fps": "frame rate", "negative": "words to avoid", "sun": "sun's path", "image": "mode",
    "last_image": "mode", "keyframes": "pictures between", "guide_light": "light guide", "loras": "LoRAs",
    "expected_light": "expected light", "repair": "repairs", "control_video": "what it follows",
    "control_mask": "marked objects", "control_scale": "resemblance", "control_share": "resemblance",
    "camera": "mode", "motion_video": "mode", "motion_mask": "mode", "motion_start": "resemblance",
    "motion_end": "resemblance", "reference": "reference pictures",
}  # fmt: skip
_FACTS = {
    "resolution": "picture's size", "fps": "frame rate", "frame_start": "frames", "frame_end": "frames",
    "camera_path": "camera", "sun": "sun", "suns": "sun", "subjects": "subjects", "lights": "lights",
    "environment": "surroundings", "north_offset_deg": "north", "marks": "marked objects",
}  # fmt: skip
# What Blender's side states of itself; a folder that lacks it is of a version that did not.
_ALWAYS_STATED = frozenset(("prompt_parts", "exact_size", "first_frame", "frames", "keyframes", "camera_scale"))
# Names that folders of earlier versions were fingerprinted with.
_OLD_NAMES = {"expected_light": "light_truth", "repair": "correct"}
# What a job that makes a part of a take anew has of that take.
_OF_THE_TAKE = {"redo", "redo_from", "redo_mask", "redo_of", "size", "frames", "keyframes", "seed", "reference"}
_TOLERANCE = 1e-4  # of a fact's value: less is another computer's rounding


@dataclass(frozen=True)
class Identity:
    """`file` is the .blend's path from the folder of the job folders (None: it had never been saved), `scene` and
    `shot` are identifiers kept in it; a repair has no shot, since nothing goes on with it. `made` is UTC, ISO 8601.
    """

    file: str | None
    scene: str
    shot: str
    fingerprint: str
    job: str = field(default_factory=lambda: uuid.uuid4().hex)
    made: str = field(default_factory=utc_now)


def write_identity(job: JobFolder, identity: Identity) -> None:
    """Store it. Raises JobError when it cannot be written."""
    job.write_json(job.identity, {"schema": SCHEMA, **asdict(identity)})


def read_identity(job: JobFolder) -> Identity | None:
    """None for a folder that does not tell: one of an earlier version, or none of ours."""
    try:
        data = json.loads(read_own(job.identity))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or data.pop("schema", None) != SCHEMA:
        return None
    named = {item.name for item in fields(Identity)}
    texts = all(isinstance(value, str) or (key == "file" and value is None) for key, value in data.items())
    return Identity(**data) if set(data) == named and texts else None


def place_of(file: Path | None, root: Path) -> str | None:
    """A .blend as an identity names it; the whole path where there is no way from `root` to it (another drive)."""
    if file is None:
        return None
    try:
        return PurePath(os.path.relpath(os.path.realpath(file), os.path.realpath(root))).as_posix()
    except ValueError:
        return file.as_posix()


def standing(identity: Identity, root: Path, file: Path | None) -> Standing:
    """What `file` (None: never saved) is to a job below `root`, by path alone."""
    if identity.file is None:
        return "own" if file is None else "moved"
    named = Path(os.path.realpath(root), identity.file)
    if file is not None and (identity.file == place_of(file, root) or _same(named, file)):
        return "own"
    return "other" if file is None or _may_be_there(named) else "moved"


def _same(one: Path, other: Path) -> bool:
    """Also where the system takes two spellings for one name."""
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False


def _may_be_there(file: Path) -> bool:
    """Also where the system cannot tell: a folder that may not be looked into, a path that is none."""
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return True
    return True


def asked_for(request: GenerationRequest, expected_light: str) -> dict[str, Any]:
    """What decides which clip a request makes, apart from the pictures: what is left at its default is left out."""
    plain = {
        key: value
        for key, value in request.to_json().items()
        if key not in _NO_OTHER_CLIP and (key not in _DEFAULTS or getattr(request, key, None) != _DEFAULTS[key])
    }
    return {**plain, "expected_light": expected_light}


def fingerprint(asked: Mapping[str, Any]) -> str:
    """One value for what is asked for."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def is_same(identity: Identity, asked: Mapping[str, Any]) -> bool:
    """Whether a job was asked for exactly so, by this version or by an earlier one."""
    without_count = {name: value for name, value in asked.items() if name != "frames"}  # the model's own was meant
    ways = [asked, without_count]
    ways += [{_OLD_NAMES.get(name, name): value for name, value in way.items()} for way in ways]
    return identity.fingerprint in map(fingerprint, ways)


def changes(
    job: JobFolder, asked: Mapping[str, Any], brief: Mapping[str, Any], as_then: Collection[str] = ()
) -> list[str]:
    """Names of what would be asked for otherwise now, or is otherwise in the scene's brief (of this shot alone); fields
    in `as_then` are not looked at. Raises JobError when the job cannot be read.
    """
    try:
        stored = job.read_request()
        request = GenerationRequest.from_json(stored)
    except WanError as error:
        raise JobError(str(error)) from error
    then = asked_for(request, request.light.source if request.light else "")
    as_then = {*as_then, *(name for name in _ALWAYS_STATED if stored.get(name) is None)}
    if request.redo is not None:
        as_then |= _OF_THE_TAKE
    names = [_FIELDS.get(key, key.replace("_", " ")) for key in _other_keys(then, asked) if key not in as_then]
    return list(dict.fromkeys([*names, *_changed_facts(job, brief)]))


def _changed_facts(job: JobFolder, now: Mapping[str, Any]) -> list[str]:
    try:
        then = json.loads(read_own(job.brief))
        facts, others = ({**brief, **brief["shots"][0]} for brief in (then, now))
        if not facts.keys() >= {"frame_start", "frame_end", "subjects"}:
            return ["scene"]
        facts["subjects"] = [_told_as_now(subject) for subject in facts["subjects"]]
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return ["scene"]
    return [words for key, words in _FACTS.items() if key in facts and not _alike(facts[key], others.get(key))]


def _told_as_now(subject: Mapping[str, Any]) -> dict[str, Any]:
    """A subject of a stored brief; in those of earlier versions the noun stood in the place of its name."""
    return dict(subject) if "noun" in subject else {("noun" if k == "name" else k): v for k, v in subject.items()}


def _other_keys(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return [key for key in {**one, **other} if one.get(key) != other.get(key)]


def _alike(one: Any, other: Any) -> bool:
    """By what both tell: of facts that an earlier version did not read nothing is known to have changed."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(_alike(one[key], other[key]) for key in one.keys() & other.keys())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return bool(one == other)
