# SPDX-License-Identifier: GPL-3.0-or-later
"""Single weight files, side by side or in folders such as ComfyUI's: what each holds, and which belong together.

What a file holds is told by its tensors, whatever its name, kind and folder; a file may hold several networks. Only
which of two experts it is must be told by names (`expert_names.py`), by `wan_previs.json` or by being one of a pair.
Torch-free.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import CheckpointError
from ..expert_names import OTHER, partners, told_models
from ..weights.contents import Contents, Headers

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".gguf")
INDEX = ".index.json"
COMFY_FOLDERS = ("diffusion_models", "unet", "checkpoints", "vae", "text_encoders", "clip", "clip_vision")
_DEPTH = 4  # folders within folders that are looked through
_MOST_FOLDERS = 1000
_NOTE = '"schema": "wan_previs.checkpoint/1", "experts"'


def weight_files(base: Path) -> list[Path]:
    """Every weight file and index in a folder and the folders in it; hidden ones, such as `._` twins, are passed over.

    Raises CheckpointError for a folder of so many folders that it cannot be a checkpoint.
    """
    found: list[Path] = []
    seen: set[str] = set()
    for root, folders, files in os.walk(base, followlinks=True):
        real = os.path.realpath(root)
        if real in seen or len(Path(root).relative_to(base).parts) >= _DEPTH:
            folders.clear()
        if real in seen:
            continue
        seen.add(real)
        if len(seen) > _MOST_FOLDERS:
            raise CheckpointError(f"{base} holds too much to look through; choose the folder that holds the model.")
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        found += [
            path
            for name in sorted(files)
            if not name.startswith(".") and name.lower().endswith((*SUFFIXES, *(f"{s}{INDEX}" for s in SUFFIXES)))
            if (path := Path(root, name)).is_file()
        ]
    return found


@dataclass(frozen=True)
class Shelf:
    """All readable weight files below a folder, and in words why others are none."""

    base: Path
    files: Mapping[Path, Contents]
    unread: Mapping[Path, str] = field(default_factory=dict)

    @classmethod
    def of(cls, base: Path, headers: Headers) -> Shelf:
        """Looks at the header of every weight file below `base`."""
        files: dict[Path, Contents] = {}
        unread: dict[Path, str] = {}
        for path in weight_files(base):
            try:
                files[path] = headers.read(path)
            except CheckpointError as error:
                unread[path] = str(error)
        sharded = {shard.path for contents in files.values() for shard in contents.shards}
        return cls(base, {path: contents for path, contents in files.items() if path not in sharded}, unread)

    def holding(self, part: str) -> dict[Path, Contents]:
        """The files that hold a part of a model."""
        return {path: contents for path, contents in self.files.items() if part in contents.parts}

    def beside(self, modules: Mapping[str, Path]) -> Shelf:
        """The same without transformers that these VACE modules do not fit. Raises CheckpointError if none is left."""
        chosen = [self.files[path] for path in modules.values()]
        fitting = {
            path: contents
            for path, contents in self.files.items()
            if "transformer" not in contents.parts or all(contents.takes_module(module) for module in chosen)
        }
        found = Shelf(self.base, fitting, self.unread)
        if not found.holding("transformer"):
            name = next(iter(modules.values())).name
            raise self.lacking(
                f"{name} is a VACE module, to be laid over a text model, but {self.base} holds none of its width; put "
                "one there, such as Wan2.1 T2V-14B."
            )
        return found

    def lacking(self, words: str) -> CheckpointError:
        """The error that something is not here, with what could not be read."""
        hint = next(iter(self.unread.values()), "")
        return CheckpointError(f"{words} {hint}".strip())


def choose_experts(shelf: Shelf, place: Path, stated: object) -> dict[str, Path]:
    """The transformer files by expert (`dense`, or `high` and `low`) that `place`, a file or folder, stands for.

    `stated` is what wan_previs.json says about `experts`. Raises CheckpointError when there is none, a half without
    its other half, or more than one model.
    """
    files = {path: contents.alike for path, contents in shelf.holding("transformer").items()}
    if stated is not None:
        return _stated(shelf, stated)
    if place in shelf.unread:
        raise CheckpointError(shelf.unread[place])
    models = told_models(files, shelf.base, {path: shelf.files[path].title for path in files})
    if place.is_file():
        models = _models_of_file(place, models, files, shelf)
    elif place != shelf.base:
        models = [model for model in models if any(path.is_relative_to(place) for path in model.values())]
    if not models:
        raise shelf.lacking(f"{place} holds no transformer of a Wan model; check the path.")
    if len(models) > 1:
        names = ", ".join(sorted(str(path.relative_to(shelf.base)) for model in models for path in model.values()))
        raise CheckpointError(
            f"{shelf.base} holds several models ({names}); give the path of one of these files instead of the folder."
            f' Or state which belong together in wan_previs.json there: {{{_NOTE}: {{"high": FILE, "low": FILE}}}}.'
        )
    model = models[0]
    for name, path in model.items():
        if name in OTHER and OTHER[name] not in model:
            raise shelf.lacking(half_alone(path, name, shelf.base))
    return {name: model[name] for name in ("dense", "high", "low") if name in model}


def choose_modules(shelf: Shelf, place: Path) -> dict[str, Path]:
    """The VACE modules (`dense`, or `high` and `low`) that `place` stands for: the one at it with its other half, or
    all that a folder holds; {} for another file. Raises CheckpointError for a folder with several.
    """
    files = {path: contents.is_vace_module for path, contents in shelf.files.items() if contents.is_vace_module}
    found = told_models(files, shelf.base, {path: shelf.files[path].title for path in files})
    found = [model for model in found if place.is_dir() or place in model.values()]
    if len(found) > 1:
        names = ", ".join(sorted(path.name for model in found for path in model.values()))
        raise CheckpointError(f"{shelf.base} holds several VACE modules ({names}); give the path of one of them.")
    return found[0] if found else {}


def modules_for(experts: Mapping[str, Path], modules: Mapping[str, Path], shelf: Shelf) -> dict[str, Path]:
    """Which VACE module is laid over which expert; one alone is laid over both. {} where they do not fit."""
    found = {name: modules.get(name, modules.get("dense")) for name in experts}
    laid = {name: path for name, path in found.items() if path is not None}
    fits = (shelf.files[experts[name]].takes_module(shelf.files[path]) for name, path in laid.items())
    return laid if len(laid) == len(experts) and all(fits) else {}


def half_alone(path: Path, expert: str | None, base: Path) -> str:
    """What to do about one expert without the other; `expert` is None where its name does not tell which it is."""
    other = f"{OTHER[expert]}-noise partner in the same folder" if expert else "other half, the second expert"
    return (
        f"{path} lacks its {other}: it is one of the two experts of a Wan 2.2 A14B model. Download the other one, too; "
        f"if it is a whole model of its own, {say_whole(path, base)}."
    )


def say_whole(path: Path, base: Path) -> str:
    """How to state that a transformer is no half of two."""
    return f'say so in {base / "wan_previs.json"}: {{{_NOTE}: {{"dense": "{path.name}"}}}}'


def _models_of_file(
    place: Path, models: list[dict[str, Path]], files: Mapping[Path, Hashable], shelf: Shelf
) -> list[dict[str, Path]]:
    """The model with this file, or with any of the shards of an index; a half may share another pair's partner."""
    sharded = {shard.path: path for path, contents in shelf.files.items() for shard in contents.shards}
    index = sharded.get(place, place)
    own = [model for model in models if index in model.values()]
    if own and len(own[0]) == 1 and "dense" not in own[0]:
        expert = next(iter(own[0]))
        others = partners(index, files, shelf.base)
        if others:
            return [{expert: index, OTHER[expert]: other} for other in others]
    return own


