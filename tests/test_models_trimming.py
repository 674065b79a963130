"""Trimming: what English and Chinese need of a GGUF's vocabulary stays, to the byte, and nothing else of it."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

import scripts
from rag_rationale.config import load_settings
from rag_rationale.errors import ModelError
from rag_rationale.generation.native import Native
from rag_rationale.models import resolve
from rag_rationale.models.trimming import NOTE, read_kept, trim_vocabulary, write_kept
from rag_rationale.types import Progress

NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
TOKENS = ("<unk>", "<s>", "<unused0>", "<0x41>", "a", "▁room", "мир", "服务")
TYPES = (UNKNOWN, CONTROL, CONTROL, BYTE, NORMAL, NORMAL, NORMAL, NORMAL)
SCORES = (0.0, 0.0, 0.0, 0.0, -901.0, -5.0, -6.0, -800.0)
KEPT = np.array([True, True, False, True, True, True, False, True])
choosing = scripts.script("choose_vocabulary")


def quiet(stage: str, done: int, total: int | None) -> None:
    """The progress nobody watches."""


def write(path: Path) -> np.ndarray:
    writer = gguf.GGUFWriter(path, "gemma3")
    writer.add_name("Tiny")
    writer.add_description("As published.")
    writer.add_uint32("gemma3.vocab_size", len(TOKENS))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(list(TOKENS))
    writer.add_token_scores(list(SCORES))
    writer.add_token_types(list(TYPES))
    writer.add_bos_token_id(TOKENS.index("<s>"))
    rows = np.arange(len(TOKENS) * 4, dtype=np.float32).reshape(-1, 4)
    writer.add_tensor("token_embd.weight", rows)
    writer.add_tensor("blk.0.attn_norm.weight", np.full(5, 0.5, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return rows


def test_what_is_left_out_takes_its_row_along_and_all_else_stays(tmp_path: Path) -> None:
    rows = write(tmp_path / "whole.gguf")
    seen: list[tuple[str, int, int | None]] = []
    progress: Progress = lambda *step: seen.append(step)  # noqa: E731
    trim_vocabulary(tmp_path / "whole.gguf", tmp_path / "trimmed.gguf", KEPT, progress=progress)
    found = gguf.GGUFReader(tmp_path / "trimmed.gguf")
    told = {name: field.contents() for name, field in found.fields.items() if not name.startswith("GGUF.")}
    kept = np.flatnonzero(KEPT).tolist()
    assert told == {
        "general.architecture": "gemma3",
        "general.name": "Tiny",
        "gemma3.vocab_size": 6,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [TOKENS[i] for i in kept],
        "tokenizer.ggml.scores": [SCORES[i] for i in kept],
        "tokenizer.ggml.token_type": [TYPES[i] for i in kept],
        "tokenizer.ggml.bos_token_id": 1,
        "general.description": NOTE,
    }
    embeddings, norm = found.tensors
    assert np.array_equal(embeddings.data, rows[kept])
    assert list(embeddings.shape) == [4, 6]
    assert (norm.name, norm.data.tolist()) == ("blk.0.attn_norm.weight", [0.5] * 5)
    assert seen[-1] == ("trimming", 4 * (4 * 6 + 5), 4 * (4 * 6 + 5))


def test_a_vocabulary_of_another_size_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "whole.gguf")
    with pytest.raises(ModelError, match=r"has 8 tokens, expected 7"):
        trim_vocabulary(tmp_path / "whole.gguf", tmp_path / "trimmed.gguf", KEPT[1:], progress=quiet)


def test_what_is_kept_comes_back_from_its_file(tmp_path: Path) -> None:
    kept = np.random.default_rng(0).random(1001) < 0.4
    write_kept(kept, tmp_path / "kept.bits")
    assert np.array_equal(read_kept(tmp_path / "kept.bits"), kept)


@pytest.mark.parametrize(
    ("token", "rank", "kept"),
    [
        ("▁the", 3, True),
        ("▁Kettle", 30, True),
        ("▁kettl", 30, False),
        ("▁kettl", 3, True),
        ("é", 30, True),
        ("😀", 30, True),
        ("，", 30, True),
        ("Ａ", 30, True),
        ("服务员", 30, True),
        ("臺", 30, True),
        ("АТ", 3, False),
        ("の", 3, False),
        ("好の", 3, False),
        ("▁", 30, True),
    ],
)
def test_words_stay_by_rank_or_list_and_characters_by_script(token: str, rank: int, kept: bool) -> None:
    assert choosing.keeps(token, -rank, NORMAL, {"kettle"}, merges=10) is kept


@pytest.mark.slow
def test_the_shipped_choice_is_what_the_script_makes_of_the_published_model() -> None:
    path = resolve("gemma-3-270m", "writer", folder=load_settings().models).path
    assert path is not None
    assert np.array_equal(read_kept(choosing.KEPT), choosing.chosen(path))


@pytest.mark.slow
def test_the_writer_reads_either_language_as_the_published_model_and_other_texts_in_more_pieces() -> None:
    models = load_settings().models
    paths = [resolve(name, "writer", folder=models).path for name in ("gemma-3-270m", "gemma-3-270m-en-zh")]
    whole, trimmed = (Native(path, threads=1, context=64, sequences=1) for path in paths if path is not None)

    def pieces(native: Native, text: str) -> list[bytes]:
        return [native.piece(token) for token in native.tokenise(text)]

    for text in ("The staff were kind, and the café is quiet.\n\n  £5 😀", "服务员态度很好，味道不错！臺灣電影"):
        assert pieces(trimmed, text) == pieces(whole, text)
    for text in ("Привет, 안녕, こんにちは", "a tarn beside Penrhyndeudraeth"):
        assert b"".join(pieces(trimmed, text)).decode() == text
        assert len(pieces(trimmed, text)) > len(pieces(whole, text))
    for native in (whole, trimmed):
        native.close()
