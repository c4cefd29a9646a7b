# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read ahead, and then no longer wanted."""

import subprocess
import sys
import threading

import golden
import pytest
import torch

from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.errors import Cancelled
from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest
from wan_engine.runtime.model_pool import LoadOptions, ModelPool
from wan_engine.runtime.read_ahead import ReadAhead

T2V = "fullstack/Wan2.2-T2V-A14B/checkpoint"


def test_what_nobody_waits_for_ends_with_the_piece_that_is_being_read():
    at_work, free = threading.Event(), threading.Event()
    pieces = []

    def read(go_on):
        for piece in range(3):
            go_on()
            at_work.set()
            free.wait()
            pieces.append(piece)
        return pieces

    reading = ReadAhead("something", read)
    at_work.wait()
    stopping = threading.Thread(target=reading.stop)
    stopping.start()
    while not reading._stopped:
        pass
    free.set()
    stopping.join()
    assert pieces == [0]


LEAVING = """
import sys
from pathlib import Path
import torch
from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.runtime.model_pool import LoadOptions, ModelPool

with torch.inference_mode():
    pool = ModelPool(open_checkpoint(Path(sys.argv[1])), LoadOptions(torch.bfloat16, "none"), "cpu")
    assert pool.read_ahead("low")
    sys.exit(7)
"""


def test_a_process_that_ends_while_an_expert_is_read_ends_well():
    command = [sys.executable, "-c", LEAVING, golden.path(T2V)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=golden.REPOSITORY)
    assert done.returncode == 7, done.stderr


def test_an_expert_read_ahead_for_nothing_is_let_go_of():
    pool = ModelPool(open_checkpoint(golden.path(T2V)), LoadOptions(torch.bfloat16, "none"), "cpu")
    for end in (pool.release, pool.free, lambda: pool.expert("high")):
        assert pool.read_ahead("low")
        reading = pool._ahead
        end()
        assert pool._ahead is None and not reading._thread.is_alive() and not reading._found


@pytest.mark.parametrize("offload", ["none", "expert"])
def test_a_cancelled_clip_leaves_no_reader_behind(tmp_path, offload):
    asked = GenerationRequest(str(golden.path(T2V)), "a cube", size=(64, 48), frames=5, steps=4, offload=offload)
    pipeline = load(**asked.load_options)
    with pytest.raises(Cancelled):
        pipeline.generate(asked, tmp_path, should_cancel=lambda: pipeline.pool._ahead is not None)
    assert pipeline.pool._ahead is None
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read ahead")]
    assert (pipeline.pool.held_bytes > 0) == (offload == "none")
