# SPDX-License-Identifier: GPL-3.0-or-later
"""VACE clips of drawn sizes, lengths, masks, references and scales beside Diffusers' own pipeline: same files, same
noise, same schedule.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import golden
import numpy as np
import pytest
import saved
import torch
from PIL import Image
from safetensors.torch import load_file

from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest

PROMPT, NEGATIVE, GUIDE, SHIFT = "a tin robot on a quay", "blurred", 4.5, 3.0


@dataclass(frozen=True)
class Drawn:
    """What is given, drawn from `seed`: a control clip of the clip's size or none, a mask ("soft", "hard" or none), and
    references of sizes in whole latents, which Diffusers does not resample twice."""

    size: tuple[int, int]
    frames: int
    seed: int
    video: bool = True
    mask: str = ""
    references: tuple[tuple[int, int], ...] = ()
    scale: float = 1.0
    steps: int = 2

    def pictures(self, kind: int, size: tuple[int, int], count: int) -> list[Image.Image]:
        drawn = np.random.default_rng((self.seed, kind)).integers(0, 256, (count, size[1], size[0], 3), np.uint8)
        return [Image.fromarray(pixels) for pixels in drawn]

    def masks(self) -> list[Image.Image]:
        grey = [picture.convert("L") for picture in self.pictures(1, self.size, self.frames)]
        return [picture.point(lambda level: level // 128 * 255) if self.mask == "hard" else picture for picture in grey]

    def given(self) -> tuple[list[Image.Image] | None, list[Image.Image] | None, list[Image.Image]]:
        video = self.pictures(0, self.size, self.frames) if self.video else None
        mask = self.masks() if self.mask else None
        return video, mask, [self.pictures(2 + n, size, 1)[0] for n, size in enumerate(self.references)]


DRAWN = [
    Drawn((64, 48), 9, 1, mask="soft", references=((64, 48), (24, 72), (40, 16)), scale=0.35),
    Drawn((32, 80), 13, 2, mask="hard", scale=1.8),
    Drawn((96, 32), 5, 3, references=((16, 16),)),
    Drawn((48, 48), 9, 4, video=False, references=((96, 48), (48, 8)), scale=0.7, steps=3),
    Drawn((64, 32), 1, 5),
]


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory):
    """The folder that we open, and the pipeline that wrote it."""
    from diffusers import AutoencoderKLWan, FlowMatchEulerDiscreteScheduler, WanVACEPipeline
    from transformers import AutoTokenizer

    torch.manual_seed(0)  # for latents that tell pictures apart
    vae = AutoencoderKLWan(base_dim=8, z_dim=16).eval()
    text, transformer = saved.transformers_text_encoder(), saved.diffusers_vace()
    folder = saved.save_diffusers(tmp_path_factory.mktemp("vace"), [transformer], vae, text)
    pipeline = WanVACEPipeline(
        AutoTokenizer.from_pretrained(golden.path("tokenizer")),
        text,
        vae,
        FlowMatchEulerDiscreteScheduler(shift=SHIFT),
        transformer,
    )
    pipeline.set_progress_bar_config(disable=True)
    return folder, pipeline


@pytest.mark.parametrize("drawn", DRAWN, ids=lambda drawn: f"{drawn.size}-{len(drawn.references)}-{drawn.scale}")
def test_the_latents_are_those_of_diffusers(drawn, pipelines, tmp_path):
    folder, theirs = pipelines
    video, mask, references = drawn.given()
    kept: list[torch.Tensor] = []
    theirs(
        video=video,
        mask=mask,
        reference_images=references[::-1] or None,  # which it puts in front of each other
        prompt=PROMPT,
        negative_prompt=NEGATIVE,
        conditioning_scale=drawn.scale,
        width=drawn.size[0],
        height=drawn.size[1],
        num_frames=drawn.frames,
        num_inference_steps=drawn.steps,
        guidance_scale=GUIDE,
        generator=torch.Generator("cpu").manual_seed(drawn.seed),
        output_type="latent",
        callback_on_step_end=lambda _, step, t, state: kept.append(state["latents"]) or {},
    )
    want = kept[-1][0, :, len(references) :]
    asked = GenerationRequest(
        str(folder),
        PROMPT,
        negative=NEGATIVE,
        size=drawn.size,
        frames=drawn.frames,
        steps=drawn.steps,
        seed=drawn.seed,
        solver="flow",
        shift=SHIFT,
        guide=(GUIDE, GUIDE),
        control_scale=drawn.scale,
        control_video=_folder(tmp_path / "video", video),
        control_mask=_folder(tmp_path / "mask", mask),
        reference=tuple(_file(tmp_path / f"{n}.png", picture) for n, picture in enumerate(references)),
        latents="latents.safetensors",
    )
    report = load(folder).generate(asked, tmp_path)
    assert (tuple(report["size"]), report["frames"]) == (drawn.size, drawn.frames)
    golden.assert_close(load_file(tmp_path / "latents.safetensors")["latents"], want, 1e-4, 0)  # rounding: 3e-5


def _folder(place: Path, pictures: list[Image.Image] | None) -> str | None:
    if pictures is None:
        return None
    place.mkdir()
    for number, picture in enumerate(pictures):
        _file(place / f"{number:04}.png", picture)
    return str(place)


def _file(place: Path, picture: Image.Image) -> str:
    picture.save(place)
    return str(place)
