# SPDX-License-Identifier: GPL-3.0-or-later
"""Cleaning and token ids against the original tokenizer, and tokenizers from every file they come in."""

import base64
import json
import os
import struct

import golden
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from tokenizers import Tokenizer

from wan_engine.checkpoint.sentencepiece import parse, read_tokenizer
from wan_engine.errors import CheckpointError
from wan_engine.inputs.prompt_tokens import PromptTokenizer, clean, fitted
from wan_engine.request_parts import PromptPart, joined

BYTES = "fullstack/Wan2.2-T2V-A14B/checkpoint/google/umt5-xxl/tokenizer.json"  # with a character map and byte fallback
PROMPTS = [
    "",
    "A red fox in the snow, 4k.",
    "日落时分，海边的灯塔；镜头缓慢推进。",
    "Ｆｕｌｌ－ｗｉｄｔｈ, ﬁgures ½ and e\u0301 — “quotes”… ™",
    "two  blanks\tand\u00a0others \u200b",
    "🦊 ünïcödé \u0301 </s> <pad> <0x41>",
]


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


def message(number, content):
    """A protobuf field: a number as a varint, a float in four bytes, anything else with its length."""
    if isinstance(content, float):
        return varint(number << 3 | 5) + struct.pack("<f", content)
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    data = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def kind_of(piece):
    if piece == "<unk>":
        return 2
    return 3 if piece in ("<pad>", "</s>") else 6 if piece.startswith("<0x") else 1


