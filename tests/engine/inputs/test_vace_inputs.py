# SPDX-License-Identifier: GPL-3.0-or-later
"""What a VACE branch reads, against the original: sizes, frames, fitted pictures, and its 96 channels."""

from __future__ import annotations

import golden
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from wan_engine.errors import UsageError
from wan_engine.inputs.vace import VaceClip, on_white, size_and_length, spread, vace_context
from wan_engine.media.sequences import Sequence, read_sequence
from wan_engine.networks.vae import load_vae

JOBS = range(6)
CONTEXTS = ("control", "hard_mask", "soft_mask_refs", "one_ref", "image")


def sequence(folder, name, frames) -> Sequence:
    (folder / name).mkdir()
    for number, frame in enumerate(frames.numpy()):
        Image.fromarray(frame).save(folder / name / f"{number:04}.png")
    return read_sequence(folder / name)


@pytest.mark.parametrize("job", JOBS)
def test_clips_masks_and_references_are_fitted_as_in_the_original(job, tmp_path):
    facts, case = golden.facts("vace/vace_preproc")["jobs"][job], golden.tensors("vace/vace_preproc")
    video = sequence(tmp_path, "video", case[f"in.{job}.video"])
    mask = sequence(tmp_path, "mask", case[f"in.{job}.mask"]) if f"in.{job}.mask" in case else None
    count = min(len(video), facts["frames"] if mask is None else len(mask))
    size, length = size_and_length(video.size, count, facts["area"], facts["seq_len"])
    numbers = spread(video.starts[:count], length)
    assert size == (facts["width"], facts["height"])
    assert list(numbers) == facts["frame_ids"]
    clip = VaceClip(size, numbers, video, mask)
    pixels = torch.stack([clip.pixels(number) for number in numbers], 1)
    assert torch.equal(((pixels + 1) * 127.5).round().byte(), case[f"out.{job}.video_u8"])
    soft = torch.stack([clip.softness(number) for number in numbers], 1)
    want = ((case[f"out.{job}.mask_u8"].float() / 127.5 - 1) + 1) / 2
    golden.assert_close(soft, want.clamp(0, 1), 1e-6, 0, "mask")
    for number in range(len(facts.get("refs", []))):
        picture = Image.fromarray(case[f"in.{job}.ref{number}"].numpy())
        golden.assert_close(on_white(picture, size), case[f"out.{job}.refs"][number, :, 0], 1e-5, 0, "reference")


class Given(VaceClip):
    """A clip whose pixels and mask are tensors."""

    def pixels(self, number):
        return self.tensors[0][:, number]

    def softness(self, number):
        return torch.ones(1, *self.tensors[0].shape[2:]) if self.tensors[1] is None else self.tensors[1][:, number]


@pytest.mark.parametrize("name", CONTEXTS)
@torch.inference_mode()
def test_the_96_channels_of_the_original(name):
    case, weights = golden.tensors("vace/vace_context"), golden.tensors("vace/loop_vace_weights")
    vae = load_vae({key[4:]: value for key, value in weights.items() if key.startswith("vae.")})
    video = case[f"in.{name}.video_u8"].float() / 127.5 - 1
    clip = Given((video.shape[3], video.shape[2]), tuple(range(video.shape[1])))
    object.__setattr__(clip, "tensors", (video, case.get(f"in.{name}.mask")))
    references = [ref[:, 0].float() / 127.5 - 1 for ref in case.get(f"in.{name}.refs_u8", [])]
    got = vace_context(
        clip, references, lambda frames: torch.cat(list(vae.encode_stream(f[None] for f in frames)), 2)[0]
    )
    golden.assert_close(got, case[f"out.{name}.context"], 5e-4, 1e-4, name)


def test_first_and_last_frames_never_show_in_the_mask_channels(tmp_path):
    """Frames 1, 5, 9, .. of 81 are looked at, so a mask that keeps both ends alone is white in all 64 channels."""
    masks = torch.full((81, 8, 8, 3), 255, dtype=torch.uint8)
    masks[0] = masks[-1] = 0
    video = sequence(tmp_path, "video", torch.zeros(81, 8, 8, 3, dtype=torch.uint8))
    clip = VaceClip((8, 8), tuple(range(81)), video, sequence(tmp_path, "mask", masks))
    assert torch.equal(clip.mask_channels(), torch.ones(64, 21, 1, 1))
    halves = [torch.cat(list(clip.half(made=made)), 1)[0, :, 0, 0].tolist() for made in (False, True)]
    assert halves == [[-1.0, *[0.0] * 79, -1.0], [0.0, *[-1.0] * 79, 0.0]]


def test_published_areas_allow_the_published_clips():
    assert size_and_length((832, 480), 81, 832 * 480) == ((832, 480), 81)
    assert size_and_length((1280, 720), 81, 1280 * 720) == ((1280, 720), 81)
    assert size_and_length((1920, 1080), 200, 832 * 480) == ((832, 480), 81)


@given(st.integers(1, 2000), st.integers(1, 2000), st.integers(1, 400), st.integers(1, 2_000_000))
def test_any_clip_gets_a_size_within_its_own_and_the_area_or_is_refused(width, height, count, area):
    try:
        size, length = size_and_length((width, height), count, area)
    except UsageError:
        return
    assert size[0] % 16 == size[1] % 16 == 0 and size[0] * size[1] <= max(area, 256)
    numbers = spread(range(count), length)
    assert len(numbers) == length and length % 4 == 1 and length <= count
    assert list(numbers) == sorted(set(numbers)) and numbers[0] >= 0 and numbers[-1] < count


def test_frames_are_spread_from_the_first_to_the_last():
    assert spread(range(1), 1) == (0,)
    assert spread(range(5), 5) == (0, 1, 2, 3, 4)
    assert spread(range(200), 81)[::40] == (0, 99, 199)
    assert spread((0.0, 0.1, 0.2, 0.8, 0.9), 5) == (0, 2, 2, 2, 4)  # by time, not by number


@pytest.mark.parametrize("stretched", [False, True])
def test_a_reference_of_the_clips_size_is_used_as_it_is(stretched):
    pixels = np.random.default_rng(1).integers(0, 256, (16, 32, 3), np.uint8)
    got = on_white(Image.fromarray(pixels), (32, 16), stretched=stretched)
    assert torch.equal(got, torch.from_numpy(pixels).permute(2, 0, 1).float().div(255).sub(0.5).div(0.5))
    narrow = on_white(Image.fromarray(pixels[:, :4]), (32, 16), stretched=stretched)
    assert (narrow[:, :, :14] == 1).all() and (narrow[:, :, 18:] == 1).all() and (narrow[:, :, 14:18] < 1).any()
