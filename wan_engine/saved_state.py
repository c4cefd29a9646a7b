# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sampling's saved state tells of itself in its header, so that whoever offers to go on from it can know,
without torch, whether the engine will.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

# Raised whenever the state, or what decides its fingerprint, is another: older ones are then not gone on from.
SCHEMA = "wan_previs.resume/8"


def files_of(place: Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times of a file, or of all files in a folder; empty when there are none."""
    paths = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
    facts = [(path, path.stat()) for path in paths]
    return [(str(path.relative_to(place)), stat.st_size, stat.st_mtime_ns) for path, stat in facts]


def weights_of(checkpoint: Path, *loras: Path) -> str:
    """SHA-256, in hexadecimal, over `files_of` a checkpoint and its LoRAs: another one when they were changed."""
    facts = [files_of(place) for place in (checkpoint, *loras)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
