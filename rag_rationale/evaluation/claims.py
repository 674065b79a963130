"""Served sentences as claims: each with the passages it cites, their titles and, as opaque marks, their authors."""

from __future__ import annotations

from collections.abc import Sequence

from rag_rationale.types import CitedEvidence, Claim, Language, Rationale, Snapshot, Source


def claims_of(reply: Rationale, snapshot: Snapshot, *, title: str, case: str = "") -> tuple[Claim, ...]:
    """One claim per sentence of a reply, in order; `title` is that of the recommended item, `case` begins their ids."""
    by_label = {e.label: e for e in reply.evidence}
    claims = []
    for number, sentence in enumerate(reply.sentences, 1):
        cited = [by_label[n] for n in dict.fromkeys(c.label for c in sentence.citations)]
        claim = claim_of(sentence.text, cited, snapshot, language=reply.language, title=title)
        counted = sentence.support and {"count": sentence.support.count, "of": sentence.support.of}
        claims.append(Claim.model_validate(claim.model_dump() | {"id": f"{case}#{number}", "counted": counted}))
    return tuple(claims)


def claim_of(
    sentence: str, evidence: Sequence[CitedEvidence], snapshot: Snapshot, *, language: Language, title: str
) -> Claim:
    """A claim out of a sentence and what its markers stand for."""
    return Claim(
        language=language, item=title, sentence=sentence, evidence=tuple(_source(e, snapshot, title) for e in evidence)
    )


def _source(e: CitedEvidence, snapshot: Snapshot, title: str) -> Source:
    item = snapshot.item(e.item_id) if e.item_id else None
    passage = snapshot.passage(e.id.split(":")[1]) if e.id.count(":") else None
    author = (passage.user_id if passage else None) or e.source_id
    return Source(
        label=e.label,
        side=e.side,
        title=item.title if item else title,
        text=e.text,
        event=e.event,
        rating=e.rating,
        author=None if e.side == "item" else "me" if e.side == "history" else author,
    )
