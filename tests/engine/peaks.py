# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory a piece of work takes: the growth of the peak of resident memory, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

_STATUS = Path("/proc/self/status")
_PREAMBLE = """
import ctypes, gc, sys
import torch
torch.set_num_threads(1)
torch.manual_seed(0)

def status(key):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

def begin():
    global base
    with torch.device("meta"):
        torch.nn.init.kaiming_uniform_(torch.nn.Embedding(2, 2).weight.data)  # torch imports half of itself for this
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    base = status("VmRSS")

def end():
    print(f"grown by {status('VmHWM') - base}", flush=True)
"""


def growth(code: str, *arguments: object) -> list[int]:
    """For each pair of `begin()` and `end()` in the code the bytes by which the peak between them exceeds what was
    resident at the beginning; `arguments` are in sys.argv.

    Both are measured by the kernel; memory that the allocator had kept for reuse is given back first.
    """
    if not _STATUS.exists() or not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("the peak of resident memory is measured by Linux")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", _PREAMBLE + textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return [int(line.split()[-1]) for line in done.stdout.splitlines() if line.startswith("grown by ")]
