# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a structured prompt in a language."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

from .chinese import writer as chinese
from .english import writer as english
from .fit import Sentence
from .structured import StructuredPrompt

SCHEMA = "wan_previs.prompt/1"

Language = Literal["en", "zh"]
_WRITERS: dict[str, tuple[Callable[[StructuredPrompt], list[Sentence]], str]] = {
    "en": (english.write, " "),
    "zh": (chinese.write, ""),
}
"""A language's writer, and what stands between its sentences."""


def prompt_text(prompt: StructuredPrompt, language: Language = "en") -> str:
    """The prompt in plain sentences; the same prompt gives the same text. 60 to 200 words as
    far as the facts reach (more beside many words of the user's): optional facts give way above, framing is spelled out
    below. Raises ValueError."""
    _, space = _writer(language)
    return space.join(sentence.text for sentence in prompt_sentences(prompt, language))


def left_out(prompt: StructuredPrompt, language: Language = "en") -> list[str]:
    """The sentences that the text has no room for. Raises ValueError."""
    write, _ = _writer(language)
    return [sentence.text for sentence in write(prompt) if not sentence.told]


def prompt_sentences(prompt: StructuredPrompt, language: Language = "en") -> list[Sentence]:
    """What `prompt_text` is made of, with what can be left out first where a model reads less. Raises ValueError."""
    write, _ = _writer(language)
    return [sentence for sentence in write(prompt) if sentence.told]


def prompt_json(prompt: StructuredPrompt) -> dict[str, Any]:
    """Plain data with the schema's name, and the text in both languages under `text`."""
    fields = dataclasses.asdict(prompt)
    negative = fields.pop("negative_text")
    fields["warnings"] = list(fields["warnings"])
    text = {language: prompt_text(prompt, language) for language in ("en", "zh")}
    gone = {language: left_out(prompt, language) for language in ("en", "zh")}
    return {"schema": SCHEMA, **fields, "negative": negative, "text": text, "left_out": gone}


def _writer(language: str) -> tuple[Callable[[StructuredPrompt], list[Sentence]], str]:
    if language not in _WRITERS:
        raise ValueError(f"There is no prompt in {language!r}; choose en or zh.")
    return _WRITERS[language]
