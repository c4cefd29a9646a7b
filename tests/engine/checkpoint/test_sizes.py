# SPDX-License-Identifier: GPL-3.0-or-later
"""Which size a clip gets for the shape of the scene's frame."""

from math import inf, log

import golden
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wan_engine.checkpoint import models
from wan_engine.checkpoint.sizes import BAND, nearest_size, squeeze
from wan_engine.checkpoint.summary import Outline, outline
from wan_engine.errors import UsageError

NANO = golden.REPOSITORY / "checkpoints" / "nano"
COMMON = {
    "16:9": 16 / 9, "1.85:1": 1.85, "DCI": 4096 / 2160, "2:1": 2.0, "2.35:1": 2.35, "2.39:1": 2.39, "2.76:1": 2.76,
    "16:10": 1.6, "1.66:1": 1.66, "3:2": 1.5, "4:3": 4 / 3, "5:4": 1.25, "square": 1.0, "4:5": 0.8, "9:16": 9 / 16,
}  # fmt: skip
shapes = st.floats(0.3, 3.5)


ROWS = (models.T2V_A14B, models.I2V_A14B, models.TI2V_5B, models.T2V_1_3B_V21, models.I2V_14B_480P_V21)


@pytest.mark.parametrize("name", COMMON)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_common_shapes_are_not_squeezed_by_published_models(name, row):
    model = Outline(row)
    size = model.size_for(COMMON[name], None)
    assert squeeze(COMMON[name], size) < 0.03
    assert abs(log(size[0] * size[1] / (model.area[0] * model.area[1]))) < 0.15


@pytest.mark.parametrize("name", COMMON)
def test_common_shapes_on_the_coarse_grid_of_nano(name):
    """Sides of 32 pixels leave few shapes near 160x96; the size is the best of them."""
    size = outline(NANO).size_for(COMMON[name], None)
    assert squeeze(COMMON[name], size) < (0.07 if size == (160, 96) else 0.06)


def test_nano_keeps_to_the_size_that_it_was_trained_at():
    model = outline(NANO)
    assert model.size_for(16 / 9, None) == model.size_for(16 / 9, (160, 96)) == (160, 96)
    assert model.size_for(1.6, (160, 96)) == (160, 96)
    assert model.size_for(1.0, None) == (128, 128)
    assert model.size_for(2.39, None) == model.size_for(2.39, (160, 96)) == (224, 96)


def test_published_models_keep_to_listed_sizes_that_cost_nothing():
    assert Outline(models.T2V_1_3B_V21).size_for(16 / 9, None) == (832, 480)
    assert Outline(models.I2V_A14B).size_for(16 / 9, (832, 480)) == (832, 480)
    assert Outline(models.I2V_A14B).size_for(16 / 9, None) == (1280, 720)
    assert Outline(models.TI2V_5B).size_for(9 / 16, None) == (704, 1280)
    assert Outline(models.I2V_A14B).size_for(1.85, None) == (1328, 720)


@settings(deadline=None)
@given(shape=shapes, sides=st.tuples(st.integers(48, 2000), st.integers(48, 2000)), multiple=st.sampled_from([16, 32]))
@example(2.39, (1280, 720), 16)
@example(16 / 9, (160, 96), 32)
def test_no_other_size_on_the_grid_is_nearer_in_shape_and_in_area(shape, sides, multiple):
    area = sides[0] * sides[1]
    width, height = nearest_size(shape, area, multiple)
    assert width % multiple == 0 and height % multiple == 0
    change = abs(log(width * height / area))
    assert change <= log(BAND) + 1e-9
    for columns in range(width // multiple - 3, width // multiple + 4):
        for rows in range(height // multiple - 3, height // multiple + 4):
            if columns < 1 or rows < 1:
                continue
            other = columns * multiple, rows * multiple
            nearer = squeeze(shape, other) < squeeze(shape, (width, height)) - 1e-9
            assert not (nearer and abs(log(other[0] * other[1] / area)) < change - 1e-9)


@settings(deadline=None)
@given(shape=shapes, cells=st.integers(12, 8000), multiple=st.sampled_from([16, 32]))
def test_the_finer_the_grid_the_truer_the_shape(shape, cells, multiple):
    size = nearest_size(shape, cells * multiple**2, multiple)
    allowed = next(bound for least, bound in ((1500, 0.015), (300, 0.03), (60, 0.05), (12, inf)) if cells >= least)
    assert squeeze(shape, size) < min(allowed, 0.13)


@settings(deadline=None)
@given(shape=st.floats(1.0, 3.5), sides=st.tuples(st.integers(96, 2000), st.integers(96, 2000)))
def test_a_turned_frame_gets_the_turned_size(shape, sides):
    width, height = nearest_size(shape, sides[0] * sides[1], 16)
    turned = nearest_size(1 / shape, sides[0] * sides[1], 16)
    assert squeeze(1 / shape, turned) == pytest.approx(squeeze(shape, (width, height)), abs=1e-9)


@pytest.mark.parametrize(("shape", "area", "multiple"), [(400.0, 3072, 16), (16 / 9, 100, 32), (0.01, 160 * 96, 32)])
def test_a_shape_that_the_grid_does_not_have_is_refused(shape, area, multiple):
    with pytest.raises(UsageError, match="larger size or a less elongated"):
        nearest_size(shape, area, multiple)
