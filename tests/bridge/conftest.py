# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers of these tests run tiny networks: threads that wait for each other only slow them on a busy machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from held_engine import HeldEngine
from real_jobs import engine_client, poll_until
from wan_previs.bridge.client import EngineClient
from wan_previs.bridge.environment import VARIABLE

os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[EngineClient]:
    """A client of the test's own; its worker ends with the test."""
    client = engine_client(tmp_path)
    yield client
    client.close()


@pytest.fixture(scope="module")
def warm_engine(tmp_path_factory: pytest.TempPathFactory) -> HeldEngine:
    return HeldEngine(tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory, warm_engine: HeldEngine) -> Iterator[EngineClient]:
    """A worker for the tests that leave it alive."""
    client = engine_client(tmp_path_factory.mktemp("warm"), warm_engine.python)
    client.start()
    poll_until(client, lambda message: message.kind == "ready")
    yield client
    client.close()


@pytest.fixture
def held(warm_engine):
    """Jobs stay in their first step, for one test."""
    warm_engine.hold()
    yield
    warm_engine.go_on()


@pytest.fixture
def held_engine(tmp_path: Path) -> HeldEngine:
    """An engine whose jobs stay in their first step."""
    engine = HeldEngine(tmp_path)
    engine.hold()
    return engine


@pytest.fixture
def held_client(tmp_path: Path, held_engine: HeldEngine) -> Iterator[EngineClient]:
    """A client of `held_engine`; its worker ends with the test."""
    client = engine_client(tmp_path, held_engine.python)
    yield client
    client.close()


@pytest.fixture
def no_variable(monkeypatch):
    """No engine is named by the environment variable."""
    monkeypatch.delenv(VARIABLE, raising=False)
