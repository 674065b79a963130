"""The head that tells praise from complaint: what it learns from, what it must not, and where it is heard."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted import write_jsonl

from rag_rationale.building import build
from rag_rationale.config import Settings
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.errors import SnapshotError
from rag_rationale.evaluation.polarity import labelled, measure_polarity
from rag_rationale.generation import ScriptedEngine
from rag_rationale.index import open_snapshot, verify
from rag_rationale.index.praise import LEAST, Heads, Rated, fit_heads
from rag_rationale.language.leaning import leaning
from rag_rationale.retrieval import Cuttings, PraiseJudge
from rag_rationale.service import Explainer
from rag_rationale.types import LANGUAGES, Analyser, Language, RationaleRequest, Vectors

D = 16
CENTRES = np.zeros((len(LANGUAGES), D), np.float32)


def planted(n: int, *, apart: float, seed: int = 0) -> tuple[Vectors, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Unit vectors, of which the high-rated lean along the first axis and the low-rated against it."""
    chance = np.random.default_rng(seed)
    praise = np.arange(n) % 4 > 0  # three in four, as catalogues go
    vectors = chance.standard_normal((n, D))
    vectors[:, 0] += np.where(praise, apart, -apart)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), praise


def fitted(
    vectors: Vectors, ratings: list[float], reviews: list[str]
) -> tuple[Heads, dict[Language, dict[str, float]]]:
    rated = Rated()
    for at, (rating, review) in enumerate(zip(ratings, reviews, strict=True)):
        rated.add(at, "en", review, rating)
    return fit_heads(lambda at: vectors[at], rated, CENTRES)


def test_the_head_finds_what_was_planted_and_reports_the_auc_of_what_it_had_not_seen() -> None:
    vectors, praise = planted(800, apart=2.0)
    heads, figures = fitted(vectors, [5.0 if p else 1.0 for p in praise], [f"r{n}" for n in range(800)])
    fresh, truth = planted(4000, apart=2.0, seed=1)
    told = heads(fresh, "en")
    assert told is not None
    ranks = np.empty(len(told))
    ranks[np.argsort(told)] = np.arange(1, len(told) + 1)
    high = int(truth.sum())
    auc = (ranks[truth].sum() - high * (high + 1) / 2) / (high * (len(truth) - high))  # Mann-Whitney, by hand
    assert auc > 0.95
    assert figures["en"] == {"auc": pytest.approx(auc, abs=0.02), "praise": 600, "complaint": 200}
    weights = np.where(truth, 1.0, 3.0)  # as if there were as many of each
    for low, top in ((0.1, 0.4), (0.4, 0.6), (0.6, 0.9)):
        here = (told > low) & (told < top)
        assert np.average(truth[here], weights=weights[here]) == pytest.approx(told[here].mean(), abs=0.12)


def test_ratings_that_teach_nothing_give_figures_and_no_head() -> None:
    vectors, praise = planted(800, apart=0.0)
    heads, figures = fitted(vectors, [5.0 if p else 1.0 for p in praise], [f"r{n}" for n in range(800)])
    assert heads(vectors, "en") is None
    assert 0.4 < figures["en"]["auc"] < 0.6


def test_too_few_complaints_give_no_head_however_many_passages_they_have() -> None:
    vectors, praise = planted(800, apart=2.0)
    reviews = [f"r{n}" if p else f"c{n % (LEAST - 1)}" for n, p in enumerate(praise)]
    heads, figures = fitted(vectors, [5.0 if p else 1.0 for p in praise], reviews)
    assert heads(vectors, "en") is None
    assert figures == {}


def test_middling_ratings_teach_nothing_and_the_same_input_gives_the_same_head() -> None:
    vectors, praise = planted(900, apart=2.0)
    ratings = [5.0 if p else 1.0 for p in praise]
    reviews = [f"r{n}" for n in range(900)]
    one, _ = fitted(vectors[:800], ratings[:800], reviews[:800])
    two, _ = fitted(vectors, [*ratings[:800], *[3.0] * 100], reviews)
    assert one.weights.tobytes() == two.weights.tobytes()


