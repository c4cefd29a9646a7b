# SPDX-License-Identifier: GPL-3.0-or-later
"""The same tiny weights saved in every layout that people have; Diffusers folders by Diffusers itself."""

from __future__ import annotations

import json
import re
import shutil
from collections import OrderedDict
from pathlib import Path

import golden
import numpy as np
import torch
from safetensors.torch import save_file

from wan_engine.checkpoint.checkpoint import open_checkpoint

TOKENIZER = "tokenizer/tokenizer.json"
VOCABULARY = 912
LINEAR = (".q.weight", ".k.weight", ".v.weight", ".o.weight", "ffn.0.weight", "ffn.2.weight")


def diffusers_transformer(channels=(16, 16), *, pictures=0, heads=2, width=32):
    """Tiny random one; `pictures` that CLIP looks at: 0, 1 or 2."""
    from diffusers import WanTransformer3DModel

    image = {"image_dim": 48, "added_kv_proj_dim": heads * width} if pictures else {}
    if pictures == 2:
        image["pos_embed_seq_len"] = 514
    network = WanTransformer3DModel(
        num_attention_heads=heads,
        attention_head_dim=width,
        in_channels=channels[0],
        out_channels=channels[1],
        text_dim=32,
        freq_dim=64,
        ffn_dim=128,
        num_layers=2,
        **image,
    ).eval()
    return _random(network)


def diffusers_vace(layers=(0, 2)):
    """A tiny random one of four layers."""
    from diffusers import WanVACETransformer3DModel

    return _random(
        WanVACETransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=32,
            text_dim=32,
            freq_dim=64,
            ffn_dim=128,
            num_layers=4,
            vace_layers=list(layers),
        ).eval()
    )


def diffusers_vae():
    from diffusers import AutoencoderKLWan

    return _random(AutoencoderKLWan(base_dim=8, z_dim=16).eval())


def transformers_text_encoder():
    from transformers import UMT5Config, UMT5EncoderModel

    config = UMT5Config(
        vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu"
    )
    return _random(UMT5EncoderModel(config).eval())


def transformers_clip():
    from transformers import CLIPVisionConfig, CLIPVisionModel

    config = CLIPVisionConfig(
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=3,
        image_size=224,
        patch_size=14,
        hidden_act="gelu",
    )
    return _random(CLIPVisionModel(config).eval())


def _random(network):
    """Every tensor random, also those that start as zeros or ones, so that none can be mistaken for another."""
    generator = torch.Generator().manual_seed(sum(map(ord, type(network).__name__)))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1 + (parameter.dim() == 1))
    return network.float()


