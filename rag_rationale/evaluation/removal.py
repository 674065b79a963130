"""Faithfulness by removal: without the passage that a sentence cites, is its claim gone, or newly supported?

A claim that stays, on no evidence that makes it, was never drawn from what it cited (the comprehensiveness test of
DeYoung et al. 2020, for citations).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

from rag_rationale.evaluation.choices import item_side
from rag_rationale.evaluation.finding import Case, Finding, Measure
from rag_rationale.evaluation.judging import without_markers
from rag_rationale.evaluation.material import Material, Subject
from rag_rationale.evaluation.statistics import bootstrap_mean
from rag_rationale.language.words import words
from rag_rationale.types import Rationale, Sentence

FAITHFUL = 0.95  # the target
SAME = 0.8  # share of a claim's words that a sentence or its evidence must hold to make it
_SHOWN = 5
_Outcome = Literal["gone", "supported anew", "unsupported", "cited all the same"]


@dataclass(frozen=True, slots=True)
class _Removal:
    subject: Subject
    sentence: Sentence
    after: Rationale
    outcome: _Outcome


def measure_removal(material: Material, *, n: int = 60) -> Finding:
    """Measures over at most `n` replies: of each, one sentence that cites the item's side, drawn at random, loses every
    source it cites there.

    A claim is those words of the sentence that its item's side holds. It is gone where no sentence of the new reply has
    most of them, and supported anew where one has and what it cites holds them too.
    """
    done = list(_removals(material, n))
    faithful = {r.subject.id: float(r.outcome in ("gone", "supported anew")) for r in done}
    homes = [r.subject.item for r in done]

    def share(name: str, outcome: _Outcome) -> Measure:
        found = bootstrap_mean([float(r.outcome == outcome) for r in done], clusters=homes, seed=material.seed)
        return Measure(name, found.value, found.n, found.interval)

    found = bootstrap_mean(list(faithful.values()), clusters=homes, seed=material.seed)
    return Finding(
        instrument="removal",
        measures=(
            Measure("removal.faithful", found.value, found.n, found.interval, target=FAITHFUL),
            share("removal.gone", "gone"),
            share("removal.supported_anew", "supported anew"),
        ),
        per_case={"removal.faithful": faithful},
        cases=tuple(
            Case(r.subject.id, r.sentence.text, r.outcome, (("after the removal", r.after.rationale),))
            for r in done
            if r.outcome not in ("gone", "supported anew")
        )[:_SHOWN],
        notes=("One sentence of each reply loses every review or description it cites of the item.",),
    )


def _removals(material: Material, n: int) -> Iterator[_Removal]:
    chance = Random(material.seed)
    asked = [(s, r, told) for s, r in zip(material.subjects, material.replies, strict=True) if (told := _citing(r))]
    for done, (subject, reply, told) in enumerate(asked[:n], 1):
        sentence = chance.choice(told)
        sources = item_side(reply, (sentence,)).sources
        after = material.explain(subject, sources)
        yield _Removal(subject, sentence, after, _outcome(reply, sentence, after, sources))
        material.progress("removals", done, min(n, len(asked)))


def _outcome(reply: Rationale, sentence: Sentence, after: Rationale, gone: frozenset[str]) -> _Outcome:
    if any(e.source_id in gone and e.side != "history" for e in after.evidence):
        return "cited all the same"
    claim = _words(sentence) & set(words(item_side(reply, (sentence,)).text))
    made = [s for s in after.sentences if _holds(_words(s), claim)]
    if not made:
        return "gone"
    anew = all(_holds(set(words(item_side(after, (s,)).text)), claim) for s in made)
    return "supported anew" if anew else "unsupported"


def _holds(held: set[str], claim: set[str]) -> bool:
    return len(held & claim) >= SAME * len(claim)


def _citing(reply: Rationale) -> list[Sentence]:
    """Sentences with a claim about the item."""
    return [s for s in reply.sentences if _words(s) & set(words(item_side(reply, (s,)).text))]


def _words(sentence: Sentence) -> set[str]:
    return set(words(without_markers(sentence.text)))
