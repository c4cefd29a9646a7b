# SPDX-License-Identifier: GPL-3.0-or-later
"""Prompt to token ids, as the text encoder was trained to read them (`wan/modules/tokenizers.py`)."""

from __future__ import annotations

import html
import re
from pathlib import Path

import ftfy
from tokenizers import Tokenizer

from .request import CheckpointError
from .spiece import END, read_tokenizer


def clean(text: str) -> str:
    """Mend broken encodings, resolve HTML entities (also doubly escaped ones), make white space single blanks."""
    text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return re.sub(r"\s+", " ", text).strip()


class PromptTokenizer:
    """Token ids of a prompt, ending in </s>, at most `length` of them, without padding."""

    def __init__(self, tokenizer: Path | Tokenizer, length: int = 512) -> None:
        """From a tokenizer or the file it lies in; raises CheckpointError when it cannot be read or knows no end."""
        path = tokenizer if isinstance(tokenizer, Path) else None
        self._tokenizer = read_tokenizer(tokenizer) if isinstance(tokenizer, Path) else tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        end = self._tokenizer.token_to_id(END)
        if end is None:
            name = f"The tokenizer {path}" if path else "The tokenizer"
            raise CheckpointError(f"{name} has no {END} token; it is not the one of this text encoder.")
        self._end: int = end
        self._length = length

    def __call__(self, text: str) -> list[int]:
        ids = self._tokenizer.encode(clean(text)).ids
        if ids and ids[-1] == self._end:
            ids = ids[:-1]
        return [*ids[: self._length - 1], self._end]
