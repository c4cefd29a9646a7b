# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the parts of a checkpoint lie, in each layout that people have, found without torch.

- Original folders: two experts in `high_noise_model/` and `low_noise_model/`, a dense model at the root; beside them
  `Wan2.1_VAE.pth` or `Wan2.2_VAE.pth`, `models_t5_umt5-xxl-enc-bf16.pth`, `google/umt5-xxl/tokenizer.json` and, for the
  2.1 image models, `models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth`.
- Diffusers folders: `transformer/` (the high-noise expert of two), `transformer_2/`, `vae/`, `text_encoder/`,
  `tokenizer/`, `image_encoder/`.
- Single files, side by side or in folders such as ComfyUI's own (`single_files.py`).

A folder of the hub's cache, one expert's folder and a file stand for the checkpoint they belong to. `experts` in
`wan_previs.json` states which files are which: {"high": FILE, "low": FILE} or {"dense": FILE}.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import CheckpointError, reason_of
from ..expert_names import OTHER, expert_of, half_of_two
from ..text_files import parsed, read_text
from ..weights.contents import Headers
from ..weights.safetensors_header import check_weight, read_json
from .layout import Layout, called
from .single_files import (
    COMFY_FOLDERS,
    SUFFIXES,
    Shelf,
    choose_experts,
    choose_modules,
    choose_part,
    half_alone,
    modules_for,
    names_of,
    weight_files,
)

SCHEMA = "wan_previs.checkpoint/1"
EXPERT_FOLDERS = {"high": "high_noise_model", "low": "low_noise_model"}
TOKENIZERS = ("tokenizer.json", "spiece.model")
_TRANSFORMER = "diffusion_pytorch_model"
_VAES = ("Wan2.1_VAE", "Wan2.2_VAE")
_TEXT_ENCODER = "models_t5_umt5-xxl-enc-bf16"
_CLIP = "models_clip_open-clip-xlm-roberta-large-vit-huge-14"
_ORIGINAL_TOKENIZER = "google/umt5-xxl"
_EXPERT_PLACES = (*EXPERT_FOLDERS.values(), "transformer", "transformer_2")
_CLIMB = 4  # folders above a file among which ComfyUI's own are looked for


def find_layout(place: Path) -> Layout:
    """The parts of the checkpoint in a folder, or of the one that a single transformer file belongs to.

    Raises CheckpointError naming what is missing, or what there is too much of.
    """
    if not os.path.exists(place):
        raise CheckpointError(f"The checkpoint folder {place} does not exist; check the path.")
    try:
        return _layout(place)
    except OSError as error:  # a folder that may not be entered, a drive that does not answer
        raise CheckpointError(
            f"{error.filename or place} cannot be read ({reason_of(error)}); check the path."
        ) from error


def _layout(place: Path) -> Layout:
    place = _snapshot(Path(os.path.abspath(place)))
    base, headers = _base_of(place), Headers()
    own_facts = read_own_facts(base)
    stated = own_facts.get("experts")
    if _is_published(base) and (place.is_dir() or place.name.startswith(_TRANSFORMER)):
        found = _published(base, headers)
    elif place.is_dir() and not weight_files(place):
        raise CheckpointError(
            f"{place} holds no Wan checkpoint: no {_TRANSFORMER}.safetensors, no Diffusers folder and no single weight "
            "files; choose the folder that was downloaded."
        )
    else:
        found = _single_files(base, place, stated, headers)
    found = replace(found, own_facts=own_facts)
    _check_kind(found)
    _check_whole(found)
    return found


def _is_published(folder: Path) -> bool:
    """Whether a folder is laid out as its publishers do, Diffusers' or the original way, with weights or without."""
    roots = [root for name in EXPERT_FOLDERS.values() if (root := folder / name).is_dir()]
    return (
        (folder / "model_index.json").is_file()
        or (folder / "transformer").is_dir()
        or any(any(root.glob(f"{_TRANSFORMER}*")) for root in [*roots, folder])
        or (bool(roots) and not any(weight_files(root) for root in roots))
    )


def _published(folder: Path, headers: Headers) -> Layout:
    diffusers = (folder / "model_index.json").is_file() or (folder / "transformer").is_dir()
    return (_diffusers if diffusers else _original)(folder, headers)


def _snapshot(place: Path) -> Path:
    """The files of a folder of the hub's cache (`models--OWNER--NAME`, or `snapshots` in it) lie one snapshot down."""
    cached = (place / "snapshots").is_dir() and (place.name.startswith("models--") or (place / "blobs").is_dir())
    root = place if cached else place.parent
    if not cached and place.name != "snapshots":
        return place
    main = root / "refs" / "main"
    named = root / "snapshots" / main.read_text(encoding="utf-8", errors="replace").strip() if main.is_file() else None
    if named is not None and named.is_dir():
        return named
    snapshots = sorted(path for path in (root / "snapshots").iterdir() if path.is_dir())
    if len(snapshots) != 1:
        raise CheckpointError(f"{root / 'snapshots'} holds {len(snapshots)} snapshots; choose the folder of one.")
    return snapshots[0]


