# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoded prompts on disk."""

import dataclasses
import os
from pathlib import Path

import pytest
import torch

from wan_engine.checkpoint.checkpoint import open_checkpoint
from wan_engine.inputs.prompt_cache import PromptCache, prompt_key

NANO = Path(__file__).parents[3] / "checkpoints" / "nano"


@pytest.fixture
def cache(tmp_path):
    return PromptCache(tmp_path / "prompts")


def test_what_is_put_is_got_to_the_bit(cache):
    rows = torch.randn(7, 32)
    assert cache.get("a") is None
    cache.put("a", rows)
    assert torch.equal(cache.get("a"), rows)
    assert cache.get("b") is None
    cache.put("a", rows + 1)
    assert torch.equal(cache.get("a"), rows + 1)


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "nan"])
def test_a_damaged_entry_is_not_there(cache, tmp_path, damage):
    cache.put("a", torch.full((7, 32), float("nan") if damage == "nan" else 1.0))
    (path,) = (tmp_path / "prompts").iterdir()
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": whole[:-5], "noise": os.urandom(len(whole)), "nan": whole}[damage])
    assert cache.get("a") is None
    cache.put("a", torch.ones(7, 32))
    assert torch.equal(cache.get("a"), torch.ones(7, 32))


@pytest.mark.parametrize("place", range(0, 100, 4))
def test_one_wrong_bit_anywhere_is_damage_and_told(tmp_path, place):
    told = []
    cache = PromptCache(tmp_path, note=told.append)
    cache.put("a", torch.randn(7, 32))
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[place * len(data) // 100] ^= 1 << place % 8
    path.write_bytes(data)
    assert cache.get("a") is None and len(told) == 1 and "damaged" in told[0]
    assert cache.get("b") is None and len(told) == 1


def test_the_entry_of_another_prompt_is_damage(tmp_path):
    cache = PromptCache(tmp_path)
    cache.put("a", torch.ones(7, 32))
    (path,) = tmp_path.iterdir()
    path.rename(path.with_name(path.name.replace("a.", "b.", 1)))
    assert cache.get("b") is None


def test_it_stays_within_its_bound_and_drops_what_was_not_used_for_the_longest_time(tmp_path):
    size = 8 * 32 * 4
    cache = PromptCache(tmp_path, limit=3 * (size + 200))
    for number, key in enumerate("abc"):
        cache.put(key, torch.full((8, 32), float(number)))
        (path,) = tmp_path.glob(f"{key}.*")
        os.utime(path, (number, number))
    assert cache.get("a") is not None  # used again: now the youngest
    cache.put("d", torch.zeros(8, 32))
    assert [cache.get(key) is not None for key in "abcd"] == [True, False, True, True]
    assert len(list(tmp_path.iterdir())) == 3  # and nothing half written


def test_an_entry_larger_than_the_bound_is_kept_alone(tmp_path):
    cache = PromptCache(tmp_path, limit=100)
    cache.put("a", torch.zeros(8, 32))
    cache.put("b", torch.ones(8, 32))
    assert cache.get("a") is None
    assert torch.equal(cache.get("b"), torch.ones(8, 32))


def test_the_key_tells_apart_all_that_changes_the_states(tmp_path):
    checkpoint = open_checkpoint(NANO)
    longer = dataclasses.replace(checkpoint, config=dataclasses.replace(checkpoint.config, text_len=3))
    other = tmp_path / "tokenizer.json"
    other.write_text("{}")
    keys = [
        prompt_key(checkpoint, "a house", torch.float32),
        prompt_key(checkpoint, "a house ", torch.float32),
        prompt_key(checkpoint, "a house", torch.bfloat16),
        prompt_key(longer, "a house", torch.float32),
        prompt_key(dataclasses.replace(checkpoint, tokenizer=other), "a house", torch.float32),
    ]
    assert len(set(keys)) == len(keys)
    assert prompt_key(open_checkpoint(NANO), "a house", "float32") == keys[0]


def test_a_folder_whose_name_is_not_utf8_serves_as_any(tmp_path):
    told = []
    cache = PromptCache(tmp_path / os.fsdecode(b"caf\xe9"), note=told.append)
    cache.put("a", torch.ones(7, 32))
    assert torch.equal(cache.get("a"), torch.ones(7, 32)) and told == []
