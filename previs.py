# SPDX-License-Identifier: GPL-3.0-or-later
"""The one orchestration of a shot: brief -> prompt -> frames -> job -> strip. Every face of the product calls this.

Nothing here draws, asks or prints. Errors are `SceneError`, `WanError` or `JobError`/`SequencerError`, all with words
for the user and an `exit_status`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import bpy

from . import conditioning, sequencer
from .bridge.client import EngineClient, Message, error_of
from .bridge.environment import find_engine, inspect_engine
from .bridge.jobs import JobError, JobFolder
from .prompting import DEFAULT_TEMPLATE, StructuredPrompt, TemplateError, build_prompt, joined, parse_template
from .scene.brief import Brief, SceneError, Shot
from .scene.reader import read_brief
from .wan_engine import models
from .wan_engine.outline import Outline, outline, read_own_facts
from .wan_engine.request import Cancelled, CheckpointError, GenerationRequest, UsageError, WanError

ADDON_DIR = Path(__file__).resolve().parent
NANO = ADDON_DIR / "checkpoints" / "nano"
MODES = ("first_last", "first", "text")
OurError = (SceneError, WanError, JobError, sequencer.SequencerError)


@dataclass(frozen=True)
class ShotWords:
    """The user's own words about one shot, and what it must not look like."""

    description: str = ""
    negative: str = ""


@dataclass(frozen=True)
class Settings:
    """What the user chose. `model` is "nano" or a checkpoint folder; None means the model's own default.

    `description`, `style` and `negative` are the user's words about the whole scene, `shot_words` those about single
    shots, by their names; `template` orders a prompt's parts.

    `size` is (width, height); for image modes only its area counts. `output` None puts job folders beside the .blend.
    `engine_python` and `user_dir` tell where the engine's environment is.
    """

    model: str = "nano"
    mode: str = "first_last"
    size: tuple[int, int] | None = None
    steps: int | None = None
    seed: int = 0
    dtype: str = "float32"
    description: str = ""
    style: str = ""
    negative: str = ""
    template: str = DEFAULT_TEMPLATE
    shot_words: Mapping[str, ShotWords] = field(default_factory=dict)
    output: Path | None = None
    engine_python: str | None = None
    user_dir: Path | None = None

    @property
    def checkpoint(self) -> Path:
        """The checkpoint folder."""
        return NANO if self.model == "nano" else Path(bpy.path.abspath(self.model)).resolve()


@dataclass(frozen=True)
class Finding:
    """One line of `check`: whether it is well, what it is, and what to do if not."""

    ok: bool
    what: str
    advice: str = ""


def read_shots(scene: bpy.types.Scene, names: Sequence[str] | None = None) -> tuple[Brief, list[str]]:
    """The brief of the scene's shots (all, or those named) and warnings. Raises SceneError."""
    return read_brief(scene, names)


def prompt_of(brief: Brief, shot: Shot, settings: Settings) -> StructuredPrompt:
    """The shot's structured prompt, with the user's words about the scene and the shot. Raises UsageError."""
    own = settings.shot_words.get(shot.name, ShotWords())
    check_template(settings.template)
    return build_prompt(
        brief, shot, joined(settings.description, own.description), settings.style, settings.template,
        ", ".join(filter(None, (settings.negative.strip(" ,，"), own.negative.strip(" ,，")))),
    )  # fmt: skip


def why_no_template(template: str) -> str:
    """What is wrong with a template and what to do, "" for a good one."""
    try:
        parse_template(template)
    except TemplateError as error:
        return str(error)
    return ""


def check_template(template: str) -> None:
    """Raises UsageError for a template that cannot be used."""
    if wrong := why_no_template(template):
        raise UsageError(wrong)


def contradictions_of(brief: Brief, settings: Settings) -> list[str]:
    """What the user's words claim of the shots and the scene denies, a sentence each."""
    return [warning.message for shot in brief.shots for warning in prompt_of(brief, shot, settings).warnings]


def _negative_of_model(settings: Settings) -> str:
    """The negative prompt that the engine takes by default for the checkpoint."""
    own, camera_shakes = read_own_facts(settings.checkpoint), models.I2V_14B_V21
    if "negative" in own:
        return str(own["negative"])
    return (camera_shakes if outline(settings.checkpoint).title == camera_shakes.title else models.I2V_A14B).negative


def jobs_root(settings: Settings) -> Path:
    """Where job folders go. Raises SceneError for an unsaved file without a chosen folder."""
    if settings.output is not None:
        return Path(bpy.path.abspath(str(settings.output))).resolve()
    if not bpy.data.filepath:
        raise SceneError(
            "The file has never been saved, so there is no place for its clips. Save it, or choose an output folder."
        )
    return Path(bpy.data.filepath).resolve().parent / "previs"


