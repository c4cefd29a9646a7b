# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the word "follows" is right: `.venv-engine/bin/python -m benchmarks.follow SCENES FIRST`.

SCENES is the folder of `follow_scenes.py`. Of each scene the true clip and clips with a planted fault are judged, plain
and as generators and codecs leave them. A fault counts where it can be seen: by how far the scene's points are from
where they should be, or by how much of the picture changes. Prints a Markdown table, with the scenes by which bounds
were set apart from those that are held out: drawn ones from number FIRST on, and files.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from wan_engine.follow.bounds import SUBJECT_AREA
from wan_engine.follow.measure import measure
from wan_engine.follow.pictures import scale_of
from wan_engine.follow.tracks import Tracks, read_tracks
from wan_engine.follow.verdict import FollowVerdict, verdict

FRAMES = 25
LATE = 4  # frames
MISPLACED = 4.0  # pixels of 320, by which half of the points that move are off at some time: a fault of motion is seen
LEAST_POINTS = 8
CHANGED = 18  # gray levels by which a pixel is another one
CHANGED_AREA = 0.5  # of the subject's, in over half of the frames looked at: what is missing or doubled is seen
Clip = np.ndarray  # uint8 [T, H, W, 3]


def pictures(folder: Path, steps: np.ndarray) -> Clip:
    """The pictures at these steps."""
    found = [cv2.imread(str(folder / f"{round(10 * step):04d}.png")) for step in steps]
    return np.stack([picture[..., ::-1] for picture in found])


def grain(clip: Clip, draw: np.random.Generator) -> Clip:
    return np.clip(clip + draw.normal(0, 9, clip.shape), 0, 255).astype(np.uint8)


def jpeg(clip: Clip, _: np.random.Generator) -> Clip:
    packed = [cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 35])[1] for frame in clip]
    return np.stack([cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1] for data in packed])


def h264(clip: Clip, _: np.random.Generator) -> Clip:
    """As a movie for the web."""
    file = io.BytesIO()
    with av.open(file, "w", "mp4") as movie:
        stream = movie.add_stream("libx264", rate=24, options={"crf": "28", "preset": "veryfast"})
        stream.height, stream.width, stream.pix_fmt = *clip.shape[1:3], "yuv420p"
        for frame in clip:
            movie.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        movie.mux(stream.encode())
    file.seek(0)
    with av.open(file) as movie:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in movie.decode(video=0)])


def light(clip: Clip, draw: np.random.Generator) -> Clip:
    """Half the light at the end, and another tint."""
    gain = np.linspace(1, 0.55, len(clip))[:, None, None, None] * draw.uniform(0.85, 1.15, 3)
    return np.clip(clip * gain, 0, 255).astype(np.uint8)


def soft(clip: Clip, _: np.random.Generator) -> Clip:
    return np.stack([cv2.GaussianBlur(frame, (0, 0), 1.0) for frame in clip])


VARIANTS: dict[str, Callable[[Clip, np.random.Generator], Clip]] = {
    "plain": lambda clip, _: clip, "grain": grain, "jpeg": jpeg, "h264": h264, "light": light, "soft": soft,
}  # fmt: skip
# Of faults of motion: the scene's step that each step of the clip shows.
MOTION: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "frozen": lambda steps: 0 * steps, "late": lambda steps: np.maximum(0, steps - LATE),
    "mirrored": lambda steps: steps, "backwards": lambda steps: steps[::-1], "half the speed": lambda steps: steps / 2,
}  # fmt: skip
SUBJECTS = "missing", "doubled"
KINDS = ("true", *MOTION, *SUBJECTS)


def clip_of(folder: Path, kind: str) -> Clip | None:
    """A scene's clip of one kind; None where it has none."""
    steps = np.arange(FRAMES, dtype=float)
    if kind in SUBJECTS:
        return pictures(folder / kind, steps) if (folder / kind).is_dir() else None
    shown = pictures(folder / "true", MOTION.get(kind, MOTION["mirrored"])(steps))
    return shown[:, :, ::-1] if kind == "mirrored" else shown


def is_seen(folder: Path, kind: str, tracks: Tracks) -> bool:
    """Whether a planted fault can be seen."""
    return _changes(folder, kind, tracks) if kind in SUBJECTS else _misplaces(kind, tracks)


def _misplaces(kind: str, tracks: Tracks) -> bool:
    steps = np.arange(tracks.frames, dtype=float)
    shown = MOTION[kind](steps)
    low, high = np.floor(shown).astype(int), np.ceil(shown).astype(int)
    places = (tracks.places[:, low] + tracks.places[:, high]) / 2
    if kind == "mirrored":
        places = tracks.places[:, :1] + _mirrored_ways(tracks)
    scale = scale_of(tracks.size)
    off, way = (
        np.where(tracks.seen, np.nan_to_num(np.linalg.norm(miss, axis=-1)), 0).max(1) * scale
        for miss in (places - tracks.places, tracks.places - tracks.places[:, :1])
    )
    moves, misplaced = np.maximum(off, way) >= MISPLACED, off >= MISPLACED
    return bool(misplaced.sum() >= LEAST_POINTS and misplaced.sum() >= moves.sum() / 2)


