# SPDX-License-Identifier: GPL-3.0-or-later
"""A thing of any kind may stand in the view: a scene is read without crashing Blender, and what has no faces hides
nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "object_kinds.py"
FACELESS = (
    "mesh without vertices", "mesh of points", "mesh of edges", "curve", "bezier curve", "nurbs curve",
    "curve without points", "curve of one point", "animation path", "surface curve", "surface without points",
    "empty text", "text of spaces", "ball without elements", "hair", "points", "volume", "ink", "lattice", "armature",
    "empty", "picture", "force field", "curve guide", "light", "camera", "speaker", "light probe",
    "mesh, nodes: curves only", "mesh, nodes: points only", "mesh, nodes: nothing", "mesh, nodes: wire from curve",
    "curve, nodes: curves only", "curve with a bevel, nodes: curves only", "text, nodes: points only",
    "mesh of edges, BUILD", "curve, placed by an empty", "curve, placed by nodes",
)  # fmt: skip
HIDING = (
    "mesh",
    "ball",
    "surface sphere",
    "curve, nodes: mesh",
    "curve with a bevel, nodes: mesh",
    "mesh, placed by an empty",
)


@pytest.fixture(scope="module")
def found():
    """Case -> names of the subjects read, from a process that a crash takes along alone."""
    ran = subprocess.run([sys.executable, PROGRAM], capture_output=True, text=True, timeout=1800, cwd=PROGRAM.parent)
    lines = ran.stdout.splitlines()
    started = [line for line in lines if line.startswith("begin ")]
    assert ran.returncode == 0, f"status {ran.returncode} at {started[-1:]}: {ran.stderr[-2000:]}"
    return dict(json.loads(line.removeprefix("read ")) for line in lines if line.startswith("read "))


def test_every_kind_is_read(found):
    assert len(found) > 300


@pytest.mark.parametrize("name", FACELESS)
def test_what_has_no_faces_hides_nothing(found, name):
    assert "crate" in found[name]


@pytest.mark.parametrize("name", HIDING)
def test_what_has_faces_hides_what_is_behind_it(found, name):
    assert "crate" not in found[name]
