# SPDX-License-Identifier: GPL-3.0-or-later
"""The one orchestration of a shot: brief -> prompt -> frames -> job -> strip. Every face of the product calls this.

Nothing here draws, asks or prints. Errors are `SceneError`, `WanError` or `JobError`/`SequencerError`, all with words
for the user and an `exit_status`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import bpy

from . import conditioning, ownership, sequencer
from .bridge import history
from .bridge.client import EngineClient, Message, error_of
from .bridge.environment import find_engine, inspect_engine
from .bridge.jobs import MAX_STEM_BYTES, JobError, JobFolder
from .bridge.progress import SHARES, Progress
from .bridge.tool import EngineTool
from .conditioning import light_curve
from .prompting import DEFAULT_TEMPLATE, StructuredPrompt, TemplateError, build_prompt, joined, length, parse_template
from .saving import why_not_read
from .scene.brief import Brief, SceneError, Shot
from .scene.losses import losses
from .scene.reader import read_brief
from .scene.shots import scene_named as scene_named
from .scene.shots import why_no_camera as why_no_camera
from .wan_engine.outline import MODES, Outline, outline
from .wan_engine.request import (
    AUTO,
    CODECS,
    DTYPES,
    GUIDES,
    LIGHT_SOURCES,
    OFFLOADS,
    PRESETS,
    REPAIRS,
    Cancelled,
    CheckpointError,
    GenerationRequest,
    LightCurve,
    Lora,
    PromptPart,
    SunPlace,
    UsageError,
    WanError,
)
from .wan_engine.sizes import squeeze

ADDON_DIR = Path(__file__).resolve().parent
NANO = ADDON_DIR / "checkpoints" / "nano"
NANO_DTYPE = "float32"
TOLD_SQUEEZE = 0.03  # the user is told of a picture that is squeezed more than this
RAW = "raw"  # the folder of a job's frames as the model made them, before any finishing
OVERVIEW = "overview.png"
TOKENS_A_WORD = 1.3  # of our own sentences; names and rare words take more
# What the engine lets one choose from.
CHOICES = {
    "mode": (AUTO, *MODES),
    "guide_light": GUIDES, "light_truth": LIGHT_SOURCES, "preset": tuple(PRESETS), "dtype": DTYPES, "offload": OFFLOADS,
    "correct": REPAIRS, "codec": CODECS,
}  # fmt: skip
Take = sequencer.Take
# Whether interrupted work goes on: not, where nothing speaks against it, or whatever does.
Resume = bool | Literal["surely"]
Note = Callable[[str], None]  # is told what the user should know and is no error
OurError = (SceneError, WanError, JobError, sequencer.SequencerError)


@dataclass(frozen=True)
class ShotWords:
    """The user's own words about one shot, and what it must not look like."""

    description: str = ""
    negative: str = ""


@dataclass(frozen=True)
class Settings:
    """What the user chose. `model` is "nano" or a checkpoint folder; None means the model's own default, "auto" the
    best that can be done with it.

    `description`, `style` and `negative` are the user's words about the whole scene, `shot_words` those about single
    shots, by their names; `template` orders a prompt's parts.

    `size` is (width, height), of which the area counts: the clip has the scene's shape. `output` None puts job folders
    beside the .blend.
    `engine_python` and `user_dir` tell where the engine's environment is.
    """

    model: str = "nano"
    mode: str = AUTO
    size: tuple[int, int] | None = None
    steps: int | None = None
    seed: int = 0
    preset: str | None = None
    loras: tuple[Lora, ...] = ()
    dtype: str = AUTO
    offload: str = AUTO
    step_cache: float = 0.0
    vae_tiles: int = 0
    guide_light: str = "gentle"
    light_truth: str = "brief"
    correct: tuple[str, ...] = ()
    upscale: int = 0
    upscale_model: str | None = None
    refine: float = 0.0
    interpolation_model: str | None = None
    codec: str = "h264"
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


def _ignored(note: str) -> None:
    """For whom notes do not matter."""


