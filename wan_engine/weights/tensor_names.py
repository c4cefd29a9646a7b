# SPDX-License-Identifier: GPL-3.0-or-later
"""From the tensor names of other layouts to the published ones, without torch.

Diffusers, transformers and llama.cpp name (and partly cut) the same tensors differently. A `Recipe` says which stored
tensors make one published tensor; where a file's names carry a prefix, such as `model.diffusion_model.`, it is what
stands before a name that every such network has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Recipe:
    """A published tensor: `parts` joined along their first dimension, then given the shape `shape`."""

    parts: tuple[str, ...]
    shape: Shape


@dataclass(frozen=True)
class Dialect:
    """One way of naming. `anchor` ends the name of a tensor that only this dialect has; `rename` gives the published
    name of a stored one, without prefix, None for one that the network does not need.
    """

    anchor: str
    rename: Callable[[str], str | None]


def published(shapes: Mapping[str, Shape], part: str | None) -> dict[str, Recipe]:
    """Recipes of the published tensors of `part` (transformer, vae, text, clip; None: names stay as they are).

    Names that no rule knows stay as they are, so that comparing them with a network tells them. A file may hold other
    networks as well: what lies outside the part's own prefix, or under another network's, is left out.
    """
    found = None if part is None else _dialect_of(shapes, part)
    if part is None or found is None:
        return {name: Recipe((name,), shape) for name, shape in shapes.items()}
    dialect, prefix = found
    others = [other for other in networks_of(shapes).values() if other and not prefix.startswith(other)]
    if not prefix:
        others = [other.split(".")[0] + "." for other in others]  # with what lies around the other network
    own = {
        name: shape
        for name, shape in shapes.items()
        if name.startswith(prefix) and not any(name.startswith(other) for other in others)
    }
    return _recipes(own, dialect, prefix, part == "clip")


def networks_of(names: Iterable[str]) -> dict[str, str]:
    """The networks that these tensor names belong to (transformer, vae, clip, text), each with the prefix of its names;
    {} for others, such as a LoRA's.
    """
    names = list(names)
    found = {part: _dialect_of(names, part) for part in _DIALECTS}
    return {part: dialect[1] for part, dialect in found.items() if dialect is not None}


def _dialect_of(names: Iterable[str], part: str) -> tuple[Dialect, str] | None:
    for dialect in _DIALECTS[part]:
        prefix = _prefix(names, dialect.anchor)
        if prefix is not None:
            return dialect, prefix
    return None


def _prefix(names: Iterable[str], anchor: str) -> str | None:
    """What stands before the anchor, in the shortest name that ends with it at a word's start."""
    found = [name[: -len(anchor)] for name in names if name.endswith(anchor)]
    whole = [prefix for prefix in found if not prefix or prefix.endswith(".")]
    return min(whole, key=len) if whole else None


def _recipes(shapes: Mapping[str, Shape], dialect: Dialect, prefix: str, clip: bool) -> dict[str, Recipe]:
    made: dict[str, Recipe] = {}
    for stored, shape in shapes.items():
        name = dialect.rename(stored[len(prefix) :])
        if name is None:
            continue
        if (third := re.fullmatch(r"(.*)\.to_qkv\.([012])\.(weight|bias)", name)) is not None:
            name = f"{third[1]}.to_qkv.{third[3]}"
            if third[2] != "0":
                continue  # told with the first of the three
            parts = tuple(re.sub(r"q_proj(?=\.\w+$)", f"{letter}_proj", stored) for letter in "qkv")
            made[name] = Recipe(
                tuple(part for part in parts if part in shapes),
                (sum(shapes[part][0] for part in parts if part in shapes), *shape[1:]),
            )
        elif name not in made:  # tied copies count once
            made[name] = Recipe((stored,), (_clip_shape if clip else _video_shape)(name, shape))
    return made


def _video_shape(name: str, shape: Shape) -> Shape:
    """The shape with the axes of length one that GGUF files drop."""
    if name.rpartition(".")[2] in ("modulation", "emb_pos") and len(shape) == 2:
        return (1, *shape)
    if name in ("patch_embedding.weight", "vace_patch_embedding.weight") and len(shape) == 4:
        return (*shape[:2], 1, *shape[2:])
    return shape


def _clip_shape(name: str, shape: Shape) -> Shape:
    """The shape with the axes of length one that transformers does without."""
    if name == "cls_embedding" and len(shape) == 1:
        return (1, 1, *shape)
    if name == "pos_embedding" and len(shape) == 2:
        return (1, *shape)
    return shape


