# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory plan of a generation, from headers and shapes alone: what each stage will take, before anything is loaded.

Weights are counted. The transformer's activations follow from its forward pass: attention is computed without the
matrix of scores, so they grow with the number of tokens, not with its square. The autoencoder's peak is
estimated by a pass over tensors without data. What Python and PyTorch take by themselves is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch

from ..checkpoint.checkpoint import Checkpoint
from ..checkpoint.model import MODULES
from ..checkpoint.sizes import Size
from ..networks.camera_adapter import RAY_CHANNELS
from ..networks.transformer import NARROW_SPANS, WIDE_SPANS
from ..windows import latents_of
from .free_memory import available_memory
from .vae_memory import decoder_peak, encoder_peak

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
        """Bytes at the stage's peak."""
        return self.weights + self.activations


@dataclass(frozen=True)
class MemorySettings:
    """What of a generation decides the memory it takes.

    `size` is (width, height) in pixels, `dtype` the name of a torch dtype, `vae_tiles` a side in pixels (0 = none).
    `guided` tells that an unconditional pass is made too, `pictures` that there are any, `lead` how many latent frames
    of references go before the clip's. The transformer works on at most `window` frames at once (0 = all); a clip in
    segments of at most `segment` frames (0 = in one) has nothing of the others in memory. Of several
    `processes` each holds its share of the blocks, and only the `first` encodes and decodes.
    """

    size: Size
    frames: int
    dtype: str
    offload: str
    guided: bool
    pictures: bool = True
    lead: int = 0
    window: int = 0
    segment: int = 0
    vae_tiles: int = 0
    device: str = "cpu"
    processes: int = 1
    first: bool = True

    def as_options(self) -> str:
        """The settings as on the command line."""
        tiles = f" --vae-tiles {self.vae_tiles}" if self.vae_tiles else ""
        width, height = self.size
        window = f" --window {self.window}" if 0 < self.window < self.frames else ""
        sampled = f"--frames {self.frames}{window} --dtype {self.dtype} --offload {self.offload}"
        return f"--size {width}x{height} {sampled}{tiles}"


@dataclass(frozen=True)
class MemoryPlan:
    """What the stages of a generation with these settings take in one process, in bytes; `available` is what can be
    had there now. On a device with memory of its own `host` is what passes through the computer's, of which
    `host_available` can be had; it is 0 on the CPU.
    """

    settings: MemorySettings
    parts: tuple[Stage, ...]
    available: int
    host: int = 0
    host_available: int = 0

    @property
    def peak(self) -> int:
        """Bytes at the peak of the largest stage."""
        return max(stage.total for stage in self.parts)

    @property
    def fits(self) -> bool:
        """Whether the peak is not more than what is free."""
        return self.peak <= self.available and self.host <= self.host_available

    def text(self) -> str:
        """A table of the stages, the peak, and whether it fits."""
        lines = [
            f"memory plan for {self.settings.as_options()}",
            f"  {'stage':<16}{'weights':>12}{'activations':>14}{'in all':>12}",
        ]
        for stage in self.parts:
            figures = (in_words(stage.weights), in_words(stage.activations), in_words(stage.total))
            lines.append("  {:<16}{:>12}{:>14}{:>12}".format(stage.name, *figures))
        verdict = "fits" if self.fits else "does not fit"
        device = self.settings.device
        where = "memory" if device == "cpu" else f"memory of the {device} device"
        lines.append(f"  peak {in_words(self.peak)}; {in_words(self.available)} of {where} are free: it {verdict}")
        return "\n".join(lines)


def plan_memory(checkpoint: Checkpoint, settings: MemorySettings, available: int | None = None) -> MemoryPlan:
    """The plan of one clip with these settings.

    `available` stands for the free bytes that are otherwise asked of the machine. One expert is counted: a second one
    is only read ahead where there is room for it.
    """
    free = available_memory(settings.device) if available is None else available
    return Planner(checkpoint).plan(settings, free, available_memory("cpu"))


