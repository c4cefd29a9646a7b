# SPDX-License-Identifier: GPL-3.0-or-later
"""The headless commands `brief`, `prompt`, `render` and `check`: `blender -c wan_previs`, `python -m wan_previs`.

Exit status: 0 done, 2 wrong usage, 3 the scene lacks what the command needs, 4 engine or checkpoint not set up, 5
generation failed or could not be saved, 130 cancelled. Errors are one or two sentences on stderr.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import sys
from pathlib import Path
from typing import Any, TextIO

import bpy

from . import previs, properties
from .previs.engine import engine_places
from .previs.presets import read_preset
from .previs.progress import duration_in_words
from .previs.saving import SaveError, check_blend_place, check_place, save_blend, write_file

COMMAND = "wan_previs"
# Options of `render`, and the fields of a request that they decide.
_OPTIONS = {
    **{
        name: (name,)
        for name in (
            "size", "steps", "seed", "preset", "dtype", "step_cache", "vae_tiles", "upscale", "upscale_model", "refine",
            "interpolation_model", "codec",
        )
    },
    "model": ("checkpoint",), "mode": ("image", "last_image"), "light_guide": ("guide_light",),
    "expected_light": ("light_truth",), "repair": ("correct",), "lora": ("loras",),
}  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The command line after the file name."""
    top = argparse.ArgumentParser(prog=COMMAND, description="Turns the shots of a scene into generated previs clips.")
    commands = top.add_subparsers(dest="command", required=True)

    brief = commands.add_parser("brief", help="print what the scene knows of its shots, as JSON")
    brief.add_argument("--out", type=_file, help="write to this file instead of stdout")
    prompt = commands.add_parser("prompt", help="print the prompt of each shot")
    prompt.add_argument("--language", choices=("en", "zh"), default="en")
    prompt.add_argument("--json", action="store_true", help="the structured prompt instead of its text")
    render = commands.add_parser("render", help="generate the clips and put them into the sequencer")
    check = commands.add_parser("check", help="say what is set up, what is missing and how to mend it")
    for command in (brief, prompt, render):
        command.add_argument("--scene", metavar="NAME", help="this scene; default: the one the file was saved in")
        command.add_argument("--shot", action="append", metavar="NAME", help="only this shot; may be given again")
    for command in (prompt, render):
        command.add_argument("--description", help="your own words, woven into the prompt; default: the file's")
        command.add_argument("--style", help="the look, said first; default: the file's")
        command.add_argument("--template", help="a prompt template, or the name of a preset; default: the file's")
        command.add_argument("--negative", help="what to avoid besides the model's own; default: the file's")
    for command in (render, check):
        command.add_argument("--model", default="nano", help="'nano' or a checkpoint folder")
    _add_making(render)
    return top


def _add_making(render: argparse.ArgumentParser) -> None:
    """The options about how clips are made."""
    render.add_argument(
        "--mode", choices=previs.CHOICES["mode"], default="auto",
        help="what the clip is held to; auto is the best that the model can do",
    )  # fmt: skip
    render.add_argument("--size", type=_size, metavar="WxH")
    render.add_argument("--steps", type=int, metavar="N")
    render.add_argument("--seed", type=int, default=0, metavar="N")
    render.add_argument(
        "--light-guide",
        choices=previs.CHOICES["guide_light"],
        default="gentle",
        help="how firmly the light is held to the scene's",
    )
    render.add_argument(
        "--expected-light", choices=previs.CHOICES["light_truth"], default="brief",
        help="what tells how the light should go: the scene's facts, or small renders of it",
    )  # fmt: skip
    render.add_argument(
        "--repair", nargs="*", choices=previs.CHOICES["correct"], metavar="REPAIR",
        help="mend the finished clip's light: deflicker, color, or both when none is named",
    )  # fmt: skip
    render.add_argument("--upscale", type=int, choices=(0, 2, 4), default=0, help="make the finished clip larger")
    render.add_argument(
        "--upscale-model", type=Path, metavar="FILE", help="a learned upscaling model; default: built in"
    )
    render.add_argument(
        "--refine", type=float, default=0.0, metavar="NOISE", help="let the model redraw the upscaled clip; 0 is off"
    )
    render.add_argument(
        "--interpolation-model", type=Path, metavar="FILE",
        help="a learned model for frames between, ONNX; default: by optical flow",
    )  # fmt: skip
    render.add_argument("--codec", choices=previs.CHOICES["codec"], default="h264", help="what clips are written as")
    render.add_argument("--preset", choices=previs.CHOICES["preset"], help="how a distilled model is sampled")
    render.add_argument(
        "--lora", type=_lora, action="append", default=[], metavar="PATH[:STRENGTH][:high|low]",
        help="a file that changes the model; may be given again",
    )  # fmt: skip
    render.add_argument(
        "--dtype",
        choices=previs.CHOICES["dtype"],
        default="auto",
        help="how exactly the model calculates; auto is bfloat16 for large models",
    )
    render.add_argument(
        "--offload",
        choices=previs.CHOICES["offload"],
        default="auto",
        help="what is kept out of memory; auto is as little as fits",
    )
    render.add_argument(
        "--step-cache", type=float, default=0.0, metavar="CHANGE", help="reuse what changes less than this; not exact"
    )
    render.add_argument("--vae-tiles", type=int, default=0, metavar="PIXELS", help="decode in tiles; not exact")
    render.add_argument(
        "--output", type=Path, metavar="DIR", help="where job folders go; default: 'previs' beside the file"
    )
    render.add_argument("--save", type=_blend, metavar="FILE.blend", help="save the scene with its new strips here")
    end = render.add_mutually_exclusive_group()
    end.add_argument("--dry-run", action="store_true", help="stop before the engine; leave request and frames")
    end.add_argument(
        "--resume", action="store_true",
        help="go on with a shot's last job where it was interrupted, as it was asked for then; anew where the scene or "
        "an option named here is otherwise now, or another file may claim the job",
    )  # fmt: skip
    render.set_defaults(parser=render)


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)[xX](\d+)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no size; write it as 832x480")
    return int(match[1]), int(match[2])


