# SPDX-License-Identifier: GPL-3.0-or-later
"""What the heads of GGUF and PyTorch files tell, held to the libraries that write them."""

from __future__ import annotations

import random

import gguf
import pytest
import saved
import torch

from wan_engine.errors import CheckpointError
from wan_engine.weights import gguf_header
from wan_engine.weights.containers import DTYPES
from wan_engine.weights.contents import read_contents
from wan_engine.weights.weight_file import WeightFile


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    return saved.published_parts(tmp_path_factory.mktemp("parts"))


def test_headers_of_gguf_files_are_those_the_library_reads(parts, tmp_path):
    for state, axes in ((parts["high"], False), (parts["high"], True), (parts["i2v"], False)):
        path = tmp_path / "m.gguf"
        saved.save_gguf(path, "wan", state, "Q8_0", axes)
        contents, reader = read_contents(path), gguf.GGUFReader(path)
        assert contents.kind == "gguf" and list(contents.stored) == [tensor.name for tensor in reader.tensors]
        for tensor in reader.tensors:
            entry = contents.stored[tensor.name]
            assert (entry.dtype, entry.offset) == (tensor.tensor_type.name, tensor.data_offset)
            assert entry.bytes == tensor.n_bytes
            original = reader.get_field(f"comfy.gguf.orig_shape.{tensor.name}")
            assert entry.shape == tuple(reversed(tensor.shape) if original is None else original.contents())


def test_block_sizes_are_those_of_the_gguf_package():
    known = {(kind.value, kind.name, *sizes) for kind, sizes in gguf.GGML_QUANT_SIZES.items()}
    assert {(number, *told) for number, told in gguf_header.TYPES.items()} <= known


def test_headers_of_gguf_files_cut_short_or_changed(parts, tmp_path):
    path = tmp_path / "m.gguf"
    saved.save_gguf(path, "wan", parts["high"])
    data, chance = path.read_bytes()[:9000], random.Random(4)
    for _ in range(300):
        broken = bytearray(data[: chance.randrange(len(data))])
        for _ in range(chance.randrange(3)):
            if broken:
                broken[chance.randrange(len(broken))] = chance.randrange(256)
        path.write_bytes(broken)
        with pytest.raises(CheckpointError):
            read_contents(path)
            raise CheckpointError("as good as whole")


@pytest.mark.parametrize("zipped", [True, False])
def test_headers_of_pth_files_are_those_torch_reads(zipped, parts, tmp_path):
    path = tmp_path / "m.pth"
    state = {**parts["high"], "view": torch.ones(8, 6)[:, :3], "half": torch.ones(2).bfloat16()}
    wrapped = torch.nn.Linear(3, 4).state_dict()
    for made in (state, {"state_dict": state, "epoch": 3}, {"p": torch.nn.Parameter(torch.ones(3))}, wrapped):
        torch.save(made, path, _use_new_zipfile_serialization=zipped)
        contents = read_contents(path)
        inner = made.get("state_dict", made)
        assert contents.kind == ("zip" if zipped else "pickle")
        assert {name: (DTYPES[e.dtype], e.shape) for name, e in contents.stored.items()} == {
            name: (data.dtype, tuple(data.shape)) for name, data in inner.items()
        }
        for name, data in WeightFile(contents).tensors():
            assert torch.equal(data, inner[name]), name
