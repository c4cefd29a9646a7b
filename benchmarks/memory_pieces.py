# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the memory of two-expert sampling in bfloat16 goes, piece by piece; Linux.

    python -m benchmarks.memory_pieces

Each figure is the growth of anonymous memory, measured around the piece in one process. The last row is what is left:
freed blocks that the allocator keeps, because they lie between others that are still in use. To see it without them,
start with MALLOC_MMAP_THRESHOLD_=262144 in the environment: every larger tensor then goes back at once, at twice the
time.
"""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path

import torch

from wan_engine.runtime.free_memory import give_back

from . import loops, sides, weights
from .measure import PeakMemory, anonymous

MIB = 2**20
STEPS = 8


def pieces(folder: Path) -> dict[str, float]:
    """MiB of each piece; `folder` holds the two experts."""
    start = anonymous()
    network = sides.our_transformer(folder / "high", torch.bfloat16)
    found = {"weights of the one expert in memory": float(anonymous() - start)}
    sampling = sides.sampling(STEPS)
    contexts = [network.embed_text([text]) for text in sampling.texts]
    noise, t = sampling.noise[None], torch.tensor([900.0])
    for context in contexts * 2:  # the first passes compute keys and values and load PyTorch's own code
        network(noise, t, context)
    give_back()
    settled = anonymous()
    with PeakMemory(0.0005) as memory:
        network(noise, t, contexts[0])
    found["activations of one pass"] = float(memory.bytes)
    del context, contexts
    gc.collect()
    give_back()
    found["keys and values of two prompts"] = float(settled - anonymous())
    del network
    gc.collect()
    give_back()
    found["PyTorch's own code and buffers"] = float(anonymous() - start)
    return {title: size / MIB for title, size in found.items()}


def peak(folder: Path) -> float:
    """MiB of the whole sampling at most."""
    with PeakMemory(0.0005) as memory:
        loops.ours(sides.sampling(STEPS), lambda name: sides.our_transformer(folder / name, torch.bfloat16))
    return memory.bytes / MIB


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch, torch.inference_mode():
        folder = Path(scratch)
        weights.write(folder)
        give_back()
        found = pieces(folder)
        most = peak(folder) + found["PyTorch's own code and buffers"]  # loaded already
    found["kept by the allocator between blocks in use"] = most - sum(found.values())
    for title, size in found.items():
        print(f"{title:48s}{size:7.1f} MiB")
    print(f"{'peak':48s}{most:7.1f} MiB")


if __name__ == "__main__":
    main()
