"""LangChain's Documents as what an index holds, and back.

A document is one passage, its whole text, so split long ones first. Where its metadata names an `item_id` it is a
review of that item, with the metadata's `rating`, `timestamp`, `user_id` and `trust`; else it is an item of its own,
titled by the metadata's `title` or else its id, and keeps its metadata as the item's attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.documents import Document

from rag_rationale.connect.retriever import document_of, evidence_of
from rag_rationale.corpus import mask_personal, passage_id, quarantine_reason
from rag_rationale.errors import InvalidRequestError
from rag_rationale.index import SegmentWriter, SnapshotReader
from rag_rationale.language.detect import detect_language
from rag_rationale.types import Item, Passage, SourceKind

FIELD = "document"


@dataclass(frozen=True, slots=True)
class Kept:
    """A document beside the passage it becomes."""

    document: Document
    passage: Passage


def keep(text: str, metadata: Mapping[str, Any], *, name: str) -> Kept:
    """A document as it will be stored: personal data masked, quarantined where it is hostile or says nothing.

    Raises InvalidRequestError for a rating, timestamp or trust that cannot be one.
    """
    text, _ = mask_personal(text)
    kind: SourceKind = "review" if metadata.get("item_id") is not None else "item"
    passage = Passage(
        id=passage_id(kind, name, FIELD, text, nth=0),
        kind=kind,
        source_id=name,
        field=FIELD,
        item_id=str(metadata["item_id"]) if kind == "review" else name,
        start=0,
        end=len(text),
        text=text,
        lang=detect_language(text, default="en"),
        user_id=str(metadata["user_id"]) if kind == "review" and metadata.get("user_id") is not None else None,
        rating=_number(metadata, "rating", 1, 5) if kind == "review" else None,
        timestamp=_time(metadata) if kind == "review" else None,
        trust=_number(metadata, "trust", 0, 1) or 0.0 if metadata.get("trust") is not None else 1.0,
        quarantined=quarantine_reason(text, terse=True),
    )
    return Kept(Document(text, id=name, metadata=dict(metadata)), passage)


def write(kept: Kept, segment: SegmentWriter) -> None:
    """Add a document to a segment, and the item that it is."""
    passage = kept.passage
    if passage.kind == "item":
        metadata = kept.document.metadata
        title = str(metadata.get("title") or passage.source_id)
        segment.add_item(Item(passage.source_id, title, lang=passage.lang, attributes=metadata))
    segment.add_source(passage.kind, passage.source_id, FIELD, passage.text)
    segment.add_passages([passage])


def stored(passage: Passage, snapshot: SnapshotReader, *, score: float = 0.0) -> Document:
    """A passage of an index as a Document: what was added as one comes back under its own id, without its author.

    Any other has its evidence id and the metadata that `EvidenceRetriever` gives.
    """
    if passage.field != FIELD:
        return document_of(evidence_of(passage, snapshot, score=score))
    if passage.kind == "item":
        item = snapshot.item(passage.item_id)
        return Document(passage.text, id=passage.source_id, metadata=dict(item.attributes) if item else {})
    told = {"item_id": passage.item_id, "rating": passage.rating, "timestamp": passage.timestamp}
    return Document(passage.text, id=passage.source_id, metadata={k: v for k, v in told.items() if v is not None})


def find(name: str, snapshot: SnapshotReader) -> Passage | None:
    """The passage behind a document's id, None where there is none that may be shown."""
    index, _, made = name.partition(":")
    found = snapshot.passage(made) if index == snapshot.manifest.name and made else None
    kinds: tuple[SourceKind, ...] = ("item", "review")
    for kind in kinds:
        if found is None:
            found = next(iter(snapshot.source_passages(kind, name, FIELD)), None)
    return found if found is not None and found.quarantined is None else None


def _number(metadata: Mapping[str, Any], name: str, least: float, most: float) -> float | None:
    value = metadata.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise InvalidRequestError(f"A document's `{name}` is {value!r}, expected a number from {least} to {most}.")
    return float(value)


def _time(metadata: Mapping[str, Any]) -> int | None:
    seconds = _number(metadata, "timestamp", -(2**53), 2**53)
    return None if seconds is None else int(seconds)
