# SPDX-License-Identifier: GPL-3.0-or-later
"""Step caching on the shipped nano checkpoint: what it saves depends on how a trained model moves from step to step,
and random weights move as no trained ones do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from diffusers import WanTransformer3DModel
from torch import Tensor

from wan_engine.checkpoint.checkpoint import Checkpoint, open_checkpoint
from wan_engine.inputs.prompt_tokens import PromptTokenizer
from wan_engine.networks.transformer import WanTransformer
from wan_engine.sampling.step_cache import StepCache
from wan_engine.weights import tensor_names

from . import loops, measure
from .sides import drawn

NANO = Path(__file__).parents[1] / "checkpoints" / "nano"
LATENT = (48, 5, 16, 24)  # 1,920 tokens
STEPS, THRESHOLDS = 20, (0.05, 0.1)
PROMPT = "Wide shot of a stone tower at golden hour, warm low sun from the left, the camera pushes in slowly."


@dataclass(frozen=True)
class CachedRow:
    """Seconds with this threshold, the passes left out of all, and the relative L2 error of the final latents against
    those without caching; seconds of Diffusers beside them.
    """

    threshold: float
    seconds: float
    their_seconds: float
    skipped: int
    passes: int
    error: float


def rows() -> list[CachedRow]:
    """The first row is without caching. Raises SystemExit when Diffusers' latents differ from ours without it."""
    checkpoint = open_checkpoint(NANO)
    experts = {name: checkpoint.load_transformer(name, torch.float32, "cpu") for name in ("high", "low")}
    sampling = _sampling(checkpoint)
    copies = {name: _copy(network) for name, network in experts.items()}
    results: dict[float, tuple[Tensor, list[StepCache]]] = {}

    def run(threshold: float) -> None:
        results[threshold] = loops.ours(sampling, experts.__getitem__, threshold)

    theirs = partial(loops.theirs, sampling, copies, torch.float32)
    thresholds = (0.0, *THRESHOLDS)
    parts = {str(threshold): partial(run, threshold) for threshold in thresholds}
    seconds = measure.by_turns({**parts, "theirs": theirs}, rounds=2, warm=False)
    exact = results[0.0][0]
    difference = _error(theirs(), exact)
    if not difference < 1e-3:
        raise SystemExit(f"nano: the two sides differ by {difference:.2g}; the comparison would be void")
    found = []
    for threshold in thresholds:
        latents, caches = results[threshold]
        skipped = sum(len(cache.skipped) for cache in caches)
        error = _error(latents, exact)
        found.append(CachedRow(threshold, seconds[str(threshold)], seconds["theirs"], skipped, 2 * STEPS, error))
    return found


def _error(got: Tensor, want: Tensor) -> float:
    return float((got - want).norm() / want.norm())


def _sampling(checkpoint: Checkpoint) -> loops.Sampling:
    config, model = checkpoint.config, checkpoint.model
    encoder = checkpoint.load_text_encoder(torch.float32, "cpu")
    tokenizer = PromptTokenizer(checkpoint.open_tokenizer(), config.text_len)
    texts = []
    for prompt in (PROMPT, model.negative):
        rows = encoder(torch.tensor([tokenizer(prompt)]))[0].float()
        texts.append(torch.nn.functional.pad(rows, (0, 0, 0, config.text_len - len(rows))))
    condition = torch.zeros(1, config.in_dim - LATENT[0], *LATENT[1:])
    boundary = model.boundary or 0.0
    return loops.Sampling(
        STEPS, texts, drawn(*LATENT), condition, model.shift, boundary, dict.fromkeys(("high", "low"), 2.0)
    )


def _copy(network: WanTransformer) -> WanTransformer3DModel:
    """Diffusers' network with the same weights."""
    config = network.config
    copy = WanTransformer3DModel(
        patch_size=config.patch_size,
        num_attention_heads=config.num_heads,
        attention_head_dim=config.dim // config.num_heads,
        in_channels=config.in_dim,
        out_channels=config.out_dim,
        text_dim=config.text_dim,
        freq_dim=config.freq_dim,
        ffn_dim=config.ffn_dim,
        num_layers=config.num_layers,
    )
    shapes = {name: tuple(data.shape) for name, data in copy.state_dict().items()}
    recipes = tensor_names.published(shapes, "transformer")
    state = {recipe.parts[0]: network.state_dict()[name] for name, recipe in recipes.items()}
    copy.load_state_dict(state, strict=True)
    return copy.eval()
