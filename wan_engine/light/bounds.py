# SPDX-License-Identifier: GPL-3.0-or-later
"""What a clip's light may do: every bound that a verdict holds it to."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# What may be, by reason and by what it is held against: relative, but `temperature` in mired. A render shows the very
# picture: clips made of true frames stay within 1 % of their own curve. The scene's facts know shapes, shadows and
# plain materials, but not reflections and textures, and say where more is open: true frames depart from them by less
# than 10 % in nine of ten shots (docs/engine.md).
BOUNDS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "pulses": {"clip": 2},  # swings of slow light to and fro: three are no single bump any more
        "curve": {"render": 0.06, "brief": 0.10},
        "slow change": {"clip": 0.10},  # over the clip, when nothing says that light should change
        "color": {"render": 0.08, "pictures": 0.08},
        "temperature": {"render": 50.0, "brief": 50.0, "clip": 50.0},  # about a quarter correction filter
    }
)
TOLD_OFF = 0.20  # by which light may be off unseen, relative, at most: a curve that grants more judges nothing
TEMPERATURE_OF_CHANGE = 0.25  # of an expected change of colour: skies and surfaces take part in it by more or less
TEMPERATURE_OF_LIGHT = 130.0  # mired for light expected to change e-fold, with no word of its colour: a sunset's
# Flicker is seen from about 1 % at its most visible rates (some 10 Hz); the bend of a fast slow change looks like this
# much of it.
_FLICKER, _FLICKER_OF_SLOW = 0.008, 0.05


def flicker_bound(slow_change: float) -> float:
    """The flicker that a clip may have whose light changes slowly by this much."""
    return _FLICKER + _FLICKER_OF_SLOW * slow_change**2
