# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m wan_engine selftest`: whether this machine computes a clip as others do.

A tiny clip of the shipped checkpoint is made on the processor and held against figures of another machine, then on the
graphics card, where there is one, and held against the processor's: there are chips and drivers that compute wrong
without a word.
"""

from __future__ import annotations

import argparse
import math
import platform
import tempfile
from pathlib import Path
from typing import Any

from .errors import GenerationError, WanError
from .request import GenerationRequest

_CHECKPOINT = Path(__file__).resolve().parents[1] / "checkpoints" / "nano"
_PROMPT = "A red cube on a grey plane at noon."
# Mean, standard deviation and first value of the latents, by float32 on an x86-64 processor.
EXPECTED = (0.0298138, 0.957647, -0.5442505)
TOLERANCE = 2e-3  # of the latents' standard deviation; orders of summation differ between processors


def add_parser(commands: Any) -> None:
    """Add `selftest` to the engine's subcommands."""
    words = "tell whether this machine computes right"
    parser = commands.add_parser("selftest", help=words, description=f"{words.capitalize()}.")
    parser.set_defaults(run=run)
    parser.add_argument("--report", metavar="OUT.json", help="write the result")


def run(options: argparse.Namespace) -> int:
    """Make the clips, print a sentence for each device, and write the report. Raises WanError when a clip cannot be
    made at all; exit status 5 where a device computes wrong."""
    import torch

    from .devices import available
    from .media.atomic_write import write_json

    on_cpu = _latents("cpu")
    rows: list[dict[str, Any]] = []
    for device in reversed(available()):
        rows.append(_row(device, on_cpu))
        print(in_words(rows[-1]), flush=True)
    if options.report is not None:
        facts = {"torch": torch.__version__, "python": platform.python_version(), "devices": rows}
        write_json(Path(options.report), facts)
    return 0 if all(row["ok"] for row in rows) else GenerationError.exit_status


def _row(device: str, on_cpu: Any) -> dict[str, Any]:
    """What to tell of a device. A card that cannot compute at all leaves the processor to compute on."""
    from .devices import name_of

    row: dict[str, Any] = {"device": device, "name": device, "ok": False}
    try:
        row["name"] = name_of(device)
        row["off"] = _off_from_figures(on_cpu) if device == "cpu" else _off(_latents(device), on_cpu)
        row["ok"] = row["off"] <= TOLERANCE
    except (WanError, RuntimeError) as error:
        row["error"] = str(error).strip().partition("\n")[0][:200]
    return row


def in_words(row: dict[str, Any]) -> str:
    """One device's result for people."""
    if row["ok"]:
        return f"{row['name']} computes right."
    if "error" in row:
        return f"{row['name']} cannot compute ({row['error']}). Update its driver, or choose another device."
    return (
        f"{row['name']} computes wrong: off by {row['off']:.2g} where {TOLERANCE:g} is the most. Update its driver, or "
        "choose another device."
    )


def _latents(device: str) -> Any:
    """The latents of the tiny clip, float32 on the CPU."""
    import safetensors.torch

    from .pipeline import load

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        request = GenerationRequest(
            str(_CHECKPOINT), _PROMPT, size=(64, 64), frames=5, steps=2, seed=7, device=device,
            out=str(place / "clip.mp4"), latents=str(place / "latents.safetensors"),
        )  # fmt: skip
        load(**request.load_options).generate(request)
        return safetensors.torch.load_file(place / "latents.safetensors")["latents"].float()


def _off_from_figures(latents: Any) -> float:
    """How far the latents' figures are from those of another machine, in units of their standard deviation."""
    figures = (float(latents.mean()), float(latents.std()), float(latents.flatten()[0]))
    return max(abs(a - b) for a, b in zip(figures, EXPECTED, strict=True)) / EXPECTED[1]


def _off(latents: Any, right: Any) -> float:
    """The largest difference of two clips' latents, in units of the right ones' standard deviation; infinite where a
    number is not finite."""
    off = float((latents - right).abs().max() / right.std())
    return off if math.isfinite(off) else math.inf
