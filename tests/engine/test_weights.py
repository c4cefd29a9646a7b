# SPDX-License-Identifier: GPL-3.0-or-later
"""Weight files as users have them, whole and broken."""

from __future__ import annotations

import json
import tracemalloc
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from wan_engine.request import CheckpointError
from wan_engine.weights import WeightFile

STATE = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}


def build():
    return nn.Linear(3, 2)


def save_shards(folder):
    save_file({"weight": STATE["weight"]}, folder / "m-1.safetensors")
    save_file({"bias": STATE["bias"]}, folder / "m-2.safetensors")
    index = {"weight_map": {"weight": "m-1.safetensors", "bias": "m-2.safetensors"}}
    (folder / "m.safetensors.index.json").write_text(json.dumps(index))
    return folder / "m.safetensors.index.json"


def save_one(folder):
    save_file(STATE, folder / "m.safetensors")
    return folder / "m.safetensors"


def save_pth(folder, state=STATE, **options):
    torch.save(state, folder / "m.pth", **options)
    return folder / "m.pth"


def converted(dtype):
    return OrderedDict((name, data.to(dtype)) for name, data in STATE.items())


@pytest.mark.parametrize(
    "save",
    [
        save_one,
        save_shards,
        save_pth,
        lambda folder: save_pth(folder, converted(torch.float16)),
        lambda folder: save_pth(folder, converted(torch.bfloat16)),
        lambda folder: save_pth(folder, STATE, _use_new_zipfile_serialization=False),
        lambda folder: save_pth(folder, {name: nn.Parameter(data) for name, data in STATE.items()}),
    ],
    ids=["single", "shards", "pth", "fp16 OrderedDict", "bf16 OrderedDict", "old pth", "parameters"],
)
def test_filling_a_network(save, tmp_path):
    file = WeightFile.open(save(tmp_path))
    assert file.shapes == {"weight": (2, 3), "bias": (2,)}
    assert file.parameters == 8
    network = file.fill(build, torch.float32)
    assert torch.equal(network.weight, STATE["weight"])
    assert network.bias.dtype == torch.float32
    assert not network.weight.requires_grad
    assert file.fill(build, torch.bfloat16).weight.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ({"weight": STATE["weight"]}, "lacks the tensor bias"),
        ({**STATE, "extra": torch.ones(1)}, "unknown tensor extra"),
        ({**STATE, "bias": torch.ones(3)}, r"bias has shape \[3\], but \[2\]"),
    ],
)
def test_tensors_that_do_not_fit_are_named(state, word, tmp_path):
    save_file(state, tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match=word):
        WeightFile.open(tmp_path / "m.safetensors").fill(build, torch.float32)


@pytest.mark.parametrize("keep", [0, 4, 20, 0.5, -1])
@pytest.mark.parametrize("save", [save_one, save_pth])
def test_truncated_files(save, keep, tmp_path):
    path = save(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)] if isinstance(keep, float) else data[:keep])
    with pytest.raises(CheckpointError, match=path.name) as caught:
        WeightFile.open(path).fill(build, torch.float32)
    assert len(str(caught.value)) < 400


def test_missing_shard_and_missing_tensor(tmp_path):
    index = save_shards(tmp_path)
    save_file({"other": torch.ones(1)}, tmp_path / "m-2.safetensors")
    with pytest.raises(CheckpointError, match="lacks the tensor bias"):
        WeightFile.open(index)
    (tmp_path / "m-2.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"m-2\.safetensors"):
        WeightFile.open(index)
    index.write_text("{")
    with pytest.raises(CheckpointError, match=r"index\.json"):
        WeightFile.open(index)


def test_pickled_code_is_never_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    torch.save({"weight": Evil()}, tmp_path / "m.pth")
    with pytest.raises(CheckpointError, match=r"m\.pth"):
        WeightFile.open(tmp_path / "m.pth")


def test_what_is_no_dictionary_of_tensors(tmp_path):
    for content in ([1, 2], {"a": 1}):
        torch.save(content, tmp_path / "m.pth")
        with pytest.raises(CheckpointError, match="dictionary of tensors"):
            WeightFile.open(tmp_path / "m.pth")


def test_quantised_weights_are_refused_in_words(tmp_path):
    save_file({"weight": torch.ones(2).to(torch.float8_e4m3fn)}, tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match="F8_E4M3"):
        WeightFile.open(tmp_path / "m.safetensors")


def test_opening_reads_no_data(tmp_path):
    save_file({"weight": torch.zeros(4096, 1024)}, tmp_path / "m.safetensors")
    tracemalloc.start()
    assert WeightFile.open(tmp_path / "m.safetensors").parameters == 4096 * 1024
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()
