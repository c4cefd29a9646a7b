# SPDX-License-Identifier: GPL-3.0-or-later
"""The text encoder beside transformers' UMT5, whole and layer by layer."""

import pytest
import torch
from peaks import growth
from safetensors.torch import save_file
from transformers import UMT5Config, UMT5EncoderModel

from wan_engine.errors import CheckpointError
from wan_engine.networks.umt5 import T5Config, T5Encoder
from wan_engine.runtime.block_offload import encode_streamed
from wan_engine.weights.weight_file import WeightFile

IDS = [[5, 17, 3, 96, 40, 1], [88, 1], list(range(2, 60))]


@pytest.fixture(scope="module")
def umt5(tmp_path_factory):
    """transformers' encoder of random weights, and the file it was saved to."""
    torch.manual_seed(5)
    config = UMT5Config(
        vocab_size=100, d_model=32, d_kv=8, d_ff=48, num_layers=3, num_heads=4, feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
    )  # fmt: skip
    model = UMT5EncoderModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
    path = tmp_path_factory.mktemp("umt5") / "model.safetensors"
    save_file({name: data for name, data in model.state_dict().items() if "embed_tokens" not in name}, path)
    return model, WeightFile.open(path, "text")


@torch.no_grad()
def test_it_computes_what_transformers_does(umt5):
    theirs, file = umt5
    config = T5Config.from_state(file.shapes)
    encoder = file.fill(lambda: T5Encoder(config), torch.float32)
    for row in IDS:
        want = theirs(torch.tensor([row])).last_hidden_state
        torch.testing.assert_close(encoder(torch.tensor([row])), want, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_layer_by_layer_it_gives_the_same_to_the_bit(umt5, dtype):
    _, file = umt5
    config = T5Config.from_state(file.shapes)
    encoder = file.fill(lambda: T5Encoder(config), dtype)
    layers = []
    streamed = encode_streamed(file, config, IDS, dtype, "cpu", layers.append)
    assert layers == [0, 1, 2]
    for row, got in zip(IDS, streamed, strict=True):
        assert got.dtype == torch.float32
        assert torch.equal(got, encoder(torch.tensor([row]))[0].float())


def test_it_can_be_stopped_between_layers_and_names_what_does_not_fit(umt5, tmp_path):
    _, file = umt5
    config = T5Config.from_state(file.shapes)

    def stop(layer):
        if layer == 1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        encode_streamed(file, config, IDS, torch.float32, "cpu", stop)
    state = {name: data for name, data in file.tensors() if name != "blocks.1.attn.o.weight"}
    save_file(state, tmp_path / "short.safetensors")
    with pytest.raises(CheckpointError, match=r"blocks\.1\.attn\.o\.weight"):
        encode_streamed(WeightFile.open(tmp_path / "short.safetensors", "text"), config, IDS, torch.float32, "cpu")


PEAK = """
from wan_engine.networks.umt5 import T5Config, T5Encoder
from wan_engine.runtime.block_offload import encode_streamed
from wan_engine.weights.weight_file import WeightFile

file = WeightFile.open(__import__("pathlib").Path(sys.argv[1]), "text")
config = T5Config.from_state(file.shapes)
with torch.inference_mode():
    encode_streamed(file, config, [[1, 2, 3]], torch.float32, "cpu")  # the first time also loads PyTorch's own code
    begin()
    encode_streamed(file, config, [[1, 2, 3]], torch.float32, "cpu")
    end()
    begin()
    file.fill(lambda: T5Encoder(config), torch.float32)(torch.tensor([[1, 2, 3]]))
    end()
"""


def test_streamed_it_needs_memory_for_one_layer_and_not_for_the_embedding_table(tmp_path):
    config = T5Config(vocab=40_000, dim=256, dim_attn=256, dim_ffn=1024, num_heads=4, num_layers=12, num_buckets=32)
    state = T5Encoder(config).bfloat16().state_dict()
    save_file(state, tmp_path / "t5.safetensors")
    layer = sum(data.numel() * 4 for name, data in state.items() if name.startswith("blocks.0."))
    streamed, whole = growth(PEAK, tmp_path / "t5.safetensors")
    assert whole > sum(data.numel() * 4 for data in state.values())
    assert streamed < 2.5 * layer + 4 * 2**20
    assert streamed < 0.25 * whole
