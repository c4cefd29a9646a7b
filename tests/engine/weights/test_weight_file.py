# SPDX-License-Identifier: GPL-3.0-or-later
"""Weight files as users have them, whole and broken."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
import zipfile
from collections import OrderedDict
from pathlib import Path

import golden
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from wan_engine.errors import CheckpointError
from wan_engine.weights.weight_file import WeightFile

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


@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_code_is_never_run(zipped, tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path / "ran").touch, ()

    torch.save({"weight": Evil()}, tmp_path / "m.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"m\.pth wants to run code \(.*so it was not loaded"):
        WeightFile.open(tmp_path / "m.pth")
    assert not (tmp_path / "ran").exists()


def test_dictionaries_inside_a_dictionary_and_views(tmp_path):
    whole = torch.arange(12.0).reshape(3, 4)
    state = {"a": whole[1:], "b": whole.t(), "c": whole[:, 1:3], "d": whole, "e": torch.tensor(5.0)}
    torch.save({"epoch": 1, "state_dict": {"model": state}}, tmp_path / "m.pth")
    file = WeightFile.open(tmp_path / "m.pth")
    for name, data in state.items():
        assert torch.equal(file.read(name), data), name
    assert torch.equal(file.rows("b", torch.tensor([3, 0])), whole.t()[[3, 0]])
    assert torch.equal(file.rows("a", torch.tensor([1])), whole[2:])


def test_archives_without_checksums_are_read_as_torch_reads_them(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        path = save_pth(tmp_path)
    finally:
        torch.serialization.set_crc32_options(True)
    with zipfile.ZipFile(path) as archive, pytest.raises(zipfile.BadZipFile):
        archive.read("m/data.pkl")
    assert all(torch.equal(data, STATE[name]) for name, data in WeightFile.open(path).tensors())


@pytest.mark.parametrize("save", [save_one, save_shards, save_pth])
def test_single_tensors_and_rows(save, tmp_path):
    file = WeightFile.open(save(tmp_path))
    assert torch.equal(file.read("bias"), STATE["bias"])
    index = torch.tensor([1, 0, 1])
    assert torch.equal(file.rows("weight", index), STATE["weight"][index])
    assert file.rows("weight", torch.tensor([], dtype=torch.long)).numel() == 0
    assert file.bytes == sum(path.stat().st_size for path in tmp_path.iterdir() if path.suffix != ".json")
    with pytest.raises(CheckpointError, match="weight has 2 rows, but row 2"):
        file.rows("weight", torch.tensor([0, 2]))


def test_a_patch_changes_tensors_before_the_cast(tmp_path):
    seen = {}

    def patch(name, tensor):
        seen[name] = tensor.dtype
        return tensor + 1 if name == "bias" else tensor

    network = WeightFile.open(save_one(tmp_path)).fill(build, torch.bfloat16, patch=patch)
    assert seen == {"weight": torch.float32, "bias": torch.float32}
    assert torch.equal(network.bias, torch.full((2,), 2.0, dtype=torch.bfloat16))


@pytest.mark.parametrize(("save", "other"), [(save_one, "m.pth"), (save_pth, "m.safetensors"), (save_pth, "m.bin")])
def test_the_content_tells_the_kind_of_a_misnamed_file(save, other, tmp_path):
    path = save(tmp_path).rename(tmp_path / other)
    assert torch.equal(WeightFile.open(path).read("weight"), STATE["weight"])


@pytest.mark.parametrize("save", [save_one, save_pth])
def test_files_with_something_behind_their_end(save, tmp_path):
    path = save(tmp_path)
    path.write_bytes(path.read_bytes() + bytes(1000))
    with pytest.raises(CheckpointError, match=rf"{path.name} is longer"):
        WeightFile.open(path)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "pointer"),
        (b"<!DOCTYPE html><html>Not found</html>", "no weight file"),
        (b"", "truncated"),
        (b"\xff\xff\xff\xff\x00\x00\x00\x00{" + bytes(99), "truncated"),
        (b"\x02\x00\x00\x00\x00\x00\x00\x00{]" + bytes(99), "no safetensors file"),
    ],
)
def test_what_downloads_leave_behind(content, word, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=word):
        WeightFile.open(path)


def test_a_header_that_contradicts_itself(tmp_path):
    path = save_one(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"shape":[2,3]', b'"shape":[3,3]'))
    with pytest.raises(CheckpointError, match="tensor weight has another length"):
        WeightFile.open(path)


PEAK = """
import sys, torch
from pathlib import Path
from torch import nn
from wan_engine.weights.weight_file import WeightFile
file = WeightFile.open(Path(sys.argv[1]))
build = lambda: nn.ModuleList(nn.Linear(1024, 1024, bias=False) for _ in range(32))
def status(key):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(key))
torch.ones(1024, 1024).to(torch.bfloat16)
open("/proc/self/clear_refs", "w").write("5")  # the high-water mark starts anew
before = status("VmRSS")
network = file.fill(build, torch.bfloat16)
print(status("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux' memory counters")
@pytest.mark.parametrize("kind", ["shards", "pth"])
def test_loading_holds_the_network_and_one_tensor(kind, tmp_path):
    """All resident memory counts here, mapped files as well: 128 MB of float32 become 64 MB of bfloat16."""
    state = {f"{n}.weight": torch.full((1024, 1024), float(n)) for n in range(32)}
    if kind == "pth":
        torch.save(state, path := tmp_path / "m.pth")
    else:
        names, path = list(state), tmp_path / "m.safetensors.index.json"
        for shard in range(3):
            save_file({name: state[name] for name in names[shard::3]}, tmp_path / f"m-{shard}.safetensors")
        index = {name: f"m-{shard}.safetensors" for shard in range(3) for name in names[shard::3]}
        path.write_text(json.dumps({"weight_map": index}))
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, cwd=golden.REPOSITORY, check=True
    )
    network, tensor = 32 * 2 * 1024**2, 4 * 1024**2
    assert network < int(done.stdout) < network + 2 * tensor


@pytest.mark.parametrize(
    ("file", "words"),
    [("a\0b", "cannot be read"), ("\ud800", "cannot be read"), (3, "no weights"), (None, "no weights"),
     ("m.safetensors.index.json", "no weights")],
)  # fmt: skip
def test_an_index_that_names_no_weights_is_told(file, words, tmp_path):
    path = tmp_path / "m.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {"a": file}}))
    with pytest.raises(CheckpointError, match=words):
        WeightFile.open(path)


def test_what_is_no_dictionary_of_tensors(tmp_path):
    for content in ([1, 2], {"a": 1}):
        torch.save(content, tmp_path / "m.pth")
        with pytest.raises(CheckpointError, match="dictionary of tensors"):
            WeightFile.open(tmp_path / "m.pth")


def test_whole_numbers_are_refused_in_words(tmp_path):
    save_file({"weight": torch.ones(2, dtype=torch.int8)}, tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match="weight is stored as I8"):
        WeightFile.open(tmp_path / "m.safetensors")


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_opening_reads_no_data(kind, tmp_path):
    state = {"weight": torch.zeros(4096, 1024)}
    path = tmp_path / f"m.{kind}"
    save_file(state, path) if kind == "safetensors" else torch.save(state, path)
    tracemalloc.start()
    assert WeightFile.open(path).parameters == 4096 * 1024
    assert tracemalloc.get_traced_memory()[1] < 4e6
    tracemalloc.stop()