def read_shots(scene: bpy.types.Scene, names: Sequence[str] | None = None) -> tuple[Brief, list[str]]:
    """The brief of the scene's shots (all, or those named) and warnings, also of what a render will lack. Raises
    SceneError."""
    brief, warnings = read_brief(scene, names)
    return brief, [*warnings, *losses(scene)]


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


def lengths_of(brief: Brief, settings: Settings, model: Outline) -> list[str]:
    """Warnings of texts that are probably longer than the model reads; only the engine can count exactly."""
    most, told = int(model.text_length / TOKENS_A_WORD), []
    for shot in brief.shots:
        prompt = prompt_of(brief, shot, settings)
        for name, text in (("prompt", prompt.text("en")), ("negative prompt", prompt.negative(model.negative) or "")):
            if length(text) > most:
                told.append(
                    f"The {name} of shot {shot.name} is {length(text)} words long, and {model.title} reads about "
                    f"{most}. What does not fit is left out, in the end of your own words too; make them shorter."
                )
    return told


def jobs_root(settings: Settings) -> Path:
    """Where job folders go. Raises SceneError for an unsaved file without a chosen folder."""
    if settings.output is not None:
        return _readable(Path(os.path.abspath(bpy.path.abspath(str(settings.output)))))
    if not bpy.data.filepath:
        raise SceneError(
            "The file has never been saved, so there is no place for its clips. Save it, or choose an output folder."
        )
    file = Path(bpy.data.filepath)
    return _readable((file.resolve() if file.is_symlink() else file.absolute()).parent / "previs")


def _readable(root: Path) -> Path:
    """Raises SceneError for a folder in which Blender finds no files."""
    if why := why_not_read(root / f"{'x' * MAX_STEM_BYTES}-take-001" / "conditioning" / "first.png"):
        raise SceneError(f'Clips cannot go to "{root}": {why}. Move the file, or choose another output folder.')
    return root


def prepare(scene: bpy.types.Scene, brief: Brief, shot: Shot, settings: Settings, note: Note = _ignored) -> JobFolder:
    """A job folder with the shot's conditioning frames and request, ready to run. Renders some frames in Blender.

    `note` is told what the user should know of how the clip is made.
    """
    wish = wish_of(scene, brief, shot, settings, note)
    job = JobFolder.create(jobs_root(settings), shot.name)
    try:
        ownership.sign(job, scene, wish)
        frames: dict[str, Path] = {}
        if wish.mode != "text":
            last = wish.mode == "first_last"
            frames = conditioning.render_first_last(scene, shot, wish.size, job.conditioning, last=last)
        request = replace(wish.request, light=expected_light(scene, shot, settings, frames))
        if "last" in frames and not _holds_last(scene, shot, settings, frames, note):
            request = replace(request, last_image=None)
            frames["last"].unlink()
        job.write_request(request)
    except BaseException as error:
        job.mark_ended("failed", str(error) or "Stopped.", getattr(error, "exit_status", 130))
        raise
    return job


def _holds_last(scene: bpy.types.Scene, shot: Shot, settings: Settings, frames: Mapping[str, Path], note: Note) -> bool:
    """Whether a clip that is to be held at both ends is held at the last one: between two pictures that are nearly the
    same the model stands still, whatever happens in the scene. An explicit mode is obeyed.
    """
    course = conditioning.course(scene, shot, frames["first"], frames["last"])
    if course == "goes":
        return True
    if course == "stands":
        note(f'Nothing is seen to move in the shot "{shot.name}", so its clip will stand still.')
        return True
    told = f'The shot "{shot.name}" ends as it begins, though it moves in between'
    can_let_go = "first" in outline(settings.checkpoint).modes
    if settings.mode == AUTO and can_let_go:
        note(f"{told}: its clip is held to the first frame alone, for between two like frames it would stand still.")
        return False
    advice = "Mode first lets it move." if can_let_go else "A cut at the turn lets it move, or another model."
    note(f"{told}; held to both frames its clip may stand still. {advice}")
    return True


