# SPDX-License-Identifier: GPL-3.0-or-later
"""What a clip's making holds does not grow with its length: of each further frame no picture, and in windows its
latents alone. Counted are the bytes of all tensors, and the pictures that are there at once; resident memory, which
allocators round up as they like, is too coarse for clips this small.
"""

from __future__ import annotations

import gc
import itertools
import json
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import Case
from PIL import Image

from wan_engine.media.frame_store import FrameStore
from wan_engine.media.sequences import Sequence
from wan_engine.networks.vae_layers import Half
from wan_engine.pipeline import load

SIZE, SHORT, LONG, WINDOW = (64, 48), 17, 37, 13
EVERY = 5  # calls between two looks at all tensors, which take a while each
PICTURE = SIZE[0] * SIZE[1] * 3  # bytes of a frame in 8 bits
PICTURES = 6  # that may be there at once as arrays
# Of each row what is given frame by frame, and whether the clip starts from a picture, so that it has segments.
ROWS = [
    ("", "Wan2.2-I2V-A14B", "en", (), True),
    ("control/", "Wan2.2-Fun-A14B-Control", "control_all", ("control_video",), False),
    ("control/", "Wan2.2-Fun-A14B-Control-Camera", "camera_image", ("camera",), False),
    ("vace/", "Wan2.1-VACE-1.3B", "masked_soft", ("control_video", "control_mask"), False),
]


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> Path:
    """Folders with what may be given, one for each count of frames."""
    root = tmp_path_factory.mktemp("given")
    place = {"lens_mm": 35, "sensor_mm": [36, 27], "shift": [0, 0]}
    for count in (SHORT, LONG):
        for name in ("control_video", "control_mask"):
            folder = root / str(count) / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", SIZE, (4 * number, 90, 200)).save(folder / f"{number:04}.png")
        frames = [{"matrix_world": [1, 0, 0, n, 0, 0, -1, -5, 0, 1, 0, 1, 0, 0, 0, 1], **place} for n in range(count)]
        (root / str(count) / "camera").write_text(json.dumps({"frames": frames}), encoding="utf-8")
    return root


def in_tensors() -> int:
    """Bytes of all tensors that anything knows, each storage once."""
    tensors = (thing for thing in gc.get_objects() if type(thing) in (torch.Tensor, torch.nn.Parameter))
    stores = (tensor.untyped_storage() for tensor in tensors if not tensor.is_meta)
    return sum({store.data_ptr(): store.nbytes() for store in stores}.values())


class Watch:
    """The most `bytes` in tensors and the most `pictures` since it was last set to nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes = self.pictures = self._now = 0
        for kind, name in ((Half, "end"), (Half, "stream"), (FrameStore, "append")):
            monkeypatch.setattr(kind, name, self._looking(getattr(kind, name)))
        for kind in (FrameStore, Sequence):
            monkeypatch.setattr(kind, "__getitem__", self._counting(kind.__getitem__))

    def _looking(self, call):
        calls = itertools.count()

        def looked(*args, **words):
            if next(calls) % EVERY == 0:
                self.bytes = max(self.bytes, in_tensors())
            return call(*args, **words)

        return looked

    def _counting(self, call):
        def counted(*args) -> np.ndarray:
            picture = call(*args)
            self._now += 1
            self.pictures = max(self.pictures, self._now)
            weakref.finalize(picture, self._gone)
            return picture

        return counted

    def _gone(self) -> None:
        self._now -= 1


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_nothing_but_latents_is_held_of_a_longer_clip(row, given, monkeypatch, tmp_path):
    root, model, name, names, starts = row
    case = Case(model, name, root)
    watch, pipeline = Watch(monkeypatch), load(case.checkpoint)
    picture = tmp_path / "start.png"
    Image.new("RGB", SIZE, (90, 120, 150)).save(picture)
    plain = {"image": str(picture) if starts else None, "last_image": None, "reference": (), "control_video": None}
    asked = case.request(**plain, size=SIZE, window=WINDOW, steps=1, guide=(1.0, 1.0))
    most = []
    for frames in (SHORT, LONG):
        gc.collect()
        watch.bytes = watch.pictures = 0
        places = {key: str(given / str(frames) / key) for key in names}
        report = pipeline.generate(replace(asked, frames=frames, **places), tmp_path)
        assert report["frames"] == frames and ("segments" in report) == starts
        assert watch.pictures <= PICTURES
        most.append(watch.bytes)
    latents = 16 * (SIZE[0] // 8) * (SIZE[1] // 8) * 4 * (LONG - SHORT) // 4
    assert most[1] - most[0] < 2 * latents < PICTURE * (LONG - SHORT) / 4, most
