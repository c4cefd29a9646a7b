# SPDX-License-Identifier: GPL-3.0-or-later
"""How trainers and tools name the same layer of the transformer, and what a LoRA tensor is by the end of its name.

Told apart are: the published names with any of several prefixes, the names of Diffusers, and both with underscores
instead of dots behind `lora_unet_` and the like.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import CheckpointError
from .tensor_names import transformer_from_diffusers

_PREFIXES = (
    "base_model.model.",
    "model.diffusion_model.",
    "diffusion_model.",
    "pipe.dit.",
    "dit.",
    "transformer.",
    "unet.",
    "model.",
    "module.",
)
_FLAT_PREFIX = re.compile(r"^(?:lora_unet|lora_transformer|lycoris)_+")
# The layers of Diffusers' transformer; their published names follow from these by rule.
_DIFFUSERS_ATTENTION = (
    *("to_q", "to_k", "to_v", "to_out.0", "norm_q", "norm_k"),
    *("add_k_proj", "add_v_proj", "norm_added_k"),
)
_DIFFUSERS_IN_BLOCK = (
    *(f"{kind}.{layer}" for kind in ("attn1", "attn2") for layer in _DIFFUSERS_ATTENTION),
    *("norm2", "ffn.net.0.proj", "ffn.net.2", "scale_shift_table"),
    *("proj_in", "proj_out"),  # in blocks of VACE
)
_DIFFUSERS_OUTSIDE = (
    *(f"condition_embedder.{kind}_embedder.linear_{n}" for kind in ("text", "time") for n in (1, 2)),
    "condition_embedder.time_proj",
    *(f"condition_embedder.image_embedder.{layer}" for layer in ("norm1", "ff.net.0.proj", "ff.net.2", "norm2")),
    "condition_embedder.image_embedder.pos_embed",
    *("proj_out", "scale_shift_table"),
)
_BLOCK = re.compile(r"(?:vace_)?blocks\.\d+\.")
_BARE = (".pos_embed", "scale_shift_table")  # parameters that stand for themselves
# The first that fits decides; the group is the layer.
_ROLES = tuple(
    (re.compile(pattern), role)
    for pattern, role in (
        (r"^(.+)\.(?:lora_B|lora_up)(?:\.[^.]+)?\.bias$", "up_bias"),
        (r"^(.+)\.(?:lora_A|lora_down|lora\.down)(?:\.(?!bias$)[^.]+)??(?:\.weight)?$", "down"),
        (r"^(.+)\.(?:lora_B|lora_up|lora\.up)(?:\.[^.]+)??(?:\.weight)?$", "up"),
        (r"^(.+)\.alpha$", "alpha"),
        (r"^(.+)\.diff$", "diff"),
        (r"^(.+)\.diff_b$", "diff_b"),
        (r"^(.+)\.diff_m$", "diff_m"),
    )
)
_OTHER_KINDS = {
    "dora_scale": "a DoRA",
    "lora_magnitude_vector": "a DoRA",
    ".hada_": "a LoHa",
    ".lokr_": "a LoKr",
    ".magnitude": "a DoRA",
    ".oft_": "an OFT",
    ".boft_": "a BOFT",
    ".ia3_": "an IA3",
    ".on_input": "an IA3",
    ".vera_lambda": "a VeRA",
    ".a1.weight": "a GLoRA",
    ".lora_mid.": "a LoRA of three factors",
}
# Files for both experts name the second one's layers so; the first one's then have the usual names.
_SECOND = re.compile(r"^(?:base_model\.model\.)?(?:transformer_2|pipe\.dit2|dit2|low_noise_model|low_noise)\.")
_FIRST = re.compile(r"^(?:base_model\.model\.)?(?:transformer|pipe\.dit|dit|high_noise_model|high_noise)\.")


def refuse_other_kinds(path: object, names: Iterable[str]) -> None:
    """Raise CheckpointError when a name shows that the file changes weights in another way than a LoRA does."""
    for name in names:
        for mark, kind in _OTHER_KINDS.items():
            if mark in name:
                raise CheckpointError(f"{path} is {kind} ({name}), which is not supported; use a plain LoRA.")


def role_of(name: str) -> tuple[str, str] | None:
    """(layer, role) of a LoRA tensor, the layer as the file names it; None for a name of no known kind.

    Roles: `down` and `up` (the factors), `alpha`, `up_bias`, and whole differences: `diff` of the weight, `diff_b` of
    the bias, `diff_m` of the modulation.
    """
    for pattern, role in _ROLES:
        found = pattern.match(name)
        if found:
            return found[1], role
    return None


def owners(names: Iterable[str]) -> dict[str, tuple[str | None, str]]:
    """Each name with the expert it is for (None for any) and the name as it would be in a file for that one alone."""
    names = list(names)
    second = any(_SECOND.match(name) for name in names)
    owned: dict[str, tuple[str | None, str]] = {}
    for name in names:
        if match := _SECOND.match(name):
            owned[name] = "low", name[match.end() :]
        elif (match := _FIRST.match(name)) and (second or "noise" in match[0]):
            owned[name] = "high", name[match.end() :]
        else:
            owned[name] = None, name
    return owned


class LayerIndex:
    """The published name of a layer from any of its names."""

    def __init__(self, parameters: Iterable[str]) -> None:
        """`parameters` are the published names of the transformer's tensors."""
        layers = {_layer_of(name) for name in parameters}
        blocks = {found[0] for layer in layers if (found := _BLOCK.match(layer))}
        theirs = [*_DIFFUSERS_OUTSIDE, *(f"{block}{layer}" for block in blocks for layer in _DIFFUSERS_IN_BLOCK)]
        self._dotted = {name: _from_diffusers(name) for name in theirs}
        self._dotted = {name: layer for name, layer in self._dotted.items() if layer in layers}
        self._dotted |= {layer: layer for layer in layers}
        # A difference of the modulation is named after the block or head that has it.
        parents = [layer.removesuffix(".modulation") for layer in layers if layer.endswith(".modulation")]
        self._dotted |= {parent: parent for parent in parents}
        self._flat = {alias.replace(".", "_"): layer for alias, layer in self._dotted.items()}

    def find_around(self, name: str) -> str | None:
        """The layer that a tensor of unknown kind belongs to, by what its name begins with."""
        cuts = [name.rsplit(".", count)[0] for count in (1, 2) if name.count(".") >= count]
        return next((layer for cut in cuts if (layer := self.find(cut)) is not None), None)

    def find(self, layer: str) -> str | None:
        """The network's name of a layer as a LoRA spells it; None for one that it has not."""
        flat = _FLAT_PREFIX.match(layer)
        if flat:
            return self._flat.get(layer[flat.end() :].replace(".", "_"))
        return self._dotted.get(_without_prefixes(layer))


def _layer_of(parameter: str) -> str:
    return re.sub(r"\.(?:weight|bias)$", "", parameter)


def _from_diffusers(layer: str) -> str:
    """The rules are made for tensors: a layer is told by its weight, a bare parameter by itself."""
    if layer.endswith(_BARE):
        return str(transformer_from_diffusers(layer))
    return _layer_of(str(transformer_from_diffusers(f"{layer}.weight")))


def _without_prefixes(layer: str) -> str:
    for prefix in _PREFIXES:
        if layer.startswith(prefix):
            return _without_prefixes(layer[len(prefix) :])
    return layer
