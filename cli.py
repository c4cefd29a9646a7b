# SPDX-License-Identifier: GPL-3.0-or-later
"""The headless commands `brief`, `prompt`, `render`, `four-steps` and `check`: `blender -c wan_previs`, or
`python -m wan_previs`.

Exit status: 0 done, 2 wrong usage, 3 the scene lacks what the command needs, 4 engine or checkpoint not set up, 5
generation failed or could not be saved, 130 cancelled. Errors are one or two sentences on stderr.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

import bpy

from . import previs, properties
from .previs.engine import engine_places
from .previs.presets import read_preset
from .previs.progress import duration_in_words
from .previs.saving import SaveError, check_blend_place, check_place, save_blend, write_file
from .previs.support import support_report

COMMAND = "wan_previs"
# Of the options of `render`: the fields of a request that they decide, where these have another name.
_CLIP = ("control_video",)
_FIELDS = {
    "model": ("checkpoint",),
    "mode": (
        "image", "last_image", "control_video", "control_mask", "control_scale", "control_share", "camera",
        "motion_video", "motion_mask",
    ),
    "references": ("reference",),
    "frames": ("frames", "keyframes"),
    "control": _CLIP, "blockout_light": _CLIP, "depth_curve": _CLIP, "depth_range": _CLIP,
    "resemblance": ("control_scale", "control_share", "motion_start", "motion_end"),
}  # fmt: skip
_WORDS = [option for option in previs.OPTIONS.values() if option.group == "words"]
_STORED = "the scene's, else "


def parser() -> argparse.ArgumentParser:
    """The command line after the file name."""
    top = argparse.ArgumentParser(
        prog=COMMAND,
        description="Turns the shots of a scene into generated previs clips.",
        epilog="Choices that are not named are those that the scene holds; the value none (--preset none) goes back to "
        "none. Under blender -b Blender prints lines of its own on stdout: take --out FILE there for brief and prompt.",
    )
    commands = top.add_subparsers(dest="command", required=True)

    brief = commands.add_parser("brief", help="print what the scene knows of its shots, as JSON")
    prompt = commands.add_parser("prompt", help="print the prompt of each shot")
    prompt.add_argument("--language", choices=("en", "zh"), default="en")
    prompt.add_argument("--json", action="store_true", help="the structured prompt instead of its text")
    render = commands.add_parser("render", help="generate the clips and put them into the sequencer")
    four = commands.add_parser("four-steps", help="download what render --preset lightning needs with the model")
    check = commands.add_parser("check", help="say what is set up, what is missing and how to mend it")
    check.add_argument("--report", action="store_true", help="as a text for a bug report, without names and paths")
    for command in (brief, prompt, render, four, check):
        command.add_argument("--scene", metavar="NAME", help="this scene; default: the one the file was saved in")
    for command in (brief, prompt, render):
        command.add_argument("--shot", action="append", metavar="NAME", help="only this shot; may be given again")
    for command in (brief, prompt):
        command.add_argument(
            "--out",
            type=_file,
            metavar="FILE",
            help="write to this file instead of stdout, where Blender prints lines of its own under blender -b",
        )
    previs.add_options(prompt, _WORDS, _STORED)
    previs.add_options(brief, [previs.OPTIONS["references"]], _STORED)
    previs.add_options(render, previs.OPTIONS.values(), _STORED)
    for command in (four, check):
        previs.add_options(command, [previs.OPTIONS["model"]], _STORED)
    render.add_argument("--save", type=_blend, metavar="FILE.blend", help="save the scene with its new strips here")
    end = render.add_mutually_exclusive_group()
    end.add_argument("--dry-run", action="store_true", help="stop before the engine; leave request and frames")
    end.add_argument(
        "--resume", action="store_true",
        help="go on with a shot's last job where it was interrupted, as it was asked for then; anew where the scene or "
        "an option named here is otherwise now, or another file may claim the job",
    )  # fmt: skip
    render.add_argument(
        "--redo", type=int, metavar="TAKE",
        help="make a part of this take of the shot anew, as a new take: from --redo-from on, in --redo-marked, or both",
    )  # fmt: skip
    render.add_argument(
        "--redo-from", type=int, metavar="FRAME", help="the scene's frame from which on it is made anew"
    )
    render.add_argument(
        "--redo-marked", action="store_true",
        help='make it anew where objects are seen that are marked "Free" or "Follow Exactly"',
    )  # fmt: skip
    render.add_argument(
        "--sure", action="store_true",
        help="with --resume: go on as it was asked for then, also where another file may claim it or the shot changed",
    )  # fmt: skip
    return top


def _blend(text: str) -> Path:
    path = _file(text)
    if path.suffix.lower() != ".blend":
        raise argparse.ArgumentTypeError(f"'{text}' does not end in .blend; name a file such as scene.blend")
    return path


def _file(text: str) -> Path:
    """Where a link to a file leads, so that the link itself stays."""
    return Path(os.path.realpath(text))


def main(argv: list[str], out: TextIO | None = None) -> int:
    """Runs one command on the open file, with its result on `out` (stdout); returns the exit status."""
    try:
        args = parser().parse_args(argv, argparse.Namespace(stream=out or sys.stdout))
    except SystemExit as stop:  # argparse has said why
        return int(stop.code or 0)
    try:
        with properties.available():
            work = {"brief": _brief, "prompt": _prompt, "render": _render, "four-steps": _four_steps, "check": _check}
            return work[args.command](args)
    except (*previs.OurError, SaveError) as error:
        _complain(str(error))
        return error.exit_status
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        return 0
    except OSError as error:
        place = error.filename or "The result"
        _complain(
            f"{place} cannot be read or written ({error.strerror}). Check the path, its rights and the free space."
        )
        return 5
    except KeyboardInterrupt:
        _complain("Cancelled.")
        return 130


def _complain(words: str) -> None:
    print(f"wan_previs: {previs.plain(words)}", file=sys.stderr, flush=True)


def _scene(args: argparse.Namespace) -> bpy.types.Scene:
    return bpy.context.scene if args.scene is None else previs.scene_named(args.scene)


def _warn(warnings: list[str]) -> None:
    for warning in warnings:
        _complain(f"warning: {warning}")


def _brief(args: argparse.Namespace) -> int:
    _check_out(args)
    brief, warnings = previs.read_shots(_scene(args), args.shot, _settings(args))
    _warn(warnings)
    _write(args, json.dumps(brief.to_json(), indent=1, ensure_ascii=False, allow_nan=False))
    return 0


def _prompt(args: argparse.Namespace) -> int:
    _check_out(args)
    brief, warnings = previs.read_shots(_scene(args), args.shot)
    _warn(warnings)
    settings = _settings(args)
    prompts = {shot.name: previs.prompt_of(brief, shot, settings) for shot in brief.shots}
    _warn([warning.message for prompt in prompts.values() for warning in prompt.warnings])
    _warn(previs.left_out_of(brief, settings, args.language))
    if args.json:
        structured = {name: previs.prompt_json(p) for name, p in prompts.items()}
        _write(args, json.dumps(structured, indent=1, ensure_ascii=False))
        return 0
    texts = {name: previs.prompt_text(p, args.language) for name, p in prompts.items()}
    parts = texts.values() if len(texts) == 1 else (f"[{name}]\n{text}" for name, text in texts.items())
    _write(args, "\n\n".join(parts))
    return 0


def _check_out(args: argparse.Namespace) -> None:
    if args.out is not None:
        check_place(args.out)


def _write(args: argparse.Namespace, text: str) -> None:
    """The command's result, where it was asked for."""
    text += "\n"
    if args.out is None:
        args.stream.write(previs.plain(text))
    else:
        write_file(args.out, lambda new: new.write_text(text, encoding="utf-8", errors="backslashreplace"))


