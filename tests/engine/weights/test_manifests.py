# SPDX-License-Identifier: GPL-3.0-or-later
"""Full-size networks, without memory, against the tensor names and shapes of everything that is published."""

from __future__ import annotations

import hashlib
import json
import struct

import golden
import pytest
import torch

from wan_engine.networks.clip_vision import ClipConfig, ClipVision
from wan_engine.networks.transformer import WanTransformer
from wan_engine.networks.transformer_config import TransformerConfig
from wan_engine.networks.umt5 import T5Config, T5Encoder
from wan_engine.networks.vae import load_vae
from wan_engine.weights.tensor_names import networks_of, published
from wan_engine.weights.weight_file import WeightFile

MANIFESTS = golden.REPOSITORY.parent / "shared" / "facts" / "manifests"
DIGESTS = json.loads((golden.INSIDE / "manifest_digests.json").read_text(encoding="utf-8"))


def manifest(name):
    path = MANIFESTS / f"{name}.json"
    if not path.exists():
        pytest.skip("the manifests are not beside the checkout")
    return {key: tuple(shape) for key, shape in json.loads(path.read_text(encoding="utf-8"))["keys"].items()}


def digest(shapes):
    lines = sorted(f"{name} {list(shape)}" for name, shape in shapes.items())
    return [len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()]


def shapes_of(network):
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def transformer(dim, ffn, heads, layers, channels, **more):
    return TransformerConfig(dim, ffn, heads, layers, *channels, text_dim=4096, **more)


FULL_SIZE = {
    "official_t2v_A14B": transformer(5120, 13824, 40, 40, (16, 16)),
    "official_i2v_A14B": transformer(5120, 13824, 40, 40, (36, 16)),
    "official_ti2v_5B": transformer(3072, 14336, 24, 30, (48, 48)),
    "wan21_t2v_1.3B": transformer(1536, 8960, 12, 30, (16, 16)),
    "wan21_t2v_14B": transformer(5120, 13824, 40, 40, (16, 16)),
    "wan21_i2v_14B": transformer(5120, 13824, 40, 40, (36, 16), clip_dim=1280),
    "wan21_flf2v_14B": transformer(5120, 13824, 40, 40, (36, 16), clip_dim=1280, flf=True),
    "wan21_vace_1.3B": transformer(1536, 8960, 12, 30, (16, 16), vace_layers=tuple(range(0, 30, 2)), vace_dim=96),
    "wan21_vace_14B": transformer(5120, 13824, 40, 40, (16, 16), vace_layers=tuple(range(0, 40, 5)), vace_dim=96),
    "official_umt5_xxl_encoder": T5Config(256384, 4096, 4096, 10240, 64, 24, 32),
}


@pytest.mark.parametrize("name", FULL_SIZE)
def test_full_size_networks_have_the_published_tensors(name):
    config = FULL_SIZE[name]
    with torch.device("meta"):
        network = (T5Encoder if isinstance(config, T5Config) else WanTransformer)(config)
    shapes = shapes_of(network)
    assert digest(shapes) == DIGESTS[name]
    if isinstance(config, T5Config):
        assert T5Config.from_state(shapes) == config
    else:
        assert TransformerConfig.from_state(shapes, {"num_heads": config.num_heads}) == config


def test_the_image_encoder_of_the_published_size():
    with torch.device("meta"):
        network = ClipVision(ClipConfig(1280, 5120, 16, 32, 14, 224, projection=1024))
    shapes = {f"visual.{name}": shape for name, shape in shapes_of(network).items()}
    assert digest(shapes) == DIGESTS["wan21_clip visual"]


@pytest.mark.parametrize("name", [*DIGESTS])
def test_digests_are_those_of_the_manifests(name):
    keys = manifest(name.split()[0])
    if name.endswith(" visual"):
        keys = {key: shape for key, shape in keys.items() if key.startswith("visual.")}
    assert digest(keys) == DIGESTS[name]


@pytest.mark.parametrize(("name", "channels"), [("official_vae21", 16), ("official_vae22", 48)])
def test_full_size_autoencoders(name, channels):
    vae = load_vae({key: torch.empty(shape, device="meta") for key, shape in manifest(name).items()})
    assert vae.z_dim == channels
    assert vae.stride == ((4, 8, 8) if channels == 16 else (4, 16, 16))
    assert digest(shapes_of(vae)) == DIGESTS[name]


