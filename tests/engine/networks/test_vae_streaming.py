# SPDX-License-Identifier: GPL-3.0-or-later
"""The autoencoder frame by frame: as Diffusers computes it, in memory that does not depend on the clip's length."""

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLWan
from peaks import growth
from safetensors.torch import save_file

from wan_engine.networks import vae_layers
from wan_engine.networks.vae import load_vae
from wan_engine.weights.weight_file import WeightFile

NANO = Path(__file__).parents[3] / "checkpoints" / "nano"
LAYOUTS = {
    "2.1": {"base_dim": 8, "z_dim": 16},
    "2.2": {
        "base_dim": 8, "decoder_base_dim": 16, "z_dim": 48, "in_channels": 12, "out_channels": 12, "patch_size": 2,
        "is_residual": True, "scale_factor_spatial": 16,
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def pair(layout, folder):
    """Diffusers' autoencoder of random weights, and ours of the same."""
    torch.manual_seed(3)
    theirs = AutoencoderKLWan(**LAYOUTS[layout]).eval()
    for name, parameter in theirs.named_parameters():
        if "gamma" in name:
            parameter.uniform_(0.5, 1.5)
    save_file(theirs.state_dict(), folder / "vae.safetensors")
    return theirs, load_vae(dict(WeightFile.open(folder / "vae.safetensors", "vae").tensors()))


@pytest.mark.parametrize("together", [0, vae_layers.TOGETHER])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_computes_what_diffusers_does(layout, together, tmp_path, monkeypatch):
    monkeypatch.setattr(vae_layers, "TOGETHER", together)
    theirs, ours = pair(layout, tmp_path)
    mean, inverse_std = ours._statistics(torch.zeros(1))
    video = torch.rand(1, 3, 13, 4 * ours.stride[1], 3 * ours.stride[2]) * 2 - 1
    latents = ours.encode(video)
    want = theirs.encode(video).latent_dist.mode()
    torch.testing.assert_close(latents, (want - mean) * inverse_std, atol=2e-5, rtol=1e-4)
    frames = theirs.decode(latents / inverse_std + mean).sample
    torch.testing.assert_close(ours.decode(latents).clamp(-1, 1), frames, atol=2e-5, rtol=1e-4)


def test_frames_may_come_in_any_portions(tmp_path):
    _, vae = pair("2.2", tmp_path)
    video = torch.rand(1, 3, 9, 32, 32) * 2 - 1
    portions = iter(video.split([2, 6, 1], dim=2))
    assert torch.equal(torch.cat(list(vae.encode_stream(portions)), dim=2), vae.encode(video))
    with pytest.raises(ValueError, match=r"4k\+1 frames, not 8"):
        vae.encode(video[:, :, :8])


def test_each_clip_starts_anew(tmp_path):
    _, vae = pair("2.1", tmp_path)
    latents = torch.randn(1, 16, 3, 4, 4)
    first = list(vae.decode_stream(latents))
    assert [frame.shape[2] for frame in first] == [1] * 9
    running = vae.decode_stream(latents)
    next(running)
    second = torch.cat(list(vae.decode_stream(latents)), dim=2)  # while another stream is under way
    assert torch.equal(torch.cat(first, dim=2), second)
    assert torch.equal(torch.cat([first[0], *running], dim=2), second)


def test_several_clips_at_once_are_decoded_alike(tmp_path):
    _, vae = pair("2.2", tmp_path)
    latents = torch.randn(2, 48, 2, 2, 3)
    both = vae.decode(latents)
    for item in range(2):
        torch.testing.assert_close(vae.decode(latents[item : item + 1]), both[item : item + 1], atol=1e-5, rtol=1e-5)


def test_gradients_are_those_of_the_plain_convolutions(tmp_path, monkeypatch):
    _, vae = pair("2.1", tmp_path)
    video = torch.rand(1, 3, 5, 16, 16)

    def gradient():
        weight = vae.decoder.conv1.weight.clone().requires_grad_()
        vae.decoder.conv1.weight = torch.nn.Parameter(weight)
        with torch.enable_grad():
            loss = (vae.pixels(vae.moments(video)[0]) - video).square().mean()
            return torch.autograd.grad(loss, vae.decoder.conv1.weight)[0]

    ours = gradient()
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    torch.testing.assert_close(ours, gradient(), atol=1e-6, rtol=1e-3)
    assert ours.abs().max() > 0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tiles_are_put_together_in_their_places(layout, tmp_path):
    """With kernels that see one place only, tiles give what the whole gives."""
    _, vae = pair(layout, tmp_path)
    for name, parameter in vae.named_parameters():
        if parameter.dim() >= 4 and parameter.shape[-1] == 3:
            parameter *= torch.tensor([0.0, 1.0, 0.0]).outer(torch.tensor([0.0, 1.0, 0.0]))
        elif "middle.1.proj" in name:
            parameter.zero_()
    s = vae.stride[1]
    latents = torch.randn(1, vae.z_dim, 2, 10, 13)
    whole = vae.decode(latents)
    for tile in (4 * s, 6 * s, 11 * s):
        torch.testing.assert_close(vae.decode(latents, tile), whole, atol=1e-5, rtol=1e-5)
    assert torch.equal(vae.decode(latents, tile=13 * s), whole)  # one tile is enough


def test_tiles_come_close_to_the_whole_picture():
    """By the autoencoder that is shipped: what stands at the edge of a tile lacks its surroundings, and fades."""
    vae = load_vae({name: data.float() for name, data in WeightFile.open(NANO / "Wan2.2_VAE.pth", "vae").tensors()})
    y, x = torch.meshgrid(torch.linspace(-1, 1, 160), torch.linspace(-1, 1, 192), indexing="ij")
    latents = vae.encode(torch.stack([x, y, (3 * x * y).sin()])[None, :, None])
    whole, tiled = vae.decode(latents), vae.decode(latents, tile=96)
    assert not torch.equal(whole, tiled)
    assert (whole - tiled).square().mean().sqrt() < 0.05


PEAKS = """
from diffusers import AutoencoderKLWan
from training.autoencoder import vae22_shapes
from wan_engine.networks.vae import WanVAE, load_vae

ours = load_vae(WanVAE(vae22_shapes(8, 16, 48, 1)).state_dict())
theirs = AutoencoderKLWan(base_dim=8, decoder_base_dim=16, z_dim=48, in_channels=12, out_channels=12, patch_size=2,
                          num_res_blocks=1, is_residual=True, scale_factor_spatial=16).eval()

def through(frames):
    for frame in frames:
        del frame

with torch.inference_mode():
    picture, latents = torch.rand(1, 3, 1, 128, 128), torch.randn(1, 48, 33, 8, 8)
    through(ours.decode_stream(latents[:, :, :1]))
    for work in (
        lambda: theirs.decode(latents[:, :, :9]),
        lambda: through(ours.decode_stream(latents[:, :, :9])),
        lambda: through(ours.decode_stream(latents)),
        lambda: through(ours.encode_stream(picture for _ in range(33))),
        lambda: through(ours.encode_stream(picture for _ in range(129))),
    ):
        begin()
        work()
        end()
"""


def test_it_takes_less_than_half_of_diffusers_memory_and_the_same_for_longer_clips():
    theirs, short, long, encoded_short, encoded_long = growth(PEAKS)
    assert short < 0.5 * theirs
    assert long < 1.1 * short + 2**20
    assert encoded_long < 1.1 * encoded_short + 2**20
    assert min(short, encoded_short) > 2**20  # large enough to tell
