# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokenizers that come as a sentencepiece model: a file `spiece.model`, inside a text encoder or in a GGUF file.

A sentencepiece model is a protobuf message (`sentencepiece_model.proto`): pieces (field 1) of text (1), score (2) and
type (3); trainer settings (2) with model type (3), byte fallback (35) and the unknown piece's number (40); normaliser
settings (3) with a compiled character map (2). It becomes a Unigram tokenizer as in the published tokenizer.json.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram

from ..errors import CheckpointError, reason_of
from ..weights.containers import open_container
from ..weights.contents import TOKENIZER, Contents, read_contents

END = "</s>"
_UNIGRAM = 1
_PROBE = "A small red fox, seen at dawn. 晨光 ﬁ １"  # also of signs that normalisers change
_UNKNOWN, _CONTROL, _USER_DEFINED = 2, 3, 4


@dataclass
class Pieces:
    """What a sentencepiece model says; `kinds` as in its format: 1 normal, 2 unknown, 3 control, 4 user, 6 byte."""

    texts: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    unknown: int = 0
    byte_fallback: bool = False
    model: int = _UNIGRAM
    charsmap: bytes = b""


def read_tokenizer(path: Path, header: Contents | None = None) -> Tokenizer:
    """The tokenizer in `path`: tokenizer.json, spiece.model, or a text encoder (safetensors, GGUF) that holds one.
    `header` is the encoder's, where it has been read.

    Raises CheckpointError when there is none or it is damaged.
    """
    try:
        with panics_told():
            return _tokenizer(path, header)
    except CheckpointError:
        raise
    except Exception as error:  # the tokenizers library raises bare Exception
        raise CheckpointError(
            f"The tokenizer {path} cannot be read ({reason_of(error)}); download it again."
        ) from error


@contextmanager
def panics_told() -> Iterator[None]:
    """Turn a panic of the tokenizers library, which passes for no Exception, into a ValueError."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"the tokenizers library gave up: {error}") from error


def _tokenizer(path: Path, header: Contents | None) -> Tokenizer:
    tokenizer = _opened(path, header)
    tokenizer.encode(_PROBE)  # what is wrong with its tables shows when they are used
    return tokenizer


def _opened(path: Path, header: Contents | None) -> Tokenizer:
    if path.suffix == ".json":
        return Tokenizer.from_buffer(path.read_bytes())  # the library opens no path that is not UTF-8
    if path.suffix == ".model":
        return unigram(parse(path.read_bytes()))
    header = header or read_contents(path)  # also before the library reads a GGUF file, for it goes by its counts
    if header.kind == "gguf":
        return unigram(_from_gguf(path))
    return unigram(parse(_from_weights(header)))


def unigram(pieces: Pieces) -> Tokenizer:
    """The tokenizer that splits into these pieces, ending texts with </s>."""
    if pieces.model != _UNIGRAM:
        raise ValueError("it is no Unigram model, as UMT5's is")
    tokenizer = Tokenizer(
        Unigram(
            list(zip(pieces.texts, pieces.scores, strict=True)),
            unk_id=pieces.unknown,
            byte_fallback=pieces.byte_fallback,
        )
    )
    steps: list = [normalizers.Replace(Regex(" {2,}"), " ")]
    if pieces.charsmap:
        steps.insert(0, normalizers.Precompiled(pieces.charsmap))
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    special = [
        AddedToken(text, special=True, normalized=False)
        for text, kind in zip(pieces.texts, pieces.kinds, strict=True)
        if kind in (_UNKNOWN, _CONTROL, _USER_DEFINED)
    ]
    tokenizer.add_special_tokens(special)
    if (end := tokenizer.token_to_id(END)) is not None:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"$A {END}", pair=f"$A {END} $B {END}", special_tokens=[(END, end)]
        )
    return tokenizer


def parse(data: bytes) -> Pieces:
    """A sentencepiece model from its bytes; raises ValueError when they are none."""
    found = Pieces()
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            text, score, kind = "", 0.0, 1
            for part, content in _fields(value):
                if part == 1 and isinstance(content, bytes):
                    text = content.decode("utf-8")
                elif part == 2 and isinstance(content, bytes):
                    score = struct.unpack("<f", content)[0]
                elif part == 3 and isinstance(content, int):
                    kind = content
            found.texts.append(text)
            found.scores.append(score)
            found.kinds.append(kind)
        elif number == 2 and isinstance(value, bytes):
            settings = dict(_fields(value))
            found.model = int(settings.get(3, _UNIGRAM))
            found.byte_fallback = bool(settings.get(35, 0))
            found.unknown = int(settings.get(40, 0))
        elif number == 3 and isinstance(value, bytes):
            charsmap = dict(_fields(value)).get(2, b"")
            found.charsmap = charsmap if isinstance(charsmap, bytes) else b""
    if not found.texts:
        raise ValueError("it is no sentencepiece model")
    if _UNKNOWN in found.kinds:
        found.unknown = found.kinds.index(_UNKNOWN)
    return found


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message: varints as numbers, everything else as bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        wire = key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if wire == 2:
            length, at = _varint(data, at)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError("it is no sentencepiece model")
        if at + length > len(data):
            raise ValueError("it ends too early")
        yield key >> 3, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("it ends too early")
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


def _from_weights(header: Contents) -> bytes:
    name = next((name for name in header.stored if name.rpartition(".")[2] == TOKENIZER), None)
    if name is None:
        raise CheckpointError(
            f"There is no tokenizer beside {header.path}, nor one in it; put tokenizer.json of google/umt5-xxl beside "
            "it."
        )
    return open_container(header).read(name).numpy().tobytes()


def _from_gguf(path: Path) -> Pieces:
    import gguf  # only needed for these files, and slow to import

    reader = gguf.GGUFReader(path)

    def value(key: str, default: object) -> object:
        entry = reader.get_field(f"tokenizer.ggml.{key}")
        return default if entry is None else entry.contents()

    texts = value("tokens", None)
    if not isinstance(texts, Sequence) or value("model", "") not in ("t5", "unigram"):
        raise CheckpointError(
            f"There is no UMT5 tokenizer beside {path}, nor one in it; put tokenizer.json of google/umt5-xxl beside it."
        )
    kinds = [int(kind) for kind in value("token_type", [1] * len(texts))]  # type: ignore[attr-defined]
    charsmap = value("precompiled_charsmap", b"")
    return Pieces(
        texts=list(texts),
        scores=[float(score) for score in value("scores", [0.0] * len(texts))],  # type: ignore[attr-defined]
        kinds=kinds,
        unknown=int(value("unknown_token_id", 0)),  # type: ignore[call-overload]
        byte_fallback=6 in kinds,
        charsmap=bytes(charsmap),  # type: ignore[call-overload]
    )
