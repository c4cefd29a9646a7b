# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user sets and sees: `scene.wan_previs` (saved with the file) and `window_manager.wan_previs` (this session).

The second mirrors the running generation for the panels; it is emptied whenever a file is loaded.
"""

from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

MODELS = (
    ("NANO", "Nano", "The small model that comes with Wan Previs: quick and rough, for trying things out"),
    ("CUSTOM", "From Folder", "A model in a folder of yours"),
)
MODES = (
    ("FIRST_LAST", "First and Last Frame", "The clip starts and ends with the scene as Blender renders it"),
    ("FIRST", "First Frame", "The clip starts with the scene as Blender renders it, the rest is free"),
    ("TEXT", "Prompt Only", "The clip follows the prompt alone; nothing is rendered in Blender"),
)
SIZES = (
    ("MODEL", "As the Model Likes", "The size that the model was made for"),
    ("CUSTOM", "Choose", "A width and height of your own; with frames from the scene only the area counts"),
)
PRECISIONS = (
    ("float32", "Full", "Exact, and needs the most memory"),
    ("bfloat16", "Half", "Half the memory; best for large models"),
)


class WanPrevisShot(bpy.types.PropertyGroup):
    """A shot as it was last read: its facts in words, ready to be drawn."""

    name: StringProperty(name="Shot")
    frames: StringProperty(name="Frames")
    camera: StringProperty(name="Camera")
    move: StringProperty(name="Move")
    framing: StringProperty(name="Framing")
    light: StringProperty(name="Time of day")
    sun_height: StringProperty(name="Sun height")
    sun_compass: StringProperty(name="Sun azimuth")
    sun_side: StringProperty(name="Light from")
    prompt: StringProperty(name="Prompt")


class WanPrevisLine(bpy.types.PropertyGroup):
    """A line for the user: something wrong, or a finding."""

    text: StringProperty()
    ok: BoolProperty()


def _description_changed(settings: WanPrevisScene, context: bpy.types.Context) -> None:
    """The description is part of every prompt. A scene that is not in the window is marked stale by `outdated`."""
    if settings.shots and settings.id_data == context.scene:
        bpy.ops.wan_previs.read_shots()


class WanPrevisScene(bpy.types.PropertyGroup):
    """The settings of a scene, and its shots as last read."""

    description: StringProperty(
        name="Description",
        description="Your own words about the scene: place, materials, mood. They become part of every prompt",
        update=_description_changed,
    )
    model: EnumProperty(name="Model", description="The video model that makes the clips", items=MODELS)
    checkpoint: StringProperty(
        name="Model Folder", description="The folder of a Wan 2.2 model as it was published", subtype="DIR_PATH"
    )
    precision: EnumProperty(name="Precision", description="How exactly the model calculates", items=PRECISIONS)
    mode: EnumProperty(name="Guided by", description="What of the scene the model gets to see", items=MODES)
    size: EnumProperty(name="Size", description="The size of the clips", items=SIZES)
    width: IntProperty(name="Width", description="Width of the clips in pixels", default=832, min=16, soft_max=1920)
    height: IntProperty(name="Height", description="Height of the clips in pixels", default=480, min=16, soft_max=1920)
    steps: IntProperty(
        name="Steps",
        description="More steps take longer and look cleaner. 0 uses as many as the model likes",
        min=0,
        soft_max=60,
        max=1000,
    )
    seed: IntProperty(name="Seed", description="Another number gives another take of the same shot", min=0)
    output: StringProperty(
        name="Output",
        description='Where clips go. Empty: a folder named "previs" beside the .blend file',
        subtype="DIR_PATH",
    )
    shots: CollectionProperty(type=WanPrevisShot)
    active_shot: IntProperty(name="Shot", description="The shot whose facts are shown and which Generate makes")
    warnings: CollectionProperty(type=WanPrevisLine)
    read_from: StringProperty(name="What the shots were read from")

    @property
    def active(self) -> WanPrevisShot | None:
        """The active shot's row."""
        return self.shots[self.active_shot] if 0 <= self.active_shot < len(self.shots) else None


class WanPrevisSession(bpy.types.PropertyGroup):
    """The work that runs now, and what became of the last one."""

    running: BoolProperty()
    cancelling: BoolProperty()
    title: StringProperty(name="What is being done")
    status: StringProperty(name="The running step")
    fraction: FloatProperty(min=0.0, max=1.0)
    result: StringProperty(name="What the last work has made")
    folder: StringProperty(name="Where the last clip is")
    errors: CollectionProperty(type=WanPrevisLine)
    findings: CollectionProperty(type=WanPrevisLine)

    def begin(self, title: str) -> None:
        """New work starts; what the last one said is forgotten."""
        self.running, self.cancelling = True, False
        self.title, self.status, self.fraction, self.result = title, "Starting", 0.0, ""
        self.errors.clear()

    def end(self, errors: list[str], result: str = "") -> None:
        """The work is over."""
        self.running = self.cancelling = False
        self.status, self.fraction, self.result = "", 0.0, result
        self.errors.clear()
        for error in errors:
            self.errors.add().text = error


def read_source(scene: bpy.types.Scene) -> str:
    """A cheap summary of what cuts a scene into shots and words its prompts; reading it changes nothing."""
    markers = sorted(
        (marker.frame, marker.name, marker.camera.name) for marker in scene.timeline_markers if marker.camera
    )
    camera = scene.camera.name if scene.camera else ""
    render = scene.render
    rate = render.fps / render.fps_base
    return repr((markers, camera, scene.frame_start, scene.frame_end, rate, scene.wan_previs.description))


def outdated(scene: bpy.types.Scene) -> bool:
    """Whether the shots were cut differently since they were read. (Moved objects are not noticed.)"""
    return scene.wan_previs.read_from != read_source(scene)


CLASSES = (WanPrevisShot, WanPrevisLine, WanPrevisScene, WanPrevisSession)


def attach() -> None:
    """Hang the properties on scenes and the window manager; their classes are registered."""
    bpy.types.Scene.wan_previs = PointerProperty(type=WanPrevisScene)
    bpy.types.WindowManager.wan_previs = PointerProperty(type=WanPrevisSession)


def detach() -> None:
    """Take them off again."""
    del bpy.types.WindowManager.wan_previs
    del bpy.types.Scene.wan_previs
