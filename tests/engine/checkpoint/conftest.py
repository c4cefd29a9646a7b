# SPDX-License-Identifier: GPL-3.0-or-later
"""A hub on this machine, for the tests that download."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hub_server import Hub, serving

from wan_engine.checkpoint import download


@pytest.fixture
def hub(monkeypatch) -> Iterator[Hub]:
    made = Hub()
    with serving(made) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setattr(download.constants, "DOWNLOAD_CHUNK_SIZE", 1000)  # of 10 MB, which are lost on a break
        monkeypatch.setattr("time.sleep", lambda seconds: None)  # huggingface_hub waits between attempts
        yield made
