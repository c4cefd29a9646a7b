# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: one example scene through everything, with the shipped checkpoint. Run with Blender's side: `make demo`.

    python -m tools.demo OUT [SCENE.blend]

Leaves in OUT the .blend with its strips, the clips (in their job folders) and a contact sheet per shot: the scene as
Blender renders it above, the generated frames below, the sun's height and bearing under them.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import bpy
from wan_previs import cli, previs
from wan_previs.bridge.environment import find_engine
from wan_previs.conditioning import render_first_last

ROOT = Path(__file__).resolve().parents[1]
SCENE = ROOT / "examples" / "courtyard_sunrise.blend"
COLUMNS = 5
PICTURE = (480, 270)


def main(out: Path, file: Path) -> int:
    out.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.open_mainfile(filepath=str(file))
    saved = out / file.name
    status = cli.main(["render", "--output", str(out / "jobs"), "--save", str(saved), "--seed", "7"])
    if status:
        return status
    scene = bpy.context.scene
    brief, _warnings = previs.read_shots(scene)
    for shot in brief.shots:
        clip = Path(previs.takes_of(scene, shot.name)[-1].folder) / "clip.mp4"
        frames = [round(shot.frame_start + i * (shot.frame_count - 1) / (COLUMNS - 1)) for i in range(COLUMNS)]
        print(f"Rendering {len(frames)} frames of {shot.name} for comparison", file=sys.stderr, flush=True)
        columns = [column(scene, shot, frame, out / "compare") for frame in frames]
        sheet = out / f"{file.stem}-{shot.name}.png"
        spec = {"title": f"{file.stem}: {shot.name}", "clip": str(clip), "columns": columns, "out": str(sheet)}
        make_sheet(spec)
        print(f"Contact sheet: {sheet}\nClip: {clip}")
    print(f"Scene with strips: {saved}")
    return 0


def column(scene: bpy.types.Scene, shot, frame: int, folder: Path) -> dict:
    """One column of the sheet: the scene rendered at the frame, which frame of the clip it is, and the sun there."""
    moment = dataclasses.replace(shot, frame_start=frame, frame_end=frame)
    picture = render_first_last(scene, moment, PICTURE, folder / f"{shot.name}-{frame:04d}", last=False)["first"]
    return {"frame": frame, "index": frame - shot.frame_start, "picture": str(picture), "sun": sun_at(shot, frame)}


def sun_at(shot, frame: int) -> dict | None:
    """Elevation and azimuth at a frame, interpolated between the brief's samples."""
    if shot.sun is None:
        return None
    samples = shot.sun.samples
    after = next(s for s in samples if s.frame >= frame)
    before = max((s for s in samples if s.frame <= frame), key=lambda s: s.frame)
    share = 0.0 if after.frame == before.frame else (frame - before.frame) / (after.frame - before.frame)
    turn = (after.azimuth_deg - before.azimuth_deg + 180) % 360 - 180
    return {
        "elevation": before.elevation_deg + share * (after.elevation_deg - before.elevation_deg),
        "azimuth": (before.azimuth_deg + share * turn) % 360,
    }


def make_sheet(spec: dict) -> None:
    python = find_engine(None, ROOT, ROOT / "engine").python
    command = [str(python), "-m", "tools.contact_sheet"]
    subprocess.run(command, input=json.dumps(spec), text=True, check=True, cwd=ROOT)


if __name__ == "__main__":
    code = main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else SCENE)
    sys.stdout.flush()
    os._exit(code)  # bpy 4.5 does not always end cleanly
