# SPDX-License-Identifier: GPL-3.0-or-later
"""What the camera sees: which groups of objects stand in the picture, how large, how sharp and how hidden."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import product

import bpy
import numpy as np

from ..camera.camera import CameraState
from .backdrop import things_of
from .groups import Group, head_of
from .names import DEFAULT, is_ground_name
from .occluders import OccluderFrame, Occluders
from .seen import Seen

LEAST_AREA = 0.0005  # of the picture
LEAST_SIDE = 0.01  # of its width and height
LEAST_UNHIDDEN = 0.1  # of a thing's points
MOST_MEASURED = 80  # groups, the largest by their boxes, that are measured point by point
MOST_PROBED = 60  # of them, whose hiding is looked into
MOST_ALIKE = 24  # of one noun among the measured: more of them tell nothing new
MOST_BODIES = 200  # in a group, beyond which their boxes stand for them
PROBE_POINTS = 24
INSIDE = (0.06, 0.28, 0.5, 0.72, 0.94)  # across and up the picture, for what is larger than it
COLUMNS, ROWS = 16, 9  # points of the picture at which one looks what it shows
CLOSE = 2.1  # picture heights: nearer things are looked at part by part
LEAST_PART = 0.04  # of the picture
MOST_PARTS = 2
MOST_SCATTERED = 200  # of one thing that another scatters: the largest in the picture stand for the rest
THIN = 0.12  # of its middle side, below which a thing's shortest makes it a sheet
CEILING = 20.0  # metres above the camera within which something makes a room
FAR = 1e4  # metres within which the middle of the picture is looked for


class Scanner:
    """Looks through a camera at evaluated frames of a scene."""

    def __init__(self, occluders: Occluders, groups: list[Group], unit: float) -> None:
        self.occluders, self.groups, self.unit = occluders, groups, unit
        self.owner = {member: index for index, group in enumerate(groups) for member in group.members}
        self.number = {group.key: index for index, group in enumerate(groups)}
        self.heads: dict[bpy.types.Object, bpy.types.Object] = {}

    def look(self, depsgraph: bpy.types.Depsgraph, camera: CameraState) -> list[Seen]:
        """Everything in the picture that is no ground or backdrop, the main subject first, then by size."""
        view = View(self, self.occluders.frame(depsgraph, self.unit), camera)
        boxes = [view.measure(index) for index in view.largest(MOST_MEASURED)]
        largest = sorted((item for item in boxes if item is not None), key=lambda pair: -pair[0].area)[:MOST_PROBED]
        probed = [replace(item, seen=view.unhidden(item, points)) for item, points in largest]
        found = [item for item in probed if item.seen >= LEAST_UNHIDDEN]
        covered = view.frame.first_hit(camera.pose.position, np.array([0.0, 0.0, 1.0]), CEILING) is not None
        things = things_of(found, camera.pose, view.own_distance, covered)
        things.sort(key=lambda item: (-item.weight, item.group.key))
        return things + [part for item in things if item.whole[3] - item.whole[1] > CLOSE for part in view.parts(item)]

    def own_index(self, group: Group) -> int:
        """The number of a group that is met only now."""
        if group.key not in self.number:
            self.number[group.key] = len(self.groups)
            self.groups.append(group)
        return self.number[group.key]

    def head(self, item: bpy.types.Object) -> bpy.types.Object:
        """The object that an object belongs to, looked for once."""
        if item not in self.heads:
            self.heads[item] = head_of(item)
        return self.heads[item]

    def find(self, group: Group, depsgraph: bpy.types.Depsgraph, camera: CameraState) -> Seen | None:
        """One group as it is seen, None when it is not."""
        view = View(self, self.occluders.frame(depsgraph, self.unit), camera)
        measured = view.measure(self.number[group.key])
        if measured is None:
            return None
        item = replace(measured[0], seen=view.unhidden(*measured))
        return item if item.seen >= LEAST_UNHIDDEN else None

    def weights(
        self, depsgraph: bpy.types.Depsgraph, camera: CameraState, things: Mapping[str, Collection[bpy.types.Object]]
    ) -> dict[str, float]:
        """Of things given by their objects those that are seen, with how much each is the main subject."""
        view = View(self, self.occluders.frame(depsgraph, self.unit), camera)
        keys: dict[bpy.types.Object | None, list[str]] = {}
        for key, items in things.items():
            for item in items:
                keys.setdefault(item, []).append(key)
        bodies: dict[str, list[int]] = {}
        for index in np.flatnonzero(view.shown).tolist():
            body = view.frame.bodies[index]
            for key in dict.fromkeys([*keys.get(body.owner, ()), *keys.get(body.item, ())]):
                bodies.setdefault(key, []).append(index)
        weights = {key: view.weight(key, indices) for key, indices in bodies.items()}
        return {key: weight for key, weight in weights.items() if weight is not None}

    def middle(self, depsgraph: bpy.types.Depsgraph, camera: CameraState) -> np.ndarray | None:
        """World point in metres that the middle of the picture shows, None in the open."""
        frame = self.occluders.frame(depsgraph, self.unit)
        found = frame.first_hit(camera.pose.position, camera.pose.forward, FAR)
        return found[0] if found is not None else None

    def world_share(self, depsgraph: bpy.types.Depsgraph, camera: CameraState) -> float:
        """The part of the picture in which nothing stands before the world, by a coarse grid of points."""
        frame = self.occluders.frame(depsgraph, self.unit)
        rays = [camera.ray((i + 0.5) / 8, (j + 0.5) / 6) for j in range(6) for i in range(8)]
        return sum(frame.first_hit(origin, way, FAR) is None for origin, way in rays) / len(rays)

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
        self.boxes = np.concatenate([low, high], axis=1)
        for index in np.flatnonzero((self.depths[:, 0] <= self.near) & (self.depths[:, 1] > self.near)):
            self.boxes[index] = _picture_box(frame.corners[index], camera, self.near) or (-9.0, -9.0, 9.0, 9.0)
        low, high = self.boxes[:, :2], self.boxes[:, 2:]
        self.shown = (self.depths[:, 1] > self.near) & (low < 1.0).all(axis=1) & (high > 0.0).all(axis=1)
        self.bodies: dict[int, list[int]] = {}
        passed_over = self._passed_over()
        for index, body in enumerate(frame.bodies):
            group = scanner.owner.get(body.owner)
            if body.place is not None and body.item is not None:
                if index in passed_over:
                    continue
                role = f"{body.owner.name_full}/{'.'.join(map(str, body.place))}"
                group = scanner.own_index(Group(scanner.head(body.item), (body.owner,), role=role))
            if group is not None:
                self.bodies.setdefault(group, []).append(index)

    def _passed_over(self) -> set[int]:
        """Of things that are scattered in great number, all but the largest in the picture."""
        scattered: dict[tuple[bpy.types.Object, bpy.types.Object], list[int]] = {}
        for index, body in enumerate(self.frame.bodies):
            if body.place is not None and body.item is not None:
                scattered.setdefault((body.owner, body.item), []).append(index)
        areas = (self.boxes[:, 2:].clip(0.0, 1.0) - self.boxes[:, :2].clip(0.0, 1.0)).prod(axis=1) * self.shown
        many = (np.array(indices) for indices in scattered.values() if len(indices) > MOST_SCATTERED)
        return {int(i) for indices in many for i in indices[np.argsort(-areas[indices])[MOST_SCATTERED:]]}

    def parts(self, item: Seen) -> list[Seen]:
        """Parts of a thing seen close (the eye of a head) that have names of their own and fill some of the picture."""
        group, found = item.group, []
        for member in group.members if not group.role else ():
            part = Group(member, (member,), role="part")
            if member == group.head or part.noun in (*DEFAULT, group.noun) or is_ground_name(part.noun):
                continue
            own = [i for i in self.bodies[self.scanner.number[group.key]] if self.frame.bodies[i].owner == member]
            index = self.scanner.own_index(part)
            self.bodies[index] = own
            measured = self.measure(index)
            if measured is not None and self._stands_out(measured[0]):
                found.append(replace(measured[0], seen=1.0))
        return sorted(found, key=lambda part: (-part.area, part.group.key))[:MOST_PARTS]

    def _stands_out(self, part: Seen) -> bool:
        """Whether a part is large, mostly inside the picture, and what one sees there."""
        x0, y0, x1, y1 = part.whole
        if part.area < max(LEAST_PART, 0.5 * (x1 - x0) * (y1 - y0)):
            return False
        x0, y0, x1, y1 = part.box
        rays = [self.camera.ray(x0 + x * (x1 - x0), y0 + y * (y1 - y0)) for x, y in product(INSIDE, INSIDE)]
        met = (self.frame.first_hit(origin, way, FAR) for origin, way in rays)
        return sum(hit is not None and hit[1] == part.group.head for hit in met) > 0.3 * len(rays)

    def weight(self, key: str, own: list[int]) -> float | None:
        """How much these bodies, as one or the largest that is seen of them, are the main subject; None unseen."""
        head = self.frame.bodies[own[0]].owner
        index = self.scanner.own_index(Group(head, (head,), role=f"watched {key}"))
        sides = self.boxes[:, 2:].clip(0.0, 1.0) - self.boxes[:, :2].clip(0.0, 1.0)
        largest = sorted(own, key=lambda body: -float(sides[body].prod()))[:MOST_PROBED]
        for part in (own, *([body] for body in largest if len(own) > 1)):
            self.bodies[index] = part
            measured = self.measure(index)
            if measured is not None and (seen := self.unhidden(*measured)) >= LEAST_UNHIDDEN:
                return replace(measured[0], seen=seen).weight
        return None

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
        sides = corners[1] - corners[0]
        if len(bodies) == 1:
            edges = self.frame.corners[bodies[0]]
            depth = (edges - self.camera.pose.position) @ self.camera.pose.forward
            sides = np.linalg.norm(edges[[1, 3, 4]] - edges[0], axis=1)
        depths = (float(depth.min()), float(depth.max()))
        distance = sum(depths) / 2.0
        thinnest, middle, _ = np.sort(sides)
        thin = bool(thinnest < THIN * middle)
        group, blur = self.scanner.groups[index], _blur(self.camera, distance)
        box, parts = (x0, y0, x1, y1), self.frame.owners(bodies)
        return Seen(group, whole, box, distance, 1.0, blur, corners, depths, thin, parts), points

    def unhidden(self, item: Seen, points: np.ndarray) -> float:
        """Part of the points inside the picture that lines from the camera reach, or that the group itself hides."""
        x, y, depth = self.camera.project(points).T
        inside = (depth > self.near) & (x > 0.0) & (x < 1.0) & (y > 0.0) & (y < 1.0)
        chosen = points[inside]
        if not len(chosen):  # larger than the picture
            return self._unhidden_inside(item)
        # In an order of their own: that of a mesh's vertices is another one in each version of Blender.
        chosen = chosen[np.lexsort(chosen.round(6).T)]
        chosen = chosen[np.linspace(0, len(chosen) - 1, min(PROBE_POINTS, len(chosen))).astype(int)]
        chosen = chosen + (points.mean(axis=0) - chosen) * 0.1
        pose = self.camera.pose
        origins = np.broadcast_to(pose.position, chosen.shape)
        if self.camera.kind == "ORTHO":
            origins = chosen - np.outer((chosen - pose.position) @ pose.forward, pose.forward)
        return float(self.frame.reached(origins, chosen, self._before(item, float(depth[inside].max()))).mean())

    def _unhidden_inside(self, item: Seen) -> float:
        """The same for a thing of whose points none is inside the picture: of its surface where lines of sight meet
        it, all of it where none does."""
        free = []
        for x, y in product(INSIDE, INSIDE):
            origin, way = self.camera.ray(x, y)
            distance = self.own_distance(item, origin, way)
            if distance is not None:
                place = (origin + 0.999 * distance * way)[None]
                depth = distance * float(way @ self.camera.pose.forward)
                free.append(bool(self.frame.reached(origin[None], place, self._before(item, depth))[0]))
        return sum(free) / len(free) if free else 1.0

    def own_distance(self, item: Seen, origin: np.ndarray, way: np.ndarray) -> float | None:
        """How far a group's own surface lies from a point along a unit vector, metres; None where it is not met."""
        own = np.array(self.bodies[self.scanner.number[item.group.key]])
        places = [self.frame.cast(int(index), origin, way * FAR) for index in self.frame.near(own, origin, way * FAR)]
        return min((float(np.linalg.norm(place - origin)) for place in places if place is not None), default=None)

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
