# SPDX-License-Identifier: GPL-3.0-or-later
"""The Wan video model as a library and a command line; knows nothing of Blender.

Importing this package (and `wan_engine.request`) needs nothing but the standard library.
"""

import os

from . import caches

if __name__ == "wan_engine":  # a process of the engine's own; inside Blender the package has another name
    caches.keep_in(caches.cache_folder(os.environ), os.environ)
