# SPDX-License-Identifier: GPL-3.0-or-later
"""Which build of PyTorch fits a machine: builds as rows, and the choice between them.

What a build supports is from PyTorch's release notes and its support matrix (RELEASE.md, "PyTorch CUDA Support
Matrix") for 2.13, the least drivers from the CUDA toolkit's release notes ("CUDA driver").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Version = tuple[int, ...]
LINUX, WINDOWS, MACOS = "Linux", "Windows", "Darwin"  # as platform.system() names them
_X86, _ARM = "x86_64", "arm64"
PROCESSORS = {"amd64": _X86, "x86_64": _X86, "x64": _X86, "aarch64": _ARM, "arm64": _ARM}
# The AMD architectures that the wheels for ROCm 7.2 hold kernels for.
_AMD = {"gfx900", "gfx906", "gfx908", "gfx90a", "gfx942", "gfx950", "gfx1030", "gfx1100", "gfx1101", "gfx1102"}
_AMD |= {"gfx1150", "gfx1151", "gfx1200", "gfx1201"}
_TURING, _MAXWELL, _AMPERE, _HOPPER, _NEWEST = (7, 5), (5, 0), (8, 0), (9, 0), (12, 99)


@dataclass(frozen=True)
class Card:
    """A graphics card: `vendor` nvidia, amd or intel; `driver` NVIDIA's (None: not installed), `capability` CUDA's
    compute capability, `architecture` AMD's (gfx1100); None where unknown."""

    vendor: str
    name: str
    driver: Version | None = None
    capability: tuple[int, int] | None = None
    architecture: str | None = None


@dataclass(frozen=True)
class Machine:
    """What decides: the system and processor as the platform module names them, and the cards."""

    system: str
    processor: str
    cards: tuple[Card, ...] = ()


@dataclass(frozen=True)
class TorchBuild:
    """A build of PyTorch with all that the engine needs besides.

    `index` is the folder of PyTorch's own package index that holds it, None where the general index does; `download`
    and `disk` are gigabytes. Measured: CUDA 13.0 on Linux, processors on Linux and Windows, Macs; else estimates.
    """

    title: str
    index: str | None
    download: float
    disk: float


@dataclass(frozen=True)
class Choice:
    """The build for a machine, the card it runs on (None: the processor), and what the user may want to know."""

    build: TorchBuild
    card: Card | None = None
    advice: str = ""


class NoBuild(Exception):
    """There is no PyTorch for this machine; the text says what can be done."""


_CPU_LINUX = TorchBuild("processor", "cpu", 0.4, 1.5)
_CPU_WINDOWS = TorchBuild("processor", None, 0.3, 1.2)
_MPS = TorchBuild("Metal", None, 0.3, 1.0)
_CU130_LINUX = TorchBuild("CUDA 13.0", None, 3.0, 5.1)
_CU130_WINDOWS = TorchBuild("CUDA 13.0", "cu130", 2.0, 4.5)
_CU126 = TorchBuild("CUDA 12.6", "cu126", 3.0, 5.5)
_ROCM = TorchBuild("ROCm 7.2", "rocm7.2", 4.5, 16.0)
_XPU = TorchBuild("Intel XPU", "xpu", 1.5, 4.0)


@dataclass(frozen=True)
class _CudaRow:
    build: TorchBuild
    system: str
    processors: frozenset[str]
    driver: Version  # at least
    capabilities: tuple[tuple[int, int], tuple[int, int]]  # from and to, both included


# The first row that fits a card is taken.
_CUDA = (
    _CudaRow(_CU130_LINUX, LINUX, frozenset({_X86}), (580, 65), (_TURING, _NEWEST)),
    _CudaRow(_CU130_LINUX, LINUX, frozenset({_ARM}), (580, 65), (_AMPERE, _NEWEST)),
    _CudaRow(_CU130_WINDOWS, WINDOWS, frozenset({_X86}), (580,), (_TURING, _NEWEST)),
    _CudaRow(_CU126, LINUX, frozenset({_X86}), (525, 60, 13), (_MAXWELL, _HOPPER)),
    _CudaRow(_CU126, LINUX, frozenset({_ARM}), (525, 60, 13), (_AMPERE, _HOPPER)),
    _CudaRow(_CU126, WINDOWS, frozenset({_X86}), (527, 41), (_MAXWELL, _HOPPER)),
)


