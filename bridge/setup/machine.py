# SPDX-License-Identifier: GPL-3.0-or-later
"""What graphics cards a machine has, asked of its drivers: nvidia-smi, Linux' sysfs, Windows' registry."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from .torch_builds import LINUX, WINDOWS, Card, Machine, Version

_PATIENCE = 20.0  # seconds; a driver that wakes up a card takes some
_DISPLAYS = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"  # display adapters
_VENDORS = {"0x10de": "nvidia", "0x1002": "amd", "0x8086": "intel"}  # PCI
Run = Callable[[list[str]], str]


def look(run: Run | None = None, root: Path = Path("/"), system: str | None = None) -> Machine:
    """This machine. `run` starts a program and returns its output ("" where it fails), `root` is where the system's
    files lie, `system` its name."""
    system = system or platform.system()
    cards = list(_nvidia(run or _run, root))
    if system == LINUX:
        cards += _amd_on_linux(root)
        cards += _intel_on_linux(root)
    elif system == WINDOWS:
        cards += _named_on_windows()
    return Machine(system, platform.machine(), tuple(cards))


def _run(command: list[str]) -> str:
    program = shutil.which(command[0])
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, *command[1:]],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _nvidia(run: Run, root: Path) -> Iterator[Card]:
    for fields in ("name,driver_version,compute_cap", "name,driver_version"):  # old drivers know no capability
        lines = run(["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]).splitlines()
        rows = [[part.strip() for part in line.split(",")] for line in lines if line.count(",") == fields.count(",")]
        known = [row for row in rows if _numbers(row[1])]
        for name, driver, *capability in known:
            numbers = _numbers(capability[0]) if capability else None
            pair = (numbers[0], numbers[1]) if numbers is not None and len(numbers) == 2 else None
            yield Card("nvidia", name, _numbers(driver), pair)
        if known:
            return
    # The kernel's driver alone, as in a container.
    if found := re.search(r"Kernel Module\D*?([\d.]+)", _text(root / "proc/driver/nvidia/version")):
        yield Card("nvidia", "NVIDIA graphics", _numbers(found[1]))


def _amd_on_linux(root: Path) -> Iterator[Card]:
    nodes = root / "sys/class/kfd/kfd/topology/nodes"
    found = False
    for properties in sorted(nodes.glob("*/properties")):
        line = re.search(r"^gfx_target_version (\d+)$", _text(properties), re.MULTILINE)
        target = int(line[1]) if line else 0
        if target:  # 0 is the processor; 110000 is gfx1100, 90010 gfx90a
            found = True
            major, minor, step = target // 10000, target // 100 % 100, target % 100
            yield Card("amd", "AMD graphics", architecture=f"gfx{major}{minor:x}{step:x}")
    if not found and any(_pci_cards(root, "amd")):
        yield Card("amd", "AMD graphics")


def _intel_on_linux(root: Path) -> Iterator[Card]:
    for device in _pci_cards(root, "intel"):
        driver = (device / "driver").resolve().name
        yield Card("intel", "Intel graphics", architecture=driver)


def _pci_cards(root: Path, vendor: str) -> Iterator[Path]:
    for device in sorted((root / "sys/bus/pci/devices").glob("*")):
        if _text(device / "class").startswith("0x03") and _VENDORS.get(_text(device / "vendor").strip()) == vendor:
            yield device


def _named_on_windows() -> Iterator[Card]:
    """AMD and Intel cards by their names; NVIDIA's tell themselves."""
    for name in _display_names():
        lower = name.lower()
        for word, vendor in (("radeon", "amd"), ("amd", "amd"), ("intel", "intel")):
            if word in lower:
                yield Card(vendor, name.replace("(R)", "").replace("(TM)", ""))
                break


def _display_names() -> Iterator[str]:
    if sys.platform != "win32":
        return
    import winreg

    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _DISPLAYS) as displays:
        for number in range(16):
            try:
                with winreg.OpenKey(displays, f"{number:04}") as display:
                    yield str(winreg.QueryValueEx(display, "DriverDesc")[0])
            except OSError:
                continue


def _numbers(text: str) -> Version | None:
    """(580, 65, 6) of "580.65.06"; None for anything else."""
    parts = text.strip().split(".")
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else None


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
