# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's command line: `generate` and `inspect`. Errors are told in words on stderr, with an exit status."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from pathlib import Path
from typing import NoReturn

from . import selftest
from .commands import measure
from .errors import GenerationError, UsageError, WanError, reason_of
from .option_arguments import add_options, given_options
from .options import Option
from .request import OPTIONS, PLANNED, GenerationRequest
from .terminal import plain_output

_CANCELLED = 130


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:].rstrip('.')}. See {self.prog} --help.")


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may lack letters
    with plain_output():
        return _main(arguments)


def _main(arguments: list[str]) -> int:
    try:
        options = _parser().parse_args(arguments)
        status = options.run(options)
        sys.stdout.flush()
        return status
    except WanError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("Cancelled.", file=sys.stderr)
        return _CANCELLED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        _drop_output()
        return 0
    except OSError as error:
        place = error.filename or "The output"
        words = f"{place} cannot be used ({reason_of(error)}). Check the path, its rights and the free space there."
        print(words, file=sys.stderr)
        _drop_output()
        return WanError.exit_status


def _drop_output() -> None:
    """Let what could not be written go nowhere, so that the interpreter does not try it again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m wan_engine", description="Wan video generation.")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    generate = commands.add_parser("generate", help="make a clip", description="Make a clip.")
    generate.set_defaults(run=_generate)
    add_options(generate, OPTIONS.values())
    inspect = commands.add_parser("inspect", help="tell what a checkpoint is", description="Tell what a checkpoint is.")
    inspect.set_defaults(run=_inspect)
    inspect.add_argument("--checkpoint", required=True, help="folder in the published layout")
    add_options(inspect, _planned())
    plan = commands.add_parser(
        "plan", help="tell how a clip would be made here", description="Tell how a clip would be made here, as JSON."
    )
    plan.set_defaults(run=_plan)
    plan.add_argument("--checkpoint", required=True, help="folder in the published layout")
    plan.add_argument("--shape", type=float, metavar="RATIO", help="width over height; the size then gives the area")
    add_options(plan, [OPTIONS[name] for name in PLANNED])
    download = commands.add_parser(
        "download", help="fetch a checkpoint or a LoRA", description="Fetch a published checkpoint, or the LoRA for it."
    )
    download.set_defaults(run=_download)
    download.add_argument("model", help="such as Wan2.2-TI2V-5B, or Wan2.2-T2V-A14B-4steps for its four-step LoRA")
    download.add_argument("--to", required=True, metavar="DIR", help="folder for the files")
    download.add_argument("--offline", action="store_true", help="fetch nothing, only look whether all is there")
    measure.add_parser(commands)
    selftest.add_parser(commands)
    return parser


def _planned() -> list[Option]:
    """The options that memory is planned for."""
    return [OPTIONS[name] for name in ("size", "frames", "dtype", "offload")]


def _generate(options: argparse.Namespace) -> int:
    request = GenerationRequest(**given_options(options, OPTIONS.values()))
    request.validate()
    _check_tracks(request)
    from .pipeline import load
    from .runtime import process_group  # torch takes seconds to import; usage errors should not wait for it

    with process_group.group():
        told = set()

        def show(event: dict) -> None:
            told.add(event.get("message"))
            _show(event)

        report = load(**request.load_options).generate(request, on_event=show)
        if process_group.rank() != 0:
            return 0
    for warning in (words for words in report["warnings"] if words not in told):
        print(f"Note: {warning}", file=sys.stderr)
    clip = report["clip"]
    print(f"{clip['path']}: {clip['frames']} frames, {clip['size'][0]}x{clip['size'][1]}, {clip['fps']} fps")
    return GenerationError.exit_status if report["unsaved"] else 0


def _check_tracks(request: GenerationRequest) -> None:
    """Tell before the work, not behind it, that tracks do nothing or cannot be read."""
    if request.tracks is None:
        return
    if request.page is None:
        raise UsageError("--tracks has no effect without --page; give --page too, or leave out --tracks.")
    from .follow.tracks import read_tracks

    read_tracks(Path(request.tracks))


def _show(event: dict) -> None:
    if event["event"] == "step":
        progress = f"step {event['step']}/{event['steps']} ({event['expert']}, {event['seconds']:.1f} s)"
        print(progress, file=sys.stderr, flush=True)
    elif event["event"] == "window":
        print(f"step {event['step']}, window {event['window']}/{event['windows']}", file=sys.stderr, flush=True)
    elif event["event"] == "segment":
        print(f"segment {event['segment']}/{event['segments']}", file=sys.stderr, flush=True)
    elif event["event"] == "stage":
        print(event["stage"].replace("_", " "), file=sys.stderr, flush=True)
    elif event["event"] in ("note", "retry"):
        print(f"Note: {event['message']}", file=sys.stderr, flush=True)
    elif event["event"] == "resume":
        print(f"going on behind step {event['step']}", file=sys.stderr, flush=True)
    elif event["event"] == "download":
        total = max(1, event["total"])
        print(
            f"{100 * event['done'] // total:3} % of {total / 1e9:.1f} GB  {event['file']}", file=sys.stderr, flush=True
        )


def _download(options: argparse.Namespace) -> int:
    from .checkpoint.distilled import BY_NAME
    from .checkpoint.download import fetch

    folder = fetch(options.model, Path(options.to), on_progress=_show, offline=options.offline)
    print(folder)
    if lora := BY_NAME.get(options.model):
        told = (f'--lora "{folder / name}:{expert}"' for expert, name in lora.files.items())
        print("To use it with " + " or ".join((*lora.models, *lora.also)) + ": --preset lightning", *told)
    return 0


def _plan(options: argparse.Namespace) -> int:
    asked = given_options(options, [OPTIONS[name] for name in PLANNED])
    from .commands.plan import plan_of

    print(json.dumps(plan_of(Path(options.checkpoint), options.shape, **asked), indent=1, ensure_ascii=False))
    return 0


def _inspect(options: argparse.Namespace) -> int:
    asked = given_options(options, _planned())
    GenerationRequest(options.checkpoint, "", **asked).validate()
    from .commands.inspect import describe

    print(describe(Path(options.checkpoint), **asked))
    return 0
