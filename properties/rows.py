# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that panels draw: lines of words and the shots as last read."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, CollectionProperty, IntProperty, PointerProperty, StringProperty


class WanPrevisLine(bpy.types.PropertyGroup):
    """A line for the user: something wrong, or a finding."""

    text: StringProperty()
    ok: BoolProperty()


class WanPrevisReference(bpy.types.PropertyGroup):
    """A picture of what the scene, a collection or an object is to look like."""

    image: PointerProperty(
        name="Picture", description="What it is to look like", type=bpy.types.Image,
        poll=lambda _owner, image: image.source == "FILE",
    )  # fmt: skip
    origin: StringProperty(name="From", description="The take and the frame that the picture is from")


class WanPrevisFound(bpy.types.PropertyGroup):
    """What was found on the disk of a shot of a scene: work that can go on, or a clip that is done."""

    scene: StringProperty(name="The scene, by its number in this session")
    shot: StringProperty(name="Shot")
    words: StringProperty(name="What a button says that goes on with it")
    number: IntProperty(name="The take's number")
    job: StringProperty(name="The job's identifier")


class WanPrevisShot(bpy.types.PropertyGroup):
    """A shot as it was last read: its facts in words, ready to be drawn."""

    name: StringProperty(name="Shot")
    frames: StringProperty(name="Frames")
    clip: StringProperty(name="What the model makes of it")
    camera: StringProperty(name="Camera")
    move: StringProperty(name="Move")
    framing: StringProperty(name="Framing")
    light: StringProperty(name="Time of day")
    sun_height: StringProperty(name="Sun height")
    sun_compass: StringProperty(name="Sun azimuth")
    sun_side: StringProperty(name="Light from")
    references: StringProperty(name="Reference pictures")
    reference_count: IntProperty(name="How many reference pictures")
    prompt: StringProperty(name="Prompt")
    frame_count: IntProperty(name="Length in frames")
    contradictions: CollectionProperty(type=WanPrevisLine)


def read_source(scene: bpy.types.Scene) -> str:
    """A cheap summary of what cuts a scene into shots and words its prompts; reading it changes nothing."""
    markers = sorted(
        (marker.frame, marker.name, marker.camera.name) for marker in scene.timeline_markers if marker.camera
    )
    camera = scene.camera.name if scene.camera else ""
    render = scene.render
    rate = render.fps / render.fps_base
    words = scene.wan_previs.wording()
    return repr((markers, camera, scene.frame_start, scene.frame_end, rate, words))


def outdated(scene: bpy.types.Scene) -> bool:
    """Whether the shots were cut differently since they were read. (Moved objects are not noticed.)"""
    return scene.wan_previs.read_from != read_source(scene)
