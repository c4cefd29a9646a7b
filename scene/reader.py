# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the brief of a scene: every fact the scene holds about its shots, without changing the scene."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import bpy
import numpy as np

from .. import compat
from .animation import frame_sampling, simulations
from .animation.fcurves import frames_are_plain, never_moves
from .brief import Brief, CameraPath, Shot, library_name, unknown_shot
from .camera.camera import CameraState, camera_error, read_camera
from .camera.moves import classify
from .camera.path import take_apart
from .lighting.lights import LampFacts, LampTrack, describe_lights, lamp_facts
from .lighting.linking import is_linked, lit_share
from .lighting.sun import SunState, SunTrack, build_sun, lamp_sun, mean_power, sky_sun, sun_error, suns_that_light
from .lighting.sun_position import BLOCK, read_almanac
from .references import LOOKS, Stated, kind_of, references_for, stated_references, things_of
from .shots import Cut, read_cuts
from .subjects.framing import camera_angle, composition, shot_size, shoulder
from .subjects.groups import groups_of
from .subjects.occluders import Occluders
from .subjects.tracking import SubjectTracker
from .subjects.visible import Scanner
from .surroundings.environment import read_environment
from .tracks import PlainCamera, PlainLights, light_curves
from .visibility import Lamp, has_instanced_lights, lamps, rendered_objects

Evaluate = Callable[[int], bpy.types.Depsgraph]
MOST_LIGHT_FRAMES = 6
LAMP_FRAMES = 13  # at which lamps are looked up that need the scene evaluated
MOST_LAMP_FRAMES = 200  # at which curves say what a lamp does


@dataclass(frozen=True)
class FrameFacts:
    """What is known of a frame: the camera, and suns by key ("" is the sky's)."""

    camera: CameraState
    suns: dict[str, SunState]


@dataclass
class Reading:
    """What all shots of a scene share while they are read; `unit` is metres per Blender unit."""

    scene: bpy.types.Scene
    at: Evaluate
    warnings: list[str]
    references: Sequence[Stated] = ()

    def __post_init__(self) -> None:
        self.unit = metres_per_unit(self.scene)
        self.fps = self.scene.render.fps / self.scene.render.fps_base
        self.layer = frame_sampling.render_layer(self.scene)
        self.objects = rendered_objects(self.layer)
        self.lights = [item for item in self.objects if item.type == "LIGHT"]
        self.scanner = Scanner(Occluders(self.scene, self.objects), groups_of(self.scene, self.objects), self.unit)
        self.world = compat.world_of(self.scene, self.layer)
        self.things = things_of(self.references, self.objects)

    def warn(self, text: str) -> None:
        """Note a warning for the user, once."""
        if text not in self.warnings:
            self.warnings.append(text)


