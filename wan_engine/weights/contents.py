# SPDX-License-Identifier: GPL-3.0-or-later
"""What a weight file of any kind holds, told by its header, which is read once, without torch."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ..errors import CheckpointError
from .gguf_header import read_gguf_header
from .pickle_header import read_pickle_header
from .safetensors_header import Stored, open_weights, read_header, read_json
from .tensor_names import Recipe, networks_of, published

VACE_PATCH = "vace_patch_embedding.weight"  # the tensor that every VACE branch has
TOKENIZER = "spiece_model"  # the tensor in a text encoder that is a sentencepiece model
# The number formats of weights, the most exact first; what is missing here comes last.
_EXACT = ("F64", "F32", "BF16", "F16", "Q8_0", "F8_E4M3", "F8_E5M2", "Q6_K", "Q5_K", "Q5_1", "Q5_0", "Q4_K", "Q4_1")


@dataclass(frozen=True)
class Contents:
    """What a weight file, or an index and its shards, says about its tensors. `kind` is safetensors, gguf, zip, pickle
    or index; `title` the model's name where the file states one, `metadata` what a safetensors file says besides. Of
    each shard only the tensors that the index lists.
    """

    path: Path
    kind: str
    stored: Mapping[str, Stored]
    title: str = ""
    shards: tuple[Contents, ...] = ()
    holds_tokenizer: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def parts(self) -> frozenset[str]:
        """The Wan networks in it: transformer, vae, clip, text."""
        found = set(networks_of(self.stored))
        if "vae" in found and self.latent_channels("vae") is None:
            found.discard("vae")  # another model's, for pictures
        if "text" in found and not self._is_umt5:
            found.discard("text")
        return frozenset(found)

    @property
    def is_vace_module(self) -> bool:
        """Whether it holds a VACE branch alone, to be laid over a text model."""
        return "transformer" not in self.parts and self._vace_patch is not None

    @cached_property
    def _vace_patch(self) -> str | None:
        return next((name for name in self.stored if f".{name}".endswith(f".{VACE_PATCH}")), None)

    def takes_module(self, module: Contents) -> bool:
        """Whether a VACE module's tensors fit those of this transformer, which has none itself."""
        patch = self.shapes("transformer").get("patch_embedding.weight", ())
        return (
            module._vace_patch is not None
            and self._vace_patch is None
            and patch[:1] == module.stored[module._vace_patch].shape[:1]
            and patch[1:2] == (self.latent_channels("transformer"),)
        )

    def with_module(self, module: Contents) -> Contents:
        """These tensors with those of a VACE module beside them, each read from its own file."""
        assert module._vace_patch is not None
        prefix = networks_of(self.stored)["transformer"]
        start = len(module._vace_patch) - len(VACE_PATCH)
        renamed = {prefix + name[start:]: entry for name, entry in module.stored.items()}
        shards = (*(self.shards or (self,)), replace(module, stored=renamed))
        return Contents(self.path, "index", {**self.stored, **renamed}, self.title, shards, self.holds_tokenizer)

    @cached_property
    def _recipes_of(self) -> dict[str, dict[str, Recipe]]:
        return {}

    def _recipes(self, part: str) -> dict[str, Recipe]:
        """How a network's published tensors are made of those in the file; worked out once."""
        if part not in self._recipes_of:
            shapes = {name: entry.shape for name, entry in self.stored.items()}
            self._recipes_of[part] = published(shapes, part)
        return self._recipes_of[part]

    def shapes(self, part: str) -> dict[str, tuple[int, ...]]:
        """Published names and shapes of a network's tensors."""
        return {name: recipe.shape for name, recipe in self._recipes(part).items()}

    def entries(self, part: str) -> dict[str, Stored]:
        """A network's tensors as they are stored, by the names they have in the file."""
        return {name: self.stored[name] for recipe in self._recipes(part).values() for name in recipe.parts}

    def latent_channels(self, part: str) -> int | None:
        """The latent channels that a transformer makes or an autoencoder reads, None where the header does not tell."""
        shapes = self.shapes(part)
        try:
            if part == "vae":
                kernel = shapes["conv2.weight"]
                return kernel[0] if len(kernel) == 5 else None
            patch = shapes["patch_embedding.weight"][2:]
            return shapes["head.head.weight"][0] // (patch[0] * patch[1] * patch[2])
        except (KeyError, IndexError, ZeroDivisionError):
            return None

    def width(self, part: str) -> int | None:
        """What an encoder makes, or the transformer reads of it under the name `from text` or `from clip`: channels."""
        network, name, axis = {
            "text": ("text", "token_embedding.weight", 1),
            "clip": ("clip", "cls_embedding", 2),
            "from text": ("transformer", "text_embedding.0.weight", 1),
            "from clip": ("transformer", "img_emb.proj.1.weight", 1),
        }[part]
        shape = self.shapes(network).get(name, ())
        return shape[axis] if len(shape) > axis else None

    def exactness(self, part: str) -> tuple[int, int]:
        """How exactly a network's layers are stored, for choosing the greatest; then how many numbers they have.

        A table of words is no layer: it stays exact in files of 8 bits.
        """
        counts: dict[str, int] = {}
        for published_name, recipe in self._recipes(part).items():
            for name in recipe.parts if published_name != "token_embedding.weight" else ():
                entry = self.stored[name]
                counts[entry.dtype] = counts.get(entry.dtype, 0) + math.prod(entry.shape)
        most = max(counts, key=lambda dtype: counts[dtype], default="")
        return (-_EXACT.index(most) if most in _EXACT else -len(_EXACT)), sum(counts.values())

    @property
    def alike(self) -> Hashable:
        """What both experts of a pair have in common: the sides of the layers that no two models share."""
        shapes = self.shapes("transformer")
        ends = ("patch_embedding.weight", "head.head.weight", "text_embedding.0.weight", "blocks.0.ffn.0.weight")
        blocks = {name.split(".")[1] for name in shapes if name.startswith("blocks.")}
        modules = (
            "img_emb.proj.1.weight",
            "ref_conv.weight",
            "control_adapter.conv.weight",
            VACE_PATCH,
        )
        return tuple(shapes.get(name) for name in ends), len(blocks), tuple(name in shapes for name in modules)

    @property
    def _is_umt5(self) -> bool:
        """Only UMT5 has position biases in every layer; other models' T5 encoders often lie in the same folder."""
        names = self.stored
        second = [name for name in names if ".block.1.layer.0.SelfAttention." in f".{name}"]
        return not second or any("relative_attention_bias" in name for name in second)


