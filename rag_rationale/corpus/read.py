"""Reads catalogue files row by row and reports what it could not use.

A row not used (bad, a second one of its id, or about an unknown item) is reported with file, line, field and reason and
skipped, or raised with `strict`. Nothing here knows of sources, passages or indexes.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from rag_rationale.corpus.fields import BadRow, Row, parse_event, parse_item, parse_review, parse_user, shown
from rag_rationale.errors import DataError, RowError
from rag_rationale.types import Event, Item, Review, User

SHOWN = 20
"""How many bad rows of one file are kept in full; all are counted."""
_SURROGATE = re.compile("[\ud800-\udfff]")

Record = TypeVar("Record", Item, Review, Event, User)


@dataclass(slots=True)
class FileReport:
    """What became of one file's rows. `read` counts rows that are not blank; `good` those that came through."""

    path: str
    read: int = 0
    good: int = 0
    bad: Counter[tuple[str, str]] = field(default_factory=Counter)
    duplicates: int = 0
    orphans: int = 0
    repaired: int = 0
    shown: list[RowError] = field(default_factory=list)

    def note(self, bad: BadRow, line: int) -> RowError:
        """Count a row that was not used, keep it among the first shown, and return it as an error."""
        if isinstance(bad, _Repeated):
            self.duplicates += 1
        elif isinstance(bad, _Orphaned):
            self.orphans += 1
        else:
            self.bad[bad.name, bad.reason] += 1
        error = RowError(self.path, line, bad.name, bad.shown)
        if len(self.shown) < SHOWN:
            self.shown.append(error)
        return error

    def as_json(self) -> dict[str, object]:
        """Plain values for a manifest: counts, bad rows by field and reason, and the first of them in full."""
        return {
            "path": Path(self.path).name,
            "read": self.read,
            "good": self.good,
            "bad": sum(self.bad.values()),
            "bad_by_reason": [{"field": f, "reason": r, "rows": n} for (f, r), n in sorted(self.bad.items())],
            "duplicates": self.duplicates,
            "orphans": self.orphans,
            "repaired": self.repaired,
            "shown": [{"line": e.line, "field": e.field, "reason": e.reason} for e in self.shown],
        }


class _Repeated(BadRow):
    """A row whose id an earlier one has."""


class _Orphaned(BadRow):
    """A row about an item that is not there."""


def read_items(path: Path, *, report: FileReport, strict: bool = False) -> Iterator[Item]:
    """Items in file order. The first of two rows with one id wins. Holds the ids it has seen, not the rows."""
    return _records(path, parse_item, identity="item_id", report=report, strict=strict)


def read_reviews(
    path: Path, *, report: FileReport, known_items: Container[str], strict: bool = False
) -> Iterator[Review]:
    """Reviews in file order. Reviews of items not in `known_items` are reported as orphans and skipped."""
    return _records(path, parse_review, identity="review_id", report=report, strict=strict, known_items=known_items)


def read_events(
    path: Path, *, report: FileReport, known_items: Container[str], strict: bool = False
) -> Iterator[Event]:
    """Events in file order; equal rows are kept, since a thing can be done twice. Orphans as in `read_reviews`."""
    return _records(path, parse_event, identity=None, report=report, strict=strict, known_items=known_items)


def read_users(path: Path, *, report: FileReport, strict: bool = False) -> Iterator[User]:
    """Users in file order. The first of two rows with one id wins."""
    return _records(path, parse_user, identity="user_id", report=report, strict=strict)


def _records(
    path: Path,
    parse: Callable[[Row], Record],
    *,
    identity: str | None,
    report: FileReport,
    strict: bool,
    known_items: Container[str] | None = None,
) -> Iterator[Record]:
    seen: set[str] = set()
    for line, raw in _lines(path):
        report.read += 1
        try:
            record = parse(_decode(raw, report))
            if known_items is not None and not isinstance(record, User) and record.item_id not in known_items:
                raise _Orphaned("item_id", f"{shown(record.item_id)} is not among the items")
            if identity is not None:
                if (name := getattr(record, identity)) in seen:
                    raise _Repeated(identity, f"{shown(name)} stands in an earlier row, which is kept")
                seen.add(name)
        except BadRow as bad:
            error = report.note(bad, line)
            if strict:
                raise error from None
            continue
        report.good += 1
        yield record


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(line number from 1, bytes) of every line that is not blank, without the byte order mark."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", remedy="Give the path of a JSONL file.") from error
    with file:
        for number, raw in enumerate(file, 1):
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            if raw.strip():
                yield number, raw


def _decode(raw: bytes, report: FileReport) -> Row:
    """The row as JSON, with every invalid unit (byte sequence or lone surrogate) replaced by U+FFFD and counted."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("utf-8", errors="replace")
        report.repaired += text.count("\ufffd") - raw.count(b"\xef\xbf\xbd")
    try:
        row: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRow("(row)", "is not valid JSON") from error
    if not isinstance(row, dict):
        raise BadRow("(row)", "expected a JSON object", row)
    return dict(_without_surrogates(row, report)) if "\\u" in text else row


def _without_surrogates(value: Any, report: FileReport) -> Any:
    if isinstance(value, str):
        text, n = _SURROGATE.subn("\ufffd", value)
        report.repaired += n
        return text
    if isinstance(value, list):
        return [_without_surrogates(part, report) for part in value]
    if isinstance(value, dict):
        return {_without_surrogates(k, report): _without_surrogates(v, report) for k, v in value.items()}
    return value
