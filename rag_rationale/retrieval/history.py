"""The user's history as evidence: her own words about other items, her events, what she sends along, her wishes."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from rag_rationale.corpus import quarantine_reason, review_passages
from rag_rationale.errors import UnknownItemError
from rag_rationale.language.detect import detect_language
from rag_rationale.retrieval.sieve import Sieve
from rag_rationale.types import Event, Evidence, Passage, Review, Snapshot, UserRef

MOST_HISTORY = 300  # passages of a very heavy user's history that are looked at, newest first


def history_tag(index: str, user_id: str, passage_id: str) -> str:
    """What a history evidence id ends with: it binds the passage to its user without naming her."""
    return hashlib.blake2s(f"{index}\0{user_id}\0{passage_id}".encode(), digest_size=6).hexdigest()


def history_of(user: UserRef, snapshot: Snapshot, sieve: Sieve, *, target: str | None) -> list[Evidence]:
    """Everything the user wrote, did and wishes, newest first, but for what concerns the item of id `target`."""
    found = (
        _known_history(user.id, snapshot, target, sieve)
        if user.id is not None
        else _inline_history(user, snapshot, target)
    )
    wishes = (_inline_passage(text, f"inline:preferences.{n}", "text", None) for n, text in enumerate(user.preferences))
    found += [_inline_evidence(p, "", "preference") for p in wishes if p is not None]
    return sorted(found, key=lambda e: (e.event != "preference", -(e.timestamp or 0), e.passage.row, e.passage.id))


def _known_history(user_id: str, snapshot: Snapshot, target: str | None, sieve: Sieve) -> list[Evidence]:
    """The user's own words about other items, and her events citing the item they were with."""
    name = snapshot.manifest.name
    written = [
        p
        for p in snapshot.user_passages(user_id)
        if p.item_id != target and not p.quarantined and sieve.sees(p.source_id, p.timestamp)
    ]
    titles = snapshot.item_texts(sorted({p.item_id for p in written}), "title")
    found = [
        Evidence(
            _private(name, user_id, p), p, "history", title, event="review", rating=p.rating, timestamp=p.timestamp
        )
        for p in written
        if (title := titles.get(p.item_id))
    ]
    seen: set[tuple[str, str]] = set()
    for event in reversed(snapshot.user_events(user_id)):
        if event.item_id == target or (event.item_id, event.event) in seen:
            continue
        if not sieve.sees(event.item_id, event.timestamp):
            continue
        seen.add((event.item_id, event.event))
        proof = _titled(snapshot, event)
        if proof is not None:
            found.append(
                Evidence(
                    _private(name, user_id, proof),
                    proof,
                    "history",
                    proof.text,
                    event=event.event,
                    rating=event.value if event.event == "rating" else None,
                    timestamp=event.timestamp,
                )
            )
    return found


def _titled(snapshot: Snapshot, event: Event) -> Passage | None:
    """The passage that names the item of an event: its title, whole, where that is one passage."""
    titles = snapshot.source_passages("item", event.item_id, "title")
    return titles[0] if len(titles) == 1 and titles[0].quarantined is None else None


def _inline_history(user: UserRef, snapshot: Snapshot, target: str | None) -> list[Evidence]:
    found: list[Evidence] = []
    for n, entry in enumerate(user.history):
        if target is not None and entry.item_id == target:
            continue
        known = snapshot.item(entry.item_id) if entry.item_id else None
        title = entry.title or (known.title if known else None)
        if title is None:
            raise UnknownItemError(
                f"Item {entry.item_id!r} of `user.history[{n}]` is not in index {snapshot.manifest.label}.",
                remedy="Give its `title` in the entry.",
            )
        source = f"inline:history.{n}"
        if entry.text and entry.text.strip():
            review = Review(
                source, entry.item_id or source, rating=entry.rating, timestamp=entry.timestamp, text=entry.text
            )
            cut = [p for _, passages in review_passages(review) for p in passages if p.quarantined is None]
            found += [_inline_evidence(p, title, "review") for p in cut]
            continue
        proof = _inline_passage(title, source, "title", entry.timestamp)
        if proof is not None:
            event = "rating" if entry.rating is not None and entry.event in {"view", "review"} else entry.event
            found.append(replace(_inline_evidence(proof, title, event), rating=entry.rating))
    return found


def _inline_passage(text: str, source: str, field: str, timestamp: int | None) -> Passage | None:
    """A whole short text of the request as one passage; None where it is blank or hostile."""
    if not text.strip() or quarantine_reason(text, terse=field == "title") is not None:
        return None
    start = len(text) - len(text.lstrip())
    words = text.strip()
    made = hashlib.sha256(f"{source}\0{words}".encode()).hexdigest()[:20]
    lang = detect_language(words, default="en")
    return Passage(made, "review", source, field, source, start, start + len(words), words, lang, timestamp=timestamp)


def _inline_evidence(passage: Passage, title: str, event: str) -> Evidence:
    return Evidence(
        f"inline:{passage.id}",
        passage,
        "history",
        title,
        event=event,
        rating=passage.rating,
        timestamp=passage.timestamp,
        inline=True,
    )


def _private(index: str, user_id: str, passage: Passage) -> str:
    return f"{index}:{passage.id}:{history_tag(index, user_id, passage.id)}"
