# SPDX-License-Identifier: GPL-3.0-or-later
"""Prompt presets: a template and words, kept in the user's folder."""

from __future__ import annotations

import json
from pathlib import Path

import bpy

from ..wan_engine.errors import UsageError, reason_of
from ..wan_engine.text_files import parsed, read_text
from .saving import write_file
from .settings import PACKAGE
from .shots import check_template

SCHEMA = "wan_previs.preset/1"
FIELDS = ("template", "style", "negative")


def preset_folder(create: bool = False) -> Path:
    """Where presets are kept. Raises OSError when it is to be made and cannot."""
    if PACKAGE.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(PACKAGE, path="presets", create=create))
    folder = Path(bpy.utils.user_resource("SCRIPTS")) / "presets" / "wan_previs"
    if create:
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def preset_names() -> list[str]:
    """The presets there are, by name."""
    return sorted(path.stem for path in preset_folder().glob("*.json"))


def write_preset(name: str, fields: dict[str, str]) -> Path:
    """Keep a preset under a name, in the place of one that had it. Raises UsageError, SaveError."""
    check_template(fields["template"])
    stem = bpy.path.clean_name(name.strip())
    if not stem.strip("_"):
        raise UsageError("Give the preset a name.")
    path = preset_folder(create=True) / f"{stem}.json"
    data = {"schema": SCHEMA, **{field: fields[field] for field in FIELDS}}
    write_file(path, lambda new: new.write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8"))
    return path


def read_preset(name: str) -> dict[str, str]:
    """The fields of a preset. Raises UsageError for one that is not there, or damaged."""
    path = preset_folder() / f"{name}.json"
    try:
        data = parsed(read_text(path))
    except FileNotFoundError:
        known = ", ".join(preset_names()) or "none yet"
        raise UsageError(f"There is no preset named {name}. There are: {known}.") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"The preset {path} cannot be read ({reason_of(error)}). Save it again.") from error
    good = isinstance(data, dict) and data.get("schema") == SCHEMA
    if not good or not all(isinstance(data.get(field), str) for field in FIELDS):
        raise UsageError(f"The preset {path} is damaged. Save it again.")
    return {field: data[field] for field in FIELDS}