def _named(args: argparse.Namespace) -> dict[str, Any]:
    """The options that the command line names, with whole paths, and what a preset says that it names as template.
    Raises UsageError."""
    given = previs.given_options(args, previs.OPTIONS.values())
    for name, value in given.items():
        if value is not None and isinstance(previs.OPTIONS[name].kind, previs.File):
            given[name] = os.path.abspath(value)
    if "loras" in given:
        given["loras"] = tuple(dataclasses.replace(lora, path=os.path.abspath(lora.path)) for lora in given["loras"])
    template = given.get("template")
    if template and "{" not in template:
        preset = read_preset(template)
        given = {**preset, **given, "template": preset["template"]}
    return given


def _settings(args: argparse.Namespace) -> previs.Settings:
    """What the command line names, and else what the scene holds."""
    engine_python, user_dir = engine_places(bpy.context)
    named = _named(args)
    stored = _scene(args).wan_previs.chosen(named.get("model"))
    return previs.Settings(**{**stored, **named}, engine_python=engine_python, user_dir=user_dir)


def _render(args: argparse.Namespace) -> int:
    if args.sure and not args.resume:
        raise previs.UsageError("--sure goes with --resume: it goes on with interrupted work. Add --resume.")
    settings = _settings(args)
    if args.save is not None:
        check_blend_place(args.save)
    if args.dry_run:
        return _dry_run(args, settings)
    resume: previs.Resume = "surely" if args.sure else args.resume
    redo = _redo(args)
    generation = previs.Generation(_scene(args), settings, args.shot, resume, as_then=_as_then(args), redo=redo)
    _warn(generation.warnings)
    try:
        generation.run(_Terminal().show)
    finally:
        previs.close_engine()
    status = _save(args.save, generation)
    for clip in generation.clips:
        print(previs.plain(str(clip)), file=args.stream)
    for note in generation.progress.notes:
        _complain(f"note: {note}")
    for take in generation.made:
        if take.verdict:
            _complain(f"{take.name}: {take.verdict}. {take.sentence}".rstrip())
        if take.follow:
            _complain(f"{take.name}: {take.follow}. {take.follow_sentence}".rstrip())
    if generation.overview is not None:
        _complain(f"overview: {generation.overview}")
    for error in generation.errors:
        _complain(error)
    return status


