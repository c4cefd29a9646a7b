# SPDX-License-Identifier: GPL-3.0-or-later
"""A shot's job folder: conditioning frames, expected light and request; and what of it can go on."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Literal

import bpy

from .. import conditioning, sequencer
from ..bridge import history
from ..bridge.jobs import MAX_STEM_BYTES, JobFolder
from ..conditioning import passes
from ..prompting import prompt_sentences, prompt_text
from ..scene.brief import Brief, SceneError, Shot
from ..wan_engine.checkpoint.sizes import squeeze
from ..wan_engine.checkpoint.summary import MODES, Outline, outline
from ..wan_engine.errors import Cancelled, CheckpointError, UsageError
from ..wan_engine.light_curve import LightCurve, SunPlace
from ..wan_engine.option_kinds import File
from ..wan_engine.options import AUTO, SharedOptions, options_of
from ..wan_engine.request import GenerationRequest
from ..wan_engine.request_parts import Keyframe, PromptPart
from ..wan_engine.saved_state import weights_of
from . import ownership
from .control import FOLLOWING, MARKED, TRACKS, check_followed, followed, write_followed, write_tracks
from .endings import end_job
from .four_steps import loras_of
from .length import borders_of, clip_words, frames_of
from .redo import Redo
from .references import check_references, names_of, write_references
from .saving import why_not_read
from .settings import NANO_DTYPE, OPTIONS, RAW, Note, Settings, _ignored
from .shots import prompt_of, read_shots

TOLD_SQUEEZE = 0.03  # the user is told of a picture that is squeezed more than this


# Whether interrupted work goes on: not, where nothing speaks against it, or whatever does.
Resume = bool | Literal["surely"]


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


def prepare(
    scene: bpy.types.Scene,
    brief: Brief,
    shot: Shot,
    settings: Settings,
    note: Note = _ignored,
    redo: Redo | None = None,
) -> JobFolder:
    """As `preparing`, in one go."""
    steps = preparing(scene, brief, shot, settings, note, redo)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            job: JobFolder = end.value
            return job


def preparing(
    scene: bpy.types.Scene,
    brief: Brief,
    shot: Shot,
    settings: Settings,
    note: Note = _ignored,
    redo: Redo | None = None,
) -> Generator[tuple[str, float], None, JobFolder]:
    """A job folder with the shot's conditioning frames, passes and request, ready to run. Renders in Blender, and
    between frames, when the scene is as it was, yields what is done, in words, and which share of that is.

    `note` is told what the user should know of how the clip is made. With `redo` it is a part of a take.
    """
    uid, name = scene.session_uid, scene.name
    check_files(settings)
    settings = settings if redo is None else redo.settled(settings, note)
    model = outline(settings.checkpoint)
    kept = redo if redo is not None and settings.references is None else None  # whose pictures the new part has
    if kept is None:
        check_references(replace(brief, shots=(shot,)), settings, model)
    wish = wish_of(scene, brief, shot, settings, note)
    if redo is not None:
        size = redo.kept_size(conditioning.frame_shape(scene), wish.size, model.multiple)
        wish = replace(wish, size=size, request=redo.asked(wish.request, size))
    if kept is not None:
        wish = replace(wish, request=replace(wish.request, reference=kept.references(model, note)))
    check_followed(scene, shot, settings, model, wish.mode)
    ownership.discard_unrendered(scene, jobs_root(settings))
    job = new_folder(scene, settings, shot.name)
    try:
        ownership.sign(job, scene, wish)
        source = None if kept is None else Path(kept.take.folder)
        write_references(wish.request.reference, shot, job.path, source)
        frames: dict[str, Path] = {}
        if wish.request.image is not None:
            last = wish.request.last_image is not None
            frames = conditioning.render_first_last(scene, shot, wish.size, job.conditioning, last=last)
        request = replace(wish.request, light=expected_light(scene, shot, settings, frames))
        if "last" in frames and not _holds_last(scene, shot, settings, frames, _times_of(shot, request), note):
            request = replace(request, last_image=None, keyframes=())
            frames["last"].unlink()
        yield from _telling("Rendering the frames between", _write_keyframes(scene, shot, wish.size, request, job))
        scene = passes.live(uid, name)
        if wish.mode in FOLLOWING:
            passes_written = write_followed(scene, shot, settings, model, wish.mode, request, job.path)
            yield from _telling("Rendering what the clip follows", passes_written)
        else:
            yield from _telling("Tracking what moves", write_tracks(scene, shot, request, job.path, note))
        if redo is not None:
            written = redo.write(passes.live(uid, name), shot, request, job.path, note)
            yield from _telling("Rendering what is made anew", written)
        request = replace(request, tracks=TRACKS if os.path.isfile(job.path / TRACKS) else None)
        job.write_request(request)
    except GeneratorExit:
        end_job(job, "cancelled", "Cancelled.", Cancelled.exit_status)
        raise
    except BaseException as error:
        end_job(job, "failed", str(error) or "Stopped.", getattr(error, "exit_status", 130))
        raise
    return job


def _telling(words: str, steps: Generator[float, None, None]) -> Iterator[tuple[str, float]]:
    with closing(steps):  # at once, where the work is cancelled: they leave the scene as it was
        for share in steps:
            yield words, share


def _write_keyframes(
    scene: bpy.types.Scene, shot: Shot, size: tuple[int, int], request: GenerationRequest, job: JobFolder
) -> Generator[float, None, None]:
    """The scene as it is at each of the request's keyframes; yields the share that is done. Raises SceneError."""
    if frames := _times_of(shot, request):
        yield from conditioning.render_keyframes(scene, shot, size, job.conditioning, frames)


