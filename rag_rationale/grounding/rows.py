"""Reads sentences to be judged: one JSON object a line, into claims, with an error that names line and field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from rag_rationale.errors import InvalidRequestError, RowError
from rag_rationale.types import Claim


def read_claims(path: Path, text: str | None = None) -> list[Claim]:
    """The claims of a file, in order; blank lines are skipped. `text` stands in for what the file holds.

    Raises InvalidRequestError where the file cannot be read, RowError for the first row that does not fit.
    """
    if text is None:
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidRequestError(f"Cannot read {path}: {error}.", remedy="Give a UTF-8 file.") from error
    return list(_rows(path, text))


def _rows(path: Path, text: str) -> Iterator[Claim]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            body = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise RowError(path, number, "row", f"not JSON: {error}") from error
        if not isinstance(body, dict):
            raise RowError(path, number, "row", "expected a JSON object")
        try:
            yield Claim.model_validate({"id": str(number)} | {k: str(v) if k == "id" else v for k, v in body.items()})
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "row"
            raise RowError(path, number, place, first["msg"]) from error
