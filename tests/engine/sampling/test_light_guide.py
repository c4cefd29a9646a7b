# SPDX-License-Identifier: GPL-3.0-or-later
"""Holding the light: the controller on latents whose colours are known, and on the shipped checkpoint."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file

from wan_engine.cli import main
from wan_engine.errors import UsageError
from wan_engine.light import curves
from wan_engine.light_curve import LightCurve
from wan_engine.networks.latent_rgb import LightMap, fit_clips, fit_frame_map, fit_light_map
from wan_engine.pipeline import load
from wan_engine.request import GenerationRequest
from wan_engine.sampling.light_guide import LightController
from wan_engine.sampling.light_target import course_of, expected_luminance

ROOT = Path(__file__).resolve().parents[3]
NANO = ROOT / "checkpoints" / "nano"
DATA = ROOT / "tests" / "data"
LUMA = torch.tensor([0.299, 0.587, 0.114])
Z = 8


def random_map(seed=0) -> LightMap:
    """What is fitted to latents that a random linear autoencoder makes of random colours, with noise of its own."""
    random = torch.Generator().manual_seed(seed)
    maps = []
    for _ in range(3):
        mixing = torch.randn(Z, 3, generator=random)
        rgb = torch.rand(3, 4000, generator=random)
        latents = mixing @ rgb + 0.05 * torch.randn(Z, 4000, generator=random)
        maps.append(fit_frame_map(latents[..., None], torch.zeros(Z, 4000, 1), rgb[..., None]))
    return LightMap(maps)


def latents_of(light_map: LightMap, rgb: torch.Tensor) -> torch.Tensor:
    """Latents [Z, t, h, w] that the map reads as rgb [3, t, h, w]."""

    one = light_map.along(rgb.shape[1], rgb.device)
    columns = one.direction @ (rgb.flatten(2).flatten(0, 1) - one.bias)
    return columns.view(Z, *rgb.shape[1:])


def per_latent_frame(values):
    """The mean light [T] of every frame -> that of the latent frames [t]."""
    return torch.cat([values[:1], values[1:].unflatten(0, (-1, 4)).mean(1)])


def luminance(light_map, latents):
    return (light_map.rgb(latents).mean((2, 3)).T @ LUMA).double()


def picture_clip(level, frames=5, seed=1):
    """Grey-ish structure [3, t, 4, 6] whose mean luminance per latent frame is `level` (a number or [t])."""
    structure = 0.5 + torch.rand(1, 1, 4, 6, generator=torch.Generator().manual_seed(seed))
    shape = structure / structure.mean() * torch.tensor([1.1, 0.98, 0.84])[:, None, None, None]
    shape = shape / (shape.mean((1, 2, 3)) @ LUMA)
    return shape * torch.as_tensor(level, dtype=torch.float32).expand(frames)[None, :, None, None]


def curve(*luminance, source="render", **more):
    return LightCurve(source, tuple(np.linspace(0, 1, len(luminance)).tolist()), luminance, **more)


def steered(controller: LightController, clean: torch.Tensor, sigma: float) -> torch.Tensor:
    """The predicted clean latents after the controller, from those before it, at noise level `sigma`."""
    return clean - sigma * controller.steered_velocity(torch.zeros_like(clean), clean, torch.tensor(sigma))


def test_the_map_reads_what_was_put_in_and_its_direction_undoes_it():
    light_map = random_map()
    for one in light_map.frames:
        assert torch.allclose((one.weight + one.before) @ one.direction, torch.eye(3), atol=1e-4)
    rgb = torch.rand(3, 3, 4, 6)
    assert torch.allclose(light_map.rgb(latents_of(light_map, rgb)), rgb, atol=1e-4)


def spread_over_two(seed=0):
    """Maps and latents [Z, t, h, w] of rgb, of an autoencoder that puts a share of a frame's light into the frame
    before it, as causal ones do."""
    random = torch.Generator().manual_seed(seed)
    mixing = torch.linalg.qr(torch.randn(Z, Z, generator=random))[0]
    own, ahead = mixing[:, :3], mixing[:, 3:6]

    def encode(rgb):
        return torch.einsum("zc,cthw->zthw", own, rgb) + torch.einsum("zc,cthw->zthw", ahead, 0.7 * rgb.roll(-1, 1))

    rgb = torch.rand(3, 1, 40, 40, generator=random) * torch.linspace(1, 0.3, 6)[None, :, None, None]
    z, seen = encode(rgb)[:, :5] + 0.01 * torch.randn(Z, 5, 40, 40, generator=random), rgb[:, :5]
    return fit_clips(z[None], seen[None], 3), encode


def test_a_frame_is_read_together_with_the_one_before():
    light_map, encode = spread_over_two()
    assert light_map.frames[2].before.abs().max() > 0.1
    rgb = picture_clip(torch.linspace(0.6, 0.2, 6), frames=6)
    read = luminance(light_map, encode(rgb)[:, :5])
    assert (read - torch.linspace(0.6, 0.2, 6)[:5]).abs().max() < 0.05


def test_light_spread_over_two_frames_is_steered_to_the_curve_in_a_few_steps():
    light_map, encode = spread_over_two()
    clip = encode(picture_clip(0.5, frames=10))[:, :9]
    wanted = torch.linspace(0.5, 0.3, 33)
    controller = LightController(curve(*wanted.tolist()), "strict", light_map)
    missing = []
    for _ in range(6):
        missing.append(float((luminance(light_map, clip) - per_latent_frame(wanted)).abs().max()))
        clip = steered(controller, clip, 0.5)
    assert missing[1] < 0.5 * missing[0] and missing[-1] < 0.02, missing


@pytest.mark.parametrize("count", [1, 2, 3])
def test_short_clips_have_maps_too(count):
    light_map = random_map()
    rgb = picture_clip(0.4, frames=count)
    assert torch.allclose(light_map.rgb(latents_of(light_map, rgb)), rgb, atol=1e-4)
    moved = steered(LightController(curve(0.3, 0.3), "strict", light_map), latents_of(light_map, rgb), 0.5)
    assert torch.allclose(luminance(light_map, moved), torch.full((count,), 0.3).double(), atol=1e-3)


def test_the_controller_computes_what_the_tensors_would():
    """A course's plain numbers against the same sums on arrays."""
    rng = np.random.default_rng(0)
    seen, luma = rng.random((5, 3)), np.array([0.299, 0.587, 0.114])
    course = course_of(curve(0.6, 0.4, temperature_k=(6000.0, 3500.0)), 5, (None, None))
    light = seen @ luma
    tint = (seen + 0.02) / ((seen + 0.02) @ luma)[:, None]
    wanted = np.array(course.chroma) * (tint.sum(0) / np.array(course.chroma).sum(0))
    wanted /= (wanted @ luma)[:, None]
    lack = (np.array(course.luminance) - light).clip(-0.1, 0.1)[:, None] * tint
    off = (light[:, None] * (wanted - tint)).clip(-0.1, 0.1)
    np.testing.assert_allclose(course.missing(seen.tolist(), 0.1, 0.5), lack + 0.5 * off, atol=1e-6)


