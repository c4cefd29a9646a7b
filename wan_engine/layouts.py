# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the parts of a checkpoint lie, in each layout that people have, found without torch.

- Original folders: two experts in `high_noise_model/` and `low_noise_model/`, a dense model at the root; beside them
  `Wan2.1_VAE.pth` or `Wan2.2_VAE.pth`, `models_t5_umt5-xxl-enc-bf16.pth`, `google/umt5-xxl/tokenizer.json` and, for the
  2.1 image models, `models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth`.
- Diffusers folders: `transformer/` (the high-noise expert of two), `transformer_2/`, `vae/`, `text_encoder/`,
  `tokenizer/`, `image_encoder/`.
- ComfyUI's single files, side by side or in ComfyUI's own folders. What a file holds is told by its tensors, and only
  which expert it is by its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .headers import Stored, kind_of, read_header, read_json
from .names import network_of, published
from .request import CheckpointError

EXPERT_FOLDERS = {"high": "high_noise_model", "low": "low_noise_model"}
TOKENIZERS = ("tokenizer.json", "spiece.model")
_TRANSFORMER = "diffusion_pytorch_model"
_VAES = ("Wan2.1_VAE", "Wan2.2_VAE")
_TEXT_ENCODER = "models_t5_umt5-xxl-enc-bf16"
_CLIP = "models_clip_open-clip-xlm-roberta-large-vit-huge-14"
_ORIGINAL_TOKENIZER = "google/umt5-xxl"
_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".gguf")
_COMFY_FOLDERS = ("diffusion_models", "unet", "vae", "text_encoders", "clip", "clip_vision")
_EXPERT_WORD = re.compile(r"(?i)(?<![a-z])(high|low)(?:[ _-]?noise)?(?![a-z])")


@dataclass(frozen=True)
class Layout:
    """Files by part. `experts` maps dense, or high and low, to a weight file or index; `settings` to its config.json
    where there is one; `tokenizer` is tokenizer.json, a sentencepiece model or the text encoder that holds one;
    `index` is Diffusers' model_index.json.
    """

    words: str
    folder: Path
    experts: Mapping[str, Path]
    settings: Mapping[str, Path]
    vae: Path
    text_encoder: Path
    tokenizer: Path
    clip: Path | None = None
    clip_settings: Path | None = None
    index: Path | None = None
    hints: str = field(default="", compare=False)  # names that may tell what tensors cannot, such as "480p"


def find_layout(place: Path) -> Layout:
    """The parts of the checkpoint in a folder, or of the one that a single transformer file belongs to.

    Raises CheckpointError naming what is missing, or what there is too much of.
    """
    if place.is_file():
        base = place.parent.parent if place.parent.name in _COMFY_FOLDERS else place.parent
        return _single_files(base, place)
    if not place.is_dir():
        raise CheckpointError(f"The checkpoint folder {place} does not exist; check the path.")
    if (place / "model_index.json").is_file() or (place / "transformer").is_dir():
        return _diffusers(place)
    if any((place / name).is_dir() for name in EXPERT_FOLDERS.values()) or any(place.glob(f"{_TRANSFORMER}*")):
        return _original(place)
    if not _weight_files(place):
        raise CheckpointError(
            f"{place} holds no Wan checkpoint: no {_TRANSFORMER}.safetensors, no Diffusers folder and no single weight "
            "files; choose the folder that was downloaded."
        )
    return _single_files(place, None)


def _original(folder: Path) -> Layout:
    roots = {name: folder / sub for name, sub in EXPERT_FOLDERS.items()}
    if not any(root.is_dir() for root in roots.values()):
        roots = {"dense": folder}
    clip = _first(folder, (_CLIP, "models_clip*"))
    return Layout(
        words="original folder",
        folder=folder,
        experts={name: _weights(root, _TRANSFORMER) for name, root in roots.items()},
        settings={name: _existing(root / "config.json") for name, root in roots.items()},
        vae=_needed(folder, _VAES),
        text_encoder=_needed(folder, (_TEXT_ENCODER, "models_t5*")),
        tokenizer=_tokenizer(folder / _ORIGINAL_TOKENIZER),
        clip=clip,
        hints=folder.resolve().name,
    )


def _diffusers(folder: Path) -> Layout:
    if not (folder / "transformer").is_dir():
        raise CheckpointError(f"The Diffusers folder {folder} lacks {folder / 'transformer'}; download it again.")
    roots = {"dense": folder / "transformer"}
    index = folder / "model_index.json"
    if (folder / "transformer_2").is_dir() or _names_two_experts(index):
        roots = {"high": folder / "transformer", "low": folder / "transformer_2"}
    clip = folder / "image_encoder"
    return Layout(
        words="Diffusers folder",
        folder=folder,
        experts={name: _weights(root, _TRANSFORMER) for name, root in roots.items()},
        settings={name: _existing(root / "config.json") for name, root in roots.items()},
        vae=_weights(folder / "vae", _TRANSFORMER),
        text_encoder=_weights(folder / "text_encoder", "model", "pytorch_model"),
        tokenizer=_tokenizer(folder / "tokenizer"),
        clip=_weights(clip, "model", "pytorch_model") if clip.is_dir() else None,
        clip_settings=clip / "config.json" if (clip / "config.json").is_file() else None,
        index=index if index.is_file() else None,
        hints=folder.resolve().name,
    )


def _names_two_experts(index: Path) -> bool:
    """Diffusers lists an absent part as [null, null]."""
    if not index.is_file():
        return False
    entry = read_json(index).get("transformer_2")
    return isinstance(entry, list) and any(entry)