def _by_rules(*rules: tuple[str, str | None]) -> Callable[[str], str | None]:
    """Every rule whose pattern is found in the name is applied, in order; one without replacement drops the name."""
    compiled = [(re.compile(pattern), replacement) for pattern, replacement in rules]

    def rename(name: str) -> str | None:
        for pattern, replacement in compiled:
            if replacement is None:
                if pattern.search(name):
                    return None
            else:
                name = pattern.sub(replacement, name)
        return name

    return rename


def _as_published(name: str) -> str:
    return name


transformer_from_diffusers = _by_rules(
    (r"^condition_embedder\.text_embedder\.linear_1\.", "text_embedding.0."),
    (r"^condition_embedder\.text_embedder\.linear_2\.", "text_embedding.2."),
    (r"^condition_embedder\.time_embedder\.linear_1\.", "time_embedding.0."),
    (r"^condition_embedder\.time_embedder\.linear_2\.", "time_embedding.2."),
    (r"^condition_embedder\.time_proj\.", "time_projection.1."),
    (r"^condition_embedder\.image_embedder\.norm1\.", "img_emb.proj.0."),
    (r"^condition_embedder\.image_embedder\.ff\.net\.0\.proj\.", "img_emb.proj.1."),
    (r"^condition_embedder\.image_embedder\.ff\.net\.2\.", "img_emb.proj.3."),
    (r"^condition_embedder\.image_embedder\.norm2\.", "img_emb.proj.4."),
    (r"^condition_embedder\.image_embedder\.pos_embed$", "img_emb.emb_pos"),
    (r"^proj_out\.", "head.head."),
    (r"^scale_shift_table$", "head.modulation"),
    (r"^((?:vace_)?blocks\.\d+)\.scale_shift_table$", r"\1.modulation"),
    (r"^((?:vace_)?blocks\.\d+)\.norm2\.", r"\1.norm3."),
    (r"^((?:vace_)?blocks\.\d+)\.ffn\.net\.0\.proj\.", r"\1.ffn.0."),
    (r"^((?:vace_)?blocks\.\d+)\.ffn\.net\.2\.", r"\1.ffn.2."),
    (r"^((?:vace_)?blocks\.\d+)\.attn1\.", r"\1.self_attn."),
    (r"^((?:vace_)?blocks\.\d+)\.attn2\.", r"\1.cross_attn."),
    (r"^(vace_blocks\.\d+)\.proj_in\.", r"\1.before_proj."),
    (r"^(vace_blocks\.\d+)\.proj_out\.", r"\1.after_proj."),
    (r"_attn\.to_([qkv])\.", r"_attn.\1."),
    (r"_attn\.to_out\.0\.", "_attn.o."),
    (r"_attn\.add_([kv])_proj\.", r"_attn.\1_img."),
    (r"_attn\.norm_added_k\.", "_attn.norm_k_img."),
)
"""The published name of a tensor of Diffusers' transformer (without prefix); also of a LoRA's target."""

_T5_EXTRA = (r"^(decoder|dec|lm_head|output)\.", None)  # a file may hold the whole model, of which the encoder is used
_text_from_transformers = _by_rules(
    _T5_EXTRA,
    (r"^(shared|encoder\.embed_tokens)\.", "token_embedding."),
    (r"^encoder\.final_layer_norm\.", "norm."),
    (r"^encoder\.block\.", "blocks."),
    (r"\.layer\.0\.SelfAttention\.relative_attention_bias\.", ".pos_embedding.embedding."),
    (r"\.layer\.0\.SelfAttention\.", ".attn."),
    (r"\.layer\.0\.layer_norm\.", ".norm1."),
    (r"\.layer\.1\.layer_norm\.", ".norm2."),
    (r"\.layer\.1\.DenseReluDense\.wi_0\.", ".ffn.gate.0."),
    (r"\.layer\.1\.DenseReluDense\.wi_1\.", ".ffn.fc1."),
    (r"\.layer\.1\.DenseReluDense\.wo\.", ".ffn.fc2."),
)
_text_from_llama = _by_rules(
    _T5_EXTRA,
    (r"^token_embd\.", "token_embedding."),
    (r"^enc\.output_norm\.", "norm."),
    (r"^enc\.blk\.", "blocks."),
    (r"\.attn_rel_b\.", ".pos_embedding.embedding."),
    (r"\.attn_([qkvo])\.", r".attn.\1."),
    (r"\.attn_norm\.", ".norm1."),
    (r"\.ffn_norm\.", ".norm2."),
    (r"\.ffn_gate\.", ".ffn.gate.0."),
    (r"\.ffn_up\.", ".ffn.fc1."),
    (r"\.ffn_down\.", ".ffn.fc2."),
)
_clip_from_transformers = _by_rules(
    (r"^embeddings\.class_embedding$", "cls_embedding"),
    (r"^embeddings\.position_embedding\.weight$", "pos_embedding"),
    (r"^(embeddings\.position_ids|visual_projection\..*)$", None),
    (r"^embeddings\.patch_embedding\.", "patch_embedding."),
    (r"^pre_layrnorm\.", "pre_norm."),  # the library's own spelling
    (r"^post_layernorm\.", "post_norm."),
    (r"^encoder\.layers\.", "transformer."),
    (r"\.layer_norm([12])\.", r".norm\1."),
    (r"\.self_attn\.q_proj\.", ".attn.to_qkv.0."),
    (r"\.self_attn\.k_proj\.", ".attn.to_qkv.1."),
    (r"\.self_attn\.v_proj\.", ".attn.to_qkv.2."),
    (r"\.self_attn\.out_proj\.", ".attn.proj."),
    (r"\.mlp\.fc1\.", ".mlp.0."),
    (r"\.mlp\.fc2\.", ".mlp.2."),
)

