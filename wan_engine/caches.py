# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the libraries under the engine keep what they compile and look up: in a folder of the engine's own.

Left to themselves they write to several places in the user's home and in the folder for temporary files.
"""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from pathlib import Path

VARIABLE = "WAN_PREVIS_CACHE"
_PLACES = {
    "MPLCONFIGDIR": "matplotlib",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TRITON_CACHE_DIR": "triton",
    "TORCH_EXTENSIONS_DIR": "extensions",
    "CUDA_CACHE_PATH": "cuda",
}


def cache_folder(environment: MutableMapping[str, str]) -> Path:
    """The folder that WAN_PREVIS_CACHE names, else `wan_previs` where the system keeps a user's caches."""
    if named := environment.get(VARIABLE):
        return Path(named)
    if sys.platform == "win32":
        root = Path(environment.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        root = Path.home() / "Library" / "Caches"
    else:
        root = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "wan_previs"


def keep_in(folder: Path, environment: MutableMapping[str, str]) -> None:
    """Point the libraries there, before they are imported; what the user has set himself stays."""
    for variable, name in _PLACES.items():
        environment.setdefault(variable, str(folder / name))