def choose(machine: Machine) -> Choice:
    """The build for the strongest kind of card that one exists for, else for the processor, with advice.

    Raises NoBuild where PyTorch has no build at all.
    """
    processor = PROCESSORS.get(machine.processor.lower())
    if processor is None or (machine.system, processor) in ((MACOS, _X86), (WINDOWS, _ARM)):
        raise NoBuild(
            f"PyTorch has no build for {machine.system} on {machine.processor}, so the engine cannot run here. Choose "
            "a Python of your own that has PyTorch in the add-on's preferences, or use another computer."
        )
    if machine.system == MACOS:
        return Choice(_MPS, Card("apple", "Apple graphics"))
    plain = _CPU_WINDOWS if machine.system == WINDOWS else _CPU_LINUX
    reason = ""
    for vendor, for_card in _BY_VENDOR.items():
        for card in sorted((card for card in machine.cards if card.vendor == vendor), key=_strength, reverse=True):
            found = for_card(card, machine.system, processor)
            if isinstance(found, TorchBuild):
                return Choice(found, card, reason and f"{reason} The engine will use {card.name}.")
            reason = reason or found
    return Choice(plain, None, reason and f"{reason} The engine will use the processor, which is much slower.")


def _strength(card: Card) -> tuple[int, int]:
    """By this torch takes the first of several cards, too."""
    return card.capability or (0, 0)


def _for_nvidia(card: Card, system: str, processor: str) -> TorchBuild | str:
    """The build for an NVIDIA card, or why there is none and what to do."""
    rows = [row for row in _CUDA if row.system == system and processor in row.processors]
    able = [row for row in rows if card.capability is None or _within(card.capability, row.capabilities)]
    if not able:
        return f"{card.name} is too old for today's PyTorch."
    if card.driver is None:
        return f"{card.name} lacks NVIDIA's driver. Install it, restart, and set up the engine again to use the card."
    for row in able:
        if card.driver >= row.driver:
            return row.build
    least = ".".join(map(str, min(row.driver for row in able)[:2]))
    now = ".".join(map(str, card.driver))
    return (
        f"The driver {now} of {card.name} is too old for today's PyTorch. Update it to {least} or newer, restart, and "
        "set up the engine again to use the card."
    )


def _for_amd(card: Card, system: str, processor: str) -> TorchBuild | str:
    if system != LINUX or processor != _X86:
        return f"PyTorch uses AMD cards such as {card.name} on Linux only."
    if card.architecture is None:
        return (
            f"The driver of {card.name} has no ROCm, which PyTorch needs. If AMD lists it for ROCm, install the driver "
            "with ROCm, restart, and set up the engine again to use the card."
        )
    if card.architecture not in _AMD:
        return f"PyTorch cannot use {card.name}."
    return _ROCM


def _for_intel(card: Card, system: str, processor: str) -> TorchBuild | str:
    """Arc and data centre cards; what is built into most processors is slower than the processor itself."""
    fits = processor == _X86 and ("arc" in card.name.lower().split() or card.architecture == "xe")
    return _XPU if fits else ""


_BY_VENDOR: dict[str, Callable[[Card, str, str], TorchBuild | str]] = {
    "nvidia": _for_nvidia,
    "amd": _for_amd,
    "intel": _for_intel,
}


def _within(capability: tuple[int, int], bounds: tuple[tuple[int, int], tuple[int, int]]) -> bool:
    return bounds[0] <= capability <= bounds[1]


def in_words(choice: Choice) -> str:
    """What will be installed, in a sentence."""
    card, build = choice.card, choice.build
    target = "this computer's processor" if card is None else f"{card.name} ({build.title})"
    return f"The engine for {target}: about {build.download:g} GB to download, about {build.disk:g} GB on disk."
