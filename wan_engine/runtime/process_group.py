# SPDX-License-Identifier: GPL-3.0-or-later
"""One clip over several devices: every process of a `torchrun` holds a share of the weights and of the tokens.

The transformer's blocks are sharded with FSDP2 (`torch.distributed.fsdp.fully_shard`): a block's weights are whole on
a device only while it runs. Tokens are cut over the processes; self attention reads its own queries against the
gathered keys and values of all, so nothing is approximated (sequence parallelism by gathered keys, as in "Sequence
Parallelism: Long Sequence Training from System Perspective", Li et al. 2021). Only the first process encodes text and
pictures, decodes, prints and writes; the others receive what they need of it.

Without `torchrun` everything here is a no-op of one process.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from ..errors import Cancelled, GenerationError, UsageError, WanError

if TYPE_CHECKING:
    pass

T = TypeVar("T")

# How long a process waits for the others: the first encodes text and pictures meanwhile, which takes minutes on a CPU.
TIMEOUT = timedelta(minutes=60)
_GRACE = 0.5  # seconds for the words of the process that failed first
_LAUNCH = "torchrun --nproc-per-node N -m wan_engine generate ..."


def rank() -> int:
    """The number of this process among those that `torchrun` started, 0 without it."""
    return int(os.environ.get("RANK", "0")) if world_size() > 1 else 0


def world_size() -> int:
    """How many processes `torchrun` started, 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def active() -> bool:
    """Whether this process works with others on one clip."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def join_group(timeout: timedelta = TIMEOUT) -> None:
    """Meet the other processes, on CUDA each with the device of its local rank; does nothing in a lone process.

    Raises UsageError when there are more processes than devices or the variables of `torchrun` are incomplete,
    GenerationError when the others do not come within `timeout`.
    """
    if world_size() == 1 or dist.is_initialized():
        return
    missing = [name for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise UsageError(f"WORLD_SIZE is set, but {missing[0]} is not. Start several processes with: {_LAUNCH}.")
    backend = "gloo"
    if torch.cuda.is_available():
        local, devices = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= devices:
            raise UsageError(
                f"torchrun started more processes than this machine has devices ({devices}); "
                f"use --nproc-per-node {devices}."
            )
        if not dist.is_nccl_available():
            raise UsageError("One clip over several CUDA devices needs a PyTorch with NCCL, which Linux has.")
        torch.cuda.set_device(local)
        backend = "cpu:gloo,cuda:nccl"
    try:
        dist.init_process_group(backend, timeout=timeout)
    except (RuntimeError, ValueError) as error:
        raise GenerationError(
            f"The {world_size()} processes did not find each other within {_in_words(timeout)}; look whether all of "
            f"them were started and reach {os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}."
        ) from error


def leave_group() -> None:
    """Part from the other processes; those that still wait for this one end with an error."""
    process_mesh.cache_clear()
    if dist.is_initialized():
        dist.destroy_process_group()


@contextmanager
def group(timeout: timedelta = TIMEOUT) -> Iterator[None]:
    """`join_group` ... `leave_group`, and one voice for an error.

    When processes fail, alone or all alike, the WanError of the first to fail passes; the others raise SystemExit
    with the same kind of status and no words. One that loses touch with the others fails with a GenerationError.
    """
    try:
        join_group(timeout)
        try:
            yield
        except RuntimeError as error:
            if not _lost_touch(error):
                raise
            raise GenerationError(
                "The processes lost touch with each other: one of them ended, or was silent for "
                f"{_in_words(timeout)}. Start again; if it comes back, look at the messages of each with torchrun "
                "--log-dir DIR --tee 3."
            ) from error
    except WanError as error:
        if active() and not _first_to_fail():
            time.sleep(_GRACE)
            raise SystemExit(error.exit_status) from error
        raise
    except KeyboardInterrupt:  # the terminal interrupts all of them
        if rank() != 0:
            raise SystemExit(Cancelled.exit_status) from None
        raise
    finally:
        leave_group()


def from_first(compute: Callable[[], T]) -> T:
    """What `compute` gives in the first process, in every process; the others wait and hold nothing but the result.

    Tensors of the first process's CUDA device come to each one's own.
    """
    if not active():
        return compute()
    box: list[bytes | None] = [None]
    if rank() == 0:
        packed = io.BytesIO()
        torch.save(compute(), packed)
        box[0] = packed.getvalue()
    dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
    assert box[0] is not None
    # Whole objects, which only our own first process sends.
    return torch.load(io.BytesIO(box[0]), map_location=_own_device, weights_only=False)


def _own_device(storage: torch.UntypedStorage, location: str) -> torch.UntypedStorage:
    return storage.cuda() if location.startswith("cuda") else storage


@lru_cache(maxsize=1)
def process_mesh() -> DeviceMesh:
    """All processes in one row."""
    return init_device_mesh("cuda" if torch.cuda.is_available() else "cpu", (dist.get_world_size(),))


def _first_to_fail() -> bool:
    """Whether no other process has failed before; asks the store of `torchrun`, which outlives its processes."""
    try:
        store, *_ = next(dist.rendezvous("env://", timeout=timedelta(seconds=5)))
        key = f"wan_engine/failed/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
        return store.add(key, 1) == 1
    except (RuntimeError, ValueError):  # no store any more: speak twice rather than not at all
        return True


def _lost_touch(error: RuntimeError) -> bool:
    """Whether a collective broke; gloo raises plain RuntimeErrors, told by their text."""
    words = str(error).lower()
    return isinstance(error, dist.DistError) or any(
        sign in words for sign in ("connection closed by peer", "connection reset", "timed out", "gloo", "nccl")
    )


def _in_words(time: timedelta) -> str:
    seconds = time.total_seconds()
    return f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} seconds"
