"""Reading catalogue files: every bad row is named, no good row is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rag_rationale.corpus import FileReport, read_events, read_items, read_reviews, read_users
from rag_rationale.errors import DataError, RowError

_ITEM = {"item_id": "i1", "title": "Lamp"}
_REVIEW = {"review_id": "r1", "user_id": "u1", "item_id": "i1", "rating": 4, "timestamp": 5, "title": "", "text": "ok"}


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: object) -> Path:
        path = tmp_path / "rows.jsonl"
        lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
        path.write_bytes(b"\n".join(lines) + b"\n")
        return path

    return write


def test_an_item_keeps_every_field_and_unknown_ones_become_attributes(jsonl: Callable[..., Path]) -> None:
    row = _ITEM | {
        "description": "Bright.", "categories": ["home"], "features": ["5 W", "USB"], "brand": "Lux", "price": 9,
        "lang": "en-GB", "cost_for_two": 800, "nested": {"a": [1, None]},
    }  # fmt: skip
    (item,) = read_items(jsonl(row), report=FileReport("f"))
    assert (item.item_id, item.title, item.description) == ("i1", "Lamp", "Bright.")
    assert (item.categories, item.features) == (("home",), ("5 W", "USB"))
    assert (item.brand, item.price, item.lang) == ("Lux", 9.0, "en")
    assert item.attributes == {"cost_for_two": 800, "nested": {"a": [1, None]}}


def test_null_stands_for_not_given(jsonl: Callable[..., Path]) -> None:
    row = _REVIEW | {"user_id": None, "rating": None, "timestamp": None, "title": None, "trust": None}
    (review,) = read_reviews(jsonl(row), report=FileReport("f"), known_items={"i1"})
    assert (review.user_id, review.rating, review.timestamp, review.title, review.trust) == (None, None, None, "", 1.0)


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"rating": 6}, "rating", "expected a finite number from 1 to 5, not 6"),
        ({"rating": 0.5}, "rating", "expected a finite number from 1 to 5, not 0.5"),
        ({"rating": True}, "rating", "expected a number, not true"),
        ({"rating": "5"}, "rating", 'expected a number, not "5"'),
        ({"rating": float("nan")}, "rating", "expected a finite number from 1 to 5, not NaN"),
        ({"timestamp": 1_700_000_000_000}, "timestamp", "expected unix seconds, not 1700000000000"),
        ({"timestamp": "2019"}, "timestamp", 'expected a number, not "2019"'),
        ({"trust": -0.1}, "trust", "expected a finite number from 0 to 1, not -0.1"),
        ({"text": 7}, "text", "expected a text, not 7"),
        ({"review_id": 7}, "review_id", "expected a text, not 7"),
        ({"review_id": None}, "review_id", "expected a text"),
        ({"review_id": "  "}, "review_id", 'expected a text that is not empty, not "  "'),
        ({"review_id": "a\0b"}, "review_id", "holds a control character or an invalid one"),
        ({"review_id": "a\u0085b"}, "review_id", "holds a control character or an invalid one"),
        ({"review_id": "a\ud800b"}, "review_id", "holds a control character or an invalid one"),
        ({"review_id": "x" * 257}, "review_id", "expected at most 256 characters"),
        ({"user_id": ""}, "user_id", 'expected a text that is not empty, not ""'),
    ],
)
def test_a_bad_field_is_reported_with_file_line_field_and_reason(
    jsonl: Callable[..., Path], change: dict[str, object], field: str, reason: str
) -> None:
    path = jsonl(_REVIEW | {"review_id": "good"}, _REVIEW | change)
    report = FileReport(str(path))
    good = list(read_reviews(path, report=report, known_items={"i1"}))
    assert [review.review_id for review in good] == ["good"]
    (error,) = report.shown
    assert (error.path, error.line, error.field) == (str(path), 2, field)
    assert error.reason.startswith(reason)
    with pytest.raises(RowError) as fatal:
        list(read_reviews(path, report=FileReport(str(path)), known_items={"i1"}, strict=True))
    assert str(fatal.value) == str(error)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": None}, "title"),
        ({"features": "USB"}, "features"),
        ({"categories": ["a", 1]}, "categories"),
        ({"price": -1}, "price"),
        ({"price": 10**400}, "price"),
        ({"lang": "fr"}, "lang"),
        ({"brand": 3}, "brand"),
    ],
)
def test_an_item_with_a_bad_field_is_a_bad_row(
    jsonl: Callable[..., Path], change: dict[str, object], field: str
) -> None:
    report = FileReport("f")
    assert list(read_items(jsonl(_ITEM | change), report=report)) == []
    assert [error.field for error in report.shown] == [field]


@pytest.mark.parametrize("line", [b"{", b"[1]", b'"text"', b"null", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"])
def test_a_line_that_is_no_json_object_is_a_bad_row(jsonl: Callable[..., Path], line: bytes) -> None:
    report = FileReport("f")
    assert [item.item_id for item in read_items(jsonl(line, _ITEM), report=report)] == ["i1"]
    assert [(error.line, error.field) for error in report.shown] == [(1, "(row)")]


def test_invalid_units_become_replacement_characters_and_are_counted(jsonl: Callable[..., Path]) -> None:
    raw = b'{"item_id": "i1", "title": "a\xffb\xef\xbf\xbd", "description": "\\ud800 \\ud83d\\ude00", "x": ["\\udfff"]}'
    report = FileReport("f")
    (item,) = read_items(jsonl(raw), report=report)
    assert item.title == "a\ufffdb\ufffd"
    assert item.description == "\ufffd 😀"
    assert item.attributes == {"x": ["\ufffd"]}
    assert report.repaired == 3


def test_a_byte_order_mark_and_blank_lines_are_no_rows(jsonl: Callable[..., Path]) -> None:
    report = FileReport("f")
    path = jsonl(b"\xef\xbb\xbf" + json.dumps(_ITEM).encode(), b"", b"  \t", _ITEM | {"item_id": "i2"})
    assert [item.item_id for item in read_items(path, report=report)] == ["i1", "i2"]
    assert (report.read, report.good) == (2, 2)


def test_the_first_of_two_rows_with_one_id_wins(jsonl: Callable[..., Path]) -> None:
    report = FileReport("f")
    items = list(read_items(jsonl(_ITEM, _ITEM | {"title": "Other"}), report=report))
    assert [item.title for item in items] == ["Lamp"]
    assert (report.duplicates, report.shown[0].line, report.shown[0].field) == (1, 2, "item_id")


def test_a_bad_row_does_not_take_the_id_of_a_good_one(jsonl: Callable[..., Path]) -> None:
    report = FileReport("f")
    assert len(list(read_items(jsonl(_ITEM | {"price": "x"}, _ITEM), report=report))) == 1
    assert report.duplicates == 0


def test_rows_about_unknown_items_are_orphans(jsonl: Callable[..., Path]) -> None:
    report = FileReport("f")
    assert list(read_reviews(jsonl(_REVIEW | {"item_id": "gone"}), report=report, known_items={"i1"})) == []
    assert report.orphans == 1
    assert '"gone"' in report.shown[0].reason


def test_an_event_twice_is_two_events_and_needs_a_verb(jsonl: Callable[..., Path]) -> None:
    row = {"user_id": "u1", "item_id": "i1", "event": "view", "timestamp": 3, "value": None}
    report = FileReport("f")
    path = jsonl(row, row, row | {"event": "Add to cart"}, row | {"event": "rating", "value": 9})
    assert len(list(read_events(path, report=report, known_items={"i1"}))) == 2
    assert [error.field for error in report.shown] == ["event", "value"]


def test_ids_are_kept_as_they_are(jsonl: Callable[..., Path]) -> None:
    (user,) = read_users(jsonl({"user_id": " Ü 1 ", "trust": 0.25}), report=FileReport("f"))
    assert (user.user_id, user.trust) == (" Ü 1 ", 0.25)


def test_a_nan_in_an_unknown_field_costs_no_row(jsonl: Callable[..., Path]) -> None:
    (item,) = read_items(jsonl(_ITEM | {"margin": float("nan")}), report=FileReport("f"))
    assert item.attributes == {"margin": None}


def test_all_rows_are_accounted_for_and_twenty_bad_ones_shown(jsonl: Callable[..., Path]) -> None:
    bad = [_REVIEW | {"review_id": f"b{n}", "rating": n + 6} for n in range(30)]
    report = FileReport("f")
    path = jsonl(*bad, _REVIEW, _REVIEW, _REVIEW | {"review_id": "o", "item_id": "x"})
    good = list(read_reviews(path, report=report, known_items={"i1"}))
    found = report.as_json()
    assert found["read"] == 33 == len(good) + 30 + report.duplicates + report.orphans
    assert found["bad_by_reason"] == [
        {"field": "rating", "reason": "expected a finite number from 1 to 5", "rows": 30},
    ]
    assert len(report.shown) == 20


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.jsonl cannot be read"):
        list(read_items(tmp_path / "none.jsonl", report=FileReport("f")))