def prepare(scene: bpy.types.Scene, brief: Brief, shot: Shot, settings: Settings) -> JobFolder:
    """A job folder with the shot's conditioning frames and request, ready to run. Renders two frames in Blender."""
    model = outline(settings.checkpoint)
    request = request_of(brief, shot, settings, model)
    job = JobFolder.create(jobs_root(settings), shot.name)
    try:
        if settings.mode != "text":
            picture = model.picture_size(brief.resolution, settings.size)
            conditioning.render_first_last(scene, shot, picture, job.conditioning, last=settings.mode == "first_last")
        job.write_request(request)
    except BaseException as error:
        job.mark_ended("failed", str(error) or "Stopped.", getattr(error, "exit_status", 130))
        raise
    return job


def request_of(brief: Brief, shot: Shot, settings: Settings, model: Outline) -> GenerationRequest:
    """What the engine is asked for; file names are relative to the job folder. Raises UsageError."""
    if settings.mode not in MODES:
        raise UsageError(f"The mode {settings.mode!r} is unknown; choose one of {', '.join(MODES)}.")
    prompt = prompt_of(brief, shot, settings)
    request = GenerationRequest(
        checkpoint=str(settings.checkpoint),
        prompt=prompt.text("en"),
        negative=prompt.negative(_negative_of_model(settings)) if prompt.negative_text else None,
        image=None if settings.mode == "text" else "conditioning/first.png",
        last_image="conditioning/last.png" if settings.mode == "first_last" else None,
        size=settings.size or (None if settings.mode == "text" else model.area),
        steps=settings.steps,
        seed=settings.seed,
        dtype=settings.dtype,
        clip_frames=shot.frame_count,
        clip_fps=brief.fps,
        report="report.json",
    )
    request.validate()
    return request


def import_take(scene: bpy.types.Scene, shot: Shot, job: JobFolder) -> bpy.types.Strip:
    """Puts a finished job's clip on the shot's frames as its next take. Raises SequencerError."""
    request = job.read_request()
    provenance = {
        "prompt": request["prompt"], "seed": request["seed"], "model": request["checkpoint"],
        "job_folder": str(job.path),
    }  # fmt: skip
    strip = sequencer.add_take(scene, shot.name, shot.frame_start, shot.frame_end, job.clip, provenance)
    sequencer.show(scene)
    return strip


def check(settings: Settings) -> list[Finding]:
    """What is set up, what is missing, how to mend it."""
    return [*_check_checkpoint(settings), *_check_engine(settings)]


def _check_checkpoint(settings: Settings) -> Iterator[Finding]:
    try:
        yield Finding(True, f"Model: {outline(settings.checkpoint).title} in {settings.checkpoint}")
    except CheckpointError as error:
        yield Finding(False, "Model", str(error))


def _check_engine(settings: Settings) -> Iterator[Finding]:
    try:
        found = _engine(settings)
        facts = inspect_engine(found.python)
    except WanError as error:
        yield Finding(False, "Engine", str(error))
        return
    missing = facts.get("missing", [])
    advice = "" if not missing else f"The engine's Python lacks {', '.join(missing)}. Set up the engine again."
    yield Finding(not missing, f"Engine: {found.python} ({found.origin})", advice)


def _engine(settings: Settings):
    return find_engine(settings.engine_python, ADDON_DIR, settings.user_dir or ADDON_DIR / "engine")


_client: EngineClient | None = None  # the one warm worker of this Blender


def engine_client(settings: Settings) -> EngineClient:
    """The warm worker's client; a new one when another Python was chosen. Raises CheckpointError."""
    global _client
    python = _engine(settings).python
    if _client is not None and _client.python != python:
        close_engine()
    if _client is None:
        log = Path(bpy.app.tempdir or os.curdir) / "wan_previs_engine.log"
        _client = EngineClient(python, ADDON_DIR, log)
    return _client


def close_engine() -> None:
    """Ends the worker, if there is one."""
    global _client
    if _client is not None:
        _client.close()
        _client = None


STAGES = {
    "load": "Loading the model", "encode_text": "Reading the prompt", "encode_image": "Reading the frames",
    "denoise": "Generating", "decode": "Decoding", "finish": "Writing the clip",
}  # fmt: skip
# How much of a shot's time each part takes, about; only the progress bar depends on it.
SHARES = {
    "frames": 0.1,
    "load": 0.1,
    "encode_text": 0.12,
    "encode_image": 0.14,
    "denoise": 0.15,
    "decode": 0.9,
    "finish": 0.95,
}


@dataclass
class Progress:
    """What a face draws of a running generation."""

    status: str = "Waiting"
    share: float = 0.0  # of the running shot, 0..1


