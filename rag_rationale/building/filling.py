"""Rows of the catalogue files into the rows of a segment: masked, cut, and the unfit quarantined."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from rag_rationale.building.report import BuildReport
from rag_rationale.building.unchanged import Unchanged
from rag_rationale.corpus import (
    ColumnMap,
    FileReport,
    Source,
    item_passages,
    masked_item,
    masked_review,
    read_events,
    read_items,
    read_reviews,
    read_users,
    review_passages,
    row_digest,
)
from rag_rationale.errors import DataError
from rag_rationale.index import SegmentWriter
from rag_rationale.types import Event, Passage, Progress, Review


@dataclass(frozen=True, slots=True)
class Files:
    """The catalogue: two files (or folders of files) that must be, two that may, and what their columns are called."""

    items: Path
    reviews: Path
    events: Path | None = None
    users: Path | None = None
    columns: ColumnMap | None = None


class _Items:
    """The item ids met so far, asked of files rather than held in memory."""

    def __init__(self, segment: SegmentWriter, unchanged: Unchanged) -> None:
        self._segment, self._unchanged = segment, unchanged

    def __contains__(self, item_id: object) -> bool:
        return isinstance(item_id, str) and (self._segment.has_item(item_id) or self._unchanged.has_item(item_id))


def fill(
    segment: SegmentWriter,
    files: Files,
    report: BuildReport,
    *,
    unchanged: Unchanged,
    forgotten: Container[str],
    strict: bool,
    progress: Progress,
) -> None:
    """The rows of the files into the segment: all users and events, and the items and reviews that are not `unchanged`.

    `report` is told what became of them. Rows of `forgotten` users are left out. A passage's trust is its review's or
    its author's, whichever is lower. DataError where no item is usable.
    """
    columns = files.columns
    _add_users(segment, files, report, forgotten, strict=strict)
    rows = _report_on(report, "items", files.items)
    for n, item in enumerate(read_items(files.items, report=rows, strict=strict, columns=columns), 1):
        digest = row_digest(item)
        if not unchanged.keep("item", item.item_id, digest):
            item, masked = masked_item(item)
            report.masked += masked
            segment.add_item(item)
            _add_passages(segment, report, item_passages(item))
            segment.add_digest("item", item.item_id, digest)
        progress("read items", n, None)
    if not rows.good:
        raise DataError(
            f"{files.items} has no usable item among {rows.read} rows{f': {rows.shown[0]}' if rows.shown else '.'}",
            remedy="An item needs at least item_id and title; a column map (`--columns`) says what they are called.",
        )

    known = _Items(segment, unchanged)
    rows = _report_on(report, "reviews", files.reviews)
    reviews = read_reviews(files.reviews, report=rows, known_items=known, strict=strict, columns=columns)
    for n, review in enumerate(reviews, 1):
        if review.user_id in forgotten:
            report.forgotten += 1
            continue
        trust = min(review.trust, segment.trust(review.user_id or ""))
        digest = row_digest((review, trust))
        if not unchanged.keep("review", review.review_id, digest):
            _add_review(segment, report, review, digest, trust=trust)
        progress("read reviews", n, None)

    if files.events is not None:
        rows = _report_on(report, "events", files.events)
        events = read_events(files.events, report=rows, known_items=known, strict=strict, columns=columns)
        for n, event in enumerate(events, 1):
            if event.user_id in forgotten:
                report.forgotten += 1
                continue
            segment.add_event(event)
            progress("read events", n, None)


def _report_on(report: BuildReport, kind: str, path: Path) -> FileReport:
    report.files[kind] = FileReport(str(path))
    return report.files[kind]


def _add_users(
    segment: SegmentWriter, files: Files, report: BuildReport, forgotten: Container[str], *, strict: bool
) -> None:
    if files.users is not None:
        rows = _report_on(report, "users", files.users)
        for user in read_users(files.users, report=rows, strict=strict, columns=files.columns):
            if user.user_id in forgotten:
                report.forgotten += 1
            else:
                segment.add_user(user)


def _add_review(segment: SegmentWriter, report: BuildReport, review: Review, digest: bytes, *, trust: float) -> None:
    review, masked = masked_review(review)
    report.masked += masked
    cut = review_passages(review, trust=trust)
    _add_passages(segment, report, cut)
    if cut:
        segment.add_digest("review", review.review_id, digest)
        return
    report.wordless += 1
    if review.user_id is not None and review.rating is not None:
        segment.add_event(Event(review.user_id, review.item_id, "rating", review.timestamp, review.rating))


def _add_passages(segment: SegmentWriter, report: BuildReport, cut: list[tuple[Source, list[Passage]]]) -> None:
    for source, passages in cut:
        segment.add_source(source.kind, source.source_id, source.field, source.text)
        segment.add_passages(passages)
        for passage in passages:
            if passage.quarantined:
                report.quarantined[passage.quarantined] += 1
            else:
                report.languages[passage.lang] += 1
