# SPDX-License-Identifier: GPL-3.0-or-later
"""Every model on a device that has neither float64 nor complex numbers: nothing asks for them, and the clip is the
CPU's."""

from __future__ import annotations

from pathlib import Path

import golden
import numpy as np
import pytest
import torch
from cases import Case
from limited_device import DEVICE, limited_device
from PIL import Image
from safetensors.torch import load_file

from wan_engine.errors import Cancelled, GenerationError
from wan_engine.light_curve import LightCurve
from wan_engine.pipeline import load
from wan_engine.runtime.model_pool import ModelPool

ROWS = [
    ("Wan2.2-T2V-A14B", "en", ""),
    ("Wan2.2-I2V-A14B", "en", ""),
    ("Wan2.2-TI2V-5B", "en_image", ""),
    ("Wan2.1-T2V-1.3B", "en", ""),
    ("Wan2.1-I2V-14B", "en", ""),
    ("Wan2.1-FLF2V-14B", "en", ""),
    ("Wan2.2-Fun-A14B-Control", "control_all", "control/"),
    ("Wan2.2-Fun-A14B-Control-Camera", "camera_zoom_flow", "control/"),
    ("Wan2.2-Fun-A14B-InP", "image_last", "control/"),
    ("Wan2.2-Fun-5B-Control", "control_image", "control/"),
    ("Wan2.2-Fun-5B-Control-Camera", "camera_image", "control/"),
    ("Wan2.1-Fun-V1.1-14B-Control", "control_ref", "control/"),
    ("Wan2.1-VACE-1.3B", "control_reference", "vace/"),
    ("Wan2.1-VACE-14B", "masked_references", "vace/"),
    ("Wan2.2-VACE-Fun-A14B", "masked", "vace/"),
    ("Wan2.2-I2V-A14B", "object", "ttm/"),
]
PICTURES = ROWS[1]
LIGHT = LightCurve("brief", (0.0, 1.0), (1.0, 1.6))


def latents(case: Case, folder: Path, device: str, offload="none", stop_behind=0, **changes) -> torch.Tensor:
    """Final latents of a case, some of it changed, as made on the device."""
    request = case.request(out="clip.mp4", latents="latents.safetensors", **changes)
    done = 0

    def on_event(event: dict) -> None:
        nonlocal done
        done += event["event"] == "step"

    pipeline = load(case.checkpoint, offload=offload, device=device)
    pipeline.generate(request, folder, on_event, lambda: bool(stop_behind) and done >= stop_behind)
    return load_file(folder / "latents.safetensors")["latents"]


def on_device(case: Case, folder: Path, **changes) -> torch.Tensor:
    with limited_device():
        return latents(case, folder, DEVICE, **changes)


@pytest.mark.parametrize(("model", "name", "root"), ROWS, ids=lambda value: value or None)
def test_every_model_makes_its_clip_there(model, name, root, tmp_path):
    case = Case(model, name, root=root)
    golden.assert_close(on_device(case, tmp_path), case.want["latents"], 3e-4, 3e-4, "latents")


def pictures_of(folder: Path) -> np.ndarray:
    return np.stack([np.array(Image.open(file)).astype(int) for file in sorted(folder.iterdir())])


WAYS = {
    "streamed blocks": {"offload": "block"},
    "preview and light guide": {"preview": "preview.png", "light": LIGHT, "guide_light": "strict"},
    "a step cache": {"step_cache": 0.9, "steps": 6},
    "tiles": {"vae_tiles": 64, "frames_out": "raw"},
    "refined": {"upscale": 2, "refine": 0.3},
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_making_it_works_there(way, tmp_path):
    case = Case(*PICTURES[:2])
    folders = [tmp_path / "there", tmp_path / "cpu"]
    for folder in folders:
        folder.mkdir()
    there = on_device(case, folders[0], **WAYS[way])
    golden.assert_close(there, latents(case, folders[1], "cpu", **WAYS[way]), 1e-3, 1e-3, way)
    assert sorted(file.name for file in folders[0].iterdir()) == sorted(file.name for file in folders[1].iterdir())


def test_a_part_is_made_anew_and_an_interrupted_clip_goes_on_there(tmp_path):
    case = Case(*PICTURES[:2])
    whole = on_device(case, tmp_path, frames_out="raw", steps=6, step_cache=0.9)
    old = pictures_of(tmp_path / "raw")
    with pytest.raises(Cancelled):
        on_device(case, tmp_path, steps=6, step_cache=0.9, resume="state", stop_behind=5)
    assert torch.equal(on_device(case, tmp_path, steps=6, step_cache=0.9, resume="state"), whole)
    on_device(case, tmp_path, redo="raw", redo_from=len(old) - 2, frames_out="again", seed=8)
    assert np.abs(pictures_of(tmp_path / "again")[0] - old[0]).max() <= 8


def test_the_stand_in_lacks_what_it_is_to_lack():
    with limited_device(), torch.inference_mode():
        there = torch.ones(2, 2).to(DEVICE)
        assert there.device.type == DEVICE and torch.equal((there + 1).cpu(), torch.full((2, 2), 2.0))
        with pytest.raises(TypeError, match="has none"):
            there.double()
        with pytest.raises(TypeError, match="has none"):
            torch.view_as_complex(there)
        with pytest.raises(TypeError, match="has none"):
            torch.zeros(2, device=DEVICE, dtype=torch.float64)
        with pytest.raises(RuntimeError, match="meets"):
            there + torch.ones(2, 2)


def test_a_clip_that_runs_out_of_memory_is_begun_again_with_what_needs_less(tmp_path, monkeypatch):
    """Where that is left to us and no step is done; else it is told in words."""
    case = Case(*PICTURES[:2])
    whole = latents(case, tmp_path, "cpu")
    opened = []

    def expert(self, name):
        opened.append(self.options.offload)
        if self.options.offload != "block":
            raise torch.OutOfMemoryError("out of memory")
        return real(self, name)

    real = ModelPool.expert
    monkeypatch.setattr(ModelPool, "expert", expert)
    assert torch.equal(latents(case, tmp_path, "cpu", offload="auto", report="report.json"), whole)
    assert opened[:3] == ["none", "expert", "block"]
    assert "begun again" in (tmp_path / "report.json").read_text(encoding="utf-8")
    with pytest.raises(GenerationError, match="not enough memory"):
        latents(case, tmp_path, "cpu", offload="expert", vae_tiles=0)
    monkeypatch.setattr(ModelPool, "expert", lambda self, name: (_ for _ in ()).throw(torch.AcceleratorError("lost")))
    with pytest.raises(GenerationError, match="stopped working"):
        latents(case, tmp_path, "cpu")