def _times_of(shot: Shot, request: GenerationRequest) -> dict[str, float]:
    """The scene's frames at the request's keyframes, by the names of their pictures."""
    times = passes.clip_times(shot, request.frames or 1)
    return {Path(key.path).stem: times[key.frame] for key in request.keyframes}


def check_files(settings: Settings) -> None:
    """Notice before the work that a chosen file is not there. Raises UsageError; CheckpointError for a LoRA."""
    for name, option in OPTIONS.items():
        path = getattr(settings, name)
        if isinstance(option.kind, File) and not option.kind.is_folder and path and not os.path.isfile(path):
            raise UsageError(f"The file {path} ({option.title}) does not exist; check the path.")
    for lora in loras_of(settings):
        if not os.path.exists(lora.path):
            raise CheckpointError(f"The LoRA {lora.path} does not exist; check the path.")


def new_folder(scene: bpy.types.Scene, settings: Settings, shot: str) -> JobFolder:
    """The folder of the shot's next take, whose number it decides: no strip and no other folder has that one.
    Raises SceneError, JobError.
    """
    return JobFolder.create(jobs_root(settings), shot, sequencer.next_take(scene, shot))


def _holds_last(
    scene: bpy.types.Scene,
    shot: Shot,
    settings: Settings,
    frames: Mapping[str, Path],
    between: Mapping[str, float],
    note: Note,
) -> bool:
    """Whether a clip that is to be held at both ends, and at frames `between` these, is held at more than the first: by
    pictures that are nearly the same the model stands still, whatever happens in the scene. An explicit mode is obeyed.
    """
    course = conditioning.course(scene, shot, frames["first"], frames["last"], between.values())
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
    frames = frames_of(shot, brief.fps, settings, model, mode, note)
    asked = {
        "guide_light": settings.guide_light,
        "frames": frames,
        "reference": names_of(shot, model, note),
        "keyframes": tuple(Keyframe(at, f"conditioning/{at:05d}.png") for at in borders_of(frames, model, mode)),
        **followed(scene, shot, settings, model, mode, note),
    }
    request = replace(request_of(brief, shot, settings, model, mode, size), **asked)
    marks = {item.name_full: mark for item, mark in passes.marks_of(scene).items()} if mode in MARKED else None
    return ownership.Wish(shot, request, settings.expected_light, brief, mode, size, marks)


def mode_of(settings: Settings, model: Outline, note: Note = _ignored) -> str:
    """What the clips are held to. Raises UsageError for what the model cannot do."""
    mode = model.mode_for(settings.mode)
    if settings.mode == AUTO and mode != "first_last":
        note(f"{model.title} makes its clips from {MODES[mode]} (mode {mode}).")
    return mode


def made_of(settings: Settings, counts: Sequence[int], fps: float) -> list[str]:
    """What the model makes of shots of so many frames at `fps`, in words; "" for each without a model."""
    try:
        model = outline(settings.checkpoint)
    except CheckpointError:
        return ["" for _ in counts]
    return [clip_words(count, fps, settings, model) for count in counts]