@dataclass(frozen=True)
class Planner:
    """Plans for one checkpoint; what its files tell is looked up once for all of them."""

    checkpoint: Checkpoint

    def plan(self, asked: MemorySettings, available: int, host_available: int) -> MemoryPlan:
        """The plan with so much free on the device, and in the computer's own memory, in bytes."""
        stages = [*self._before(asked), self._sampling(asked)]
        if asked.first:
            stages.append(self._decoding(asked))
        return MemoryPlan(asked, tuple(stages), available, self._passing(asked), host_available)

    def _passing(self, asked: MemorySettings) -> int:
        """Bytes of the computer's own memory that are taken on the way to a device: one tensor at a time, changed by
        LoRAs in float32."""
        if asked.device == "cpu":
            return 0
        encoder = self.checkpoint.text_encoder.shapes
        table = 0 if asked.offload != "none" else math.prod(encoder["token_embedding.weight"])
        return 4 * max(self._largest, table, max(math.prod(shape) for shape in self.checkpoint.vae.shapes.values()))

    def _before(self, asked: MemorySettings) -> list[Stage]:
        """Prompt and pictures."""
        if not asked.first:
            return []
        checkpoint, keep = self.checkpoint, asked.offload == "none"
        itemsize = _itemsize(asked.dtype)
        text = self._text(itemsize, keep)
        stages = [text]
        kept = text.weights if keep else 0
        if not asked.pictures:
            return stages
        if checkpoint.clip is not None:
            stages.append(Stage("image encoder", kept + checkpoint.clip.parameters * 4, 0))
        if checkpoint.model.takes_pictures or checkpoint.model.controls:
            width, height = asked.size
            work = _with_slack(encoder_peak(checkpoint.vae.shapes, (height, width))) + 2 * width * height * 12
            stages.append(Stage("picture", kept + self._vae, work))
        return stages

    def _sampling(self, asked: MemorySettings) -> Stage:
        itemsize = _itemsize(asked.dtype)
        kept = self._kept(asked, itemsize)
        work = max(_with_slack(self._pass(asked, itemsize)), self._largest * 4)
        return Stage("transformer", kept + self._resident(asked) * itemsize, work)

    def _decoding(self, asked: MemorySettings) -> Stage:
        checkpoint = self.checkpoint
        itemsize = _itemsize(asked.dtype)
        kept = self._kept(asked, itemsize) + self._resident(asked) * itemsize if asked.offload == "none" else self._vae
        _, h, w = self._latents(asked)
        held = 0  # finished frames lie on the disk
        if asked.vae_tiles and max(asked.size) > asked.vae_tiles:
            longest = max(asked.vae_tiles // checkpoint.model.stride[1], 2)
            h, w = min(h, longest), min(w, longest)
            held = _at_once(asked) * math.prod(asked.size) * 12  # tiles are blended into the whole video
        return Stage("decoding", kept, _with_slack(decoder_peak(checkpoint.vae.shapes, (h, w))) + held)

    def _kept(self, asked: MemorySettings, itemsize: int) -> int:
        """Bytes of text encoder and autoencoder where they stay for the next clip."""
        return self._text(itemsize, True).weights + self._vae if asked.offload == "none" and asked.first else 0

    def _resident(self, asked: MemorySettings) -> int:
        """Numbers of the transformer that a process has in memory at once."""
        if asked.processes > 1:
            return self._outside + self._blocks // asked.processes + _STREAMED_BLOCKS * self._block
        return self._outside + (_STREAMED_BLOCKS * self._block if asked.offload == "block" else self._blocks)

    def _pass(self, asked: MemorySettings, itemsize: int) -> int:
        """Bytes of a step beside the weights, at the moment of a block where they are most."""
        config, (whole, h, w) = self.checkpoint.config, self._latents(asked)
        t = min(whole, latents_of(asked.window) if asked.window else whole) + asked.lead
        whole += asked.lead
        dim, (p, q, r) = config.dim, config.patch_size
        frame, modules = (h // q) * (w // r), self.checkpoint.model.modules
        tokens = (t // p + sum(MODULES[name].frames for name in modules)) * frame
        own = -(-tokens // asked.processes)
        cpu = asked.device == "cpu"
        longest = (NARROW_SPANS if cpu or asked.offload == "block" else WIDE_SPANS) // (config.ffn_dim * itemsize)
        span = min(own, max(256, longest))
        # Projecting: queries, keys and values of all, and of a span also normed and turned, in float32 whatever the
        # dtype (measured: 40 bytes a channel).
        projecting = own * 3 * itemsize * dim + span * 40 * dim
        # Attention: keys and values now of all processes' tokens; on the CPU one head's queries and keys in float32
        # and its values turned.
        attending = (own + tokens) * 2 * itemsize * dim
        if cpu:
            attending += dim // config.num_heads * (4 * own + tokens * (4 + itemsize))
        responding = own * itemsize * dim + span * (config.ffn_dim * itemsize + 4 * dim * 4)
        held = max(projecting, attending, responding)
        held += own * (4 * dim + 4 * dim // config.num_heads)  # the stream in float32 and the rotary table
        # Inputs, of the clip and of the window; velocities and the solver's memory.
        held += 4 * h * w * ((whole + t) * config.in_dim + 8 * whole * config.out_dim)
        if "camera" in modules:  # its tokens, kept; and one frame's rays while these are made, which are gone by then
            held = max(held, 4 * RAY_CHANNELS * math.prod(asked.size) * 4) + tokens * dim * itemsize
        if config.vace_layers:  # what the branch reads, embedded; its stream in float32, and a hint
            held += tokens * dim * itemsize + own * dim * (4 + itemsize) + 4 * whole * h * w * config.vace_dim
        return held + self._contexts(itemsize, asked.guided)

    def _contexts(self, itemsize: int, guided: bool) -> int:
        """Bytes of the prompts as the transformer reads them, with every block's keys and values."""
        config = self.checkpoint.config
        read = config.text_len + sum(MODULES[name].context for name in self.checkpoint.model.modules)
        blocks = config.num_layers + len(config.vace_layers)
        return (2 if guided else 1) * read * config.dim * itemsize * (2 * blocks + 1)

    def _text(self, itemsize: int, whole: bool) -> Stage:
        """The text encoder, resident or streamed layer by layer."""
        shapes, length = self.checkpoint.text_encoder.shapes, self.checkpoint.config.text_len
        dim = shapes["token_embedding.weight"][1]
        heads = shapes["blocks.0.pos_embedding.embedding.weight"][1]
        ffn = shapes["blocks.0.ffn.fc1.weight"][0]
        work = length * length * heads * (itemsize + 4) + length * itemsize * (8 * dim + 3 * ffn)
        weights = self._text_encoder if whole else self._text_layer + 2 * length * dim
        return Stage("text encoder", weights * itemsize, work)

    def _latents(self, asked: MemorySettings) -> tuple[int, int, int]:
        frames, rows, columns = self.checkpoint.model.stride
        return (_at_once(asked) - 1) // frames + 1, asked.size[1] // rows, asked.size[0] // columns

    @cached_property
    def _transformer(self) -> dict[str, int]:
        """The numbers in each tensor of an expert."""
        shapes = next(iter(self.checkpoint.experts.values())).shapes
        return {name: math.prod(shape) for name, shape in shapes.items()}

    @cached_property
    def _each_block(self) -> Mapping[str, int]:
        """The numbers in each block."""
        counts: dict[str, int] = {}
        for name, count in self._transformer.items():
            if name.startswith(("blocks.", "vace_blocks.")):
                prefix = ".".join(name.split(".")[:2])
                counts[prefix] = counts.get(prefix, 0) + count
        return counts

    @cached_property
    def _blocks(self) -> int:
        return sum(self._each_block.values())

    @cached_property
    def _block(self) -> int:
        return max(self._each_block.values())

    @cached_property
    def _outside(self) -> int:
        return sum(self._transformer.values()) - self._blocks

    @cached_property
    def _largest(self) -> int:
        """Numbers in the largest tensor, which stands beside the network while it is read."""
        return max(self._transformer.values())

    @cached_property
    def _vae(self) -> int:
        """Bytes, always float32."""
        return self.checkpoint.vae.parameters * 4

    @cached_property
    def _text_encoder(self) -> int:
        return self.checkpoint.text_encoder.parameters

    @cached_property
    def _text_layer(self) -> int:
        shapes = self.checkpoint.text_encoder.shapes
        return sum(math.prod(shape) for name, shape in shapes.items() if name.startswith("blocks.0."))


def _at_once(asked: MemorySettings) -> int:
    """Frames whose latents are in memory together."""
    return min(asked.frames, asked.segment or asked.frames)


def _itemsize(dtype: str) -> int:
    return getattr(torch, dtype).itemsize


def _with_slack(count: int) -> int:
    return round(count * _SLACK) + _OWN


def in_words(count: int) -> str:
    """Bytes as people read them."""
    return f"{count / _GIB:.1f} GiB" if count >= 0.95 * _GIB else f"{count / 2**20:.0f} MiB"
