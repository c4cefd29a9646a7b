# SPDX-License-Identifier: GPL-3.0-or-later
"""A checkpoint in any layout that `layouts.py` finds: what it holds, which model it is, and its networks.

Dimensions are read off the tensors and `config.json`; `wan_previs.json` may override the model's defaults and say what
no tensor tells: {"clip": {"num_heads": 16}} and, for single files without config.json, {"transformer":
{"num_heads": 40}}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from ..errors import CheckpointError, reason_of
from ..networks.clip_vision import ClipConfig, ClipVision
from ..networks.latent_rgb import LightMap, read_light_map
from ..networks.transformer import WanTransformer
from ..networks.transformer_config import TransformerConfig
from ..networks.umt5 import T5Config, T5Encoder
from ..networks.vae import WanVAE, kernel_last, load_vae
from ..weights.safetensors_header import read_json
from ..weights.weight_file import Patch, WeightFile
from .layout import Layout
from .layouts import find_layout
from .model import Model
from .sentencepiece import read_tokenizer

_LONGEST_TEXT = 8192  # tokens; the published models read 512
LIGHT_MAP = "light_map.safetensors"
_SPARE_WORDS = 0.1  # of a text encoder's, at most, that its tokenizer does not have
_HEAD_WIDTH = 128  # channels per attention head in every published transformer


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds. `model` is its row with the checkpoint's own defaults put over it. `clip` is the image
    encoder of the 2.1 image models, None for all others; `clip_heads` its head count where a file tells it. `layout`
    says in words how the files lie and what they are stored as. `light_map` is the file that tells light from latents,
    where the checkpoint was trained with one; `notes` what the user should know of how the model was told.
    """

    folder: Path
    model: Model
    config: TransformerConfig
    experts: Mapping[str, WeightFile]
    vae: WeightFile
    text_encoder: WeightFile
    tokenizer: Path
    clip: WeightFile | None = None
    clip_heads: int | None = None
    layout: str = "original folder"
    light_map: Path | None = None
    notes: tuple[str, ...] = ()

    def verify(self) -> None:
        """Compare every tensor's name and shape with the networks; raises CheckpointError before any work is done."""
        for file in self.experts.values():
            file.outline(lambda: WanTransformer(self.config))
        self.text_encoder.outline(self._build_text_encoder)
        self.outline_vae()
        if self.clip is not None:
            self.clip.outline(self._build_clip)
        self.load_light_map()

    def load_transformer(
        self, expert: str, dtype: torch.dtype, device: str, patch: Patch | None = None
    ) -> WanTransformer:
        """One expert; `patch` may change each tensor as it is read, as LoRAs do."""
        return self.experts[expert].fill(lambda: WanTransformer(self.config), dtype, device, patch)

    def load_text_encoder(self, dtype: torch.dtype, device: str) -> T5Encoder:
        """Raises CheckpointError naming a tensor that is missing or does not fit."""
        return self.text_encoder.fill(self._build_text_encoder, dtype, device)

    def open_tokenizer(self) -> Tokenizer:
        """The text encoder's tokenizer, from any file; raises CheckpointError for a damaged or foreign one."""
        encoder = self.text_encoder.contents
        tokenizer = read_tokenizer(self.tokenizer, encoder if encoder.path == self.tokenizer else None)
        words, rows = tokenizer.get_vocab_size(), self.text_encoder.shapes["token_embedding.weight"][0]
        if not (1 - _SPARE_WORDS) * rows <= words <= rows:
            raise CheckpointError(
                f"The tokenizer {self.tokenizer} has {words} words, but the text encoder {self.text_encoder.label} "
                f"{rows}; they do not belong together. Put tokenizer.json of google/umt5-xxl there."
            )
        return tokenizer

    def load_clip(self, device: str) -> ClipVision:
        """The image encoder of a 2.1 image model, in float32; raises CheckpointError for a model without one."""
        if self.clip is None:
            raise CheckpointError(f"{self.model.title} has no image encoder; its pictures go another way.")
        return self.clip.fill(self._build_clip, torch.float32, device)

    def load_vae(self, device: str) -> WanVAE:
        """The video autoencoder, always in float32."""
        self.outline_vae()
        return self.vae.fill(lambda: WanVAE(self.vae.shapes), torch.float32, device, lambda _, data: kernel_last(data))

    def load_light_map(self) -> LightMap | None:
        """What was fitted to this checkpoint to read light off its latents, None where there is none."""
        return None if self.light_map is None else read_light_map(self.light_map, self.config.out_dim)

    def outline_vae(self) -> WanVAE:
        """The autoencoder on the meta device: its stride and channels, without its weights."""
        shapes = self.vae.shapes
        empty = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
        return self._checked(_described(self.vae, lambda: load_vae(empty)))

    def _checked(self, vae: WanVAE) -> WanVAE:
        if vae.z_dim != self.config.out_dim:
            raise CheckpointError(
                f"{self.vae.label} has {vae.z_dim} latent channels, but the transformer makes {self.config.out_dim}; "
                "they do not belong together."
            )
        return vae

    def _build_text_encoder(self) -> T5Encoder:
        config = _described(self.text_encoder, lambda: T5Config.from_state(self.text_encoder.shapes))
        if config.dim != self.config.text_dim:
            raise CheckpointError(
                f"{self.text_encoder.label} makes text of {config.dim} channels, but the transformer reads "
                f"{self.config.text_dim}; they do not belong together."
            )
        return T5Encoder(config)

    def _build_clip(self) -> ClipVision:
        assert self.clip is not None
        shapes = self.clip.shapes
        config = _described(self.clip, lambda: ClipConfig.from_state(shapes, self.clip_heads))
        if config.dim != self.config.clip_dim:
            raise CheckpointError(
                f"{self.clip.label} makes picture features of {config.dim} channels, but the transformer reads "
                f"{self.config.clip_dim}; they do not belong together."
            )
        return ClipVision(config)


