# SPDX-License-Identifier: GPL-3.0-or-later
"""The line protocol under arbitrary portions, garbage and floods."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wan_previs.bridge.protocol import MAX_LINE_BYTES, LineReader, encode

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
MESSAGES = st.builds(lambda extra, kind: {**extra, "type": kind}, st.dictionaries(st.text(), VALUES), st.text())


def fed_in_portions(reader: LineReader, data: bytes, cuts: list[int]) -> list[dict]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [m for start, end in pairwise(edges) for m in reader.feed(data[start:end])]


@given(st.lists(MESSAGES, max_size=6), st.lists(st.integers(0, 10**6), max_size=12))
def test_messages_survive_any_portioning(messages, cuts):
    reader = LineReader("type")
    assert fed_in_portions(reader, b"".join(map(encode, messages)), cuts) == messages
    assert reader.dropped == 0


@given(
    st.lists(st.tuples(st.binary().filter(lambda b: b"\n" not in b), MESSAGES), max_size=5),
    st.lists(st.integers(0, 10**6), max_size=12),
)
def test_garbage_lines_between_messages_do_no_harm(pairs, cuts):
    data = b"".join(garbage + b"\n" + encode(message) for garbage, message in pairs)
    found = fed_in_portions(LineReader("type"), data, cuts)
    expected = [message for _, message in pairs]
    # Random bytes may form a message of their own; what was sent must be there in order all the same.
    remaining = iter(found)
    assert all(message in remaining for message in expected)


@pytest.mark.parametrize(
    "line",
    [
        b"[1]",
        b"null",
        b"{}",
        b'{"type": 3}',
        b'{"cmd": "run"}',
        b"\xff\xfe",
        b"[" * 200_000,
        b"9" * 5000,
        b'{"type": "x"',
    ],
)
def test_a_line_that_is_no_message_is_counted_and_left_out(line):
    reader = LineReader("type")
    assert reader.feed(line + b"\n" + encode({"type": "after"})) == [{"type": "after"}]
    assert reader.dropped == 1


@pytest.mark.parametrize("portion", [1 << 16, 3 * MAX_LINE_BYTES])
def test_an_endless_line_costs_bounded_memory_and_one_message(portion):
    reader = LineReader("type")
    for _ in range(64):
        assert reader.feed(b"x" * portion) == []
        assert len(reader._partial) <= MAX_LINE_BYTES
    assert reader.feed(b"\n" + encode({"type": "after"})) == [{"type": "after"}]
    assert reader.dropped == 1


def test_what_json_cannot_say_is_refused():
    with pytest.raises(ValueError):
        encode({"type": "event", "seconds": float("nan")})
    with pytest.raises(ValueError):
        encode({"type": "event", "text": "x" * MAX_LINE_BYTES})


def test_any_text_travels_as_ascii():
    message = {"type": "event", "path": "/tmp/\udcff/日本語\n"}
    assert encode(message).isascii()
    assert LineReader("type").feed(encode(message)) == [message]