def _blend(text: str) -> Path:
    path = _file(text)
    if path.suffix.lower() != ".blend":
        raise argparse.ArgumentTypeError(f"'{text}' does not end in .blend; name a file such as scene.blend")
    return path


def _file(text: str) -> Path:
    """Where a link to a file leads, so that the link itself stays."""
    return Path(os.path.realpath(text))


def _lora(text: str) -> previs.Lora:
    try:
        lora = previs.Lora.parse(text)
    except previs.WanError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return dataclasses.replace(lora, path=os.path.abspath(lora.path))


def main(argv: list[str], out: TextIO | None = None) -> int:
    """Runs one command on the open file, with its result on `out` (stdout); returns the exit status."""
    try:
        args = parser().parse_args(argv, argparse.Namespace(stream=out or sys.stdout, argv=argv))
    except SystemExit as stop:  # argparse has said why
        return int(stop.code or 0)
    try:
        with properties.available():
            return {"brief": _brief, "prompt": _prompt, "render": _render, "check": _check}[args.command](args)
    except (*previs.OurError, SaveError) as error:
        _complain(str(error))
        return error.exit_status
    except OSError as error:
        _complain(f"{error.filename or 'A file'} cannot be read or written: {error.strerror}.")
        return 5
    except KeyboardInterrupt:
        _complain("Cancelled.")
        return 130


def _complain(words: str) -> None:
    print(f"wan_previs: {words}", file=sys.stderr, flush=True)


def _scene(args: argparse.Namespace) -> bpy.types.Scene:
    return bpy.context.scene if args.scene is None else previs.scene_named(args.scene)


def _warn(warnings: list[str]) -> None:
    for warning in warnings:
        _complain(f"warning: {warning}")