def test_strict_reaches_the_curve_and_stays_there():
    light_map = random_map()
    expected = curve(0.6, 0.5, 0.4)
    controller = LightController(expected, "strict", light_map)
    start = latents_of(light_map, picture_clip(0.45))
    once = steered(controller, start, 0.5)
    assert 0.1 < controller.change < 0.2
    wanted = per_latent_frame(torch.from_numpy(expected_luminance(expected, 17)))
    assert torch.allclose(luminance(light_map, once), wanted, atol=1e-4)
    assert torch.allclose(steered(controller, once, 0.5), once, atol=1e-4)
    assert controller.change < 1e-4


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["gentle", "strict"]), st.floats(0.0, 0.95), st.floats(0.05, 0.95), st.floats(0.05, 1.0),
    st.integers(1, 6),
)  # fmt: skip
def test_a_step_goes_toward_the_curve_never_past_it(strength, level, target, sigma, frames):
    light_map = random_map()
    controller = LightController(curve(target, target), strength, light_map)
    before = latents_of(light_map, picture_clip(level, frames))
    after = steered(controller, before, sigma)
    assert torch.isfinite(after).all()
    missing, left = target - luminance(light_map, before), target - luminance(light_map, after)
    assert (left * missing >= -1e-6).all() and (left.abs() <= missing.abs() + 1e-5).all()
    limit = {"gentle": 0.07, "strict": 0.3}[strength]
    assert ((left - missing).abs() <= limit + 1e-4).all()


@pytest.mark.parametrize("strength", ["gentle", "strict"])
@pytest.mark.parametrize("source", ["render", "brief"])
def test_nothing_moves_where_the_light_is_as_expected(strength, source):
    light_map = random_map()
    level = per_latent_frame(torch.linspace(0.6, 0.3, 17))
    clip = latents_of(light_map, picture_clip(level))
    course = curve(0.6, 0.3) if source == "render" else curve(1.0, 0.5, source="brief")
    controller = LightController(course, strength, light_map)
    assert torch.allclose(steered(controller, clip, 0.7), clip, atol=2e-4)


