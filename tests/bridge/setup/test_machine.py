# SPDX-License-Identifier: GPL-3.0-or-later
"""Cards read from what drivers say and from a system's files."""

from __future__ import annotations

from pathlib import Path

import pytest
from wan_previs.bridge.setup.machine import look
from wan_previs.bridge.setup.torch_builds import Card


def silent(command: list[str]) -> str:
    return ""


def write(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_nvidias_own_words(tmp_path):
    said = "NVIDIA GeForce RTX 4090, 580.65.06, 8.9\nNVIDIA GeForce GTX 1080 Ti, 580.65.06, 6.1\n"
    machine = look(lambda command: said if "compute_cap" in command[1] else "", tmp_path, "Linux")
    assert machine.cards == (
        Card("nvidia", "NVIDIA GeForce RTX 4090", (580, 65, 6), (8, 9)),
        Card("nvidia", "NVIDIA GeForce GTX 1080 Ti", (580, 65, 6), (6, 1)),
    )


def test_a_driver_that_knows_no_capability(tmp_path):
    machine = look(lambda command: "" if "compute_cap" in command[1] else "Tesla K80, 470.82.01\n", tmp_path, "Linux")
    assert machine.cards == (Card("nvidia", "Tesla K80", (470, 82, 1)),)


@pytest.mark.parametrize(
    "said", ["No devices were found\n", "NVIDIA-SMI has failed because it couldn't communicate, and so on\n", "\0\xff"]
)
def test_a_driver_that_has_nothing_to_say(tmp_path, said):
    assert look(lambda command: said, tmp_path, "Linux").cards == ()


def test_the_kernels_driver_alone(tmp_path):
    version = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 01:44:30 UTC 2024\nGCC version: 12"
    write(tmp_path, "proc/driver/nvidia/version", version)
    assert look(silent, tmp_path, "Linux").cards == (Card("nvidia", "NVIDIA graphics", (550, 54, 14)),)


@pytest.mark.parametrize(
    ("target", "architecture"),
    [("110000", "gfx1100"), ("90010", "gfx90a"), ("100300", "gfx1030"), ("90402", "gfx942"), ("120001", "gfx1201")],
)
def test_amds_architectures(tmp_path, target, architecture):
    nodes = "sys/class/kfd/kfd/topology/nodes"
    write(tmp_path, f"{nodes}/0/properties", "cpu_cores_count 16\ngfx_target_version 0\n")
    write(tmp_path, f"{nodes}/1/properties", f"cpu_cores_count 0\ngfx_target_version {target}\n")
    (card,) = look(silent, tmp_path, "Linux").cards
    assert card.architecture == architecture


def test_cards_that_only_the_bus_knows(tmp_path):
    for number, (kind, vendor) in enumerate((("0x030000", "0x1002"), ("0x030000", "0x8086"), ("0x020000", "0x8086"))):
        write(tmp_path, f"sys/bus/pci/devices/{number}/class", f"{kind}\n")
        write(tmp_path, f"sys/bus/pci/devices/{number}/vendor", f"{vendor}\n")
    (tmp_path / "sys/bus/pci/drivers/xe").mkdir(parents=True)
    (tmp_path / "sys/bus/pci/devices/1/driver").symlink_to("../../drivers/xe")
    amd, intel = look(silent, tmp_path, "Linux").cards
    assert amd.vendor == "amd" and amd.architecture is None
    assert intel.vendor == "intel" and intel.architecture == "xe"


def test_this_machine_is_looked_at_without_failing():
    assert look().processor
