# SPDX-License-Identifier: GPL-3.0-or-later
"""Saved states of interrupted samplings as far as Blender's side reads them."""

import json

from wan_previs.wan_engine.saved_state import SCHEMA


def state_file(schema: str = SCHEMA, weights: str = "") -> bytes:
    """A state without tensors, as a version with that schema leaves it."""
    header = json.dumps({"__metadata__": {"schema": schema, "weights": weights}}).encode()
    return len(header).to_bytes(8, "little") + header
