# SPDX-License-Identifier: GPL-3.0-or-later
"""Words and phrases of the English sentences, by the words of the structured prompt."""

from __future__ import annotations

import re

FROM = {
    "front": "the front, behind the camera",
    "front_left": "the front left, behind the camera",
    "front_right": "the front right, behind the camera",
    "left": "the left side",
    "right": "the right side",
    "back": "the back, behind the scene",
    "back_left": "the back left, behind the scene",
    "back_right": "the back right, behind the scene",
    "top": "above",
}
HEIGHTS = {
    "very_low": "very low over the horizon",
    "low": "low",
    "middle": "at medium height",
    "high": "high",
    "overhead": "overhead",
}
SHADOWS = {
    "very_low": "very long shadows",
    "low": "long shadows",
    "middle": "shadows of medium length",
    "high": "short shadows",
    "overhead": "very short shadows",
}
FALL = {
    "away": "away from the camera",
    "away_right": "away from the camera and to the right",
    "away_left": "away from the camera and to the left",
    "right": "to the right",
    "left": "to the left",
    "toward": "toward the camera",
    "toward_right": "toward the camera and to the right",
    "toward_left": "toward the camera and to the left",
    "below": "right under the objects",
}
SUN_TURN = {
    "left": "moves{} to the left",
    "right": "moves{} to the right",
    "back": "moves{} toward the back",
    "front": "moves{} toward the front",
    "clockwise": "circles clockwise around the scene",
    "counterclockwise": "circles counterclockwise around the scene",
}
LENGTHS = {
    "shorten": "shorten",
    "lengthen": "lengthen",
    "appear": "appear and shorten",
    "fade": "lengthen and fade",
}
SLIDE = {
    "left": "slide to the left",
    "right": "slide to the right",
    "back": "slide away from the camera",
    "front": "slide toward the camera",
    "clockwise": "turn clockwise",
    "counterclockwise": "turn counterclockwise",
}
VIEW_TURN = {
    "left": "to the left",
    "right": "to the right",
    "back": "to the back",
    "front": "to the front",
    "clockwise": "clockwise around the scene",
    "counterclockwise": "counterclockwise around the scene",
}
LAMPS = {"lamp": "lamp", "spotlight": "spotlight", "panel": "light panel", "beam": "light beam"}
ROLES = {"key": "lights the scene", "fill": "brightens the shadows", "rim": "draws bright edges"}
MOVES = {
    "static": "stands still",
    "push_in": "pushes in{}",
    "pull_back": "pulls back{}",
    "truck_left": "moves{} to the left",
    "truck_right": "moves{} to the right",
    "pedestal_up": "rises{}",
    "pedestal_down": "sinks{}",
    "pan_left": "pans{} to the left",
    "pan_right": "pans{} to the right",
    "tilt_up": "tilts up{}",
    "tilt_down": "tilts down{}",
    "roll_clockwise": "rolls{} clockwise",
    "roll_counterclockwise": "rolls{} counterclockwise",
    "zoom_in": "zooms in{}",
    "zoom_out": "zooms out{}",
    "arc_left": "arcs{} to the left around the scene",
    "arc_right": "arcs{} to the right around the scene",
    "tracking": "follows the moving subject",
    "handheld": "is handheld and sways",
    "dolly_zoom": "makes a dolly zoom",
}
DIRECTIONS = {
    "left": " to the left",
    "right": " to the right",
    "up": " up",
    "down": " down",
    "toward": " toward the camera",
    "away": " away from the camera",
    None: "",
}
POSITIONS = {
    "left": " on the left",
    "middle": " in the middle",
    "right": " on the right",
    "both_sides": " on both sides",
    None: "",
}
SKIES = {"clear": "The sky is clear{}.", "overcast": "Clouds cover the sky.", "night": "The night sky is dark."}
NUMBERS = ("no", "a", "two", "three", "four", "five")
ANGLES = {
    "eye_level": "at eye level",
    "low": "from a low angle",
    "high": "from a high angle",
    "over_the_shoulder": "over the shoulder of a figure in front",
}
_PLURAL = re.compile(  # a noun that stands for several things, or that is counted already
    r"[^sui]s$|^(?:two|three|four|five|six|several|some|many|few|a few|people)\b|\bpeople$", re.IGNORECASE
)
AMOUNTS = {"slightly": " slightly", "clearly": "", "far": " far", None: ""}