def open_checkpoint(place: Path) -> Checkpoint:
    """Look at every file of a folder, or of the model that a single transformer file belongs to, without reading
    weights; raises CheckpointError naming what is wrong.
    """
    found = find_layout(place)
    extra = found.own_facts
    read = found.headers.read
    experts = {name: WeightFile(read(path), "transformer") for name, path in found.experts.items()}
    configs = {name: _transformer_config(file, found, name) for name, file in experts.items()}
    config = next(iter(configs.values()))
    if any(other != config for other in configs.values()):
        raise CheckpointError(
            f"The two experts in {found.folder} differ in their tensors; they do not belong together. Give both of one "
            "model, or download them again."
        )
    model = found.model
    if found.tokenizer == found.text_encoder and not read(found.tokenizer).holds_tokenizer:
        raise CheckpointError(
            f"There is no tokenizer beside {found.text_encoder}, nor one in it; put tokenizer.json of google/umt5-xxl "
            "beside it."
        )
    return Checkpoint(
        folder=found.folder,
        model=model,
        config=config,
        experts=experts,
        vae=WeightFile(read(found.vae), "vae"),
        text_encoder=WeightFile(read(found.text_encoder), "text"),
        tokenizer=found.tokenizer,
        clip=None if not model.clip_pictures or found.clip is None else WeightFile(read(found.clip), "clip"),
        clip_heads=_clip_heads(found, extra),
        layout=f"{found.words}, {next(iter(experts.values())).stored_as}",
        light_map=path if (path := found.folder / LIGHT_MAP).is_file() else None,
        notes=found.notes,
    )


def _clip_heads(found: Layout, extra: Mapping[str, Any]) -> int | None:
    settings = {} if found.clip_settings is None else read_json(found.clip_settings)
    own = extra.get("clip", {})
    heads = own.get("num_heads") if isinstance(own, dict) else own
    heads = settings.get("num_attention_heads") if heads is None else heads
    if heads is not None and (not isinstance(heads, int) or heads < 1):
        raise CheckpointError(f"{found.folder / 'wan_previs.json'}: clip must be an object with num_heads, a number.")
    return heads


def _described(file: WeightFile, read: Callable[[], Any]) -> Any:
    """Run `read`, turning a complaint about the tensors of `file` into a CheckpointError."""
    try:
        return read()
    except (ValueError, KeyError, IndexError, RuntimeError, OverflowError) as error:
        raise CheckpointError(
            f"{file.label} does not fit the network ({reason_of(error)}). Download it again, or use another one."
        ) from error


def _transformer_config(file: WeightFile, found: Layout, name: str) -> TransformerConfig:
    path, settings = found.settings.get(name), found.stated[name]
    if "num_attention_heads" in settings:  # Diffusers' word
        settings = {**settings, "num_heads": settings["num_attention_heads"]}
    own = found.own_facts.get("transformer")
    if isinstance(own, dict):
        settings = {**settings, **own}
    if path is None and "num_heads" not in settings:
        settings = {**settings, "num_heads": _usual_heads(file)}
    try:
        config = _described(file, lambda: TransformerConfig.from_state(file.shapes, settings))
    except TypeError as error:
        raise CheckpointError(
            f"{path or file.label}: a setting is of the wrong kind ({reason_of(error)}); mend it."
        ) from error
    if not 1 <= config.text_len <= _LONGEST_TEXT or not 0 < config.eps < 1:
        raise CheckpointError(
            f"{path or file.label}: text_len must be from 1 to {_LONGEST_TEXT} and eps between 0 and 1; mend it."
        )
    return config


def _usual_heads(file: WeightFile) -> int:
    dim = file.shapes.get("patch_embedding.weight", (0,))[0]
    if dim % _HEAD_WIDTH:
        raise CheckpointError(
            f"{file.label}: its number of attention heads cannot be told from its tensors; put its config.json beside "
            'it, or {"schema": "wan_previs.checkpoint/1", "transformer": {"num_heads": N}} as wan_previs.json.'
        )
    return dim // _HEAD_WIDTH
