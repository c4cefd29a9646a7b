# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's side of the tests on every Blender that the extension supports, one after the other: `make test-versions`.

    python tools/versions.py [--envs DIR] [--only 4.2,5.0] [--with-engine] [TESTS]

Each version has an environment of its own, DIR/VERSION, made when it is not there (about 1 GB each); 4.5 is tested in
.venv, which `make setup` makes. A version whose Python is not on this machine is skipped. Tests that start the engine
(marked `engine`) are left out unless --with-engine asks for them. Logs lie in build/versions.
Status 0 when every version passed or was skipped, and at least one was not skipped.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements-versions.lock"
LOGS = ROOT / "build" / "versions"
SKIPPED = "skipped"


class Release(NamedTuple):
    bpy: str
    python: str


RELEASES = {
    "4.2": Release("4.2.23", "3.11"),
    "4.5": Release("4.5.15", "3.11"),
    "5.0": Release("5.0.1", "3.11"),
    "5.1": Release("5.1.2", "3.13"),
    "5.2": Release("5.2.3", "3.13"),
}


class Row(NamedTuple):
    """One version's line of the table; `result` is `passed`, `failed`, `skipped` or what happened instead."""

    version: str
    result: str
    passed: int = 0
    failed: int = 0
    left_out: int = 0
    seconds: float = 0.0
    blender: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Test Blender's side on every supported Blender version.")
    parser.add_argument("--envs", type=Path, default=ROOT / ".venvs", help="folder of the environments")
    parser.add_argument("--only", default=",".join(RELEASES), help="versions, separated by commas")
    parser.add_argument("--with-engine", action="store_true", help="also what starts the engine, in .venv-engine")
    parser.add_argument("tests", nargs="*", default=["tests/blender"], help="files or folders")
    chosen = parser.parse_args(arguments)
    versions = chosen.only.split(",")
    if unknown := [version for version in versions if version not in RELEASES]:
        parser.error(f"{', '.join(unknown)}: the versions are {', '.join(RELEASES)}")
    LOGS.mkdir(parents=True, exist_ok=True)
    rows = [run_tests(version, chosen.envs.absolute(), chosen.tests, chosen.with_engine) for version in versions]
    print(table(rows))
    results = {row.result for row in rows}
    return 0 if "passed" in results and results <= {"passed", SKIPPED} else 1


def run_tests(version: str, envs: Path, tests: Sequence[str], with_engine: bool) -> Row:
    python = ready_python(version, envs)
    if python is None:
        return Row(version, SKIPPED)
    print(f"Blender {version}: {python}", flush=True)
    report, log = LOGS / f"{version}.xml", LOGS / f"{version}.txt"
    report.unlink(missing_ok=True)
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", "-rfE", f"--junitxml={report}"]
    command += [] if with_engine else ["-m", "not engine"]
    with log.open("w") as output:
        done = subprocess.run([*command, *tests], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    row = row_of(version, report, done.returncode)
    if row.result != "passed":
        told = [line for line in log.read_text().splitlines() if line.startswith(("FAILED ", "ERROR "))]
        print("\n".join([*told, f"See {log}"]), file=sys.stderr, flush=True)
    return row._replace(blender=blender_in(python))


def ready_python(version: str, envs: Path) -> Path | None:
    """The interpreter of the version's environment, which is made first if need be; None when its Python is missing."""
    folder = ROOT / ".venv" if version == "4.5" and not (envs / version).exists() else envs / version
    inside = folder / "bin" / "python"
    release = RELEASES[version]
    if not inside.is_file():
        base = f"python{release.python}"
        if not runs(base):
            words = f"*** Blender {version} is NOT tested: {base} is not on this machine. Install it. ***"
            print(words, file=sys.stderr, flush=True)
            return None
        subprocess.run([base, "-m", "venv", folder], check=True)
    if not runs(
        inside, f"import astral, bpy, hypothesis, pytest; assert bpy.app.version_string.startswith('{version}.')"
    ):
        pip = [inside, "-m", "pip", "install", "--disable-pip-version-check"]
        subprocess.run([*pip, f"bpy=={release.bpy}", "-r", LOCK], check=True)
    link = folder / "lib" / f"python{release.python}" / "site-packages" / "wan_previs"
    if link.resolve() != ROOT:
        link.unlink(missing_ok=True)
        link.symlink_to(ROOT, target_is_directory=True)
    return inside


def runs(python: str | Path, code: str = "") -> bool:
    try:
        return subprocess.run([python, "-c", code], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def blender_in(python: Path) -> str:
    code = "import bpy; print(bpy.app.version_string)"
    return subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.strip().split("\n")[-1]


def row_of(version: str, report: Path, status: int) -> Row:
    """Counts from pytest's report; without one, pytest itself or Blender came to grief."""
    if not report.is_file():
        return Row(version, f"ended with status {status}")
    suite = next(ElementTree.parse(report).iter("testsuite"))
    total, failures, errors, left_out = (int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped"))
    failed = failures + errors
    result = "passed" if status == 0 and total > left_out else "failed"
    return Row(version, result, total - failed - left_out, failed, left_out, float(suite.get("time", 0)))


def table(rows: Sequence[Row]) -> str:
    lines = [f"{'Blender':<16} {'result':<24} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>8}"]
    for row in rows:
        numbers = f"{row.passed:>7} {row.failed:>7} {row.left_out:>8} {row.seconds:>8.0f}"
        lines.append(f"{row.blender or row.version:<16} {row.result:<24} {numbers}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
