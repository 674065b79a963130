"""Files of every format and the columns of other people: the same rows come out, and what cannot be used is told."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import planted
import pyarrow
import pyarrow.parquet
import pytest
import yaml

from rag_rationale.corpus import FileReport, read_columns, read_events, read_items, read_reviews, ready_maps, rows
from rag_rationale.errors import DataError
from rag_rationale.types import Review

Write = Callable[[Path, Sequence[Mapping[str, object]]], Path]


def _jsonl(folder: Path, made: Sequence[Mapping[str, object]]) -> Path:
    return planted.write_jsonl(folder / "rows.jsonl", made)


def _gzipped(folder: Path, made: Sequence[Mapping[str, object]]) -> Path:
    path = folder / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(_jsonl(folder, made).read_bytes()))
    return path


def _csv_text(made: Sequence[Mapping[str, object]], delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    names = list(dict.fromkeys(name for row in made for name in row))
    writer = csv.DictWriter(text, names, delimiter=delimiter)
    writer.writeheader()
    writer.writerows({key: json.dumps(v) if isinstance(v, list) else v for key, v in row.items()} for row in made)
    return text.getvalue().encode()


def _csv(folder: Path, made: Sequence[Mapping[str, object]]) -> Path:
    path = folder / "rows.csv"
    path.write_bytes(b"\xef\xbb\xbf" + _csv_text(made))
    return path


def _tsv(folder: Path, made: Sequence[Mapping[str, object]]) -> Path:
    path = folder / "rows.TSV.gz"
    path.write_bytes(gzip.compress(_csv_text(made, "\t")))
    return path


def _parquet(folder: Path, made: Sequence[Mapping[str, object]]) -> Path:
    path = folder / "rows.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in made]), path, row_group_size=7)
    return path


def _folder(folder: Path, made: Sequence[Mapping[str, object]]) -> Path:
    (folder / "parts" / "deep").mkdir(parents=True)
    (folder / "parts" / "README.md").write_text("no rows")
    (folder / "parts" / "a.csv").write_bytes(_csv_text(made[:4]))
    planted.write_jsonl(folder / "parts" / "b.jsonl", made[4:9])
    _parquet(folder / "parts" / "deep", made[9:])
    return folder / "parts"


@pytest.mark.parametrize("write", [_jsonl, _gzipped, _csv, _tsv, _parquet, _folder])
def test_every_format_gives_the_same_rows(write: Write, tmp_path: Path) -> None:
    made = planted.reviews()
    made[0] |= {"text": 'Two lines,\nand a "quote", too.', "user_id": None}
    report = FileReport("f")
    found = list(read_reviews(write(tmp_path, made), report=report, known_items={f"i{n}" for n in range(10)}))
    assert found == [Review(**row | {"title": ""}) for row in made]  # type: ignore[arg-type]
    assert (report.read, report.good, report.anonymous) == (30, 30, 1)
    (tmp_path / "items").mkdir()
    want = list(read_items(_jsonl(tmp_path, planted.items()), report=FileReport("f")))
    items = list(read_items(write(tmp_path / "items", planted.items()), report=FileReport("f")))
    assert [(i.item_id, i.title, i.features, i.lang) for i in items] == [
        (i.item_id, i.title, i.features, i.lang) for i in want
    ]


def test_a_bad_row_is_named_by_its_own_file_and_line(tmp_path: Path) -> None:
    made = planted.reviews()
    made[2]["rating"] = 7
    made[1]["text"] = "one\ntwo"
    made[7]["rating"] = "many"
    report = FileReport("f")
    good = list(read_reviews(_folder(tmp_path, made), report=report, known_items={f"i{n}" for n in range(10)}))
    assert len(good) == 28
    assert [(Path(e.path).name, e.line, e.field) for e in report.shown] == [
        ("a.csv", 5, "rating"), ("b.jsonl", 4, "rating"),
    ]  # fmt: skip
    assert report.as_json()["shown"][0]["file"] == "a.csv"  # type: ignore[index]


def test_a_misaligned_csv_row_is_bad_and_the_rows_behind_it_are_read(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text("user_id,item_id,event,value\nu,i,view,\nu,i,view\nu,i,view,,\n\nu,i,buy,3\n")
    report = FileReport("f")
    found = list(read_events(path, report=report, known_items={"i"}))
    assert [(event.event, event.value) for event in found] == [("view", None), ("buy", 3.0)]
    assert [(error.line, error.field) for error in report.shown] == [(3, "(row)"), (4, "(row)")]


@pytest.mark.parametrize("write", [_gzipped, _parquet])
def test_a_file_that_ends_in_the_middle_is_an_error_not_a_short_catalogue(write: Write, tmp_path: Path) -> None:
    path = write(tmp_path, planted.reviews())
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"rows\.(jsonl\.gz|parquet) is damaged after row"):
        list(read_reviews(path, report=FileReport("f"), known_items={f"i{n}" for n in range(10)}))


def test_a_missing_pyarrow_is_told_with_its_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _parquet(tmp_path, planted.items())
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(DataError, match=r"pip install 'rag-rationale\[parquet\]'"):
        list(read_items(path, report=FileReport("f")))


def test_a_folder_without_data_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match="holds no file of a known kind"):
        list(read_items(tmp_path, report=FileReport("f")))


def test_broken_bytes_in_csv_become_replacement_characters_and_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "i.csv"
    path.write_bytes(b"item_id,title\ni1,a\xffb\xef\xbf\xbd\n")
    report = FileReport("f")
    (item,) = read_items(path, report=report)
    assert (item.title, report.repaired) == ("a\ufffdb\ufffd", 1)


@pytest.mark.parametrize("sentence", ["It rained for a while. ", "雨下了很久。"])
def test_a_text_of_ten_megabytes_is_cut_behind_a_sentence_and_counted(sentence: str, tmp_path: Path) -> None:
    text = sentence * (10_000_000 // len(sentence.encode()))
    row = planted.reviews()[0] | {"text": text}
    report = FileReport("f")
    (review,) = read_reviews(_jsonl(tmp_path, [row]), report=report, known_items={"i0"})
    assert report.cut == 1
    assert 99_000 < len(review.text) <= 100_000
    assert text.startswith(review.text)
    assert review.text.endswith(sentence.strip())


def test_a_line_too_long_to_hold_is_a_bad_row_and_never_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "LONGEST_ROW", 2**20)
    path = tmp_path / "rows.jsonl"
    long = b'{"item_id": "long", "title": "' + b"x" * 2**24 + b'"}\n'
    path.write_bytes(b'{"item_id": "a", "title": "A"}\n' + long + b'{"item_id": "b", "title": "B"}\n')
    report = FileReport("f")
    tracemalloc.start()
    found = [item.item_id for item in read_items(path, report=report)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == ["a", "b"]
    assert [(error.line, error.field) for error in report.shown] == [(2, "(row)")]
    assert peak < 2**22


# --- other people's columns


def _columns(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "columns.yaml"
    path.write_text(text)
    return path


def test_columns_are_read_under_other_names_in_other_types(tmp_path: Path) -> None:
    columns = read_columns(
        _columns(
            tmp_path,
            """
            reviews:
              review_id: [user, thing]
              user_id: user
              item_id: thing
              rating: {column: score, scale: [0, 10], missing: ["-1"]}
              timestamp: {column: day, format: "%d.%m.%Y"}
              text: {column: words, html: true}
            """,
        )
    )
    path = tmp_path / "r.csv"
    path.write_text("user,thing,score,day,words\n7,x,10,02.01.1970,Good&amp;cheap<br/>Yes\n8,x,-1,02.01.1970,No\n")
    one, two = read_reviews(path, report=FileReport("f"), known_items={"x"}, columns=columns)
    assert one == Review("7:x", "x", "7", 5.0, 86_400, "", "Good&cheap\nYes")
    assert two.rating is None


def test_a_date_that_is_none_is_a_bad_row(tmp_path: Path) -> None:
    columns = read_columns(_columns(tmp_path, 'reviews: {timestamp: {column: timestamp, format: "%Y"}}'))
    report = FileReport("f")
    path = _jsonl(tmp_path, [planted.reviews()[0] | {"timestamp": "soon"}])
    assert list(read_reviews(path, report=report, known_items={"i0"}, columns=columns)) == []
    assert "date like %Y" in report.shown[0].reason


def test_parquet_types_become_ours(tmp_path: Path) -> None:
    when = datetime(2024, 5, 1, tzinfo=UTC)
    row = {"review_id": 12, "item_id": 7, "user_id": 3, "rating": 4.0, "timestamp": when, "text": "Fine."}
    (review,) = read_reviews(_parquet(tmp_path, [row]), report=FileReport("f"), known_items={"7"})
    assert (review.review_id, review.item_id, review.user_id) == ("12", "7", "3")
    assert review.timestamp == when.timestamp()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("reviews: {stars: rating}", "no field 'stars'"),
        ("reviews: {rating: {colum: stars}}", "column"),
        ("ratings: {}", "ratings"),
        ("items: [", "not valid YAML"),
    ],
)
def test_a_map_that_does_not_fit_is_told(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=says):
        read_columns(_columns(tmp_path, text))
    with pytest.raises(DataError, match="amazon-2018, amazon-2023, yelp"):
        read_columns("nowhere.yaml")


_READY = {
    "amazon-2018": (
        {
            "asin": "B1", "title": "Salt &amp; pepper mill", "description": ["Grinds.", "Steel."], "price": "$1,019.50",
            "category": ["Home"], "feature": ["Big"], "brand": "Kerb", "also_buy": ["B2"], "main_cat": "Kitchen",
        },
        {
            "overall": 4.0, "reviewerID": "U1", "asin": "B1", "summary": "Good", "reviewText": "Grinds well.",
            "unixReviewTime": 1400000000, "verified": True, "vote": "3",
        },
        ("Salt & pepper mill", "Grinds.\n\nSteel.", ("Home",), ("Big",), "Kerb", 1019.5, {"main_cat": "Kitchen"}),
        ("U1:B1:1400000000", "U1", 4.0, 1_400_000_000, "Good", "Grinds well."),
    ),
    "amazon-2023": (
        {
            "parent_asin": "B1", "title": "Mill", "description": [], "price": "from 12.99", "categories": ["Home"],
            "features": ["Big<br />Red"], "store": "Kerb", "main_category": "Kitchen", "details": {"a": "b"},
        },
        {
            "rating": 2.0, "user_id": "U1", "asin": "B1-red", "parent_asin": "B1", "title": "Bad", "text": "Broke.",
            "timestamp": 1588687728923, "verified_purchase": True, "images": [],
        },
        ("Mill", "", ("Home",), ("Big\nRed",), "Kerb", None, {"main_category": "Kitchen"}),
        ("U1:B1-red:1588687728923", "U1", 2.0, 1_588_687_728, "Bad", "Broke."),
    ),
    "yelp": (
        {
            "business_id": "B1", "name": "Kerb Café", "categories": "Coffee, Brunch", "city": "York", "stars": 4.5,
            "hours": {"Monday": "8-9"}, "address": "1 Road",
        },
        {
            "review_id": "R1", "user_id": "U1", "business_id": "B1", "stars": 3.0, "date": "2018-07-07 22:09:11",
            "text": "Quiet.", "useful": 0,
        },
        ("Kerb Café", "", ("Coffee", "Brunch"), (), None, None, {"city": "York", "stars": 4.5}),
        ("R1", "U1", 3.0, 1_531_001_351, "", "Quiet."),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ["amazon-2018", "amazon-2023", "yelp"])
def test_the_ready_maps_read_rows_as_those_data_sets_write_them(name: str, tmp_path: Path) -> None:
    assert set(_READY) == set(ready_maps())
    item, review, of_item, of_review = _READY[name]
    columns, report = read_columns(name), FileReport("f")
    (i,) = read_items(_jsonl(tmp_path, [item]), report=report, columns=columns)
    assert (i.title, i.description, i.categories, i.features, i.brand, i.price, i.attributes) == of_item
    assert report.ignored == (name == "amazon-2023")
    (r,) = read_reviews(_jsonl(tmp_path, [review]), report=report, known_items={i.item_id}, columns=columns)
    assert (r.review_id, r.user_id, r.rating, r.timestamp, r.title, r.text) == of_review


def test_a_lone_name_in_yaml_is_a_column(tmp_path: Path) -> None:
    path = _columns(tmp_path, yaml.safe_dump({"items": {"title": "name"}}))
    assert read_columns(path).items["title"].columns == ("name",)
