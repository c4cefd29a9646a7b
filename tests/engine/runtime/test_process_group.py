# SPDX-License-Identifier: GPL-3.0-or-later
"""One clip over several processes, started by a real torchrun on this machine, against one process.

The file is also what torchrun runs: `_work` is the part of each process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import golden
import numpy as np
import pytest
import torch
from cases import Case
from movies import write_frames
from safetensors.torch import load_file, save_file

from wan_engine.cli import main
from wan_engine.errors import CheckpointError, GenerationError, UsageError, WanError
from wan_engine.media.pictures import read_picture
from wan_engine.networks.transformer import WanTransformer
from wan_engine.networks.transformer_config import TransformerConfig
from wan_engine.runtime import process_group, sharding
from wan_engine.weights.weight_file import WeightFile

REPOSITORY = Path(__file__).parents[3]
PATHS = os.pathsep.join(map(str, (REPOSITORY, Path(__file__).parent, Path(__file__).parents[1])))
CONFIG = TransformerConfig(48, 96, 2, 3, in_dim=16, out_dim=16, text_dim=32, freq_dim=64, text_len=16, clip_dim=40)
# Rounding in float32: a process multiplies fewer rows at once, and sums in another order.
FLOOR = 2e-6
T2V = "fullstack/Wan2.2-T2V-A14B/checkpoint"
MODULE = Path(__file__).stem


def torchrun(processes: int, *words: str | Path, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.run(
        [*command, *map(str, words)],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": PATHS},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def build() -> WanTransformer:
    return WanTransformer(CONFIG)


def inputs(frames: int) -> tuple:
    """25 tokens per frame; the times differ from item to item, and per token in the second case."""
    torch.manual_seed(1)
    x = torch.randn(2, 16, frames, 10, 10)
    states, clip = [torch.randn(7, 32), torch.randn(11, 32)], torch.randn(2, 5, 40)
    per_token = torch.full((2, frames * 25), 900.0)
    per_token[:, :25] = 0
    return x, (torch.tensor([900.0, 125.0]), per_token), states, clip


@torch.inference_mode()
def velocities(network: WanTransformer, frames: int) -> dict[str, torch.Tensor]:
    x, times, states, clip = inputs(frames)
    context = network.embed_text(states, clip)
    return {f"{frames}_{number}": network(x, t, context) for number, t in enumerate(times)}


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "network.safetensors"
    save_file(build().state_dict(), path)
    return path


def test_a_forward_pass_over_several_processes(weights, tmp_path):
    """Shares of unequal length (25 tokens over three are 9, 8 and 8) and of equal length (75)."""
    ended = torchrun(3, "-m", MODULE, "forward", weights, tmp_path)
    assert ended.returncode == 0, ended.stderr
    network = WeightFile.open(weights).fill(build, torch.float32)
    whole = sum(p.numel() for p in network.blocks.parameters())
    for rank in range(3):
        got = load_file(tmp_path / f"{rank}.safetensors")
        for want in (velocities(network, 1), velocities(network, 3)):
            for name, velocity in want.items():
                assert (got[name] - velocity).abs().max() <= FLOOR * velocity.std(), name
        facts = json.loads((tmp_path / f"{rank}.json").read_text())
        assert facts["loaded_in_blocks"] <= whole / 3 * 1.1
        assert facts["after_a_pass"] == facts["loaded_in_blocks"]
        assert facts["from_first"] == 0


@pytest.mark.parametrize(("what", "told"), [("failure", "only one of us"), ("silence", "lost touch")])
def test_the_end_of_one_is_the_end_of_all_in_words(what, told, weights, tmp_path):
    ended = torchrun(2, "-m", MODULE, what, weights, tmp_path)
    assert ended.returncode != 0
    assert [told in line for line in ended.stderr.splitlines()].count(True) == 1, ended.stderr


def generate(folder: Path, *more: str) -> list[str]:
    words = ["generate", "--checkpoint", str(golden.path(T2V)), "--prompt", "a cube", "--frames", "9", "--steps", "4"]
    places = ["--out", str(folder / "clip.mp4"), "--latents", str(folder / "latents.safetensors")]
    return [*words, *places, "--report", str(folder / "report.json"), *more]


@pytest.fixture
def one_thread():
    """As each of two processes has: other thread counts sum in other orders."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_a_clip_over_two_processes(tmp_path, capfd, one_thread):
    """Both experts, guidance, 45 tokens; one process writes and speaks."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    assert main(generate(tmp_path / "one", "--size", "80x48")) == 0
    said = capfd.readouterr()
    ended = torchrun(2, "-m", "wan_engine", *generate(tmp_path / "two", "--size", "80x48"))
    assert ended.returncode == 0, ended.stderr
    one, two = (load_file(tmp_path / name / "latents.safetensors")["latents"] for name in ("one", "two"))
    assert (one - two).abs().max() <= FLOOR * one.std()
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == sorted(
        path.name for path in (tmp_path / "one").iterdir()
    )
    assert ended.stdout.replace("/two/", "/one/") == said.out
    assert ended.stderr.count("step 4/4") == 1
    assert {step["expert"] for step in json.loads((tmp_path / "two" / "report.json").read_text())["steps"]} == {
        "high",
        "low",
    }


@pytest.mark.parametrize(
    ("model", "name", "root"),
    [
        ("Wan2.1-VACE-14B", "masked_references", "vace/"),
        ("Wan2.2-I2V-A14B", "object", "ttm/"),
        ("Wan2.2-Fun-A14B-Control", "control_all", "control/"),
    ],
)
def test_control_over_two_processes(model, name, root, tmp_path):
    """References, mask and hints of a VACE branch, a motion clip, a reference's tokens: cut in two with the clip's."""
    case = Case(model, name, root)
    ended = torchrun(2, "-m", "wan_engine", *case.command(tmp_path))
    assert ended.returncode == 0, ended.stderr
    golden.assert_close(load_file(tmp_path / "latents.safetensors")["latents"], case.want["latents"], 3e-4, 3e-4)


@pytest.mark.parametrize(("model", "told"), [("Wan2.2-T2V-A14B", "window 2/2"), ("Wan2.2-I2V-A14B", "segment 2/2")])
def test_longer_clips_over_two_processes(model, told, tmp_path, one_thread):
    """Windows, and segments of which the second begins with a frame that only the first process has; light is led."""
    light = tmp_path / "light.json"
    light.write_text(json.dumps({"source": "brief", "times": [0, 1], "luminance": [1, 0.5]}), encoding="utf-8")
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        words = Case(model, "en").command(tmp_path / name)
        words += ["--frames", "9", "--window", "5", "--steps", "2", "--light", str(light)]
        if name == "one":
            assert main(words) == 0
        else:
            ended = torchrun(2, "-m", "wan_engine", *words)
            assert ended.returncode == 0 and told in ended.stderr, ended.stderr
        made.append(load_file(tmp_path / name / "latents.safetensors")["latents"])
    assert (made[0] - made[1]).abs().max() <= FLOOR * made[0].std()


def test_a_part_made_anew_over_two_processes(tmp_path, one_thread):
    """What stays of the old clip is read by the first process alone, and is that clip's to the last bit."""
    old = np.random.default_rng(4).integers(0, 256, (9, 48, 80, 3), np.uint8)
    write_frames(tmp_path / "old", old)
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        words = [*generate(tmp_path / name, "--size", "80x48"), "--frames", "9", "--steps", "2"]
        words += ["--redo", str(tmp_path / "old"), "--redo-from", "5", "--frames-out", str(tmp_path / name / "frames")]
        if name == "one":
            assert main(words) == 0
        else:
            ended = torchrun(2, "-m", "wan_engine", *words)
            assert ended.returncode == 0, ended.stderr
        made.append(load_file(tmp_path / name / "latents.safetensors")["latents"])
        frames = [read_picture(path) for path in sorted((tmp_path / name / "frames").iterdir())]
        assert np.array_equal(np.asarray(frames[0]), old[0])
    assert (made[0] - made[1]).abs().max() <= FLOOR * made[0].std()


