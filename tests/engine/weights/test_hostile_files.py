# SPDX-License-Identifier: GPL-3.0-or-later
"""Weight files, settings and tokenizers that claim what they do not hold: an error in words, at once and in bounds."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import golden
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from wan_engine.checkpoint.layouts import read_own_facts
from wan_engine.checkpoint.sentencepiece import read_tokenizer
from wan_engine.commands import task_io
from wan_engine.errors import CheckpointError, UsageError, WanError
from wan_engine.light_curve import read_light
from wan_engine.weights import safetensors_header
from wan_engine.weights.contents import read_contents
from wan_engine.weights.safetensors_header import read_json
from wan_engine.weights.weight_file import WeightFile

DEEP = "[" * 200_000
HUGE = 1 << 40
fuzzed = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def text(word: bytes) -> bytes:
    return struct.pack("<Q", len(word)) + word


def gguf(tensors=0, keys=0, body=b"") -> bytes:
    return struct.pack("<4sIQQ", b"GGUF", 3, tensors, keys) + body


# Each some hundred bytes at most: what they state would take gigabytes or hours.
GGUF = {
    "tensors": gguf(tensors=HUGE),
    "keys": gguf(keys=HUGE),
    "a million tensors": gguf(tensors=1_000_000, body=bytes(76)),
    "a million keys": gguf(keys=1_000_000, body=bytes(76)),
    "a name": gguf(tensors=1, body=struct.pack("<Q", HUGE) + bytes(40)),
    "sides": gguf(tensors=1, body=text(b"t") + struct.pack("<I", 1 << 31) + bytes(40)),
    "a text": gguf(keys=1, body=text(b"k") + struct.pack("<IQ", 8, HUGE) + bytes(20)),
    "an array of bytes": gguf(keys=1, body=text(b"k") + struct.pack("<IIQ", 9, 0, HUGE) + bytes(20)),
    "an array of doubles": gguf(keys=1, body=text(b"k") + struct.pack("<IIQ", 9, 12, (1 << 63) + 1) + bytes(20)),
    "an array of texts": gguf(keys=1, body=text(b"k") + struct.pack("<IIQ", 9, 8, HUGE) + bytes(20)),
    "arrays in arrays": gguf(keys=1, body=text(b"k") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 300),
    "a tensor": gguf(tensors=1, body=text(b"t") + struct.pack("<I4QIQ", 4, *[1 << 16] * 4, 0, 0) + bytes(64)),
}

_READ_IN_BOUNDS = """
import resource, sys, pathlib
from wan_engine.weights.contents import read_contents
from wan_engine.checkpoint.sentencepiece import read_tokenizer
from wan_engine.errors import CheckpointError
import gguf
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
used = int(next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1]) << 10
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 29), used + (1 << 29)))
for name in sys.argv[1:]:
    for read in (read_contents, read_tokenizer):
        try:
            read(pathlib.Path(name))
        except CheckpointError as error:
            assert len(str(error)) < 600 + len(name), error
        else:
            raise SystemExit(f"{name} was read by {read.__name__}")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="bounds the memory of a process")
def test_counts_of_a_gguf_file_are_held_against_its_length(tmp_path):
    for name, data in GGUF.items():
        (tmp_path / f"{name}.gguf").write_bytes(data)
    names = [str(path) for path in sorted(tmp_path.glob("*.gguf"))]
    ended = subprocess.run(
        [sys.executable, "-c", _READ_IN_BOUNDS, *names], cwd=golden.REPOSITORY, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr[-2000:]


@pytest.mark.parametrize("data", GGUF.values(), ids=GGUF.keys())
def test_the_header_alone_is_refused_too(data, tmp_path):
    (tmp_path / "m.gguf").write_bytes(data)
    with pytest.raises(CheckpointError, match="truncated"):
        read_contents(tmp_path / "m.gguf")


@fuzzed
@given(tensors=st.integers(0, 2**64 - 1), keys=st.integers(0, 3), body=st.binary(max_size=200))
def test_any_gguf_header_is_read_or_refused(tensors, keys, body, tmp_path):
    for data in (gguf(tensors, keys, body), gguf(min(tensors, 2), keys, body)):
        (tmp_path / "m.gguf").write_bytes(data)
        for read in (read_contents, read_tokenizer):
            try:
                read(tmp_path / "m.gguf")
            except CheckpointError as error:
                assert str(tmp_path) in str(error)


def safetensors(header: object, data: bytes) -> bytes:
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + data


def read_header(path):
    with path.open("rb") as file:
        return safetensors_header.read_header(file, path)[0]


def entry(first, last, dtype="U8"):
    return {"dtype": dtype, "shape": [last - first], "data_offsets": [first, last]}


@pytest.mark.parametrize(
    "header",
    [
        {"a": entry(0, 64), "b": entry(0, 64)},
        {"a": entry(0, 40), "b": entry(39, 64)},
        {"a": entry(0, 64), **{f"t{k}": entry(8, 24) for k in range(50)}},
        {"b": entry(1, 2), "a": entry(0, 64)},
    ],
)
def test_tensors_that_share_bytes_are_refused(header, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(safetensors(header, bytes(64)))
    with pytest.raises(CheckpointError, match="overlaps another"):
        read_header(path)
    path.write_bytes(safetensors({"a": entry(0, 30), "none": entry(30, 30), "b": entry(30, 64)}, bytes(64)))
    assert set(read_header(path)) == {"a", "none", "b"}


@fuzzed
@given(
    header=st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=4)),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["dtype", "shape", "data_offsets", "a"]), inner, max_size=3)
            ),
            max_leaves=12,
        ),
    ),
    data=st.binary(max_size=32),
)
def test_any_safetensors_header_is_read_or_refused(header, data, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(safetensors(header, data))
    try:
        stored = read_header(path)
    except CheckpointError:
        return
    assert all(one.offset + one.bytes <= path.stat().st_size for one in stored.values())


NO_JSON = {
    "deep lists": DEEP,
    "deep objects": '{"a":' * 100_000,
    "nothing": "",
    "cut": '{"schema": "wan_prev',
    "a long number": "9" * 10_000,
    "no text": b"\xff\xfe\x00{",
    "a list": "[1, 2]",
    "a number": "3",
    "null": "null",
}


@pytest.mark.parametrize("content", NO_JSON.values(), ids=NO_JSON.keys())
def test_files_that_hold_no_json_object_are_refused_in_words(content, tmp_path):
    path = tmp_path / "wan_previs.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for read, error in (
        (lambda: read_own_facts(tmp_path), CheckpointError),
        (lambda: read_json(path), CheckpointError),
        (lambda: task_io.read_json(path), UsageError),
        (lambda: read_light(path), UsageError),
    ):
        with pytest.raises(error) as told:
            read()
        assert len(str(told.value)) < 400 + len(str(path))
    (tmp_path / "m.safetensors").write_bytes(safetensors(path.read_bytes(), b""))
    with pytest.raises(CheckpointError):
        read_header(tmp_path / "m.safetensors")


