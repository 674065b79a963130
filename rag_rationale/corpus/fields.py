"""One JSON object into one record, every field checked against the schema. Knows nothing of files or reports.

A field that the schema names and that does not fit makes the row bad; one it does not name is kept as it is.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from rag_rationale.types import LANGUAGES, Event, Item, Language, Review, User

Row = dict[str, Any]

_LONGEST_ID = 256
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799  # the years 1 and 9999; milliseconds of today lie beyond
_EVENT = re.compile(r"[a-z_]{1,32}")
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ufffd]")  # control characters, and what stands for an invalid one
_ITEM_FIELDS = frozenset(("item_id", "title", "description", "categories", "features", "brand", "price", "lang"))


class BadRow(Exception):  # noqa: N818  (never leaves the corpus package)
    """A row that cannot be used: the field to blame and why. `shown` says what was found instead."""

    def __init__(self, name: str, reason: str, *found: object) -> None:
        super().__init__(name, reason)
        self.name, self.reason = name, reason
        self.shown = f"{reason}, not {shown(found[0])}" if found else reason


def shown(value: object) -> str:
    """A value as JSON, cut short, for a message."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:59] + "…"


def parse_item(row: Row) -> Item:
    title = _text(row, "title")
    if not title.strip():
        raise BadRow("title", "expected a text that is not empty", row.get("title"))
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


def parse_review(row: Row) -> Review:
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


def parse_event(row: Row) -> Event:
    event = row.get("event")
    if not isinstance(event, str) or not _EVENT.fullmatch(event):
        raise BadRow("event", "expected a verb of a-z and _", event)
    value = _number(row, "value")
    if event == "rating" and value is not None and not 1 <= value <= 5:
        raise BadRow("value", "expected a rating from 1 to 5", value)
    return Event(_id(row, "user_id"), _id(row, "item_id"), event, _timestamp(row), value)


def parse_user(row: Row) -> User:
    return User(_id(row, "user_id"), _trust(row))


def _id(row: Row, name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise BadRow(name, "expected a text", value) if name in row else BadRow(name, "is missing")
    if not value.strip():
        raise BadRow(name, "expected a text that is not empty", value)
    if len(value) > _LONGEST_ID:
        raise BadRow(name, f"expected at most {_LONGEST_ID} characters", value)
    if _UNFIT.search(value):
        raise BadRow(name, "holds a control character or an invalid one")
    return value


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRow(name, "expected a text", value)
    return value


def _texts(row: Row, name: str) -> tuple[str, ...]:
    value = row.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise BadRow(name, "expected a list of texts", value)
    return tuple(value)


def _number(row: Row, name: str, *, least: float = -math.inf, most: float = math.inf) -> float | None:
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRow(name, "expected a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or not least <= number <= most:
        bounds = "" if most == math.inf == -least else f" from {least:g}" + (f" to {most:g}" if most < math.inf else "")
        raise BadRow(name, f"expected a finite number{bounds}", value)
    return number


def _timestamp(row: Row) -> int | None:
    number = _number(row, "timestamp")
    if number is None:
        return None
    if not _EARLIEST <= number <= _LATEST:
        raise BadRow("timestamp", "expected unix seconds", row["timestamp"])
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
    raise BadRow("lang", "expected en or zh", value)


def _finite(value: Any) -> Any:
    """NaN and infinities, which JSON does not have, as null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_finite(part) for part in value]
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    return value
