# SPDX-License-Identifier: GPL-3.0-or-later
"""The installer against a package index on this computer, with the real uv and with pip."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest
from wan_previs.bridge import engine_setup
from wan_previs.bridge.engine_setup import EngineRemoval, EngineSetup
from wan_previs.bridge.environment import EnvironmentMissing, find_engine, self_test, venv_python
from wan_previs.bridge.setup import installer, uv_program
from wan_previs.bridge.setup.torch_builds import Machine

pytestmark = pytest.mark.usefixtures("no_variable")
PYTHON = Path(sys.executable)


def write_wheel(folder: Path, name: str, version: str) -> None:
    """A package that holds nothing but its name."""
    info = f"{name}-{version}.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}_{version.replace('.', '_').replace('+', '_')}.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


class Index(http.server.SimpleHTTPRequestHandler):
    """A folder of projects as a package index serves them, in both of its formats."""

    def do_GET(self) -> None:
        folder = Path(self.translate_path(self.path))
        if not folder.is_dir():
            return super().do_GET()
        names = [file.name for file in sorted(folder.glob("*.whl"))]
        if "json" in self.headers.get("Accept", "") and "html" not in self.headers["Accept"]:
            files = [{"filename": name, "url": name.replace("+", "%2B"), "hashes": {}} for name in names]
            body, kind = json.dumps({"meta": {"api-version": "1.0"}, "name": folder.name, "files": files}), "json"
        else:
            body, kind = "".join(f'<a href="{n.replace("+", "%2B")}">{n}</a>\n' for n in names), "html"
        told = {"json": "application/vnd.pypi.simple.v1+json", "html": "text/html"}[kind]
        self.send_response(200 if names else 404)
        self.send_header("Content-Type", told)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def uv_wheel(tmp_path_factory) -> Path:
    """uv's own wheel for this system, from the public index."""
    folder = tmp_path_factory.mktemp("uv")
    try:
        uv_program.fetch(folder, None, os.environ)
    except uv_program.IndexUnreachable as error:
        pytest.skip(f"uv cannot be downloaded: {error}")
    return next(folder.glob("uv-*.whl"))


@pytest.fixture
def index(tmp_path, monkeypatch, uv_wheel):
    """The folder that both indexes are served from: simple/PROJECT/ and torch/cpu/PROJECT/."""
    root = tmp_path / "index"
    (root / "simple" / "uv").mkdir(parents=True)
    shutil.copy(uv_wheel, root / "simple" / "uv")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Index, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{address}/simple")
    monkeypatch.setenv("WAN_PREVIS_TORCH_INDEX", f"{address}/torch")
    yield root
    server.shutdown()
    server.server_close()


def a_lock(tmp_path: Path, *lines: str) -> Path:
    (tmp_path / "engine.lock").write_text("".join(f"{line}\n" for line in lines))
    return tmp_path / "engine.lock"


