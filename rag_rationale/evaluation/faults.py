"""Structural faults of a reply: what is wrong with it as an object, whatever it says.

A second pair of eyes: it holds the reply against the snapshot, and shares with the checks of the service and of
`Rationale` nothing but the types.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from rag_rationale.evaluation.material import Subject
from rag_rationale.types import CitedEvidence, Passage, Rationale, Snapshot

Structure = Literal["existence", "verbatim", "labels", "offsets", "coverage", "visibility"]
STRUCTURES: tuple[Structure, ...] = ("existence", "verbatim", "labels", "offsets", "coverage", "visibility")
Fault = tuple[Structure, str]
"""What kind of fault, and what it is."""

_MARKER = re.compile(r"\[(\d{1,3})\]")


def find_faults(reply: Rationale, subject: Subject, snapshot: Snapshot) -> list[Fault]:
    """Every fault of the reply that `subject` was given; [] for a sound one.

    existence: what is cited is no passage of the index, or not as shown; verbatim: a quotation is not its source's own
    characters; labels: they do not run 1..n in order of first use, or differ from the markers in the text; offsets;
    coverage: words outside of sentences, or a sentence that cites nothing; visibility: what must not be seen is cited.
    """
    return [
        *_evidence_faults(reply, subject, snapshot),
        *_verbatim_faults(reply, snapshot),
        *_label_faults(reply),
        *_offset_faults(reply),
        *_coverage_faults(reply),
    ]


def _evidence_faults(reply: Rationale, subject: Subject, snapshot: Snapshot) -> Iterator[Fault]:
    for evidence in reply.evidence:
        passage = _passage(evidence, snapshot)
        if passage is None:
            yield "existence", f"[{evidence.label}] {evidence.id} is no passage of the index"
            continue
        shown = (evidence.source_id, evidence.field, evidence.start, evidence.end, evidence.text, evidence.item_id)
        held = (passage.source_id, passage.field, passage.start, passage.end, passage.text, passage.item_id)
        if shown != held:
            yield "existence", f"[{evidence.label}] is shown as {shown} and held as {held}"
        if told := _hidden(evidence, passage, subject):
            yield "visibility", f"[{evidence.label}] {told}"


def _hidden(evidence: CitedEvidence, passage: Passage, subject: Subject) -> str | None:
    """Why this passage must not be cited for this subject in this role; None where it may be."""
    own = passage.kind == "review" and passage.user_id == subject.user
    match evidence.side:
        case _ if passage.source_id == subject.review and passage.kind == "review":
            return "is the hidden review"
        case _ if passage.quarantined is not None:
            return "is quarantined"
        case "history" if passage.item_id == subject.item:
            return "speaks of the item itself as the user's history"
        case "history" if passage.kind == "review" and not own:
            return "is another person's review as the user's history"
        case "item" | "review" if passage.item_id != subject.item:
            return "speaks of another item"
        case "review" if own:
            return "is the user's own review of the item"
        case _:
            return None


def _verbatim_faults(reply: Rationale, snapshot: Snapshot) -> Iterator[Fault]:
    by_id = {e.id: e for e in reply.evidence}
    for sentence in reply.sentences:
        for c in sentence.citations:
            evidence = by_id.get(c.evidence_id)
            passage = _passage(evidence, snapshot) if evidence else None
            if passage is None:
                yield "existence", f"[{c.label}] cites {c.evidence_id}, which the reply does not show"
                continue
            source = snapshot.source(passage.kind, passage.source_id, passage.field) or ""
            if not c.cited_text or source[c.start_char_index : c.end_char_index] != c.cited_text:
                yield "verbatim", f"[{c.label}] {c.cited_text!r} is not what its source holds there"


def _label_faults(reply: Rationale) -> Iterator[Fault]:
    in_text = list(dict.fromkeys(int(n) for n in _MARKER.findall(reply.rationale)))
    expected = list(range(1, len(in_text) + 1))
    if in_text != expected:
        yield "labels", f"markers in the text run {in_text}"
    if [e.label for e in reply.evidence] != expected:
        yield "labels", f"evidence is labelled {[e.label for e in reply.evidence]}, the text holds {in_text}"
    for sentence in reply.sentences:
        markers = list(dict.fromkeys(int(n) for n in _MARKER.findall(sentence.text)))
        if markers != list(dict.fromkeys(c.label for c in sentence.citations)):
            yield "labels", f"markers {markers} are not the citations of {sentence.text!r}"


def _offset_faults(reply: Rationale) -> Iterator[Fault]:
    for sentence in reply.sentences:
        if reply.rationale[sentence.start : sentence.end] != sentence.text:
            yield "offsets", f"{sentence.start}-{sentence.end} does not hold {sentence.text!r}"
    for evidence in reply.evidence:
        if evidence.end - evidence.start != len(evidence.text):
            yield "offsets", f"[{evidence.label}] {evidence.start}-{evidence.end} is not as long as its text"


def _coverage_faults(reply: Rationale) -> Iterator[Fault]:
    at = 0
    for sentence in reply.sentences:
        if reply.rationale[at : sentence.start].strip() or sentence.start < at:
            yield "coverage", f"{reply.rationale[at : sentence.start]!r} stands in no sentence"
        if not sentence.citations or not _MARKER.search(sentence.text):
            yield "coverage", f"cites nothing: {sentence.text!r}"
        at = sentence.end
    if reply.rationale[at:].strip():
        yield "coverage", f"{reply.rationale[at:]!r} stands in no sentence"


def _passage(evidence: CitedEvidence, snapshot: Snapshot) -> Passage | None:
    """The passage behind an evidence id, `index:passage` or `index:passage:tag`."""
    index, _, rest = evidence.id.partition(":")
    return snapshot.passage(rest.partition(":")[0]) if index == snapshot.manifest.name else None
