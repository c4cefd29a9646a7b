# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found of a checkpoint: its files by part, and what their headers, names and settings tell of its model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..expert_names import tells_version
from ..weights.contents import Contents, Headers
from ..weights.safetensors_header import read_json
from . import identification
from .model import Model, overridden
from .single_files import say_whole

RECORD = "wan_previs.download.json"  # what `download` keeps beside the files that it fetched


@dataclass(frozen=True)
class Layout:
    """Files by part. `experts` maps dense, or high and low, to a weight file or index; `settings` to its config.json
    where there is one; `tokenizer` is tokenizer.json, a sentencepiece model or the text encoder that holds one;
    `index` is Diffusers' model_index.json; `headers` are those read so far;
    `own_facts` the content of `wan_previs.json`; `names` those of files and folders, for what tensors cannot tell.
    """

    words: str
    folder: Path
    experts: Mapping[str, Path]
    settings: Mapping[str, Path]
    vae: Path
    text_encoder: Path
    tokenizer: Path
    headers: Headers = field(compare=False)
    clip: Path | None = None
    clip_settings: Path | None = None
    index: Path | None = None
    names: str = field(default="", compare=False)
    own_facts: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def transformer(self) -> Contents:
        """What the first expert's file says about its tensors."""
        return self.headers.read(next(iter(self.experts.values())))

    @cached_property
    def evidence(self) -> identification.Evidence:
        """What headers and names tell of the transformer. Raises CheckpointError for one that is no Wan model's."""
        shapes = self.transformer.shapes("transformer")
        latent = self.transformer.latent_channels("transformer")
        patch = shapes.get("patch_embedding.weight", ())
        unknown = identification.unknown_tensor(shapes)
        if unknown is not None:
            raise self._foreign(f"with {unknown.rsplit('.', 1)[0]}")
        lacking = identification.lacking_tensor(shapes)
        if lacking is not None:
            raise CheckpointError(
                f"{self.transformer.path} holds a part of a control branch, but lacks {lacking}; download it again."
            )
        if latent is None or len(patch) < 2:
            raise self._foreign("whose header does not tell its channels")
        return identification.Evidence(
            in_channels=patch[1],
            latent_channels=latent,
            dim=patch[0],
            experts=len(self.experts),
            modules=identification.modules_of(shapes),
            names=f"{self.names} {self._maker}",
        )

    @cached_property
    def stated(self) -> dict[str, dict]:
        """What each expert's config.json states; {} where there is none. Raises CheckpointError."""
        paths = {name: self.settings.get(name) for name in self.experts}
        return {name: {} if path is None else read_json(path) for name, path in paths.items()}

    @property
    def _maker(self) -> str:
        """What config.json tells of who made it: its keys for control are VideoX-Fun's alone."""
        return "VideoX-Fun" if any("in_dim_control_adapter" in known for known in self.stated.values()) else ""

    def _foreign(self, told: str) -> CheckpointError:
        return CheckpointError(
            f"{self.folder}: a transformer {told} is no Wan model that is known here; those that follow sound or poses "
            "are not supported. If it should be one, download it again; else use another model."
        )

    @cached_property
    def row(self) -> Model:
        """The row of the published model that the tensors show, and among those that have the same ones the one that
        `wan_previs.json` states or else names tell. Raises CheckpointError for one that is not known, or not stated.
        """
        found, stated = self.evidence, self.own_facts.get("model")
        row = identification.identify(found if stated is None else replace(found, names=str(stated)))
        if row is None:
            raise self._foreign(f"with {found.in_channels} input and {found.latent_channels} output channels")
        if stated not in (None, row.name):
            raise CheckpointError(
                f"{self.folder / 'wan_previs.json'} states the model {stated!r}, but the tensors are those of "
                f"{row.name}; correct it, or leave it out."
            )
        return row

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of how the model was told."""
        path = next(iter(self.experts.values()))
        pair = identification.half_of(self.row, self.evidence)
        stated = "experts" in self.own_facts
        if pair is None or stated or tells_version([*self.names_of(path), *called(self.folder)]):
            return ()
        title = self.row.title
        return (
            f"{path.name} has the tensors of {title} and of each of the two experts of {pair.title}, and no name tells "
            f"which it is; it runs as {title}. If it is an expert, put the other one beside it, with high_noise and "
            f"low_noise in their names; if it is whole, {say_whole(path, self.folder)}.",
        )

    def names_of(self, path: Path) -> list[str]:
        """What an expert's file is called: its own name, then the folders' up to the checkpoint's, and its title."""
        inside = path.relative_to(self.folder).with_suffix("").parts
        return [*reversed(inside), self.transformer.title]

    @cached_property
    def model(self) -> Model:
        """The row with the boundary that the checkpoint states, and the defaults that `wan_previs.json` puts over it.
        Raises CheckpointError for values of the wrong kind.
        """
        row = self.row
        if "dense" in self.experts:
            row = replace(row, boundary=None)
        elif self.index is not None and isinstance(boundary := read_json(self.index).get("boundary_ratio"), float):
            row = replace(row, boundary=boundary)
        return overridden(row, self.own_facts, self.folder)


def called(folder: Path) -> list[str]:
    """What a folder is called: the model that `download` put there, and its name; in the hub's cache, where that is a
    commit, the repository's.
    """
    folder = Path(os.path.realpath(folder))  # `resolve` raises in a loop of links
    try:
        told = [str(read_json(folder / RECORD).get("model", ""))]
    except CheckpointError:
        told = []
    return [*told, folder.parent.parent.name if folder.parent.name == "snapshots" else folder.name]
