# SPDX-License-Identifier: GPL-3.0-or-later
"""Prompt to token ids, as the text encoder was trained to read them (`wan/modules/tokenizers.py`)."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import ftfy
from tokenizers import Encoding, Tokenizer

from ..checkpoint.sentencepiece import END, panics_told, read_tokenizer
from ..errors import CheckpointError, reason_of
from ..request_parts import PromptPart, joined


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
        self.length = length

    def __call__(self, text: str) -> list[int]:
        return [*self._ids(text)[: self.length - 1], self._end]

    def count(self, text: str) -> int:
        """How many tokens the whole text has, its end counted."""
        return len(self._ids(text)) + 1

    def beyond(self, text: str) -> str:
        """What of the (cleaned) text is not read because it is longer than `length` tokens; "" when all is."""
        if self.count(text) <= self.length:
            return ""
        start, _ = self._encode(text).offsets[self.length - 1]
        return clean(text)[start:].strip()

    def _ids(self, text: str) -> list[int]:
        ids = self._encode(text).ids
        return ids[:-1] if ids and ids[-1] == self._end else ids

    def _encode(self, text: str) -> Encoding:
        try:
            with panics_told():
                return self._tokenizer.encode(clean(text))
        except Exception as error:  # the tokenizers library raises bare Exception
            raise CheckpointError(
                f"The tokenizer cannot read the prompt ({reason_of(error)}); download the checkpoint's tokenizer again."
            ) from error


def fitted(parts: Sequence[PromptPart], fits: Callable[[str], bool]) -> tuple[str, list[str]]:
    """The prompt of these parts without the sentences, the highest rank first, that keep it from being read whole; and
    those sentences. Words of the user's own go behind the rest where that does not do, as the end is what is cut off;
    how the light goes is told before them.
    """
    kept, gone = list(parts), list[PromptPart]()

    def leave_out(above: int, read: Callable[[], str]) -> None:
        while not fits(read()) and any(part.rank > above for part in kept):
            last = max(range(len(kept)), key=lambda place: (kept[place].rank, place))
            gone.append(kept.pop(last))

    leave_out(1, lambda: joined(kept))
    cut = not fits(joined(kept))
    if cut:
        kept.sort(key=lambda part: part.rank < 0)
        leave_out(0, lambda: joined(part for part in kept if part.rank >= 0))
    for part in reversed(gone):  # what a longer one has made room for
        again = [one for one in parts if one in kept or one is part]
        if cut and part.rank <= 1:
            again = [one for one in again if one.rank >= 0] + [one for one in again if one.rank < 0]
            kept = again if fits(joined(one for one in again if one.rank >= 0)) else kept
        elif fits(joined(again)):
            kept = again
    return joined(kept), [part.text for part in gone if part not in kept]
