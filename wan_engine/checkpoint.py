# SPDX-License-Identifier: GPL-3.0-or-later
"""A checkpoint folder in the published layout: what it holds, which model it is, and its networks.

Two experts lie in `high_noise_model/` and `low_noise_model/`, a dense model at the root; beside them
`Wan2.1_VAE.pth` or `Wan2.2_VAE.pth`, `models_t5_umt5-xxl-enc-bf16.pth` and `google/umt5-xxl/tokenizer.json`.
Dimensions are read off the tensors and `config.json`; `wan_previs.json` may override the model's defaults.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from . import models
from .models import Model
from .outline import read_own_facts
from .request import CheckpointError
from .t5 import T5Config, T5Encoder
from .transformer import TransformerConfig, WanTransformer
from .vae import WanVAE, load_vae
from .weights import WeightFile, read_json

EXPERT_FOLDERS = {"high": "high_noise_model", "low": "low_noise_model"}
TOKENIZER = "google/umt5-xxl/tokenizer.json"
_TRANSFORMER = "diffusion_pytorch_model"
_VAES = ("Wan2.1_VAE", "Wan2.2_VAE")
_TEXT_ENCODER = "models_t5_umt5-xxl-enc-bf16"


@dataclass(frozen=True)
class Checkpoint:
    """What a folder holds. `trained_sizes` are the exact sizes of a checkpoint of our own, else empty."""

    folder: Path
    model: Model
    config: TransformerConfig
    experts: Mapping[str, WeightFile]
    vae: WeightFile
    text_encoder: WeightFile
    tokenizer: Path
    text_to_video: bool
    trained_sizes: tuple[tuple[int, int], ...]

    @property
    def channel_conditioned(self) -> bool:
        """The transformer reads noise, a 4-channel mask and the condition's latents, stacked."""
        return self.config.in_dim != self.config.out_dim

    def verify(self) -> None:
        """Compare every tensor's name and shape with the networks; raises CheckpointError before any work is done."""
        for file in self.experts.values():
            file.outline(lambda: WanTransformer(self.config))
        self.text_encoder.outline(self._build_text_encoder)

    def load_transformer(self, expert: str, dtype: torch.dtype, device: str) -> WanTransformer:
        return self.experts[expert].fill(lambda: WanTransformer(self.config), dtype, device)

    def load_text_encoder(self, dtype: torch.dtype, device: str) -> T5Encoder:
        return self.text_encoder.fill(self._build_text_encoder, dtype, device)

    def _build_text_encoder(self) -> T5Encoder:
        config = _described(self.text_encoder, lambda: T5Config.from_state(self.text_encoder.shapes))
        if config.dim != self.config.text_dim:
            raise CheckpointError(
                f"{self.text_encoder.label} makes text of {config.dim} channels, but the transformer reads "
                f"{self.config.text_dim}; they do not belong together."
            )
        return T5Encoder(config)

    def load_vae(self, device: str) -> WanVAE:
        """The video autoencoder, always in float32."""
        vae = _described(self.vae, lambda: load_vae({name: data.float() for name, data in self.vae.tensors()}))
        if vae.z_dim != self.config.out_dim:
            raise CheckpointError(
                f"{self.vae.label} has {vae.z_dim} latent channels, but the transformer makes {self.config.out_dim}; "
                "they do not belong together."
            )
        return vae.to(device).eval().requires_grad_(False)


def open_checkpoint(folder: Path) -> Checkpoint:
    """Look at every file of the folder without reading weights; raises CheckpointError naming what is wrong."""
    if not folder.is_dir():
        raise CheckpointError(f"The checkpoint folder {folder} does not exist; check the path.")
    if (folder / "model_index.json").is_file():
        raise CheckpointError(f"{folder} is in the Diffusers layout, which is not supported; use the original folder.")
    roots = {name: folder / sub for name, sub in EXPERT_FOLDERS.items()}
    if not any(root.is_dir() for root in roots.values()):
        roots = {"dense": folder}
    experts = {name: WeightFile.open(_transformer_file(root)) for name, root in roots.items()}
    configs = {name: _transformer_config(file, roots[name]) for name, file in experts.items()}
    config = next(iter(configs.values()))
    if any(other != config for other in configs.values()):
        raise CheckpointError(f"The two experts in {folder} differ in size; they do not belong together.")
    extra = read_own_facts(folder)
    model = _overridden(_identify(folder, config, experts), extra, folder)
    return Checkpoint(
        folder=folder,
        model=model,
        config=config,
        experts=experts,
        vae=WeightFile.open(_one_of(folder, _VAES)),
        text_encoder=WeightFile.open(_one_of(folder, (_TEXT_ENCODER,))),
        tokenizer=_existing(folder / TOKENIZER),
        text_to_video=bool(extra.get("text_to_video", config.in_dim == config.out_dim)),
        trained_sizes=model.sizes if "sizes" in extra else (),
    )


