# SPDX-License-Identifier: GPL-3.0-or-later
"""What the camera sees: which groups of objects stand in the picture, how large, how sharp and how hidden."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import bpy
import numpy as np

from ..camera.camera import CameraState
from .groups import Group
from .names import is_ground_name
from .occluders import OccluderFrame, Occluders

LEAST_AREA = 0.0005  # of the picture
LEAST_SIDE = 0.01  # of its width and height
LEAST_UNHIDDEN = 0.1  # of a thing's points
MOST_MEASURED = 80  # groups, the largest by their boxes, that are measured point by point
MOST_PROBED = 60  # of them, whose hiding is looked into
MOST_ALIKE = 24  # of one noun among the measured: more of them tell nothing new
MOST_BODIES = 200  # in a group, beyond which their boxes stand for them
PROBE_POINTS = 24
COLUMNS, ROWS = 16, 9  # points of the picture at which one looks what it shows
FAR = 1e4  # metres within which the middle of the picture is looked for


@dataclass(frozen=True)
class Seen:
    """A group in the picture. `whole` is its box (x0, y0, x1, y1) as if the picture had no edges, `box`: inside it;
    `seen`: the part that nothing hides, `blur` its unsharpness in picture widths, `corners` [2, 3] its extent in
    metres, `parts` the objects that show it, the largest first."""

    group: Group
    whole: tuple[float, float, float, float]
    box: tuple[float, float, float, float]
    distance: float
    seen: float
    blur: float
    corners: np.ndarray
    parts: tuple[bpy.types.Object, ...]

    @property
    def noun(self) -> str:
        return self.group.noun

    @property
    def area(self) -> float:
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])

    @property
    def centre(self) -> np.ndarray:
        return self.corners.mean(axis=0)

    @property
    def extent(self) -> float:
        """Length of the longest side in metres."""
        return float((self.corners[1] - self.corners[0]).max())

    @property
    def flat(self) -> bool:
        """Whether it lies flat like ground, a road or a sheet."""
        size = self.corners[1] - self.corners[0]
        return bool(size[2] < 0.03 * size[:2].max())

    @property
    def weight(self) -> float:
        """How much it is the main subject: large, near the middle, sharp, unhidden."""
        x, y = (self.box[0] + self.box[2]) / 2.0, (self.box[1] + self.box[3]) / 2.0
        off = min(1.0, float(np.hypot(x - 0.5, y - 0.5)) / 0.6)
        return self.area * (1.0 - 0.75 * off) * (1.0 if self.blur < 0.02 else 0.1) * (1.0 if self.seen >= 0.5 else 0.1)


class Scanner:
    """Looks through a camera at evaluated frames of a scene."""

    def __init__(self, occluders: Occluders, groups: list[Group], unit: float) -> None:
        self.occluders, self.groups, self.unit = occluders, groups, unit
        self.owner = {member: index for index, group in enumerate(groups) for member in group.members}
        self.number = {group.key: index for index, group in enumerate(groups)}

    def look(self, depsgraph: bpy.types.Depsgraph, camera: CameraState) -> list[Seen]:
        """Everything in the picture that is no ground or backdrop, the main subject first, then by size."""
        view = View(self, self.occluders.frame(depsgraph, self.unit), camera)
        boxes = [view.measure(index) for index in view.largest(MOST_MEASURED)]
        largest = sorted((item for item in boxes if item is not None), key=lambda pair: -pair[0].area)[:MOST_PROBED]
        probed = [replace(item, seen=view.unhidden(item, points)) for item, points in largest]
        found = [item for item in probed if item.seen >= LEAST_UNHIDDEN]
        extents = {id(item): item.extent for item in found if not item.flat and not is_ground_name(item.noun)}
        things = [item for item in found if not _is_backdrop(item, found, extents, camera)]
        return sorted(things, key=lambda item: (-item.weight, item.group.key))

    def find(self, group: Group, depsgraph: bpy.types.Depsgraph, camera: CameraState) -> Seen | None:
        """One group as it is seen, None when it is not."""
        view = View(self, self.occluders.frame(depsgraph, self.unit), camera)
        measured = view.measure(self.number[group.key])
        if measured is None:
            return None
        item = replace(measured[0], seen=view.unhidden(*measured))
        return item if item.seen >= LEAST_UNHIDDEN else None

    def middle(self, depsgraph: bpy.types.Depsgraph, camera: CameraState) -> np.ndarray | None:
        """World point in metres that the middle of the picture shows, None in the open."""
        frame = self.occluders.frame(depsgraph, self.unit)
        found = frame.first_hit(camera.pose.position, camera.pose.forward, FAR)
        return found[0] if found is not None else None

    def spread(self, depsgraph: bpy.types.Depsgraph, camera: CameraState) -> list[bpy.types.Object]:
        """The objects that a grid of points of the picture shows, as often as they are met."""
        frame = self.occluders.frame(depsgraph, self.unit)
        rays = [camera.ray((i + 0.5) / COLUMNS, (j + 0.5) / ROWS) for j in range(ROWS) for i in range(COLUMNS)]
        found = (frame.first_hit(origin, way, FAR) for origin, way in rays)
        return [hit[1] for hit in found if hit is not None]


class View:
    """A frame's occluders in the picture of a camera: `boxes` [N, 4] around each (x0, y0, x1, y1), `depths` [N, 2]."""

    def __init__(self, scanner: Scanner, frame: OccluderFrame, camera: CameraState) -> None:
        self.scanner, self.frame, self.camera = scanner, frame, camera
        self.near = max(camera.clip_start, 1e-4)
        points = camera.project(frame.corners.reshape(-1, 3)).reshape(-1, 8, 3)
        self.depths = np.stack([points[..., 2].min(axis=1), points[..., 2].max(axis=1)], axis=1)
        low, high = points[..., :2].min(axis=1), points[..., :2].max(axis=1)
        crossing = self.depths[:, 0] <= self.near
        low[crossing], high[crossing] = -9.0, 9.0
        self.boxes = np.concatenate([low, high], axis=1)
        self.shown = (self.depths[:, 1] > self.near) & (low < 1.0).all(axis=1) & (high > 0.0).all(axis=1)
        self.bodies: dict[int, list[int]] = {}
        for index, body in enumerate(frame.bodies):
            group = scanner.owner.get(body.owner)
            if group is not None:
                self.bodies.setdefault(group, []).append(index)

    def largest(self, most: int) -> list[int]:
        """Groups that may be in the picture, largest first."""
        shown = self.shown.tolist()
        areas = {}
        for group, indices in self.bodies.items():
            if not any(shown[index] for index in indices):
                continue
            low = self.boxes[indices, :2].min(axis=0).clip(0.0, 1.0)
            high = self.boxes[indices, 2:].max(axis=0).clip(0.0, 1.0)
            if (high - low).min() >= LEAST_SIDE:
                areas[group] = float((high - low).prod())
        groups, alike = self.scanner.groups, Counter[str]()
        chosen: list[int] = []
        for group in sorted(areas, key=lambda group: (-areas[group], groups[group].key)):
            alike[groups[group].noun] += 1
            if alike[groups[group].noun] <= MOST_ALIKE and len(chosen) < most:
                chosen.append(group)
        return chosen

    def measure(self, index: int) -> tuple[Seen, np.ndarray] | None:
        """A group as if nothing hid it, and its points in metres; None when it is not in the picture."""
        bodies = self.bodies.get(index, [])
        few = len(bodies) <= MOST_BODIES
        points = self.frame.points(bodies) if few else self.frame.corners[bodies].reshape(-1, 3)
        if not len(points) or not np.isfinite(points).all():
            return None
        whole = _picture_box(points, self.camera, self.near)
        if whole is None:
            return None
        x0, y0, x1, y1 = (min(max(value, 0.0), 1.0) for value in whole)
        if min(x1 - x0, y1 - y0) < LEAST_SIDE or (x1 - x0) * (y1 - y0) < LEAST_AREA:
            return None
        corners = np.stack([points.min(axis=0), points.max(axis=0)])
        depth = (points - self.camera.pose.position) @ self.camera.pose.forward
        if len(bodies) == 1:
            depth = (self.frame.corners[bodies[0]] - self.camera.pose.position) @ self.camera.pose.forward
        distance = float(depth.min() + depth.max()) / 2.0
        group, blur = self.scanner.groups[index], _blur(self.camera, distance)
        return Seen(group, whole, (x0, y0, x1, y1), distance, 1.0, blur, corners, self.frame.owners(bodies)), points

    def unhidden(self, item: Seen, points: np.ndarray) -> float:
        """Part of the points inside the picture that lines from the camera reach, or that the group itself hides."""
        x, y, depth = self.camera.project(points).T
        inside = (depth > self.near) & (x > 0.0) & (x < 1.0) & (y > 0.0) & (y < 1.0)
        chosen = points[inside]
        if not len(chosen):  # larger than the picture: its middle fills it
            return 1.0
        chosen = chosen[np.linspace(0, len(chosen) - 1, min(PROBE_POINTS, len(chosen))).astype(int)]
        chosen = chosen + (points.mean(axis=0) - chosen) * 0.1
        pose = self.camera.pose
        origins = np.broadcast_to(pose.position, chosen.shape)
        if self.camera.kind == "ORTHO":
            origins = chosen - np.outer((chosen - pose.position) @ pose.forward, pose.forward)
        return float(self.frame.reached(origins, chosen, self._before(item, float(depth[inside].max()))).mean())

    def _before(self, item: Seen, depth: float) -> np.ndarray:
        """Bodies of other groups that may hide this one."""
        x0, y0, x1, y1 = item.box
        over = (self.boxes[:, :2] < (x1, y1)).all(axis=1) & (self.boxes[:, 2:] > (x0, y0)).all(axis=1)
        over &= (self.depths[:, 0] < depth) & self.shown
        own = self.scanner.number[item.group.key]
        over[self.bodies[own]] = False
        return self.frame.opaque(np.flatnonzero(over))


