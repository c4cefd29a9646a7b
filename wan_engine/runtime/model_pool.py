# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a checkpoint's networks are in memory: opened when needed, let go of when their work is done.

At most one expert is there, but for the last high-noise steps, in which the other one is read ahead where memory for
both is free.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from .. import devices
from ..checkpoint.checkpoint import Checkpoint
from ..errors import CheckpointError, GenerationError, WanError
from ..networks.clip_vision import ClipVision
from ..networks.transformer import WanTransformer
from ..networks.umt5 import T5Config, T5Encoder
from ..networks.vae import WanVAE
from ..request_parts import Lora
from ..weights.lora import lora_patch
from ..weights.weight_file import Patch, WeightFile
from . import process_group, sharding
from .block_offload import encode_streamed, stream_blocks
from .free_memory import give_back
from .memory_plan import available_memory
from .read_ahead import ReadAhead

_SPARE = 1.3  # how much more than an expert's weights must be free for it to be read ahead


@dataclass(frozen=True)
class LoadOptions:
    """How networks are brought into memory; the fields are those of `GenerationRequest`."""

    dtype: torch.dtype
    offload: str
    loras: tuple[Lora, ...] = ()
    attention: str = "auto"
    compile: bool = False


class ModelPool:
    """The networks of one checkpoint, on `device`: "cpu" or "cuda".

    With offload "none" the text encoder, the autoencoder and the expert used last stay for the next clip; with
    "expert" nothing but the network at work is held, with "block" nothing but a few of its blocks.
    """

    def __init__(self, checkpoint: Checkpoint, options: LoadOptions, device: str) -> None:
        self.checkpoint = checkpoint
        self.options = options
        self.device = device
        self._expert: tuple[str, WanTransformer] | None = None
        self._ahead: ReadAhead[WanTransformer] | None = None
        self._text_encoder: T5Encoder | None = None
        self._vae: WanVAE | None = None

    @property
    def held_bytes(self) -> int:
        """What the weights that are in memory now take."""
        networks: list[nn.Module | None] = [self._expert and self._expert[1], self._text_encoder, self._vae]
        return sum(p.nbytes for network in networks if network is not None for p in network.parameters())

    def expert(self, name: str) -> WanTransformer:
        """The transformer `name`; the other expert is let go of first."""
        if self._expert is None or self._expert[0] != name:
            self._expert = None
            give_back()
            if self._ahead is not None and self._ahead.name == name:
                ahead, self._ahead = self._ahead, None
                network = ahead.result().to(self.device)
            else:
                self._stop_reading()
                network = self._read(name, self.device)
            self._expert = name, self._ready(network)
        return self._expert[1]

    def read_ahead(self, name: str) -> bool:
        """Begin to read the transformer `name` in the background, into the CPU's memory, if there is room for it.

        Returns whether it is being read. Blocks that are streamed or shared with other processes are read in their
        own way.
        """
        if self._ahead is not None or self.options.offload == "block" or process_group.active():
            return self._ahead is not None
        needed = self.checkpoint.experts[name].parameters * self.options.dtype.itemsize
        if available_memory("cpu") < needed * _SPARE:
            return False
        self._ahead = ReadAhead(name, partial(self._read, name, "cpu"))
        return True

    def text_encoder(self) -> T5Encoder:
        """The text encoder, loaded once. Raises CheckpointError."""
        if self._text_encoder is None:
            self._text_encoder = self.checkpoint.load_text_encoder(self.options.dtype, self.device)
        return self._text_encoder

    def stream_text(self, ids: Sequence[Sequence[int]], on_layer: Callable[[int], None]) -> list[Tensor]:
        """Text states [L, dim] of each prompt's token ids, with one layer of the encoder in memory at a time."""
        file = self.checkpoint.text_encoder
        config = T5Config.from_state(file.shapes)
        return encode_streamed(file, config, ids, self.options.dtype, self.device, on_layer)

    def vae(self) -> WanVAE:
        """The autoencoder, loaded once, in float32. Raises CheckpointError."""
        if self._vae is None:
            self._vae = self.checkpoint.load_vae(self.device)
        return self._vae

    def clip(self) -> ClipVision:
        """The image encoder of the 2.1 image models; needed once per clip and never kept."""
        return self.checkpoint.load_clip(self.device)

    def release(self) -> None:
        """A network has done its work: let go of it unless networks are kept for the next clip."""
        self._stop_reading()
        if self.options.offload != "none":
            self._expert = self._text_encoder = self._vae = None

    def free(self) -> None:
        """Let go of everything, whatever the offload setting."""
        self._stop_reading()
        self._expert = self._text_encoder = self._vae = None
        gc.collect()
        devices.empty_cache()

    def _stop_reading(self) -> None:
        if self._ahead is not None:
            self._ahead.stop()
        self._ahead = None

    def _read(self, name: str, device: str, go_on: Callable[[], None] | None = None) -> WanTransformer:
        """`go_on` is called before each tensor, and may raise to end it."""
        dtype, file = self.options.dtype, self.checkpoint.experts[name]
        patch = _stoppable(lora_patch(self.options.loras, name, file.shapes), go_on)
        if process_group.active():
            return sharding.load_parallel(file, self._build, dtype, device, patch)
        if self.options.offload == "block":
            return stream_blocks(file, self._build, dtype, device, patch)
        return self.checkpoint.load_transformer(name, dtype, device, patch)

    def _build(self) -> WanTransformer:
        return WanTransformer(self.checkpoint.config)

    def _ready(self, network: WanTransformer) -> WanTransformer:
        network.attention = self.options.attention
        network.frugal = self.options.offload == "block"
        if self.options.compile:
            for (
                block
            ) in network.in_order.values():  # not block.compile(): hooks on the block stay outside of what is compiled
                block.forward = torch.compile(block.forward)  # type: ignore[method-assign]
        return network


def _stoppable(patch: Patch | None, go_on: Callable[[], None] | None) -> Patch | None:
    if go_on is None:
        return patch

    def stoppable(name: str, tensor: Tensor) -> Tensor:
        go_on()
        return tensor if patch is None else patch(name, tensor)

    return stoppable


def non_finite(what: str, file: WeightFile, dtype: torch.dtype = torch.float32) -> WanError:
    """The error that `what`, computed in `dtype` with the weights in `file`, gave NaN or infinite values; the file
    is looked through for such values first.
    """
    name = file.first_non_finite()
    if name is not None:
        return CheckpointError(
            f"{file.label}: the tensor {name} holds NaN or infinite values; the file is damaged, download it again."
        )
    hint = "less guidance" if dtype == torch.float32 else "--dtype float32 or less guidance"
    return GenerationError(f"{what} gave NaN or infinite values; try {hint}.")
