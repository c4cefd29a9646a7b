# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers of these tests run tiny networks: threads that wait for each other only slow them on a busy machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_jobs import engine_client
from wan_previs.bridge.client import EngineClient
from wan_previs.bridge.environment import VARIABLE

os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[EngineClient]:
    """A client of the test's own; its worker ends with the test."""
    client = engine_client(tmp_path)
    yield client
    client.close()


@pytest.fixture
def no_variable(monkeypatch):
    """No engine is named by the environment variable."""
    monkeypatch.delenv(VARIABLE, raising=False)