def wish_of(
    scene: bpy.types.Scene, brief: Brief, shot: Shot, settings: Settings, note: Note = _ignored
) -> ownership.Wish:
    """What would be asked for now, before anything is rendered. Raises UsageError or CheckpointError."""
    model = outline(settings.checkpoint)
    mode = mode_of(settings, model, note)
    size = size_of(scene, settings, model, note)
    request = replace(request_of(brief, shot, settings, model, mode, size), guide_light=settings.guide_light)
    return ownership.Wish(shot, request, settings.light_truth, brief, mode, size)


def mode_of(settings: Settings, model: Outline, note: Note = _ignored) -> str:
    """What the clips are held to. Raises UsageError for what the model cannot do."""
    mode = model.mode_for(settings.mode)
    if settings.mode == AUTO and mode != "first_last":
        note(f"{model.title} makes its clips from {MODES[mode]} (mode {mode}).")
    return mode


def modes_of(model: str) -> tuple[str, ...]:
    """What clips of a model ("nano" or a checkpoint folder) can be held to, the best first; () for no model."""
    try:
        return outline(Settings(model=model).checkpoint).modes
    except CheckpointError:
        return ()


def size_of(scene: bpy.types.Scene, settings: Settings, model: Outline, note: Note = _ignored) -> tuple[int, int]:
    """The size of the scene's clips, decided here alone: the frames are rendered at it and the engine makes exactly it.
    Raises UsageError when the model can make none of the scene's shape.
    """
    shape = conditioning.frame_shape(scene)
    size = model.size_for(shape, settings.size)
    if (change := squeeze(shape, size)) > TOLD_SQUEEZE:
        note(
            f"{model.title} makes this scene's clips at {size[0]}x{size[1]}, which squeezes the {shape:.2f}:1 picture "
            f"by {change:.0%}; the strip is stretched back over the frame."
        )
    return size


def expected_light(scene: bpy.types.Scene, shot: Shot, settings: Settings, frames: Mapping[str, Path]) -> LightCurve:
    """How the shot's light should go. `frames` are the conditioning frames, "first" and "last". Raises SceneError."""
    if settings.light_truth == "render":
        curve = light_curve.render_light(scene, shot, frames.get("first"), frames.get("last"))
    else:
        curve = light_curve.predict_light(scene, shot, frames.get("first"), frames.get("last"))
    return LightCurve.from_json(curve.to_json())


def request_of(
    brief: Brief, shot: Shot, settings: Settings, model: Outline, mode: str, size: tuple[int, int]
) -> GenerationRequest:
    """What the engine is asked for; file names are relative to the job folder. Raises UsageError."""
    prompt = prompt_of(brief, shot, settings)
    request = GenerationRequest(
        checkpoint=str(settings.checkpoint),
        prompt=prompt.text("en"),
        prompt_parts=tuple(PromptPart(sentence.text, int(sentence.rank)) for sentence in prompt.sentences("en")),
        negative=prompt.negative(model.negative) if prompt.negative_text else None,
        image=None if mode == "text" else "conditioning/first.png",
        last_image="conditioning/last.png" if mode == "first_last" else None,
        size=size,
        exact_size=True,
        steps=settings.steps,
        seed=settings.seed,
        preset=settings.preset,
        loras=settings.loras,
        dtype=NANO_DTYPE if settings.model == "nano" and settings.dtype == AUTO else settings.dtype,
        offload=settings.offload,
        step_cache=settings.step_cache,
        vae_tiles=settings.vae_tiles,
        correct=settings.correct,
        upscale=settings.upscale,
        upscale_model=settings.upscale_model,
        refine=settings.refine if settings.upscale else 0.0,
        interpolation_model=settings.interpolation_model,
        codec=settings.codec,
        clip_frames=shot.frame_count,
        clip_fps=brief.fps,
        frames_out=RAW,
        sun=_sun_path(shot),
        report="report.json",
    )
    request.validate()
    return request


def _sun_path(shot: Shot) -> tuple[SunPlace, ...]:
    """Where the sun stands over the shot, for the page about the clip's light."""
    samples = () if shot.sun is None else shot.sun.samples
    return tuple(SunPlace(s.frame - shot.frame_start, s.azimuth_deg, s.elevation_deg) for s in samples)