@pytest.mark.parametrize("last", [None, torch.full((3,), 0.2)])
def test_the_frames_of_the_pictures_are_never_moved(last):
    light_map = random_map()
    clip = latents_of(light_map, picture_clip(0.5))
    controller = LightController(curve(1.0, 0.3, source="brief"), "strict", light_map, torch.full((3,), 0.4), last)
    after = steered(controller, clip, 0.9)
    assert torch.equal(after[:, 0], clip[:, 0])
    assert torch.equal(after[:, -1], clip[:, -1]) == (last is not None)
    assert not torch.allclose(after[:, 2], clip[:, 2])


def test_a_curve_from_the_brief_has_no_say_in_small_things_far_from_the_only_picture():
    light_map, first = random_map(), torch.full((3,), 0.4)
    level = per_latent_frame(torch.linspace(0.4, 0.38, 17))
    clip = latents_of(light_map, picture_clip(level))
    after = {
        source: steered(
            LightController(curve(0.4 * unit, 0.4 * unit, source=source), "strict", light_map, first), clip, 0.5
        )
        for source, unit in (("brief", 2.5), ("render", 1.0))
    }
    assert torch.allclose(after["brief"], clip, atol=1e-4)
    assert luminance(light_map, after["render"])[-1] == pytest.approx(0.4, abs=1e-3)
    far = latents_of(light_map, picture_clip(per_latent_frame(torch.linspace(0.4, 0.2, 17))))
    course = curve(1.0, 1.0, source="brief")
    after = luminance(light_map, steered(LightController(course, "strict", light_map, first), far, 0.5))
    assert after[-1] == pytest.approx(0.36, abs=2e-3)
    both = steered(LightController(course, "strict", light_map, first, first), far, 0.5)
    assert luminance(light_map, both)[2] == pytest.approx(0.4, abs=2e-3)


@pytest.mark.parametrize("first", [None, torch.full((3,), 0.15)])
def test_light_that_grows_many_times_over_is_followed(first):
    light_map = random_map()
    clip = latents_of(light_map, picture_clip(per_latent_frame(torch.linspace(0.15, 0.5, 17))))
    after = luminance(
        light_map, steered(LightController(curve(1.0, 4.0, source="brief"), "strict", light_map, first), clip, 0.5)
    )
    want = per_latent_frame(torch.linspace(1, 4, 17))
    assert after[-1] / after[0] > 3.2
    if first is None:
        assert torch.allclose(after / after[0], want.double(), rtol=0.02)


def test_black_becomes_neither_nan_nor_stays_black():
    light_map = random_map()
    black = latents_of(light_map, torch.zeros(3, 5, 4, 6))
    for first in (None, torch.zeros(3)):
        for source in ("render", "brief"):
            course = curve(1.0, 0.5, source=source, temperature_k=(6500.0, 2000.0))
            after = steered(LightController(course, "strict", light_map, first), black, 0.9)
            assert torch.isfinite(after).all()
    lit = steered(LightController(curve(0.0, 0.4), "strict", light_map), black, 0.9)
    assert luminance(light_map, lit)[-1] > 0.2


def test_a_jump_of_the_scene_is_followed_and_not_smoothed():
    light_map = random_map()
    blink = LightCurve("render", (0.0, 0.5, 0.5001, 1.0), (0.3, 0.3, 0.6, 0.6), jumps=(0.5,))
    clip = latents_of(light_map, picture_clip(0.45))
    after = luminance(light_map, steered(LightController(blink, "strict", light_map), clip, 0.5))
    assert torch.allclose(after, torch.tensor([0.3, 0.3, 0.3, 0.6, 0.6]).double(), atol=1e-3)


def test_a_picture_is_scaled_not_washed_out():
    light_map = random_map()
    rgb = picture_clip(0.4)
    after = light_map.rgb(
        steered(LightController(curve(0.3, 0.3), "strict", light_map), latents_of(light_map, rgb), 0.5)
    )
    assert after.min() > 0.3 * rgb.min() and after.std() > 0.7 * rgb.std()


