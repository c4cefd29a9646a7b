# SPDX-License-Identifier: GPL-3.0-or-later
"""The small objects in a request: LoRA files, keyframes and the sentences of a prompt. Standard library only."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import UsageError
from .expert_names import expert_of

LORA_EXPERTS = ("both", "high", "low")
MOST_STRENGTH = 100.0  # of a LoRA; beyond it weights leave the range of their number formats
_LORA_ENDINGS = (".safetensors", ".pt", ".pth", ".bin", ".gguf")
_PLAIN_NAMES = ("adapter_model", "pytorch_lora_weights", "lora", "model")
_STRENGTH = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class Lora:
    """Low-rank changes to the transformer's weights: a file, how strongly it counts, and for which expert
    (`both`, `high`, `low`; a model with one transformer takes `both`).

    An expert left out ("") is the one that the file's name tells, else both.
    """

    path: str
    strength: float = 1.0
    expert: str = ""

    def __post_init__(self) -> None:
        if self.expert == "" and isinstance(self.path, str):
            object.__setattr__(self, "expert", _expert_in(self.path) or "both")

    @classmethod
    def parse(cls, text: str) -> Lora:
        """The LoRA that a command line names: PATH[:STRENGTH][:EXPERT], the two in any order, such as
        `style.safetensors:0.8:high`. Raises UsageError for what is neither.
        """
        path, told = text, dict[str, str]()
        while len(told) < 2:
            head, colon, end = path.rpartition(":")
            kind = "expert" if end.lower() in LORA_EXPERTS else "strength" if _STRENGTH.fullmatch(end) else None
            if kind is None or not colon or kind in told:
                break
            path, told[kind] = head, end.lower().replace(",", ".")
        strength = float(told.get("strength", 1))
        rest = path.rpartition(":")
        if not path.strip() or not math.isfinite(strength) or (rest[1] and rest[0].lower().endswith(_LORA_ENDINGS)):
            raise UsageError(
                f"{text!r} is no LoRA; give a file, its strength and its expert like style.safetensors:0.8:high."
            )
        return cls(path, strength, told.get("expert", ""))


def _expert_in(path: str) -> str | None:
    """What the name of a LoRA's file or folder says; that of the folder where every such file has the same name."""
    *folders, name = re.split(r"[\\/]", path.rstrip("\\/"))
    stem = re.sub(r"\.[A-Za-z]+$", "", name)
    return expert_of(folders[-1] if folders and stem in _PLAIN_NAMES else stem)


@dataclass(frozen=True)
class Keyframe:
    """A picture that the clip shows at a frame, which counts from 0."""

    frame: int
    path: str

    @classmethod
    def parse(cls, text: str) -> Keyframe:
        """The keyframe that a command line names: FRAME:PATH, such as 80:harbour.png. Raises UsageError for what is
        none.
        """
        number, _, path = text.partition(":")
        if not number.isascii() or not number.isdecimal() or not path.strip():
            raise UsageError(f"{text!r} is no keyframe; give a frame and its picture like 80:harbour.png.")
        return cls(int(number), path)


@dataclass(frozen=True)
class PromptPart:
    """A sentence of the prompt. Where the model cannot read all of it, sentences of the highest `rank` are left out
    first, those of rank 0 not at all; negative ones, words of the user's own, go behind the rest instead. Those of rank
    1, how the light goes, are left out only where they would not be read even so."""

    text: str
    rank: int = 0


def joined(parts: Iterable[PromptPart]) -> str:
    """The prompt that parts make up."""
    return " ".join(part.text for part in parts)
