# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's small programs: one that does nothing is ended, one that works in silence is not."""

import sys
import time
from pathlib import Path

import pytest
from real_jobs import PATIENCE, gone
from wan_previs.bridge import process
from wan_previs.bridge.tool import EngineTool
from wan_previs.wan_engine.errors import GenerationError

pytestmark = pytest.mark.skipif(not process.TELLS_WORK, reason="only there the system tells of work")


def tool(tmp_path, code, hang_after):
    (tmp_path / "program.py").write_text(code)
    return EngineTool(Path(sys.executable), tmp_path, "program", {}, hang_after=hang_after)


def run(program):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if program.poll():
            return program.words
        time.sleep(0.02)
    raise AssertionError("it has not ended")


def test_a_program_that_hangs_is_ended_and_told(tmp_path):
    program = tool(tmp_path, "import time\ntime.sleep(10000)\n", 1.0)
    with pytest.raises(GenerationError, match="has not answered"):
        run(program)
    assert gone(program._child.pid)


def test_a_program_that_works_in_silence_is_left_alone(tmp_path):
    work = "import time\nwhile time.process_time() < 4: pass\nprint('result')\n"
    assert run(tool(tmp_path, work, 1.5)) == "result"
