"""How evidence is scored against a user: by what it says beyond what everybody says of its item."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from towns import open_town

from rag_rationale.embedding import HashedEmbedder
from rag_rationale.retrieval import gather
from rag_rationale.retrieval.leanings import aim_of, item_means
from rag_rationale.retrieval.scoring import normalised
from rag_rationale.retrieval.sieve import Sieve
from rag_rationale.types import Evidence, Passage, RationaleRequest, Side, Vectors


def said(
    name: str, offset: list[float], *, side: Side = "review", event: str | None = None, rating: float = 5
) -> Evidence:
    """Evidence whose passage lies at `offset` from its language's centre."""
    vector: Vectors = np.array(offset, np.float32)
    passage = Passage(name, "review", name, "text", f"{side} item", 0, 1, "x", "en", rating=rating)
    return Evidence(
        name,
        passage,
        side,
        "",
        event=event,
        rating=rating,
        specificity=float(np.linalg.norm(vector)),
        vector=normalised(vector),
    )


def ranked(about: list[Evidence], history: list[Evidence], means: dict[str, Vectors]) -> list[Evidence]:
    offsets = np.stack([e.vector * np.float32(e.specificity) for e in about])  # type: ignore[operator]
    aim = aim_of(history, offsets, means, now=0)
    if aim is None:
        return about
    scored = [replace(e, score=score) for e, score in zip(about, aim.fits(offsets).tolist(), strict=True)]
    return sorted(scored, key=lambda e: -e.score)


NO_MEANS: dict[str, Vectors] = {}


def test_what_everybody_says_of_the_item_tells_nothing() -> None:
    history = [said("own", [1, 1, 0], side="history", event="review")]
    common = [said(f"c{n}", [2, 0, 0]) for n in range(9)]
    rare = said("rare", [2, 0.5, 0])
    found = ranked([*common, rare], history, NO_MEANS)
    assert found[0].id == "rare"
    # 10 passages, 5 of no leaning beside them: mean (20/15, .5/15, 0); rare less that: (2/3, 7/15, 0); taste (1, 1, 0)
    expected = (2 / 3 + 7 / 15) / np.sqrt(2) / np.hypot(2 / 3, 7 / 15)
    assert found[0].score == pytest.approx(expected, abs=1e-6)


def test_a_users_words_count_by_what_they_add_to_their_own_item() -> None:
    history = [said("own", [3, 1, 0], side="history", event="review")]
    means = {"history item": np.array([3, 0, 0], np.float32)}
    broth, garden = said("broth", [0, 1, 0]), said("garden", [1, 0, 0])
    assert [e.id for e in ranked([garden, broth], history, NO_MEANS)] == ["garden", "broth"]
    assert [e.id for e in ranked([garden, broth], history, means)] == ["broth", "garden"]


def test_complaints_in_words_count_and_low_ratings_without_words_do_not() -> None:
    about = [said("a", [1, 0, 0]), said("b", [0, 1, 0])]
    complaint = said("own", [0, 1, 0], side="history", event="review", rating=1)
    assert ranked(about, [complaint], NO_MEANS)[0].id == "b"
    silent = said("own", [0, 1, 0], side="history", event="rating", rating=1)
    assert [e.score for e in ranked(about, [silent], NO_MEANS)] == [0, 0]


def test_an_excluded_review_is_in_no_mean(tmp_path: Path) -> None:
    reviews: list[tuple[str | None, str, float | None, str]] = [
        ("sue", "north", 5.0, "Broth thick enough for any cold winter."),
        (None, "north", 5.0, "Broth thick enough and hot as it comes."),
        (None, "north", 5.0, "Roses climb over every bench outside."),
        (None, "south", 5.0, "Broth thick enough to stand a spoon in."),
        (None, "south", 5.0, "Roses climb beside each quiet bench there."),
    ]
    snapshot = open_town(tmp_path, ["north", "south"], reviews)
    request = RationaleRequest.model_validate({"index": "town", "user": {"id": "sue"}, "item": {"id": "south"}})
    whole = gather(request, snapshot, HashedEmbedder(), min_trust=0.5)
    without = gather(request, snapshot, HashedEmbedder(), min_trust=0.5, exclude={"r1"})
    assert {e.id: e.score for e in whole.reviews} != {e.id: e.score for e in without.reviews}
    passages = [p for p in snapshot.item_passages("north") if p.source_id != "r1"]
    by_hand = sum(snapshot.vectors([p])[0] - snapshot.centre("en") for p in passages) / (len(passages) + 5)
    means = item_means(without.history, snapshot, Sieve("sue", frozenset({"r1"}), None, 0.5))
    np.testing.assert_allclose(means["north"], by_hand, atol=1e-6)
    everything = item_means(whole.history, snapshot, Sieve("sue", frozenset(), None, 0.5))
    assert not np.allclose(everything["north"], by_hand)
    snapshot.close()
