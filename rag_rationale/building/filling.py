"""Rows of the catalogue files into the rows of a segment: masked, cut, and the unfit quarantined."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rag_rationale.building.report import BuildReport
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
    """The item ids of a segment being written, asked of its file rather than held in memory."""

    def __init__(self, segment: SegmentWriter) -> None:
        self._segment = segment

    def __contains__(self, item_id: object) -> bool:
        return isinstance(item_id, str) and self._segment.has_item(item_id)


def fill(segment: SegmentWriter, files: Files, report: BuildReport, *, strict: bool, progress: Progress) -> None:
    """All rows of the files into the segment: users, items, reviews, events. `report` is told what became of them.

    A passage's trust is its review's or its author's, whichever is lower. DataError where no item is usable.
    """
    columns = files.columns
    _add_users(segment, files, report, strict=strict)
    rows = _report_on(report, "items", files.items)
    for n, item in enumerate(read_items(files.items, report=rows, strict=strict, columns=columns), 1):
        item, masked = masked_item(item)
        report.masked += masked
        segment.add_item(item)
        _add_passages(segment, report, item_passages(item))
        progress("read items", n, None)
    if not rows.good:
        raise DataError(
            f"{files.items} has no usable item among {rows.read} rows{f': {rows.shown[0]}' if rows.shown else '.'}",
            remedy="An item needs at least item_id and title; a column map (`--columns`) says what they are called.",
        )

    known = _Items(segment)
    rows = _report_on(report, "reviews", files.reviews)
    reviews = read_reviews(files.reviews, report=rows, known_items=known, strict=strict, columns=columns)
    for n, review in enumerate(reviews, 1):
        _add_review(segment, report, review, trust=min(review.trust, segment.trust(review.user_id or "")))
        progress("read reviews", n, None)

    if files.events is not None:
        rows = _report_on(report, "events", files.events)
        events = read_events(files.events, report=rows, known_items=known, strict=strict, columns=columns)
        for n, event in enumerate(events, 1):
            segment.add_event(event)
            progress("read events", n, None)


def _report_on(report: BuildReport, kind: str, path: Path) -> FileReport:
    report.files[kind] = FileReport(str(path))
    return report.files[kind]


def _add_users(segment: SegmentWriter, files: Files, report: BuildReport, *, strict: bool) -> None:
    if files.users is not None:
        rows = _report_on(report, "users", files.users)
        for user in read_users(files.users, report=rows, strict=strict, columns=files.columns):
            segment.add_user(user)


def _add_review(segment: SegmentWriter, report: BuildReport, review: Review, *, trust: float) -> None:
    review, masked = masked_review(review)
    report.masked += masked
    cut = review_passages(review, trust=trust)
    _add_passages(segment, report, cut)
    if cut:
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