def import_take(scene: bpy.types.Scene, shot: str, frames: range, job: JobFolder) -> Take:
    """Puts a finished job's clip on the shot's frames as its next take. Raises SequencerError, JobError."""
    request, report = job.read_request(), history.read_report(job)
    provenance = {
        "prompt": request["prompt"], "seed": request["seed"], "model": request["checkpoint"],
        "job_folder": sequencer.stored_path(job.path), "job_id": ownership.job_identifier(job),
        **_verdict(report, frames.start), "repaired": "repaired" in report,
    }  # fmt: skip
    strip = sequencer.add_take(scene, shot, frames.start, frames.stop - 1, clip_of(job), provenance)
    sequencer.show(scene)
    return sequencer.read_take(strip)


def clip_of(job: JobFolder) -> Path:
    """A finished job's clip; a folder where that is a sequence of pictures. Found also where the report was lost."""
    facts = history.read_report(job).get("clip")
    if isinstance(facts, dict) and isinstance(facts.get("path"), str):
        return job.path / facts["path"]
    other = (path for path in sorted(job.path.glob("clip*")) if path.stem == job.clip.stem)
    return job.clip if job.clip.exists() else next(other, job.clip)


def _verdict(report: dict[str, Any], frame_start: int) -> dict[str, str | int]:
    """What the report says of the light, as a take keeps it: `verdict`, `verdict_frame` (of the scene) and a sentence
    in `verdict_words`; {} when nothing was measured.
    """
    light = report.get("light")
    verdict = light.get("verdict") if isinstance(light, dict) else None
    if not isinstance(verdict, dict) or not verdict.get("word"):
        return {}
    facts: dict[str, str | int] = {"verdict": str(verdict["word"]), "verdict_words": str(verdict.get("sentence") or "")}
    if isinstance(verdict.get("frame"), int):
        facts["verdict_frame"] = frame_start + verdict["frame"]
    return facts


def takes_of(scene: bpy.types.Scene, shot_name: str) -> list[Take]:
    """The takes of a shot, first to last."""
    return [sequencer.read_take(strip) for strip in sequencer.takes(scene, shot_name)]


def show_take(scene: bpy.types.Scene, name: str) -> Take:
    """Makes a take the one that is seen. Raises SequencerError."""
    sequencer.show_take(scene, name)
    sequencer.show(scene)
    return sequencer.read_take(sequencer.find_take(scene, name))


def why_files_stay(scene: bpy.types.Scene, name: str) -> str:
    """Why deleting a take would leave its files where they are: a sentence, "" where they would go to the trash folder
    or are gone already. Raises SequencerError.
    """
    take = sequencer.read_take(sequencer.find_take(scene, name))
    if take.folder and sequencer.others_use(name, take.folder):
        return f"Another strip shows this take's clip, so {take.folder} stays."
    return ownership.why_kept(take, _own_roots(scene))


def _own_roots(scene: bpy.types.Scene) -> list[Path]:
    """Where the job folders of this file and scene lie, as far as the file tells."""
    output = scene.wan_previs.output if hasattr(scene, "wan_previs") else ""
    outputs = ([Path(output)] if output else []) + ([None] if bpy.data.filepath else [])
    return [jobs_root(Settings(output=place)) for place in outputs]


def delete_take(scene: bpy.types.Scene, name: str) -> str:
    """Removes a take, and moves its job folder into the trash folder among the job folders where it is provably this
    take's alone; returns a sentence about where its files are now. Raises SequencerError, JobError.
    """
    take = sequencer.read_take(sequencer.find_take(scene, name))
    words = why_files_stay(scene, name)
    if not words and Path(take.folder or "?").is_dir():
        words = f"Its files are in {history.discard(JobFolder(take.folder))} now."
    sequencer.remove_take(scene, name)
    return words


def saved_elsewhere(takes: Sequence[Take], file: Path) -> None:
    """These new takes were saved into another file than the open one: that is theirs now. Raises JobError."""
    ownership.hand_over(takes, file)


