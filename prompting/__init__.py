# SPDX-License-Identifier: GPL-3.0-or-later
"""From a shot brief to the words Wan was trained on: English and Chinese text from one structured prompt. No bpy."""

from .build import build_prompt
from .structured import StructuredPrompt

__all__ = ["StructuredPrompt", "build_prompt"]
