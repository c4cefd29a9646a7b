# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory plan of a generation, from headers and shapes alone: what each stage will take, before anything is loaded.

Weights are counted. The transformer's activations follow from its forward pass: attention is computed without the
matrix of scores, so they grow with the number of tokens, not with its square. The autoencoder's are found by running
it on tensors without data and counting what is alive. What Python and PyTorch take by themselves is left out.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from .checkpoint import Checkpoint
from .machine import available_memory
from .sizes import Size
from .transformer import SPAN_BYTES, TransformerConfig

__all__ = ["MemoryPlan", "Stage", "available_memory", "nearest_that_fits", "plan_memory", "refusal"]

TILE = 256  # pixels; the side of the tiles that are proposed when a whole frame cannot be decoded
_STREAMED_BLOCKS = 2  # the one at work and the one being read
_GIB = 2.0**30
_SLACK = 1.25  # measured: what allocator and oneDNN hold beside the tensors that are alive
_OWN = 16 * 2**20  # measured: the libraries' compiled kernels and tables


@dataclass(frozen=True)
class Stage:
    """Bytes that are in memory at once in one stage: weights (also those kept from other stages) and all else."""

    name: str
    weights: int
    activations: int

    @property
    def total(self) -> int:
        return self.weights + self.activations


@dataclass(frozen=True)
class MemoryPlan:
    """What the stages of a generation with these settings take; `available` is what can be had now, on `device`."""

    parts: tuple[Stage, ...]
    size: Size
    frames: int
    dtype: str
    offload: str
    vae_tiles: int
    device: str
    available: int

    @property
    def peak(self) -> int:
        return max(stage.total for stage in self.parts)

    @property
    def fits(self) -> bool:
        return self.peak <= self.available

    @property
    def settings(self) -> str:
        """The options that this plan is for, as on the command line."""
        tiles = f" --vae-tiles {self.vae_tiles}" if self.vae_tiles else ""
        width, height = self.size
        return f"--size {width}x{height} --frames {self.frames} --dtype {self.dtype} --offload {self.offload}" + tiles

    def text(self) -> str:
        """A table of the stages, the peak, and whether it fits."""
        lines = [f"memory plan for {self.settings}", f"  {'stage':<16}{'weights':>12}{'activations':>14}{'in all':>12}"]
        for stage in self.parts:
            figures = (_size(stage.weights), _size(stage.activations), _size(stage.total))
            lines.append("  {:<16}{:>12}{:>14}{:>12}".format(stage.name, *figures))
        verdict = "fits" if self.fits else "does not fit"
        where = "memory" if self.device == "cpu" else f"memory of the {self.device} device"
        lines.append(f"  peak {_size(self.peak)}; {_size(self.available)} of {where} are free: it {verdict}")
        return "\n".join(lines)


def plan_memory(
    checkpoint: Checkpoint,
    *,
    size: Size,
    frames: int,
    dtype: torch.dtype | str,
    offload: str,
    guided: bool,
    vae_tiles: int = 0,
    device: str = "cpu",
    available: int | None = None,
) -> MemoryPlan:
    """The plan of one clip of `size` (width, height) pixels and `frames` frames.

    `guided` tells that an unconditional pass is made too; `available` stands for the free memory that is otherwise
    asked of the machine. One expert is counted: a second one is only read ahead where there is room for it.
    """
    name = str(dtype).removeprefix("torch.")
    itemsize = getattr(torch, name).itemsize
    expert = max(file.parameters for file in checkpoint.experts.values()) * itemsize
    vae = checkpoint.vae.parameters * 4
    text = checkpoint.text_encoder.parameters * itemsize
    latents, pixels = _latent_shape(checkpoint, size, frames), frames * size[0] * size[1]
    keep = offload == "none"
    stages = [Stage("text encoder", *_text(checkpoint, itemsize, keep))]
    kept = text if keep else 0
    if checkpoint.clip is not None:
        stages.append(Stage("image encoder", kept + checkpoint.clip.parameters * 4, 0))
    if (coded := _encoded_frames(checkpoint, frames)) > 0:
        work = _with_slack(_encoder_peak(checkpoint, size)) + coded * size[0] * size[1] * 12
        stages.append(Stage("picture", kept + vae, max(work, vae)))
    kept += vae if keep else 0
    resident = expert if offload != "block" else _streamed(checkpoint, itemsize)
    work = _with_slack(_transformer_peak(checkpoint.config, latents, itemsize, guided, device))
    stages.append(Stage("transformer", kept + resident, max(work, _largest(checkpoint) * 4)))
    kept = kept + expert if keep else vae
    work = _with_slack(_decoder_peak(checkpoint, latents, vae_tiles)) + 2 * pixels * 3
    if vae_tiles and max(size) > vae_tiles:
        work += pixels * 12  # tiles are blended into the whole video
    stages.append(Stage("decoding", kept, max(work, 0 if keep else vae)))
    free = available_memory(device) if available is None else available
    return MemoryPlan(tuple(stages), size, frames, name, offload, vae_tiles, device, free)