def before_saving() -> None:
    """To be called before Blender writes the file."""
    ownership.before_saving()


def after_saving() -> None:
    """To be called once Blender has written the file. Raises JobError."""
    strips = (strip for scene in bpy.data.scenes for strip in sequencer.all_strips(scene))
    ownership.after_saving([sequencer.read_take(strip) for strip in strips if strip.get("job_id")])


def report_picture(scene: bpy.types.Scene, name: str) -> Path:
    """The page about a take's light. Raises SequencerError, or JobError when there is none."""
    take = sequencer.read_take(sequencer.find_take(scene, name))
    picture = JobFolder(take.folder).page
    if picture.is_file():
        return picture
    if not take.folder or not Path(take.folder).is_dir():
        raise JobError(f"The job folder of {name} is gone, and its report with it. The strip stays.")
    reason = next(
        (words for words in history.read_report(JobFolder(take.folder)).get("warnings", []) if "report" in words), ""
    )
    raise JobError(f"{name} has no report picture. {reason or 'Generate the shot again to get one.'}")


def overview_task(made: Sequence[Take], out: Path) -> dict[str, Any]:
    """What `wan_engine.sheet` is to draw."""
    shots = []
    for take in made:
        job = JobFolder(take.folder)
        light = history.read_report(job).get("light") or {}
        shots.append({"name": take.name, "clip": str(clip_of(job)), "verdict": take.verdict, "light": light})
    return {"title": Path(bpy.data.filepath).stem or "Previs", "out": str(out), "shots": shots}


def unfinished(scene: bpy.types.Scene, settings: Settings) -> dict[str, history.Unfinished]:
    """Of each shot, by name, the work that was cut short and can go on."""
    try:
        return ownership.unfinished(scene, jobs_root(settings))
    except SceneError:
        return {}


def doubts_about(scene: bpy.types.Scene, settings: Settings, name: str) -> str:
    """What the user should know before a shot's interrupted work goes on, as a question; "" where nothing speaks
    against it, or there is none. Raises SceneError, UsageError, CheckpointError, JobError.
    """
    offer = unfinished(scene, settings).get(name)
    if offer is None:
        return ""
    brief, _warnings = read_shots(scene, [name])
    found = ownership.doubts(offer, wish_of(scene, brief, brief.shot(name), settings))
    copies = "" if offer.found.sure else " It goes on in a copy; that folder stays as it is."
    return f"{offer.job.path.name}: {'; '.join(found)}. Go on as it was asked for then?{copies}" if found else ""


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


def engine_cache(settings: Settings) -> Path | None:
    """The folder in which the engine's libraries keep what they compile and look up."""
    return None if settings.user_dir is None else settings.user_dir / "cache"


_client: EngineClient | None = None  # the one warm worker of this Blender


def engine_client(settings: Settings) -> EngineClient:
    """The warm worker's client; a new one when another Python was chosen. Raises CheckpointError."""
    global _client
    python = _engine(settings).python
    if _client is not None and _client.python != python:
        close_engine()
    if _client is None:
        log = Path(bpy.app.tempdir or os.curdir) / "wan_previs_engine.log"
        _client = EngineClient(python, ADDON_DIR, log, cache=engine_cache(settings))
    return _client


def close_engine() -> None:
    """Ends the worker, if there is one."""
    global _client
    if _client is not None:
        _client.close()
        _client = None