@pytest.fixture(scope="module")
def facts():
    return json.loads(golden.path(BYTES).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def spiece(facts):
    """The tokenizer of tokenizer.json as a sentencepiece model."""
    pieces = b"".join(
        message(1, message(1, piece) + message(2, float(score)) + message(3, kind_of(piece)))
        for piece, score in facts["model"]["vocab"]
    )
    charsmap = base64.b64decode(facts["normalizer"]["normalizers"][0]["precompiled_charsmap"])
    trainer = message(3, 1) + message(35, 1) + message(40, 2)
    return pieces + message(2, trainer) + message(3, message(1, "nmt_nfkc") + message(2, charsmap))


def save_model(folder, spiece, facts):
    (folder / "spiece.model").write_bytes(spiece)
    return folder / "spiece.model"


def save_inside(folder, spiece, facts):
    data = torch.frombuffer(bytearray(spiece), dtype=torch.uint8)
    save_file({"spiece_model": data, "shared.weight": torch.ones(2, 2)}, folder / "umt5.safetensors")
    return folder / "umt5.safetensors"


def save_gguf(folder, spiece, facts):
    import gguf

    writer = gguf.GGUFWriter(folder / "umt5.gguf", "t5encoder")
    vocab = facts["model"]["vocab"]
    writer.add_tokenizer_model("t5")
    writer.add_token_list([piece for piece, _ in vocab])
    writer.add_token_scores([score for _, score in vocab])
    writer.add_token_types([kind_of(piece) for piece, _ in vocab])
    writer.add_unk_token_id(2)
    writer.add_precompiled_charsmap(base64.b64decode(facts["normalizer"]["normalizers"][0]["precompiled_charsmap"]))
    writer.add_tensor("token_embd.weight", torch.ones(2, 2).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return folder / "umt5.gguf"


@pytest.mark.parametrize("save", [save_model, save_inside, save_gguf])
def test_a_sentencepiece_model_gives_the_ids_of_its_tokenizer_json(save, spiece, facts, tmp_path):
    want = Tokenizer.from_file(str(golden.path(BYTES)))
    got = read_tokenizer(save(tmp_path, spiece, facts))
    assert got.get_vocab() == want.get_vocab()
    for prompt in PROMPTS:
        assert got.encode(prompt).ids == want.encode(prompt).ids, prompt
        assert PromptTokenizer(got)(prompt) == PromptTokenizer(want)(prompt)
    assert got.decode(got.encode(PROMPTS[1]).ids) == want.decode(want.encode(PROMPTS[1]).ids)


def test_damaged_and_absent_sentencepiece_models(spiece, tmp_path):
    assert len(parse(spiece).texts) == 1256
    for data in (spiece[:-7], b"", b"\xff" * 40, message(1, message(1, "a")) + message(2, message(3, 2))):
        (tmp_path / "spiece.model").write_bytes(data)
        with pytest.raises(CheckpointError, match=r"spiece\.model cannot be read"):
            read_tokenizer(tmp_path / "spiece.model")
    save_file({"shared.weight": torch.ones(2, 2)}, tmp_path / "umt5.safetensors")
    with pytest.raises(CheckpointError, match=r"put tokenizer\.json"):
        read_tokenizer(tmp_path / "umt5.safetensors")


PARTS = (
    PromptPart("Day time.", 3),
    PromptPart("A fisherman mends nets.", -1),
    PromptPart("The scene shows a boat."),
    PromptPart("A lamp glows on the left.", 5),
    PromptPart("A lamp glows on the right.", 5),
    PromptPart("The sun is low."),
    PromptPart("Late, the sun sinks.", 1),
    PromptPart("The camera pans.", 2),
)


def test_what_matters_least_goes_first_and_own_words_go_behind():
    def left(most):
        prompt, gone = fitted(PARTS, lambda text: len(text.split()) <= most)
        assert sorted(gone + [part.text for part in PARTS if part.text in prompt]) == sorted(p.text for p in PARTS)
        return prompt

    assert left(99) == joined(PARTS)
    assert "left" in left(29) and "right" not in left(29)
    assert left(17) == "A fisherman mends nets. The scene shows a boat. The sun is low. Late, the sun sinks."
    assert left(15) == "The scene shows a boat. The sun is low. Late, the sun sinks. A fisherman mends nets."
    assert left(12) == "The scene shows a boat. The sun is low. A fisherman mends nets."
    assert left(5) == "The scene shows a boat. The sun is low. A fisherman mends nets."


@given(
    st.lists(st.tuples(st.integers(-1, 6), st.integers(1, 9)), max_size=12, unique_by=lambda one: one),
    st.integers(1, 60),
)
def test_no_sentence_of_how_the_light_goes_is_missing_while_another_could_be(drawn, most):
    parts = [PromptPart(" ".join(["x", *[f"{rank}{words}"] * (words - 1)]), rank) for rank, words in drawn]
    prompt, gone = fitted(parts, lambda text: len(text.split()) <= most)
    assert sum(len(text.split()) for text in gone) + len(prompt.split()) == sum(words for _, words in drawn)
    lost = [part for part in parts if part.rank == 1 and part.text in gone]
    must = sum(words for rank, words in drawn if rank in (0, 1))
    assert not lost or must > most
    if len(prompt.split()) > most:  # only words of the user's own are cut off, or what must be told is too long
        assert not [part for part in parts if part.rank > 1 and part.text not in gone]


def test_what_is_not_read_is_known_to_the_letter():
    path = golden.path("tokenizer/tokenizer.json")
    text = "A red fox runs through   fresh snow &amp; ice at dawn, 日落时分。"
    whole = PromptTokenizer(path, 512)
    assert whole.beyond(text) == "" and whole.count(text) == len(whole(text))
    for length in range(1, whole.count(text)):
        short = PromptTokenizer(path, length)
        lost = short.beyond(text)
        assert lost and clean(text).endswith(lost) and len(short(text)) == length
        kept = clean(text).removesuffix(lost)
        read = whole(kept.strip())[:-1]
        assert read == whole(text)[: len(read)] and length - 2 <= len(read) < length


def test_a_tokenizer_below_a_path_that_is_not_utf8_is_read(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "tokenizer.json").write_bytes(golden.path("tokenizer/tokenizer.json").read_bytes())
    known = PromptTokenizer(golden.path("tokenizer/tokenizer.json"))
    assert PromptTokenizer(folder / "tokenizer.json")(PROMPTS[1]) == known(PROMPTS[1])