def test_the_light_grows_warm_with_the_temperature_and_no_brighter():
    light_map = random_map()
    clip = latents_of(light_map, picture_clip(0.4))
    course = curve(1.0, 1.0, source="brief", temperature_k=(6500.0, 3000.0))
    first = light_map.rgb(clip)[:, 0].mean((1, 2))
    after = steered(LightController(course, "strict", light_map, first), clip, 0.5)
    before_rgb, after_rgb = light_map.rgb(clip)[:, -1].mean((1, 2)), light_map.rgb(after)[:, -1].mean((1, 2))
    assert after_rgb[0] / after_rgb[2] > 1.2 * before_rgb[0] / before_rgb[2]
    assert torch.allclose(after_rgb @ LUMA, before_rgb @ LUMA, atol=1e-3)


def test_the_pictures_set_level_and_end_of_the_curve_and_its_shape_stays():
    course = LightCurve("brief", (0.0, 0.25, 1.0), (1.0, 0.6, 0.5))
    bare = expected_luminance(course, 41)
    met = expected_luminance(course, 41, 0.5, 0.3)
    assert met[0] == pytest.approx(0.5) and met[-1] == pytest.approx(0.3, abs=1e-5)
    assert (np.diff(met) < 0).all() and met[10] < 0.5 - 0.7 * 0.2
    assert bare[0] == 1 and bare[-1] == 0.5
    assert expected_luminance(curve(0.8, 0.4), 5, 0.4)[-1] == pytest.approx(0.2)


@pytest.mark.parametrize("source", ["brief", "render"])
def test_a_part_of_a_curve_tells_what_the_whole_tells_there(source):
    rgb = ((0.9, 0.8, 0.7), (0.3, 0.2, 0.1), (0.6, 0.5, 0.6)) if source == "render" else None
    curve = LightCurve(source, (0.0, 0.3, 1.0), (1.0, 0.25, 0.75), (6000, 3000, 4500), (0.1, 0.3, 0.75), rgb)
    part = curve.cut(20 / 80, 60 / 80)
    part.validate()
    light, whole = curves.expected_luminance(part, 41), curves.expected_luminance(curve, 81)[20:61]
    assert np.allclose(light, whole / (whole[0] if source == "brief" else 1))
    for track in (curves.expected_temperature, curves.expected_rgb):
        if track(curve, 81) is not None:
            assert np.allclose(track(part, 41), track(curve, 81)[20:61])
    assert part.jumps == pytest.approx((0.1, 1.0))
    assert curve.cut(0, 1) is curve


def test_a_segment_is_led_along_the_course_of_the_whole_clip():
    """What drifted in the segment before is not its measure: the clip's first picture is, and its own first is held."""
    curve = LightCurve("brief", (0.0, 1.0), (1.0, 0.5))
    ends = ((0.8, 0.8, 0.8), None)
    whole, part = course_of(curve, 21, ends), course_of(curve, 21, ends).cut(8, 13)
    assert part.luminance == whole.luminance[8:13] and part.doubt == whole.doubt[8:13]
    assert list(part.free) == [0, 1, 1, 1, 1]
    assert course_of(curve, 21, ends).cut(0, 21).free == whole.free


def test_velocity_and_clean_latents_tell_the_same():
    light_map = random_map()
    x, velocity, sigma = torch.randn(Z, 3, 4, 6), torch.randn(Z, 3, 4, 6), torch.tensor(0.6)
    one, two = (LightController(curve(0.5, 0.4), "strict", light_map) for _ in range(2))
    after = x - sigma * one.steered_velocity(velocity, x, sigma)
    assert torch.allclose(after, steered(two, x - sigma * velocity, 0.6), atol=1e-5)


@pytest.mark.parametrize(
    "bad",
    [
        {"source": "guess", "times": [0, 1], "luminance": [1, 1]},
        {"source": "brief", "times": [0, 1], "luminance": [0.5, 1]},
        {"source": "render", "times": [0, 1], "luminance": [0.5, 1.5]},
        {"source": "render", "times": [0, 0.9], "luminance": [0.5, 0.5]},
        {"source": "render", "times": [0, 0.5, 0.4, 1], "luminance": [0.5] * 4},
        {"source": "render", "times": [0, 1], "luminance": [0.5]},
        {"source": "render", "times": [0, 1], "luminance": [0.5, float("nan")]},
        {"source": "render", "times": [0, 1], "luminance": [0.5, 0.5], "temperature_k": [5000]},
        {"source": "render", "times": [0, 1], "luminance": "ab"},
        {"times": [0, 1], "luminance": [1, 1]},
        [1, 2],
        "dusk",
    ],
)
def test_what_is_no_curve_is_refused_in_words(bad):
    with pytest.raises(UsageError, match="light curve"):
        LightCurve.from_json(bad)