def test_a_long_review_weighs_as_much_as_a_short_one() -> None:
    """One angry reviewer with 300 passages that look like praise does not turn the head."""
    vectors, praise = planted(800, apart=2.0)
    long, _ = planted(1200, apart=2.0, seed=5)
    long = long[np.arange(1200) % 4 > 0][:300]
    ratings = [*[5.0 if p else 1.0 for p in praise], *[1.0] * 300]
    heads, _ = fitted(np.vstack([vectors, long]), ratings, [*[f"r{n}" for n in range(800)], *["long"] * 300])
    told = heads(long, "en")
    assert told is not None
    assert np.median(told) > 0.7


@pytest.mark.parametrize(
    ("words", "praise", "read"),
    [
        ("positive", None, "positive"),
        ("positive", 0.5, "positive"),
        ("positive", 0.1, "neutral"),
        ("negative", 0.5, "negative"),
        ("negative", 0.9, "neutral"),
        ("neutral", None, "neutral"),
        ("neutral", 0.5, "neutral"),
        ("neutral", 0.85, "neutral"),
        ("neutral", 0.95, "positive"),
        ("neutral", 0.15, "negative"),
    ],
)
def test_neither_witness_overrules_the_other(words: Any, praise: float | None, read: str) -> None:
    assert leaning(words, praise) == read


# --- on disk, and in a rationale ------------------------------------------------------------------------------------

Make = Callable[..., Path]
THINGS = ("terrace", "kitchen", "parking", "menu", "counter", "lobby", "bar", "oven", "window", "corner")


def reviews(extra: list[dict[str, Any]], *, each: int) -> list[dict[str, Any]]:
    """Reviews of another item in words that no list knows: "brindly" where the rating is 1, "zelvy" where it is 5."""
    rows: list[dict[str, Any]] = list(extra)
    for n in range(each):
        for rating, word in ((1, "brindly"), (5, "zelvy")):
            text = f"The {THINGS[n % 10]} was {word} on visit {n}."
            rows.append({"user_id": f"x{rating}{n}", "item_id": "other", "rating": rating, "text": text})
    return [{"timestamp": 1, "title": "", "review_id": f"r{n}", **row} for n, row in enumerate(rows)]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def run(extra: list[dict[str, Any]], *, each: int = 60) -> Path:
        items = [
            {"item_id": i, "title": t, "description": f"{t} is a restaurant by the sea.", "categories": ["food"]}
            for i, t in (("target", "Harbour Grill"), ("other", "Tide Table"))
        ]
        (tmp_path / "files").mkdir()
        build(
            "shop",
            items=write_jsonl(tmp_path / "files" / "items.jsonl", items),
            reviews=write_jsonl(tmp_path / "files" / "reviews.jsonl", reviews(extra, each=each)),
            embedder=HashedEmbedder(),
            folder=tmp_path / "indexes",
        )
        return tmp_path / "indexes"

    return run


def said(folder: Path, known: Mapping[Language, Analyser]) -> list[tuple[str, str, str]]:
    """(kind, tier, text) of the sentences on the target."""
    explainer = Explainer(
        settings=Settings(indexes=folder), embedder=HashedEmbedder(), engine=ScriptedEngine(), analysers=known
    )
    try:
        reply = explainer.explain(RationaleRequest.model_validate({"index": "shop", "item": {"id": "target"}}))
    finally:
        explainer.close()
    return [(s.kind, s.tier, s.text) for s in reply.sentences]


def test_the_head_is_kept_with_its_figures_and_verified(make: Make) -> None:
    folder = make([])
    snapshot = open_snapshot(folder, "shop")
    path = snapshot.folder / "praise.npz"
    assert snapshot.manifest.report["praise"] == {"en": {"auc": 1.0, "praise": 60, "complaint": 60}}
    snapshot.close()
    assert "praise.npz" in verify(folder, "shop").files
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(SnapshotError, match=r"praise\.npz"):
        verify(folder, "shop")
    path.unlink()
    with pytest.raises(SnapshotError, match=r"praise\.npz is missing"):
        open_snapshot(folder, "shop")