def test_a_request_that_cannot_be_met_is_told_once(tmp_path):
    ended = torchrun(2, "-m", "wan_engine", *generate(tmp_path, "--size", "70x48"))
    assert ended.returncode != 0
    assert ended.stderr.count("nearest size is 64x48") == 1
    assert list(tmp_path.iterdir()) == []


def test_alone_nothing_is_asked_of_others(monkeypatch):
    with process_group.group():
        assert not process_group.active()
        assert process_group.rank() == 0
        assert process_group.from_first(lambda: 7) == 7
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="torchrun"):
        process_group.join_group()
    for name, value in {"RANK": "1", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(GenerationError, match="did not find each other"):
        process_group.join_group(timedelta(seconds=1))


def _work(what: str, weights: Path, folder: Path) -> None:
    if what == "forward":
        with process_group.group():
            _forward(weights, folder)
        return
    _meet(folder)  # imports take a busy machine long, and are no silence
    with process_group.group(timedelta(seconds=5 if what == "silence" else 600)):
        if process_group.rank() == 1:
            if what == "failure":
                raise CheckpointError("only one of us fails")
            time.sleep(100)
        process_group.from_first(int)  # never arrives in the other process
        process_group.from_first(int)
        torch.distributed.barrier()


def _meet(folder: Path) -> None:
    """Wait until each process has come as far."""
    (folder / os.environ["RANK"]).touch()
    while len(list(folder.iterdir())) < int(os.environ["WORLD_SIZE"]):
        time.sleep(0.01)


def _forward(weights: Path, folder: Path) -> None:
    rank = process_group.rank()
    network = sharding.load_parallel(WeightFile.open(weights), build, torch.float32, "cpu")
    facts = {"loaded_in_blocks": _held(network), "from_first": process_group.from_first(lambda: rank)}
    save_file(velocities(network, 1) | velocities(network, 3), folder / f"{rank}.safetensors")
    facts["after_a_pass"] = _held(network)
    (folder / f"{rank}.json").write_text(json.dumps(facts))


def _held(network: WanTransformer) -> int:
    """Numbers of the blocks that this process holds."""
    return sum(p.to_local().numel() for p in network.blocks.parameters())


if __name__ == "__main__":
    try:
        _work(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    except WanError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_status)
    sys.stdout.flush()
    os._exit(0)  # as `wan_engine.__main__` ends
