# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user sets and sees: `scene.wan_previs` (saved with the file) and `window_manager.wan_previs` (this session).

The second mirrors the running generation for the panels; it is emptied whenever a file is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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

from . import previs

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


class WanPrevisLine(bpy.types.PropertyGroup):
    """A line for the user: something wrong, or a finding."""

    text: StringProperty()
    ok: BoolProperty()


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
    contradictions: CollectionProperty(type=WanPrevisLine)


def _words_changed(changed: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    """The user's words are part of the prompts. A scene that is not in the window is marked stale by `outdated`; a
    template that cannot be used is told of by the panel."""
    scene = changed.id_data
    if scene == context.scene and scene.wan_previs.shots and not previs.why_no_template(scene.wan_previs.template):
        bpy.ops.wan_previs.read_shots()


class WanPrevisWords(bpy.types.PropertyGroup):
    """The user's words about one shot; it is found by the shot's name and outlives a change of the cuts."""

    name: StringProperty(name="Shot")
    description: StringProperty(name="Shot Description")
    negative: StringProperty(name="Not in This Shot")


def _active_words(field: str) -> dict[str, Any]:
    """`get` and `set` of a property that shows the words about the active shot."""

    def read(settings: WanPrevisScene) -> str:
        words = settings.words_of(settings.active.name) if settings.active else None
        return getattr(words, field) if words else ""

    def write(settings: WanPrevisScene, text: str) -> None:
        if settings.active is None:
            return
        words = settings.words_of(settings.active.name)
        if words is None:
            words = settings.words.add()
            words.name = settings.active.name
        setattr(words, field, text)

    return {"get": read, "set": write}


class WanPrevisThing(bpy.types.PropertyGroup):
    """What the user says about an object, or about a collection as one thing."""

    description: StringProperty(
        name="Description",
        description="What this is, in the prompt's words, such as: a rusty fishing boat. Empty: its name tells",
    )


class WanPrevisScene(bpy.types.PropertyGroup):
    """The settings of a scene, and its shots as last read."""

    description: StringProperty(
        name="Description",
        description="Your own words about the scene: place, materials, mood. They become part of every prompt",
        update=_words_changed,
    )
    style: StringProperty(
        name="Style",
        description="The look of the whole film, such as: cinematic, 35mm film look. It opens every prompt",
        update=_words_changed,
    )
    negative: StringProperty(
        name="Avoid",
        description="What no clip may look like, besides what the model avoids anyway",
        update=_words_changed,
    )
    template: StringProperty(
        name="Template",
        description="The parts of a prompt in their order, with words of your own between them",
        default=previs.DEFAULT_TEMPLATE,
        update=_words_changed,
    )
    words: CollectionProperty(type=WanPrevisWords)
    shot_description: StringProperty(
        name="Shot Description",
        description="Your own words about this shot: what happens, who is seen. They become part of its prompt",
        update=_words_changed,
        **_active_words("description"),
    )
    shot_negative: StringProperty(
        name="Avoid Here",
        description="What this shot must not look like, besides what is avoided in all shots",
        update=_words_changed,
        **_active_words("negative"),
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

    def words_of(self, shot: str) -> WanPrevisWords | None:
        """The user's words about the shot of that name."""
        return next((words for words in self.words if words.name == shot), None)

    def wording(self) -> dict[str, Any]:
        """The user's words, as fields of `previs.Settings`."""
        shots = {words.name: previs.ShotWords(words.description, words.negative) for words in self.words}
        return {
            "description": self.description,
            "style": self.style,
            "negative": self.negative,
            "template": self.template,
            "shot_words": shots,
        }


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
    words = scene.wan_previs.wording()
    return repr((markers, camera, scene.frame_start, scene.frame_end, rate, words))


def outdated(scene: bpy.types.Scene) -> bool:
    """Whether the shots were cut differently since they were read. (Moved objects are not noticed.)"""
    return scene.wan_previs.read_from != read_source(scene)


CLASSES = (WanPrevisLine, WanPrevisShot, WanPrevisWords, WanPrevisThing, WanPrevisScene, WanPrevisSession)


def attach() -> None:
    """Hang the properties on scenes, objects, collections and the window manager; their classes are registered."""
    bpy.types.Scene.wan_previs = PointerProperty(type=WanPrevisScene)
    bpy.types.Object.wan_previs = PointerProperty(type=WanPrevisThing)
    bpy.types.Collection.wan_previs = PointerProperty(type=WanPrevisThing)
    bpy.types.WindowManager.wan_previs = PointerProperty(type=WanPrevisSession)


def detach() -> None:
    """Take them off again."""
    del bpy.types.WindowManager.wan_previs
    del bpy.types.Collection.wan_previs
    del bpy.types.Object.wan_previs
    del bpy.types.Scene.wan_previs


@contextmanager
def available() -> Iterator[None]:
    """The properties are there, also where the package runs without being switched on as an extension; then they are
    taken off again at the end. What a file holds of them shows as soon as they are there."""
    if hasattr(bpy.types.Scene, "wan_previs"):
        yield
        return
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    attach()
    try:
        yield
    finally:
        detach()
        for cls in reversed(CLASSES):
            bpy.utils.unregister_class(cls)
