"""When something the user cares about and something the item offers make a match."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from rag_rationale.planning import Planner, Reader, Reading
from rag_rationale.planning.matching import KINDRED
from rag_rationale.retrieval import Common, Entry, Pool, entries
from rag_rationale.types import Evidence, Item, Passage, Polarity, Side, Snapshot, Span

LEVELS = {0.85: 0.2, 0.95: 0.6, 0.97: 0.7, 0.997: 0.9}
"""The cosines that stand for quantiles of random pairs."""


class Readings:
    """Reads a passage "positive broth" as a positive clause about broth, once it was told to expect it."""

    language = "en"

    def __init__(self) -> None:
        self.expected: set[str] = set()

    def expect(self, evidence: Sequence[Evidence]) -> None:
        self.expected |= {e.id for e in evidence}

    def read(self, evidence: Evidence) -> Reading:
        assert evidence.id in self.expected, "it is read by itself"
        polarity, head = evidence.passage.text.split()
        span = Span(f"the {head} was so", 0, 5, "clause", head, polarity=cast(Polarity, polarity))
        return Reading(evidence, (span,))

    def forbids(self, evidence: Evidence) -> bool:
        del evidence
        return False

    def share(self, entry: Entry) -> float:
        return 0.5 if entry.value == "drama" else 0.1

    def telling(self, words: str) -> float:
        return 0.5 if words else 0.0

    def risk(self, words: str) -> float:
        return 0.1 if words else 0.0


class Levels:
    """A snapshot that knows the background only; `kinds` are the categories of the item the user met, and `alike` how
    alike the target is spoken of."""

    def __init__(self, kinds: tuple[str, ...], alike: float | None = None) -> None:
        self._kinds, self._alike = kinds, alike

    manifest = SimpleNamespace(newest_timestamp=None)

    def background(self, quantile: float) -> float:
        return LEVELS[quantile]

    def kinship(self, quantile: float) -> float:
        assert quantile == KINDRED
        return 0.3

    def item_offsets(self, item_ids: Sequence[str]) -> dict[str, tuple[Any, int]]:
        if self._alike is None:
            return {}
        met, target = item_ids
        side = math.sqrt(1 - self._alike**2)
        return {met: (np.array([2.0, 0.0]), 2), target: (np.array([3 * self._alike, 3 * side]), 3)}

    def item(self, item_id: str) -> Item:
        return Item(item_id, "Salt Room", "", categories=self._kinds)


def said(side: Side, text: str, cosine: float, *, score: float = 0.0, name: str = "") -> Evidence:
    """Evidence whose cosine with what lies at 1 is `cosine`."""
    vector = np.array([cosine, math.sqrt(1 - cosine**2)], np.float32)
    id_ = name or f"{side}:{text}"
    passage = Passage(id_, "review", id_, "text", f"{side} item", 0, len(text), text, "en", rating=5)
    event = "review" if side == "history" else None
    return Evidence(id_, passage, side, "Salt Room", score=score, event=event, rating=5, specificity=1, vector=vector)


def matches(
    own: Evidence,
    *theirs: Evidence,
    kinds: tuple[str, ...] = ("food",),
    wanted: tuple[str, ...] = ("food",),
    alike: float | None = None,
) -> list[str]:
    pool = Pool(Item("target", "Tide Table", "", categories=wanted), (), theirs, (own,), (), None)
    planner = Planner(pool, cast(Reader, Readings()), cast(Snapshot, Levels(kinds, alike)))
    plans: list[Any] = list(planner.propose("match", []))
    return [plan.evidence["theirs"][0].id for plan in plans]


OWN = said("history", "positive broth", 1.0)


@pytest.mark.parametrize(
    ("theirs", "cosine", "made"),
    [
        ("positive broth", 0.4, True),  # closer than most random pairs
        ("positive broth", 0.1, False),
        ("negative broth", 0.65, False),  # a complaint is no match
    ],
)
def test_a_match_lies_closer_than_random_pairs_and_praises(theirs: str, cosine: float, made: bool) -> None:
    assert bool(matches(OWN, said("review", theirs, cosine))) == made


def test_between_items_of_different_kinds_that_is_not_enough() -> None:
    assert matches(OWN, said("review", "positive broth", 0.65), kinds=("film",)) == []
    assert matches(OWN, said("review", "positive broth", 0.95), kinds=("film",)) != []


@pytest.mark.parametrize(
    ("kinds", "alike", "made"),
    [
        (("shop", "kitchen"), 0.2, False),  # headphones are no reason for a kettle
        (("shop", "kitchen"), 0.4, True),
        (("shop", "audio", "gifts"), 0.2, True),  # two categories in common
        (("audio", "shop"), 0.2, True),  # all of them
        (("shop", "kitchen"), None, True),  # nothing is known of what is said of them
        ((), 0.2, False),
        ((), None, True),
        (("kitchen",), 0.9, False),
    ],
)
def test_items_of_one_broad_category_are_of_a_kind_where_they_are_spoken_of_alike(
    kinds: tuple[str, ...], alike: float | None, made: bool
) -> None:
    wanted = ("shop", "audio", "gifts") if "gifts" in kinds else ("shop", "audio")
    theirs = said("review", "positive broth", 0.65)
    assert bool(matches(OWN, theirs, kinds=kinds, wanted=wanted, alike=alike)) == made


def test_of_two_that_match_alike_the_one_that_fits_the_user_comes_first() -> None:
    fitting, other = (said("review", "positive broth", 0.65, score=s, name=n) for s, n in ((0.3, "a"), (0.0, "b")))
    assert matches(OWN, other, fitting) == ["a", "b"]


def test_a_rare_entry_in_common_is_a_match_and_a_common_one_is_none() -> None:
    text = "Genres: drama, noir"
    fact = Evidence("f", Passage("f", "item", "t", "description", "t", 0, len(text), text, "en"), "item", "Tide Table")
    common = tuple(Common(OWN, fact, entry) for entry in entries(text))
    pool = Pool(Item("target", "Tide Table", text), (fact,), (), (OWN,), (), None, common=common)
    planner = Planner(pool, cast(Reader, Readings()), cast(Snapshot, Levels(("food",))))
    (plan,) = planner.propose("match", [])
    assert (plan.aspect, plan.evidence["own"], plan.evidence["facts"]) == ("noir", (OWN,), (fact,))
    assert list(planner.propose("match", [plan])) == []  # said once
