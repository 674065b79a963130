"""Replies made by hand for tests of instruments: sentences that cite whole passages."""

from __future__ import annotations

from collections.abc import Sequence

from rag_rationale.types import (
    Citation,
    CitedEvidence,
    Kind,
    Language,
    Passage,
    Provenance,
    Rationale,
    Sentence,
    Side,
    Timings,
)

Said = tuple[Kind, str, Sequence[tuple[Side, Passage]]]


def make_reply(said: Sequence[Said], *, language: Language = "en") -> Rationale:
    """A reply of sentences, each its text with the labels of its passages behind it; an abstention for none."""
    labels: dict[str, int] = {}
    evidence: dict[str, CitedEvidence] = {}
    sentences: list[Sentence] = []
    text = ""
    for kind, words, cited in said:
        start = len(text) + bool(text)
        citations = []
        for side, p in cited:
            label = labels.setdefault(p.id, len(labels) + 1)
            evidence[p.id] = _evidence(p, side, label)
            citations.append(
                Citation(
                    label=label, evidence_id=p.id, cited_text=p.text, start_char_index=p.start, end_char_index=p.end
                )
            )
        whole = words + " " + "".join(f"[{c.label}]" for c in citations)
        text = f"{text} {whole}" if text else whole
        sentences.append(
            Sentence(
                text=whole,
                start=start,
                end=start + len(whole),
                kind=kind,
                mode="slots",
                verdict="supported",
                tier="lexical",
                score=1.0,
                citations=tuple(citations),
            )
        )
    return Rationale(
        id="rat_test",
        status="grounded" if sentences else "abstained",
        language=language,
        personal=any(e.side == "history" for e in evidence.values()),
        degraded=False,
        rationale=text,
        sentences=tuple(sentences),
        evidence=tuple(evidence.values()),
        reason=None if sentences else "no_evidence",
        provenance=Provenance(index="shop@1", template="default@1", model="m", embedder="e", verifier="v", seed=0),
        timings_ms=Timings(retrieve=0, write=0, verify=0, total=0),
    )


def _evidence(p: Passage, side: Side, label: int) -> CitedEvidence:
    return CitedEvidence(
        label=label,
        id=p.id,
        side=side,
        item_id=p.item_id,
        source_id=p.source_id,
        field=p.field,
        start=p.start,
        end=p.end,
        text=p.text,
        lang=p.lang,
        event="review" if side == "history" else None,
        rating=p.rating,
        timestamp=p.timestamp,
        score=0.0,
    )
