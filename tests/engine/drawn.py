# SPDX-License-Identifier: GPL-3.0-or-later
"""A drawn scene whose every motion is known: a picture that pans behind a crate that goes its own way, with the tracks
and outlines that Blender's side would write of it."""

import json

import cv2
import numpy as np

SIZE = 192, 112
FRAMES = 21
PAN = 1.5  # pixels a frame, to the left
CRATE = np.array([44, 52])  # its top left corner in the first frame
SIDES = 40, 36
CRATE_MOVES = 2.5  # pixels a frame, to the right
CELLS = 48, 27


def texture(seed, height, width, coarse):
    noise = np.random.default_rng(seed).normal(0, 1, (height, width, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), coarse)
    return 128 + 40 * soft / soft.std()


BACKGROUND, PAINT = texture(1, SIZE[1], 400, 3.0) * [0.8, 1.0, 0.7], texture(2, *SIDES[::-1], 2.0) * [1.2, 0.5, 0.4]


def corner(time):
    return CRATE + np.array([CRATE_MOVES * time, 0.0])


def draw(time, crates=((0, 0),), pan=PAN, moves=CRATE_MOVES):
    """The frame at a time, with a crate at each of these places against its own; uint8."""
    shift = np.float32([[1, 0, -pan * time - 40], [0, 1, 0]])
    picture = cv2.warpAffine(BACKGROUND.astype(np.float32), shift, SIZE, flags=cv2.INTER_LINEAR)
    cover = np.ones(SIDES[::-1], np.float32)
    for place in crates:
        x, y = CRATE + np.array([moves * time, 0.0]) + place
        to = np.float32([[1, 0, x], [0, 1, y]])
        crate = cv2.warpAffine(PAINT.astype(np.float32), to, SIZE, borderMode=cv2.BORDER_REPLICATE)
        there = cv2.warpAffine(cover, to, SIZE)[..., None]
        picture = picture * (1 - there) + crate * there
    return np.clip(picture, 0, 255).astype(np.uint8)


def clip(times=range(FRAMES), **scene):
    return np.stack([draw(time, **scene) for time in times])


def covered(place, time):
    x, y = place - corner(time)
    return 0 <= x < SIDES[0] and 0 <= y < SIDES[1]


def write_tracks(path):
    """What Blender's side would write of the scene."""
    width, height = SIZE
    tracks = []
    for x in np.arange(6, width, 12):
        for y in np.arange(6, height, 12):
            points = []
            for time in range(FRAMES):
                place = np.array([x - PAN * time, y])
                seen = 0 <= place[0] < width and not covered(place, time)
                points.append([*map(float, place), 10.0, bool(seen)])
            tracks.append({"object": "Wall", "start": 0, "still": True, "points": points})
    for x in np.arange(5, SIDES[0], 10):
        for y in np.arange(5, SIDES[1], 10):
            places = [corner(time) + np.array([x, y]) for time in range(FRAMES)]
            points = [[float(px), float(py), 5.0, bool(0 <= px < width)] for px, py in places]
            tracks.append({"object": "Crate", "start": 0, "still": False, "points": points})
    told = {
        "schema": "wan_previs.tracks/1", "size": list(SIZE), "frames": [float(t) for t in range(1, FRAMES + 1)],
        "tracks": tracks, "outlines": [outline(time) for time in range(0, FRAMES, 4)],
    }  # fmt: skip
    path.write_text(json.dumps(told))
    return path


def outline(time):
    across, down = CELLS
    middles = [
        [np.array([(c + 0.5) * SIZE[0] / across, (r + 0.5) * SIZE[1] / down]) for c in range(across)]
        for r in range(down)
    ]
    x, y = corner(time)
    right, bottom = x + SIDES[0], y + SIDES[1]
    along = [[a, b, 1] for a in np.arange(x, right, 4.0) for b in (y, bottom)]
    along += [[a, b, 1] for b in np.arange(y, bottom, 4.0) for a in (x, right)]
    return {
        "frame": time, "things": [{"object": "Wall", "instance": False}, {"object": "Crate", "instance": False}],
        "map": [[int(covered(place, time)) for place in row] for row in middles],
        "points": [[float(a), float(b), thing] for a, b, thing in along],
    }  # fmt: skip
