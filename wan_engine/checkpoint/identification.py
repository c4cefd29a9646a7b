# SPDX-License-Identifier: GPL-3.0-or-later
"""Which model a transformer is, by the names and shapes of its tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from .model import BLOCK, MODULES, Model
from .models import ROWS

# The tensors of every transformer.
_COMMON = rf"(?:(?:patch|text|time)_embedding|time_projection|head)\.|blocks\.{BLOCK}"
_KNOWN = re.compile("|".join([_COMMON, *(module.tensors for module in MODULES.values())]))


@dataclass(frozen=True)
class Evidence:
    """What headers and names tell of a transformer: its input and latent channels, its width, the number of experts,
    the modules it has, and the `names` of files and folders.
    """

    in_channels: int
    latent_channels: int
    dim: int
    experts: int
    modules: frozenset[str]
    names: str = ""

    def fits(self, row: Model) -> bool:
        """Whether this may be that model."""
        return (
            (row.in_channels, row.latent_channels, row.modules)
            == (self.in_channels, self.latent_channels, self.modules)
            and (self.experts == row.experts or (self.experts == 1 and row.merged))
            and re.search(row.named, self.names, re.IGNORECASE) is not None
        )


def identify(found: Evidence) -> Model | None:
    """The row that fits best, None where none does.

    Rows whose tensors differ in nothing but the width are told apart by it (a small checkpoint is taken for the
    smallest of them), those that differ in nothing at all by names.
    """

    def closeness(row: Model) -> tuple[bool, bool, int]:
        return row.experts == found.experts, bool(row.named), row.dim if row.dim <= found.dim else -row.dim

    return max(filter(found.fits, ROWS), key=closeness, default=None)


def half_of(row: Model, found: Evidence) -> Model | None:
    """The model of two experts each of which looks like the whole model `row`, at the published width; None without
    one."""
    pair = replace(found, experts=2)
    if row.experts == 2 or row.dim != found.dim:
        return None
    return next((other for other in ROWS if other.dim == row.dim and pair.fits(other)), None)


def modules_of(names: Mapping[str, object]) -> frozenset[str]:
    """The modules that a transformer with tensors of these published names has."""
    return frozenset(name for name, module in MODULES.items() if module.shown_by in names)


def lacking_tensor(names: Mapping[str, object]) -> str | None:
    """The published name of a tensor without which a module, of which others of these are, cannot be; None where every
    module is whole or not there."""
    for module in MODULES.values():
        lacking = [name for name in (module.shown_by, module.needs) if name and name not in names]
        if lacking and any(re.match(module.tensors, name) for name in names):
            return lacking[0]
    return None


def unknown_tensor(names: Mapping[str, object]) -> str | None:
    """The published name of a tensor that no model here has, such as those that follow sound; None without one."""
    return next((name for name in names if "." in name and not _KNOWN.match(name)), None)
