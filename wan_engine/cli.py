# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's command line: `generate` and `inspect`. Errors are told in words on stderr, with an exit status."""

from __future__ import annotations

import argparse
import io
import os
import sys
from pathlib import Path
from typing import NoReturn

from .commands import measure
from .errors import GenerationError, UsageError, WanError
from .request import CODECS, DTYPES, GUIDES, OFFLOADS, PRESETS, REPAIRS, SOLVERS, GenerationRequest, Lora

_CANCELLED = 130


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}. See {self.prog} --help.")


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path may hold what no text can
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
    generate.add_argument("--solver", help=", ".join(SOLVERS))
    generate.add_argument("--seed", type=int, default=0)
    generate.add_argument("--preset", help=f"sampling of distilled models: {', '.join(PRESETS)}")
    generate.add_argument(
        "--lora",
        dest="loras",
        type=Lora.parse,
        action="append",
        default=[],
        metavar="PATH[:STRENGTH][:high|low]",
        help="changes to the weights; may be given several times",
    )
    generate.add_argument("--fps", type=float, help="playback rate")
    generate.add_argument("--dtype", default="float32", help=", ".join(DTYPES))
    generate.add_argument("--offload", default="none", help=", ".join(OFFLOADS))
    generate.add_argument("--attention", default="auto", help="attention backend")
    generate.add_argument("--compile", action="store_true", help="let torch compile the transformer's blocks")
    generate.add_argument(
        "--light",
        type=lambda path: measure.read_light(Path(path)),
        metavar="LIGHT.json",
        help="the light that the scene predicts: source, times, luminance",
    )
    generate.add_argument(
        "--guide-light", metavar="STRENGTH", help=f"hold the clip to it: {', '.join(GUIDES)}; gentle when left out"
    )
    generate.add_argument(
        "--step-cache",
        type=float,
        default=0.0,
        metavar="CHANGE",
        help="reuse the blocks' results while they change less than this, such as 0.05 (not exact); 0 is off",
    )
    generate.add_argument(
        "--vae-tiles", type=int, default=0, metavar="PIXELS", help="decode in tiles of this side (not exact); 0 is off"
    )
    _add_finishing(generate)
    inspect = commands.add_parser("inspect", help="tell what a checkpoint is", description="Tell what a checkpoint is.")
    inspect.set_defaults(run=_inspect)
    inspect.add_argument("--checkpoint", required=True, help="folder in the published layout")
    inspect.add_argument("--size", type=_size, help="WxH to plan memory for")
    inspect.add_argument("--frames", type=int, help="frames to plan memory for")
    inspect.add_argument("--dtype", choices=DTYPES, help="number format to plan memory for")
    inspect.add_argument("--offload", choices=OFFLOADS, help="offload setting to plan memory for")
    download = commands.add_parser("download", help="fetch a checkpoint", description="Fetch a published checkpoint.")
    download.set_defaults(run=_download)
    download.add_argument("model", help="such as Wan2.2-TI2V-5B")
    download.add_argument("--to", required=True, metavar="DIR", help="folder for the checkpoint")
    download.add_argument("--offline", action="store_true", help="fetch nothing, only look whether all is there")
    measure.add_parser(commands)
    return parser


def _add_finishing(generate: argparse.ArgumentParser) -> None:
    """What is done to the clip after the model has made it."""
    generate.add_argument("--correct", type=_names, default=(), help=f"repair its light: {', '.join(REPAIRS)}")
    generate.add_argument("--upscale", type=int, default=0, help="2 or 4 times as large; 0 is off")
    generate.add_argument("--upscale-model", metavar="FILE", help="a learned upscaling model (needs spandrel)")
    generate.add_argument(
        "--refine", type=float, default=0.0, metavar="NOISE", help="redraw the enlarged clip from this noise level, 0.3"
    )
    generate.add_argument(
        "--interpolation-model", metavar="FILE", help="a learned model for frames between, ONNX (needs onnxruntime)"
    )
    generate.add_argument("--codec", default="h264", help=", ".join(CODECS))


_TEXT_OPTIONS = {
    "checkpoint": "folder in the published layout",
    "prompt": "what the clip shows",
    "negative": "what it must not look like; the model's own when left out",
    "image": "picture the clip starts with",
    "last-image": "picture the clip ends with",
    "out": "the clip to write; its ending follows the codec",
    "latents": "also write the final latents (.safetensors)",
    "frames-out": "also write every decoded frame as PNG into this folder",
    "report": "also write what was done (.json)",
    "resume": "keep the state after every step in this file, and go on from it after an interruption",
    "preview": "rewrite this PNG with a small preview after every step",
    "page": "measure the clip's light and draw a page about it into this PNG; the report then holds the figures",
    "prompt-cache": "folder in which encoded prompts are kept",
}


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write it like 832x480")
    return int(width), int(height)


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


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
    request = GenerationRequest(**{**values, "loras": tuple(values["loras"])})
    request.validate()
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


def _show(event: dict) -> None:
    if event["event"] == "step":
        progress = f"step {event['step']}/{event['steps']} ({event['expert']}, {event['seconds']:.1f} s)"
        print(progress, file=sys.stderr, flush=True)
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
    from .checkpoint.download import fetch

    print(fetch(options.model, Path(options.to), on_progress=_show, offline=options.offline))
    return 0


def _inspect(options: argparse.Namespace) -> int:
    asked = {name: value for name in ("size", "frames", "dtype", "offload") if (value := getattr(options, name))}
    GenerationRequest(options.checkpoint, "", **{**asked, "frames": options.frames}).validate()
    from .commands.inspect import describe

    try:
        told = describe(
            Path(options.checkpoint),
            size=options.size,
            frames=options.frames,
            dtype=options.dtype,
            offload=options.offload,
        )
        print(told, flush=True)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