def _base_of(place: Path) -> Path:
    """The folder that holds all parts of the checkpoint which `place`, a file or a folder, belongs to."""
    folder = place if place.is_dir() else place.parent
    if folder.name in _EXPERT_PLACES or _has_twin(folder):
        folder = folder.parent
    elif place.is_dir() and _is_published(place):
        return place
    if (folder / "models" / COMFY_FOLDERS[0]).is_dir():
        return folder / "models"
    for inner in (folder, *folder.parents)[:_CLIMB]:
        beside = [name for name in COMFY_FOLDERS if name != inner.name and (inner.parent / name).is_dir()]
        if inner.name in COMFY_FOLDERS[:2] or (inner.name in COMFY_FOLDERS and beside):
            return inner.parent
    return folder


def _has_twin(folder: Path) -> bool:
    """Whether a folder of one expert lies beside that of the other: `HighNoise/` and `LowNoise/`."""
    expert = expert_of(folder.name)
    return expert is not None and any(
        expert_of(other.name) == OTHER[expert] for other in folder.parent.iterdir() if other.is_dir()
    )


def _original(folder: Path, headers: Headers) -> Layout:
    roots = {name: folder / sub for name, sub in EXPERT_FOLDERS.items()}
    if not any(root.is_dir() for root in roots.values()):
        roots = {"dense": folder}
    clip = _first(folder, (_CLIP, "models_clip*"))
    experts = {name: _weights(root, _TRANSFORMER) for name, root in roots.items()}
    return Layout(
        words="original folder",
        folder=folder,
        experts=experts,
        settings={name: _existing(root / "config.json") for name, root in roots.items()},
        vae=_fitting_vae(folder, next(iter(experts.values())), headers),
        text_encoder=_needed(folder, (_TEXT_ENCODER, "models_t5*")),
        tokenizer=_tokenizer(folder / _ORIGINAL_TOKENIZER),
        headers=headers,
        clip=clip,
        names=" ".join(called(folder)),
    )


def _diffusers(folder: Path, headers: Headers) -> Layout:
    if not (folder / "transformer").is_dir():
        raise CheckpointError(f"The Diffusers folder {folder} lacks {folder / 'transformer'}; download it again.")
    roots = {"dense": folder / "transformer"}
    index = folder / "model_index.json"
    if (folder / "transformer_2").is_dir() or _names_two_experts(index):
        roots = {"high": folder / "transformer", "low": folder / "transformer_2"}
    clip = folder / "image_encoder"
    experts = {name: _weights(root, _TRANSFORMER) for name, root in roots.items()}
    return Layout(
        words="Diffusers folder",
        folder=folder,
        experts=experts,
        settings={name: _existing(root / "config.json") for name, root in roots.items()},
        vae=_weights(folder / "vae", _TRANSFORMER),
        text_encoder=_weights(folder / "text_encoder", "model", "pytorch_model"),
        tokenizer=_tokenizer(folder / "tokenizer"),
        headers=headers,
        clip=_weights(clip, "model", "pytorch_model") if clip.is_dir() else None,
        clip_settings=clip / "config.json" if (clip / "config.json").is_file() else None,
        index=index if index.is_file() else None,
        names=" ".join(called(folder)),
    )


def _names_two_experts(index: Path) -> bool:
    """Diffusers lists an absent part as [null, null]; only two experts have a boundary."""
    if not index.is_file():
        return False
    told = read_json(index)
    entry = told.get("transformer_2")
    return (isinstance(entry, list) and any(entry)) or told.get("boundary_ratio") is not None


def _single_files(base: Path, place: Path, stated: object, headers: Headers) -> Layout:
    """Files side by side; `place` is the folder, or one of several transformers."""
    shelf = Shelf.of(base, headers)
    modules = choose_modules(shelf, place)
    if place in modules.values():
        experts = choose_experts(shelf.beside(modules), base, stated)
    else:
        experts = choose_experts(shelf, place, stated)
    for name, path in modules_for(experts, modules, shelf).items():
        headers.lay_over(experts[name], headers.read(path))
    own = headers.read(next(iter(experts.values())))
    vae = choose_part(shelf, "vae", own, "the autoencoder (wan_2.1_vae.safetensors, for example)")
    text = choose_part(shelf, "text", own, "the UMT5 text encoder (umt5_xxl_fp16.safetensors, for example)")
    assert vae is not None and text is not None
    return Layout(
        words="ComfyUI files",
        folder=base,
        experts=experts,
        settings=_settings_beside(experts, base),
        vae=vae,
        text_encoder=text,
        tokenizer=_tokenizer_beside(base, text),
        clip=choose_part(shelf, "clip", own, ""),
        names=_names(experts, base),
        headers=headers,
    )


def _names(experts: Mapping[str, Path], base: Path) -> str:
    """The files' names, and the folder's where they tell no size."""
    names = names_of(experts.values(), base)
    return names if re.search(r"(?i)\d{3,4}p", names) else " ".join([names, *called(base)])