class Headers:
    """Headers of weight files by path, each read when it is first asked for and never again."""

    def __init__(self) -> None:
        self._known: dict[Path, Contents | CheckpointError] = {}

    def read(self, path: Path) -> Contents:
        """The contents of a weight file, or those of all shards of an index. Raises CheckpointError."""
        if path not in self._known:
            try:
                self._known[path] = self._indexed(path) if path.name.endswith(".json") else read_contents(path)
            except CheckpointError as error:
                self._known[path] = error
        found = self._known[path]
        if isinstance(found, CheckpointError):
            raise found
        return found

    def lay_over(self, path: Path, module: Contents) -> None:
        """From now on the transformer at `path` is read with the tensors of a VACE module beside its own."""
        self._known[path] = self.read(path).with_module(module)

    def _indexed(self, path: Path) -> Contents:
        weight_map = read_json(path).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise CheckpointError(f"{path} lists no weights; download it again.")
        if any(not isinstance(file, str) or file.endswith(".json") for file in weight_map.values()):
            raise CheckpointError(f"{path} names files that are no weights; download it again.")
        files = {str(name): path.parent / file for name, file in weight_map.items()}
        shards = {file: self.read(file) for file in sorted(set(files.values()))}
        for name, file in files.items():
            if name not in shards[file].stored:
                raise CheckpointError(f"{file} lacks the tensor {name} that {path.name} promises; download it again.")
        own: dict[Path, dict[str, Stored]] = {file: {} for file in shards}
        for name, file in files.items():
            own[file][name] = shards[file].stored[name]
        stored = {name: own[file][name] for name, file in files.items()}
        cut = tuple(replace(shard, stored=own[file]) for file, shard in shards.items())
        title = cut[0].title
        return Contents(path, "index", stored, title, cut, any(_last(name) == TOKENIZER for name in stored))


def read_contents(path: Path) -> Contents:
    """What the header of a single weight file says, of whatever kind it is. Raises CheckpointError."""
    kind, file = open_weights(path)
    metadata: Mapping[str, str] = {}
    with file:
        if kind == "gguf":
            stored, title, tokenizer = read_gguf_header(file, path)
            return Contents(path, kind, stored, title, holds_tokenizer=tokenizer)
        if kind == "safetensors":
            stored, metadata = read_header(file, path)
        else:
            stored = read_pickle_header(file, path, kind == "zip")
    title = " ".join(value for key, value in metadata.items() if "title" in key or key == "name")
    holds_tokenizer = any(_last(name) == TOKENIZER for name in stored)
    return Contents(path, kind, stored, title, holds_tokenizer=holds_tokenizer, metadata=metadata)


def _last(name: str) -> str:
    """A tensor's name without the prefix of a file that holds several networks."""
    return name.rpartition(".")[2]
