"""Raw rows out of JSONL, CSV, TSV and Parquet files, or a folder of any of these, one at a time.

A text file may be gzipped. Knows nothing of what the fields mean; a file it cannot follow to its end is an error, since
half a catalogue must not pass for a whole one.
"""

from __future__ import annotations

import csv
import gzip
import importlib
import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from rag_rationale.corpus.fields import BadRow, Row
from rag_rationale.errors import DataError

LONGEST_ROW = 64 * 2**20
"""Bytes of a line beyond which it is not read but reported."""
Repaired = Callable[[int], None]
"""Told how many invalid units of a row were replaced by U+FFFD."""

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_KNOWN = frozenset((".jsonl", ".ndjson", ".json", ".parquet", *_DELIMITERS))
_BATCH = 1024  # rows of a Parquet file held at a time, beside its row group
_SURROGATE = re.compile("[\ud800-\udfff]")


def files_of(path: Path) -> list[Path]:
    """The file itself, or the files of known kinds in a folder and below it, by name. DataError where there is none."""
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.is_file() and _kind(file) in _KNOWN)
    if not found:
        raise DataError(
            f"{path} holds no file of a known kind.", remedy=f"Expected {', '.join(sorted(_KNOWN))}, or one with .gz."
        )
    return found


def is_loose(path: Path) -> bool:
    """Whether a file's kind knows fewer types than the schema asks for: then texts are read as what they say."""
    return _kind(path) in {".parquet", *_DELIMITERS}


def raw_rows(path: Path, *, repaired: Repaired) -> Iterator[tuple[int, Row | BadRow]]:
    """(line or row number from 1, row or what is wrong with it) of every row of one file that is not blank.

    A file of an unknown kind is taken for JSONL. DataError where the file cannot be read or ends in the middle.
    """
    kind = _kind(path)
    number = 0
    try:
        rows = _parquet_rows(path, repaired) if kind == ".parquet" else _text_rows(path, kind, repaired)
        for number, row in rows:
            yield number, row
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged after row {number}: {error}.", remedy="Fetch the file anew.") from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}.",
            remedy="Give the path of a JSONL, CSV or Parquet file, or of a folder of them.",
        ) from error


def without_surrogates(value: Any, repaired: Repaired) -> Any:
    """A JSON value with every lone surrogate replaced by U+FFFD."""
    if isinstance(value, str):
        text, n = _SURROGATE.subn("\ufffd", value)
        if n:
            repaired(n)
        return text
    if isinstance(value, list):
        return [without_surrogates(part, repaired) for part in value]
    if isinstance(value, dict):
        return {without_surrogates(k, repaired): without_surrogates(v, repaired) for k, v in value.items()}
    return value


def _kind(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _text_rows(path: Path, kind: str, repaired: Repaired) -> Iterator[tuple[int, Row | BadRow]]:
    zipped = path.name.lower().endswith(".gz")
    with cast(IO[bytes], gzip.open(path, "rb") if zipped else path.open("rb")) as file:
        if kind in _DELIMITERS:
            yield from _csv_rows(path, file, _DELIMITERS[kind], repaired)
            return
        for number, raw in _lines(file):
            if raw is None:
                yield number, BadRow("(row)", f"is longer than {LONGEST_ROW // 2**20} MB")
            elif raw.strip():
                yield number, _json_row(raw, repaired)


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """(number from 1, bytes) of every line, without the byte order mark; None for one that is too long to hold."""
    number = 0
    while raw := file.readline(LONGEST_ROW):
        number += 1
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        end, rest = raw[-1:], raw if len(raw) == LONGEST_ROW else b""
        while rest and end != b"\n" and (rest := file.readline(LONGEST_ROW)):
            end, raw = rest[-1:], b""
        yield number, raw if raw or not rest else None


def _decoded(raw: bytes, repaired: Repaired) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("utf-8", errors="replace")
        repaired(text.count("\ufffd") - raw.count(b"\xef\xbf\xbd"))
        return text


def _json_row(raw: bytes, repaired: Repaired) -> Row | BadRow:
    text = _decoded(raw, repaired)
    try:
        row: Any = json.loads(text)
    except (ValueError, RecursionError):
        return BadRow("(row)", "is not valid JSON")
    if not isinstance(row, dict):
        return BadRow("(row)", "expected a JSON object", row)
    return dict(without_surrogates(row, repaired)) if "\\u" in text else row


def _csv_rows(path: Path, file: IO[bytes], delimiter: str, repaired: Repaired) -> Iterator[tuple[int, Row | BadRow]]:
    """Rows by the names in the first line; the number is that of a row's first line. An empty cell is null."""
    csv.field_size_limit(LONGEST_ROW)
    lines = (_decoded(raw or b"\n", repaired) for _, raw in _lines(file))
    reader = csv.reader(lines, delimiter=delimiter)
    header = next(reader, [])
    if len(set(header)) != len(header):
        raise DataError(f"{path} names a column twice in its first line.", remedy="Name each column once.")
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield number, BadRow("(row)", f"is not valid CSV: {error}")
            continue
        if cells is None:
            return
        if cells and len(cells) != len(header):
            yield number, BadRow("(row)", f"has not as many cells as the {len(header)} of the first line", len(cells))
        elif cells:
            yield number, {name: cell or None for name, cell in zip(header, cells, strict=True)}


def _parquet_rows(path: Path, repaired: Repaired) -> Iterator[tuple[int, Row | BadRow]]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
        wrong = importlib.import_module("pyarrow").ArrowException
    except ImportError as error:
        raise DataError(
            f"{path} is a Parquet file, and pyarrow is not installed.",
            remedy="Install it: `pip install 'rag-rationale[parquet]'`.",
        ) from error
    number = 0
    try:
        with path.open("rb") as handle, parquet.ParquetFile(handle) as file:
            for batch in file.iter_batches(batch_size=_BATCH, use_threads=False):
                for row in batch.to_pylist():
                    number += 1
                    yield number, without_surrogates(row, repaired)
    except (wrong, ValueError) as error:
        raise DataError(f"{path} is damaged after row {number}: {error}.", remedy="Fetch the file anew.") from error
