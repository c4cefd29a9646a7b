# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding and inspecting the engine's Python, with real Pythons."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from real_jobs import engine_python
from wan_previs.bridge.environment import (
    VARIABLE,
    EnvironmentMissing,
    find_engine,
    inspect_engine,
    is_of_another_version,
    venv_python,
)
from wan_previs.bridge.process import scrubbed_environment
from wan_previs.bridge.setup.installer import READY, held_packages, lock_digest

ROOT = Path(__file__).resolve().parents[2]


pytestmark = pytest.mark.usefixtures("no_variable")


def make_python(folder: Path) -> Path:
    python = venv_python(folder)
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    return python


def test_the_order_of_the_search(tmp_path, monkeypatch):
    addon, user = tmp_path / "addon", tmp_path / "user"
    with pytest.raises(EnvironmentMissing, match="Set up the engine") as caught:
        find_engine(None, addon, user)
    assert caught.value.exit_status == 4
    for expected, folder in (("checkout", addon / ".venv-engine"), ("set-up", user / "engine")):
        python = make_python(folder)
        (folder / READY).write_text("{}")
        (folder / "pyvenv.cfg").write_text(f"home = {sys.base_prefix}\n")
        found = find_engine("", addon, user)
        assert found.python == python and expected in found.origin
    python = make_python(tmp_path / "variable")
    monkeypatch.setenv(VARIABLE, str(python))
    assert find_engine(None, addon, user).python == python
    python = make_python(tmp_path / "chosen")
    assert find_engine(str(tmp_path / "chosen"), addon, user).python == python
    assert find_engine(str(python), addon, user).origin == "the preferences"


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda folder: shutil.rmtree(folder / "lib" / "python3.11" / "site-packages" / "torch"), r"gone \(torch\)"),
        (lambda folder: shutil.rmtree(folder / "lib"), r"gone \(numpy, torch\)"),
        (lambda folder: venv_python(folder).unlink(), "made from is gone, as after an update of Blender"),
        (lambda folder: (folder / "pyvenv.cfg").write_text("home = /gone\n"), "made from is gone"),
        (lambda folder: (folder / "pyvenv.cfg").unlink(), "made from is gone"),
        (lambda folder: (folder / READY).unlink(), "not set up to the end"),
    ],
)
def test_an_engine_that_has_lost_parts_is_none(tmp_path, harm, words):
    folder = tmp_path / "user" / "engine"
    make_python(folder)
    for name in ("torch", "numpy"):
        (folder / "lib" / "python3.11" / "site-packages" / name).mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text(f"home = {sys.base_prefix}\n")
    (folder / READY).write_text(json.dumps({"holds": held_packages(folder)}))
    assert find_engine(None, tmp_path, tmp_path / "user")
    harm(folder)
    with pytest.raises(EnvironmentMissing, match=words):
        find_engine(None, tmp_path, tmp_path / "user")


@pytest.mark.parametrize("said", ["", "{", "[]", "3", '{"holds": 3, "lock": []}', '{"holds": null}', "[" * 5000])
def test_a_damaged_mark_breaks_nothing(tmp_path, said):
    """An engine that does not say what it was made from is renewed."""
    folder, lock = tmp_path / "engine", tmp_path / "lock"
    make_python(folder)
    lock.write_text("")
    (folder / "pyvenv.cfg").write_text(f"home = {sys.base_prefix}\n")
    (folder / READY).write_text(said)
    assert is_of_another_version(find_engine(None, tmp_path, tmp_path).python, lock)


def test_an_engine_of_another_list_of_packages_is_known(tmp_path):
    python, lock = make_python(tmp_path), tmp_path / "lock"
    lock.write_text("torch==1\n")
    assert not is_of_another_version(python, lock)  # the user's own
    (tmp_path / READY).write_text(json.dumps({"lock": lock_digest(lock)}))
    assert not is_of_another_version(python, lock)
    lock.write_text("torch==2\n")
    assert is_of_another_version(python, lock)


