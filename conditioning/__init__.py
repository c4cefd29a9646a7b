# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a shot that the video model is conditioned on, rendered from the scene without leaving a trace in it."""

from .frames import render_first_last
from .keyframes import render_keyframes
from .light_curve import predict_light
from .light_render import render_light
from .preserve import preserved
from .staging import frame_shape
from .stillness import course

__all__ = [
    "course", "frame_shape", "predict_light", "preserved", "render_first_last", "render_keyframes",
    "render_light",
]  # fmt: skip
