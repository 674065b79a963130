"""Specificity, removal and likelihood over a town where what is common and what is special is planted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from replies import make_reply
from towns import material_of, open_town

from rag_rationale.evaluation.commonness import Commonness
from rag_rationale.evaluation.finding import Finding
from rag_rationale.evaluation.likelihood import measure_likelihood
from rag_rationale.evaluation.material import Subject
from rag_rationale.evaluation.removal import measure_removal
from rag_rationale.evaluation.variety import measure_variety
from rag_rationale.index import SnapshotReader
from rag_rationale.types import Passage, Rationale

SPECIAL = {"north": "violin", "south": "glacier", "east": "lantern", "west": "compass"}
COMMON = "Service was quick and staff smiled at everybody here."


def special(thing: str) -> str:
    return f"{thing}ish {thing}er {thing}al {thing}ic {thing}oid {thing}ly {thing}ful."


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnapshotReader]:
    reviews = []
    for place, thing in SPECIAL.items():
        reviews += [(None, place, 5.0, COMMON), (None, place, 5.0, special(thing))]
        reviews += [(None, place, 4.0, f"Another {thing}ish {thing}er {thing}al {thing}ic {thing}oid {thing}ly.")]
        reviews += [("sue", place, 4.0, f"My own words about {place} were few and calm.")]
    opened = open_town(tmp_path_factory.mktemp("town"), list(SPECIAL), reviews)
    yield opened
    opened.close()


def figures(found: Finding) -> dict[str, float]:
    return {m.name: m.value for m in found.measures}


def passage(snapshot: SnapshotReader, item: str, text: str) -> Passage:
    return next(p for p in snapshot.item_passages(item) if p.text == text)


def says(snapshot: SnapshotReader, subject: Subject, *texts: str) -> Rationale:
    cited = [passage(snapshot, subject.item, text) for text in texts]
    return make_reply([("merit", f"They say: {p.text}", [("review", p)]) for p in cited])


def test_a_phrase_is_common_by_what_is_said_of_other_items(snapshot: SnapshotReader) -> None:
    common = Commonness([p for item in SPECIAL for p in snapshot.item_passages(item)])
    assert common.fits_most(COMMON, item="north")
    assert not common.fits_most(special("violin"), item="north")
    assert common.share(special("violin"), item="north") == 0
    assert common.share(special("violin"), item="south") == pytest.approx(2 / 18)
    assert common.share("!", item="north") == 1


def test_special_sentences_are_right_and_varied_and_common_ones_are_not(snapshot: SnapshotReader) -> None:
    made = figures(measure_variety(material_of(snapshot, lambda s, _: says(snapshot, s, special(SPECIAL[s.item])))))
    assert (made["variety.right_item"], made["variety.generic"], made["variety.unique"]) == (1.0, 0.0, 1.0)
    assert made["variety.distinct_2"] > 0.5
    made = figures(measure_variety(material_of(snapshot, lambda s, _: says(snapshot, s, COMMON, COMMON))))
    assert (made["variety.generic"], made["variety.unique"], made["variety.opening_repeated"]) == (1.0, 1 / 8, 1.0)
    assert made["variety.right_item"] < 0.5


def test_a_claim_that_outlives_its_evidence_is_unfaithful(snapshot: SnapshotReader) -> None:
    def outcome(after: str) -> dict[str, float]:
        def explain(subject: Subject, exclude: frozenset[str]) -> Rationale:
            claim = special(SPECIAL[subject.item])
            first = passage(snapshot, subject.item, claim)
            if first.source_id not in exclude or after == "same":
                return says(snapshot, subject, claim)
            if after == "gone":
                return says(snapshot, subject, COMMON)
            text = COMMON if after == "unsupported" else f"Another {SPECIAL[subject.item]}ish"
            other = next(p for p in snapshot.item_passages(subject.item) if p.text.startswith(text))
            words = f"They say: {claim}" if after == "unsupported" else f"They say: {other.text}"
            return make_reply([("merit", words, [("review", other)])])

        return figures(measure_removal(material_of(snapshot, explain)))

    assert outcome("gone") == {"removal.faithful": 1.0, "removal.gone": 1.0, "removal.supported_anew": 0.0}
    assert outcome("unsupported")["removal.faithful"] == 0.0
    assert outcome("same")["removal.faithful"] == 0.0


def test_knowing_who_is_quoted_makes_a_rationale_likelier(snapshot: SnapshotReader) -> None:
    def quoting(subject: Subject, _: frozenset[str]) -> Rationale:
        own = next(p for p in snapshot.user_passages("sue") if p.item_id != subject.item)
        return make_reply([("match", own.text, [("history", own)])])

    made = figures(measure_likelihood(material_of(snapshot, quoting)))
    assert made["likelihood.gain"] > 0.5
    assert made["likelihood.given_user_and_item"] > made["likelihood.given_item"]
    other = figures(measure_likelihood(material_of(snapshot, lambda s, _: says(snapshot, s, COMMON))))
    assert abs(other["likelihood.gain"]) < 0.2
