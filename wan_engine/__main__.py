# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m wan_engine`."""

import os
import sys


def _status() -> int:
    try:
        from .cli import main

        return main(sys.argv[1:])
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("wan_engine"):
            raise
        print(
            f"{sys.executable} lacks {error.name}. Run the engine by the Python of its environment: after make setup "
            "that is .venv-engine/bin/python.",
            file=sys.stderr,
        )
        return 4
    except SystemExit as end:  # --help, and processes that follow the first one to fail
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1


status = _status()
if int(os.environ.get("WORLD_SIZE", "1")) > 1:
    # Threads of the collectives may still ask for the interpreter while it ends, which aborts a process that is done.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
sys.exit(status)
