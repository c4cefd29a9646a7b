# SPDX-License-Identifier: GPL-3.0-or-later
"""What the camera sees of a scene in numbers: one render per frame gives depth, objects, materials and normals.

Cycles with one sample through the middle of each pixel, without lens blur and motion blur, so that there is no noise
and frames differ only where the scene does. What counts as a surface: whatever a camera ray meets in a render. Glass
and mirrors count as themselves; what is transparent by more than half (an alpha below 0.5) is passed through; smoke and
other volumes are left out, for a single ray meets them by chance.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ... import compat
from ...scene.brief import SceneError, Shot
from ..staging import change, in_words, rendered, view_layer
from .exr import read_exr
from .marks import indexed, marked
from .unseen import unseen, volumes

_NOTHING = 1e10  # Blender's depth where there is no surface; less by rounding
# Layer by its name here: the switch of the view layer, and the channels of the file.
_LAYERS = {
    "depth": ("use_pass_z", ("Depth.Z",)),
    "objects": ("use_pass_object_index", (f"{compat.OBJECT_PASS}.X",)),
    "materials": ("use_pass_material_index", (f"{compat.MATERIAL_PASS}.X",)),
    "normals": ("use_pass_normal", ("Normal.X", "Normal.Y", "Normal.Z")),
}
_CYCLES: dict[str, Any] = {
    "samples": 1, "use_layer_samples": "IGNORE", "use_adaptive_sampling": False, "use_denoising": False,
    "use_guiding": False, "time_limit": 0.0, "max_bounces": 0, "pixel_filter_type": "GAUSSIAN", "filter_width": 0.01,
    "use_animated_seed": False,
}  # fmt: skip
_TRIES = 24
_FARTHER = 1 + 1e-5  # times as far: less is rounding
_SETTLED = 1e-4  # of the pixels
_SEEN_THROUGH = 64  # transparent surfaces in a row that a ray passes: more than leaves of a tree


class Surfaces:
    """The source of these layers, for `look`."""

    layers: Sequence[str] = tuple(_LAYERS)
    as_filmed = False
    scale = 1

    @contextmanager
    def ready(self, scene: bpy.types.Scene, layers: Collection[str]) -> Iterator[None]:
        """For as long as frames are rendered."""
        with unseen(volumes()), indexed(scene) if "objects" in layers else nullcontext():
            yield

    def settle(self, scene: bpy.types.Scene, layers: Collection[str]) -> None:
        """The scene's settings for it."""
        _set_layers(scene, layers)
        _set_engine(scene)

    def render(
        self, scene: bpy.types.Scene, shot: Shot, frame: float, path: Path, unit: float
    ) -> dict[str, np.ndarray]:
        """The layers of the frame that the scene stands at; `unit` is metres per Blender unit. Raises SceneError.

        What is marked as free is seen through, for a clip that may do with it what it likes is not told of it; only
        `objects` tells where it is.
        """
        if not marked(scene, "free"):
            return self.surfaces(scene, shot, frame, path, unit)
        objects = _rendered(scene, shot, frame, path, _tries()).get("objects")
        found = self.surfaces(scene, shot, frame, path, unit)
        return found if objects is None else {**found, "objects": objects}

    def surfaces(
        self, scene: bpy.types.Scene, shot: Shot, frame: float, path: Path, unit: float
    ) -> dict[str, np.ndarray]:
        """The layers without what is marked as free."""
        with unseen(marked(scene, "free")):
            found = _rendered(scene, shot, frame, path, _tries())
        found["depth"] = found["depth"] * np.float32(unit)
        return found


def _rendered(scene: bpy.types.Scene, shot: Shot, frame: float, path: Path, tries: int) -> dict[str, np.ndarray]:
    """The layers of the frame that the scene stands at, lengths in Blender's units.

    A ray stops by chance at what is transparent by more than half. So where there is such a thing the frame is rendered
    with other chances, until nearly no ray comes any farther: the farthest place is what is seen through it.
    """
    cycles: Any = scene.cycles  # type: ignore[attr-defined]

    def once(seed: int) -> dict[str, np.ndarray]:
        cycles.seed = seed
        rendered(scene, shot, frame, path)
        with in_words(shot, frame, path):
            return _read(path)

    found = once(0)
    for seed in range(1, tries):
        again = once(seed)
        farther = again["depth"] > found["depth"] * _FARTHER
        for name, values in again.items():
            found[name][farther] = values[farther]
        if farther.mean() <= _SETTLED:
            break
    return found


def _set_layers(scene: bpy.types.Scene, layers: Collection[str]) -> None:
    layer, image = view_layer(scene), scene.render.image_settings
    wanted = {_LAYERS[name][0] for name in (*layers, "depth")} | {"use_pass_combined"}
    for name in [prop.identifier for prop in layer.bl_rna.properties]:
        if name.startswith("use_pass_") and isinstance(getattr(layer, name), bool):
            change(layer, name, name in wanted)
    change(layer, "pass_alpha_threshold", 0.5)
    compat.set_layered_file(image)


def _set_engine(scene: bpy.types.Scene) -> None:
    render: Any = scene.render
    render.use_motion_blur = render.use_freestyle = False
    # What stands still is prepared once; but other chances of a ray are heard of only where all is prepared anew.
    change(render, "use_persistent_data", not _has_thin_materials())
    change(scene, "world", None)  # its fog hides what is in it
    try:
        change(render, "engine", "CYCLES")
    except TypeError as error:
        raise SceneError(
            "Depth and masks are rendered by Cycles, which is switched off. Switch on the add-on Cycles Render Engine "
            "in the preferences."
        ) from error
    cycles: Any = scene.cycles  # type: ignore[attr-defined]
    for name, value in _CYCLES.items():
        if hasattr(cycles, name):
            change(cycles, name, value)
    change(cycles, "transparent_max_bounces", max(_SEEN_THROUGH, cycles.transparent_max_bounces))


def _read(path: Path) -> dict[str, np.ndarray]:
    """The layers of a file that Blender wrote. Raises OSError for a file that is not whole."""
    try:
        channels = read_exr(path)
    except ValueError as error:
        raise OSError(str(error)) from error
    path.unlink()
    found = {}
    for layer, (_, ends) in _LAYERS.items():
        parts = [values for end in ends for name, values in channels.items() if name.endswith(f".{end}")]
        if len(parts) == len(ends):
            found[layer] = parts[0] if len(parts) == 1 else np.stack(parts, -1)
    depth = found["depth"]
    found["depth"] = np.where(depth < _NOTHING * 0.99, depth, np.float32(np.inf))
    return found


def _tries() -> int:
    """How often a frame may be rendered: once, unless something may be transparent in part."""
    return _TRIES if _has_thin_materials() else 1


def _has_thin_materials() -> bool:
    trees = [compat.material_tree(material) for material in bpy.data.materials]
    trees += [tree for tree in bpy.data.node_groups if tree.bl_idname == "ShaderNodeTree"]
    return any(_may_be_thin(node) for tree in trees if tree is not None for node in tree.nodes)


def _may_be_thin(node: bpy.types.Node) -> bool:
    alpha = node.inputs.get("Alpha") if node.bl_idname == "ShaderNodeBsdfPrincipled" else None
    thin = alpha is not None and (alpha.is_linked or alpha.default_value < 1)
    return thin or node.bl_idname in ("ShaderNodeBsdfTransparent", "ShaderNodeScript")
