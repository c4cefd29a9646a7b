# SPDX-License-Identifier: GPL-3.0-or-later
"""What the name of a weight file tells: which of two experts it is for, and which files make one model.

A14B's experts and Wan 2.1's dense transformer have the same tensors, so names must tell them apart: `high_noise`,
`HighNoise`, `T2VHigh_v9`, `-HIGH-`, `Hi`, `HN`, `_H`, or a folder of such a name. Standard library only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

OTHER = {"high": "low", "low": "high"}
_STORED = re.compile(
    r"(?i)(?:(?<![a-z])|(?<=high)|(?<=low)|(?<=noise))(?:ud[-_])?i?q\d(?:[-_]?[01k])?(?:[-_](?:xxs|xs|xl|nl|[sml])(?![a-z]))?(?:_0)?"
    r"|bf16|[fi]p?(?:32|16|8|4)(?!\d)|int8|int4|nf4|e4m3fn(?:uz)?|e4m3|e5m2|(?<![a-z])(?:scaled|mixed|gguf|safetensors)(?![a-z])"
)
# What stands before or behind an expert's word without a gap: `t2vHigh`, `14bhigh`, `highv9`.
_MODEL = re.compile(r"(?i)ti2v|flf2v|t2v|i2v|s2v|a?14b|(?<=[a-z])v(?=\d)|wan(?=\W?2)")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+|\d+")
_LETTER_NOISE = re.compile(r"(?<![A-Za-z])[HL]Noise")
_LETTER = re.compile(r"(?i)(?:^|(?<=[\W_]))[hl](?=[\W_]|$)")
_EXPERTS = {word: "high" for word in ("high", "highnoise", "hi", "hinoise", "hnoise", "hn", "高噪", "高噪声", "高噪音")}
_EXPERTS |= {word: "low" for word in ("low", "lownoise", "lo", "lonoise", "lnoise", "ln", "低噪", "低噪声", "低噪音")}
_BESIDE = {"noise", "model", "expert", "a14b", "14b", "v", "fixed"}  # says nothing about which model it is
# What else is high or low: `high_res`, `low-poly`, `HighQuality`; two files that differ in nothing else are a pair.
_THINGS = re.compile(
    r"res|resolution|quality|poly|polygon|vram|ram|mem|memory|fps|frame|framerate|light|lights|lighting|key|"
    r"contrast|detail|details|detailed|motion|rank|step|steps|dynamic|dynamics|speed|definition|angle|angles|"
    r"angled|end|level|fidelity|budget|cost|cut|tide|tides|fantasy|school|heel|heels|fashion|tech|rise|land|lander|"
    r"lands|landers|way|shot|shots|view|saturation|brightness|exposure|pass|pitch|bit|bitrate|latency|power|"
    r"precision|performance|gloss|rez|def|hd|cfg|strength|density|tone|chair|kick|jump"
)
_MERGED = re.compile(r"(?i)(?<![a-z])(?:aio|all[\W_]?in[\W_]?one|merged?|rapid|mega|combined|single)(?![a-z])")
_NEW = re.compile(r"(?i)(?:wan(?:video)?|(?<![a-z])w)[\W_]*2[\W_]?2(?!\d)|(?:(?<![a-z])|(?<=[ti]2v))a14b")
_OLD = re.compile(r"(?i)(?:wan(?:video)?|(?<![a-z])w)[\W_]*2[\W_]?1(?!\d)|(?<!\d)1[._]3b")


def expert_of(name: str) -> str | None:
    """`high` or `low`, None where a name (without its ending) tells neither or both."""
    return _read(name, letters=False)[0]


def _read(name: str, letters: bool, things: bool = True) -> tuple[str | None, str]:
    """The expert, and the words that are left of the name without it; with `letters` a lone H or L tells it, too, and
    with `things` those that are high or low do not.
    """
    plain = _MODEL.sub(r" \g<0> ", _STORED.sub(" ", name))
    joined = _LETTER_NOISE.sub(lambda found: found[0].lower(), _MODEL.sub(" ", plain))
    words = [word.lower() for word in _WORD.findall(joined)]
    told, left = set(), []
    for word, following in zip(words, [*words, ""][1:], strict=True):
        if word in _EXPERTS and not (things and _is_thing(word, following)):
            told.add(_EXPERTS[word])
        elif word not in _BESIDE:
            left.append(word)
    if not told and letters and (letter := set(_LETTER.findall(plain.strip().lower()))):
        told = {"high" if found == "h" else "low" for found in letter}
        left = [word for word in left if word not in letter]
    kind = "".join(sorted({found.lower() for found in re.findall(r"(?i)ti2v|flf2v|t2v|i2v|s2v", name)}))
    return (told.pop() if len(told) == 1 else None), " ".join([kind, *left])


def _is_thing(word: str, following: str) -> bool:
    """Whether something else than noise is high or low; short words stand alone, unlike those of `HiDream`, `LoRA`."""
    if word in ("hi", "lo"):
        return bool(following) and following not in _BESIDE and not following.isdigit()
    return word in ("high", "low") and _THINGS.fullmatch(following) is not None


def half_of_two(names: Sequence[str], pictures: bool) -> bool:
    """Whether a transformer of A14B's shape is half of one, by names, the file's own first. With `pictures` it reads
    them without CLIP, as no whole model does.
    """
    if any(_MERGED.search(name) for name in names):
        return False
    told = next((name for name in names if _NEW.search(name) or _OLD.search(name)), "")
    return pictures or (bool(_NEW.search(told)) and not _OLD.search(told))


def tells_version(names: Iterable[str]) -> bool:
    """Whether any of these names says that a model is one of 2.1 or of 2.2, or that it is merged of several."""
    return any(pattern.search(name) for name in names for pattern in (_MERGED, _NEW, _OLD))


@dataclass(frozen=True)
class _Named:
    expert: str | None
    family: str
    stored: str


def _named(path: Path, base: Path, title: str = "", things: bool = True) -> _Named:
    """What a file's name tells, and where it is silent the folders between it and `base`, the nearest first, then the
    title in the file.
    """
    stem, ending = (path.stem, path.suffix) if path.suffix else (path.name, "")
    folders = path.relative_to(base).parts[:-1] if path.is_relative_to(base) else ()
    expert, family = _read(stem, True, things)
    around = [_read(folder, False, things) for folder in reversed(folders)]
    if expert is None:
        expert = next((told for told, _ in around if told), expert_of(title))
    stored = " ".join([*sorted(found.lower() for found in _STORED.findall(stem)), ending.lower()])
    return _Named(expert, "/".join([family, *(rest for _, rest in around)]), stored)


def _named_all(files: Mapping[Path, Hashable], base: Path, titles: Mapping[Path, str]) -> dict[Path, _Named]:
    """What the name of each file tells; where a 2.2 one without an expert has its like with the other word, what is
    high or low is the expert: `Wan2.2_high_lighting` and `Wan2.2_low_lighting`.
    """
    named = {path: _named(path, base, titles.get(path, "")) for path in files}
    new = {path for path in files if half_of_two([str(path.relative_to(base.parent)), titles.get(path, "")], False)}
    freely = {path: _named(path, base, things=False) for path in new if named[path].expert is None}
    halves = {(files[path], told.family, told.expert) for path, told in freely.items() if told.expert}
    paired = {
        path: told
        for path, told in freely.items()
        if told.expert and (files[path], told.family, OTHER[told.expert]) in halves
    }
    return {**named, **paired}


Model = dict[str, Path]


def told_models(files: Mapping[Path, Hashable], base: Path, titles: Mapping[Path, str]) -> list[Model]:
    """The models that transformer files make: {"dense": file}, {"high": file, "low": file} or one half alone.

    `files` maps each to what both halves of a pair have in common, such as the tensors' shapes, `titles` to what it
    calls itself. Halves find each other by the rest of their names, of several first by how they are stored; a last one
    of each by being the last.
    """
    named = _named_all(files, base, titles)
    models: list[Model] = [{"dense": path} for path, told in named.items() if told.expert is None]
    families: dict[tuple[Hashable, str], list[Path]] = defaultdict(list)
    alone: dict[Hashable, list[Path]] = defaultdict(list)
    for path, told in named.items():
        if told.expert is not None:
            families[files[path], told.family].append(path)
    for (alike, _), paths in families.items():
        stored: dict[str, list[Path]] = defaultdict(list)
        for path in paths:
            stored[named[path].stored].append(path)
        left = [rest for same in stored.values() for rest in _matched(same, named, models)]
        alone[alike] += _matched(left, named, models)
    for paths in alone.values():
        models += [{str(named[path].expert): path} for path in _matched(paths, named, models)]
    return models


def _matched(paths: Iterable[Path], named: Mapping[Path, _Named], models: list[Model]) -> list[Path]:
    """Adds the model that one high and one low make; gives back what makes none."""
    paths = list(paths)
    pair = {str(named[path].expert): path for path in paths}
    if len(paths) == 2 and len(pair) == 2:
        models.append({"high": pair["high"], "low": pair["low"]})
        return []
    return paths


def partners(path: Path, files: Mapping[Path, Hashable], base: Path) -> list[Path]:
    """The other halves of the same model that one half could be joined with, however they are stored."""
    named = _named_all(files, base, {})
    own = named[path]
    return [
        other
        for other, told in named.items()
        if files[other] == files[path] and own.expert is not None and told.expert == OTHER[own.expert]
        if told.family == own.family
    ]
