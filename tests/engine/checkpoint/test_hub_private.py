# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine uses of huggingface_hub's undocumented names: still there in the installed release, and still what it
takes them for."""

import inspect

import httpx2
import huggingface_hub
from huggingface_hub.utils import get_session

from wan_engine.checkpoint.hub_private import KNOWN, default_client_factory, http_get


def test_the_installed_release_is_known():
    release = ".".join(huggingface_hub.__version__.split(".")[:2])
    assert release in KNOWN, f"huggingface_hub {release} is new: add it to KNOWN once the other tests here pass"


def test_the_client_is_the_one_that_is_used_without_limits():
    with default_client_factory() as client:
        assert isinstance(client, httpx2.Client) and client.follow_redirects
        assert {"request", "response"} <= set(client.event_hooks)
        assert {name: len(hooks) for name, hooks in client.event_hooks.items()} == {
            name: len(hooks) for name, hooks in get_session().event_hooks.items()
        }


def test_a_file_is_fetched_by_what_download_gives():
    names = {"url", "temp_file", "resume_size", "headers", "expected_size", "displayed_filename", "tqdm_class"}
    assert names <= set(inspect.signature(http_get).parameters)
