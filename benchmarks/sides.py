# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured: for every part the work of our side and of theirs, on the same files and inputs.

A side's function prepares (reads weights, unless reading is part of what is measured) and gives the work as a function
without arguments that returns a tensor by which the two sides are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from diffusers.models.transformers.transformer_wan import WanRotaryPosEmbed
from safetensors import safe_open
from torch import Tensor
from transformers import UMT5EncoderModel

from wan_engine.networks.transformer import WanTransformer
from wan_engine.networks.transformer_config import TransformerConfig
from wan_engine.networks.umt5 import T5Config
from wan_engine.networks.vae import LATENT_STATISTICS, WanVAE, load_vae
from wan_engine.runtime.block_offload import encode_streamed
from wan_engine.weights.weight_file import WeightFile

from . import loops
from .weights import HEADS, TEXT, TEXT_DIM, VOCABULARY

Work = Callable[[], Tensor]
Side = Callable[[Path], Work]

LATENT = (5, 32, 32)  # 1,280 tokens
PIXELS = 128  # side of the autoencoders' frames


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# -- reading


def weight_file(folder: Path, part: str) -> WeightFile:
    """A folder that Diffusers or transformers wrote: one file, or an index of several."""
    files = [*folder.glob("*.index.json"), *folder.glob("*.safetensors")]
    return WeightFile.open(files[0], part)


def our_transformer(folder: Path, dtype: torch.dtype) -> WanTransformer:
    file = weight_file(folder, "transformer")
    config = TransformerConfig.from_state(file.shapes, {"num_heads": HEADS})
    return file.fill(lambda: WanTransformer(config), dtype)


def their_transformer(folder: Path, dtype: torch.dtype, kind: type = WanTransformer3DModel) -> torch.nn.Module:
    """Without a copy to spare: what `from_pretrained` does where the package accelerate is installed.

    Without it, `from_pretrained` reads this network in float32 only.
    """
    with torch.device("meta"):
        network = kind.from_config(kind.load_config(folder))
    state = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as stored:
            for name in stored.keys():  # noqa: SIM118 - no mapping
                words = name.split(".")
                kept = any(module in words for module in kind._keep_in_fp32_modules)
                state[name] = stored.get_tensor(name).to(torch.float32 if kept else dtype, copy=True)
    network.load_state_dict(state, assign=True)
    network.rope = WanRotaryPosEmbed(network.config.attention_head_dim, network.config.patch_size, 1024)
    return network.eval().requires_grad_(False)


# -- one forward pass, the text embedded anew as on the first step of a prompt


def our_forward(dtype: torch.dtype, folder: Path) -> Work:
    network = our_transformer(folder / "high", dtype)
    x, text, t = drawn(1, 16, *LATENT), drawn(TEXT, TEXT_DIM), torch.tensor([500.0])
    return lambda: network(x, t, network.embed_text([text]))


def their_forward(dtype: torch.dtype, folder: Path) -> Work:
    network = their_transformer(folder / "high", dtype)
    x, text, t = drawn(1, 16, *LATENT).to(dtype), drawn(TEXT, TEXT_DIM)[None].to(dtype), torch.tensor([500.0])
    return lambda: network(x, t, text, return_dict=False)[0].float()


# -- sampling, from files to latents


def sampling(steps: int) -> loops.Sampling:
    return loops.Sampling(steps, [drawn(TEXT, TEXT_DIM, seed=seed) for seed in (2, 3)], drawn(16, *LATENT))


def our_sampling(dtype: torch.dtype, steps: int, folder: Path) -> Tensor:
    return loops.ours(sampling(steps), lambda name: our_transformer(folder / name, dtype))[0]


def their_sampling(dtype: torch.dtype, steps: int, folder: Path) -> Tensor:
    experts = {name: their_transformer(folder / name, dtype) for name in ("high", "low")}
    return loops.theirs(sampling(steps), experts, dtype)


