# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory does not grow with a clip's length: neither in windows nor in segments."""

from __future__ import annotations

import json

import pytest
from cases import Case
from peaks import growth

# argv is the request; a first clip of the usual length is not measured, for it fills what stays.
MADE = """
import json, tempfile
from pathlib import Path
from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest
request = json.loads(sys.argv[1])
pipeline = load(request["checkpoint"], offload="block")
def make(frames):
    with tempfile.TemporaryDirectory() as folder:
        pipeline.generate(GenerationRequest.from_json({**request, "frames": frames}), Path(folder))
make(81)
for frames in (81, 257):
    begin()
    make(frames)
    end()
"""


@pytest.mark.parametrize("model", ["Wan2.2-T2V-A14B", "Wan2.2-I2V-A14B"])
def test_a_long_clip_takes_no_more_memory_than_one_of_the_trained_length(model):
    asked = Case(model, "en").request(steps=1, size=(128, 96))
    usual, long = growth(MADE, json.dumps(asked.to_json()))
    assert long < 1.1 * usual
    assert usual > 5 * 2**20  # the frames of the long one, held, would be 9 MiB
