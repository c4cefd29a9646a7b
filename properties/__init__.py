# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user sets and sees: `scene.wan_previs` (saved with the file) and `window_manager.wan_previs` (this session).

The second mirrors the running generation for the panels; it is emptied whenever a file is loaded.
"""

from .choices import switched_off
from .old_files import bring_up_to_date
from .registration import CLASSES, attach, available, detach
from .rows import WanPrevisFound, WanPrevisShot, outdated, read_source
from .session import WanPrevisSession
from .settings import WanPrevisScene

__all__ = [
    "CLASSES",
    "WanPrevisFound",
    "WanPrevisScene",
    "WanPrevisSession",
    "WanPrevisShot",
    "attach",
    "available",
    "bring_up_to_date",
    "detach",
    "outdated",
    "read_source",
    "switched_off",
]
