# SPDX-License-Identifier: GPL-3.0-or-later
"""What graphics cards a machine has, asked of its drivers: nvidia-smi, Linux' sysfs, Windows' registry."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from .torch_builds import LINUX, WINDOWS, Card, Machine, Version

_PATIENCE = 20.0  # seconds; a driver that wakes up a card takes some
_DISPLAYS = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"  # display adapters
_WSL = "/usr/lib/wsl/lib"  # where Windows puts nvidia-smi for its Linux
_VENDORS = {"0x10de": "nvidia", "0x1002": "amd", "0x8086": "intel"}  # PCI
_DRIVER = re.compile(r"[0-9]{3,4}(\.[0-9]+)+")  # 580.65.06
Run = Callable[[list[str]], str]


def look(
    run: Run | None = None, root: Path = Path("/"), system: str | None = None, names: Iterable[str] | None = None
) -> Machine:
    """This machine. `run` starts a program and returns its output ("" where it fails), `root` is where the system's
    files lie, `system` its name, `names` what Windows calls its display adapters."""
    system = system or platform.system()
    cards = list(_nvidia(run or _run, root, system))
    if system == LINUX:
        cards += _amd_on_linux(root)
        cards += _intel_on_linux(root)
    elif system == WINDOWS:
        cards += _named_on_windows(_display_names() if names is None else names, nvidia=not cards)
    return Machine(system, platform.machine(), tuple(cards))


def _run(command: list[str]) -> str:
    """A driver that hangs cannot always be killed, so its program is not waited for."""
    program = shutil.which(command[0]) or shutil.which(command[0], path=_WSL)
    if program is None:
        return ""
    try:
        child = subprocess.Popen(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
        )
    except OSError:
        return ""
    try:
        said, _ = child.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        return ""
    return said if child.returncode == 0 else ""


def _nvidia(run: Run, root: Path, system: str) -> Iterator[Card]:
    for fields in ("name,driver_version,compute_cap", "name,driver_version"):  # old drivers know no capability
        lines = run(["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]).splitlines()
        rows = [[part.strip() for part in line.split(",")] for line in lines if line.count(",") == fields.count(",")]
        known = [row for row in rows if _DRIVER.fullmatch(row[1])]
        for name, driver, *capability in known:
            numbers = _numbers(capability[0]) if capability else None
            pair = (numbers[0], numbers[1]) if numbers is not None and len(numbers) == 2 else None
            yield Card("nvidia", name, _numbers(driver), pair)
        if known:
            return
    if system == LINUX:
        # The kernel's driver alone, as in a container, or a card without NVIDIA's driver.
        found = re.search(r"Kernel Module\D*?([\d.]+)", _text(root / "proc/driver/nvidia/version"))
        if any((root / "proc/driver/nvidia/gpus").glob("*")) or any(_pci_cards(root, "nvidia")):
            yield Card("nvidia", "NVIDIA graphics", _numbers(found[1]) if found else None)


def _amd_on_linux(root: Path) -> Iterator[Card]:
    nodes = root / "sys/class/kfd/kfd/topology/nodes"
    found = False
    for properties in sorted(nodes.glob("*/properties")):
        line = re.search(r"^gfx_target_version (\d+)$", _text(properties), re.MULTILINE)
        target = int(line[1]) if line else 0
        if target:  # 0 is the processor; 110000 is gfx1100, 90010 gfx90a
            found = True
            major, minor, step = target // 10000, target // 100 % 100, target % 100
            architecture = f"gfx{major}{minor:x}{step:x}"
            yield Card("amd", f"AMD {architecture}", architecture=architecture)
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


def _named_on_windows(names: Iterable[str], nvidia: bool) -> Iterator[Card]:
    """Cards by their names; with `nvidia` NVIDIA's too, which tell themselves where they have a driver."""
    words = (*((("nvidia", "nvidia"),) if nvidia else ()), ("radeon", "amd"), ("amd", "amd"), ("intel", "intel"))
    for name in names:
        vendor = next((vendor for word, vendor in words if word in name.lower()), None)
        if vendor is not None:
            yield Card(vendor, name.replace("(R)", "").replace("(TM)", ""))


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
