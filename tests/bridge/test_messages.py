# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine of ours, of another version or a broken one may say, and that nothing of it reaches Blender unfit."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_jobs import ends, poll_until
from wan_previs.bridge import process
from wan_previs.bridge.client import EngineClient
from wan_previs.bridge.jobs import JobFolder
from wan_previs.bridge.messages import MOST_TEXT, Message, end_of, event_of, text_of
from wan_previs.bridge.protocol import LineReader
from wan_previs.previs.progress import Progress

JOB = Path("/jobs/Wide-take-001")
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
KINDS = ("stage", "step", "segment", "window", "preview", "resume", "retry", "note", "writes", "of another version")
FIELDS = ("stage", "step", "steps", "segment", "segments", "window", "windows", "seconds", "path", "message")
EVENTS = st.builds(
    lambda kind, more: {**more, "event": kind},
    st.sampled_from(KINDS) | ODD,
    st.dictionaries(st.sampled_from(FIELDS), ODD),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(EVENTS | ODD, max_size=6))
def test_no_event_breaks_what_a_face_shows(events):
    progress = Progress()
    for event in filter(None, map(event_of, events)):
        progress.follow(Message("event", job=JOB, event=event))
    assert 0.0 <= progress.share <= 1.0 and (progress.left is None or progress.left >= 0)
    assert progress.picture is None or progress.picture.is_relative_to(JOB)
    assert all(len(note) <= MOST_TEXT for note in progress.notes)


@given(st.sampled_from(["done", "failed", "cancelled"]), ODD, ODD)
def test_the_end_of_a_job_has_a_status_of_its_kind_and_words(kind, status, text):
    end = end_of({"type": kind, "exit_status": status, "message": text}, JOB)
    assert end.ends_job and end.exit_status in {"done": (0,), "failed": (2, 4, 5), "cancelled": (130,)}[kind]
    assert end.text.isprintable() and len(end.text) <= MOST_TEXT


@pytest.mark.parametrize(
    ("status", "told"),
    [(4, 4), (5, 5), (float("nan"), 5), ("4", 5), (None, 5), (True, 5), (0, 5), (130, 5), (2**80, 5), ([], 5)],
)
def test_a_failure_keeps_a_status_that_can_be_one(status, told):
    assert end_of({"type": "failed", "exit_status": status}, JOB).exit_status == told


@pytest.mark.parametrize(
    "event",
    [
        {"event": "step", "step": 3, "steps": 2, "seconds": 1.0},
        {"event": "step", "step": 1, "steps": 2, "seconds": float("nan")},
        {"event": "step", "step": 1, "steps": 2, "seconds": -1},
        {"event": "step", "step": True, "steps": 2, "seconds": 1},
        {"event": "step", "step": 1},
        {"event": "preview", "path": "a\0b.png"},
        {"event": "preview", "path": "../../elsewhere.png"},
        {"event": "preview", "path": "/etc/passwd"},
        {"event": "preview", "path": "C:\\windows\\a.png"},
        {"event": "stage", "stage": ["load"]},
        {"event": "note"},
        {"event": 3},
        {},
        "step",
    ],
    ids=str,
)
def test_a_malformed_event_is_left_out(event):
    assert event_of(event) is None


def test_a_good_event_stays_as_it_is():
    for event in (
        {"event": "step", "step": 1, "steps": 2, "seconds": 0.5, "expert": "high"},
        {"event": "preview", "path": "preview.png"},
        {"event": "of another version", "anything": [1]},
    ):
        assert event_of(event) == event


def test_words_are_shown_without_control_characters():
    assert text_of("all\x1b[31m is\0 well\n") == "all [31m is  well"
    assert text_of(3) == text_of(None) == "" and len(text_of("x" * 10**6)) == MOST_TEXT


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_what_is_no_message_is_counted_in_bytes(lines):
    reader = LineReader("type")
    data = b"".join(line.replace(b"\n", b"") + b"\n" for line in lines)
    assert reader.garbage <= len(data) and reader.feed(data) is not None
    assert reader.feed(b"[" + b"1" * 1000 + b"\n") == [] and reader.garbage >= 1000


