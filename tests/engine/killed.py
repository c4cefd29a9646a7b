# SPDX-License-Identifier: GPL-3.0-or-later
"""A generation in a process of its own that kills itself in the middle of a step."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import golden

from wan_engine.request import GenerationRequest

# Runs the request of a file and kills its own process between two blocks of a step: argv are request, folder, how many
# steps to finish before, and how many questions "cancelled?" to answer after that.
KILLED = """
import json, os, signal, sys
from pathlib import Path
from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest
request = GenerationRequest.from_json(json.loads(Path(sys.argv[1]).read_text()))
left = [int(sys.argv[4])]
done = []
def on_event(event):
    if event["event"] == "step":
        done.append(event["step"])
def should_cancel():
    if len(done) == int(sys.argv[3]):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return False
load(**request.load_options).generate(request, Path(sys.argv[2]), on_event, should_cancel)
"""


def kill_in_step(asked: GenerationRequest, folder: Path, finished: int, questions: int) -> None:
    """A process of its own makes the clip and dies of SIGKILL in the step behind `finished` ones."""
    folder.mkdir(exist_ok=True)
    (folder / "request.json").write_text(json.dumps(asked.to_json()))
    words = [str(folder / "request.json"), str(folder), str(finished), str(questions)]
    result = subprocess.run([sys.executable, "-c", KILLED, *words], cwd=golden.REPOSITORY, capture_output=True)
    assert result.returncode == -signal.SIGKILL, result.stderr