def test_expected_light_is_read_from_files_alone(tmp_path):
    for path in (Path("/dev/null"), tmp_path):
        with pytest.raises(UsageError, match="it is no file"):
            read_light(path)


def test_broken_archives_are_refused_in_words(tmp_path):
    torch.save({"weight": torch.ones(40)}, tmp_path / "whole.pth")
    whole = (tmp_path / "whole.pth").read_bytes()
    broken = [whole[:60] + b"PK\x05\x06" + bytes(18)]  # the directory of an empty archive
    for at in range(0, len(whole), 37):
        data = bytearray(whole)
        data[at : at + 8] = bytes(byte ^ 0xFF for byte in data[at : at + 8])
        broken.append(bytes(data))
    refused = 0
    for data in broken:
        (tmp_path / "m.pth").write_bytes(data)
        for read in (read_contents, lambda path: dict(WeightFile.open(path).tensors())):
            try:
                read(tmp_path / "m.pth")
            except CheckpointError:
                refused += 1
    assert refused > len(broken) / 2
    with zipfile.ZipFile(tmp_path / "m.pth", "w") as archive:
        archive.writestr("nothing", "")
    for read in (read_contents, lambda path: dict(WeightFile.open(path).tensors())):
        with pytest.raises(CheckpointError):
            read(tmp_path / "m.pth")


def test_a_panic_of_the_tokenizers_library_is_an_error_in_words(tmp_path):
    """Any character map of a sentencepiece model, which the library takes unseen and panics about when it is used."""
    whole = json.loads(
        (golden.path("fullstack/Wan2.2-I2V-A14B/checkpoint") / "google" / "umt5-xxl" / "tokenizer.json").read_text()
    )
    refused = 0
    for charsmap in ("AAAA", "BAAAAP////8=", "/////w==", "CAAAAAAAAAAAAAAA", "BAAAAAEAAAA="):
        whole["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": charsmap}
        (tmp_path / "tokenizer.json").write_text(json.dumps(whole))
        try:
            read_tokenizer(tmp_path / "tokenizer.json")
        except WanError as error:
            refused += 1
            assert isinstance(error, CheckpointError) and "tokenizer.json" in str(error)
    assert refused


@fuzzed
@given(data=st.one_of(st.binary(max_size=80), st.just(DEEP.encode()), st.from_regex(rb'\{"[a-z_]+": ?.{0,30}\}')))
def test_any_tokenizer_file_is_read_or_refused(data, tmp_path):
    for name in ("tokenizer.json", "spiece.model"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(CheckpointError):
            read_tokenizer(tmp_path / name)


def test_a_shared_storage_is_no_overlap(tmp_path):
    """Views of one storage are usual in .pth files and stay readable."""
    base = torch.arange(12.0)
    torch.save({"all": base.reshape(3, 4), "part": base[4:8]}, tmp_path / "m.pth")
    file = WeightFile.open(tmp_path / "m.pth")
    assert file.read("part").tolist() == [4, 5, 6, 7]
    save_file({"a": torch.ones(2), "b": torch.ones(3)}, tmp_path / "m.safetensors")
    assert set(read_header(tmp_path / "m.safetensors")) == {"a", "b"}