def _redo(args: argparse.Namespace) -> previs.Redo | None:
    """What of a take is to be made anew. Raises UsageError, SceneError, JobError."""
    if args.redo is None:
        if args.redo_from is not None or args.redo_marked:
            raise previs.UsageError(
                "--redo-from and --redo-marked say what of a take is made anew; name it with --redo."
            )
        return None
    if args.shot is None or len(args.shot) != 1 or args.resume:
        raise previs.UsageError("--redo makes a part of one shot's take anew. Name that shot with --shot, once.")
    take = previs.take_numbered(_scene(args), args.shot[0], args.redo)
    return previs.redo_of(_scene(args), take, args.redo_from, args.redo_marked)


def _as_then(args: argparse.Namespace) -> set[str]:
    """The fields of a request whose options are not named on the command line: resumed work keeps what it has."""
    unnamed = [name for name, option in previs.OPTIONS.items() if option not in _WORDS and not hasattr(args, name)]
    return {field for name in unnamed for field in _FIELDS.get(name, (name,))}


def _save(path: Path | None, generation: previs.Generation) -> int:
    """Saves the scene where it has new strips; returns the exit status of it all."""
    if path is not None and generation.clips:
        try:
            save_blend(path)
            previs.saved_elsewhere(generation.made, path)
        except (SaveError, previs.JobError) as error:
            _complain(f"{error} The clips are kept in their job folders.")
            return generation.exit_status or error.exit_status
    return generation.exit_status


def _dry_run(args: argparse.Namespace, settings: previs.Settings) -> int:
    brief, warnings = previs.read_shots(_scene(args), args.shot, settings)
    model = previs.outline(settings.checkpoint)
    _warn([*warnings, *previs.contradictions_of(brief, settings), *previs.lengths_of(brief, settings, model)])
    _warn(previs.samplings_of(settings))
    told: dict[str, None] = {}
    redo = _redo(args)
    if redo is None:
        previs.check_references(brief, settings, model)
        _warn(previs.without_references(brief, model))
        plan = previs.plan_of(_scene(args), brief, settings)
        if plan is not None:
            settings = dataclasses.replace(settings, size=settings.size or plan.size)
            told |= dict.fromkeys(plan.notes)
    for shot in brief.shots:
        job = previs.prepare(_scene(args), brief, shot, settings, note=told.setdefault, redo=redo)
        job.release()
        print(previs.plain(str(job.path)), file=args.stream)
    for note in told:
        _complain(f"note: {note}")
    return 0


class _Terminal:
    """One line on stderr that tells how far a generation is; rewritten in a terminal, else a new line per change."""

    def __init__(self) -> None:
        self.last = ""

    def show(self, generation: previs.Generation) -> None:
        name = generation.shots[generation.index] if generation.index >= 0 else ""
        done = int(generation.fraction * 30)
        left = generation.progress.left
        time_left = f", about {duration_in_words(left)} left" if left is not None and sys.stderr.isatty() else ""
        bar = f"[{'#' * done}{'.' * (30 - done)}] {generation.fraction:4.0%}"
        line = previs.plain(f"{bar}  {name}: {generation.status}{time_left}")
        if line == self.last:
            return
        self.last = line
        print(
            f"\r\x1b[K{line}" if sys.stderr.isatty() else line,
            end="" if sys.stderr.isatty() else "\n",
            file=sys.stderr,
            flush=True,
        )
        if generation.status in ("Done", "Stopped") and sys.stderr.isatty():
            print(file=sys.stderr)


def _four_steps(args: argparse.Namespace) -> int:
    fetch = previs.FourStepsFetch(_scene(args), _settings(args))
    told: set[str] = set()

    def show(work: previs.FourStepsFetch) -> None:
        if work.status not in told:
            told.add(work.status)
            print(work.status, file=sys.stderr, flush=True)

    fetch.run(show)
    for error in fetch.errors:
        _complain(error)
    if not fetch.errors:
        print(previs.plain(str(fetch.found.folder)), file=args.stream)
    return fetch.exit_status


def _check(args: argparse.Namespace) -> int:
    settings = _settings(args)
    if args.report:
        print(previs.plain(support_report(settings)), file=args.stream)
    findings = previs.check(settings)
    for finding in findings if not args.report else ():
        advice = f": {finding.advice}" if finding.advice else ""
        print(previs.plain(f"{'ok' if finding.ok else 'NO':3} {finding.what}{advice}"), file=args.stream)
    return 0 if all(f.ok for f in findings) else 4


_registered: list[object] = []


def register() -> None:
    """Makes `blender -c wan_previs` known."""
    _registered.append(bpy.utils.register_cli_command(COMMAND, lambda argv: main(list(argv))))


def unregister() -> None:
    """Makes it unknown again."""
    while _registered:
        bpy.utils.unregister_cli_command(_registered.pop())