def save_diffusers(folder: Path, experts, vae, text, clip=None, shard: str | None = None, index: dict | None = None):
    """`experts` one or two transformers, high noise first; `shard` the largest file."""
    options = {"max_shard_size": shard} if shard else {}
    for name, network in zip(("transformer", "transformer_2"), experts, strict=False):
        network.save_pretrained(folder / name, **options)
    vae.save_pretrained(folder / "vae")
    text.save_pretrained(folder / "text_encoder", **options)
    if clip is not None:
        clip.save_pretrained(folder / "image_encoder")
    (folder / "tokenizer").mkdir()
    shutil.copy(golden.path(TOKENIZER), folder / "tokenizer")
    if index is not None:
        (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def states(checkpoint):
    """Published names to tensors, for each part of an opened checkpoint."""
    parts = {name: dict(file.tensors()) for name, file in checkpoint.experts.items()}
    parts |= {"vae": dict(checkpoint.vae.tensors()), "text": dict(checkpoint.text_encoder.tensors())}
    if checkpoint.clip is not None:
        parts["clip"] = {f"visual.{name}": data for name, data in checkpoint.clip.tensors()}
    return parts


def published_parts(folder: Path):
    """Published names to tensors of small networks, saved below `folder`: two experts, an image model's transformer,
    and the rest."""
    networks = [diffusers_transformer(), diffusers_transformer()]
    others = diffusers_vae(), transformers_text_encoder(), transformers_clip()
    state = states(open_checkpoint(save_diffusers(folder / "two", networks, *others[:2])))
    pictures = save_diffusers(folder / "i2v", [diffusers_transformer((36, 16), pictures=1)], *others)
    state["i2v"] = states(open_checkpoint(pictures))["dense"]
    state["text"], state["clip"] = others[1].state_dict(), others[2].state_dict()
    clipless = [key for key in state["i2v"] if "img" not in key]
    return {**state, "i2v22": {key: state["i2v"][key] for key in clipless}}


def settings(checkpoint):
    config = checkpoint.config
    return {"num_heads": config.num_heads, "eps": config.eps, "text_len": config.text_len, "dim": config.dim}


def save_original(folder: Path, parts, config, *, how="safetensors"):
    """`how`: safetensors, shards, pth (nested) or plain pth with a prefix before every name."""
    for name in set(parts) & {"high", "low", "dense"}:
        root = folder / {"high": "high_noise_model", "low": "low_noise_model", "dense": ""}[name]
        root.mkdir(parents=True, exist_ok=True)
        (root / "config.json").write_text(json.dumps(config))
        _save_transformer(root / "diffusion_pytorch_model", parts[name], how)
    nested = {"state_dict": OrderedDict(parts["vae"]), "epoch": 3} if how == "pth" else parts["vae"]
    torch.save(nested, folder / "Wan2.1_VAE.pth")
    torch.save(OrderedDict(parts["text"]), folder / "models_t5_umt5-xxl-enc-bf16.pth")
    if "clip" in parts:
        state = {**parts["clip"], "log_scale": torch.tensor(1.0), "textual.norm.weight": torch.ones(3)}
        torch.save(state, folder / "models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth")
    (folder / "google/umt5-xxl").mkdir(parents=True)
    shutil.copy(golden.path(TOKENIZER), folder / "google/umt5-xxl")
    return folder


def _save_transformer(path: Path, state, how):
    if how == "pth":
        torch.save({"model": {f"module.{name}": data for name, data in state.items()}}, path.with_suffix(".pth"))
    elif how == "shards":
        names = sorted(state)
        halves = {f"{path.name}-00001-of-00002.safetensors": names[::2]}
        halves[f"{path.name}-00002-of-00002.safetensors"] = names[1::2]
        for file, part in halves.items():
            save_file({name: state[name].contiguous() for name in part}, path.parent / file)
        index = {"weight_map": {name: file for file, part in halves.items() for name in part}}
        path.with_suffix(".safetensors.index.json").write_text(json.dumps(index))
    else:
        save_file({name: data.contiguous() for name, data in state.items()}, path.with_suffix(".safetensors"))


def save_comfy(folder: Path, parts, text, *, subfolders=False, prefix="", word="fp16", convert=None):
    """Single files; `text` in transformers' names; `convert` turns a transformer's or text encoder's state into what
    its file holds.
    """
    convert = convert or (lambda state: state)
    place = {"transformer": "diffusion_models", "vae": "vae", "text": "text_encoders", "clip": "clip_vision"}
    roots = {part: folder / sub if subfolders else folder for part, sub in place.items()}
    for root in roots.values():
        root.mkdir(parents=True, exist_ok=True)
    names = {"high": f"wan2.2_t2v_high_noise_14B_{word}", "low": f"wan2.2_t2v_low_noise_14B_{word}"}
    names["dense"] = f"wan2.1_i2v_720p_14B_{word}"
    for name in set(parts) & set(names):
        state = {prefix + key: data for key, data in convert(parts[name]).items()}
        save_file(_contiguous(state), roots["transformer"] / f"{names[name]}.safetensors")
    save_file(_contiguous(parts["vae"]), roots["vae"] / "wan_2.1_vae.safetensors")
    save_file(_contiguous(convert(text)), roots["text"] / f"umt5_xxl_{word}.safetensors")
    if "clip" in parts:
        save_file(_contiguous(parts["clip"]), roots["clip"] / "clip_vision_h.safetensors")
    (folder / "wan_previs.json").write_text(
        json.dumps({"schema": "wan_previs.checkpoint/1", "transformer": {"num_heads": 2}, "clip": {"num_heads": 3}})
    )
    return folder


def _contiguous(state):
    return {name: data.contiguous().clone() for name, data in state.items()}


def to_fp8(state, dialect):
    """ComfyUI's scaled 8-bit floats: `old` with a marker for the file, `new` with a description per layer, `plain`
    without scales.
    """
    out = {}
    for name, data in state.items():
        if not _is_linear(name):
            out[name] = data
            continue
        scale = data.abs().max() / 448
        stem = name.removesuffix(".weight")
        if dialect == "plain":
            out[name] = data.to(torch.float8_e4m3fn)
            continue
        out[name] = (data / scale).to(torch.float8_e4m3fn)
        if dialect == "old":
            out[f"{stem}.scale_weight"] = scale.reshape(1)
        else:
            out[f"{stem}.weight_scale"] = scale
            described = json.dumps({"format": "float8_e4m3fn"}).encode()
            out[f"{stem}.comfy_quant"] = torch.frombuffer(bytearray(described), dtype=torch.uint8)
    if dialect == "old":
        out["scaled_fp8"] = torch.zeros(2, dtype=torch.float8_e4m3fn)
    return out


def from_fp8(state):
    """What `to_fp8` stored, as ordinary numbers."""
    out = {}
    for name, data in state.items():
        if name.endswith((".scale_weight", ".weight_scale", ".comfy_quant")) or name == "scaled_fp8":
            continue
        stem = name.removesuffix(".weight")
        scale = state.get(f"{stem}.scale_weight", state.get(f"{stem}.weight_scale", torch.ones(())))
        out[name] = data.float() * scale if data.dtype == torch.float8_e4m3fn else data
    return out


def _is_linear(name):
    return name.endswith(LINEAR) or "DenseReluDense" in name or ".SelfAttention.q" in name


def save_gguf(path: Path, architecture, state, kind="F16", drop_axes=False):
    """A GGUF file as ComfyUI's converter makes them: norms and biases in float32, products in `kind`; returns the
    numbers it stands for. `drop_axes` leaves out leading axes of length one, as requantising in C does.
    """
    import gguf

    writer = gguf.GGUFWriter(path, architecture)
    numbers = {}
    for name, data in state.items():
        product = _is_linear(name) or re.search(r"\.(attn_[qkvo]|ffn_\w+)\.", name)
        chosen = kind if data.shape[-1] % 32 == 0 else "F16"  # as the converters do with rows that make no whole block
        qtype = gguf.GGMLQuantizationType[chosen if product and data.dim() == 2 else "F32"]
        array = data.float().numpy()
        if drop_axes and array.ndim == 3 and array.shape[0] == 1:
            array = array[0]
        packed = gguf.quantize(array, qtype)
        writer.add_tensor(name, packed, raw_dtype=qtype)
        numbers[name] = torch.from_numpy(np.array(gguf.dequantize(packed, qtype))).reshape(data.shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return numbers
