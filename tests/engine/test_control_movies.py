# SPDX-License-Identifier: GPL-3.0-or-later
"""Movies in the place of folders of pictures, for every model that follows a clip."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import Case
from movies import write
from PIL import Image
from safetensors.torch import load_file

from wan_engine.cli import main

CASES = [
    ("control/", "Wan2.2-Fun-A14B-Control", "control_all"),
    ("control/", "Wan2.2-Fun-5B-Control", "control_only"),
    ("control/", "Wan2.1-Fun-V1.1-14B-Control", "control_ref"),
    ("vace/", "Wan2.1-VACE-1.3B", "masked_soft"),
    ("vace/", "Wan2.1-VACE-1.3B", "resized"),
    ("vace/", "Wan2.2-VACE-Fun-A14B", "masked"),
    ("ttm/", "Wan2.2-I2V-A14B", "object"),
]
CLIPS = ("control_video", "control_mask", "motion_video", "motion_mask")


def pictures(folder: str) -> list[np.ndarray]:
    return [np.array(Image.open(path).convert("RGB")) for path in sorted(Path(folder).glob("*.png"))]


@pytest.fixture(params=CASES, ids=lambda words: "-".join(words[1:]))
def case(request) -> Case:
    root, model, name = request.param
    return Case(model, name, root)


def as_movies(case: Case, folder: Path, count: int | None = None, fps: int = 16) -> None:
    """Without loss, of the first `count` pictures."""
    for name in CLIPS:
        if name in case.given:
            path = folder / f"{name}.mkv"
            write(path, pictures(case.given[name])[:count], "ffv1", "bgr0", fps=fps)
            case.given[name] = str(path)


def test_a_movie_makes_the_clip_of_its_pictures(case, tmp_path, capsys):
    as_movies(case, tmp_path)
    assert main(case.command(tmp_path)) == 0, capsys.readouterr().err
    got, want = load_file(tmp_path / "latents.safetensors")["latents"], case.want["latents"]
    assert (got - want).abs().max() <= 3e-4 + 3e-4 * want.abs().max()


def test_a_movie_that_loses_little_makes_nearly_the_same_clip_and_its_rate_is_told(case, tmp_path, capsys):
    for name in CLIPS:
        if name in case.given:
            write(tmp_path / f"{name}.mp4", pictures(case.given[name]), "libx264", "yuv444p", fps=30, crf="1")
            case.given[name] = str(tmp_path / f"{name}.mp4")
    assert main(case.command(tmp_path)) == 0, capsys.readouterr().err
    got, want = load_file(tmp_path / "latents.safetensors")["latents"], case.want["latents"]
    assert 0 < (got - want).abs().mean() < 0.1 * want.std()
    told = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["warnings"]
    assert any("plays at 30 frames per second" in words for words in told), told


def test_broken_and_too_short_movies_are_told_before_anything_is_loaded(case, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("wan_engine.weights.weight_file.WeightFile.fill", lambda *_: pytest.fail("weights were read"))
    as_movies(case, tmp_path, count=1)
    if case.checkpoint.parent.name != "Wan2.1-VACE-1.3B":  # whose clip is as long as what it follows
        assert main(case.command(tmp_path)) == 2
        assert "1 frame, but the clip has" in capsys.readouterr().err
    name = next(name for name in CLIPS if name in case.given)
    path = Path(case.given[name])
    path.write_bytes(path.read_bytes()[:100])
    assert main(case.command(tmp_path)) == 2
    assert f"{name}.mkv" in capsys.readouterr().err


def test_a_vace_clip_is_as_long_as_its_movie(tmp_path, capsys):
    case = Case("Wan2.1-VACE-1.3B", "masked_soft", "vace/")
    as_movies(case, tmp_path, count=1)
    assert main(case.command(tmp_path)) == 0, capsys.readouterr().err
    assert "settles the length: 1 frame instead of 9" in (tmp_path / "report.json").read_text(encoding="utf-8")
    latents = load_file(tmp_path / "latents.safetensors")["latents"]
    assert latents.shape[1] == 1 and torch.isfinite(latents).all()
