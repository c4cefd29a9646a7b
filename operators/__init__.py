# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user can do: each operator is one call of `previs`, and tells the session what to draw."""

from .four_steps import CLASSES as FOUR_STEPS
from .generate import CLASSES as GENERATE
from .handlers import add_handlers, remove_handlers
from .prompts import CLASSES as PROMPTS
from .references import CLASSES as REFERENCES
from .setup import CLASSES as SETUP
from .shots import CLASSES as SHOTS
from .takes import CLASSES as TAKES
from .tuning import CLASSES as TUNING

__all__ = ["CLASSES", "add_handlers", "remove_handlers"]

CLASSES = (*SHOTS, *PROMPTS, *TUNING, *FOUR_STEPS, *GENERATE, *TAKES, *REFERENCES, *SETUP)