def _transformer_file(root: Path) -> Path:
    """The index of the shards, else the single file."""
    if not root.is_dir():
        raise CheckpointError(f"The checkpoint lacks the folder {root}; download it again.")
    index, single = (root / f"{_TRANSFORMER}.safetensors{end}" for end in (".index.json", ""))
    if index.is_file():
        return index
    shards = sorted(root.glob(f"{_TRANSFORMER}-*.safetensors"))
    if shards and not single.is_file():
        raise CheckpointError(f"The checkpoint lacks {index}, which names the shards; download it again.")
    return _existing(single)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise CheckpointError(f"The checkpoint lacks {path}; download it again.")
    return path


def _one_of(folder: Path, stems: tuple[str, ...]) -> Path:
    candidates = [folder / f"{stem}{suffix}" for stem in stems for suffix in (".pth", ".safetensors")]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        names = " or ".join(f"{stem}.pth" for stem in stems)
        raise CheckpointError(f"The checkpoint lacks {names} in {folder}; download it again.")
    return found


def _described(file: WeightFile, read: Callable[[], Any]) -> Any:
    """Run `read`, turning a complaint about the tensors of `file` into a CheckpointError."""
    try:
        return read()
    except (ValueError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"{file.label} does not fit the network: {reason}") from error


def _transformer_config(file: WeightFile, root: Path) -> TransformerConfig:
    settings = read_json(root / "config.json")
    return _described(file, lambda: TransformerConfig.from_state(file.shapes, settings))


def _identify(folder: Path, config: TransformerConfig, experts: Mapping[str, WeightFile]) -> Model:
    """The row of the model table; raises CheckpointError for networks that this engine cannot run."""
    model = models.identify(
        experts,
        channel_conditioned=config.in_dim != config.out_dim,
        latent_channels=config.out_dim,
        dim=config.dim,
        clip=config.clip_dim is not None,
        flf=config.flf,
    )
    if config.clip_dim is not None:
        raise CheckpointError(
            f"{folder} is {model.title}, which looks at the picture through a CLIP encoder; "
            "that is not supported yet. Use a Wan2.2 checkpoint."
        )
    if config.in_dim not in (config.out_dim, 2 * config.out_dim + 4):
        raise CheckpointError(
            f"{folder}: a transformer with {config.in_dim} input and {config.out_dim} output channels is no Wan model "
            "for text or pictures; control models are not supported."
        )
    if "dense" in experts:
        return dataclasses.replace(model, boundary=None)
    return model


def _overridden(model: Model, extra: Mapping[str, Any], folder: Path) -> Model:
    """The model's defaults with those of `wan_previs.json` put over them."""
    try:
        changes: dict[str, Any] = {key: str(extra[key]) for key in ("title", "negative") if key in extra}
        changes |= {key: float(extra[key]) for key in ("fps", "shift", "boundary") if key in extra}
        if "steps" in extra:
            changes["steps"] = int(extra["steps"])
        if "guide" in extra:
            low, high = extra["guide"]
            changes["guide"] = (float(low), float(high))
        if "frames" in extra:
            changes["frame_counts"] = tuple(int(count) for count in extra["frames"])
        if "sizes" in extra:
            changes["sizes"] = tuple((int(width), int(height)) for width, height in extra["sizes"])
        if "area" in extra:
            width, height = extra["area"]
            changes["area"] = (int(width), int(height))
        changed = dataclasses.replace(model, **changes)
        _check_defaults(changed)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{folder / 'wan_previs.json'} has a value of the wrong kind ({error}).") from error
    return changed


def _check_defaults(model: Model) -> None:
    if not (model.fps > 0 and model.shift > 0 and model.steps > 0):
        raise ValueError("fps, shift and steps must be positive")
    if not model.frame_counts or any(count < 1 or count % 4 != 1 for count in model.frame_counts):
        raise ValueError("frames must list counts of 4n+1")
    if not model.sizes or any(min(size) < 1 for size in model.sizes):
        raise ValueError("sizes must list pairs of width and height")