_VAE_PARTS = {
    "norm1": "residual.0",
    "conv1": "residual.2",
    "norm2": "residual.3",
    "conv2": "residual.6",
    "conv_shortcut": "shortcut",
}
_VAE_ENDS = _by_rules(
    (r"^quant_conv\.", "conv1."),
    (r"^post_quant_conv\.", "conv2."),
    (r"^(encoder|decoder)\.conv_in\.", r"\1.conv1."),
    (r"^(encoder|decoder)\.norm_out\.", r"\1.head.0."),
    (r"^(encoder|decoder)\.conv_out\.", r"\1.head.2."),
    (r"\.mid_block\.attentions\.0\.", ".middle.1."),
)
_RESNETS = 2  # residual blocks of an encoder level in both published autoencoders; a decoder level has one more


def _vae_from_diffusers(name: str) -> str:
    """In the 2.1 layout the published decoder counts blocks and upsamplers through; in 2.2 both halves have levels."""
    match = re.fullmatch(r"(encoder|decoder)\.(?:down|up|mid)_blocks?\.(.*)\.(weight|bias|gamma)", name)
    if match is None or ".attentions." in name:
        return str(_VAE_ENDS(name))
    half, inner, leaf = match.groups()
    if ".mid_block." in name:
        _, number, layer = inner.split(".", 2)
        return f"{half}.middle.{2 * int(number)}.{_VAE_PARTS.get(layer, layer)}.{leaf}"
    return f"{half}.{_vae_place(half, inner)}.{leaf}"


def _vae_place(half: str, inner: str) -> str:
    kind, last = ("downsamples", _RESNETS) if half == "encoder" else ("upsamples", _RESNETS + 1)
    level, _, rest = inner.partition(".")
    if (block := re.fullmatch(r"resnets\.(\d+)\.(.*)", rest)) is not None:
        number, layer = int(block[1]), _VAE_PARTS.get(block[2], block[2])
    elif (resampler := re.fullmatch(r"(?:downsampler|upsampler|upsamplers\.0)\.(.*)", rest)) is not None:
        number, layer = last, resampler[1]
    else:  # the 2.1 encoder is counted through here, too
        return f"{kind}.{level}.{_VAE_PARTS.get(rest, rest)}"
    return f"{kind}.{level}.{kind}.{number}.{layer}"


def _vae21_from_diffusers(name: str) -> str:
    """The 2.1 decoder's levels, counted through."""
    name = _vae_from_diffusers(name)
    match = re.fullmatch(r"decoder\.upsamples\.(\d+)\.upsamples\.(\d+)\.(.*)", name)
    return name if match is None else f"decoder.upsamples.{int(match[1]) * (_RESNETS + 2) + int(match[2])}.{match[3]}"


_DIALECTS: dict[str, tuple[Dialect, ...]] = {
    "transformer": (
        Dialect("condition_embedder.time_proj.weight", transformer_from_diffusers),
        Dialect("time_projection.1.weight", _as_published),
    ),
    "vae": (
        Dialect("encoder.down_blocks.0.resnets.0.conv1.weight", _vae_from_diffusers),
        Dialect("encoder.conv_in.weight", _vae21_from_diffusers),
        Dialect("encoder.conv1.weight", _as_published),
    ),
    "clip": (
        Dialect("embeddings.class_embedding", _clip_from_transformers),
        Dialect("cls_embedding", _as_published),
    ),
    "text": (
        Dialect("encoder.block.0.layer.0.SelfAttention.q.weight", _text_from_transformers),
        Dialect("enc.blk.0.attn_q.weight", _text_from_llama),
        Dialect("blocks.0.pos_embedding.embedding.weight", _as_published),
    ),
}