def abilities_of(model: str) -> tuple[tuple[str, ...], int]:
    """What clips of a model ("nano" or a checkpoint folder, "" for none) can be held to, the best first, and how many
    reference pictures it takes; ((), -1) for no model."""
    try:
        found = outline(Settings(model=model).checkpoint)
    except CheckpointError:
        return (), -1
    return found.modes, found.references


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


def chosen_by_us(settings: Settings) -> set[str]:
    """Fields of a request that the machine chooses: what goes on keeps what was chosen then."""
    return {name for name in ("size", "vae_tiles") if getattr(settings, name) is None}


def expected_light(scene: bpy.types.Scene, shot: Shot, settings: Settings, frames: Mapping[str, Path]) -> LightCurve:
    """How the shot's light should go. `frames` are the conditioning frames, "first" and "last". Raises SceneError."""
    if settings.expected_light == "render":
        return conditioning.render_light(scene, shot, frames.get("first"), frames.get("last"))
    return conditioning.predict_light(scene, shot, frames.get("first"), frames.get("last"))


def request_of(
    brief: Brief, shot: Shot, settings: Settings, model: Outline, mode: str, size: tuple[int, int]
) -> GenerationRequest:
    """What the engine is asked for; file names are relative to the job folder. Raises UsageError."""
    prompt = prompt_of(brief, shot, settings)
    chosen = {name: getattr(settings, name) for name in options_of(SharedOptions)}
    chosen["loras"] = loras_of(settings)
    if settings.model == "nano" and settings.dtype == AUTO:
        chosen["dtype"] = NANO_DTYPE
    if settings.upscale is None:
        chosen["upscale"] = model.model.upscale
    if not chosen["upscale"]:
        chosen["refine"] = 0.0
    request = GenerationRequest(
        **{**chosen, "size": size, "guide_light": None, "camera_scale": None},  # the last: `followed` tells
        exact_size=True,
        checkpoint=str(settings.checkpoint),
        prompt=prompt_text(prompt),
        prompt_parts=tuple(PromptPart(sentence.text, int(sentence.rank)) for sentence in prompt_sentences(prompt)),
        negative=prompt.negative(model.negative) if prompt.negative_text else None,
        image=None if mode in ("text", "control") else "conditioning/first.png",
        last_image="conditioning/last.png" if mode == "first_last" else None,
        clip_frames=shot.frame_count,
        clip_fps=brief.fps,
        first_frame=shot.frame_start,
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


def unfinished(scene: bpy.types.Scene, settings: Settings) -> dict[str, history.Unfinished]:
    """Of each shot, by name, the work that was cut short and can go on."""
    try:
        offers = ownership.unfinished(scene, jobs_root(settings))
    except SceneError:
        return {}
    return {name: replace(offer, kept=offer.kept and _as_saved(offer, settings)) for name, offer in offers.items()}


def _as_saved(offer: history.Unfinished, settings: Settings) -> bool:
    """Whether the weights' files are as they were. Those of another model than the chosen one are not looked for: a job
    folder may name any place."""
    try:
        chosen = settings.checkpoint
    except CheckpointError:
        return True
    if offer.checkpoint != str(chosen) or offer.loras != tuple(lora.path for lora in loras_of(settings)):
        return True
    return offer.weights == weights_of(chosen, *map(Path, offer.loras))


def doubts_about(scene: bpy.types.Scene, settings: Settings, name: str) -> str:
    """What the user should know before a shot's interrupted work goes on, as a question; "" where nothing speaks
    against it, or there is none. Raises SceneError, UsageError, CheckpointError, JobError.
    """
    offer = unfinished(scene, settings).get(name)
    if offer is None:
        return ""
    brief, _warnings = read_shots(scene, [name], settings)
    wish = wish_of(scene, brief, brief.shot(name), settings)
    found = ownership.doubts(offer, wish, chosen_by_us(settings))
    found += ownership.other_heirs(offer)
    copies = "" if offer.found.sure else " It goes on in a copy; that folder stays as it is."
    return f"{offer.job.path.name}: {'; '.join(found)}. Go on as it was asked for then?{copies}" if found else ""