def test_reading_ends_with_its_time_though_there_is_more():
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    with open(ours, "rb", buffering=0) as pipe:
        os.write(theirs, b"x" * 10)
        assert list(process.read_for(pipe, seconds=60)) == [b"x" * 10, b""]
        os.write(theirs, b"y")
        assert list(process.read_for(pipe, seconds=-1)) == [b"y"]
        os.close(theirs)


def rogue(tmp_path, code, **options):
    """A client whose engine does this."""
    (tmp_path / "rogue" / "bridge").mkdir(parents=True)
    (tmp_path / "rogue" / "bridge" / "worker.py").write_text(code)
    return EngineClient(Path(sys.executable), tmp_path / "rogue", tmp_path / "log.txt", hang_after=300, **options)


HELLO = """
import json, os, sys
def say(**message):
    os.write(1, (json.dumps(message) + "\\n").encode())
say(type="hello", protocol=1)
say(type="ready")
folder = json.loads(sys.stdin.readline())["folder"]
"""


@pytest.mark.parametrize("line", ["{}\\n", "x" * 5000, '{"type": 7}\\n', " " * 5000 + "\\n"])
def test_an_engine_that_prints_garbage_without_end_is_stopped(tmp_path, line):
    client = rogue(tmp_path, HELLO + f"while True: os.write(1, b'{line}' * 1000)\n")
    job = JobFolder.create(tmp_path / "jobs", "A")
    client.submit(job)
    end = poll_until(client, ends)[-1]
    assert end.kind == "failed" and "no message" in end.text and not client.alive
    assert job.read_state().state == "failed"


def test_an_engine_that_reports_without_end_can_be_cancelled(tmp_path):
    event = {"event": "note", "message": "again"}
    client = rogue(tmp_path, HELLO + f"while True: say(type='event', folder=folder, event={event})\n", cancel_grace=0.1)
    job = JobFolder.create(tmp_path / "jobs", "A")
    client.submit(job)
    poll_until(client, lambda message: message.kind == "event")
    client.cancel()
    assert poll_until(client, ends)[-1].kind == "cancelled" and not client.alive


def test_an_end_with_nonsense_in_it_is_an_end(tmp_path):
    end = """
say(type="failed", folder=folder, exit_status=float("nan"), message=["x"])
sys.stdin.read()
"""
    client = rogue(tmp_path, HELLO + "say(type='event', folder=folder, event={'event': 'step'})\n" + end)
    client.submit(JobFolder.create(tmp_path / "jobs", "A"))
    seen = poll_until(client, ends)
    assert (seen[-1].kind, seen[-1].exit_status, seen[-1].text) == ("failed", 5, "")
    assert not any(message.kind == "event" for message in seen)
    client.close()


def test_what_a_dead_engine_wrote_is_read_to_its_end(tmp_path):
    """More than one poll reads, the end of the job last."""
    code = (
        HELLO
        + """
for n in range(3000):
    say(type="event", folder=folder, event={"event": "note", "message": str(n)})
say(type="done", folder=folder)
"""
    )
    client = rogue(tmp_path, code)
    client.submit(JobFolder.create(tmp_path / "jobs", "A"))
    seen = poll_until(client, ends)
    assert seen[-1].kind == "done" and sum(message.kind == "event" for message in seen) == 3000
    client.close()


def test_events_on_disk_are_trusted_no_more(tmp_path):
    job = JobFolder.create(tmp_path, "A")
    job.events.write_text(json.dumps({"event": "step", "step": "x"}) + "\n" + json.dumps({"event": "step"}) + "\n")
    assert [event_of(event) for event in job.read_events()] == [None, None]