def test_a_catalogue_with_few_ratings_has_no_head(make: Make) -> None:
    snapshot = open_snapshot(make([], each=10), "shop")
    assert "praise.npz" not in snapshot.manifest.files
    assert "praise" not in snapshot.manifest.report
    assert PraiseJudge(Cuttings(snapshot, HashedEmbedder()))(["The bar was zelvy."], "en") is None
    snapshot.close()


def test_what_is_not_trusted_teaches_nothing(make: Make) -> None:
    liars = [
        {"user_id": f"l{n}", "item_id": "other", "rating": 5, "trust": 0.1, "text": f"The bar was brindly, day {n}."}
        for n in range(200)
    ]
    snapshot = open_snapshot(make(liars), "shop")
    judged = PraiseJudge(Cuttings(snapshot, HashedEmbedder()))(["The bar was brindly.", "The bar was zelvy."], "en")
    snapshot.close()
    assert judged is not None
    assert judged[0] < 0.2
    assert judged[1] > 0.9


def test_words_that_no_list_knows_are_praise_or_complaint_as_the_catalogue_uses_them(
    make: Make, known: Mapping[Language, Analyser]
) -> None:
    extra = [
        {"user_id": "a", "item_id": "target", "rating": 5, "text": "The lobster was zelvy."},
        {"user_id": "b", "item_id": "target", "rating": 2, "text": "The staircase was brindly."},
        {"user_id": "c", "item_id": "target", "rating": 5, "text": "The lantern was zelvy."},
    ]
    told = said(make(extra), known)
    assert any(kind == "merit" and tier == "embedding" and "was zelvy" in text for kind, tier, text in told)
    assert any(kind == "caveat" and "the staircase was brindly" in text for kind, _, text in told)


def test_a_cold_coffee_in_a_five_star_review_is_no_praise(make: Make, known: Mapping[Language, Analyser]) -> None:
    """The lists take "great" for praise; the ratings know what "brindly" means, and the vector of the clause tells."""
    both = "The lantern by the door was zelvy, zelvy, zelvy. The brindly staircase was great and brindly."
    told = said(make([{"user_id": "a", "item_id": "target", "rating": 5, "text": both}]), known)
    assert not any("brindly" in text for _, _, text in told)


def test_the_control_without_a_head_praises_it(make: Make, known: Mapping[Language, Analyser]) -> None:
    both = "The lantern by the door was zelvy, zelvy, zelvy. The brindly staircase was great and brindly."
    told = said(make([{"user_id": "a", "item_id": "target", "rating": 5, "text": both}], each=10), known)
    assert any("brindly" in text for _, _, text in told)


# --- the instrument -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_invented_sentences_are_many_mixed_and_stand_in_their_passages(language: Language) -> None:
    rows = labelled(language)
    assert len(rows) >= 150
    assert {"plain", "mixed", "negated", "irony", "faint", "idiom", "domain"} == {row.kind for row in rows}
    assert all(row.words.lower() in row.passage.lower() for row in rows)
    assert len({row.words for row in rows}) == len(rows)


def test_the_instrument_counts_what_a_known_judge_gets_wrong(known: Mapping[Language, Analyser]) -> None:
    truth = {row.words: row.polarity for language in LANGUAGES for row in labelled(language)}

    def sees_all(texts: Any, lang: Language) -> list[float]:
        del lang
        return [{"positive": 0.99, "negative": 0.01, "neutral": 0.5}[truth[text]] for text in texts]

    def blind(texts: Any, lang: Language) -> None:
        del texts, lang

    found = {m.name: m.value for m in measure_polarity(known, sees_all).measures}
    assert found["polarity.en.head.false_praise"] == 0
    rated = [row for row in labelled("en") if row.polarity == "positive"]
    heard = sum(row.rating >= 2.5 for row in rated) / len(rated)
    assert found["polarity.en.head.praise_found"] == pytest.approx(heard)
    assert found["polarity.en.both.praise_found"] <= found["polarity.en.head.praise_found"]
    assert {m.name.split(".")[2] for m in measure_polarity(known, blind).measures} == {"words"}
    assert json.dumps(found)
