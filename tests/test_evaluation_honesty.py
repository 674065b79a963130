"""Honesty over a town with a good house, a bad one and a divided one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from replies import make_reply
from towns import material_of, open_town

from rag_rationale.evaluation.finding import Finding, Measure
from rag_rationale.evaluation.honesty import measure_honesty
from rag_rationale.evaluation.material import Material, Subject
from rag_rationale.index import SnapshotReader
from rag_rationale.types import Rationale

RATINGS = {"good": (5, 5, 5, 5, 4), "bad": (1, 1, 2, 1, 5), "divided": (5, 1, 5, 1, 5, 5), "few": (1, 1)}
TEXT = {5: "The cellar of {} is splendid on every single night.", 1: "The cellar of {} is awful on every single night."}


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnapshotReader]:
    reviews = [(None, item, r, TEXT[5 if r > 3 else 1].format(item)) for item, rs in RATINGS.items() for r in rs]
    for item in RATINGS:  # mia rates all high, hal all low
        reviews += [("mia", item, 5, TEXT[5].format(item)), ("hal", item, 1, TEXT[1].format(item))]
    opened = open_town(tmp_path_factory.mktemp("town"), list(RATINGS), reviews)
    yield opened
    opened.close()


def figures(found: Finding) -> dict[str, Measure]:
    return {m.name: m for m in found.measures}


def own(material_or_snapshot: SnapshotReader, subject: Subject) -> list:  # type: ignore[type-arg]
    passages = material_or_snapshot.user_passages(subject.user)
    return [("history", next(p for p in passages if p.item_id != subject.item))]


def test_caveats_are_counted_where_they_are_due(snapshot: SnapshotReader) -> None:
    def warn(subject: Subject, _: frozenset[str]) -> Rationale:
        if subject.item == "few":
            return make_reply([])
        (about, *_) = (p for p in snapshot.item_passages(subject.item) if p.kind == "review")
        kind = "caveat" if subject.item == "bad" or subject.user == "hal" else "merit"
        return make_reply([(kind, "One reviewer says so", [("review", about)])])  # type: ignore[list-item]

    found = measure_honesty(material_of(snapshot, warn))
    made = figures(found)
    # for mia hal's rating stands beside the five, for hal mia's
    assert (made["honesty.caveat.bad"].value, made["honesty.caveat.bad"].n) == (1.0, 2)
    assert (made["honesty.caveat.divided"].value, made["honesty.caveat.divided"].n) == (0.5, 2)
    assert (made["honesty.caveat.praised"].value, made["honesty.caveat.praised"].n) == (1.0, 1)  # hal's: 5 5 5 5 4, 5
    assert made["honesty.caveat.harsh"].value == 1.0
    assert made["honesty.caveat.mild"].value == pytest.approx(1 / 3)
    assert made["honesty.caveat.harsh_minus_mild"].value == pytest.approx(2 / 3)
    assert made["honesty.coherence.caveats"].value < -0.5
    assert {c.why for c in found.cases} == {"43% of 7 ratings are low, and no caveat is given"}
    assert "2 of 8 replies abstain" in found.notes[0]


def test_a_dislike_is_seen_by_rating_and_by_words_unless_told_as_one(snapshot: SnapshotReader) -> None:
    def measured(words: str) -> tuple[Material, dict[str, Measure], Finding]:
        made = material_of(snapshot, lambda s, _: make_reply([("match", words, own(snapshot, s))]))
        found = measure_honesty(made)
        return made, figures(found), found

    _, sold, found = measured("You loved this")
    assert sold["honesty.dislike_as_liking.rating"].value == 0.5  # hal's half
    assert sold["honesty.dislike_as_liking.words"].value == 0.5
    assert not sold["honesty.dislike_as_liking.rating"].met
    assert all("hal" in case.heading for case in found.cases[:4])
    for words in ("You complained of it", "您对它不满"):
        _, honest, _ = measured(words)
        assert honest["honesty.dislike_as_liking.rating"].value == 0.0
        assert honest["honesty.dislike_as_liking.rating"].met
        assert honest["honesty.dislike_as_liking.words"].value == 0.0


def test_positivity_follows_what_is_cited(snapshot: SnapshotReader) -> None:
    def foresee(subject: Subject, _: frozenset[str]) -> Rationale:
        word = "splendid" if subject.user == "mia" else "awful"
        passages = [p for p in snapshot.item_passages("divided") if word in p.text]
        return make_reply([("merit", "They say", [("review", passages[0])])])

    made = figures(measure_honesty(material_of(snapshot, foresee)))
    assert made["honesty.coherence.positivity"].value == pytest.approx(1.0)
    assert made["honesty.length.mild"].value == len("They say")
