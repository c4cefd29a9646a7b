# SPDX-License-Identifier: GPL-3.0-or-later
"""One transformer shared by several processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from ..networks.token_parallel import TokenParallel
from ..networks.transformer import WanTransformer
from .process_group import process_mesh

if TYPE_CHECKING:
    from ..weights.weight_file import Patch, WeightFile


def parallelise(network: WanTransformer) -> WanTransformer:
    """Shard the blocks' weights over the processes and let the network cut its tokens; returns the same network.

    What lies outside the blocks (embeddings and head, 2 % of a 14B model) stays whole on every device, since it is
    used apart from `forward`. Works on filled networks and, as `load_parallel` does, on empty ones.
    """
    mesh = process_mesh()
    blocks = network.in_order.values()
    inside = {weight for block in blocks for weight in block.parameters()}
    own = {weight for weight in network.parameters() if weight not in inside}
    for block in blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(network, mesh=mesh, ignored_params=own)
    network.sequence = TokenParallel()
    return network


def load_parallel(
    file: WeightFile,
    build: Callable[[], WanTransformer],
    dtype: torch.dtype,
    device: str | torch.device,
    patch: Patch | None = None,
) -> WanTransformer:
    """Like `WeightFile.fill` and then `parallelise`, but a process never holds more than its share and one tensor.

    Raises CheckpointError like `fill`.
    """
    network = parallelise(file.outline(build))
    shares: dict[str, Tensor] = {}
    wanted = network.state_dict()
    for name, tensor in file.tensors():
        tensor = (patch(name, tensor) if patch is not None else tensor).to(dtype)
        shares[name] = _share(tensor, wanted[name]).to(device)
    network.load_state_dict(shares, assign=True)
    return network.eval().requires_grad_(False)


def _share(tensor: Tensor, like: Tensor) -> Tensor:
    """The part of `tensor` that `like`, a sharded or whole parameter, holds in this process; a copy of its own."""
    if not isinstance(like, DTensor):
        return tensor.clone()
    cut = distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)
    return DTensor.from_local(
        cut.to_local().clone(),
        like.device_mesh,
        like.placements,
        run_check=False,
        shape=like.shape,
        stride=like.stride(),
    )
