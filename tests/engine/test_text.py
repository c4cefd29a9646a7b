# SPDX-License-Identifier: GPL-3.0-or-later
"""Cleaning and token ids against the original tokenizer."""

import golden
import pytest

from wan_engine.request import CheckpointError
from wan_engine.text import PromptTokenizer, clean


def test_cleaning():
    for case in golden.facts("preproc")["text_clean"]:
        assert clean(case["text"]) == case["whitespace"]


def test_ids():
    cases = golden.facts("tokenizer_cases")["cases"]
    assert len(cases) > 20
    for case in cases:
        tokenizer = PromptTokenizer(golden.path("tokenizer/tokenizer.json"), case["seq_len"])
        assert tokenizer(case["text"]) == case["ids"][: sum(case["mask"])], case["text"]


def test_unreadable_tokenizer(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match="tokenizer"):
        PromptTokenizer(tmp_path / "tokenizer.json")
