# SPDX-License-Identifier: GPL-3.0-or-later
"""Cards read from what drivers say and from a system's files."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wan_previs.bridge.setup import machine
from wan_previs.bridge.setup.machine import look
from wan_previs.bridge.setup.torch_builds import Card, NoBuild, choose


def silent(command: list[str]) -> str:
    return ""


def write(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_nvidias_own_words(tmp_path):
    said = "NVIDIA GeForce RTX 4090, 580.65.06, 8.9\nNVIDIA GeForce GTX 1080 Ti, 580.65.06, 6.1\n"
    found = look(lambda command: said if "compute_cap" in command[1] else "", tmp_path, "Linux")
    assert found.cards == (
        Card("nvidia", "NVIDIA GeForce RTX 4090", (580, 65, 6), (8, 9)),
        Card("nvidia", "NVIDIA GeForce GTX 1080 Ti", (580, 65, 6), (6, 1)),
    )


def test_a_driver_that_knows_no_capability(tmp_path):
    found = look(lambda command: "" if "compute_cap" in command[1] else "Tesla K80, 470.82.01\n", tmp_path, "Linux")
    assert found.cards == (Card("nvidia", "Tesla K80", (470, 82, 1)),)


@pytest.mark.parametrize(
    "said", ["No devices were found\n", "NVIDIA-SMI has failed because it couldn't communicate, and so on\n", "\0\xff"]
)
def test_a_driver_that_has_nothing_to_say(tmp_path, said):
    assert look(lambda command: said, tmp_path, "Linux").cards == ()


def test_the_kernels_driver_alone(tmp_path):
    version = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 01:44:30 UTC 2024\nGCC version: 12"
    write(tmp_path, "proc/driver/nvidia/version", version)
    assert look(silent, tmp_path, "Linux").cards == ()  # no card, as after it was unplugged
    (tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0").mkdir(parents=True)
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


def test_a_card_that_lacks_nvidias_driver(tmp_path):
    write(tmp_path, "sys/bus/pci/devices/0/class", "0x030200\n")
    write(tmp_path, "sys/bus/pci/devices/0/vendor", "0x10de\n")
    assert look(silent, tmp_path, "Linux").cards == (Card("nvidia", "NVIDIA graphics"),)


def test_what_windows_calls_its_cards(tmp_path):
    names = ["NVIDIA GeForce RTX 4060", "AMD Radeon(TM) Graphics", "Intel(R) Arc(TM) A370M Graphics", "Parsec"]
    amd, intel = Card("amd", "AMD Radeon Graphics"), Card("intel", "Intel Arc A370M Graphics")
    assert look(silent, tmp_path, "Windows", names).cards == (Card("nvidia", names[0]), amd, intel)
    said = f"{names[0]}, 581.15, 8.9\n"
    cards = look(lambda command: said, tmp_path, "Windows", names).cards
    assert cards == (Card("nvidia", names[0], (581, 15), (8, 9)), amd, intel)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for nvidia-smi")
@pytest.mark.parametrize(
    "script",
    ["sleep 9 & sleep 9", "printf '\\\\377, 4\\\\n4,4\\\\n,\\\\n'", "echo RTX, 580.1, 8.9; exit 9", "kill -SEGV $$"],
)
def test_a_program_of_the_driver_that_misbehaves(tmp_path, monkeypatch, script):
    """It hangs, with a child that keeps its output open; says what cannot be read; fails; dies."""
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(machine, "_PATIENCE", 0.1)
    assert look(None, tmp_path / "empty", "Linux").cards == ()


@given(st.text(), st.text(), st.text())
def test_anything_a_driver_says_makes_a_choice(lines, version, processor):
    """Whatever it is, it ends in a build or in words."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), "proc/driver/nvidia/version", version.encode("utf-8", "replace").decode())
        (Path(folder) / "proc/driver/nvidia/gpus/0").mkdir(parents=True)
        found = look(lambda command: f"a, {lines}\n{lines}, 580.1, 8.9\nb, 580, {lines}\n", Path(folder), "Linux")
    assert choose(replace(found, processor="x86_64")).build
    with contextlib.suppress(NoBuild):
        choose(replace(found, processor=processor))


def test_this_machine_is_looked_at_without_failing():
    assert look().processor
