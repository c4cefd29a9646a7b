# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's command line: `generate` and `inspect`. Errors are told in words on stderr, with an exit status."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from .request import DTYPES, OFFLOADS, SOLVERS, GenerationRequest, UsageError, WanError

_CANCELLED = 130


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}. See {self.prog} --help.")


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit status."""
    try:
        options = _parser().parse_args(arguments)
        return options.run(options)
    except WanError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("Cancelled.", file=sys.stderr)
        return _CANCELLED
    except OSError as error:
        print(f"{error.filename or 'A file'} cannot be used: {error.strerror or error}.", file=sys.stderr)
        return WanError.exit_status


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m wan_engine", description="Wan video generation.")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    generate = commands.add_parser("generate", help="make a clip", description="Make a clip.")
    generate.set_defaults(run=_generate)
    for option, wording in _TEXT_OPTIONS.items():
        required = option in ("checkpoint", "prompt", "out")
        generate.add_argument(f"--{option}", help=wording, required=required)
    generate.add_argument("--size", type=_size, help="WxH; with a picture only the area counts")
    generate.add_argument("--frames", type=int, help="4n+1 of them")
    generate.add_argument("--steps", type=int, help="sampling steps")
    generate.add_argument("--shift", type=float, help="how far the schedule leans to high noise")
    generate.add_argument("--guide", type=_guide, metavar="LOW[,HIGH]", help="guidance of the low- and high-noise part")
    generate.add_argument(
        "--boundary", type=float, help="share of the timesteps from which the high-noise expert works"
    )
    generate.add_argument("--solver", default="unipc", help=", ".join(SOLVERS))
    generate.add_argument("--seed", type=int, default=0)
    generate.add_argument("--fps", type=float, help="playback rate")
    generate.add_argument("--dtype", default="float32", help=", ".join(DTYPES))
    generate.add_argument("--offload", default="none", help=", ".join(OFFLOADS))
    inspect = commands.add_parser("inspect", help="tell what a checkpoint is", description="Tell what a checkpoint is.")
    inspect.set_defaults(run=_inspect)
    inspect.add_argument("--checkpoint", required=True, help="folder in the published layout")
    return parser


_TEXT_OPTIONS = {
    "checkpoint": "folder in the published layout",
    "prompt": "what the clip shows",
    "negative": "what it must not look like; the model's own when left out",
    "image": "picture the clip starts with",
    "last-image": "picture the clip ends with",
    "out": "the MP4 to write",
    "latents": "also write the final latents (.safetensors)",
    "frames-out": "also write every decoded frame as PNG into this folder",
    "report": "also write what was done (.json)",
}


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write it like 832x480")
    return int(width), int(height)


def _guide(text: str) -> tuple[float, float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in (1, 2):
        raise argparse.ArgumentTypeError(f"{text!r} is no guidance; write it like 3.5 or 3,4")
    return values[0], values[-1]


def _generate(options: argparse.Namespace) -> int:
    values = {name: value for name, value in vars(options).items() if name not in ("command", "run")}
    request = GenerationRequest(**values)
    request.validate()
    from .pipeline import load  # torch takes seconds to import; usage errors should not wait for it

    pipeline = load(request.checkpoint, request.dtype, request.offload)
    report = pipeline.generate(request, on_event=_show)
    for warning in report["warnings"]:
        print(f"Note: {warning}", file=sys.stderr)
    clip = report["clip"]
    print(f"{clip['path']}: {clip['frames']} frames, {clip['size'][0]}x{clip['size'][1]}, {clip['fps']} fps")
    return 0


def _show(event: dict) -> None:
    if event["event"] == "step":
        progress = f"step {event['step']}/{event['steps']} ({event['expert']}, {event['seconds']:.1f} s)"
        print(progress, file=sys.stderr, flush=True)
    elif event["event"] == "stage":
        print(event["stage"].replace("_", " "), file=sys.stderr, flush=True)


def _inspect(options: argparse.Namespace) -> int:
    from .inspection import describe

    try:
        print(describe(Path(options.checkpoint)), flush=True)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
