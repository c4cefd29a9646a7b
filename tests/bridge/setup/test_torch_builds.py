# SPDX-License-Identifier: GPL-3.0-or-later
"""The build of PyTorch for a table of cards, drivers and systems."""

from __future__ import annotations

import pytest
from wan_previs.bridge.setup.torch_builds import Card, Choice, Machine, NoBuild, choose, in_words

RTX4090, RTX5090, H100, T4 = (8, 9), (12, 0), (9, 0), (7, 5)
GTX1080, V100, GTX970, GTX780 = (6, 1), (7, 0), (5, 2), (3, 5)


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
        ("Linux", (550, 54), H100, r"580\.65 or newer"),
        ("Linux", (470, 256), RTX4090, r"525\.60 or newer"),
        ("Linux", (470, 256), GTX780, "too old for today's PyTorch; the engine will use the processor"),
        ("Windows", (560, 94), GTX970, "too old for today's PyTorch"),  # Windows' 12.6 begins with Pascal
    ],
)
def test_a_card_without_a_build_is_told_with_what_to_do(system, driver, capability, words):
    choice = chosen(system, "x86_64", nvidia(driver, capability))
    assert choice.card is None
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(choice.advice)


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
        ("Linux", Card("amd", "AMD graphics", architecture="gfx803"), "no kernels"),
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