def _mirrored_ways(tracks: Tracks) -> np.ndarray:
    """How far a mirrored clip goes from where each point begins: as the point does that is nearest to there in it."""
    first = np.flatnonzero(tracks.seen[:, 0])
    begin, there = tracks.places[first, 0], tracks.places[:, 0] * (-1, 1) + (tracks.size[0], 0)
    nearest = np.linalg.norm(there[:, None] - begin[None], axis=-1).argmin(1)
    return (tracks.places - tracks.places[:, :1])[first[nearest]] * (-1, 1)


def _changes(folder: Path, kind: str, tracks: Tracks) -> bool:
    """By the pictures: how much of the subject's area is another picture, in its place or elsewhere."""
    name = json.loads((folder / "facts.json").read_text())["subject"]
    outlines = [one for one in tracks.outlines if name in one.names]
    shown, true = clip_of(folder, kind), clip_of(folder, "true")
    seen = []
    for one in outlines:
        cells = (one.map == one.names.index(name)).astype(np.uint8)
        mask = cv2.resize(cells, true.shape[2:0:-1], interpolation=cv2.INTER_NEAREST) > 0
        soft_pictures = [cv2.GaussianBlur(clip[one.frame].astype(np.float32), (0, 0), 1) for clip in (shown, true)]
        changed = np.abs(soft_pictures[0] - soft_pictures[1]).max(-1) > CHANGED
        where = changed & (mask if kind == "missing" else ~mask)
        seen.append(mask.mean() >= SUBJECT_AREA[0] and where.sum() >= CHANGED_AREA * mask.sum())
    return len(outlines) > tracks.frames / 6 and float(np.mean(seen)) > 0.5


def cases(folder: Path) -> Iterator[tuple[str, str, bool, Clip]]:
    """(kind, variant, whether its fault is seen, clip) of a scene: the true clip in all variants, others in three."""
    tracks, names = read_tracks(folder / "tracks.json"), list(VARIANTS)
    turn = sum(map(ord, folder.name))
    for k, kind in enumerate(KINDS):
        clip = clip_of(folder, kind)
        if clip is None:
            continue
        seen = kind == "true" or is_seen(folder, kind, tracks)
        shown = names if kind == "true" else ["plain", *(names[1 + (turn + k + more) % 5] for more in (0, 2))]
        for variant in shown:
            yield kind, variant, seen, VARIANTS[variant](clip, np.random.default_rng(turn + k))


def judge(folder: Path) -> list[tuple[str, str, str, bool, FollowVerdict]]:
    """(scene, kind, variant, whether its fault is seen, verdict) of all clips of a scene."""
    cv2.setNumThreads(1)
    tracks = read_tracks(folder / "tracks.json")
    return [
        (folder.name, kind, variant, seen, verdict(measure(clip, tracks)))
        for kind, variant, seen, clip in cases(folder)
    ]


def table(judged: list[tuple[str, str, str, bool, FollowVerdict]], first: int) -> str:
    """Markdown: of each kind how many stray, of those whose fault is seen; and what is told of the others."""
    rows = ["| clip | strays | in held-out scenes | fault not to be seen: strays, follows, cannot be told |"]
    rows.append("| --- | --- | --- | --- |")
    words = Counter(
        (kind, seen, name[1:].isdigit() and int(name[1:]) < first, told.word) for name, kind, _, seen, told in judged
    )
    for kind in KINDS:
        cells = []
        for is_set in (True, False):
            some = {word: words[kind, True, is_set, word] for word in ("strays", "follows", "cannot be told")}
            cells.append(f"{some['strays']} of {sum(some.values())} ({some['cannot be told']} cannot be told)")
        rest = [
            words[kind, False, True, w] + words[kind, False, False, w] for w in ("strays", "follows", "cannot be told")
        ]
        rows.append(f"| {kind} | {cells[0]} | {cells[1]} | {', '.join(map(str, rest))} |")
    return "\n".join(rows)


def main(scenes: Path, first: int) -> None:
    """All scenes, side by side."""
    folders = sorted(path.parent for path in scenes.glob("*/facts.json"))
    judged = []
    with multiprocessing.get_context("spawn").Pool() as pool:
        for one in pool.imap(judge, folders):
            judged += one
            for name, kind, variant, seen, told in one:
                if seen and (kind == "true") == (told.word == "strays"):
                    print(f"wrong: {name} {kind} {variant}: {told.told}, {told.sentence}", file=sys.stderr, flush=True)
    print(table(judged, first))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
