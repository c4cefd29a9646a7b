# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen where, and where it ends, by rays of Blender's own frame of view."""

from itertools import pairwise

import bpy
import numpy as np
import pytest
from passes_scene import SIZE, make_scene, set_between
from test_tracks import ray, written
from wan_previs.conditioning.passes.outlines import GRID

ACROSS, DOWN = SIZE[0] / GRID[0], SIZE[1] / GRID[1]  # pixels of a cell
CLOSE = 2**-5  # of a cell, as near as the way between two middles is halved to
TOUCHES = 0.03  # of the distance


@pytest.fixture
def stage(blank_scene):
    """Two crates over a ground, three balls that are one mesh, and what no render shows."""
    make_scene(blank_scene)
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.5, segments=12, ring_count=8)
    ball = bpy.context.object
    ball.name = "Ball"
    group = bpy.data.collections.new("Balls")
    group.objects.link(ball)
    blank_scene.collection.objects.unlink(ball)
    for number, x in enumerate((-0.4, 1.4, 3.0)):
        item = bpy.data.objects.new(f"Place {number}", None)
        item.instance_type, item.instance_collection = "COLLECTION", group
        item.location = (x, -1.0 - number / 2, 0.8)
        blank_scene.collection.objects.link(item)
    bpy.ops.mesh.primitive_cube_add(size=2, location=(0, -4, 2))
    bpy.context.object.name, bpy.context.object.hide_render = "Helper", True
    return blank_scene


def seen_at(scene, depsgraph, x, y):
    """((name, where a copy lies), distance) of what a ray meets at a place in pixels, through what no render shows."""
    origin, way = ray(scene, depsgraph, x, y)
    start = origin
    while True:
        found, place, _, _, item, matrix = scene.ray_cast(depsgraph, start, way)
        if not found:
            return None, np.inf
        if not item.hide_render:
            where = tuple(round(value, 3) for value in matrix.translation) if item.name == "Ball" else ()
            return (item.name, where), (place - origin).length
        start = place + way * 1e-4


def test_what_is_seen_and_where_it_ends_is_what_rays_meet(stage, tmp_path):
    told = written(stage, tmp_path)
    assert [outline["frame"] for outline in told["outlines"]] == [0, 2, 4]
    seen = set()
    for outline in told["outlines"]:
        depsgraph = set_between(stage, told["frames"][outline["frame"]])
        middles = [
            [seen_at(stage, depsgraph, (column + 0.5) * ACROSS, (row + 0.5) * DOWN)[0] for column in range(GRID[0])]
            for row in range(GRID[1])
        ]
        things = match(outline, middles)
        seen |= {thing for thing in things.values() if thing is not None}
        for number, thing in enumerate(outline["things"]):
            if number in things:
                assert (thing["object"], thing["instance"]) == (things[number][0], thing["object"] == "Ball")
        changes = sum(a != b for row in (*middles, *zip(*middles, strict=True)) for a, b in pairwise(row))
        assert len(outline["points"]) == changes > 40
        behind = [check_point(stage, depsgraph, (x, y), outline["things"][owner]) for x, y, owner in outline["points"]]
        assert sum(behind) > len(behind) / 2
    assert {name for name, _ in seen} == {"Ground", "Still", "Moving", "Ball"} and len(seen) == 6


def match(outline, middles):
    """Of each number in the map the one thing that rays meet wherever it stands."""
    things = {}
    for numbers, row in zip(outline["map"], middles, strict=True):
        for number, thing in zip(numbers, row, strict=True):
            assert (number == -1) == (thing is None)
            assert things.setdefault(number, thing) == thing
    assert len(set(things.values())) == len(things)
    return things


def check_point(scene, depsgraph, point, thing):
    """On its two sides, along the line of middles that it lies on, rays meet two things; the nearer one is its own, but
    where they touch. Says whether they do not."""
    in_column = abs(point[0] / ACROSS % 1 - 0.5) < 1e-2
    assert in_column or abs(point[1] / DOWN % 1 - 0.5) < 1e-2
    step = np.array([0.0, DOWN] if in_column else [ACROSS, 0.0]) * CLOSE
    (one, near), (other, far) = (seen_at(scene, depsgraph, *(point + sign * step)) for sign in (-1, 1))
    owners = [one, other] if abs(near - far) < TOUCHES * min(near, far) else [one if near < far else other]
    assert one != other and thing["object"] in [owner[0] for owner in owners if owner is not None], point
    return len(owners) == 1