def test_the_request_keeps_the_curve_and_settles_the_strength():
    course = LightCurve("brief", (0.0, 1.0), (1.0, 0.5), (5500.0, 3000.0), (0.5,))
    request = GenerationRequest(checkpoint="c", prompt="p", light=course)
    assert GenerationRequest.from_json(json.loads(json.dumps(request.to_json()))) == request
    assert request.light_strength == "gentle" and replace(request, light=None).light_strength == "off"
    assert replace(request, guide_light="off").light_strength == "off"
    with pytest.raises(UsageError, match="curve"):
        replace(request, light=None, guide_light="strict").validate()


# -- on the shipped checkpoint ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pipeline():
    return load(NANO)


REQUEST = GenerationRequest(
    checkpoint=str(NANO),
    prompt=(DATA / "dusk_prompt.txt").read_text(encoding="utf-8"),
    image=str(DATA / "dusk_first.png"),
    latents="latents.safetensors",
    frames_out="frames",
    steps=4,
    seed=1,
)


def made(pipeline, folder, **changes):
    """Mean luminance per frame [T], latents and report."""
    report = pipeline.generate(replace(REQUEST, **changes), folder)
    files = sorted((folder / "frames").iterdir())
    frames = np.stack([np.asarray(Image.open(file)) for file in files]) / 255
    return (frames @ LUMA.numpy()).mean((1, 2)), load_file(folder / "latents.safetensors")["latents"], report


def test_the_map_reads_a_changing_light_where_one_for_still_pictures_errs(pipeline):
    vae = pipeline.pool.vae()
    picture = torch.from_numpy(np.array(Image.open(DATA / "dusk_first.png").convert("RGB"))).permute(2, 0, 1) / 255
    clip = picture[:, None] * torch.linspace(1, 0.4, 17)[None, :, None, None]
    with torch.inference_mode():
        read = luminance(fit_light_map(vae), vae.encode((clip * 2 - 1)[None])[0].float())
    true = per_latent_frame(clip.mean((2, 3)).T @ LUMA)
    assert (read - true).abs().max() < 0.05


@pytest.mark.parametrize("mode", ["first", "first and last", "text"])
def test_the_clip_follows_the_curve_it_is_given(pipeline, tmp_path, mode):
    pictures = {"image": REQUEST.image if mode != "text" else None}
    pictures["last_image"] = str(DATA / "dusk_last.png") if mode == "first and last" else None
    plain, _, report = made(pipeline, tmp_path, **pictures)
    assert "light" not in report
    # A bow in the light that the model does not make by itself, between ends that it is held to or makes.
    wanted = plain - 0.12 * np.sin(np.linspace(0, np.pi, len(plain)))
    course = curve(*wanted.clip(0, 1).tolist())
    gentle, _, report = made(pipeline, tmp_path, light=course, **pictures)
    errors = [float(np.abs(light - wanted).mean()) for light in (plain, gentle)]
    assert errors[1] < 0.5 * errors[0], errors
    assert report["light"]["expected"]["source"] == "render"
    assert report["light"]["guide"]["strength"] == "gentle" and report["light"]["guide"]["steps"] == 4


def test_off_changes_not_one_bit(pipeline, tmp_path):
    _, plain, _ = made(pipeline, tmp_path)
    _, off, report = made(pipeline, tmp_path, light=curve(1.0, 0.5, source="brief"), guide_light="off")
    assert torch.equal(plain, off) and report["light"]["guide"] == {"strength": "off"}


def test_the_command_line_takes_a_curve(tmp_path, capsys):
    good, bad = tmp_path / "light.json", tmp_path / "bad.json"
    good.write_text(json.dumps({"source": "brief", "times": [0, 1], "luminance": [1, 0.5]}))
    bad.write_text("{")
    base = [
        "generate",
        "--checkpoint",
        str(NANO),
        "--prompt",
        "dusk",
        "--out",
        str(tmp_path / "clip.mp4"),
        "--steps",
        "1",
    ]
    assert main([*base, "--light", str(bad)]) == 2 and "no light curve" in capsys.readouterr().err
    assert main([*base, "--light", str(tmp_path / "none.json")]) == 2 and "cannot be read" in capsys.readouterr().err
    assert main([*base, "--light", str(good), "--guide-light", "hard"]) == 2
    assert "off, gentle, strict" in capsys.readouterr().err
    assert main([*base, "--guide-light", "strict"]) == 2 and "light curve" in capsys.readouterr().err
    report = tmp_path / "report.json"
    assert main([*base, "--light", str(good), "--guide-light", "strict", "--report", str(report)]) == 0
    assert json.loads(report.read_text())["light"]["guide"]["strength"] == "strict"
