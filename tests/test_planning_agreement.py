"""How many reviewers agree with a passage: by every pair of a few, by a sample of thousands."""

from __future__ import annotations

import numpy as np

from rag_rationale.planning import weighing
from rag_rationale.types import Evidence, Passage, Vectors


def _reviews(vectors: Vectors, authors: list[str]) -> list[Evidence]:
    passages = [
        Passage(f"p{n}", "review", f"r{n}", "text", "i", 0, 1, "x", "en", user_id=author, row=n)
        for n, author in enumerate(authors)
    ]
    return [Evidence(f"e{p.row}", p, "review", "t", vector=v) for p, v in zip(passages, vectors, strict=True)]


def _drawn(count: int, topics: int) -> Vectors:
    chance = np.random.default_rng(3)
    made = chance.standard_normal((topics, 24))[np.arange(count) % topics] + 0.3 * chance.standard_normal((count, 24))
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def test_of_a_few_every_other_reviewer_is_asked() -> None:
    vectors, authors = _drawn(300, 7), [f"u{n * n % 90}" for n in range(300)]
    expected = {
        f"e{n}": len({authors[m] for m in range(300) if vectors[n] @ vectors[m] >= 0.8} - {authors[n]})
        for n in range(300)
    }
    assert len(set(expected.values())) > 5
    assert weighing._agreement(_reviews(vectors, authors), 0.8) == expected


def test_of_thousands_a_sample_tells_nearly_as_much() -> None:
    vectors, authors = _drawn(6000, 7), [f"u{n}" for n in range(6000)]
    found = weighing._agreement(_reviews(vectors, authors), 0.8)
    for n in range(0, 6000, 997):
        true = int((vectors @ vectors[n] >= 0.8).sum()) - 1
        assert abs(np.log1p(found[f"e{n}"]) - np.log1p(true)) < 0.25