def _stated(shelf: Shelf, stated: object) -> dict[str, Path]:
    note = shelf.base / "wan_previs.json"
    if not isinstance(stated, dict) or set(stated) not in ({"dense"}, {"high", "low"}):
        raise CheckpointError(f'{note}: experts must be {{"high": FILE, "low": FILE}} or {{"dense": FILE}}.')
    chosen = {}
    for name in ("dense", "high", "low"):
        if name in stated:
            path = next((path for path in shelf.files if path == shelf.base / str(stated[name])), None)
            path = path or next((path for path in shelf.files if path.name == stated[name]), None)
            if path is None or "transformer" not in shelf.files[path].parts:
                raise shelf.lacking(f"{note} names {stated[name]}, which is no transformer of a Wan model there.")
            chosen[name] = path
    return chosen


def choose_part(shelf: Shelf, part: str, own: Contents, words: str) -> Path | None:
    """The file of another network (vae, text, clip) that fits the transformer `own`: its own file if that holds it, of
    several the most exact. None for an image encoder that is not needed.

    Raises CheckpointError, with `words` for what is missing, when there is none that fits.
    """
    wanted = own.latent_channels("transformer") if part == "vae" else own.width(f"from {part}")
    if part == "clip" and wanted is None:
        return None
    found = shelf.holding(part)

    def size(contents: Contents) -> int | None:
        return contents.latent_channels("vae") if part == "vae" else contents.width(part)

    fitting = {
        path: contents
        for path, contents in found.items()
        if None in (wanted, size(contents)) or size(contents) == wanted
    }
    if not fitting and found and part != "clip":
        sizes = ", ".join(f"{path.name} ({size(contents)})" for path, contents in found.items())
        raise shelf.lacking(
            f"{shelf.base} lacks {words} of {wanted} channels, which {own.path.name} needs; what is there has another "
            f"number: {sizes}."
        )
    if not fitting and part != "clip":
        raise shelf.lacking(f"{shelf.base} lacks {words}; put it beside the transformer.")
    if own.path in fitting:
        return own.path
    return max(fitting, key=lambda path: (_preferred(path), fitting[path].exactness(part)), default=None)


def _preferred(path: Path) -> int:
    """Qwen-Image's autoencoder has the tensors of Wan's, with other numbers."""
    return 0 if "qwen" in path.name.lower() else 1


def names_of(paths: Iterable[Path], base: Path) -> str:
    """The names of files, with those of the folders up to `base`."""
    return " ".join(str(path.relative_to(base)) if path.is_relative_to(base) else path.name for path in paths)
