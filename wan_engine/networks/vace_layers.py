# SPDX-License-Identifier: GPL-3.0-or-later
"""Which blocks of a transformer the blocks of a VACE branch give their hints to."""

from __future__ import annotations

from collections.abc import Iterable

VACE_PATCH = "vace_patch_embedding.weight"


def vace_layers(names: Iterable[str], layers: int, stated: object = None) -> tuple[int, ...]:
    """The numbers of the main blocks, of `layers`, that each VACE block among these tensor names is for; () without a
    branch. They are what config.json has `stated`, else evenly spread, as in all published models.

    Raises ValueError where branch and statement do not fit.
    """
    count = len({name.split(".")[1] for name in names if name.startswith("vace_blocks.")})
    if not count:
        return ()
    step = -(-layers // count)
    found = tuple(range(0, layers, step)) if stated is None else _numbers(stated)
    if len(found) != count or found[0] != 0 or found[-1] >= layers or list(found) != sorted(set(found)):
        raise ValueError(
            f"its {count} VACE blocks do not fit {layers} blocks; config.json must list vace_layers from 0"
        )
    return found


def _numbers(stated: object) -> tuple[int, ...]:
    if not isinstance(stated, list) or not stated or not all(type(number) is int for number in stated):
        raise ValueError("config.json: vace_layers must be a list of numbers")
    return tuple(stated)
