# SPDX-License-Identifier: GPL-3.0-or-later
"""Prompt to token ids, as the text encoder was trained to read them (`wan/modules/tokenizers.py`)."""

from __future__ import annotations

import html
import re
from pathlib import Path

import ftfy
from tokenizers import Tokenizer

from .request import CheckpointError

END = "</s>"


def clean(text: str) -> str:
    """Mend broken encodings, resolve HTML entities (also doubly escaped ones), make white space single blanks."""
    text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return re.sub(r"\s+", " ", text).strip()


class PromptTokenizer:
    """Token ids of a prompt, ending in </s>, at most `length` of them, without padding."""

    def __init__(self, path: Path, length: int = 512) -> None:
        """Read `tokenizer.json`; raises CheckpointError when it cannot be read or knows no end token."""
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the tokenizers library raises bare Exception
            raise CheckpointError(f"The tokenizer {path} cannot be read ({error}); download it again.") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        end = self._tokenizer.token_to_id(END)
        if end is None:
            raise CheckpointError(f"The tokenizer {path} has no {END} token; it is not the one of this text encoder.")
        self._end: int = end
        self._length = length

    def __call__(self, text: str) -> list[int]:
        ids = self._tokenizer.encode(clean(text)).ids
        if ids and ids[-1] == self._end:
            ids = ids[:-1]
        return [*ids[: self._length - 1], self._end]