def _with_slack(count: int) -> int:
    return round(count * _SLACK) + _OWN


def _latent_shape(checkpoint: Checkpoint, size: Size, frames: int) -> tuple[int, int, int]:
    side = 8 if checkpoint.config.out_dim == 16 else 16
    return (frames - 1) // 4 + 1, size[1] // side, size[0] // side


def _encoded_frames(checkpoint: Checkpoint, frames: int) -> int:
    """How many frames of picture go through the autoencoder's encoder."""
    if checkpoint.channel_conditioned:
        return frames
    return 1 if "image" in checkpoint.model.task else 0


def _text(checkpoint: Checkpoint, itemsize: int, whole: bool) -> tuple[int, int]:
    """Weights and activations of the text encoder, resident or streamed layer by layer."""
    shapes, length = checkpoint.text_encoder.shapes, checkpoint.config.text_len
    dim = shapes["token_embedding.weight"][1]
    heads = shapes["blocks.0.pos_embedding.embedding.weight"][1]
    ffn = shapes["blocks.0.ffn.fc1.weight"][0]
    work = length * length * heads * (itemsize + 4) + length * itemsize * (8 * dim + 3 * ffn)
    if whole:
        return checkpoint.text_encoder.parameters * itemsize, work
    layer = _count(shapes[name] for name in shapes if name.startswith("blocks.0."))
    return (layer + 2 * length * dim) * itemsize, work


def _streamed(checkpoint: Checkpoint, itemsize: int) -> int:
    """Weights of the transformer that are in memory when its blocks come one by one."""
    shapes = next(iter(checkpoint.experts.values())).shapes
    outside = _count(shape for name, shape in shapes.items() if not name.startswith("blocks."))
    block = _count(shape for name, shape in shapes.items() if name.startswith("blocks.0."))
    return (outside + _STREAMED_BLOCKS * block) * itemsize


def _largest(checkpoint: Checkpoint) -> int:
    """Numbers in the largest tensor, which stands beside the network while it is read."""
    return max(math.prod(shape) for file in checkpoint.experts.values() for shape in file.shapes.values())


def _count(shapes: Iterable[Sequence[int]]) -> int:
    return sum(math.prod(shape) for shape in shapes)


