"""Cuts sources into passages: the smallest texts that can be cited.

A passage is one sentence that says enough, or a short one together with what follows, up to three. Ids hash what a
passage says and where it comes from, never where it stands, so that they outlive rebuilds and reordered rows.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from rag_rationale.corpus.quarantine import WHOLE_SOURCE, hostile_reason, quarantine_reason, unfit_reason
from rag_rationale.corpus.sources import Source, item_sources, review_sources
from rag_rationale.language.detect import count_han, count_latin, detect_language
from rag_rationale.language.sentences import split_sentences
from rag_rationale.types import Item, Language, Passage, Review, SourceKind

MOST_SENTENCES = 3
MOST_CHARACTERS: dict[Language, int] = {"en": 320, "zh": 160}
_ENOUGH = 6.0
"""Words a passage should have; a Han character counts as 0.6 of a word, so ten will do."""
_NEUTRAL_LETTERS = 12
"""Fewer Latin letters than this, and no Han, name a language no more than "iPhone 15" does."""
_WORD = re.compile(r"[^\W\d_\u3400-\u9fff]+(?:['’][^\W\d_]+)?|\d+")
_PARAGRAPH = re.compile(r"\n\s*\n")


def item_passages(item: Item) -> list[tuple[Source, list[Passage]]]:
    """The sources of an item with their passages. `item.lang`, where given, decides for short neutral texts."""
    return _cut_all(item_sources(item), default=item.lang or detect_language(item.description, default="en"))


def review_passages(review: Review, *, trust: float | None = None) -> list[tuple[Source, list[Passage]]]:
    """The sources of a review with their passages, which carry its author, rating, timestamp and trust."""
    default = detect_language(review.text, default="en")
    review = review if trust is None else replace(review, trust=trust)
    return _cut_all(review_sources(review), default=default, review=review)


def passage_id(kind: SourceKind, source_id: str, field: str, text: str, *, nth: int) -> str:
    """20 hex characters. `field` without its position ("features", not "features.3"); `nth` counts from 0."""
    named = json.dumps([kind, source_id, field, text, nth], ensure_ascii=False)
    return hashlib.sha256(named.encode()).hexdigest()[:20]


def passage_bounds(text: str, lang: Language) -> list[tuple[int, int]]:
    """The (start, end) of each passage of a source, in order. A short sentence never crosses a blank line."""
    bounds: list[tuple[int, int]] = []
    sentences = split_sentences(text, lang)
    at = 0
    while at < len(sentences):
        start, end = sentences[at]
        taken = 1
        while taken < MOST_SENTENCES and at + taken < len(sentences) and _content(text[start:end]) < _ENOUGH:
            if not _joins(text, start, end, sentences[at + taken], lang):
                break
            end = sentences[at + taken][1]
            taken += 1
        at += taken
        if at == len(sentences) and bounds and _content(text[start:end]) < _ENOUGH and taken < MOST_SENTENCES:
            before = bounds[-1]
            if _joins(text, *before, (start, end), lang) and len(split_sentences(text[before[0] : end], lang)) <= 3:
                bounds[-1] = before[0], end
                continue
        bounds.append((start, end))
    return bounds


def _content(text: str) -> float:
    return len(_WORD.findall(text)) + 0.6 * count_han(text)


def _joins(text: str, start: int, end: int, following: tuple[int, int], lang: Language) -> bool:
    return following[1] - start <= MOST_CHARACTERS[lang] and not _PARAGRAPH.search(text, end, following[0])


def _cut_all(
    sources: Iterable[Source], *, default: Language, review: Review | None = None
) -> list[tuple[Source, list[Passage]]]:
    seen: Counter[tuple[str, str]] = Counter()
    return [(source, list(_cut(source, default, seen, review))) for source in sources]


def _cut(source: Source, default: Language, seen: Counter[tuple[str, str]], review: Review | None) -> Iterator[Passage]:
    source_lang = _language(source.text, default)
    field = source.field.partition(".")[0]
    terse = field == "title" or source.kind == "item"
    hostile = hostile_reason(source.text)
    for start, end in passage_bounds(source.text, source_lang):
        text = source.text[start:end]
        nth = seen[field, text]
        seen[field, text] += 1
        yield Passage(
            id=passage_id(source.kind, source.source_id, field, text, nth=nth),
            kind=source.kind,
            source_id=source.source_id,
            field=source.field,
            item_id=source.item_id,
            start=start,
            end=end,
            text=text,
            lang=_language(text, source_lang),
            user_id=review.user_id if review else None,
            rating=review.rating if review else None,
            timestamp=review.timestamp if review else None,
            trust=review.trust if review else 1.0,
            quarantined=_reason(text, hostile, terse=terse),
        )


def _reason(text: str, hostile: str | None, *, terse: bool) -> str | None:
    """Why a passage is quarantined, in a source that is `hostile` for a reason or not at all."""
    if hostile is None:
        return unfit_reason(text, terse=terse)
    return hostile if hostile in WHOLE_SOURCE else quarantine_reason(text, terse=terse)


def _language(text: str, default: Language) -> Language:
    if not count_han(text) and count_latin(text) < _NEUTRAL_LETTERS:
        return default
    return detect_language(text, default=default)
