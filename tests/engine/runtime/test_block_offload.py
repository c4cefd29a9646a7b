# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks that are in memory only while they run."""

import dataclasses
import subprocess
import sys
import threading
import weakref

import golden
import pytest
import torch
from peaks import growth
from safetensors.torch import save_file

from wan_engine.errors import CheckpointError
from wan_engine.networks.transformer import WanTransformer
from wan_engine.networks.transformer_config import TransformerConfig
from wan_engine.runtime.block_offload import stream_blocks
from wan_engine.weights.weight_file import WeightFile

PATIENCE = 900.0  # seconds, never reached but by a fault
CONFIG = TransformerConfig(32, 64, 2, 5, 4, 4, 16, text_len=8)


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


@pytest.fixture
def file(tmp_path):
    torch.manual_seed(1)
    save_file(WanTransformer(CONFIG).state_dict(), tmp_path / "net.safetensors")
    return WeightFile.open(tmp_path / "net.safetensors", "transformer")


def build():
    return WanTransformer(CONFIG)


def run(network, on_block=None):
    generator = torch.Generator().manual_seed(2)
    x, text = torch.randn(1, 4, 3, 4, 6, generator=generator), torch.randn(5, 16, generator=generator)
    context = network.embed_text([text])
    return [network(x, torch.tensor([t]), context, on_block=on_block) for t in (900.0, 400.0)]


def held(network):
    return [k for k, block in enumerate(network.blocks) if any(not p.is_meta for p in block.parameters())]


def no_reader_is_left():
    readers = [thread for thread in threading.enumerate() if thread.name.startswith("read block")]
    for thread in readers:
        thread.join(PATIENCE)
    return not any(thread.is_alive() for thread in readers)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_gives_what_the_resident_network_gives_to_the_bit(file, dtype):
    resident, streamed = file.fill(build, dtype), stream_blocks(file, build, dtype, "cpu")
    assert held(streamed) == []
    seen = []
    for want, got in zip(run(resident), run(streamed, lambda k: seen.append(held(streamed))), strict=True):
        assert torch.equal(want, got)
    assert seen == [[]] * 10  # between blocks none is in its place
    assert no_reader_is_left()


def test_a_patch_is_applied_to_every_tensor(file):
    def patch(name, tensor):
        return tensor + 0.25 if name.endswith("ffn.0.weight") or name == "head.head.bias" else tensor

    plain, patched = (
        run(stream_blocks(file, build, torch.float32, "cpu")),
        run(file.fill(build, torch.float32, "cpu", patch)),
    )
    streamed = run(stream_blocks(file, build, torch.float32, "cpu", patch))
    assert all(torch.equal(a, b) for a, b in zip(patched, streamed, strict=True))
    assert not torch.equal(plain[0], streamed[0])


def test_only_the_block_at_work_and_the_next_are_read(file):
    alive, most = [0], [0]

    class Counted(WeightFile):
        def read(self, name):
            tensor = super().read(name)
            if name.endswith("ffn.0.weight"):
                alive[0] += 1
                most[0] = max(most[0], alive[0])
                weakref.finalize(tensor.untyped_storage(), lambda: alive.__setitem__(0, alive[0] - 1))
            return tensor

    counted = Counted(file.contents, "transformer")
    network = stream_blocks(counted, build, torch.float32, "cpu")
    run(network)
    assert most[0] == 2


def test_stopping_in_the_middle_leaves_nothing_behind_and_the_next_pass_is_right(file):
    network = stream_blocks(file, build, torch.float32, "cpu")

    def stop(number):
        if number == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run(network, stop)
    assert held(network) == []
    assert no_reader_is_left()
    want = run(file.fill(build, torch.float32))
    assert all(torch.equal(a, b) for a, b in zip(want, run(network), strict=True))