def _single_files(base: Path, chosen: Path | None) -> Layout:
    """Files side by side; `chosen` names one of several transformers."""
    parts: dict[str, list[Path]] = {"transformer": [], "vae": [], "text": [], "clip": []}
    headers: dict[Path, Mapping[str, Stored]] = {}
    for path in _weight_files(base):
        headers[path] = read_header(path) if kind_of(path) == "safetensors" else {}
        part = _part_of(path, headers[path])
        if part is not None:
            parts[part].append(path)
    experts = _experts(parts["transformer"], base, chosen)
    first = next(iter(experts.values()))
    text_encoder = _largest(parts["text"], base, "the UMT5 text encoder (umt5_xxl_fp16.safetensors, for example)")
    return Layout(
        words="ComfyUI files",
        folder=base,
        experts=experts,
        settings=_settings_beside(experts, base),
        vae=_fitting_vae(parts["vae"], headers, first, base),
        text_encoder=text_encoder,
        tokenizer=_tokenizer_beside(base, text_encoder),
        clip=_largest(parts["clip"], base, "") if parts["clip"] else None,
        hints=" ".join(path.name for path in experts.values()),
    )


def _weight_files(base: Path) -> list[Path]:
    folders = [base, *(base / name for name in _COMFY_FOLDERS)]
    found = (path for folder in folders if folder.is_dir() for path in folder.iterdir())
    return sorted(path for path in found if path.suffix in _SUFFIXES and path.is_file())


def _part_of(path: Path, header: Mapping[str, Stored]) -> str | None:
    """The network in a file: by its tensors where they are quickly read, else by its name. None for anything else."""
    if not header:
        name = path.name.lower()
        words = {"t5": "text", "vae": "vae", "clip": "clip"}
        return next((part for word, part in words.items() if word in name), "transformer")
    part = network_of(header)
    if part == "text" and not _is_umt5(header):
        return None
    return part


def _is_umt5(names: Mapping[str, Stored]) -> bool:
    """Only UMT5 has position biases in every layer; other models' T5 encoders often lie in the same folder."""
    second = [name for name in names if ".block.1.layer.0.SelfAttention." in f".{name}"]
    return not second or any("relative_attention_bias" in name for name in second)


def _experts(files: Sequence[Path], base: Path, chosen: Path | None) -> dict[str, Path]:
    pairs: dict[str, dict[str, Path]] = {}
    for path in files:
        word = _EXPERT_WORD.search(path.stem)
        key = _EXPERT_WORD.sub("", path.stem) + path.suffix
        pairs.setdefault(key, {})[word[1].lower() if word else "dense"] = path
    if chosen is not None:
        pairs = {key: pair for key, pair in pairs.items() if chosen in pair.values()}
    if not pairs:
        raise CheckpointError(f"{chosen or base} holds no transformer of a Wan model; check the path.")
    if len(pairs) > 1:
        names = ", ".join(sorted(path.name for pair in pairs.values() for path in pair.values()))
        raise CheckpointError(
            f"{base} holds several models ({names}); give the path of one of these files instead of the folder."
        )
    pair = next(iter(pairs.values()))
    if "dense" in pair:
        return {"dense": pair["dense"]}
    for name, other in (("high", "low"), ("low", "high")):
        if name not in pair:
            raise CheckpointError(f"{pair[other]} lacks its {name}-noise partner in the same folder; download it, too.")
    return {"high": pair["high"], "low": pair["low"]}


def _settings_beside(experts: Mapping[str, Path], base: Path) -> dict[str, Path]:
    found = {}
    for name, path in experts.items():
        config = next((c for c in (path.parent / "config.json", base / "config.json") if c.is_file()), None)
        if config is not None:
            found[name] = config
    return found


def _fitting_vae(files: Sequence[Path], headers: Mapping[Path, Mapping[str, Stored]], expert: Path, base: Path) -> Path:
    """Of several autoencoders the one with the transformer's number of latent channels."""
    wanted = latent_channels(headers[expert], "transformer")
    fitting = [path for path in files if wanted and latent_channels(headers[path], "vae") == wanted]
    return _largest(fitting or files, base, "the autoencoder (wan_2.1_vae.safetensors, for example)")


def latent_channels(header: Mapping[str, Stored], part: str) -> int | None:
    """The latent channels that a transformer makes or an autoencoder reads, None where the header does not tell."""
    shapes = shapes_of(header, part)
    try:
        if part == "vae":
            return shapes["conv2.weight"][0]
        patch = shapes["patch_embedding.weight"][2:]
        return shapes["head.head.weight"][0] // (patch[0] * patch[1] * patch[2])
    except (KeyError, IndexError, ZeroDivisionError):
        return None


def shapes_of(header: Mapping[str, Stored], part: str) -> dict[str, tuple[int, ...]]:
    """Published names and shapes of a header's tensors."""
    recipes = published({name: entry.shape for name, entry in header.items()}, part)
    return {name: recipe.shape for name, recipe in recipes.items()}


def _largest(files: Sequence[Path], base: Path, what: str) -> Path:
    """Of several stored alike, with different precision, the most exact."""
    if not files:
        raise CheckpointError(f"{base} lacks {what}; put it beside the transformer.")
    return max(files, key=lambda path: path.stat().st_size)


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
        names = [f"{stem}.safetensors.index.json", f"{stem}.bin.index.json", *(f"{stem}{end}" for end in _SUFFIXES)]
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


def _first(folder: Path, stems: Sequence[str]) -> Path | None:
    found = (path for stem in stems for end in (".pth", *_SUFFIXES) for path in sorted(folder.glob(stem + end)))
    return next(found, None)
