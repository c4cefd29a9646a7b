# SPDX-License-Identifier: GPL-3.0-or-later
"""A published checkpoint or LoRA fetched for Blender: `python -m wan_engine.commands.fetch` takes a JSON object on
stdin, {"model": a name that `download` knows, "to": the folder}, and prints how far it is, a line each.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ..checkpoint.download import fetch
from .task_io import answer


def fetch_files(task: dict[str, Any]) -> str:
    """Have the files of task["model"] in the folder task["to"]; returns that. Raises as `download.fetch`."""
    return str(fetch(str(task["model"]), Path(task["to"]), _tell))


def _tell(event: dict[str, Any]) -> None:
    if event["event"] == "download":
        percent = 100 * event["done"] // max(1, event["total"])
        print(f"{percent} % of {event['total'] / 1e9:.1f} GB", flush=True)
    else:
        print(event["message"], flush=True)


if __name__ == "__main__":
    sys.exit(answer(fetch_files))