MAPPINGS = [
    ("transformer", "diffusers_t2v_A14B", "mapping_transformer_t2v_A14B"),
    ("transformer", "diffusers_i2v_A14B", "mapping_transformer_i2v_A14B"),
    ("transformer", "diffusers_ti2v_5B", "mapping_transformer_ti2v_5B"),
    ("vae", "diffusers_vae21", "mapping_vae21"),
    ("vae", "diffusers_vae22", "mapping_vae22"),
    ("text", "transformers_umt5_xxl_encoder", "mapping_umt5_xxl_encoder"),
]


@pytest.mark.parametrize("prefix", ["", "model."])
@pytest.mark.parametrize(("part", "source", "mapping"), MAPPINGS, ids=[row[2] for row in MAPPINGS])
def test_every_line_of_the_name_tables(part, source, mapping, prefix):
    shapes = {prefix + name: shape for name, shape in manifest(source).items()}
    lines = (MANIFESTS / f"{mapping}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    wanted = {ours: prefix + theirs for ours, theirs in (line.split("\t")[:2] for line in lines)}
    recipes = published(shapes, part)
    assert {name: recipe.parts[0] for name, recipe in recipes.items()} == wanted
    assert all(len(recipe.parts) == 1 for recipe in recipes.values())
    assert list(networks_of(shapes)) == [part]
    official = {"mapping_umt5_xxl_encoder": "official_umt5_xxl_encoder"}.get(mapping)
    official = official or mapping.replace("mapping_transformer", "official").replace("mapping", "official")
    assert digest({name: recipe.shape for name, recipe in recipes.items()}) == DIGESTS[official]


@pytest.mark.parametrize(
    ("rules", "source"),
    [
        ("mapping_rules21_transformer", "wan21_flf2v_14B"),
        ("mapping_rules_vace_transformer", "wan21_vace_1.3B"),
        ("mapping_rules_vace_transformer", "wan21_vace_14B"),
    ],
)
def test_name_rules_of_models_with_modules(rules, source):
    path = MANIFESTS / f"{rules}.json"
    if not path.exists():
        pytest.skip("the manifests are not beside the checkout")
    told = json.loads(path.read_text(encoding="utf-8"))
    keys = manifest(source)
    theirs = {told[_with_i(name)].replace("{i}", name.split(".")[1]): shape for name, shape in keys.items()}
    assert len(theirs) == len(keys)
    assert {name: recipe.shape for name, recipe in published(theirs, "transformer").items()} == keys
    if "vace" in source:
        assert theirs == manifest(source.replace("wan21", "diffusers"))


def _with_i(name):
    parts = name.split(".")
    return ".".join([parts[0], "{i}", *parts[2:]]) if parts[0] in ("blocks", "vace_blocks") else name


@pytest.mark.parametrize("name", ["official_t2v_A14B", "wan21_clip", "official_vae22", "official_umt5_xxl_encoder"])
def test_published_names_stay(name):
    keys = manifest(name)
    part = {"wan21_clip": "clip", "official_vae22": "vae", "official_umt5_xxl_encoder": "text"}.get(name, "transformer")
    assert list(networks_of(keys)) == [part]
    kept = {key.removeprefix("visual."): s for key, s in keys.items() if part != "clip" or key.startswith("visual.")}
    assert {key: recipe.shape for key, recipe in published(keys, part).items()} == kept


def test_a_file_of_full_size_is_opened_by_its_header(tmp_path):
    """57 GB of holes: only the header is there to be read."""
    with torch.device("meta"):
        shapes = shapes_of(WanTransformer(FULL_SIZE["official_t2v_A14B"]))
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 4 * torch.Size(shape).numel()
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    data = json.dumps(header).encode()
    path = tmp_path / "diffusion_pytorch_model.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(data)) + data)
        file.truncate(8 + len(data) + end)
    file = WeightFile.open(path, "transformer")
    assert file.parameters == 14_288_491_584
    assert file.bytes > 57e9
    file.outline(lambda: WanTransformer(FULL_SIZE["official_t2v_A14B"]))