# -- the autoencoders; frames end as 8-bit pictures, and the last frame, which depends on all others, is compared


def pictures(video: Tensor) -> Tensor:
    return ((video.clamp(-1, 1) + 1) * 127.5).to(torch.uint8)


def statistics(z_dim: int) -> tuple[Tensor, Tensor]:
    mean, std = (torch.tensor(v).view(1, -1, 1, 1, 1) for v in LATENT_STATISTICS[z_dim])
    return mean, std


def latents_of(name: str, frames: int) -> Tensor:
    z, side = (16, PIXELS // 8) if name == "vae21" else (48, PIXELS // 16)
    return drawn(1, z, (frames - 1) // 4 + 1, side, side)


def our_vae(name: str, folder: Path) -> WanVAE:
    return load_vae(dict(weight_file(folder / name, "vae").tensors()))


def our_decode(name: str, frames: int, folder: Path) -> Work:
    vae, z = our_vae(name, folder), latents_of(name, frames)

    def work() -> Tensor:
        shown = torch.empty(frames, 3, PIXELS, PIXELS, dtype=torch.uint8)  # as the pipeline keeps them
        for number, frame in enumerate(vae.decode_stream(z)):
            shown[number] = pictures(frame)[0, :, 0]
        return frame.clamp(-1, 1)  # as Diffusers does

    return work


def their_decode(name: str, frames: int, folder: Path) -> Work:
    vae, z = AutoencoderKLWan.from_pretrained(folder / name).eval(), latents_of(name, frames)
    mean, std = statistics(z.shape[1])

    def work() -> Tensor:
        video = vae.decode(z * std + mean, return_dict=False)[0]
        pictures(video)
        return video[:, :, -1:]

    return work


def our_encode(name: str, frames: int, folder: Path) -> Work:
    vae, video = our_vae(name, folder), drawn(1, 3, frames, PIXELS, PIXELS).clamp(-1, 1)
    return lambda: vae.encode(video)


def their_encode(name: str, frames: int, folder: Path) -> Work:
    vae = AutoencoderKLWan.from_pretrained(folder / name).eval()
    video = drawn(1, 3, frames, PIXELS, PIXELS).clamp(-1, 1)
    mean, std = statistics(vae.config.z_dim)
    return lambda: (vae.encode(video, return_dict=False)[0].mode() - mean) / std


# -- text encoder, from file to states


def token_ids() -> list[int]:
    return torch.randint(2, VOCABULARY, (TEXT,), generator=torch.Generator().manual_seed(4)).tolist()


def our_text(dtype: torch.dtype, folder: Path) -> Tensor:
    file = weight_file(folder / "text", "text")
    return encode_streamed(file, T5Config.from_state(file.shapes), [token_ids()], dtype, "cpu")[0]


def their_text(dtype: torch.dtype, folder: Path) -> Tensor:
    encoder = UMT5EncoderModel.from_pretrained(folder / "text", dtype=dtype).eval()
    return encoder(torch.tensor([token_ids()])).last_hidden_state[0].float()


# -- load: float32 shards to the end of the first step in bfloat16; theirs as the original does, read and then cast


def our_load(folder: Path) -> Tensor:
    network = our_transformer(folder / "large", torch.bfloat16)
    return network(drawn(1, 16, 1, 16, 16), torch.tensor([500.0]), network.embed_text([drawn(TEXT, TEXT_DIM)]))


def their_load(folder: Path) -> Tensor:
    network = their_transformer(folder / "large", torch.float32).to(torch.bfloat16)
    x, text = drawn(1, 16, 1, 16, 16).bfloat16(), drawn(TEXT, TEXT_DIM)[None].bfloat16()
    return network(x, torch.tensor([500.0]), text, return_dict=False)[0].float()


def whole(work: Callable[..., Tensor], *options: object) -> Side:
    """A side whose reading of weights is part of the work."""
    return lambda folder: partial(work, *options, folder)
