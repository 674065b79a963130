"""Reads catalogue files row by row, checks every field, and reports what it could not use.

A bad row is one that is no JSON object, or one field of which does not fit the schema; it is reported with file, line,
field and reason, and skipped, or raised with `strict`. Fields the schema does not name never make a row bad. Nothing
here knows of sources, passages or indexes.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from rag_rationale.errors import DataError, RowError
from rag_rationale.types import LANGUAGES, Event, Item, Language, Review, User

SHOWN = 20
"""How many bad rows of one file are kept in full; all are counted."""
_LONGEST_ID = 256
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799  # the years 1 and 9999; milliseconds of today lie beyond
_SURROGATE = re.compile("[\ud800-\udfff]")
_EVENT = re.compile(r"[a-z_]{1,32}")
_ITEM_FIELDS = frozenset(("item_id", "title", "description", "categories", "features", "brand", "price", "lang"))

Row = dict[str, Any]
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


class _Bad(Exception):  # noqa: N818  (never leaves this module)
    """A field that does not fit. `found` is shown to the reader but does not split the counts of the report."""

    def __init__(self, name: str, reason: str, *found: object) -> None:
        super().__init__(name, reason)
        self.name, self.reason = name, reason
        self.shown = f"{reason}, not {_shown(found[0])}" if found else reason

    def count(self, report: FileReport) -> None:
        report.bad[self.name, self.reason] += 1


class _Repeated(_Bad):
    """A row whose id an earlier one has."""

    def __init__(self, name: str, identity: str) -> None:
        super().__init__(name, f"{_shown(identity)} stands in an earlier row, which is kept")

    def count(self, report: FileReport) -> None:
        report.duplicates += 1


class _Orphaned(_Bad):
    """A row about an item that is not there."""

    def __init__(self, item_id: str) -> None:
        super().__init__("item_id", f"{_shown(item_id)} is not among the items")

    def count(self, report: FileReport) -> None:
        report.orphans += 1


def read_items(path: Path, *, report: FileReport, strict: bool = False) -> Iterator[Item]:
    """Items in file order. The first of two rows with one id wins. Holds the ids it has seen, not the rows."""
    return _records(path, _item, identity="item_id", report=report, strict=strict)


def read_reviews(
    path: Path, *, report: FileReport, known_items: Container[str], strict: bool = False
) -> Iterator[Review]:
    """Reviews in file order. Reviews of items not in `known_items` are reported as orphans and skipped."""
    return _records(path, _review, identity="review_id", report=report, strict=strict, known_items=known_items)


def read_events(
    path: Path, *, report: FileReport, known_items: Container[str], strict: bool = False
) -> Iterator[Event]:
    """Events in file order; equal rows are kept, since a thing can be done twice. Orphans as in `read_reviews`."""
    return _records(path, _event, identity=None, report=report, strict=strict, known_items=known_items)


def read_users(path: Path, *, report: FileReport, strict: bool = False) -> Iterator[User]:
    """Users in file order. The first of two rows with one id wins."""
    return _records(path, _user, identity="user_id", report=report, strict=strict)


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
                raise _Orphaned(record.item_id)
            if identity is not None:
                if (name := getattr(record, identity)) in seen:
                    raise _Repeated(identity, name)
                seen.add(name)
        except _Bad as bad:
            bad.count(report)
            error = RowError(report.path, line, bad.name, bad.shown)
            if strict:
                raise error from None
            if len(report.shown) < SHOWN:
                report.shown.append(error)
            continue
        report.good += 1
        yield record


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:59] + "…"


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
        raise _Bad("(row)", "is not valid JSON") from error
    if not isinstance(row, dict):
        raise _Bad("(row)", "expected a JSON object", row)
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


def _item(row: Row) -> Item:
    title = _text(row, "title")
    if not title.strip():
        raise _Bad("title", "expected a text that is not empty", row.get("title"))
    return Item(
        item_id=_id(row, "item_id"),
        title=title,
        description=_text(row, "description"),
        categories=_texts(row, "categories"),
        features=_texts(row, "features"),
        brand=_text(row, "brand") or None,
        price=_number(row, "price", least=0),
        lang=_language(row),
        attributes={key: _finite(value) for key, value in row.items() if key not in _ITEM_FIELDS},
    )


def _review(row: Row) -> Review:
    return Review(
        review_id=_id(row, "review_id"),
        item_id=_id(row, "item_id"),
        user_id=_id(row, "user_id") if row.get("user_id") is not None else None,
        rating=_number(row, "rating", least=1, most=5),
        timestamp=_timestamp(row),
        title=_text(row, "title"),
        text=_text(row, "text"),
        trust=_trust(row),
    )


def _event(row: Row) -> Event:
    event = row.get("event")
    if not isinstance(event, str) or not _EVENT.fullmatch(event):
        raise _Bad("event", "expected a verb of a-z and _", event)
    value = _number(row, "value")
    if event == "rating" and value is not None and not 1 <= value <= 5:
        raise _Bad("value", "expected a rating from 1 to 5", value)
    return Event(_id(row, "user_id"), _id(row, "item_id"), event, _timestamp(row), value)


def _user(row: Row) -> User:
    return User(_id(row, "user_id"), _trust(row))


def _id(row: Row, name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise _Bad(name, "expected a text", value) if name in row else _Bad(name, "is missing")
    if not value.strip():
        raise _Bad(name, "expected a text that is not empty", value)
    if len(value) > _LONGEST_ID:
        raise _Bad(name, f"expected at most {_LONGEST_ID} characters", value)
    if "\ufffd" in value or any(unicodedata.category(char) == "Cc" for char in value):
        raise _Bad(name, "holds a control character or an invalid one")
    return value


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _Bad(name, "expected a text", value)
    return value


def _texts(row: Row, name: str) -> tuple[str, ...]:
    value = row.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise _Bad(name, "expected a list of texts", value)
    return tuple(value)


def _number(row: Row, name: str, *, least: float = -math.inf, most: float = math.inf) -> float | None:
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Bad(name, "expected a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or not least <= number <= most:
        bounds = "" if most == math.inf == -least else f" from {least:g}" + (f" to {most:g}" if most < math.inf else "")
        raise _Bad(name, f"expected a finite number{bounds}", value)
    return number


def _timestamp(row: Row) -> int | None:
    number = _number(row, "timestamp")
    if number is None:
        return None
    if not _EARLIEST <= number <= _LATEST:
        raise _Bad("timestamp", "expected unix seconds", row["timestamp"])
    return int(number)


def _trust(row: Row) -> float:
    trust = _number(row, "trust", least=0, most=1)
    return 1.0 if trust is None else trust


def _language(row: Row) -> Language | None:
    """`en` or `zh`; a region or script behind it ("en-GB", "zh-Hans") is left off."""
    value = row.get("lang")
    if value is None:
        return None
    primary = re.split("[-_]", value)[0].lower() if isinstance(value, str) else None
    for language in LANGUAGES:
        if primary == language:
            return language
    raise _Bad("lang", "expected en or zh", value)


def _finite(value: Any) -> Any:
    """NaN and infinities, which JSON does not have, as null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_finite(part) for part in value]
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    return value
