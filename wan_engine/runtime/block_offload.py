# SPDX-License-Identifier: GPL-3.0-or-later
"""A transformer whose blocks are in memory only while they run.

Two slots: while a block computes, a thread reads the next one (after the last, the first, for the next pass). All
else of the network stays. The results are those of the resident network, to the bit: the same tensors take the same
way through the same operations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from ..networks.transformer import WanTransformer
from ..networks.umt5 import Block, RMSNorm, T5Config, T5Encoder
from ..weights.weight_file import Patch, WeightFile
from .read_ahead import ReadAhead


def stream_blocks(
    file: WeightFile,
    build: Callable[[], WanTransformer],
    dtype: torch.dtype,
    device: str | torch.device,
    patch: Patch | None = None,
) -> WanTransformer:
    """The network with every weight but those of its blocks in memory; blocks come from `file` as they are run.

    `patch` is applied to each tensor each time it is read. Raises CheckpointError when the file does not fit the
    network; what goes wrong in reading a block is raised where the block would run.
    """
    network = file.outline(build)
    slots = _Slots(file, list(network.in_order), dtype, device, patch)
    network.load_state_dict({name: slots.load(name) for name in slots.outside}, strict=False, assign=True)
    for number, block in enumerate(network.in_order.values()):
        block.register_forward_pre_hook(partial(slots.enter, number))
        block.register_forward_hook(partial(slots.leave, dict(block.named_parameters())), always_call=True)
    return network.eval().requires_grad_(False)


class _Slots:
    """Reads blocks: the one that is wanted now, and the one after it in a thread.

    `prefixes` are those of the blocks' tensors, in the order in which blocks run; tensors of none are `outside`.
    """

    def __init__(
        self,
        file: WeightFile,
        prefixes: Sequence[str],
        dtype: torch.dtype,
        device: str | torch.device,
        patch: Patch | None,
    ) -> None:
        self._file, self._dtype, self._device, self._patch = file, dtype, device, patch
        inside: dict[str, dict[str, str]] = {prefix: {} for prefix in prefixes}
        self.outside: list[str] = []
        for name in file.shapes:
            found = re.match(r"((?:vace_)?blocks\.\d+)\.", name)
            if found is not None and found[1] in inside:
                inside[found[1]][name] = name[found.end() :]
            else:
                self.outside.append(name)
        self._names = list(inside.values())
        self._next: ReadAhead[dict[str, Tensor]] | None = None

    def load(self, name: str) -> Tensor:
        """One tensor, patched, cast and moved."""
        tensor = self._file.read(name)
        if self._patch is not None:
            tensor = self._patch(name, tensor)
        return tensor.to(device=self._device, dtype=self._dtype)

    def enter(self, number: int, block: nn.Module, _: object) -> None:
        """Put the weights of the block that runs as `number` in their places and begin to read those of the next."""
        reading, self._next = self._next, None
        if reading is None or reading.name != f"block {number}":
            if reading is not None:
                reading.stop()  # a pass was broken off: its block is not wanted, and two must not read at once
            reading = self._ahead(number)
        block.load_state_dict(reading.result(), assign=True)
        block.requires_grad_(False)
        self._next = self._ahead((number + 1) % len(self._names))

    def leave(self, empty: dict[str, nn.Parameter], block: nn.Module, _: object, __: object) -> None:
        """Let go of the block's weights, also when it has failed."""
        for name, parameter in empty.items():
            owner, _, leaf = name.rpartition(".")
            setattr(block.get_submodule(owner), leaf, parameter)

    def _ahead(self, number: int) -> ReadAhead[dict[str, Tensor]]:
        return ReadAhead(f"block {number}", partial(self._read, number))

    def _read(self, number: int, go_on: Callable[[], None]) -> dict[str, Tensor]:
        read = {}
        for name, own in self._names[number].items():
            go_on()
            read[own] = self.load(name)
        return read


@torch.no_grad()
def encode_streamed(
    file: WeightFile,
    config: T5Config,
    ids: Sequence[Sequence[int]],
    dtype: torch.dtype,
    device: str | torch.device,
    on_layer: Callable[[int], None] | None = None,
) -> list[Tensor]:
    """What `T5Encoder` gives for each prompt's token ids, [L,dim] float32, with one layer in memory at a time.

    Of the embedding table only the rows of these ids are read. `on_layer(k)` is called before layer k and may raise to
    stop. The result equals the resident encoder's to the bit. Raises CheckpointError when the file does not fit.
    """
    file.outline(lambda: T5Encoder(config))

    def load(name: str) -> Tensor:
        return file.read(name).to(device=device, dtype=dtype)

    with torch.device("meta"):
        block, norm = Block(config).eval(), RMSNorm(config.dim)
    places = list(block.state_dict())
    states = [file.rows("token_embedding.weight", torch.tensor(row)).to(device, dtype)[None] for row in ids]
    for k in range(config.num_layers):
        if on_layer is not None:
            on_layer(k)
        block.to("meta")  # lets go of the layer before
        block.load_state_dict({place: load(f"blocks.{k}.{place}") for place in places}, assign=True)
        states = [block(x, None) for x in states]
    norm.load_state_dict({"weight": load("norm.weight")}, assign=True)
    return [norm(x)[0].float() for x in states]