@dataclass
class Generation:
    """The queue: shots one after the other through one warm engine, a small piece of work per `step`.

    Raises SceneError or CheckpointError when made, before anything is done, if it cannot be started. A shot that
    fails does not stop the others; a missing engine or checkpoint does. `exit_status` is that of the first failure.
    """

    scene: bpy.types.Scene
    settings: Settings
    names: Sequence[str] | None = None
    index: int = -1
    progress: Progress = field(default_factory=Progress)
    errors: list[str] = field(default_factory=list)
    takes: list[str] = field(default_factory=list)
    clips: list[Path] = field(default_factory=list)
    exit_status: int = 0

    def __post_init__(self) -> None:
        self._scene_uid, self._scene_name = self.scene.session_uid, self.scene.name
        self.brief, warnings = read_shots(self.scene, self.names)
        self.warnings = [*warnings, *contradictions_of(self.brief, self.settings)]
        outline(self.settings.checkpoint)
        jobs_root(self.settings)
        self._client = engine_client(self.settings)
        self._job: JobFolder | None = None
        self._cancelled = False
        self._work = self._run_all()

    @property
    def shots(self) -> list[str]:
        """Names of all shots of this generation."""
        return [shot.name for shot in self.brief.shots]

    @property
    def status(self) -> str:
        """Short words for what happens now."""
        return self.progress.status

    @property
    def fraction(self) -> float:
        """Progress over all shots, 0..1."""
        count = max(1, len(self.brief.shots))
        return min(1.0, (max(0, self.index) + self.progress.share) / count)

    def step(self) -> bool:
        """One piece of work; True when all is over."""
        return next(self._work, True)

    def cancel(self) -> None:
        """Drops the queue and asks the running job to end; `step` on until it says True."""
        if not self._cancelled:
            self._cancelled = True
            self._fail(Cancelled("Cancelled."))
            self._client.cancel()

    def run(self, on_change: Callable[[Generation], None] = lambda generation: None, pause: float = 0.05) -> None:
        """Steps to the end, for scripts. Ctrl-C cancels; a second one ends the engine at once."""
        finished = False
        while not finished:
            try:
                finished = self.step()
                on_change(self)
                time.sleep(pause)
            except KeyboardInterrupt:
                if self._cancelled:
                    close_engine()
                    return
                self.cancel()

    def _fail(self, error: Exception) -> None:
        self.errors.append(str(error))
        self.exit_status = self.exit_status or getattr(error, "exit_status", 5)

    def _tell(self, status: str, share: float) -> None:
        self.progress = Progress(status, share)

    def _run_all(self) -> Iterator[bool]:
        """Yields False after every piece of work."""
        for index, shot in enumerate(self.brief.shots):
            if self._cancelled:
                return
            self.index = index
            self._tell("Rendering frames", 0.0)
            yield False
            try:
                yield from self._run_shot(shot)
            except CheckpointError as error:
                self._fail(error)
                return
            except OurError as error:
                if not isinstance(error, Cancelled) or not self._cancelled:
                    self._fail(error)
        self._tell("Done" if not self.errors else "Stopped", 1.0)

    def _run_shot(self, shot: Shot) -> Iterator[bool]:
        job = prepare(self._live_scene(), self.brief, shot, self.settings)
        self._tell("Starting the engine", SHARES["frames"])
        yield False
        if self._cancelled:
            job.mark_ended("cancelled", "Cancelled.", Cancelled.exit_status)
            return
        self._client.submit(job)
        ended: Message | None = None
        while ended is None:
            for message in self._client.poll():
                self._follow(message)
                ended = message if message.ends_job else ended
            yield False
        if ended.kind != "done":
            raise error_of(ended)
        self._tell("Importing the clip", 0.99)
        self.clips.append(job.clip)
        self.takes.append(import_take(self._live_scene(), shot, job).name)
        yield False

    def _follow(self, message: Message) -> None:
        event = message.event
        if message.kind == "starting":
            self._tell("Starting the engine", SHARES["frames"])
        elif event.get("event") == "stage":
            self._tell(STAGES.get(event["stage"], event["stage"]), SHARES.get(event["stage"], self.progress.share))
        elif event.get("event") == "step":
            done = event["step"] / event["steps"]
            span = SHARES["decode"] - SHARES["denoise"]
            self._tell(f"Step {event['step']} of {event['steps']}", SHARES["denoise"] + span * done)

    def _live_scene(self) -> bpy.types.Scene:
        """The scene by its session-wide number: an undo step replaces the object that we were given."""
        scene = next((s for s in bpy.data.scenes if s.session_uid == self._scene_uid), None)
        if scene is None:
            raise SceneError(f'The scene "{self._scene_name}" is gone; the clip stays in its job folder.')
        return scene
