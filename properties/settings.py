# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user sets, saved with the file."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from .. import previs
from .choices import (
    CODECS,
    EXPERTS,
    GUIDES,
    LEAST_REFINING,
    MODELS,
    MODES,
    OFFLOADS,
    PRECISIONS,
    PRESETS,
    SIZES,
    TRUTHS,
    UPSCALES,
)
from .rows import WanPrevisLine, WanPrevisShot

_MODE_NAMES = {identifier: name for identifier, name, _, _ in MODES}


def _words_changed(changed: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    """The user's words are part of the prompts. A scene that is not in the window is marked stale by `outdated`; a
    template that cannot be used is told of by the panel."""
    scene = changed.id_data
    if scene == context.scene and scene.wan_previs.shots and not previs.why_no_template(scene.wan_previs.template):
        bpy.ops.wan_previs.read_shots()


def _model_changed(changed: WanPrevisScene, context: bpy.types.Context) -> None:
    changed.look_at_model()


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


class WanPrevisLora(bpy.types.PropertyGroup):
    """A LoRA file that changes the model."""

    path: StringProperty(name="LoRA", description="A LoRA file for the model", subtype="FILE_PATH")
    strength: FloatProperty(
        name="Strength", description="How strongly it counts", default=1.0, soft_min=0.0, soft_max=2
    )
    expert: EnumProperty(name="Expert", description="Which part of the model it changes", items=EXPERTS, default="auto")


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
    model: EnumProperty(
        name="Model", description="The video model that makes the clips", items=MODELS, update=_model_changed
    )
    checkpoint: StringProperty(
        name="Model Folder",
        description="The folder of a Wan 2.2 model as it was published",
        subtype="DIR_PATH",
        update=_model_changed,
    )
    precision: EnumProperty(
        name="Precision", description="How exactly the model calculates", items=PRECISIONS, default="auto"
    )
    able: StringProperty(name="The modes that the model can do, best first, with commas; empty: not known")
    mode: EnumProperty(
        name="Guided by", description="What of the scene the model gets to see", items=MODES, default="AUTO"
    )
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
    guide_light: EnumProperty(
        name="Light",
        description="How firmly the clip's light is held to the scene's",
        items=GUIDES,
        default="gentle",
    )
    light_truth: EnumProperty(name="Follows", description="What tells how the light should go", items=TRUTHS)
    deflicker: BoolProperty(
        name="Deflicker", description="Take flicker and sudden jumps that the scene does not have out of finished clips"
    )
    match_color: BoolProperty(
        name="Match Colors", description="Hold the colors of finished clips to the first frame and the scene's light"
    )
    upscale: EnumProperty(name="Upscale", description="How much larger finished clips are made", items=UPSCALES)
    upscale_model: StringProperty(
        name="Upscaler",
        description="The file of a learned upscaling model. Empty: the built-in way",
        subtype="FILE_PATH",
    )
    interpolation_model: StringProperty(
        name="Interpolator",
        description="The ONNX file of a learned model that makes the frames between the model's own. Empty: by optical "
        "flow",
        subtype="FILE_PATH",
    )
    refine: FloatProperty(
        name="Refine",
        description="Let the model redraw the upscaled clip from this noise level: more detail, much more time. 0: off",
        min=0.0,
        max=0.6,
    )
    codec: EnumProperty(name="Format", description="What clips are written as", items=CODECS)
    preset: EnumProperty(name="Preset", description="How the model is sampled", items=PRESETS)
    offload: EnumProperty(
        name="Memory", description="How much of the model stays in memory", items=OFFLOADS, default="auto"
    )
    step_cache: FloatProperty(
        name="Step Cache",
        description="Reuse what was computed while it changes less than this, such as 0.05: faster, not exact. 0: off",
        min=0.0,
        max=1.0,
        soft_max=0.3,
    )
    vae_tiles: EnumProperty(
        name="Decode Tiles",
        description="Decode the picture in tiles of this many pixels: less memory, not exact",
        items=[("0", "Off", "The picture is decoded whole"), *((n, n, f"Tiles of {n} pixels") for n in ("512", "256"))],
    )
    loras: CollectionProperty(type=WanPrevisLora)
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

    def look_at_model(self) -> None:
        """Finds out what the chosen model can do, for panels that only read."""
        self.able = ",".join(previs.modes_of(self.chosen_model)) if self.chosen_model else ""

    @property
    def chosen_model(self) -> str:
        """As `previs.Settings` names it; "" while no folder is chosen."""
        return self.checkpoint if self.model == "CUSTOM" else "nano"

    @property
    def mode_words(self) -> str:
        """What Automatic comes to; "" for a mode that was chosen, or while the model is not known."""
        return _MODE_NAMES[self.able.split(",")[0].upper()] if self.able and self.mode == "AUTO" else ""

    @property
    def why_not_mode(self) -> str:
        """Why the model cannot do the chosen mode, and what it can; "" where it can."""
        able = self.able.upper().split(",") if self.able else []
        if not able or self.mode in ("AUTO", *able):
            return ""
        return f'This model cannot do "{_MODE_NAMES[self.mode]}", but: ' + ", ".join(_MODE_NAMES[mode] for mode in able)

    def finishing(self) -> dict[str, Any]:
        """What is done to finished clips, as fields of `previs.Settings`."""
        repairs = {"deflicker": self.deflicker, "color": self.match_color}
        return {
            "correct": tuple(name for name, wanted in repairs.items() if wanted),
            "upscale": int(self.upscale),
            "upscale_model": bpy.path.abspath(self.upscale_model) or None,
            "interpolation_model": bpy.path.abspath(self.interpolation_model) or None,
            "refine": self.refine if self.refine >= LEAST_REFINING else 0.0,
            "codec": self.codec,
        }

    def tuning(self) -> dict[str, Any]:
        """How a model of the user's own is run, as fields of `previs.Settings`; the model that comes with us is
        run exactly.
        """
        if self.model != "CUSTOM":
            return {"dtype": previs.NANO_DTYPE}
        loras = (
            previs.Lora(bpy.path.abspath(lora.path), lora.strength, lora.expert.replace("auto", ""))
            for lora in self.loras
            if lora.path
        )
        return {
            "preset": None if self.preset == "NONE" else self.preset,
            "loras": tuple(loras),
            "dtype": self.precision,
            "offload": self.offload,
            "step_cache": self.step_cache,
            "vae_tiles": int(self.vae_tiles),
        }

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
