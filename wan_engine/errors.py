# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors that a user is told, by exit status. Standard library only."""

from __future__ import annotations

_MOST_REASON = 160  # letters


class WanError(Exception):
    """Base of every error that is told to the user; the text says what to do."""

    exit_status = 5


class UsageError(WanError):
    """The request itself cannot be met: a bad size, a bad option, a missing picture."""

    exit_status = 2


class CheckpointError(WanError):
    """The checkpoint folder is missing something, damaged or unknown."""

    exit_status = 4


class GenerationError(WanError):
    """The generation started and could not be finished."""

    exit_status = 5


class Cancelled(WanError):
    """The user stopped the generation."""

    exit_status = 130


def reason_of(error: BaseException) -> str:
    """What a library or the system says went wrong, as part of a sentence: one line without control characters, of 160
    letters at most."""
    said = getattr(error, "strerror", None) or str(error)
    words = "".join(sign if sign.isprintable() else " " for sign in said).split()
    return " ".join(words)[:_MOST_REASON].rstrip(" .") or type(error).__name__
