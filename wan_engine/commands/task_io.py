# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine's small programs share: a JSON object on stdin, a last line of words, and the files of a job."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ..errors import UsageError, WanError, reason_of
from ..text_files import parsed, read_text


def answer(work: Any) -> int:
    """Do `work` with the task on stdin; its result, or its error in words, is the last line printed."""
    try:
        print(work(parsed(sys.stdin.read())))
    except WanError as error:
        print(error)
        return error.exit_status
    return 0


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file of a job. Raises UsageError in words when there is none."""
    try:
        data = parsed(read_text(path))
    except FileNotFoundError:
        raise UsageError(f"{path} is not there any more. Generate the shot again.") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read ({reason_of(error)}). Generate the shot again.") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path} is damaged. Generate the shot again.")
    return data