def _transformer_peak(
    config: TransformerConfig, latents: tuple[int, int, int], itemsize: int, guided: bool, device: str
) -> int:
    """Bytes of a step beside the weights, at the self attention of a block, where they are most."""
    p, q, r = config.patch_size
    tokens = (latents[0] // p) * (latents[1] // q) * (latents[2] // r)
    per_token = 4 * config.dim + 4 * itemsize * config.dim  # the stream in float32; queries, keys, values and result
    per_token += 4 * config.dim // config.num_heads  # rotary table
    span = min(
        tokens, max(256, SPAN_BYTES.get(device.split(":")[0], SPAN_BYTES["cuda"]) // (config.ffn_dim * itemsize))
    )
    spans = span * (config.ffn_dim * itemsize + 4 * config.dim * 4)
    read = config.text_len + (0 if config.clip_dim is None else 514 if config.flf else 257)
    contexts = (2 if guided else 1) * read * config.dim * itemsize * (2 * config.num_layers + 1)
    cells = latents[0] * latents[1] * latents[2]
    samples = 4 * cells * (2 * config.in_dim + 8 * config.out_dim)  # inputs, velocities and the solver's memory
    return tokens * per_token + spans + contexts + samples


def _decoder_peak(checkpoint: Checkpoint, latents: tuple[int, int, int], tiles: int) -> int:
    _, h, w = latents
    if tiles:
        longest = max(tiles // (8 if checkpoint.config.out_dim == 16 else 16), 2)
        h, w = min(h, longest), min(w, longest)
    return _rehearsed(checkpoint, lambda vae: vae.decode_stream(torch.empty(1, vae.z_dim, 2, h, w, device="meta")))


def _encoder_peak(checkpoint: Checkpoint, size: Size) -> int:
    frame = torch.empty(1, 3, 1, size[1], size[0], device="meta")
    return _rehearsed(checkpoint, lambda vae: vae.encode_stream([frame] * 5))


def _rehearsed(checkpoint: Checkpoint, work: Callable[[Any], Iterator[Tensor]]) -> int:
    """The most bytes alive while the autoencoder does this work, found on tensors without data."""
    vae = checkpoint.outline_vae()
    with _Alive() as alive:
        for chunk in work(vae):
            del chunk
    return alive.peak


class _Alive(TorchDispatchMode):
    """Counts the bytes of the tensors made under it that are still alive, and their `peak`."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {id(tensor.untyped_storage()) for tensor in args if isinstance(tensor, Tensor)}
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage(), given)
        return result

    def _count(self, storage: torch.UntypedStorage, given: set[int]) -> None:
        key = id(storage)
        if key in self._known or key in given:
            return
        self._known.add(key)
        self._now += storage.nbytes()
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._gone, key, storage.nbytes())

    def _gone(self, key: int, count: int) -> None:
        self._known.discard(key)
        self._now -= count


def nearest_that_fits(checkpoint: Checkpoint, plan: MemoryPlan, *, guided: bool) -> MemoryPlan | None:
    """The plan nearest to `plan` that fits, None when none does.

    Given up in this order, the later ones only where all the earlier together do not suffice: keeping networks in
    memory (offload expert, then block), float32, exact decoding, the size (the model's own smaller ones), frames.
    """
    offloads = ("none", "expert", "block")
    dtypes = [plan.dtype] + (["bfloat16"] if plan.dtype == "float32" else [])
    tiles = [plan.vae_tiles] + ([TILE] if not plan.vae_tiles else [])
    area = plan.size[0] * plan.size[1]
    smaller = sorted({s for s in checkpoint.model.sizes if s[0] * s[1] < area}, key=lambda s: -s[0] * s[1])
    counts = [plan.frames, *(n for n in range((plan.frames - 1) // 8 * 4 + 1, 4, -16)), 5]
    for frames, size, tile, dtype, offload in product(
        dict.fromkeys(n for n in counts if n <= plan.frames),
        [plan.size, *smaller],
        tiles,
        dtypes,
        offloads[offloads.index(plan.offload) :],
    ):
        wanted = replace(plan, frames=frames, size=size, vae_tiles=tile, dtype=dtype, offload=offload)
        if wanted.settings == plan.settings and plan.fits:
            return plan
        found = plan_memory(
            checkpoint, size=size, frames=frames, dtype=dtype, offload=offload, guided=guided, vae_tiles=tile,
            device=plan.device, available=plan.available,
        )  # fmt: skip
        if found.fits:
            return found
    return None


def refusal(plan: MemoryPlan, nearest: MemoryPlan | None) -> str:
    """What to tell a user whose generation does not fit, with the nearest settings that do."""
    stage = max(plan.parts, key=lambda part: part.total)
    told = (
        f"This clip needs about {_size(plan.peak)} of memory (most of it for the {stage.name}), but "
        f"{_size(plan.available)} are free."
    )
    if nearest is None:
        return (
            f"{told} No smaller setting of this model fits either; use a smaller model or a machine with more memory."
        )
    return f"{told} The nearest settings that fit: {nearest.settings} (about {_size(nearest.peak)})."


def _size(count: int) -> str:
    return f"{count / _GIB:.1f} GiB" if count >= 0.95 * _GIB else f"{count / 2**20:.0f} MiB"
