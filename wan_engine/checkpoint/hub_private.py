# SPDX-License-Identifier: GPL-3.0-or-later
"""All that the engine uses of huggingface_hub beyond what its reference documents, which may change with any release.

`KNOWN` lists the releases that these were tried with; another one is added when
`tests/engine/checkpoint/test_hub_private.py` passes with it.
"""

from __future__ import annotations

from huggingface_hub.file_download import http_get
from huggingface_hub.utils._http import default_client_factory

__all__ = ["KNOWN", "default_client_factory", "http_get"]

KNOWN = ("2.4",)
