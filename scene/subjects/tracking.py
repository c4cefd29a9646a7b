# SPDX-License-Identifier: GPL-3.0-or-later
"""The subjects of a shot: who is seen first when, where everyone goes, and the point the shot is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import bpy
import numpy as np

from ..animation.fcurves import PlainObject
from ..brief import Motion, Subject
from ..camera.camera import CameraState
from ..geometry import angle_between_deg
from .framing import motion
from .groups import Group
from .occluders import local_points, placed
from .seen import Seen
from .visible import Scanner

MOST_SUBJECTS = 8
MANY = 3  # equal things beyond which they are told as one with a count
AHEAD = 5.0  # metres to the point a shot is about where nothing is hit
MOST_SHAPES = 4  # members of a group whose shapes are compared
SUBJECT_FRAMES = 9  # at which subjects are looked up when camera and sun do not need the scene evaluated

At = Callable[[int], bpy.types.Depsgraph]
Camera = Callable[[bpy.types.Depsgraph], CameraState]


@dataclass
class TrackedSubject:
    """A subject: how it is seen at `frame`, where it comes in, and its place, turn and shape at evaluated frames."""

    thing: Seen
    frame: int
    camera: CameraState
    weight: float
    count: int = 1
    centres: dict[int, np.ndarray] = field(default_factory=dict)
    axes: list[np.ndarray] = field(default_factory=list)
    shapes: list[list[np.ndarray]] = field(default_factory=list)

    @property
    def group(self) -> Group:
        """The objects that it is."""
        return self.thing.group


class SubjectTracker:
    """Subjects found by looking at a shot's frames. `opening`: what is seen at the start, else at the first frame that
    shows something; `arranged`: the same with all of each kind; `tracked`: every subject at its first visible frame,
    the main one first; `world_share` as in the brief."""

    def __init__(self, scanner: Scanner, at: At, camera: Camera) -> None:
        self.scanner, self.at, self.camera = scanner, at, camera
        self.occluders, self.unit = scanner.occluders, scanner.unit
        self.opening: list[Seen] = []
        self.arranged: list[Seen] = []
        self.tracked: list[TrackedSubject] = []
        self.aim: np.ndarray | None = None
        self.world_share = 0.0

    def find(self, first: int, last: int) -> None:
        """Looks at the start, at thirds and at the end, and between for when someone first appears."""
        third = (last - first) // 3
        looks = sorted({first, first + third, last - third, last})
        met: dict[str, TrackedSubject] = {}
        crowds: dict[str, int] = {}
        for frame in looks:
            depsgraph = self.at(frame)
            state = self.camera(depsgraph)
            things = self.scanner.look(depsgraph, state)
            self.world_share = max(self.world_share, self.scanner.world_share(depsgraph, state))
            if frame == first:
                self.aim = self.scanner.middle(depsgraph, state)
            if not self.opening:
                self.opening = things[:MOST_SUBJECTS]
                nouns = list(dict.fromkeys(thing.noun for thing in things))[:MOST_SUBJECTS]
                self.arranged = [thing for thing in things if thing.noun in nouns]
            for thing in things:
                subject = met.setdefault(thing.group.key, TrackedSubject(thing, frame, state, 0.0))
                subject.weight = max(subject.weight, thing.weight)
            for noun in {thing.noun for thing in things}:
                crowds[noun] = max(crowds.get(noun, 0), sum(thing.noun == noun for thing in things))
            self._note(met.values(), frame, depsgraph)
        self.tracked = self._chosen(list(met.values()), crowds, looks)

    def _chosen(self, met: list[TrackedSubject], crowds: dict[str, int], looks: list[int]) -> list[TrackedSubject]:
        """The tracked that are told: equal things in number as one, the weightiest few, in order of appearance."""
        told: list[TrackedSubject] = []
        for noun in dict.fromkeys(subject.thing.noun for subject in met):
            alike = [subject for subject in met if subject.thing.noun == noun]
            for moving in (False, True):
                part = [subject for subject in alike if self._moves(subject) == moving]
                crowd = min(len(part), crowds[noun]) > MANY
                told += [self._crowd(part, crowds[noun] * len(part) // len(alike))] if crowd else part
        told = sorted(told, key=lambda subject: -subject.weight)[:MOST_SUBJECTS]
        ordered = sorted(told, key=lambda subject: (subject.frame, -subject.thing.weight, subject.group.key))
        for subject in ordered:
            if subject.frame != looks[0] and subject.count == 1:
                self._enter(subject, looks[looks.index(subject.frame) - 1])
        return ordered

    def _crowd(self, alike: list[TrackedSubject], count: int) -> TrackedSubject:
        """Equal things as one: the weightiest stands for all, in the box around those seen with it."""
        lead = max(alike, key=lambda subject: (-subject.frame, subject.thing.weight))
        beside = np.array([subject.thing.box for subject in alike if subject.frame == lead.frame])
        box = (*beside[:, :2].min(axis=0).tolist(), *beside[:, 2:].max(axis=0).tolist())
        largest = sorted(alike, key=lambda subject: (-subject.thing.extent, subject is not lead))
        parts = tuple(dict.fromkeys(part for subject in largest for part in subject.thing.parts))
        thing = replace(lead.thing, box=box, parts=parts)
        return replace(
            lead, thing=thing, count=max(count, len(beside)), weight=max(subject.weight for subject in alike)
        )

    def _moves(self, subject: TrackedSubject) -> bool:
        centres = list(subject.centres.values())
        return any(float(np.linalg.norm(centre - centres[0])) > 0.05 for centre in centres)

    def _enter(self, subject: TrackedSubject, before: int) -> None:
        """Finds the first frame after `before` (where it was not seen) that shows a thing."""
        low, high = before, subject.frame
        while high - low > 1:
            middle = (low + high) // 2
            depsgraph = self.at(middle)
            there = self.camera(depsgraph)
            match = self.scanner.find(subject.group, depsgraph, there)
            low, high = (low, middle) if match else (middle, high)
            if match:
                subject.thing, subject.frame, subject.camera = match, middle, there

    def _note(self, tracked: Iterable[TrackedSubject], frame: int, depsgraph: bpy.types.Depsgraph) -> None:
        """Keeps place, turn and shape of what may change, to see later what did."""
        for subject in tracked:
            if all(member in self.occluders.still for member in subject.group.members):
                subject.centres[frame] = subject.thing.centre
                continue
            self._keep(subject, frame, self._centre(subject.group, depsgraph))
            axes = np.array([row[:3] for row in _lead(subject.group).evaluated_get(depsgraph).matrix_world][:3])
            subject.axes.append(axes / np.maximum(np.linalg.norm(axes, axis=0), 1e-9))
            moving = [member for member in subject.group.members if member.type != "EMPTY"][:MOST_SHAPES]
            subject.shapes.append([local_points(member.evaluated_get(depsgraph)) for member in moving])

    def _keep(self, subject: TrackedSubject, frame: int, centre: np.ndarray) -> None:
        if np.isfinite(centre).all():
            subject.centres[frame] = centre

    def _centre(self, group: Group, depsgraph: bpy.types.Depsgraph) -> np.ndarray:
        boxes = []
        for member in group.members:
            evaluated = member.evaluated_get(depsgraph)
            local = np.zeros((1, 3)) if member.type == "EMPTY" else np.array([c[:] for c in evaluated.bound_box])
            boxes.append(placed(local, np.array([row[:] for row in evaluated.matrix_world])))
        return _middle(boxes) * self.unit

    def follow(self, frames: Sequence[int], free: bool) -> None:
        """Looks up where the subjects are. `frames`: those of the camera's track. `free`: they cost nothing (nothing
        was evaluated for them), so things that need the scene evaluated are looked up at a few frames only."""
        few = frames
        if free and len(frames) > SUBJECT_FRAMES:
            few = sorted({frames[round(i)] for i in np.linspace(0, len(frames) - 1, SUBJECT_FRAMES)})
        restless = []
        for subject in self.tracked:
            if all(member in self.occluders.still for member in subject.group.members):
                subject.centres = {frame: subject.thing.centre for frame in (frames[0], frames[-1])}
            elif (plain := self._plain_centre(subject.group)) is not None:
                subject.centres = {frame: plain(frame) for frame in frames}
            else:
                restless.append(subject)
        for frame in few if restless else ():
            depsgraph = self.at(frame)
            for subject in restless:
                self._keep(subject, frame, self._centre(subject.group, depsgraph))

    def _plain_centre(self, group: Group) -> Callable[[int], np.ndarray] | None:
        """The centre as a function of the frame, where keyframes alone move a rigid group."""
        plain = [found for member in group.members if (found := PlainObject.of(member)) is not None]
        if len(plain) < len(group.members) or not self.occluders.rigid(group.members):
            return None
        boxes = [self.occluders.local_box(member) for member in group.members]

        def centre(frame: int) -> np.ndarray:
            matrices = [np.array([row[:] for row in item.matrix(frame)]) for item in plain]
            return _middle([placed(box, matrix) for box, matrix in zip(boxes, matrices, strict=True)]) * self.unit

        return centre

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

    def tracks(self, every: np.ndarray) -> list[np.ndarray]:
        """Centres [N, 3] of the subjects at every frame, straight between the known ones, the main one first."""
        tracks = []
        for subject in self.tracked:
            known = sorted(subject.centres)
            centres = np.array([subject.centres[frame] for frame in known])
            tracks.append(np.stack([np.interp(every, known, centres[:, axis]) for axis in range(3)], axis=1))
        return tracks

    def subjects(self, fps: float) -> tuple[Subject, ...]:
        """The subjects as the brief tells them."""
        return tuple(
            Subject(
                name=subject.thing.parts[0].name,
                noun=subject.thing.noun,
                members=tuple(part.name for part in subject.thing.parts) if len(subject.thing.parts) > 1 else None,
                description=subject.group.description,
                screen_box=subject.thing.box,
                distance_m=subject.thing.distance,
                motion=self._motion(subject, fps),
                count=subject.count,
            )
            for subject in self.tracked
        )

    def _motion(self, subject: TrackedSubject, fps: float) -> Motion:
        known = sorted(subject.centres)
        centres = np.array([subject.centres[frame] for frame in known])
        seconds = (known[-1] - known[0]) / fps
        turn = max(
            (angle_between_deg(_unit(a[:, i]), _unit(subject.axes[0][:, i])) for a in subject.axes for i in range(3)),
            default=0.0,
        )
        return motion(centres, turn, _deforms(subject.shapes), seconds, subject.camera.pose, subject.thing.extent)


def _middle(boxes: Sequence[np.ndarray]) -> np.ndarray:
    """Middle of a group by the corners [N, 3] of its parts' boxes: the mean of theirs, each by its diagonal squared, so
    that a label on a bottle moves it little."""
    sizes = np.array([float((np.ptp(box, axis=0) ** 2).sum()) for box in boxes])
    middles = np.array([box.mean(axis=0) for box in boxes])
    return np.average(middles, axis=0, weights=sizes) if sizes.sum() > 0.0 else middles.mean(axis=0)


def _lead(group: Group) -> bpy.types.Object:
    """The part whose turning is the group's."""
    return group.head if group.collection is None else group.members[0]


def _unit(axis: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(axis))
    return axis / length if length > 1e-9 else np.array([0.0, 0.0, 1.0])


def _deforms(shapes: list[list[np.ndarray]]) -> bool:
    """Whether points move in a part's own space, by more than a hundredth of its size."""
    for part, start in enumerate(shapes[0] if shapes else ()):
        size = max(float(np.ptp(start, axis=0).max()), 1e-6) if len(start) else 1.0
        for later in shapes[1:]:
            shape = later[part]
            if shape.shape != start.shape or (len(shape) and float(np.abs(shape - start).max()) > 0.01 * size):
                return True
    return False
