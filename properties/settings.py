# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user sets, saved with the file."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from .. import previs
from ..compat import path_options
from ..wan_engine.option_kinds import Size
from .choices import EXPERTS, MODELS, SIZES, property_of, stored
from .old_files import OldOptions
from .rows import WanPrevisLine, WanPrevisReference, WanPrevisShot

_MODE: Any = previs.OPTIONS["mode"].kind
_MODES = {choice.value: choice.title for choice in _MODE.choices}
# Options that several properties make up.
_COMPOSED = ("model", "size", "loras", "references")
_FOR_OWN_MODEL = {name for name, option in previs.OPTIONS.items() if option.group == "model"}
_SIDE = {"min": 16, "max": Size.high, "soft_max": 1920}
_SINGLE = [option for name, option in previs.OPTIONS.items() if name not in _COMPOSED]


def _words_changed(changed: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    """The user's words are part of the prompts. A scene that is not in the window is marked stale by `outdated`; a
    template that cannot be used is told of by the panel."""
    scene = changed.id_data
    if scene == context.scene and scene.wan_previs.shots and not previs.why_no_template(scene.wan_previs.template):
        bpy.ops.wan_previs.read_shots()


def _model_changed(changed: WanPrevisScene, context: bpy.types.Context) -> None:
    changed.look_at_model()


def _lora_changed(changed: WanPrevisLora, context: bpy.types.Context) -> None:
    changed.id_data.wan_previs.look_at_model()


# What decides how the model makes the clips, and so what the rows of the shots tell of them.
_UPDATES = dict.fromkeys(("mode", "frames", "steps", "preset"), _model_changed)


def _title(mode: str) -> str:
    """A mode as the sidebar names it; one of another version, which a file may hold, by its own name."""
    return _MODES.get(mode, mode)


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
    mark: EnumProperty(
        name="In the Clip",
        description="What a clip that follows every frame does with this. A collection's mark counts for all in it "
        "that has none of its own",
        items=(
            ("none", "Follows the Scene", "As everything else"),
            ("follow", "Follow Exactly", "A clip in mode motion moves this as the scene does"),
            ("free", "Free", "The clip is not told of it, but of what is behind"),
            ("keep", "Keep as Rendered", "The clip shows it as Blender renders it; VACE models can"),
        ),
    )
    references: CollectionProperty(type=WanPrevisReference)


class WanPrevisLora(bpy.types.PropertyGroup):
    """A LoRA file that changes the model."""

    path: StringProperty(
        name="LoRA",
        description="A LoRA file for the model",
        subtype="FILE_PATH",
        options=path_options(),
        update=_lora_changed,
    )
    strength: FloatProperty(
        name="Strength", description="How strongly it counts", default=1.0, soft_min=0.0, soft_max=2
    )
    expert: EnumProperty(
        name="Expert",
        description="Which part of the model it changes",
        items=EXPERTS,
        default="auto",
        update=_lora_changed,
    )


class Options:
    """The options that one property each stores, made from the table."""

    __annotations__ = {
        option.name: property_of(option, _words_changed if option.group == "words" else _UPDATES.get(option.name))
        for option in _SINGLE
    }


class WanPrevisScene(Options, OldOptions, bpy.types.PropertyGroup):
    """The settings of a scene, and its shots as last read."""

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
        options=path_options(),
        update=_model_changed,
    )
    four_steps: StringProperty(name="What making clips in four steps saves and costs; empty: this model cannot")
    four_steps_here: BoolProperty(name="Whether what four steps need is downloaded")
    sampling_doubts: StringProperty(name="What speaks against the sampling as it is set, a line each")
    able: StringProperty(name="The modes that the model can do, best first, with commas; empty: not known")
    references_taken: IntProperty(name="How many reference pictures the model takes; -1: not known", default=-1)
    size: EnumProperty(name="Size", description="The size of the clips", items=SIZES)
    width: IntProperty(name="Width", description="Width of the clips in pixels", default=832, **_SIDE)
    height: IntProperty(name="Height", description="Height of the clips in pixels", default=480, **_SIDE)
    loras: CollectionProperty(type=WanPrevisLora)
    references: CollectionProperty(type=WanPrevisReference)
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
        """Finds out what the chosen model can do and what it makes of the shots, for panels that only read."""
        modes, self.references_taken = previs.abilities_of(self.chosen_model)
        self.able = ",".join(modes)
        settings = previs.Settings(**self.chosen(), user_dir=previs.downloads_folder(bpy.context))
        four = previs.four_steps_of(settings) if self.model == "CUSTOM" else None
        self.four_steps, self.four_steps_here = (four.words, four.is_here) if four else ("", False)
        self.sampling_doubts = "\n".join(previs.samplings_of(settings))
        render = self.id_data.render
        counts = [row.frame_count for row in self.shots]
        clips = previs.made_of(settings, counts, render.fps / render.fps_base)
        for row, clip in zip(self.shots, clips, strict=True):
            row.clip = clip

    @property
    def chosen_model(self) -> str:
        """As `previs.Settings` names it; "" while no folder is chosen."""
        return self.checkpoint if self.model == "CUSTOM" else "nano"

    @property
    def mode_in_use(self) -> str:
        """The mode that was chosen, or what Automatic comes to; "" while that is not known."""
        return self.able.split(",")[0] if self.mode == "auto" else self.mode

    @property
    def mode_words(self) -> str:
        """What Automatic comes to; "" for a mode that was chosen, or while the model is not known."""
        return _title(self.able.split(",")[0]) if self.able and self.mode == "auto" else ""

    @property
    def why_not_mode(self) -> str:
        """Why the model cannot do the chosen mode, and what it can; "" where it can."""
        able = self.able.split(",") if self.able else []
        if not able or self.mode in ("auto", *able):
            return ""
        return f'This model cannot do "{_title(self.mode)}", but: ' + ", ".join(map(_title, able))

    def chosen(self, model: str | None = None) -> dict[str, Any]:
        """What the scene holds, as fields of `previs.Settings`, for its own model or the one given instead. The model
        that comes with us is run exactly, whatever was chosen for others.
        """
        model = self.chosen_model if model is None else model
        values = {option.name: stored(self, option) for option in _SINGLE}
        values |= {
            "model": model,
            "size": (self.width, self.height) if self.size == "CUSTOM" else None,
            "loras": tuple(
                previs.Lora(bpy.path.abspath(lora.path), lora.strength, lora.expert.replace("auto", ""))
                for lora in self.loras
                if lora.path
            ),
            "shot_words": self.shot_words(),
        }
        own = model != "nano"
        return {name: value for name, value in values.items() if own or name not in _FOR_OWN_MODEL}

    def shot_words(self) -> dict[str, previs.ShotWords]:
        """The user's words about single shots, by their names."""
        return {words.name: previs.ShotWords(words.description, words.negative) for words in self.words}

    def wording(self) -> dict[str, Any]:
        """The user's words, as fields of `previs.Settings`."""
        words = {option.name: stored(self, option) for option in _SINGLE if option.group == "words"}
        return {**words, "shot_words": self.shot_words()}