def test_a_choice_that_leads_nowhere_is_not_passed_over(tmp_path, monkeypatch):
    make_python(tmp_path / "addon" / ".venv-engine")
    with pytest.raises(EnvironmentMissing, match=r"gone.*preferences"):
        find_engine(str(tmp_path / "gone"), tmp_path / "addon", tmp_path)
    with pytest.raises(EnvironmentMissing, match="does not exist"):
        find_engine(str(tmp_path / ("x" * 300)), tmp_path / "addon", tmp_path)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(EnvironmentMissing, match=VARIABLE):
        find_engine(None, tmp_path / "addon", tmp_path)


def test_the_engine_environment_of_this_checkout_has_everything():
    facts = inspect_engine(engine_python())
    assert facts["ok"] and facts["missing"] == [] and facts["packages"]["torch"].startswith("2.")


def test_a_python_without_torch_is_told():
    facts = inspect_engine(Path(sys.executable))
    assert not facts["ok"] and "torch" in facts["missing"] and facts["python"].startswith("3.")


def _answering(facts: str) -> str:
    return f"#!/bin/sh\necho '{{{facts}}}'\n"


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (None, 0, "cannot be started"),
        ("", 0o644, "cannot be started"),
        ("#!/bin/sh\necho broken >&2; exit 3\n", 0o755, "broken"),
        ("#!/bin/sh\necho '[1]'\n", 0o755, "not a working Python"),
        ("#!/bin/sh\nexec sleep 30\n", 0o755, "not answered within"),
        ("#!/bin/sh\nexec cat /dev/zero\n", 0o755, "without end"),
        ("#!/bin/sh\nexec yes\n", 0o755, "without end"),
        ("#!/bin/sh\nexit 0\n", 0o755, "no answer"),
        ("#!/bin/sh\nexit 3\n", 0o755, "no answer"),
        ("#!/bin/sh\nprintf '%0100000d' 7\n", 0o755, "not a working Python"),
        ("#!/bin/sh\nhead -c 200000 /dev/zero | tr '\\0' '['\n", 0o755, "not a working Python"),
        (_answering('"python": "three"'), 0o755, "not a working Python"),
        (_answering('"python": null'), 0o755, "not a working Python"),
        (_answering('"python": "3.11", "packages": []'), 0o755, "not a working Python"),
        (_answering('"python": "3.11", "packages": {"torch": [1]}'), 0o755, "not a working Python"),
        (_answering('"python": "3.11", "packages": {"torch": "2"}'), 0o755, "not a working Python"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="shell scripts stand in for broken Pythons")
def test_what_is_no_python_is_told_in_words(tmp_path, content, mode, words):
    python = tmp_path / "python"
    if content is not None:
        python.write_text(content)
        python.chmod(mode)
    with pytest.raises(EnvironmentMissing, match=words):
        inspect_engine(python, timeout=1.0 if "sleep" in (content or "") else 900.0)


def test_no_python_variable_reaches_the_engine():
    kept = scrubbed_environment({"PATH": "/bin", "PYTHONHOME": "/blender", "PYTHONPATH": "x"}, PYTHONPATH="/addon")
    assert kept["PYTHONPATH"] == "/addon" and "PYTHONHOME" not in kept and kept["PATH"] == "/bin"


@pytest.mark.parametrize("kind", ["a folder", "a loop of links", "a link to nothing", "text", "a NUL in its name"])
def test_an_engine_that_is_no_program_is_told_in_words(tmp_path, kind):
    place = tmp_path / "python"
    if kind == "a folder":
        place.mkdir()
    elif kind == "a loop of links":
        place.symlink_to(place)
    elif kind == "a link to nothing":
        place.symlink_to(tmp_path / "gone")
    elif kind == "text":
        place.write_text("not a program")
        place.chmod(0o755)
    else:
        place = tmp_path / "py\0thon"
    with pytest.raises(EnvironmentMissing, match="cannot be started"):
        inspect_engine(place)


def test_the_engine_run_by_another_python_says_which_to_take():
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "wan_engine", "inspect", "--checkpoint", "checkpoints/nano"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 4 and "lacks torch. Run the engine by the Python of its environment" in done.stderr