@dataclass
class ShotReader:
    """Reads one shot. Its track is refined frame by frame as far as camera and suns need it; the scene is evaluated at
    those frames only where more than keyframes moves them."""

    reading: Reading
    cut: Cut
    facts: dict[int, FrameFacts] = field(default_factory=dict)
    lights: dict[str, LampFacts] = field(default_factory=dict)
    lamps: dict[str, Lamp] = field(default_factory=dict)
    courses: dict[str, dict[int, LampFacts | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tracker = SubjectTracker(self.reading.scanner, self.reading.at, self.camera)
        self.instanced = False
        self.shown: list[bpy.types.Object] | None = None

    def read(self) -> Shot:
        """The shot with all its facts. Raises SceneError."""
        reading, first, last = self.reading, self.cut.frame_start, self.cut.frame_end
        self.instanced = has_instanced_lights(reading.at(first))
        self.tracker.find(first, last)
        frames = self.track(first, last)
        cameras = [(frame, facts.camera) for frame, facts in frames.items()]
        start = cameras[0][1]
        tracks = self.sun_tracks(frames)
        powers = {
            key: self.lit_share(self.lamps[key].owner) * mean_power(track) for key, track in tracks.items() if key
        }
        lighting = suns_that_light(tracks, powers)
        poses = [facts.camera.pose for facts in frames.values()]
        suns = tuple(build_sun(tracks[key], poses) for key in lighting)
        sun = suns[0] if suns else None
        depsgraph = reading.at(first)
        for name in sorted(reading.scanner.occluders.invalid):
            reading.warn(f"Object {name!r} has no valid place (its transforms are not numbers); it was left out.")
        return Shot(
            name=self.cut.name,
            frame_start=first,
            frame_end=last,
            camera=self.cut.camera.name,
            sun=sun,
            camera_path=self.camera_path(cameras),
            lights=describe_lights(
                [lamp for key, lamp in self.lights.items() if key not in lighting[:1] and self.lit_share(lamp.owner)],
                start,
                self.tracker.target(start),
                self.tracker.opening[0].parts if self.tracker.opening else (),
                powers.get(lighting[0], 0.0) if lighting else 0.0,
                self.lamp_tracks(),
                lambda frame: frames[min(frames, key=lambda other: abs(other - frame))].camera.pose,
                reading.fps,
            ),
            subjects=self.tracker.subjects(reading.fps),
            environment=replace(
                read_environment(reading.scene, reading.layer, depsgraph, start, sun, reading.unit),
                world_share=self.tracker.world_share,
            ),
            camera_library=library_name(self.cut.camera),
            suns=suns,
            references=references_for(reading.references, self.weights()),
        )

    def weights(self) -> dict[str, float]:
        """Of what has references the things that the shot shows, by how much each is its subject where it is first
        looked at and seen."""
        first, last, missing = self.cut.frame_start, self.cut.frame_end, dict(self.reading.things)
        weights: dict[str, float] = {}
        for frame in looks_of(first, last) if missing else ():
            depsgraph = self.reading.at(frame)
            weights |= self.reading.scanner.weights(depsgraph, self.camera(depsgraph), missing)
            missing = {key: items for key, items in missing.items() if key not in weights}
            if not missing:
                break
        return weights

    def track(self, first: int, last: int) -> dict[int, FrameFacts]:
        """Camera and suns at enough frames, and with them the subjects' places."""
        how = frame_sampling.plan(self.owners())
        looked = sorted({first, last, *self.light_frames(first, last)})
        for frame in looked:
            self.evaluate(frame)
        plain = self.plain_track(looked)
        frames = frame_sampling.refine(first, last, how, plain or self.evaluate, self.error)
        self.tracker.follow(list(frames), free=plain is not None)
        return frames

    def owners(self) -> list[bpy.types.ID | None]:
        """What the track of camera and suns depends on."""
        reading, camera = self.reading, self.cut.camera
        owners = [camera, camera.data.dof.focus_object, reading.world, *reading.lights]
        if any(curve.data_path.startswith(f"{BLOCK}.") for curve in compat.fcurves(reading.scene)):
            owners.append(reading.scene)  # the clock is keyed
        if self.instanced:
            owners += [item for item in reading.objects if item.instance_type != "NONE"]
        return owners

    def light_frames(self, first: int, last: int) -> list[int]:
        """Some frames at which lights are keyed: one that is switched on within the shot is seen there."""
        keyed = frame_sampling.plan([owner for item in self.reading.lights for owner in (item, item.data)]).keyed
        inside = sorted(frame for frame in keyed if first <= frame <= last)
        restless = any(self.is_restless(item) for item in self.reading.lights)
        between = np.linspace(first, last, LAMP_FRAMES).round().astype(int).tolist() if restless else []
        return [*inside[:: max(1, len(inside) // MOST_LIGHT_FRAMES)], *between]

    def is_restless(self, light: bpy.types.Object) -> bool:
        """Whether a lamp (a sun has a track of its own) may change by more than curves."""
        if light.data.type == "SUN" or light_curves(light, self.reading.scene) is not None:
            return False
        how = frame_sampling.plan([light, light.data])
        return how.every or bool(how.keyed)

    def lamp_tracks(self) -> dict[str, LampTrack]:
        """The lamps that may change, by their keys: at the evaluated frames, or where their curves say it at all."""
        first, last, scene = self.cut.frame_start, self.cut.frame_end, self.reading.scene
        every = np.unique(
            np.linspace(first, last, min(last - first + 1, MOST_LAMP_FRAMES)).round().astype(int)
        ).tolist()
        tracks: dict[str, LampTrack] = {}
        for key, known in self.courses.items():
            lamp = self.lamps[key]
            plain = PlainLights.of([lamp], scene) if lamp.key == lamp.owner.name_full else None
            if plain is None or not frames_are_plain(scene):
                tracks[key] = sorted(known.items())
            elif not plain.still:
                tracks[key] = [(f, lamp_facts(one, self.reading.unit)) for f in every for one in plain.at(f)]
        return {key: track for key, track in tracks.items() if any(facts is not None for _, facts in track)}

    def plain_track(self, looked: list[int]) -> Callable[[int], FrameFacts] | None:
        """The same facts from curves alone; None where the scene must be evaluated, and where the two disagree."""
        scene, unit = self.reading.scene, self.reading.unit
        if self.instanced or not frames_are_plain(scene) or not never_moves([self.reading.world]):
            return None
        camera = PlainCamera.of(self.cut.camera)
        suns = PlainLights.of([lamp for lamp in self.lamps.values() if lamp.light.type == "SUN"], scene)
        if camera is None or suns is None:
            return None
        sky = {key: state for key, state in self.facts[looked[0]].suns.items() if key == ""}

        def facts(frame: int) -> FrameFacts:
            return FrameFacts(camera.state(frame, scene, unit), {**suns.states(frame), **sky})

        agree = all(self.error(known, known, facts(frame), 0.0) < 0.2 for frame, known in self.facts.items())
        return facts if agree else None

    def camera(self, depsgraph: bpy.types.Depsgraph) -> CameraState:
        """The shot's camera as evaluated."""
        return read_camera(self.cut.camera, depsgraph, self.reading.unit)

    def evaluate(self, frame: int) -> FrameFacts:
        """Camera and suns at a frame, read once."""
        if frame not in self.facts:
            depsgraph = self.reading.at(frame)
            self.facts[frame] = FrameFacts(self.camera(depsgraph), self.suns(depsgraph, frame))
        return self.facts[frame]

    def suns(self, depsgraph: bpy.types.Depsgraph, frame: int) -> dict[str, SunState]:
        """Every sun at the evaluated frame; keeps the other lights for later."""
        reading, found = self.reading, {}
        for lamp in lamps(reading.objects, depsgraph, self.instanced):
            facts = lamp_facts(lamp, reading.unit)
            if facts is not None:
                self.lights.setdefault(lamp.key, facts)
            if lamp.light.type != "SUN":
                self.courses.setdefault(lamp.key, {})[frame] = facts
                self.lamps[lamp.key] = lamp
                continue
            state = lamp_sun(lamp)
            if state is None:
                reading.warn(f"Sun light {lamp.name!r} has no valid direction; it was left out.")
            else:
                found[lamp.key] = state
                self.lamps[lamp.key] = lamp
        sky = sky_sun(reading.scene, reading.layer, depsgraph)
        return found if sky is None else {**found, "": sky}

    def error(self, a: FrameFacts, b: FrameFacts, middle: FrameFacts, t: float) -> float:
        """How far the facts lie from their linear mix, in tolerances."""
        worst = camera_error(a.camera, b.camera, middle.camera, t)
        for key in a.suns.keys() & b.suns.keys() & middle.suns.keys():
            worst = max(worst, sun_error(a.suns[key], b.suns[key], middle.suns[key], t))
        return worst

    def sun_tracks(self, frames: dict[int, FrameFacts]) -> dict[str, SunTrack]:
        """Every sun by its key at the evaluated frames; where it is not there (an instance that comes or goes) it is
        out."""
        tracks: dict[str, SunTrack] = {}
        for key in dict.fromkeys(key for facts in frames.values() for key in facts.suns):
            known = {frame: facts.suns[key] for frame, facts in frames.items() if key in facts.suns}
            track = tracks.setdefault(key, [])
            for frame in frames:
                near = known[min(known, key=lambda other: abs(other - frame))]
                track.append((frame, known.get(frame) or replace(near, strength=0.0, power=0.0)))
        return tracks

    def lit_share(self, light: bpy.types.Object) -> float:
        """The part of what the shot shows that a light lights at all (light linking)."""
        if not is_linked(light):
            return 1.0
        if self.shown is None:
            first, last = self.cut.frame_start, self.cut.frame_end
            self.shown = []
            for frame in sorted({first, (first + last) // 2, last}):
                depsgraph = self.reading.at(frame)
                self.shown += self.reading.scanner.spread(depsgraph, self.camera(depsgraph))
        return lit_share(light, self.shown)

    def camera_path(self, cameras: list[tuple[int, CameraState]]) -> CameraPath:
        """Samples, moves and framing of the camera's way, [(frame, state)] from first to last frame."""
        start = cameras[0][1]
        path = take_apart(
            [frame for frame, _ in cameras],
            [state.pose for _, state in cameras],
            [state.lens_mm for _, state in cameras],
            start.width if start.kind != "ORTHO" else 1.0,
            start.height if start.kind != "ORTHO" else 1.0,
        )
        figure = shoulder(start.pose, self.tracker.opening) if start.kind != "PANO" else None
        opening = [thing for thing in self.tracker.opening if thing is not figure]
        angle = camera_angle(start.pose, self.tracker.height_above(start))
        if figure is not None and angle in ("eye_level", "low", "high"):
            angle = "over_the_shoulder"
        return CameraPath(
            samples=tuple(state.sample(frame) for frame, state in frame_sampling.thin(cameras, camera_error)),
            moves=classify(path, self.reading.fps, self.tracker.tracks(path.frames)),
            shot_size=shot_size(opening[0].whole[3] - opening[0].whole[1]) if opening else None,
            angle=angle,
            lens_class=start.lens_class,
            composition=composition([thing.box for thing in self.tracker.arranged if thing is not figure]),
        )


def looks_of(first: int, last: int) -> list[int]:
    """The frames at which a thing is looked for, the ends and the middle before those between."""
    ends = [first, last, (first + last) // 2]
    between = np.linspace(first, last, min(LOOKS, last - first + 1)).round().astype(int).tolist()
    return list(dict.fromkeys([*ends, *between]))


def read_brief(
    scene: bpy.types.Scene, shots: Sequence[str] | None = None, references: Sequence[Stated] | None = None
) -> tuple[Brief, list[str]]:
    """(brief, warnings) of a scene; `shots` names the ones wanted, in any order, None means all; `references` stand for
    those that the file holds.

    The scene is left as it was: frame, subframe and camera are put back also when an error ends the reading. Raises
    SceneError for an empty frame range, a missing camera, a camera without a valid matrix or an unknown shot name.
    """
    cuts, warnings = read_cuts(scene)
    if shots is not None:
        for name in shots:
            if name not in [cut.name for cut in cuts]:
                raise unknown_shot(name, [cut.name for cut in cuts])
        cuts = [cut for cut in cuts if cut.name in shots]
    end = max((cut.frame_end for cut in cuts), default=scene.frame_start)
    with frame_sampling.frames_of(scene) as at, simulations.played(scene, end):
        for cut in cuts[:1]:
            at(cut.frame_start)  # a scene that was never shown has no layers before
        reading = Reading(scene, at, warnings, stated_references(scene) if references is None else references)
        read = tuple(ShotReader(reading, cut).read() for cut in cuts)
        warnings += _unseen(reading, read) if shots is None else []
        warnings += simulations.notes(scene)
    render = scene.render
    brief = Brief(
        blend_file=bpy.data.filepath,
        scene=scene.name,
        fps=render.fps / render.fps_base,
        resolution=(
            render.resolution_x * render.resolution_percentage // 100,
            render.resolution_y * render.resolution_percentage // 100,
        ),
        north_offset_deg=read_almanac(scene).north_offset_deg,
        shots=read,
    )
    return brief, warnings


def _unseen(reading: Reading, shots: Sequence[Shot]) -> list[str]:
    """Warnings of things with reference pictures that no shot shows."""
    shown = {(reference.kind, reference.name) for shot in shots for reference in shot.references}
    stated = {(kind_of(entry.owner), entry.owner.name): None for entry in reading.references}
    return [
        f"The {kind} {name!r} has reference pictures but is seen in no shot, so they are given to none."
        for kind, name in stated
        if kind != "scene" and (kind, name) not in shown
    ]


def metres_per_unit(scene: bpy.types.Scene) -> float:
    """The scene's unit scale; without a unit system Blender shows plain units, taken as metres."""
    settings = scene.unit_settings
    return 1.0 if settings.system == "NONE" else settings.scale_length
