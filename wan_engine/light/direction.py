# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the light comes from, seen in the picture: read off shading, checked against shadow edges.

One picture tells this poorly, and often not at all. The estimate therefore carries a confidence that is low where
nothing tells, and it is meant for watching the light turn along a clip, not for measuring the sun.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .color import luminance

_TELLING = 0.004  # log luminance per pixel: less is noise or a plain surface
_EDGE = 0.12  # log luminance per pixel: more is an edge, not shading
_SAME_SURFACE = 0.02  # chromaticity per pixel: more is paint, not light
_LEAST = 0.03  # share of the picture that must show shading to tell at all
_BLOCKS = (4, 6)
_BY_CHANCE, _SURE = 0.6, 0.12  # agreement of votes without light (times their root count), and what a lit ball has more


@dataclass(frozen=True)
class LightDirection:
    """`azimuth_in_picture_deg`: toward the light, 0 = up in the picture, clockwise, 90 = right; None where nothing
    tells. `confidence`: 0 (nothing tells) to 1."""

    frame: int
    azimuth_in_picture_deg: float | None
    confidence: float


def light_direction(picture: np.ndarray, frame: int = 0) -> LightDirection:
    """The direction toward the light in a reduced picture, float32 [h, w, 3] in 0..1.

    Shading: on a surface of one colour luminance rises toward the light, so the mean direction of soft luminance
    gradients points there (tilt from gradients, Lee and Rosenfeld 1985). Each part of the picture has one vote; the
    confidence is how far the votes agree beyond chance times how much of the picture has any shading. Shadows: edges
    without a change of colour that run along or across that direction raise the confidence, edges askew lower it.
    """
    if min(picture.shape[:2]) < 16:
        return LightDirection(frame, None, 0.0)
    smooth = cv2.GaussianBlur(picture, (0, 0), 1.5)
    total = smooth.sum(-1, keepdims=True) + np.float32(0.03)
    log = np.log(luminance(smooth) + np.float32(0.02))
    x, y = _gradient(log)
    low, high = np.quantile(y, (0.2, 0.8), axis=1, keepdims=True)
    y = y - np.maximum(low, 0) - np.minimum(high, 0)  # sky and ground: what a whole row shares is no light
    strength = np.hypot(x, y)
    paint = sum(np.hypot(*_gradient(np.ascontiguousarray(part))) for part in np.moveaxis(smooth / total, -1, 0)[:2])
    lit = luminance(smooth) < 0.97
    shaded = (strength > _TELLING) & (strength < _EDGE) & (paint < _SAME_SURFACE) & lit
    shaded = cv2.morphologyEx(shaded.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)) > 0  # surfaces only
    votes = _votes(np.where(shaded, x, 0), np.where(shaded, y, 0), shaded)
    if len(votes) == 0:
        return LightDirection(frame, None, 0.0)
    mean = votes.sum(0)
    agreement = float(np.hypot(*mean) / np.hypot(votes[:, 0], votes[:, 1]).sum())
    spread = min(1.0, float(shaded.mean()) / 0.25) * min(1.0, len(votes) / 4)
    shadow = (strength >= _EDGE) & (paint < _SAME_SURFACE) & lit
    sure = min(1.0, max(0.0, (agreement - _BY_CHANCE / len(votes) ** 0.5) / _SURE))
    confidence = sure * spread * _shadow_factor(x, y, shadow, mean)
    azimuth = float(np.degrees(np.arctan2(mean[0], -mean[1]))) % 360
    return LightDirection(frame, azimuth if confidence >= 0.05 else None, round(min(1.0, confidence), 3))


def _gradient(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per pixel, to the right and down."""
    return cv2.Scharr(image, -1, 1, 0, scale=1 / 32), cv2.Scharr(image, -1, 0, 1, scale=1 / 32)


def _votes(x: np.ndarray, y: np.ndarray, shaded: np.ndarray) -> np.ndarray:
    """The mean gradient of each block that shows shading, its length damped so that none outvotes the rest [n, 2]."""
    votes = []
    for rows in np.array_split(np.arange(x.shape[0]), _BLOCKS[0]):
        for columns in np.array_split(np.arange(x.shape[1]), _BLOCKS[1]):
            block = np.ix_(rows, columns)
            share = shaded[block].mean()
            if share < _LEAST:
                continue
            vote = np.array([x[block].sum(), y[block].sum()])
            lengths = np.hypot(x[block], y[block]).sum()
            votes.append(vote / lengths * share**0.5)
    return np.array(votes).reshape(-1, 2)


def _shadow_factor(x: np.ndarray, y: np.ndarray, shadow: np.ndarray, toward: np.ndarray) -> float:
    """1 without shadow edges; up to 1.25 where they run along or across the light, down to 0.75 where askew.

    A cast shadow's long sides run along the light and its end across it: the fourth harmonic of the angles tells.
    """
    if shadow.mean() < 0.002:
        return 1.0
    angle = np.arctan2(y[shadow], x[shadow]) - np.arctan2(toward[1], toward[0])
    weight = np.hypot(x[shadow], y[shadow])
    return float(1 + 0.25 * (np.cos(4 * angle) * weight).sum() / weight.sum())
