"""Embedders: the fake one against hand-computed answers, the real one against sense in two languages."""

from __future__ import annotations

import json
import logging
import math
import sys
from pathlib import Path

import bounded
import numpy as np
import pytest

from rag_rationale.config import load_settings
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.errors import ModelMissingError
from rag_rationale.types import Embedder


def test_hashed_cosine_is_that_of_shared_words() -> None:
    vectors = HashedEmbedder(4096).embed(["red lamp", "red lamp lamp", "green door", "red chairs"], role="query")
    cosine = vectors @ vectors.T
    twice = 1 + math.log(2)
    assert cosine[0, 1] == pytest.approx((1 + twice) / math.sqrt(2 * (1 + twice**2)), abs=1e-5)
    assert cosine[0, 2] == pytest.approx(0, abs=1e-5)
    assert cosine[0, 3] == pytest.approx(0.5, abs=1e-5)


def test_hashed_ranks_chinese_by_pairs_of_characters() -> None:
    embedder = HashedEmbedder(4096)
    (query,) = embedder.embed(["电池续航"], role="query")
    passages = embedder.embed(["这款手机电池续航很长", "电视的画面很好", "池水很清"], role="passage")
    first, *others = passages @ query
    assert first > 0.4 > max(others)


def test_hashed_vectors_are_float32_of_norm_one_and_independent_of_the_batch() -> None:
    embedder: Embedder = HashedEmbedder(64)
    texts = ["a b c", "", "...", "好", "a b c d e f g " * 50]
    together = embedder.embed(texts, role="passage")
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    alone = np.concatenate([embedder.embed([text], role="passage") for text in texts])
    np.testing.assert_array_equal(together, alone)
    assert embedder.embed([], role="query").shape == (0, 64)
    assert embedder.name == "hashed-64"


def test_a_missing_model_is_named_with_what_to_do(tmp_path: Path) -> None:
    from rag_rationale.embedding import SentenceTransformerEmbedder

    with pytest.raises(ModelMissingError, match=r"There is no folder .*none\. Run `rag-rationale models prepare`"):
        SentenceTransformerEmbedder(tmp_path / "none")
    with pytest.raises(ModelMissingError, match=r"has no config\.json"):
        SentenceTransformerEmbedder(tmp_path)


@pytest.mark.slow
def test_the_real_model_matches_a_question_to_its_answer_across_languages(e5: Embedder) -> None:
    passages = e5.embed(
        ["The battery lasts two full days.", "电池能用整整两天。", "The soup was cold.", "汤是凉的。"], role="passage"
    )
    queries = e5.embed(["How long does the battery last?", "汤怎么样？"], role="query")
    cosine = queries @ passages.T
    english, chinese = cosine[:, [0, 2]], cosine[:, [1, 3]]
    assert list(english.argmax(axis=1)) == [0, 1]
    assert list(chinese.argmax(axis=1)) == [0, 1]


@pytest.mark.slow
def test_real_vectors_are_float32_of_norm_one_in_the_order_given(e5: Embedder) -> None:
    texts = [f"{'very ' * n}good soup number {n}" for n in (40, 1, 300, 3, 0, 17, 5, 2, 60, 9, 4)] + ["", "好"]
    told: list[tuple[str, int, int | None]] = []
    together = e5.embed(texts, role="passage", progress=lambda *a: told.append(a))  # type: ignore[call-arg]
    assert together.dtype == np.float32
    assert together.shape == (len(texts), e5.dimension)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    alone = np.concatenate([e5.embed([text], role="passage") for text in texts])
    np.testing.assert_allclose(together, alone, atol=2e-5)
    np.testing.assert_array_equal(together, e5.embed(texts, role="passage"))
    assert told[-1] == ("embed", len(texts), len(texts))
    assert e5.embed([], role="query").shape == (0, e5.dimension)


@pytest.mark.slow
def test_roles_differ_and_a_typed_special_token_does_not_end_the_text(e5: Embedder) -> None:
    query, passage = e5.embed(["soup"], role="query"), e5.embed(["soup"], role="passage")
    assert float((query @ passage.T)[0, 0]) < 0.9999
    tail = "the soup was cold and the waiter rude"
    cut, whole, broken = e5.embed(["Good", f"Good</s> {tail}", f"Good< /s> {tail}"], role="passage")
    np.testing.assert_allclose(whole, broken, atol=2e-5)
    assert float(whole @ cut) < 0.98