def _picture_box(points: np.ndarray, camera: CameraState, near: float) -> tuple[float, float, float, float] | None:
    """Box (x0, y0, x1, y1) of the points in front of the camera, None without any. Where the rest reaches behind the
    camera, lines to it are followed up to the near plane, beyond the edges of the picture."""
    projected = camera.project(points)
    ahead = projected[:, 2] > near
    if not ahead.any():
        return None
    picture = projected[ahead, :2]
    if not ahead.all():
        front, back = (points[np.flatnonzero(mask)[:: max(1, int(mask.sum()) // 64)]] for mask in (ahead, ~ahead))
        depth_front, depth_back = (camera.project(part)[:, 2] for part in (front, back))
        t = (depth_front[:, None] - near) / (depth_front[:, None] - depth_back[None, :])
        crossing = front[:, None] + (back[None] - front[:, None]) * t[..., None]
        picture = np.concatenate([picture, camera.project(crossing.reshape(-1, 3))[:, :2]])
    (x0, y0), (x1, y1) = picture.min(axis=0), picture.max(axis=0)
    return (float(x0), float(y0), float(x1), float(y1))


def _blur(camera: CameraState, distance: float) -> float:
    """Circle of confusion in picture widths by the thin-lens formula; 0 without depth of field."""
    if camera.fstop is None or camera.focus_distance_m is None or camera.lens_mm is None or camera.fstop <= 0.0:
        return 0.0
    lens = camera.lens_mm / 1000.0
    focus, at = max(camera.focus_distance_m, lens * 1.01), max(distance, 1e-3)
    circle = lens * lens / camera.fstop * abs(at - focus) / (at * (focus - lens))
    return circle / (camera.width * lens)


def _is_backdrop(item: Seen, found: Sequence[Seen], extents: dict[int, float], camera: CameraState) -> bool:
    """Ground, walls behind the rest, and what surrounds the camera. `extents`: longest sides of what is no ground."""
    if is_ground_name(item.noun):
        return True
    low, high = item.corners
    size = high - low
    wide, tall = float(max(size[0], size[1])), float(size[2])
    others = [extent for key, extent in extents.items() if key != id(item)]
    usual = statistics.median(others) if others else 0.0
    if item.flat and (wide > 1.5 * usual if others else wide >= 4.0):
        return True
    position = camera.pose.position
    over = bool((position[:2] > low[:2]).all() and (position[:2] < high[:2]).all())
    across = item.whole[0] <= 0.02 and item.whole[2] >= 0.98
    if over and across and (tall < 0.3 * wide or bool(low[2] < position[2] < high[2])):
        return True
    large = item.box[3] - item.box[1] > 0.85 or (bool(others) and wide > 4.0 * usual)
    return across and large and any(o.distance < item.distance and o.area < 0.8 * item.area for o in found)