class Work:
    """Something that takes long, done in small pieces by `step`; a face draws its `progress`."""

    def __init__(self, scene: bpy.types.Scene, settings: Settings) -> None:
        self.settings = settings
        self._scene_uid, self._scene_name = scene.session_uid, scene.name
        self.progress = Progress()
        self.errors: list[str] = []
        self.exit_status = 0
        self._cancelled = False
        self._tool: EngineTool | None = None
        self._work = self._run_all()

    def _run_all(self) -> Iterator[bool]:
        """Yields False after every piece of work."""
        raise NotImplementedError

    @property
    def status(self) -> str:
        """Short words for what happens now."""
        return self.progress.status

    def step(self) -> bool:
        """One piece of work; True when all is over."""
        return next(self._work, True)

    def cancel(self) -> None:
        """Asks for the end; `step` on until it says True."""
        if not self._cancelled:
            self._cancelled = True
            self._fail(Cancelled("Cancelled."))
        if self._tool is not None:
            self._tool.stop()

    def run(self, on_change: Callable[[Any], None] = lambda work: None, pause: float = 0.05) -> None:
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

    def _live_scene(self) -> bpy.types.Scene:
        """The scene by its session-wide number: an undo step replaces the object that we were given."""
        scene = next((s for s in bpy.data.scenes if s.session_uid == self._scene_uid), None)
        if scene is None:
            raise SceneError(f'The scene "{self._scene_name}" is gone; the clip stays in its job folder.')
        return scene

    def _run_tool(self, tool: EngineTool) -> Iterator[bool]:
        """Waits for one of the engine's programs. Raises the WanError it ends in, or Cancelled."""
        self._tool = tool
        try:
            while not tool.poll():
                yield False
        except WanError as error:
            if self._cancelled:
                raise Cancelled("Cancelled.") from error
            raise
        finally:
            self._tool = None


