# SPDX-License-Identifier: GPL-3.0-or-later
"""What generation refuses, and places and files that cannot be used: told in words, and nothing is left behind."""

import subprocess
import sys

import golden
import pytest
from small_requests import I2V, T2V, TI2V, command, picture, request

from wan_engine.cli import main
from wan_engine.errors import CheckpointError, UsageError
from wan_engine.pipeline import load


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        (["--size", "70x48"], 2, "64x48"),
        (["--size", "seventy"], 2, "832x480"),
        (["--frames", "8"], 2, "5 and 9"),
        (["--solver", "magic"], 2, "unipc, dpm++, euler"),
        (["--dtype", "int4"], 2, "bfloat16"),
        (["--offload", "disk"], 2, "expert"),
        (["--preset", "thunder"], 2, "lightning"),
        (["--lora", ":0.5"], 2, "style.safetensors:0.8:high"),
        (["--lora", "a.safetensors:nan"], 2, "strength"),
        (["--step-cache", "2"], 2, "--step-cache"),
        (["--vae-tiles", "40"], 2, "multiple of 32"),
        (["--guide", "1,2,3"], 2, "3.5"),
        (["--steps", "0"], 2, "steps"),
        (["--steps", "many"], 2, "steps"),
        (["--shift", "nan"], 2, "shift"),
        (["--seed", "-1"], 2, "seed"),
        (["--fps", "1e-9"], 2, "from 0.01 to 1000"),
        (["--fps", "1e12"], 2, "from 0.01 to 1000"),
        (["--last-image", "b.png"], 2, "first picture"),
        (["--image", "b.png"], 2, "text only"),
        (["--wrong"], 2, "--wrong"),
    ],
)
def test_bad_usage_is_told_in_words(more, status, words, tmp_path, capsys):
    assert main(command(T2V, tmp_path / "clip.mp4", *more)) == status
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert words in told
    assert len(told) < 300
    assert list(tmp_path.iterdir()) == []


def test_downloading_what_is_not_published_is_told(tmp_path, capsys):
    assert main(["download", "Wan9", "--to", str(tmp_path / "models")]) == 2
    assert "Wan2.2-TI2V-5B" in capsys.readouterr().err
    assert main(["download", "Wan2.2-TI2V-5B", "--to", str(tmp_path), "--offline"]) == 2
    assert "offline" in capsys.readouterr().err


def test_inspect_plans_for_the_settings_it_is_given(capsys):
    words = ["--size", "128x64", "--frames", "13", "--dtype", "bfloat16", "--offload", "block"]
    assert main(["inspect", "--checkpoint", str(golden.path(T2V)), *words]) == 0
    assert "--size 128x64 --frames 13 --dtype bfloat16 --offload block" in capsys.readouterr().out


def test_places_are_looked_at_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    pipeline = load(golden.path(T2V))
    for place in ({"out": "folder"}, {"latents": "folder"}, {"report": "folder"}, {"frames_out": "file"}):
        with pytest.raises(UsageError, match="is a f"):
            pipeline.generate(request(T2V, **place), tmp_path)


@pytest.mark.parametrize("content", [None, "[[[", '{"schema": "wan_previs.tracks/1"}'])
def test_tracks_are_looked_at_before_the_work(content, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("wan_engine.pipeline.load", lambda **given: pytest.fail("loaded"))
    if content is not None:
        (tmp_path / "tracks.json").write_text(content)
    given = ["--tracks", str(tmp_path / "tracks.json")]
    for more, words in (["--page", str(tmp_path / "page.png")], "tracks.json"), ([], "no effect without --page"):
        assert main(command(T2V, tmp_path / "clip.mp4", *given, *more)) == 2
        assert words in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"no picture"])
def test_unreadable_picture(content, tmp_path, capsys):
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)
    words = command(I2V, tmp_path / "clip.mp4", "--size", "64x48", "--image", str(tmp_path / "a.png"))
    assert main(words) == 2
    told = capsys.readouterr().err
    assert "a.png" in told and "object at" not in told
    assert not (tmp_path / "clip.mp4").exists()


def test_checkpoint_that_is_not_there(tmp_path, capsys):
    words = ["generate", "--checkpoint", str(tmp_path / "none"), "--prompt", "", "--out", str(tmp_path / "clip.mp4")]
    assert main(words) == 4
    assert "does not exist" in capsys.readouterr().err


def test_text_and_image_model_refuses_a_last_picture(tmp_path):
    picture(tmp_path / "a.png", (64, 64))
    with pytest.raises(UsageError, match="last picture"):
        load(golden.path(TI2V)).generate(request(TI2V, image="a.png", last_image="a.png", size=(64, 64)), tmp_path)


def test_unknown_options_of_the_library():
    with pytest.raises(UsageError, match="dtype"):
        load(golden.path(T2V), dtype="int8")
    with pytest.raises(CheckpointError):
        load("nowhere")


def test_the_real_command_says_one_sentence_and_its_status(tmp_path):
    words = [sys.executable, "-m", "wan_engine", *command(T2V, tmp_path / "clip.mp4", "--size", "70x48")]
    result = subprocess.run(words, cwd=golden.REPOSITORY, capture_output=True, text=True)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "nearest size is 64x48" in result.stderr


def test_full_disk(tmp_path):
    """A limit on the size of written files stands in for a disk without room."""
    code = (
        "import resource, sys\n"
        "from wan_engine.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    words = [sys.executable, "-c", code, *command(T2V, tmp_path / "clip.mp4", "--size", "64x48")]
    result = subprocess.run(words, cwd=golden.REPOSITORY, capture_output=True, text=True)
    assert result.returncode == 5, result.stderr
    assert "cannot be written" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []
