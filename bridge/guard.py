# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command that ends, with all its children, as soon as the program that asked for it does.

`python guard.py COMMAND...`, started as the first of a process group: the first line of stdin goes to the command, the
end of stdin ends it. Its output and exit status are passed on. Needs nothing but the standard library, for any Python
runs it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

EVERY = 1.0  # seconds between two looks at the parent, where the end of stdin does not tell: another process has it too


def main(command: list[str]) -> int:
    """Runs the command and ends it when the parent goes; returns its exit status."""
    parent = os.getppid()
    line = sys.stdin.buffer.readline()
    child = subprocess.Popen(command, stdin=subprocess.PIPE)
    threading.Thread(target=_wait_for_the_end_of_input, args=(child,), daemon=True).start()
    if child.stdin is not None:
        try:
            child.stdin.write(line)
            child.stdin.close()
        except OSError:
            pass  # it has ended, and its exit status tells why
    while True:
        try:
            code = child.wait(EVERY)
        except subprocess.TimeoutExpired:
            if os.getppid() != parent:
                _end(child)
        else:
            return code if code >= 0 else _die_of(-code)


def _die_of(number: int) -> int:
    """End as the command did."""
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number


def _wait_for_the_end_of_input(child: subprocess.Popen[bytes]) -> None:
    while os.read(0, 1 << 16):
        pass
    _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the command, what it has started, and this process."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(child.pid)], capture_output=True)
    elif os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    else:
        child.kill()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