class Generation(Work):
    """The queue: shots one after the other through one warm engine.

    Raises SceneError or CheckpointError when made, before anything is done, if it cannot be started. A shot that
    fails does not stop the others; a missing engine or checkpoint does. `exit_status` is that of the first failure.
    With `resume` a shot whose last job was cut short goes on in its folder instead of being made anew, unless another
    file may claim it or it was asked for otherwise; then it goes on only "surely". Fields of the request
    in `as_then` need not be as they were. A generation of several takes ends with `overview`, one picture of them all.
    """

    def __init__(
        self, scene: bpy.types.Scene, settings: Settings, names: Sequence[str] | None = None, resume: Resume = False,
        as_then: Collection[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(scene, settings)
        sequencer.check_scene(scene)
        self.index = -1
        self.made: list[Take] = []
        self.clips: list[Path] = []
        self.overview: Path | None = None
        self.brief, warnings = read_shots(scene, names)
        self.warnings = [*warnings, *contradictions_of(self.brief, settings)]
        model = outline(settings.checkpoint)
        self.warnings += lengths_of(self.brief, settings, model)
        if not resume:  # a job that goes on keeps what it was made with
            mode_of(settings, model)
        self.size = size_of(scene, settings, model)
        jobs_root(settings)
        self._client = engine_client(settings)
        self._resume, self._as_then = resume, as_then

    @property
    def shots(self) -> list[str]:
        """Names of all shots of this generation."""
        return [shot.name for shot in self.brief.shots]

    @property
    def takes(self) -> list[str]:
        """Names of the takes made so far."""
        return [take.name for take in self.made]

    @property
    def fraction(self) -> float:
        """Progress over all shots, 0..1."""
        count = max(1, len(self.brief.shots))
        return min(1.0, (max(0, self.index) + self.progress.share) / count)

    def cancel(self) -> None:
        """Drops the queue and asks the running job to end; `step` on until it says True."""
        if not self._cancelled:
            self._client.cancel()
        super().cancel()

    def _run_all(self) -> Iterator[bool]:
        for index, shot in enumerate(self.brief.shots):
            if self._cancelled:
                return
            self.index = index
            self.progress.begin()
            self.progress.tell("Rendering frames", 0.0)
            yield False
            try:
                yield from self._run_shot(shot)
            except CheckpointError as error:
                self._fail(error)
                return
            except OurError as error:
                if not isinstance(error, Cancelled) or not self._cancelled:
                    self._fail(error)
        if len(self.made) > 1 and not self._cancelled:
            yield from self._draw_overview()
        self.progress.tell("Done" if not self.errors else "Stopped", 1.0)

    def _run_shot(self, shot: Shot) -> Iterator[bool]:
        scene = self._live_scene()
        job = self._taken_up(scene, shot) if self._resume else None
        job = job or prepare(scene, self.brief, shot, self.settings, note=self.progress.note)
        self.progress.tell("Starting the engine", SHARES["frames"])
        yield False
        if self._cancelled:
            job.mark_ended("cancelled", "Cancelled.", Cancelled.exit_status)
            return
        self._client.submit(job)
        ended: Message | None = None
        while ended is None:
            for message in self._client.poll():
                self.progress.follow(message)
                ended = message if message.ends_job else ended
            yield False
        if ended.kind != "done":
            raise error_of(ended)
        self.progress.tell("Importing the clip", 0.99)
        self.clips.append(clip_of(job))
        frames = range(shot.frame_start, shot.frame_end + 1)
        self.made.append(import_take(self._live_scene(), shot.name, frames, job))
        if self.made[-1].note:
            self.progress.note(self.made[-1].note)
        yield False

    def _taken_up(self, scene: bpy.types.Scene, shot: Shot) -> JobFolder | None:
        """The job folder in which the shot's interrupted work goes on; None, told why, where it is better made anew."""
        offer = unfinished(scene, self.settings).get(shot.name)
        if offer is None:
            return None
        wish = wish_of(scene, self.brief, shot, self.settings)
        found = ownership.doubts(offer, wish, self._as_then)
        if found and not (self._resume == "surely" and offer.frames == shot.frame_count):
            self.progress.note(
                f"{shot.name} is made anew, not continued in {offer.job.path.name}: {'; '.join(found)}. "
                "That folder stays as it is."
            )
            return None
        return ownership.take_up(offer, scene, jobs_root(self.settings), wish)

    def _draw_overview(self) -> Iterator[bool]:
        """One picture of all takes. That it cannot be drawn costs no take."""
        self.progress.tell("Drawing the overview", 1.0)
        try:
            place = jobs_root(self.settings) / OVERVIEW
            task = overview_task(self.made, place)
            python, cache = _engine(self.settings).python, engine_cache(self.settings)
            yield from self._run_tool(EngineTool(python, ADDON_DIR, "wan_engine.sheet", task, cache))
            self.overview = place
        except WanError as error:
            if not self._cancelled:
                self.progress.note(f"The takes are made, but the overview is not: {error}")


class Repair(Work):
    """A take's light mended, as a new take: flicker and jumps taken out, colours matched. It starts from the frames
    that the model made, and the take itself stays as it is.

    Raises SequencerError, JobError or CheckpointError when made, before anything is done, if that cannot be.
    """

    def __init__(self, scene: bpy.types.Scene, settings: Settings, name: str) -> None:
        super().__init__(scene, settings)
        self._take = sequencer.read_take(sequencer.find_take(scene, name))
        self._source = JobFolder(self._take.folder)
        self._python = _engine(settings).python
        self.made: Take | None = None
        if self._take.repaired:
            raise JobError(f"{name} is repaired already. Generate the shot again with another seed.")
        if not self._take.folder or not (self._source.path / RAW).is_dir():
            raise JobError(
                f"The frames that {name} was made from are gone, so it cannot be repaired. Generate it again."
            )
        self._request = GenerationRequest.from_json(self._source.read_request())

    def _run_all(self) -> Iterator[bool]:
        self.progress.tell("Repairing the light", 0.1)
        yield False
        try:
            job = JobFolder.create(jobs_root(self.settings), self._take.shot)
            ownership.sign_repair(job, self._live_scene(), self._source)
            job.write_request(replace(self._request, correct=REPAIRS))
            yield from self._mend(job)
        except OurError as error:
            if not self._cancelled:
                self._fail(error)

    def _mend(self, job: JobFolder) -> Iterator[bool]:
        task = {"source": str(self._source.path), "job": str(job.path), "correct": list(REPAIRS)}
        try:
            yield from self._run_tool(
                EngineTool(self._python, ADDON_DIR, "wan_engine.repair", task, engine_cache(self.settings))
            )
        except WanError as error:
            job.mark_ended("cancelled" if self._cancelled else "failed", str(error), error.exit_status)
            raise
        job.mark_ended("done", "", 0)
        frames = range(self._take.start, self._take.start + self._take.frames)
        self.made = import_take(self._live_scene(), self._take.shot, frames, job)
