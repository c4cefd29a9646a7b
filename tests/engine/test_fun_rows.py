# SPDX-License-Identifier: GPL-3.0-or-later
"""Fun models without a reference case, from the command line to the latents, against the whole computation written out
plainly here: what goes in as VideoX-Fun puts it together, its schedule, and its guidance. The networks have reference
cases of their own.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import derived
import golden
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from wan_engine.cli import main
from wan_engine.errors import UsageError
from wan_engine.inputs.camera_rays import read_camera
from wan_engine.inputs.prompt_tokens import PromptTokenizer
from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest

_OF_2_1 = f"control/fullstack/{derived.OF_2_1}/cases/control_image"
_OF_CAMERA = "control/fullstack/Wan2.2-Fun-A14B-Control-Camera/cases/camera_image"
FILES = {
    "image": f"{_OF_2_1}/image.png",
    "last_image": f"{_OF_2_1}/control/0003.png",
    "reference": f"{_OF_2_1}/control/0005.png",
    "control_video": f"{_OF_2_1}/control",
    "camera": f"{_OF_CAMERA}/camera.json",
}
PROMPT, NEGATIVE, FRAMES, STEPS, SEED, SHIFT, GUIDE = "a fox in snow", "blurred", 9, 3, 11, 5.0, 6.0
WAYS = {
    "Wan2.1-Fun-V1.1-1.3B-Control-Camera": [("image", "camera"), ("reference", "camera"), ("camera",)],
    "Wan2.1-Fun-V1.1-1.3B-InP": [("image", "last_image"), ("image",), ()],
    "Wan2.1-Fun-1.3B-Control": [("control_video", "reference"), ("control_video", "image"), ()],
    "Wan2.2-Fun-5B-InP": [("image", "last_image"), ("image",), ()],
}
RUNS = [(model, given) for model, ways in WAYS.items() for given in ways]


def given_file(name: str) -> Path:
    return golden.path(FILES[name])


def pixels(path: Path, size: tuple[int, int] | None = None) -> torch.Tensor:
    """[3, H, W] in -1..1, by Pillow's bicubic at `size`."""
    picture = Image.open(path).convert("RGB")
    picture = picture if size is None else picture.resize(size, Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255 * 2 - 1


class Plainly:
    """The computation for one model at one size, step by step."""

    def __init__(self, folder: Path, given: tuple[str, ...]) -> None:
        pipeline = load(folder)
        self.pool, self.model, self.given = pipeline.pool, pipeline.checkpoint.model, given
        self.vae = self.pool.vae()
        self.size = (96, 64) if self.model.latent_channels == 48 else (64, 48)
        stride = self.vae.stride[1]
        self.shape = (self.model.latent_channels, 3, self.size[1] // stride, self.size[0] // stride)

    def encoded(self, frames: list[torch.Tensor]) -> torch.Tensor:
        return self.vae.encode(torch.stack(frames, 1)[None])[0]

    def ends(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mask [4, t, h, w] and latents of start and end in grey."""
        mask, frames = torch.zeros(4, *self.shape[1:]), [torch.zeros(3, *self.size[::-1])] * FRAMES
        if "image" not in self.given:
            return mask, torch.zeros(self.shape)
        frames[0], mask[:, 0] = pixels(given_file("image"), self.size), 1
        if "last_image" in self.given:
            frames[-1], mask[3, -1] = pixels(given_file("last_image"), self.size), 1
        return mask, self.encoded(frames)

    def start(self) -> torch.Tensor:
        latents = torch.zeros(self.shape)
        if "image" in self.given:
            latents[:, :1] = self.encoded([pixels(given_file("image"), self.size)])
        return latents

    def stacked(self) -> torch.Tensor:
        """What lies behind the noise."""
        if "InP" in self.model.title:
            return torch.cat(self.ends())
        if "Camera" in self.model.title:
            return self.start()
        if "control_video" not in self.given:
            return torch.cat([torch.zeros(self.shape), self.start()])
        files = sorted(given_file("control_video").glob("*.png"))[:FRAMES]
        return torch.cat([self.encoded([pixels(path) for path in files]), self.start()])

    def features(self) -> torch.Tensor | None:
        """What CLIP sees: the reference or the start at its own size; of InP the start at the clip's."""
        if not self.model.clip_pictures:
            return None
        seen = next((name for name in ("reference", "image") if name in self.given), None)
        if seen is None:
            return torch.zeros(1, 257, self.pool.clip().config.dim)
        clip = self.pool.clip()
        return clip(clip.prepare(pixels(given_file(seen), self.size if "InP" in self.model.title else None))[None])

    def texts(self) -> list[torch.Tensor]:
        tokenizer = PromptTokenizer(self.pool.checkpoint.open_tokenizer(), 512)
        return [self.pool.text_encoder()(torch.tensor([tokenizer(words)]))[0] for words in (PROMPT, NEGATIVE)]

    def latents(self) -> torch.Tensor:
        features, texts, behind = self.features(), self.texts(), self.stacked()
        network = self.pool.expert("dense")
        rays = None
        if "camera" in self.given:
            rays = (frame[None] for frame in read_camera(given_file("camera")).packed(FRAMES, self.size))
        control = network.embed_control(None, rays)
        contexts = [network.embed_text([rows], features, control) for rows in texts]
        x = torch.randn(self.shape, generator=torch.Generator("cpu").manual_seed(SEED))
        held = self.start()[:, :1] if self.model.held and "image" in self.given else None

        def shifted(q: torch.Tensor) -> torch.Tensor:
            return SHIFT * q / (1 + (SHIFT - 1) * q)

        grid = torch.linspace(1, float(shifted(torch.tensor(0.001))), STEPS)
        sigmas = torch.cat([shifted(grid), torch.zeros(1)])
        for now, then in pairwise(sigmas):
            times = torch.tensor([1000 * now])
            if self.model.held:
                tokens = torch.full((self.shape[1], self.shape[2] // 2 * (self.shape[3] // 2)), float(1000 * now))
                if held is not None:
                    tokens[0], x = 0, torch.cat([held, x[:, 1:]], 1)
                times = tokens.flatten()[None]
            with_text, without = (network(torch.cat([x, behind])[None], times, context)[0] for context in contexts)
            x = x + (then - now) * (without + GUIDE * (with_text - without))
        return x if held is None else torch.cat([held, x[:, 1:]], 1)


@pytest.mark.parametrize(("model", "given"), RUNS, ids=[f"{model}-{'+'.join(given)}" for model, given in RUNS])
@torch.inference_mode()
def test_the_command_line_makes_what_the_plain_computation_makes(model, given, tmp_path, capsys):
    folder = derived.checkpoint(tmp_path, model)
    plainly = Plainly(folder, given)
    words = ["generate", "--checkpoint", str(folder), "--prompt", PROMPT, "--negative", NEGATIVE]
    words += ["--size", "x".join(map(str, plainly.size)), "--frames", str(FRAMES), "--steps", str(STEPS)]
    words += ["--seed", str(SEED), "--out", str(tmp_path / "clip.mp4"), "--latents", str(tmp_path / "x.safetensors")]
    words += [word for name in given for word in (f"--{name.replace('_', '-')}", str(given_file(name)))]
    assert main(words) == 0, capsys.readouterr().err
    got = load_file(tmp_path / "x.safetensors")["latents"]
    golden.assert_close(got, plainly.latents(), 3e-4, 3e-4, model)


@pytest.mark.parametrize("model", derived.DERIVED)
def test_each_is_told_by_its_tensors(model, tmp_path):
    told = load(derived.checkpoint(tmp_path, model)).checkpoint.model
    assert told.name == model and (told.solver, told.guide, told.steps) == ("flow", (6.0, 6.0), 50)


def test_a_camera_model_without_a_camera_says_so(tmp_path):
    """The original runs too, with rays of nothing: such a clip is not held to any camera, which is told."""
    folder = derived.checkpoint(tmp_path, "Wan2.1-Fun-V1.1-1.3B-Control-Camera")
    asked = GenerationRequest(checkpoint=str(folder), prompt=PROMPT, size=(64, 48), frames=5, steps=1)
    report = load(folder).generate(asked, tmp_path)
    assert any("--camera" in note for note in report["warnings"])


def test_one_reference_is_the_most(tmp_path):
    folder = derived.checkpoint(tmp_path, "Wan2.1-Fun-1.3B-Control")
    twice = (str(given_file("reference")),) * 2
    asked = GenerationRequest(checkpoint=str(folder), prompt=PROMPT, size=(64, 48), frames=5, reference=twice)
    with pytest.raises(UsageError, match="one reference picture"):
        load(folder).generate(asked, tmp_path)
