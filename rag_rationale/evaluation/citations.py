"""Instrument 1: whether citations are sound and right, and what they cost in words, compression and silence.

Support, compression and share of quotation stand side by side because what is copied is supported trivially.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from rag_rationale.evaluation.alce import averaged, cited_sentences
from rag_rationale.evaluation.averages import average
from rag_rationale.evaluation.faults import STRUCTURES, find_faults
from rag_rationale.evaluation.finding import Case, Finding, Measure
from rag_rationale.evaluation.judging import Judge, tokens
from rag_rationale.evaluation.material import Material, Subject
from rag_rationale.evaluation.statistics import wilson
from rag_rationale.retrieval import Rarity
from rag_rationale.types import Rationale

FAULTS = "citations.faults"
"""What the names of structural measures begin with: their targets are no matter of degree."""
SPECIFIC_REVIEWS, TELLING = 5, 0.5  # reviews that make silence a failure; what `Rarity.telling` makes one specific
ABSTENTION = 0.10
_SAMPLE = 4000
_QUOTED = re.compile('[“"]([^“”"]*)[”"]')


def measure_citations(material: Material, judge: Judge) -> Finding:
    """Structural faults (target 0), recall and precision by `judge`, and the shape of what is written."""
    values: dict[str, dict[str, float]] = defaultdict(dict)
    for subject, reply in zip(material.subjects, material.replies, strict=True):
        for what, value in averaged(cited_sentences(reply, title=title_of(subject.item, material)), judge):
            values[f"citations.{what}.{judge.name}"][subject.id] = value
        for name, value in _shape(reply).items():
            values[name][subject.id] = value
    faults, cases = _faults(material)
    silence, per_case = _silence(material)
    return Finding(
        "citations",
        (*faults, *(average(name, of, material) for name, of in values.items()), *silence),
        per_case=dict(values) | per_case,
        cases=cases,
    )


def _faults(material: Material) -> tuple[list[Measure], tuple[Case, ...]]:
    counts: Counter[str] = Counter()
    cases = []
    for subject, reply in zip(material.subjects, material.replies, strict=True):
        for kind, what in find_faults(reply, subject, material.snapshot):
            counts[kind] += 1
            cases.append(Case(f"{kind}: {subject.id}", reply.rationale, what))
    n = len(material.replies)
    kinds = [Measure(f"{FAULTS}.{kind}", counts[kind], n, target=0, at_most=True) for kind in STRUCTURES]
    return kinds, tuple(cases)


def title_of(item_id: str, material: Material) -> str:
    """The title of an item of the index, "" where there is none."""
    item = material.snapshot.item(item_id)
    return item.title if item else ""


def _shape(reply: Rationale) -> dict[str, float]:
    """What a reply that was not abstained from looks like; {} for one that was."""
    if not reply.sentences:
        return {}
    passages = {e.id: e.text for e in reply.evidence}
    kept = [
        _kept(sentence.text, c.cited_text, passages[c.evidence_id])
        for sentence in reply.sentences
        for c in sentence.citations
        if c.evidence_id in passages
    ]
    words = len(tokens(reply.rationale))
    quoted = sum(len(tokens(q)) for q in _QUOTED.findall(reply.rationale))
    return {
        "citations.support": sum(_supporters(s.text) for s in reply.sentences) / len(reply.sentences),
        "citations.compression": sum(kept) / max(len(kept), 1),
        "citations.quotation": quoted / max(words, 1),
        "citations.words": words,
        "citations.sentences": len(reply.sentences),
    }


def _supporters(sentence: str) -> int:
    return len(set(re.findall(r"\[\d{1,3}\]", sentence)))


def _kept(sentence: str, cited: str, passage: str) -> float:
    """Share of the passage's words that the sentence takes out of what it cites of it."""
    return (Counter(tokens(sentence)) & Counter(tokens(cited))).total() / max(len(tokens(passage)), 1)


def _silence(material: Material) -> tuple[list[Measure], dict[str, dict[str, float]]]:
    """Abstention, also where there was enough to say; and how many texts are personal where they could be."""
    pairs = list(zip(material.subjects, material.replies, strict=True))
    rarity = Rarity(material.snapshot.sample_passages(_SAMPLE))
    rich = [(s, r) for s, r in pairs if s.others and _specific(material, s, rarity) >= SPECIFIC_REVIEWS]
    known = [(s, r) for s, r in pairs if s.others and r.sentences]
    measures = [
        _rate("citations.abstention", (not r.sentences for _, r in pairs)),
        _rate("citations.abstention.specific", (not r.sentences for _, r in rich), target=ABSTENTION),
        _rate("citations.personal", (r.personal for _, r in known)),
    ]
    reasons = Counter(r.reason for _, r in pairs if r.reason)
    measures += [
        _rate(f"citations.abstention.{reason}", (r.reason == reason for _, r in pairs)) for reason in sorted(reasons)
    ]
    return measures, {
        "citations.abstention": {s.id: float(not r.sentences) for s, r in pairs},
        "citations.personal": {s.id: float(r.personal) for s, r in known},
    }


def _specific(material: Material, subject: Subject, rarity: Rarity) -> int:
    """How many other people's reviews of the item say something that is not said everywhere."""
    return len(
        {
            p.source_id
            for p in material.snapshot.item_passages(subject.item)
            if p.kind == "review"
            and p.user_id != subject.user
            and p.source_id != subject.review
            and p.quarantined is None
            and p.lang == subject.language
            and rarity.telling(p.text) >= TELLING
        }
    )


def _rate(name: str, held: Iterator[bool], *, target: float | None = None) -> Measure:
    outcomes = list(held)
    share = wilson(sum(outcomes), len(outcomes))
    return Measure(name, share.value, share.n, share.interval, target=target, at_most=True)
