# SPDX-License-Identifier: GPL-3.0-or-later
"""The build of PyTorch for a table of cards, drivers and systems."""

from __future__ import annotations

import pytest
from wan_previs.bridge.setup.torch_builds import Card, Choice, Machine, NoBuild, choose, in_words

RTX4090, RTX5090, H100, T4 = (8, 9), (12, 0), (9, 0), (7, 5)
GTX1080, V100, GTX970, GTX780 = (6, 1), (7, 0), (5, 2), (3, 5)
NEW, OLD = (580, 95, 5), (560, 94)  # drivers


def chosen(system: str, processor: str, *cards: Card) -> Choice:
    return choose(Machine(system, processor, cards))


def nvidia(driver: tuple[int, ...] | None, capability: tuple[int, int] | None) -> Card:
    return Card("nvidia", "NVIDIA card", driver, capability)


@pytest.mark.parametrize(
    ("system", "processor", "driver", "capability", "index"),
    [
        ("Linux", "x86_64", (580, 65, 6), RTX4090, None),  # the general index has CUDA 13.0 there
        ("Linux", "x86_64", (590, 1), RTX5090, None),
        ("Linux", "x86_64", (580, 95, 5), T4, None),
        ("Linux", "x86_64", (580, 65, 6), GTX1080, "cu126"),  # CUDA 13 has no kernels for what is older than Turing
        ("Linux", "x86_64", (580, 65, 6), V100, "cu126"),
        ("Linux", "x86_64", (535, 183, 1), GTX970, "cu126"),
        ("Linux", "x86_64", (550, 54, 14), RTX4090, "cu126"),  # the driver does not know CUDA 13
        ("Linux", "x86_64", (580, 65, 6), None, None),
        ("Linux", "aarch64", (580, 65, 6), RTX5090, None),
        ("Windows", "AMD64", (581, 15), RTX4090, "cu130"),  # the general index has no CUDA there
        ("Windows", "AMD64", (576, 88), RTX4090, "cu126"),
        ("Windows", "AMD64", (560, 94), GTX1080, "cu126"),
        ("Windows", "AMD64", (560, 94), GTX970, "cu126"),
        ("Windows", "AMD64", (537, 13), T4, "cu126"),
        ("Windows", "x86_64", (610, 3), RTX5090, "cu130"),
        ("Linux", "x86_64", (550, 54), H100, "cu126"),
        ("Linux", "x86_64", (700,), (12, 1), None),  # a card of the future
        ("Linux", "aarch64", (550, 54), H100, "cu126"),  # Grace Hopper
        ("Linux", "x86_64", (525, 60, 13), RTX4090, "cu126"),  # the least there is
        ("Linux", "x86_64", (560, 35, 3), RTX4090, "cu126"),  # in WSL, by Windows' driver
    ],
)
def test_the_build_for_an_nvidia_card(system, processor, driver, capability, index):
    choice = chosen(system, processor, nvidia(driver, capability))
    assert choice.card is not None and choice.build.index == index and "CUDA" in in_words(choice) and not choice.advice


@pytest.mark.parametrize(
    ("system", "driver", "capability", "words"),
    [
        ("Linux", (570, 86), RTX5090, r"570\.86 .* too old .* 580\.65 or newer"),  # 12.6 has no kernels for it
        ("Windows", (572, 16), RTX5090, "580 or newer"),
        ("Linux", (520, 61, 5), H100, r"525\.60 or newer"),
        ("Linux", (470, 256), RTX4090, r"525\.60 or newer"),  # CUDA 11
        ("Windows", (472, 12), GTX1080, r"527\.41 or newer"),
        ("Linux", (525, 60, 12), RTX4090, r"525\.60 or newer"),
        ("Linux", (390, 157), GTX780, "too old for today's PyTorch"),
        ("Windows", None, GTX780, "too old for today's PyTorch"),
        ("Linux", None, None, "lacks NVIDIA's driver. Install it"),
        ("Windows", None, None, "lacks NVIDIA's driver. Install it"),
        ("Linux aarch64", NEW, T4, "too old for today's PyTorch"),
    ],
)
def test_a_card_without_a_build_is_told_with_what_to_do(system, driver, capability, words):
    name, _, processor = system.partition(" ")
    choice = chosen(name, processor or "x86_64", nvidia(driver, capability))
    assert choice.card is None and choice.build.title == "processor"
    with pytest.raises(AssertionError, match=f"{words}.*The engine will use the processor, which is much slower"):
        raise AssertionError(choice.advice)


