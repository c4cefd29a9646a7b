# SPDX-License-Identifier: GPL-3.0-or-later
"""Small text files of others: settings, cameras, expected light. None of them may be read without end."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

from .errors import UsageError, reason_of

LARGEST = 1 << 28  # bytes; a camera of a hundred thousand frames is a tenth of it


def check_file(path: Path) -> None:
    """Raises OSError for what is there and no file: opening a pipe may wait for ever, and a device may have no end."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(errno.EINVAL, "it is no file", str(path))


def read_text(path: Path) -> str:
    """The UTF-8 text of a file. Raises OSError, also for what is no file or larger than LARGEST, and ValueError for
    what is no such text."""
    check_file(path)
    with path.open("rb") as file:
        text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise OSError(errno.EFBIG, f"it is larger than {LARGEST >> 20} MB", str(path))
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("it is no UTF-8 text") from None


def parsed(text: str | bytes) -> Any:
    """What JSON text says. Raises ValueError for what is none, also for what is nested too deep to be read."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON at line {error.lineno}, column {error.colno}") from None
    except UnicodeDecodeError:
        raise ValueError("it is no UTF-8 text") from None


def read_given(path: Path, is_none: str) -> Any:
    """What the JSON file says that the user gave for something. Raises UsageError that says why it cannot be used;
    `is_none` is what a file without JSON does not do: "holds no tracks"."""
    try:
        return parsed(read_text(path))
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({reason_of(error)}); check the path.") from error
    except ValueError as error:
        raise UsageError(f"{path} {is_none} ({reason_of(error)}); check the path.") from error
