# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's zip: built and validated by Blender's own tool, installed in a fresh profile, on and off again."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {
    "bridge",
    "conditioning",
    "operators",
    "panels",
    "previs",
    "prompting",
    "properties",
    "scene",
    "sequencer",
    "wan_engine",
}
FILES = {
    "__init__.py",
    "blender_manifest.toml",
    "cli.py",
    "compat.py",
    "scratch.py",
    "preferences.py",
}
OPTIONAL = {"wheels", "LICENSE", "checkpoints", "requirements-engine.lock"}

# Run in a Blender of its own: installs the zip, and tells what it finds as the last line of stdout.
INSTALL = """
import json, os, sys
import bpy, addon_utils
module = "bl_ext.user_default.wan_previs"
before = set(dir(bpy.types))
bpy.ops.extensions.package_install_files(filepath=sys.argv[1], repo="user_default", enable_on_install=True)
on = set(dir(bpy.types)) - before
operators = [name for name in dir(bpy.ops.wan_previs)]
preferences = module in bpy.context.preferences.addons
bpy.context.preferences.addons[module].preferences.wheels_folder = sys.argv[2]
try:
    bpy.ops.wan_previs.setup_engine()
except RuntimeError as error:  # the folder of wheels is empty
    setup = str(error)
bpy.ops.wan_previs.check()
root = os.path.dirname(sys.modules[module].__file__)
files = [os.path.relpath(os.path.join(place, name), root).replace(os.sep, "/")
         for place, _, names in os.walk(root) if "__pycache__" not in place for name in names]
addon_utils.disable(module)
print(json.dumps({
    "on": sorted(on), "operators": operators, "preferences": preferences,
    "left": sorted(set(dir(bpy.types)) - before),
    "properties": [hasattr(bpy.types.Scene, "wan_previs"), hasattr(bpy.types.WindowManager, "wan_previs")],
    "handlers": [f.__module__ for name in ("load_pre", "load_post") for f in getattr(bpy.app.handlers, name)
                 if f.__module__.startswith(module)],
    "torch": "torch" in sys.modules, "setup": setup, "files": sorted(files),
}), flush=True)
os._exit(0)
"""


def extension_tool(*arguments):
    import bpy

    tool = Path(bpy.utils.system_resource("SCRIPTS")) / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
    return subprocess.run([sys.executable, str(tool), *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    built = extension_tool("build", "--source-dir", ROOT, "--output-dir", folder)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("wan_previs-*.zip"))


def test_the_zip_passes_blenders_own_validation(archive):
    checked = extension_tool("validate", archive)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_zip_holds_the_product_and_nothing_else(archive):
    names = zipfile.ZipFile(archive).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops >= ROOMS | FILES
    assert tops - ROOMS - FILES <= OPTIONAL
    assert not [name for name in names if "__pycache__" in name or "/." in name]
    for room in ROOMS:
        packed = {name for name in names if name.startswith(f"{room}/") and name.endswith(".py")}
        assert packed == {path.relative_to(ROOT).as_posix() for path in (ROOT / room).rglob("*.py")}


def test_the_package_imports_without_blender():
    lines = "import sys, wan_previs.scene.brief, wan_previs.bridge.client, wan_previs.wan_engine.request; "
    lines += "assert 'bpy' not in sys.modules and 'torch' not in sys.modules"
    ran = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_a_fresh_install_registers_everything_and_leaves_nothing(archive, tmp_path):
    script = tmp_path / "install.py"
    script.write_text(INSTALL)
    (tmp_path / "wheels").mkdir()
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path / "user")}
    ran = subprocess.run(
        [sys.executable, script, archive, tmp_path / "wheels"], capture_output=True, text=True, env=environment
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads(ran.stdout.strip().split("\n")[-1])
    spaces = ("view3d", "sequencer")
    assert {f"WANPREVIS_PT_{part}_{space}" for part in ("shots", "prompt", "settings") for space in spaces} <= set(
        found["on"]
    )
    assert {"generate", "generate_all", "cancel", "read_shots", "setup_engine", "check"} <= set(found["operators"])
    assert found["preferences"]
    assert not found["torch"]
    assert "The Wheels Folder " in found["setup"]
    written = {name for name in zipfile.ZipFile(archive).namelist() if not name.endswith("/")}
    assert set(found["files"]) == written  # nothing is written into the extension's folder
    assert found["left"] == [] and found["handlers"] == [] and found["properties"] == [False, False]