def _settings_beside(experts: Mapping[str, Path], base: Path) -> dict[str, Path]:
    found = {}
    for name, path in experts.items():
        config = next((c for c in (path.parent / "config.json", base / "config.json") if c.is_file()), None)
        if config is not None:
            found[name] = config
    return found


def _check_kind(found: Layout) -> None:
    """Raises CheckpointError for a transformer that this engine does not run, or that lacks its image encoder."""
    row = found.row
    for name, entry in found.transformer.entries("transformer").items():
        if name.endswith("weight"):  # not what describes one
            check_weight(found.transformer.path, name, entry.dtype)
    if any(found.headers.read(path).alike != found.transformer.alike for path in list(found.experts.values())[1:]):
        raise CheckpointError(
            f"The two experts in {found.folder} differ in their tensors; they do not belong together. Give both of one "
            "model, or download them again."
        )
    if row.clip_pictures and found.clip is None:
        raise CheckpointError(
            f"{found.folder} holds a model that looks at its picture through CLIP, but no fitting CLIP file (in the "
            f"original download {_CLIP}.pth); put it there."
        )


def _check_whole(found: Layout) -> None:
    """Raises CheckpointError for one expert of two that lies where a whole model would, unless it is stated to be one.

    An image model without CLIP is always half of two; a text model is told by names: its tensors are those of 2.1.
    """
    row = found.row
    if "dense" not in found.experts or "experts" in found.own_facts or row.latent_channels != 16 or row.clip_pictures:
        return
    path = found.experts["dense"]
    names = found.names_of(path)
    expert = next((told for told in map(expert_of, names) if told), None)
    if expert or half_of_two([*names, *called(found.folder)], "picture" in row.inputs):
        raise CheckpointError(half_alone(path, expert, found.folder))


def _tokenizer_beside(base: Path, text_encoder: Path) -> Path:
    """tokenizer.json wins over a sentencepiece model, and any file over what the text encoder holds."""
    folders = [base, text_encoder.parent, base / "tokenizer", base / _ORIGINAL_TOKENIZER]
    found = [folder / name for name in TOKENIZERS for folder in folders if (folder / name).is_file()]
    return found[0] if found else text_encoder


def _tokenizer(folder: Path) -> Path:
    return next((folder / name for name in TOKENIZERS if (folder / name).is_file()), None) or _existing(
        folder / TOKENIZERS[0]
    )


def _weights(root: Path, *stems: str) -> Path:
    """The index of the shards, else the single file."""
    if not root.is_dir():
        raise CheckpointError(f"The checkpoint lacks the folder {root}; download it again.")
    for stem in stems:
        names = [f"{stem}.safetensors.index.json", f"{stem}.bin.index.json", *(f"{stem}{end}" for end in SUFFIXES)]
        variants = sorted(root.glob(f"{stem}.safetensors.index.*.json")) + [
            path for path in sorted(root.glob(f"{stem}.*.safetensors")) if not re.search(r"-of-\d+\.", path.name)
        ]
        found = [root / name for name in names if (root / name).is_file()] + variants
        if found:
            return found[0]
    expected = root / f"{stems[0]}.safetensors"
    if any(root.glob(f"{stems[0]}*-of-*.safetensors")):
        raise CheckpointError(f"The checkpoint lacks {expected}.index.json, which names the shards; download it again.")
    return _existing(expected)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise CheckpointError(f"The checkpoint lacks {path}; download it again.")
    return path


def _needed(folder: Path, stems: Sequence[str]) -> Path:
    found = _first(folder, stems)
    if found is None:
        names = " or ".join(f"{stem}.pth" for stem in stems if "*" not in stem)
        raise CheckpointError(f"The checkpoint lacks {names} in {folder}; download it again.")
    return found


def _fitting_vae(folder: Path, transformer: Path, headers: Headers) -> Path:
    """Of both autoencoders in one folder the one that the transformer's latents are for."""
    first = _needed(folder, _VAES)
    there = list(dict.fromkeys(_all(folder, _VAES)))  # stems may meet one file twice
    if len(there) == 1:
        return first
    wanted = headers.read(transformer).latent_channels("transformer")
    for path in there:
        with contextlib.suppress(CheckpointError):  # a damaged one that may not be needed
            if headers.read(path).latent_channels("vae") == wanted:
                return path
    return first


def _first(folder: Path, stems: Sequence[str]) -> Path | None:
    return next(_all(folder, stems), None)


def _all(folder: Path, stems: Sequence[str]) -> Iterator[Path]:
    return (path for stem in stems for end in (".pth", *SUFFIXES) for path in sorted(folder.glob(stem + end)))


def read_own_facts(folder: Path) -> dict:
    """The content of `wan_previs.json`, {} without one. Raises CheckpointError when it is damaged."""
    path = folder / "wan_previs.json"
    try:
        facts = parsed(read_text(path))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({reason_of(error)}). Restore it, or remove it if it is not needed."
        ) from error
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        raise CheckpointError(f'{path} must be a JSON object with "schema": "{SCHEMA}".')
    return facts