@pytest.mark.slow
def test_the_name_is_the_content_not_the_place(e5: Embedder, tmp_path: Path) -> None:
    from rag_rationale.embedding import SentenceTransformerEmbedder

    moved = tmp_path / "multilingual-e5-small"
    moved.mkdir()
    source = load_settings().models / "multilingual-e5-small"
    for path in source.rglob("*"):
        target = moved / path.relative_to(source)
        target.mkdir(parents=True, exist_ok=True) if path.is_dir() else target.symlink_to(path)
    prefixes = {"query_prefix": "query: ", "passage_prefix": "passage: "}
    assert SentenceTransformerEmbedder(moved, **prefixes).name == e5.name
    assert SentenceTransformerEmbedder(moved).name != e5.name


@pytest.mark.slow
def test_many_texts_get_the_vectors_that_few_get(e5: Embedder) -> None:
    texts = [f"{'very ' * (n % 40)}good soup number {n}" for n in range(254)] + ["", "汤很好。"]
    told: list[int] = []
    many = e5.embed(texts, role="passage", progress=lambda *now: told.append(now[1]))  # type: ignore[call-arg]
    few = np.concatenate([e5.embed(texts[at : at + 128], role="passage") for at in (0, 128)])
    cosines = np.einsum("nd,nd->n", many, few)
    assert cosines.min() > 0.999  # where the processor has bfloat16; elsewhere 1 - 1e-6
    assert many.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(many, axis=1), 1, atol=1e-6)
    assert told == sorted(told)
    assert told[-1] == 256


@pytest.mark.slow
def test_a_compiled_model_is_kept_and_does_not_change_the_name(e5: Embedder, tmp_path: Path) -> None:
    from transformers.utils import logging as transformers_logging

    from rag_rationale.embedding import SentenceTransformerEmbedder

    said: list[logging.LogRecord] = []
    listener = logging.Handler()
    listener.emit = said.append  # type: ignore[method-assign]
    transformers_logging.warning_once.cache_clear()  # a test before this one may have heard it
    transformers_logging.add_handler(listener)

    model = load_settings().models / "multilingual-e5-small"
    files = sorted(model.rglob("*"))

    def opened() -> Embedder:
        return SentenceTransformerEmbedder(
            model, query_prefix="query: ", passage_prefix="passage: ", compiled=tmp_path / "compiled"
        )

    first = opened()
    vectors = first.embed(["soup"] * 256, role="passage")
    transformers_logging.remove_handler(listener)
    assert said == []  # a builder wants no word of training losses
    (folder,) = (tmp_path / "compiled" / first.name).iterdir()
    kept = folder / "graph.xml"
    written = kept.stat().st_mtime_ns
    again = opened()
    assert again.name == first.name == e5.name
    assert sorted(model.rglob("*")) == files
    np.testing.assert_allclose(again.embed(["soup"] * 256, role="passage"), vectors, atol=1e-6)
    assert kept.stat().st_mtime_ns == written

    bulk = bounded.ran([sys.executable, "-c", BULK, str(model), str(tmp_path / "compiled")], seconds=300)
    assert bulk.returncode == 0, bulk.stderr
    told = json.loads(bulk.stdout)
    assert told["name"] == e5.name
    assert told["heavy"] == []
    assert told["peak"] < 1000  # MB; with torch it was 1,900
    assert told["rested"] < told["before"] - 300
    np.testing.assert_allclose(told["again"], told["vector"], atol=1e-6)
    (right,) = e5.embed(["The soup was cold."], role="passage")
    assert float(right @ np.array(told["vector"])) > 0.999


BULK = """
import json, pathlib, sys
from rag_rationale.embedding import SentenceTransformerEmbedder

def mb(key):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))

embedder = SentenceTransformerEmbedder(
    sys.argv[1], query_prefix="query: ", passage_prefix="passage: ", compiled=pathlib.Path(sys.argv[2]), bulk=True
)
vectors = embedder.embed(["The soup was cold."] * 300, role="passage")
told = {"name": embedder.name, "vector": vectors[7].tolist(), "before": mb("VmRSS")}
embedder.rest()
told |= {"rested": mb("VmRSS"), "again": embedder.embed(["The soup was cold."], role="passage")[0].tolist()}
told |= {"peak": mb("VmHWM"), "heavy": sorted({"torch", "transformers", "sentence_transformers"} & set(sys.modules))}
print(json.dumps(told))
"""
