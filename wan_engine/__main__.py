# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m wan_engine`."""

import sys

from .cli import main

sys.exit(main(sys.argv[1:]))
