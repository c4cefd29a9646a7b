# SPDX-License-Identifier: GPL-3.0-or-later
"""How many frames the model makes of a shot: as many as its length takes, or as many as the user asked for."""

from __future__ import annotations

from ..scene.brief import Shot
from ..wan_engine.checkpoint.distilled import sampling_of
from ..wan_engine.checkpoint.frame_counts import frames_for, speed_of
from ..wan_engine.checkpoint.summary import Outline
from ..wan_engine.errors import UsageError
from ..wan_engine.options import AUTO
from ..wan_engine.windows import latents_of, segment_borders, usual_overlap, windows
from .settings import Note, Settings, _ignored

_TOLD = 1.1  # motion that is so much faster or slower than in the scene is told, where the count is not the shot's own


def frames_of(shot: Shot, fps: float, settings: Settings, model: Outline, mode: str, note: Note = _ignored) -> int:
    """The count, decided here alone: what is rendered for the model's frames and the engine go by it. `note` is told
    where motion cannot have its true speed. Raises UsageError for a count that the mode cannot have."""
    frames = settings.frames or model.frames_for(shot.frame_count, fps)
    if mode == "first_last" and frames < 5:
        raise UsageError("A first and a last frame need at least 5 frames; ask for 5 or more with --frames.")
    speed = speed_of(frames, model.model.fps, shot.frame_count, fps)
    if shot.frame_count == 1:
        note(f'Shot "{shot.name}" is one frame long: {model.title} makes {frames} frames, and the first is shown.')
    elif (settings.frames or frames > _unbound(shot, fps, model)) and not 1 / _TOLD < speed < _TOLD:
        why = "as asked for" if settings.frames else f"the fewest that {model.title} makes"
        told = f"{speed:.2g} times as fast" if speed > 1 else f"{1 / speed:.2g} times slower"
        note(f'Shot "{shot.name}" is made of {frames} frames, {why}: the model\'s motion is {told}.')
    return frames


def _unbound(shot: Shot, fps: float, model: Outline) -> int:
    """The count without regard to the fewest that the model makes."""
    return frames_for(shot.frame_count, fps, model.model.fps)


def clip_words(count: int, fps: float, settings: Settings, model: Outline) -> str:
    """What the model makes of a shot of `count` frames at `fps`, and how often it is run for that."""
    frames = settings.frames or model.frames_for(count, fps)
    preset = sampling_of(model.model, settings.preset)
    steps = settings.steps or preset.get("steps") or model.model.steps
    each = 2 if any(guide != 1 for guide in preset.get("guide", model.model.guide)) else 1
    mode = model.modes[0] if settings.mode == AUTO else settings.mode
    parts = parts_of(frames, model, mode)
    in_parts = f" in {parts} parts" if parts > 1 else ""
    return f"{frames} frames{in_parts}, {steps * parts * each} passes"


def parts_of(frames: int, model: Outline, mode: str) -> int:
    """In how many parts a clip is made, each of as many frames as the model was trained for at most: segments where it
    starts from a picture, else windows."""
    longest = model.model.longest
    if _starts_from_a_picture(mode):
        return len(segment_borders(frames, longest)) - 1
    return len(windows(latents_of(frames), latents_of(longest), usual_overlap(longest) // 4))


def borders_of(frames: int, model: Outline, mode: str) -> tuple[int, ...]:
    """The frames of a clip between its first and last at which it is to be as the scene: those where segments meet. ()
    where there are none, or the model cannot be held to the frame that a segment ends with, and would jump there."""
    if not _starts_from_a_picture(mode) or "first_last" not in model.model.modes:
        return ()
    return segment_borders(frames, model.model.longest)[1:-1]


def _starts_from_a_picture(mode: str) -> bool:
    return mode not in ("text", "control")
