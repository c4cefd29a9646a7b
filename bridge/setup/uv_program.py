# SPDX-License-Identifier: GPL-3.0-or-later
"""The package installer uv, fetched as a wheel and checked against what its release says of itself.

A Python without pip and without venv, as some Linux systems bring for Blender, can be set up with it all the same.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import platform
import ssl
import sys
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path

from .torch_builds import PROCESSORS

VERSION = "0.13.9"
INDEX = "https://pypi.org/simple"
_PATIENCE = 60.0  # seconds without a byte
_MOST_PAGE, _MOST_WHEEL = 1 << 25, 1 << 26  # bytes
_ACCEPT = "application/vnd.pypi.simple.v1+json"
# (system, processor, C library) -> (the platform tag of the wheel, its SHA-256)
_WHEELS = {
    ("Linux", "x86_64", "glibc"): (
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    ),
    ("Linux", "arm64", "glibc"): (
        "manylinux_2_28_aarch64",
        "ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375",
    ),
    ("Darwin", "arm64", ""): (
        "macosx_11_0_arm64",
        "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63",
    ),
    ("Windows", "x86_64", ""): ("win_amd64", "6a44b2ed8111d2f60d2b92627c5dccda3f7ed7570b18ce115e569cd68c28246b"),
}


class NoUv(Exception):
    """uv is not to be had here; pip has to do."""


class IndexUnreachable(Exception):
    """The package index does not answer; the text names it and says what to do."""


def wheel_here() -> tuple[str, str]:
    """(file name, SHA-256) of uv's wheel for this system. Raises NoUv."""
    processor = PROCESSORS.get(platform.machine().lower(), "")
    libc = platform.libc_ver()[0] if platform.system() == "Linux" else ""
    if (row := _WHEELS.get((platform.system(), processor, libc))) is None:
        raise NoUv(f"there is none for {platform.system()} on {platform.machine()}")
    return f"uv-{VERSION}-py3-none-{row[0]}.whl", row[1]


def fetch(folder: Path, wheels: Path | None, environment: Mapping[str, str]) -> Path:
    """uv's program, put into `folder`: from the folder `wheels` where one is given, else from the package index.

    Raises NoUv where it cannot be had, IndexUnreachable when the index does not answer.
    """
    name, digest = wheel_here()
    wheel = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    if wheels is None:
        wheel.write_bytes(_read(_address(name, index(environment)), _MOST_WHEEL))
    else:
        if not os.path.isfile(wheels / name):
            raise NoUv(f"{wheels} holds no {name}")
        wheel = wheels / name
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != digest:
        raise NoUv(f"{name} is not the file that was released")
    inside = f"uv-{VERSION}.data/scripts/" + ("uv.exe" if sys.platform == "win32" else "uv")
    program = folder / Path(inside).name
    with zipfile.ZipFile(wheel) as opened:
        program.write_bytes(opened.read(inside))
    program.chmod(0o755)
    return program


def index(environment: Mapping[str, str]) -> str:
    """The general package index: the user's, as uv and pip let them name it, else the public one."""
    return environment.get("UV_DEFAULT_INDEX") or environment.get("PIP_INDEX_URL") or INDEX


def _address(name: str, index_url: str) -> str:
    """Where the index has that file. Raises IndexUnreachable, NoUv."""
    page = index_url.rstrip("/") + "/uv/"
    try:
        listed = json.loads(_read(page, _MOST_PAGE, _ACCEPT))["files"]
        return next(urllib.parse.urljoin(page, str(file["url"])) for file in listed if file["filename"] == name)
    except (ValueError, LookupError, TypeError, RecursionError, StopIteration):
        raise NoUv(f"{page} does not list {name}") from None


def _read(address: str, most: int, accept: str = "*/*") -> bytes:
    """What an address answers, of `most` bytes at most. Raises IndexUnreachable."""
    try:
        headers = {"Accept": accept, "User-Agent": f"wan-previs (uv {VERSION})"}
        request = urllib.request.Request(address, headers=headers)
        trusted = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or os.environ.get("PIP_CERT"))
        with urllib.request.urlopen(request, timeout=_PATIENCE, context=trusted) as answer:
            said = bytes(answer.read(most))
            if answer.length and len(said) < most:
                raise OSError("the answer broke off")
            return said
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        reason = getattr(reason, "strerror", None) or reason
        raise IndexUnreachable(unreachable(address, reason)) from error


def unreachable(address: str, reason: object) -> str:
    """In words: who does not answer, and what to do."""
    parts = urllib.parse.urlsplit(address)
    place = f"{parts.scheme}://{parts.hostname}" if parts.hostname else address
    return (
        f"The server {place} cannot be reached ({reason}). Check your internet connection and proxy, or choose a "
        "Wheels Folder in the add-on's preferences, and set up the engine again."
    )
