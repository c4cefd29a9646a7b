# SPDX-License-Identifier: GPL-3.0-or-later
"""The subjects of a shot: who is seen first when, where everyone goes, and the point the shot is about."""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np
from mathutils import Vector

from .brief import Motion, Subject
from .camera import CameraState
from .framing import motion
from .geometry import angle_between_deg
from .subjects import Scanner, Seen, describe, groups_of, local_points

MOST_SUBJECTS = 8
AHEAD = 5.0  # metres to the point a shot is about where nothing is hit


class Cast:
    """Subjects found by looking at a shot's frames. `opening`: what is seen at the start, else at the first frame that
    shows something; `seen`: every subject at its first visible frame, the main one first."""

    def __init__(self, scene: bpy.types.Scene, objects: list[bpy.types.Object], unit: float) -> None:
        self.scene, self.unit = scene, unit
        self.scanner = Scanner(scene, groups_of(objects), unit)
        self.opening: list[Seen] = []
        self.seen: list[Seen] = []
        self.first_frame: dict[str, int] = {}
        self.first_camera: dict[str, CameraState] = {}
        self.aim: np.ndarray | None = None
        self.shapes: dict[str, list[np.ndarray]] = {}
        self.axes: dict[str, list[np.ndarray]] = {}

    def find(
        self,
        first: int,
        last: int,
        at: Callable[[int], bpy.types.Depsgraph],
        camera: Callable[[bpy.types.Depsgraph], CameraState],
    ) -> None:
        """Looks at the start, at thirds and at the end, and between for when someone first appears."""
        before, known = first, set()
        for frame in sorted({first, first + (last - first) // 3, last - (last - first) // 3, last}):
            depsgraph = at(frame)
            state = camera(depsgraph)
            things = self.scanner.look(depsgraph, state)
            if frame == first:
                self.aim = self._hit(depsgraph, state)
            self.opening = self.opening or things[:MOST_SUBJECTS]
            for thing in things[:MOST_SUBJECTS]:
                if thing.group.key not in known and len(self.seen) < MOST_SUBJECTS:
                    known.add(thing.group.key)
                    self._enter(thing, before, frame, at, camera)
            self._shapes(depsgraph)
            before = frame

    def _enter(self, thing: Seen, before: int, frame: int, at: Callable, camera: Callable) -> None:
        """Notes a thing at the first frame between `before` (where it was not seen) and `frame` that shows it."""
        state = camera(at(frame))
        low, high = before, frame
        while high - low > 1:
            middle = (low + high) // 2
            depsgraph = at(middle)
            there = camera(depsgraph)
            match = next((t for t in self.scanner.look(depsgraph, there) if t.group is thing.group), None)
            low, high = (low, middle) if match else (middle, high)
            if match:
                thing, state = match, there
        self.seen.append(thing)
        self.first_frame[thing.group.key], self.first_camera[thing.group.key] = high, state
        at(frame)

    def _shapes(self, depsgraph: bpy.types.Depsgraph) -> None:
        """Keeps the own shape and the turn of every subject's first part, to see later what changed."""
        for item in self.seen:
            evaluated = item.group.members[0].evaluated_get(depsgraph)
            axes = np.array(evaluated.matrix_world)[:3, :3]
            self.axes.setdefault(item.group.key, []).append(axes / np.maximum(np.linalg.norm(axes, axis=0), 1e-9))
            self.shapes.setdefault(item.group.key, []).append(local_points(evaluated))

    def _hit(self, depsgraph: bpy.types.Depsgraph, state: CameraState) -> np.ndarray | None:
        """World point in metres that the middle of the picture shows."""
        start, way = Vector(state.pose.position / self.unit), Vector(state.pose.forward)
        hit, place, *_ = self.scene.ray_cast(depsgraph, start, way)
        return np.array(place) * self.unit if hit else None

    def height_above(self, state: CameraState) -> float | None:
        """Metres from what is seen up to the camera."""
        if self.aim is not None:
            return float(state.pose.position[2] - self.aim[2])
        return float(state.pose.position[2] - self.opening[0].corners[0][2]) if self.opening else None

    def target(self, state: CameraState) -> np.ndarray:
        """The point the shot is about: the main subject's centre, else what the middle of the picture shows, else a
        point ahead of the camera."""
        if self.opening:
            return self.opening[0].centre
        return self.aim if self.aim is not None else state.pose.position + AHEAD * state.pose.forward

    def centres(self, depsgraph: bpy.types.Depsgraph) -> dict[str, np.ndarray]:
        """Centre of every subject's box in metres at the evaluated frame, by key; cheap, so for every frame."""
        return {item.group.key: self._centre(item, depsgraph) for item in self.seen}

    def _centre(self, item: Seen, depsgraph: bpy.types.Depsgraph) -> np.ndarray:
        corners = []
        for member in item.group.members:
            evaluated = member.evaluated_get(depsgraph)
            matrix = np.array(evaluated.matrix_world)
            if member.type == "EMPTY":
                corners.append(matrix[None, :3, 3])
            else:
                corners.append(np.array([c[:] for c in evaluated.bound_box]) @ matrix[:3, :3].T + matrix[:3, 3])
        points = np.concatenate(corners) * self.unit
        return (points.min(axis=0) + points.max(axis=0)) / 2.0

    def tracks(self, frames: dict, every: np.ndarray) -> list[np.ndarray]:
        """Centres [N, 3] of the subjects at every frame, straight between the evaluated ones, the main one first."""
        known = np.array(list(frames), dtype=float)
        tracks = []
        for item in self.seen:
            centres = np.array([facts.centres[item.group.key] for facts in frames.values()])
            tracks.append(np.stack([np.interp(every, known, centres[:, axis]) for axis in range(3)], axis=1))
        return tracks

    def subjects(self, frames: dict, fps: float) -> tuple[Subject, ...]:
        """The subjects as the brief tells them."""
        return tuple(
            Subject(item.name, describe(item.group), item.box, item.distance, self._motion(item, frames, fps))
            for item in self.seen
        )

    def _motion(self, item: Seen, frames: dict, fps: float) -> Motion:
        key = item.group.key
        centres = np.array([facts.centres[key] for facts in frames.values()])
        seconds = (max(frames) - min(frames)) / fps
        axes, shapes = self.axes[key], self.shapes[key]
        turn = max(angle_between_deg(_unit(a[:, i]), _unit(axes[0][:, i])) for a in axes for i in range(3))
        return motion(centres, turn, _deforms(shapes), seconds, self.first_camera[key].pose)


def _unit(axis: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(axis))
    return axis / length if length > 1e-9 else np.array([0.0, 0.0, 1.0])


def _deforms(shapes: list[np.ndarray]) -> bool:
    """Whether points move in the object's own space, by more than a hundredth of its size."""
    size = max(float(np.ptp(shapes[0], axis=0).max()), 1e-6) if len(shapes[0]) else 1.0
    return any(
        shape.shape != shapes[0].shape or (len(shape) > 0 and float(np.abs(shape - shapes[0]).max()) > 0.01 * size)
        for shape in shapes[1:]
    )