def _brief(args: argparse.Namespace) -> int:
    if args.out is not None:
        check_place(args.out)
    brief, warnings = previs.read_shots(_scene(args), args.shot)
    _warn(warnings)
    text = json.dumps(brief.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if args.out is not None:
        write_file(args.out, lambda new: new.write_text(text, encoding="utf-8", errors="backslashreplace"))
    else:
        args.stream.write(text)
    return 0


def _prompt(args: argparse.Namespace) -> int:
    brief, warnings = previs.read_shots(_scene(args), args.shot)
    _warn(warnings)
    settings = previs.Settings(**_wording(args))
    prompts = {shot.name: previs.prompt_of(brief, shot, settings) for shot in brief.shots}
    _warn([warning.message for prompt in prompts.values() for warning in prompt.warnings])
    if args.json:
        structured = {name: previs.prompt_json(p) for name, p in prompts.items()}
        print(json.dumps(structured, indent=1, ensure_ascii=False), file=args.stream)
    else:
        texts = {name: previs.prompt_text(p, args.language) for name, p in prompts.items()}
        parts = texts.values() if len(texts) == 1 else (f"[{name}]\n{text}" for name, text in texts.items())
        print("\n\n".join(parts), file=args.stream)
    return 0


def _wording(args: argparse.Namespace) -> dict[str, Any]:
    """The words that the file holds, and in their place those of the command line. Raises UsageError."""
    words = _scene(args).wan_previs.wording()
    given = {field: getattr(args, field) for field in ("description", "style", "template", "negative")}
    if given["template"] and "{" not in given["template"]:
        preset = read_preset(given["template"])
        given = {
            **given,
            **{field: text for field, text in preset.items() if field == "template" or given[field] is None},
        }
    return {**words, **{field: text for field, text in given.items() if text is not None}}


def _settings(args: argparse.Namespace) -> previs.Settings:
    engine_python, user_dir = engine_places(bpy.context)
    return previs.Settings(
        model=args.model, mode=args.mode, size=args.size, steps=args.steps, seed=args.seed,
        preset=args.preset, loras=tuple(args.lora), dtype=args.dtype, offload=args.offload,
        step_cache=args.step_cache, vae_tiles=args.vae_tiles,
        correct=_repairs(args.repair), upscale=args.upscale, refine=args.refine, codec=args.codec,
        upscale_model=os.path.abspath(args.upscale_model) if args.upscale_model else None,
        interpolation_model=os.path.abspath(args.interpolation_model) if args.interpolation_model else None,
        guide_light=args.light_guide, light_truth=args.expected_light,
        output=args.output, engine_python=engine_python, user_dir=user_dir, **_wording(args),
    )  # fmt: skip


def _repairs(named: list[str] | None) -> tuple[str, ...]:
    """None without the option, all when it stands alone."""
    return () if named is None else tuple(dict.fromkeys(named)) or previs.CHOICES["correct"]


def _render(args: argparse.Namespace) -> int:
    settings = _settings(args)
    if args.save is not None:
        check_blend_place(args.save)
    if args.dry_run:
        return _dry_run(args, settings)
    generation = previs.Generation(_scene(args), settings, args.shot, args.resume, as_then=_as_then(args))
    _warn(generation.warnings)
    try:
        generation.run(_Terminal().show)
    finally:
        previs.close_engine()
    status = _save(args.save, generation)
    for clip in generation.clips:
        print(clip, file=args.stream)
    for note in generation.progress.notes:
        _complain(f"note: {note}")
    for take in generation.made:
        if take.verdict:
            _complain(f"{take.name}: {take.verdict}. {take.sentence}".rstrip())
    if generation.overview is not None:
        _complain(f"overview: {generation.overview}")
    for error in generation.errors:
        _complain(error)
    return status


def _as_then(args: argparse.Namespace) -> set[str]:
    """The fields of a request whose options are not named on the command line: resumed work keeps what it has."""
    unset: list[object] = []  # a list, which an option that may be given again copies before it adds to it
    args.parser.set_defaults(**dict.fromkeys(vars(args), unset))
    again = vars(args.parser.parse_args(args.argv[1:]))
    return {field for option, fields in _OPTIONS.items() if again[option] is unset for field in fields}


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
    brief, warnings = previs.read_shots(_scene(args), args.shot)
    model = previs.outline(settings.checkpoint)
    _warn([*warnings, *previs.contradictions_of(brief, settings), *previs.lengths_of(brief, settings, model)])
    told: dict[str, None] = {}
    for shot in brief.shots:
        job = previs.prepare(_scene(args), brief, shot, settings, note=told.setdefault)
        job.release()
        print(job.path, file=args.stream)
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
        line = f"{bar}  {name}: {generation.status}{time_left}"
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


def _check(args: argparse.Namespace) -> int:
    engine_python, user_dir = engine_places(bpy.context)
    findings = previs.check(previs.Settings(model=args.model, engine_python=engine_python, user_dir=user_dir))
    for finding in findings:
        advice = f": {finding.advice}" if finding.advice else ""
        print(f"{'ok' if finding.ok else 'NO':3} {finding.what}{advice}", file=args.stream)
    return 0 if all(f.ok for f in findings) else 4


_registered: list[object] = []


def register() -> None:
    """Makes `blender -c wan_previs` known."""
    _registered.append(bpy.utils.register_cli_command(COMMAND, lambda argv: main(list(argv))))


def unregister() -> None:
    while _registered:
        bpy.utils.unregister_cli_command(_registered.pop())
