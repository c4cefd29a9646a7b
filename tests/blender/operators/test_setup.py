# SPDX-License-Identifier: GPL-3.0-or-later
"""Set Up Engine runs to its end on a package of this computer, and the log for support tells how it went."""

import zipfile

import bpy
import pytest
import wan_previs
from wan_previs.bridge.environment import venv_python
from wan_previs.operators import setup
from wan_previs.previs import engine
from wan_previs.previs import log as logging


def write_wheel(folder):
    """A package that holds nothing but its name."""
    info = "stand_in-1.0.dist-info"
    with zipfile.ZipFile(folder / "stand_in-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("stand_in.py", "")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: stand-in\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def place(blank_scene, tmp_path, monkeypatch):
    """The folder of a set-up that finds its packages, `stand_in` alone, beside the lock file and never in a network."""
    wan_previs.register()
    monkeypatch.setattr(bpy.context.preferences.system, "use_online_access", True)
    write_wheel(tmp_path)
    lock = tmp_path / "requirements-engine.lock"
    lock.write_text(f"--no-index\n--find-links {tmp_path.as_uri()}\nstand-in==1.0\n")
    monkeypatch.setattr(engine, "ADDON_DIR", tmp_path)
    monkeypatch.setattr(setup, "engine_places", lambda context: (None, tmp_path / "user"))
    monkeypatch.setattr(logging, "log_file", lambda: tmp_path / "log.txt")
    yield tmp_path
    wan_previs.unregister()


def test_a_set_up_is_logged_from_its_beginning_to_its_end(place):
    assert bpy.ops.wan_previs.setup_engine() == {"FINISHED"}
    python = venv_python(place / "user" / "engine")
    assert python.is_file() and list((place / "user" / "engine").rglob("stand_in.py"))
    began, ended = (line.split(" ", 1)[1] for line in (place / "log.txt").read_text().splitlines())
    assert (
        began.startswith("Setting up the engine began: ")
        and began.endswith("user")
        and ended == "Setting up the engine ended well"
    )


def test_a_set_up_that_fails_is_logged_with_its_last_words(place):
    (place / "stand_in-1.0-py3-none-any.whl").unlink()
    with pytest.raises(RuntimeError, match="has no stand-in for this computer"):
        bpy.ops.wan_previs.setup_engine()
    last = (place / "log.txt").read_text().splitlines()[-1]
    assert "Setting up the engine ended: The server has no stand-in" in last


def test_a_set_up_that_cannot_begin_is_logged(place):
    (place / "user" / "engine").mkdir(parents=True)
    (place / "user" / "engine" / "film.blend").write_text("precious")
    with pytest.raises(RuntimeError, match="left as it is"):
        bpy.ops.wan_previs.setup_engine()
    assert "Setting up the engine cannot begin: " in (place / "log.txt").read_text()
