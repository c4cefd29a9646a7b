# SPDX-License-Identifier: GPL-3.0-or-later
"""Reference pictures of a shot: which of them its model is given, whether they can be read, and their copies in the job
folder, which are named by what they hold."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path

import bpy
import imbuf

from ..bridge.state import JobError
from ..scene.brief import Brief, Reference, SceneError, Shot
from ..scene.references import Stated, absolute
from ..scene.shots import own_first
from ..wan_engine.checkpoint.summary import Outline
from ..wan_engine.errors import UsageError
from .settings import Note, Settings, _ignored

_PLACE = "conditioning/reference_"  # of a job
_GONE = f"{_PLACE}gone"  # stands for a picture that cannot be read
_MOST_PIXELS = 178_000_000  # that the engine reads
_MOST_BYTES = 2**30  # of a file
_MOST_TOLD = 4  # pictures in a sentence
_PNG = b"\x89PNG\r\n\x1a\n"
_FILM = (b"SDPX", b"XPDS", b"\x80\x2a\x5f\xd7")  # DPX and Cineon, which the engine does not read


def given_references(scene: bpy.types.Scene, settings: Settings) -> list[Stated] | None:
    """The pictures that the user named, instead of those that the file holds; None where none were. Raises
    UsageError."""
    return None if settings.references is None else [_stated(scene, text) for text in settings.references]


def _stated(scene: bpy.types.Scene, text: str) -> Stated:
    """What "FILE" or "SUBJECT=FILE" means; a file that has "=" in its name is a file."""
    name, equals, file = text.partition("=")
    if not equals or os.path.exists(_path(text)):
        return Stated(scene, _path(text))
    collections = scene.collection.children_recursive
    owner = own_first(scene.objects, name) or own_first(collections, name)
    if owner is None:
        raise UsageError(
            f'The scene "{scene.name}" has no object and no collection "{name}" that could look like {file}. Write '
            "--reference NAME=FILE with a name that it has, or FILE alone for all shots."
        )
    return Stated(owner, _path(file))


def _path(text: str) -> str:
    return os.path.abspath(bpy.path.abspath(text)) if text else ""


def names_of(shot: Shot, model: Outline, note: Note = _ignored) -> tuple[str, ...]:
    """What the shot's request names: files relative to the job folder, told apart by what they hold. `note` is told
    what is left out because of the model."""
    named = [(_name(reference), reference) for reference in shot.references]
    given = tuple(dict.fromkeys(name for name, _ in named))[: model.references]
    left = list(dict.fromkeys(_told(reference) for name, reference in named if name not in given))
    if left:
        more = f" and {len(left) - _MOST_TOLD} more" if len(left) > _MOST_TOLD else ""
        takes = f"takes {model.references or 'no'} reference picture{'s' * (model.references != 1)}"
        told = f"{', '.join(left[:_MOST_TOLD])}{more}"
        note(f'{model.title} {takes}: the clip of shot "{shot.name}" is made without {told}.')
    return given


def _name(reference: Reference) -> str:
    try:
        data = _read(reference)
    except OSError:
        return _GONE
    suffix = re.sub(r"[^a-z0-9.]", "", Path(reference.path).suffix.lower())[:6]
    return f"{_PLACE}{hashlib.sha256(data).hexdigest()[:32]}{suffix}"


def _read(reference: Reference) -> bytes:
    """What the picture's file holds, or what is packed of it into the .blend. Raises OSError."""
    packed = _packed(reference)
    if packed is not None:
        return packed
    found = os.stat(reference.path)
    if not stat.S_ISREG(found.st_mode):  # such as a pipe, which would be waited for
        raise OSError(errno.EINVAL, "it is no file")
    if found.st_size > _MOST_BYTES:
        raise OSError(errno.EFBIG, "it is larger than a gigabyte")
    return Path(reference.path).read_bytes()


def _packed(reference: Reference) -> bytes | None:
    for image in bpy.data.images:
        if image.packed_file is not None and os.path.normpath(absolute(image)) == reference.path:
            return bytes(image.packed_file.data)
    return None


def _told(reference: Reference) -> str:
    """The picture in a sentence."""
    file = os.path.basename(reference.path) or "a picture that is no file"
    return file if reference.kind == "scene" else f'{file} of "{reference.name}"'


def without_references(brief: Brief, model: Outline) -> list[str]:
    """A sentence about the shots that are made without the references of what they show; none where there are no
    such."""
    shots = [shot.name for shot in brief.shots if len(set(map(_name, shot.references))) > model.references]
    if not shots:
        return []
    named = ", ".join(f'"{name}"' for name in shots)
    takes = f"no more than {model.references}" if model.references else "no"
    able = "" if model.references > 1 else " VACE models take several, Fun Control models one."
    return [
        f"{model.title} takes {takes} reference picture{'s' * (model.references != 1)}, so some that "
        f"belong to the shot{'s' * (len(shots) > 1)} {named} are left out.{able}"
    ]


def check_references(brief: Brief, settings: Settings, model: Outline) -> None:
    """Notice before the work that a picture which is to be given cannot be read. Raises UsageError for one that the
    user named, SceneError for one of the file's."""
    for shot in brief.shots:
        given = names_of(shot, model)
        for reference in shot.references:
            if _name(reference) in given and (fault := fault_of(reference)):
                raised = SceneError if settings.references is None else UsageError
                raise raised(f'The reference picture {_told(reference)}, "{reference.path}", {fault}.')


def fault_of(reference: Reference) -> str:
    """What is wrong with a picture and what to do; "" for a good one."""
    if not reference.path:
        return "is no file; save it as PNG, or choose another"
    try:
        head = _read(reference)[:24]
    except FileNotFoundError:
        return "does not exist; put it back, or choose another"
    except OSError as error:
        return f"cannot be read ({error.strerror or error}); choose another"
    if head.startswith(_PNG) and _pixels(head) > _MOST_PIXELS:
        return _too_large()
    if head.startswith(_FILM):
        return "is of a kind that the video engine does not read; save it as PNG"
    if _packed(reference) is not None:  # Blender has read it
        return ""
    try:
        picture = imbuf.load(reference.path)
    except (OSError, ValueError, MemoryError):
        return "is no picture that Blender can read; save it as PNG"
    width, height = picture.size
    picture.free()
    return _too_large() if width * height > _MOST_PIXELS else ""


def _pixels(head: bytes) -> int:
    """Of a PNG, by its first 24 bytes (PNG specification, IHDR)."""
    return int.from_bytes(head[16:20], "big") * int.from_bytes(head[20:24], "big")


def _too_large() -> str:
    return f"has more than {_MOST_PIXELS // 1_000_000} million pixels; save it smaller"


def write_references(names: Sequence[str], shot: Shot, folder: Path, kept: Path | None) -> None:
    """Copy the pictures of a request into the job's `folder`, from the job folder `kept` where they are a take's.
    Raises SceneError, JobError."""
    sources = {_name(reference): reference for reference in shot.references}
    try:
        for name in names:
            data = (kept / name).read_bytes() if kept is not None else _read(sources[name])
            (folder / name).write_bytes(data)
    except (KeyError, FileNotFoundError) as error:
        raise SceneError("A reference picture was changed while the shot was prepared. Make it again.") from error
    except OSError as error:
        raise JobError(f"The reference pictures cannot be copied ({error}). Free some space.") from error