def packages_of(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*.dist-info") if "site-packages" in path.parts}


def test_the_build_of_this_machine_is_taken_of_two_indexes(tmp_path, index):
    """`other` is in both: the general index has the newer one; of stand_in the local version counts as newer."""
    write_wheel(index / "simple" / "stand-in", "stand_in", "2.13.0")
    write_wheel(index / "torch" / "cpu" / "stand-in", "stand_in", "2.13.0+cpu")
    write_wheel(index / "simple" / "other", "other", "1.1")
    write_wheel(index / "torch" / "cpu" / "other", "other", "1.0")
    lines: list[str] = []
    work = EngineSetup(PYTHON, tmp_path / "user" / "engine", a_lock(tmp_path, "stand_in==2.13.0", "other"), True)
    work.run(lines.append)
    found = packages_of(tmp_path / "user" / "engine")
    assert {"stand_in-2.13.0+cpu.dist-info", "other-1.1.dist-info"} <= found
    assert any(line.startswith("uv ") for line in lines) and "GB on disk" in work.plan and work.fraction == 1.0
    assert re.fullmatch(r"0\.\d of about 1\.\d GB on the disk|", work.size)
    assert find_engine(None, tmp_path, tmp_path / "user").python == venv_python(tmp_path / "user" / "engine")
    assert not (tmp_path / "user" / "engine" / ".setup").exists()


def test_a_folder_of_wheels_serves_in_place_of_the_network(tmp_path, uv_wheel, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody answers there
    wheels = tmp_path / "wheels"
    write_wheel(wheels, "stand_in", "1.0")
    shutil.copy(uv_wheel, wheels)
    lines: list[str] = []
    lock = a_lock(tmp_path, "stand_in==1.0")
    EngineSetup(PYTHON, tmp_path / "engine", lock, allow_network=False, wheels=wheels).run(lines.append)
    assert "stand_in-1.0.dist-info" in packages_of(tmp_path / "engine")
    assert any(line.startswith("uv ") for line in lines)


def test_without_uv_pip_installs(tmp_path):
    wheels = tmp_path / "wheels"
    write_wheel(wheels, "stand_in", "1.0")
    lines: list[str] = []
    lock = a_lock(tmp_path, "stand_in==1.0")
    EngineSetup(PYTHON, tmp_path / "engine", lock, allow_network=False, wheels=wheels).run(lines.append)
    assert "stand_in-1.0.dist-info" in packages_of(tmp_path / "engine")
    assert any("pip installs the packages" in line for line in lines)


def test_a_folder_of_wheels_that_lacks_one_says_which(tmp_path):
    wheels = tmp_path / "wheels"
    write_wheel(wheels, "stand_in", "1.0")
    work = EngineSetup(PYTHON, tmp_path / "engine", a_lock(tmp_path, "missing-one"), False, wheels)
    with pytest.raises(EnvironmentMissing, match=r"wheels holds no missing-one for this computer .* Put it there"):
        work.run(lambda line: None)


@pytest.mark.parametrize("tag", ["cp311-cp311-win_amd64", "cp39-cp39-manylinux_2_17_x86_64"])
def test_wheels_of_other_computers_do_not_count(tmp_path, uv_wheel, tag):
    wheels = tmp_path / "wheels"
    write_wheel(wheels, "stand_in", "1.0")
    (wheels / "stand_in-1.0-py3-none-any.whl").rename(wheels / f"stand_in-1.0-{tag}.whl")
    (wheels / "photo.png").write_bytes(b"x")
    shutil.copy(uv_wheel, wheels)
    work = EngineSetup(PYTHON, tmp_path / "engine", a_lock(tmp_path, "stand_in==1.0"), False, wheels)
    with pytest.raises(EnvironmentMissing, match=r"holds no stand-in==1\.0 for this computer and Python 3"):
        work.run(lambda line: None)


def uvs_own_python(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """This Python, packed as those are that uv downloads; its version."""
    base, version = Path(sys.base_prefix), "{}.{}.{}".format(*sys.version_info)
    archive, link = folder / "1" / "python.tar.gz", f"lib/python{version.rpartition('.')[0]}"
    archive.parent.mkdir()
    needless = ("site-packages", "test", "idlelib", "__pycache__", "ensurepip", "lib2to3")
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for path in (*(base / "lib").glob("libpython*.so*"), *(base / link).iterdir()):
            if path.name not in needless and not path.name.startswith("config-"):
                tar.add(path, f"python/{path.relative_to(base)}")
        tar.add(Path(sys.executable).resolve(), f"python/bin/python{version.rpartition('.')[0]}")
    major, minor, patch = sys.version_info[:3]
    row = {
        "name": "cpython", "arch": {"family": "x86_64", "variant": None}, "os": "linux", "libc": "gnu", "major": major,
        "minor": minor, "patch": patch, "prerelease": "", "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "url": "https://github.com/astral-sh/python-build-standalone/releases/download/1/python.tar.gz",
        "variant": None, "build": "1",
    }  # fmt: skip
    (folder / "list.json").write_text(json.dumps({f"cpython-{version}-linux-x86_64-gnu": row}))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(folder / "list.json"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", folder.as_uri())
    monkeypatch.setattr(installer, "_MANAGED", version)
    return version


@pytest.mark.skipif((platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="packs a Python of Linux")
def test_uv_brings_a_python_where_blenders_will_not_do(tmp_path, uv_wheel, monkeypatch, capsys):
    version = uvs_own_python(tmp_path, monkeypatch)
    task = installer.Task(tmp_path / "engine", a_lock(tmp_path))
    environment = installer._environment(task.folder / ".setup")
    uv = uv_program.fetch(task.folder / ".setup", uv_wheel.parent, os.environ)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    python = installer._venv(task, uv, environment)
    told = "import sys; print(*sys.version_info[:3], sep='.'); print(sys.base_prefix)"
    said = subprocess.run([python, "-c", told], capture_output=True, text=True, check=True).stdout.split("\n")
    assert said[0] == version and Path(said[1]).resolve().is_relative_to(task.folder.resolve() / "python")
    assert f"Python {version} is downloaded for the engine" in capsys.readouterr().out


@pytest.mark.parametrize("way", ["wheels", "network"])
def test_a_python_that_cannot_be_had_is_told_with_what_to_do(tmp_path, uv_wheel, monkeypatch, way):
    monkeypatch.setattr(installer, "_NEWEST", (3, 10))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(tmp_path / "nowhere.json"))
    task = installer.Task(tmp_path / "engine", a_lock(tmp_path), tmp_path if way == "wheels" else None)
    environment = installer._environment(task.folder / ".setup")
    uv = uv_program.fetch(task.folder / ".setup", uv_wheel.parent, os.environ)
    words = {"wheels": "Empty Wheels Folder", "network": r"could not be downloaded from github\.com"}[way]
    with pytest.raises(installer.SetupFailed, match=f"Blender's Python .* {words}.* choose a Python of your own"):
        installer._venv(task, uv, environment)
    with pytest.raises(installer.SetupFailed, match=r"the engine needs 3\.11 to 3\.10. To go on, choose"):
        installer._venv(task, None, environment)


def test_an_engine_that_is_half_cleared_does_not_count_as_whole(tmp_path, monkeypatch):
    for name in ("bin", "lib", "a"):
        (tmp_path / name).mkdir()
    for name in (installer.READY, engine_setup.MARK):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(shutil, "rmtree", lambda path: sys.exit("a file that is in use"))
    monkeypatch.setattr(sys, "argv", ["-c", str(tmp_path), engine_setup.MARK, engine_setup.MARK, installer.READY])
    with pytest.raises(SystemExit):
        exec(engine_setup._CLEAR, {})
    assert not (tmp_path / installer.READY).exists() and (tmp_path / engine_setup.MARK).exists()


def test_an_index_that_cannot_be_reached_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    work = EngineSetup(PYTHON, tmp_path / "engine", a_lock(tmp_path, "stand_in"), True)
    with pytest.raises(EnvironmentMissing, match=r"http://127\.0\.0\.1 cannot be reached .*proxy.*Wheels Folder"):
        work.run(lambda line: None)


def test_an_index_of_torch_that_cannot_be_reached_is_named(tmp_path, index, monkeypatch):
    write_wheel(index / "simple" / "stand-in", "stand_in", "1.0")
    monkeypatch.setenv("WAN_PREVIS_TORCH_INDEX", "http://localhost:9/whl")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    work = EngineSetup(PYTHON, tmp_path / "engine", a_lock(tmp_path, "stand_in"), True)
    with pytest.raises(EnvironmentMissing, match=r"http://localhost cannot be reached"):
        work.run(lambda line: None)


def test_a_uv_that_is_not_the_released_one_is_not_run(tmp_path, index):
    (wheel,) = (index / "simple" / "uv").glob("*.whl")
    wheel.write_bytes(wheel.read_bytes()[:-1] + b"x")
    write_wheel(index / "simple" / "stand-in", "stand_in", "1.0")
    write_wheel(index / "torch" / "cpu" / "stand-in", "stand_in", "0.9")
    lines: list[str] = []
    EngineSetup(PYTHON, tmp_path / "engine", a_lock(tmp_path, "stand_in"), True).run(lines.append)
    assert any("not the file that was released" in line for line in lines)
    assert "stand_in-1.0.dist-info" in packages_of(tmp_path / "engine")


def test_a_plan_installs_nothing_and_removes_nothing(tmp_path):
    engine = tmp_path / "engine"
    EngineSetup(PYTHON, engine, a_lock(tmp_path), True).cancel()
    (engine / "kept").write_text("")
    work = EngineSetup(PYTHON, engine, a_lock(tmp_path), True, plan_only=True)
    work.run(lambda line: None)
    assert "GB to download" in work.plan and sorted(path.name for path in engine.iterdir())[-1] == "kept"
    assert not venv_python(engine).exists()


def test_a_disk_that_is_too_small_is_told_before_the_download(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**9, 9 * 10**8, 10**8))
    task = {"folder": str(tmp_path / "engine"), "lock": str(a_lock(tmp_path))}
    assert installer.main([json.dumps(task)]) == 1
    assert "where 0.1 GB are free. Make room" in capsys.readouterr().out


def test_the_room_of_an_engine_that_is_renewed_counts_as_free(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**9, 9 * 10**8, 10**8))
    monkeypatch.setattr(installer.machine, "look", lambda: Machine("Linux", "x86_64"))
    (tmp_path / "engine").mkdir()
    with (tmp_path / "engine" / "torch.so").open("wb") as old:
        old.truncate(2 * 10**9)  # takes no disk
    task = {"folder": str(tmp_path / "engine"), "lock": str(a_lock(tmp_path)), "plan_only": True}
    assert installer.main([json.dumps(task)]) == 0
    assert '"plan"' in capsys.readouterr().out


def test_an_engine_that_was_not_set_up_to_the_end_is_none(tmp_path):
    engine = tmp_path / "engine"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", engine], check=True)
    with pytest.raises(EnvironmentMissing, match="not set up to the end"):
        find_engine(None, tmp_path / "nowhere", tmp_path)


def test_a_removed_engine_leaves_nothing(tmp_path):
    engine = tmp_path / "engine"
    setup = EngineSetup(PYTHON, engine, a_lock(tmp_path), True)
    setup.cancel()
    (engine / "lib").mkdir()
    (engine / "lib" / "torch.py").write_text("")
    removal = EngineRemoval(PYTHON, engine)
    removal.run(lambda line: None)
    assert list(engine.iterdir()) == []
    with pytest.raises(EnvironmentMissing, match="is not set up"):
        find_engine(None, tmp_path / "nowhere", tmp_path / "user")


@pytest.mark.parametrize("said", ["", "{", '{"devices": 3}', '{"devices": [3, {"ok": true}]}', "[" * 5000])
def test_a_damaged_self_test_breaks_nothing(tmp_path, said):
    python = venv_python(tmp_path)
    (tmp_path / installer.READY).write_text(said)
    assert self_test(python) in ([], [{"ok": True}])


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (["error: failed to write: No space left on device (os error 28)"], "The disk is full"),
        (["ERROR: Could not install: [Errno 28] No space left on device"], "The disk is full"),
        (["OSError: There is not enough space on the disk"], "The disk is full"),
        (
            ["error: Request failed after 3 retries", "  cause: Failed to fetch: `https://pypi.org/simple/torch/`",
             "  cause: dns error"],
            r"https://pypi\.org cannot be reached \(dns error\)",
        ),
        (["HTTPSConnectionPool(host='pypi.org', port=443): Max retries exceeded"], r"https://pypi\.org cannot"),
        (["x"], r"ended with status 2 \(x\)"),
        (["error: Failed to download", "  cause: Hash mismatch for `big==1.0`"], "big==1.0 did not arrive whole"),
        (["error: No solution found", "cause: Because einops==0.8.2 has an invalid", " package format and you"],
         "einops==0.8.2 did not arrive whole"),
        (["cause: Because einops was not found in the package registry and"], "^einops$"),
        (["cause: Because there is no version of einops==0.8.2 and"], "^einops==0.8.2$"),
        (["ERROR: No matching distribution found for big==1.0"], "^big==1.0$"),
        (
            ["Resolved", "  \u00d7 No solution found when resolving dependencies:",
             "  \u2570\u2500\u25b6 Because a wants b, your requirements are", "      unsatisfiable."],
            r"\(\u00d7 No solution found when resolving dependencies: Because a wants b, your requirements are "
            r"unsatisfiable\.\)",
        ),
        ([], "said nothing"),
    ],
)  # fmt: skip
def test_why_an_installer_failed(said, words):
    with pytest.raises(installer.SetupFailed, match=words):
        raise installer._failure(said, "uv", 2)


def test_a_program_that_was_killed_is_told_as_that():
    assert "ended from outside (signal 9). Set up" in str(installer._failure([], "uv", -9))
