"""Instrument 1: faults planted in sound replies, and recall and precision by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from evaluated import shop_material

from rag_rationale import grounding
from rag_rationale.evaluation.alce import by_marker, precision, recall
from rag_rationale.evaluation.citations import measure_citations
from rag_rationale.evaluation.faults import Structure, find_faults
from rag_rationale.evaluation.finding import Measure
from rag_rationale.evaluation.judging import Cited, GroundedJudge, WordJudge, tokens
from rag_rationale.evaluation.material import Material
from rag_rationale.types import CitedEvidence, Rationale


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return shop_material(tmp_path_factory.mktemp("citations"))


def test_the_replies_of_the_service_have_no_faults(material: Material) -> None:
    assert len(material.subjects) == 3
    assert sum(len(r.sentences) for r in material.replies) >= 3
    told = [find_faults(r, s, material.snapshot) for s, r in zip(material.subjects, material.replies, strict=True)]
    assert told == [[]] * 3


def _first(reply: Rationale, **changed: object) -> Rationale:
    """The reply with its first sentence changed, unchecked."""
    return reply.model_copy(update={"sentences": (reply.sentences[0].model_copy(update=changed), *reply.sentences[1:])})


def _cited(reply: Rationale, **changed: object) -> Rationale:
    citation = reply.sentences[0].citations[0].model_copy(update=changed)
    return _first(reply, citations=(citation, *reply.sentences[0].citations[1:]))


def _shown(reply: Rationale, **changed: object) -> Rationale:
    return reply.model_copy(update={"evidence": (reply.evidence[0].model_copy(update=changed), *reply.evidence[1:])})


@pytest.mark.parametrize(
    ("spoil", "kinds"),
    [
        (lambda r: _shown(r, id="shop:0000"), {"existence"}),
        (lambda r: _shown(r, text=r.evidence[0].text + "!"), {"existence", "offsets"}),
        (lambda r: _shown(r, source_id="another"), {"existence"}),
        (lambda r: _cited(r, evidence_id="shop:0000"), {"existence"}),
        (lambda r: _cited(r, cited_text=r.sentences[0].citations[0].cited_text.upper()), {"verbatim"}),
        (lambda r: _cited(r, start_char_index=r.sentences[0].citations[0].start_char_index + 1), {"verbatim"}),
        (lambda r: _cited(r, label=9), {"labels"}),
        (lambda r: _shown(r, label=9), {"labels"}),
        (lambda r: _first(r, start=1), {"offsets", "coverage"}),
        (lambda r: _first(r, citations=()), {"labels", "coverage"}),
        (lambda r: r.model_copy(update={"rationale": r.rationale + " Trust us."}), {"coverage"}),
        (lambda r: r.model_copy(update={"rationale": r.rationale.replace("[1]", "[7]")}), {"labels", "offsets"}),
        (lambda r: _shown(r, side="history"), {"visibility"}),
    ],
)
def test_each_kind_of_fault_is_found(
    material: Material, spoil: Callable[[Rationale], Rationale], kinds: set[Structure]
) -> None:
    at, reply = next((n, r) for n, r in enumerate(material.replies) if r.evidence[0].side != "history")
    assert {kind for kind, _ in find_faults(spoil(reply), material.subjects[at], material.snapshot)} == kinds


def of_review(material: Material) -> tuple[int, Rationale, CitedEvidence]:
    """A reply that cites a review, its number and that passage."""
    return next((n, r, e) for n, r in enumerate(material.replies) for e in r.evidence if e.side == "review")


def test_a_hidden_review_that_is_cited_is_a_fault(material: Material) -> None:
    at, reply, review = next(
        (n, r, e) for n, r in enumerate(material.replies) for e in r.evidence if e.side == "review"
    )
    subject = replace(material.subjects[at], review=review.source_id)
    assert ("visibility", f"[{review.label}] is the hidden review") in find_faults(reply, subject, material.snapshot)


class Known:
    """A judge that knows which labels together support which sentence; any further ones do no harm."""

    name = "known"

    def __init__(self, *enough: set[int]) -> None:
        self._enough = enough

    def supports(self, cited: Cited) -> bool:
        given = {e.label for e in cited.evidence}
        assert {int(n) for n in re.findall(r"\[(\d+)\]", cited.text)} == given
        return any(labels <= given for labels in self._enough)


def shown(n: int) -> list[CitedEvidence]:
    """Passages 1 to n."""
    row = CitedEvidence(
        label=1, id="x", side="review", item_id="i", source_id="r", field="text", start=0, end=1, text="x", lang="en",
        score=0.0,
    )  # fmt: skip
    return [row.model_copy(update={"label": label}) for label in range(1, n + 1)]


@pytest.mark.parametrize(
    ("sentence", "judge", "whole", "each"),
    [
        ("Two facts [1], and both are needed [2].", Known({1, 2}), 1, [1, 1]),
        ("One is enough [1], the other idle [2].", Known({1}), 1, [1, 0]),
        ("Either is enough [1][2].", Known({1}, {2}), 1, [1, 1]),
        ("Nothing supports this [1].", Known({3}), 0, [0]),
        ("One label is invented [1][8].", Known({1}), 0, [0, 0]),
        ("Said twice of one [1], and so counted once [1].", Known({1}), 1, [1]),
        ("Nothing is cited.", Known(set()), 0, []),
    ],
)
def test_recall_and_precision_are_as_alce_counts_them(sentence: str, judge: Known, whole: int, each: list[int]) -> None:
    cited = by_marker(sentence, shown(3), "en")
    assert recall(cited, judge) == whole
    assert precision(cited, judge) == each


def by_name(measures: Sequence[Measure]) -> dict[str, Measure]:
    return {m.name: m for m in measures}


def test_figures_of_the_shape_are_those_counted_by_hand(material: Material) -> None:
    at, reply, review = next(
        (n, r, e) for n, r in enumerate(material.replies) for e in r.evidence if e.side == "review"
    )
    passage = review.model_copy(update={"label": 1})
    quote = passage.text[:-1]  # all but the full stop
    text = f"One reviewer writes: “{quote}” [1]."
    citation = (
        reply.sentences[0]
        .citations[0]
        .model_copy(
            update={
                "label": 1,
                "evidence_id": passage.id,
                "cited_text": quote,
                "start_char_index": passage.start,
                "end_char_index": passage.end - 1,
            }
        )
    )
    one = reply.sentences[0].model_copy(update={"text": text, "end": len(text), "citations": (citation,)})
    made = reply.model_copy(update={"rationale": text, "sentences": (one,), "evidence": (passage,)})
    silent = reply.model_copy(
        update={"status": "abstained", "reason": "no_evidence", "rationale": "", "sentences": (), "evidence": ()}
    )
    subjects = (material.subjects[at], material.subjects[at - 1])
    asked = replace(material, subjects=subjects, replies=(made, silent))
    found = by_name(measure_citations(asked, WordJudge()).measures)
    words = len(tokens(quote))
    assert found["citations.compression"].value == 1
    assert found["citations.quotation"].value == pytest.approx(words / (words + 3))
    assert found["citations.words"].value == words + 3
    assert (found["citations.abstention"].value, found["citations.abstention"].n) == (0.5, 2)
    assert found["citations.abstention.no_evidence"].value == 0.5
    assert found["citations.recall.words"].n == 1
    assert found["citations.faults.verbatim"].met is True
    assert found["citations.abstention.specific"].n == 0  # no item of the shop has five reviews


def test_words_are_counted_alike_in_both_languages() -> None:
    assert tokens("It's 3.5 kg [1], 很轻[2]。") == ["it's", "3.5", "kg", "很", "轻"]
    judge = WordJudge()
    soup = [e.model_copy(update={"text": "这家的汤很鲜，等了20分钟。"}) for e in shown(1)]
    assert judge.supports(by_marker("有人说汤很鲜[1]。", soup, "zh"))
    assert not judge.supports(by_marker("有人说等了30分钟[1]。", soup, "zh"))
    assert not judge.supports(by_marker("有人说汤很鲜。", soup, "zh"))


def test_the_projects_judge_tells_a_served_sentence_from_the_same_with_a_denial(material: Material) -> None:
    judge = GroundedJudge(grounding.Judge(), material.snapshot, last="lexical")
    belt = "The hip belt spreads the load very well."
    passage = shown(1)[0].model_copy(update={"text": belt, "end": len(belt)})
    true = by_marker("One reviewer says the hip belt spreads the load very well [1].", [passage], "en")
    assert judge.supports(true)
    assert not judge.supports(replace(true, text=true.text.replace("spreads", "does not spread")))
    assert judge.name == "lexical"


def test_the_judge_is_named_after_the_last_tier_it_can_ask(material: Material) -> None:
    for last in ("lexical", "embedding", "likelihood"):
        judge = GroundedJudge(grounding.Judge(embedder=material.embedder), material.snapshot, last=last)
        assert judge.name == ("lexical" if last == "lexical" else "embedding")
    assert grounding.Judge().tiers() == ["lexical"]