@pytest.mark.parametrize(
    ("system", "cards", "index", "advice"),
    [
        ("Linux", (nvidia(NEW, GTX1080), nvidia(NEW, RTX5090)), None, ""),  # the stronger one, whatever their order
        ("Linux", (nvidia(NEW, RTX4090), nvidia(NEW, GTX970)), None, ""),
        ("Linux", (nvidia(OLD, GTX1080), nvidia(OLD, RTX5090)), "cu126", "580.65 or newer"),
        ("Windows", (nvidia(OLD, GTX780), Card("intel", "Intel Arc A770 Graphics")), "xpu", "too old"),
        ("Windows", (Card("intel", "Intel Arc Graphics"), nvidia(NEW, RTX4090)), "cu130", ""),
        ("Windows", (Card("amd", "AMD Radeon 780M Graphics"), nvidia(NEW, RTX4090)), "cu130", ""),
        (
            "Linux", (Card("amd", "AMD 1", architecture="gfx1036"), Card("amd", "AMD 2", architecture="gfx1100")),
            "rocm7.2", "cannot use AMD 1. The engine will use AMD 2",
        ),
        ("Linux", (Card("intel", "Intel graphics", architecture="i915"), nvidia(None, None)), "cpu", "lacks NVIDIA's"),
    ],
)  # fmt: skip
def test_the_build_for_two_cards(system, cards, index, advice):
    """The card that will be used is named where another one needs a word."""
    choice = chosen(system, "x86_64", *cards)
    assert choice.build.index == index and advice in choice.advice and bool(advice) == bool(choice.advice)
    if choice.advice:
        assert f"The engine will use {choice.card.name if choice.card else 'the processor'}" in choice.advice


@pytest.mark.parametrize("cards", [(), (nvidia((580, 65), RTX4090),), (Card("amd", "AMD", architecture="gfx1100"),)])
def test_sizes_are_told_as_about(cards):
    assert in_words(chosen("Linux", "x86_64", *cards)).count("about ") == 2


@pytest.mark.parametrize(
    ("system", "processor", "cards", "index", "title"),
    [
        ("Linux", "x86_64", (), "cpu", "processor"),  # else three gigabytes of CUDA for nothing
        ("Linux", "aarch64", (), "cpu", "processor"),
        ("Windows", "AMD64", (), None, "processor"),
        ("Darwin", "arm64", (), None, "Metal"),
        ("Linux", "x86_64", (Card("amd", "AMD", architecture="gfx1100"),), "rocm7.2", "ROCm"),
        ("Linux", "x86_64", (Card("intel", "Intel Arc A770"),), "xpu", "XPU"),
        ("Linux", "x86_64", (Card("intel", "Intel graphics", architecture="xe"),), "xpu", "XPU"),
        ("Linux", "x86_64", (Card("intel", "Intel graphics", architecture="i915"),), "cpu", "processor"),
        ("Windows", "AMD64", (Card("intel", "Intel Arc B580 Graphics"),), "xpu", "XPU"),
        ("Windows", "AMD64", (Card("intel", "Intel UHD Graphics 770"),), None, "processor"),
        (
            "Linux", "x86_64",
            (Card("intel", "Intel graphics", architecture="i915"), nvidia((580, 65), RTX4090)), None, "CUDA",
        ),
    ],
)  # fmt: skip
def test_the_build_for_other_machines(system, processor, cards, index, title):
    choice = chosen(system, processor, *cards)
    assert choice.build.index == index and title in choice.build.title and not choice.advice


@pytest.mark.parametrize(
    ("system", "card", "words"),
    [
        ("Linux", Card("amd", "AMD graphics"), "no ROCm"),
        ("Linux", Card("amd", "AMD graphics", architecture="gfx803"), "cannot use AMD graphics."),
        ("Windows", Card("amd", "AMD Radeon RX 7900 XTX"), "on Linux only"),
    ],
)
def test_an_amd_card_without_a_build_is_told(system, card, words):
    choice = chosen(system, "x86_64", card)
    assert choice.card is None and words in choice.advice


@pytest.mark.parametrize(("system", "processor"), [("Darwin", "x86_64"), ("Windows", "ARM64"), ("Linux", "riscv64")])
def test_a_machine_without_any_build_is_told(system, processor):
    with pytest.raises(NoBuild, match="Choose a Python of your own"):
        chosen(system, processor)
