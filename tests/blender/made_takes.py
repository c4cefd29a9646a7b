# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes of a few pictures, finished without an engine."""

import json

import bpy
from wan_previs.previs.jobs import new_folder
from wan_previs.previs.takes import import_take


def finish(job, frames=2):
    """Lay a clip of so many pictures and what belongs to it into the folder."""
    (job.path / "clip").mkdir()
    image = bpy.data.images.new("frame", 8, 8)
    image.file_format = "PNG"
    for number in range(1, frames + 1):
        image.filepath_raw = str(job.path / "clip" / f"frame_{number:04d}.png")
        image.save()
    bpy.data.images.remove(image)
    job.request.write_text(json.dumps({"prompt": "a street", "seed": 1, "checkpoint": "nano"}))
    job.report.write_text(json.dumps({"clip": {"path": "clip"}}))
    job.mark_ended("done", "", 0)


def made(scene, settings, shot="Wide"):
    job = new_folder(scene, settings, shot)
    finish(job)
    return import_take(scene, shot, range(1, 3), job), job
