"""Embedders that remember: each text is embedded once while it is among the last met."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from rag_rationale.embedding import HashedEmbedder
from rag_rationale.service.embedders import Remembering
from rag_rationale.types import TextRole, Vectors


class _Counting(HashedEmbedder):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str], *, role: TextRole) -> Vectors:
        self.asked += texts
        return super().embed(texts, role=role)


def test_a_text_is_embedded_once_and_its_vector_stays_the_same() -> None:
    real, plain = _Counting(), HashedEmbedder()
    known = Remembering(real)
    for texts in (["a lamp", "a jug", "a lamp"], ["a jug", "a tent"], []):
        assert known.embed(texts, role="passage") == pytest.approx(plain.embed(texts, role="passage"))
        assert known.embed(texts, role="passage").shape == (len(texts), plain.dimension)
    assert real.asked == ["a lamp", "a jug", "a tent"]
    known.embed(["a lamp"], role="query")
    assert real.asked[3:] == ["a lamp"]  # a query is embedded otherwise


def test_what_was_met_longest_ago_is_embedded_anew() -> None:
    real = _Counting()
    known = Remembering(real, most=2)
    for text in ("one", "two", "one", "three", "one", "two"):
        known.embed([text], role="passage")
    assert real.asked == ["one", "two", "three", "two"]
    np.testing.assert_array_equal(known.embed(["two"], role="passage"), HashedEmbedder().embed(["two"], role="passage"))


def test_what_another_thread_crowds_out_in_the_meantime_is_no_loss() -> None:
    class Crowding(HashedEmbedder):
        def embed(self, texts: Sequence[str], *, role: TextRole) -> Vectors:
            if "late" in texts:
                known.embed(["three", "four"], role=role)
            return super().embed(texts, role=role)

    known = Remembering(Crowding(), most=2)
    known.embed(["early"], role="passage")
    found = known.embed(["early", "late"], role="passage")
    np.testing.assert_array_equal(found, HashedEmbedder().embed(["early", "late"], role="passage"))
