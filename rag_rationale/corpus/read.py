"""Reads catalogue files row by row and reports what it could not use, or not as it was.

A row not used (bad, a second one of its id, or about an unknown item) is reported with file, line, field and reason and
skipped, or raised with `strict`. Nothing here knows of file formats, sources, passages or indexes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from rag_rationale.corpus.columns import ColumnMap, Kind, apply_columns
from rag_rationale.corpus.fields import BadRow, Row, parse_event, parse_item, parse_review, parse_user, shown
from rag_rationale.corpus.rows import files_of, is_loose, raw_rows
from rag_rationale.corpus.seen import Seen
from rag_rationale.errors import RowError
from rag_rationale.types import Event, Item, Review, User

LONGEST_TEXT = 100_000
"""Characters of one text that are read; what is behind them is left off and counted."""
SHOWN = 20
"""How many bad rows of one file are kept in full; all are counted."""
_ENDING = re.compile(r"[.!?。！？\n](?!.*[.!?。！？\n])", re.DOTALL)
_NO_MAP = ColumnMap()

Record = TypeVar("Record", Item, Review, Event, User)


@dataclass(slots=True)
class FileReport:
    """What became of one file's rows. `read` counts rows that are not blank; `good` those that came through.

    Rows not used: `bad` by field and reason, `duplicates` of an id, `orphans` about an unknown item. Of rows used:
    `repaired` invalid units, `cut` texts over 100,000 characters, `anonymous` reviews, `ignored` values that a lenient
    column map lets go.
    """

    path: str
    read: int = 0
    good: int = 0
    bad: Counter[tuple[str, str]] = field(default_factory=Counter)
    duplicates: int = 0
    orphans: int = 0
    repaired: int = 0
    cut: int = 0
    anonymous: int = 0
    ignored: int = 0
    shown: list[RowError] = field(default_factory=list)

    def note(self, bad: BadRow, path: Path, line: int) -> RowError:
        """Count a row that was not used, keep it among the first shown, and return it as an error."""
        if isinstance(bad, _Repeated):
            self.duplicates += 1
        elif isinstance(bad, _Orphaned):
            self.orphans += 1
        else:
            self.bad[bad.name, bad.reason] += 1
        error = RowError(path, line, bad.name, bad.shown)
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
            "cut": self.cut,
            "anonymous": self.anonymous,
            "ignored": self.ignored,
            "shown": [
                {"file": Path(e.path).name, "line": e.line, "field": e.field, "reason": e.reason} for e in self.shown
            ],
        }

    def add_repaired(self, units: int) -> None:
        self.repaired += units


class _Repeated(BadRow):
    """A row whose id an earlier one has."""


class _Orphaned(BadRow):
    """A row about an item that is not there."""


def read_items(
    path: Path, *, report: FileReport, strict: bool = False, columns: ColumnMap | None = None
) -> Iterator[Item]:
    """Items of a file or a folder of files, in file order. The first of two rows with one id wins.

    Memory does not grow with the file. DataError where a file cannot be read to its end.
    """
    return _records(path, "items", parse_item, identity="item_id", report=report, strict=strict, columns=columns)


def read_reviews(
    path: Path,
    *,
    report: FileReport,
    known_items: Container[str],
    strict: bool = False,
    columns: ColumnMap | None = None,
) -> Iterator[Review]:
    """Reviews, as `read_items`. Reviews of items not in `known_items` are reported as orphans and skipped."""
    return _records(
        path, "reviews", parse_review, identity="review_id", report=report, strict=strict, columns=columns,
        known_items=known_items,
    )  # fmt: skip


def read_events(
    path: Path,
    *,
    report: FileReport,
    known_items: Container[str],
    strict: bool = False,
    columns: ColumnMap | None = None,
) -> Iterator[Event]:
    """Events in file order; equal rows are kept, since a thing can be done twice. Orphans as in `read_reviews`."""
    return _records(
        path, "events", parse_event, identity=None, report=report, strict=strict, columns=columns,
        known_items=known_items,
    )  # fmt: skip


def read_users(
    path: Path, *, report: FileReport, strict: bool = False, columns: ColumnMap | None = None
) -> Iterator[User]:
    """Users in file order. The first of two rows with one id wins."""
    return _records(path, "users", parse_user, identity="user_id", report=report, strict=strict, columns=columns)


def _records(
    path: Path,
    kind: Kind,
    parse: Callable[[Row], Record],
    *,
    identity: str | None,
    report: FileReport,
    strict: bool,
    columns: ColumnMap | None,
    known_items: Container[str] | None = None,
) -> Iterator[Record]:
    seen = Seen()
    for file in files_of(path):
        mapped = columns or (_NO_MAP if is_loose(file) else None)
        for line, raw in raw_rows(file, repaired=report.add_repaired):
            report.read += 1
            try:
                record = parse(_cut(_mapped(raw, kind, mapped, report), report))
                if known_items is not None and not isinstance(record, User) and record.item_id not in known_items:
                    raise _Orphaned("item_id", f"{shown(record.item_id)} is not among the items")
                if identity is not None and not seen.add(name := getattr(record, identity)):
                    raise _Repeated(identity, f"{shown(name)} stands in an earlier row, which is kept")
            except BadRow as bad:
                error = report.note(bad, file, line)
                if strict:
                    raise error from None
                continue
            report.good += 1
            report.anonymous += isinstance(record, Review) and record.user_id is None
            yield record
    seen.close()


def _mapped(raw: Row | BadRow, kind: Kind, columns: ColumnMap | None, report: FileReport) -> Row:
    if isinstance(raw, BadRow):
        raise raw
    if columns is None:
        return raw
    row, ignored = apply_columns(columns, kind, raw)
    report.ignored += ignored
    return row


def _cut(row: Row, report: FileReport) -> Row:
    """The row with overlong texts cut, behind their last sentence where one ends near."""
    for name, value in row.items():
        if isinstance(value, str) and len(value) > LONGEST_TEXT:
            near = LONGEST_TEXT - 1000
            ending = _ENDING.search(value, near, LONGEST_TEXT)
            row = row | {name: value[: ending.end() if ending else LONGEST_TEXT]}
            report.cut += 1
    return row
