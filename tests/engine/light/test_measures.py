# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured of a picture and of a series: the loss by hand, colour, the slow part, where light comes from."""

import light_scenes as scenes
import numpy as np
import pytest
import torch

from wan_engine.color_temperature import blackbody_rgb
from wan_engine.light.color import color_temperature
from wan_engine.light.curves import slow_part
from wan_engine.light.direction import light_direction
from wan_engine.light.measure import LightConsistencyLoss
from wan_engine.media.srgb import decode, encode


def grey(values):
    """[1, T, 3, 2, 2] of plain grey frames."""
    return torch.tensor(values, dtype=torch.float64)[None, :, None, None, None].expand(1, -1, 3, 2, 2).clone()


class TestLoss:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([0.5], 0.0),
            ([0.2, 0.25], 0.0),
            ([0.2, 0.5], 0.2),  # relu(0.3 - 0.1)
            ([0.1, 0.15, 0.2, 0.25], 0.0),  # steady
            ([0.5, 0.5, 0.8, 0.8], 0.3 + 0.2 / 3),  # second differences 0.3, 0.3; of three changes one by 0.3
            ([0.2, 0.3, 0.2], 0.2),  # d = 0.1, -0.1
        ],
    )
    def test_by_hand(self, values, expected):
        assert LightConsistencyLoss()(grey(values)).item() == pytest.approx(expected, abs=1e-12)

    def test_luminance_weights(self):
        video = torch.zeros(2, 2, 3, 4, 4, dtype=torch.float64)
        video[:, 1, 1] = 1.0  # green comes on: dY = 0.587
        assert LightConsistencyLoss()(video).item() == pytest.approx(0.487, abs=1e-12)
        video[1] = 0.0  # the mean runs over the batch
        assert LightConsistencyLoss()(video).item() == pytest.approx(0.487 / 2, abs=1e-12)

    def test_a_change_over_the_picture_is_no_change_in_time(self):
        video = torch.rand(1, 1, 3, 8, 8, dtype=torch.float64).expand(1, 5, 3, 8, 8)
        assert LightConsistencyLoss()(video).item() == 0

    def test_gradient(self):
        torch.manual_seed(0)
        video = torch.rand(1, 4, 3, 2, 2, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(LightConsistencyLoss(), (video,))

    def test_one_frame_stays_on_the_graph(self):
        video = torch.rand(1, 1, 3, 2, 2, requires_grad=True)
        LightConsistencyLoss()(video).backward()
        assert video.grad.abs().max() == 0

    @pytest.mark.parametrize(
        "video", [torch.rand(2, 3, 4, 4), torch.rand(1, 2, 4, 4, 4), torch.zeros(1, 2, 3, 4, 4).int()]
    )
    def test_wrong_shape(self, video):
        with pytest.raises(ValueError, match="takes floats"):
            LightConsistencyLoss()(video)


class TestColor:
    @pytest.mark.parametrize("kelvin", [2500, 3200, 4500, 5600, 6500, 9000])
    def test_black_body_comes_back(self, kelvin):
        """McCamy's cubic is good to a few percent, the locus splines too."""
        color = blackbody_rgb(kelvin)
        picture = encode(np.broadcast_to(0.5 * color / color.max(), (8, 8, 3)))
        assert color_temperature(picture) == pytest.approx(kelvin, rel=0.03)

    def test_grey_is_daylight(self):
        assert color_temperature(np.full((8, 8, 3), 0.5)) == pytest.approx(6504, abs=15)

    @pytest.mark.parametrize("color", [(0, 0, 0), (0.1, 0.9, 0.1), (0.8, 0.1, 0.8)])
    def test_none_where_there_is_none(self, color):
        assert color_temperature(np.broadcast_to(np.array(color, float), (8, 8, 3))) is None

    def test_transfer_curve(self):
        values = np.linspace(0, 1, 300)
        assert np.abs(encode(decode(values)) - values).max() < 1e-9


class TestSeries:
    def test_slow_part_keeps_parabolas_and_breaks(self):
        t = np.arange(30.0)
        curve = 0.3 + 0.02 * t - 0.001 * t**2
        curve[12:] += 0.5
        assert np.abs(slow_part(curve, breaks=[12]) - curve).max() < 1e-9
        assert np.abs(slow_part(curve) - curve).max() > 0.05


class TestDirection:
    @pytest.mark.parametrize("azimuth", [0, 60, 135, 210, 300])
    def test_sphere(self, azimuth):
        found = light_direction(scenes.sphere(azimuth))
        away = (found.azimuth_in_picture_deg - azimuth + 180) % 360 - 180
        assert abs(away) < 20 and found.confidence > 0.3

    def test_nothing_tells(self):
        noise = np.random.default_rng(0).random((120, 160, 3)).astype(np.float32)
        plain = np.full((120, 160, 3), 0.4, np.float32)
        for picture in (noise, plain):
            assert light_direction(picture).confidence < 0.1

    def test_texture_alone_tells_little(self):
        for seed in range(6):
            wall = scenes.to_display(scenes.texture(96, 160, seed)).astype(np.float32)
            assert light_direction(wall).confidence < 0.3
