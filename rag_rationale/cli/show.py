"""A rationale for a person to read: its text, and under it each quotation in its place."""

from __future__ import annotations

from rag_rationale.types import CitedEvidence, Language, Rationale

_SIDES: dict[Language, dict[str, str]] = {
    "en": {"item": "the item's own text", "review": "a review of it", "history": "this user's history"},
    "zh": {"item": "商品自己的介绍", "review": "别人的评价", "history": "这位用户的记录"},
}


def as_text(reply: Rationale) -> str:
    """Several lines: the rationale, then `[n]` with the quoted words set off in their passage."""
    if reply.status == "abstained":
        return f"(no rationale: {reply.reason})"
    quoted: dict[int, list[tuple[int, int]]] = {}
    for sentence in reply.sentences:
        for c in sentence.citations:
            quoted.setdefault(c.label, []).append((c.start_char_index, c.end_char_index))
    lines = [reply.rationale, ""]
    for evidence in reply.evidence:
        side = _SIDES[reply.language][evidence.side]
        event = f", {evidence.event}" if evidence.event and evidence.event != "review" else ""
        where = f"{evidence.source_id} {evidence.field}"
        lines.append(f"  [{evidence.label}] {side}{event} ({where}): {_marked(evidence, quoted[evidence.label])}")
    return "\n".join(lines)


def _marked(evidence: CitedEvidence, quoted: list[tuple[int, int]]) -> str:
    """The passage on one line, the cited words between » and «."""
    text = evidence.text
    start, end = min(s for s, _ in quoted) - evidence.start, max(e for _, e in quoted) - evidence.start
    return " ".join(f"{text[:start]}»{text[start:end]}«{text[end:]}".split())