def test_a_block_that_fails_is_let_go_of(file):
    network = stream_blocks(file, build, torch.float32, "cpu")
    network.blocks[1].register_forward_pre_hook(lambda block, _: setattr(block.norm3, "eps", "no number"))
    with pytest.raises(TypeError):
        run(network)
    assert held(network) == []


def test_what_goes_wrong_in_reading_is_told(file, tmp_path):
    network = stream_blocks(file, build, torch.float32, "cpu")
    path = tmp_path / "net.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="truncated"):
        run(network)
    path.write_bytes(whole)
    assert torch.equal(run(network)[0], run(file.fill(build, torch.float32))[0])


def test_a_file_that_does_not_fit_is_refused_at_once(file):
    with pytest.raises(CheckpointError, match=r"blocks\.4\."):
        stream_blocks(file, lambda: WanTransformer(dataclasses.replace(CONFIG, num_layers=4)), torch.float32, "cpu")


PEAK = """
from pathlib import Path
from wan_engine.runtime.block_offload import stream_blocks
from wan_engine.networks.transformer import WanTransformer
from wan_engine.networks.transformer_config import TransformerConfig
from wan_engine.weights.weight_file import WeightFile

config = TransformerConfig(256, 1024, 4, 16, 16, 16, 64, text_len=16)
file = WeightFile.open(Path(sys.argv[1]), "transformer")

def work(open_network):
    network = open_network(file)
    context = network.embed_text([torch.randn(4, 64)])
    for _ in range(2):
        network(torch.randn(1, 16, 2, 8, 8), torch.tensor([500.0]), context)

with torch.inference_mode():
    build = lambda: WanTransformer(config)
    work(lambda file: build())
    for open_network in (
        lambda file: file.fill(build, torch.float32, "cpu"),
        lambda file: stream_blocks(file, build, torch.float32, "cpu"),
    ):
        begin()
        work(open_network)
        end()
"""


def test_it_needs_a_fraction_of_the_resident_networks_memory(tmp_path):
    config = TransformerConfig(256, 1024, 4, 16, 16, 16, 64, text_len=16)
    state = WanTransformer(config).state_dict()
    save_file(state, tmp_path / "net.safetensors")
    block = sum(data.nbytes for name, data in state.items() if name.startswith("blocks.0."))
    outside = sum(data.nbytes for name, data in state.items() if not name.startswith("blocks."))
    resident, streamed = growth(PEAK, tmp_path / "net.safetensors")
    assert resident > 16 * block
    assert streamed < outside + 2.5 * block + 6 * 2**20
    assert streamed < 0.4 * resident


LEAVING = """
import sys
from pathlib import Path
import torch
from wan_engine.runtime.block_offload import stream_blocks
from wan_engine.networks.transformer import WanTransformer
from wan_engine.networks.transformer_config import TransformerConfig
from wan_engine.weights.weight_file import WeightFile

config = TransformerConfig(16, 32, 2, 2, 16, 16, 16, text_len=16)
heavy = torch.randn(900, 900)

def patch(name, tensor):
    for _ in range(20 if name.startswith("blocks.0.") and passed else 0):
        heavy @ heavy
    return tensor

passed = False
with torch.inference_mode():
    file = WeightFile.open(Path(sys.argv[1]), "transformer")
    network = stream_blocks(file, lambda: WanTransformer(config), torch.float32, "cpu", patch)
    context = network.embed_text([torch.randn(4, 16)])
    passed = True
    network(torch.randn(1, 16, 2, 8, 8), torch.tensor([500.0]), context)
"""


def test_a_process_that_ends_while_a_block_is_read_ends_well(tmp_path):
    config = TransformerConfig(16, 32, 2, 2, 16, 16, 16, text_len=16)
    save_file(WanTransformer(config).state_dict(), tmp_path / "net.safetensors")
    command = [sys.executable, "-c", LEAVING, str(tmp_path / "net.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=golden.REPOSITORY)
    assert done.returncode == 0, done.stderr
