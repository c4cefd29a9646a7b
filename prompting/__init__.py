# SPDX-License-Identifier: GPL-3.0-or-later
"""From a shot brief to the words Wan was trained on: English and Chinese text from one structured prompt. No bpy."""

from .build import build_prompt
from .contradictions import contradictions
from .fit import length
from .structured import Contradiction, StructuredPrompt
from .template import DEFAULT as DEFAULT_TEMPLATE
from .template import TemplateError, parse_template
from .text import Language, left_out, prompt_json, prompt_sentences, prompt_text
from .weave import joined

__all__ = [
    "DEFAULT_TEMPLATE",
    "Contradiction",
    "Language",
    "StructuredPrompt",
    "TemplateError",
    "build_prompt",
    "contradictions",
    "joined",
    "left_out",
    "length",
    "parse_template",
    "prompt_json",
    "prompt_sentences",
    "prompt_text",
]
