# SPDX-License-Identifier: GPL-3.0-or-later
"""Words and phrases of the English sentences, by the words of the structured prompt."""

from __future__ import annotations

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
AROUND_THEM = {"both_sides": "both sides", "around": "all around"}  # where several lamps stand
# A lamp on the camera's side of the subject need not be behind the camera.
FROM_OF_LAMP = {sector: words.removesuffix(", behind the camera") for sector, words in FROM.items()} | AROUND_THEM
FROM_STEEP = {  # of a camera that looks straight down or up
    "front": "the bottom of the picture",
    "front_left": "the bottom left of the picture",
    "front_right": "the bottom right of the picture",
    "left": "the left side",
    "right": "the right side",
    "back": "the top of the picture",
    "back_left": "the top left of the picture",
    "back_right": "the top right of the picture",
    "top": "above",
} | AROUND_THEM
BELOW = {
    "front": " behind the camera",
    "front_left": " behind the camera, to the left",
    "front_right": " behind the camera, to the right",
    "left": " on the left",
    "right": " on the right",
    "back": " behind the scene",
    "back_left": " behind the scene, to the left",
    "back_right": " behind the scene, to the right",
    "top": "",
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
    "under": "right under the objects",
}
FALL_STEEP = {
    "away": "toward the top of the picture",
    "away_right": "toward the top right of the picture",
    "away_left": "toward the top left of the picture",
    "right": "to the right",
    "left": "to the left",
    "toward": "toward the bottom of the picture",
    "toward_right": "toward the bottom right of the picture",
    "toward_left": "toward the bottom left of the picture",
    "under": "right under the objects",
}
SUN_TURN = {
    "left": "moves{} to the left",
    "right": "moves{} to the right",
    "back": "moves{} toward the back",
    "front": "moves{} toward the front",
    "clockwise": "circles clockwise around the scene",
    "counterclockwise": "circles counterclockwise around the scene",
}
SUN_TURN_STEEP = {
    **SUN_TURN,
    "back": "moves{} toward the top of the picture",
    "front": "moves{} toward the bottom of the picture",
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
SLIDE_STEEP = {
    **SLIDE,
    "back": "slide toward the top of the picture",
    "front": "slide toward the bottom of the picture",
}
VIEW_TURN = {
    "left": "comes around to the left",
    "right": "comes around to the right",
    "back": "comes around to the back",
    "front": "comes around to the front",
    "clockwise": "circles clockwise around the scene",
    "counterclockwise": "circles counterclockwise around the scene",
}
VIEW_TURN_STEEP = {
    **VIEW_TURN,
    "back": "comes around to the top of the picture",
    "front": "comes around to the bottom of the picture",
}
WHEN = {
    "early": "Early in the shot",
    "halfway": "Halfway through the shot",
    "late": "Late in the shot",
    "later": "A little later",
}
LAMPS = {"lamp": "lamp", "spotlight": "spotlight", "panel": "light panel", "beam": "light beam"}
ROLES = {  # what one light does, and several
    "key": ("lights the scene", "light the scene"),
    "fill": ("brightens the shadows", "brighten the shadows"),
    "rim": ("draws bright edges", "draw bright edges"),
}
LAMP_CHANGES = {  # what one light does over time, and several
    "comes_on": ("comes on", "come on"),
    "fades_in": ("fades in", "fade in"),
    "goes_out": ("goes out", "go out"),
    "fades_out": ("fades out", "fade out"),
    "brightens": ("grows brighter", "grow brighter"),
    "dims": ("grows dimmer", "grow dimmer"),
    "flickers": ("flickers", "flicker"),
}
SIDE = {  # of something in the picture
    "left": " on the left",
    "front_left": " on the left",
    "back_left": " on the left",
    "right": " on the right",
    "front_right": " on the right",
    "back_right": " on the right",
    "both_sides": " on both sides",
}
AROUND = " around the scene"  # what an arc goes around, told once
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
    "arc_left": "arcs{} to the left" + AROUND,
    "arc_right": "arcs{} to the right" + AROUND,
    "tracking": "follows the moving subject",
    "handheld": "sways",
    "dolly_zoom": "makes a dolly zoom",
}
BACK = {  # how a move that is undone goes on
    "push_in": " and out again",
    "pull_back": " and in again",
    "pedestal_up": " and sinks again",
    "pedestal_down": " and rises again",
    "tilt_up": " and down again",
    "tilt_down": " and up again",
    "zoom_in": " and out again",
    "zoom_out": " and in again",
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
    "across": " across the picture",
    None: "",
}
SKIES = {"clear": "The sky is clear{}.", "overcast": "Clouds cover the sky.", "night": "The night sky is dark."}
ANGLES = {
    "eye_level": "at eye level",
    "low": "from a low angle",
    "high": "from a high angle",
    "over_the_shoulder": "over the shoulder of a figure in front",
}
MOTIONS = {  # what one thing does, and several
    "moving": ("moves", "move"),
    "turning": ("turns", "turn"),
    "deforming": ("moves in place", "move in place"),
}
AMOUNTS = {"slightly": " slightly", "clearly": "", "far": " far", "fast": " fast", None: ""}
