# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of every frame: the scene without its light, as the viewport shows it, and the scene as it is rendered."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...scene.brief import Shot
from ..frames import set_engine
from ..staging import change, in_words, rendered, set_png
from ..tone import stored_pixels
from .marks import INDEX, marked
from .png import read_png, write_png
from .seen import Seen

_FLAT: dict[str, Any] = {
    "light": "FLAT", "color_type": "MATERIAL", "show_shadows": False, "show_cavity": False, "show_xray": False,
    "show_object_outline": False, "show_specular_highlight": False, "use_dof": False, "show_backface_culling": False,
}  # fmt: skip
# Colours as they are set, whatever the scene's own colour management makes of light.
_PLAIN: dict[str, Any] = {
    "view_transform": "Standard", "look": "None", "exposure": 0.0, "gamma": 1.0, "use_curve_mapping": False
}  # fmt: skip


class Blockout:
    """The source of `blockout` [H, W, 3] uint8: Workbench, which also draws Blender's viewport in Solid mode, with the
    materials' viewport colours and no light. What is marked as free is left out."""

    layers: Sequence[str] = ("blockout",)
    as_filmed = False
    scale = 1
    light = "FLAT"

    @contextmanager
    def ready(self, scene: bpy.types.Scene, layers: Collection[str]) -> Iterator[None]:
        """For as long as frames are rendered."""
        settings = (
            (scene.display.shading, _FLAT),
            (scene.display, ("render_aa",)),
            (scene.view_settings, _PLAIN),
            (scene.display_settings, ("display_device",)),
        )
        with ExitStack() as undo:
            for owner, names in settings:
                undo.enter_context(_kept(owner, names))
            undo.enter_context(_not_rendered(marked(scene, "free")))
            yield

    def settle(self, scene: Any, layers: Collection[str]) -> None:
        """The scene's settings for it."""
        change(scene.render, "engine", "BLENDER_WORKBENCH")
        for name, value in {**_FLAT, "light": self.light}.items():
            change(scene.display.shading, name, value)
        change(scene.display, "render_aa", "8")
        scene.render.dither_intensity = 0.0
        for name, value in _PLAIN.items():
            change(scene.view_settings, name, value)
        set_png(scene.render.image_settings)

    def render(
        self, scene: bpy.types.Scene, shot: Shot, frame: float, path: Path, unit: float
    ) -> dict[str, np.ndarray]:
        """The layer of the frame that the scene stands at. Raises SceneError."""
        return {self.layers[0]: _picture(scene, shot, frame, path)}


class StudioBlockout(Blockout):
    """The source of `blockout_studio` [H, W, 3] uint8: the same under a studio light, which shows forms."""

    layers = ("blockout_studio",)
    light = "STUDIO"


class Filmed:
    """The source of `picture` [H, W, 3] uint8: the frame as `render_first_last` renders it, blur and all."""

    layers: Sequence[str] = ("picture",)
    as_filmed = True
    scale = 1
    samples = 16

    @contextmanager
    def ready(self, scene: bpy.types.Scene, layers: Collection[str]) -> Iterator[None]:
        """For as long as frames are rendered."""
        yield

    def settle(self, scene: bpy.types.Scene, layers: Collection[str]) -> None:
        """The scene's settings for it."""
        set_png(scene.render.image_settings)
        set_engine(scene, self.samples)

    def render(
        self, scene: bpy.types.Scene, shot: Shot, frame: float, path: Path, unit: float
    ) -> dict[str, np.ndarray]:
        """The layer of the frame that the scene stands at. Raises SceneError."""
        return {self.layers[0]: _picture(scene, shot, frame, path)}


class Rough(Filmed):
    """The source of `rough` [H, W, 3] uint8: the same, quick."""

    layers = ("rough",)
    samples = 4


def _picture(scene: bpy.types.Scene, shot: Shot, frame: float, path: Path) -> np.ndarray:
    path = path.with_suffix(".png")
    rendered(scene, shot, frame, path)
    with in_words(shot, frame, path):
        picture = load_picture(path)
        path.unlink()
    return picture


def load_picture(path: Path) -> np.ndarray:
    """uint8 [H, W, 3] of an 8-bit file, rows from the top, as it is stored. Raises RuntimeError."""
    pixels, (width, height) = stored_pixels(path)
    rows = np.asarray(pixels, np.float32).reshape(height, width, 4)[::-1, :, :3]
    return np.asarray(np.rint(255 * rows), np.uint8)


@contextmanager
def _kept(owner: Any, names: Iterable[str]) -> Iterator[None]:
    """Properties of an owner come back."""
    before = {name: getattr(owner, name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            change(owner, name, value)


@contextmanager
def _not_rendered(items: Collection[bpy.types.Object]) -> Iterator[None]:
    shown = [item for item in items if not item.hide_render]
    try:
        for item in shown:
            item.hide_render = True
        yield
    finally:
        for item in shown:
            item.hide_render = False


class ClipPass:
    """Writes a layer that is a picture as `folder`/NNNNN.png (8 bit, RGB)."""

    def __init__(self, folder: Path, layer: str) -> None:
        self.folder, self.layers = folder, (layer,)
        self.count = 0

    def add(self, seen: Seen) -> None:
        self.count += 1
        picture = seen.layers[self.layers[0]]
        pixels = picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, 2)
        write_png(self.folder / f"{self.count:05}.png", pixels)

    def finish(self) -> None: ...


class KeepPass:
    """Puts what is marked to be kept, as rendered, into the clip in `clip`, which another pass has written before, and
    writes `mask`/NNNNN.png (8 bit, grey): black where the clip is kept, white where it is made."""

    layers = ("objects", "picture")

    def __init__(self, clip: Path, mask: Path, scratch: Path) -> None:
        self.clip, self.mask, self.scratch = clip, mask, scratch
        self.counts = dict.fromkeys(self.layers, 0)

    def add(self, seen: Seen) -> None:
        for name in seen.layers.keys() & set(self.layers):
            self.counts[name] += 1
            np.save(self.scratch / f"keep-{name}-{self.counts[name]}.npy", seen.layers[name])

    def finish(self) -> None:
        for number in range(1, self.counts["picture"] + 1):
            objects, picture = (np.load(self.scratch / f"keep-{name}-{number}.npy") for name in self.layers)
            kept = np.rint(objects) == INDEX["keep"]
            path = self.clip / f"{number:05}.png"
            write_png(path, np.where(kept[:, :, None], picture, read_png(path)))
            write_png(self.mask / path.name, np.where(kept, np.uint8(0), np.uint8(255)))
