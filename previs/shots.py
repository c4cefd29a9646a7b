# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene's shots and their prompts."""

from __future__ import annotations

from collections.abc import Sequence

import bpy

from ..prompting import (
    Language,
    StructuredPrompt,
    TemplateError,
    build_prompt,
    joined,
    left_out,
    length,
    parse_template,
    prompt_text,
)
from ..scene.brief import Brief, Shot
from ..scene.losses import losses
from ..scene.reader import read_brief
from ..wan_engine.checkpoint.summary import Outline
from ..wan_engine.errors import UsageError
from .references import given_references
from .settings import Settings, ShotWords

TOKENS_A_WORD = 1.3  # of our own sentences; names and rare words take more


def read_shots(
    scene: bpy.types.Scene, names: Sequence[str] | None = None, settings: Settings | None = None
) -> tuple[Brief, list[str]]:
    """The brief of the scene's shots (all, or those named) and warnings, also of what a render will lack; with the
    references that `settings` name instead of the file's. Raises SceneError, UsageError."""
    given = None if settings is None else given_references(scene, settings)
    brief, warnings = read_brief(scene, names, given)
    return brief, [*warnings, *losses(scene)]


def prompt_of(brief: Brief, shot: Shot, settings: Settings) -> StructuredPrompt:
    """The shot's structured prompt, with the user's words about the scene and the shot. Raises UsageError."""
    own = settings.shot_words.get(shot.name, ShotWords())
    check_template(settings.template)
    return build_prompt(
        brief, shot, joined(settings.description, own.description), settings.style, settings.template,
        ", ".join(filter(None, (settings.negative.strip(" ,，"), own.negative.strip(" ,，")))),
    )  # fmt: skip


def why_no_template(template: str) -> str:
    """What is wrong with a template and what to do, "" for a good one."""
    try:
        parse_template(template)
    except TemplateError as error:
        return str(error)
    return ""


def check_template(template: str) -> None:
    """Raises UsageError for a template that cannot be used."""
    if wrong := why_no_template(template):
        raise UsageError(wrong)


def contradictions_of(brief: Brief, settings: Settings) -> list[str]:
    """What the user's words claim of the shots and the scene denies, a sentence each."""
    return [warning.message for shot in brief.shots for warning in prompt_of(brief, shot, settings).warnings]


def left_out_of(brief: Brief, settings: Settings, language: Language = "en") -> list[str]:
    """What the shots' prompts have no room for, a sentence each."""
    gone = {shot.name: left_out(prompt_of(brief, shot, settings), language) for shot in brief.shots}
    return [
        f"The prompt of shot {name} has no room for: {' '.join(texts)} Make your own words shorter to have it told."
        for name, texts in gone.items()
        if texts
    ]


def lengths_of(brief: Brief, settings: Settings, model: Outline) -> list[str]:
    """Warnings of what texts leave out, and of those that are probably longer than the model reads; only the engine can
    count exactly."""
    most, told = int(model.text_length / TOKENS_A_WORD), left_out_of(brief, settings)
    for shot in brief.shots:
        prompt = prompt_of(brief, shot, settings)
        for name, text in (("prompt", prompt_text(prompt)), ("negative prompt", prompt.negative(model.negative) or "")):
            if length(text) > most:
                told.append(
                    f"The {name} of shot {shot.name} is {length(text)} words long, and {model.title} reads about "
                    f"{most}. What does not fit is left out, in the end of your own words too; make them shorter."
                )
    return told
