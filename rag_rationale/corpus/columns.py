"""Maps the columns of somebody's files to the fields of the schema, as a small YAML file says.

    items:
      item_id: parent_asin                         # the field here, the column there
      description: {column: text, html: true}
    reviews:
      review_id: [user_id, parent_asin, timestamp] # several columns, joined by ":"
      timestamp: {column: date, format: "%Y-%m-%d %H:%M:%S"}

A field that a map does not name is read from the column of its own name; columns that no field is read from become
attributes of an item, or those of them that `attributes` lists. Knows nothing of files or of what makes a row good.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from rag_rationale.corpus.fields import BadRow, Row
from rag_rationale.errors import DataError

Kind = Literal["items", "reviews", "events", "users"]

_MAPS = Path(__file__).with_name("maps")
_FIELDS: Mapping[Kind, Mapping[str, str]] = {
    "items": {
        "item_id": "id", "title": "text", "description": "text", "categories": "list", "features": "list",
        "brand": "text", "price": "number", "lang": "text",
    },
    "reviews": {
        "review_id": "id", "user_id": "id", "item_id": "id", "rating": "number", "timestamp": "time", "title": "text",
        "text": "text", "trust": "number",
    },
    "events": {"user_id": "id", "item_id": "id", "event": "text", "timestamp": "time", "value": "number"},
    "users": {"user_id": "id", "trust": "number"},
}  # fmt: skip
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_MONEY = re.compile(r"[\s,$€£¥]")


class Column(BaseModel):
    """Where a field comes from and how it is read. In YAML a name or a list of names stands for `{column: …}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str | tuple[str, ...]
    split: str | None = None
    """What parts a text into a list."""
    missing: tuple[str | float, ...] = ()
    """Values that mean "not given", such as a rating of 0."""
    lenient: bool = False
    """A number that is none is not given, and counted, instead of costing the row."""
    scale: tuple[float, float] | None = None
    """The least and most of another rating scale, mapped to 1 and 5."""
    unit: Literal["s", "ms"] = "s"
    format: str | None = None
    """Of a date, as for strptime; without one ISO 8601. A date without a zone is UTC."""
    html: bool = False
    """`<br>` becomes a line's end, and entities such as `&amp;` their characters."""

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,) if isinstance(self.column, str) else self.column


def _column(value: Any) -> Any:
    return {"column": value} if isinstance(value, str | list) else value


Fields = dict[str, Annotated[Column, BeforeValidator(_column)]]


class ColumnMap(BaseModel):
    """One map for all the files of a catalogue."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    items: Fields = {}
    reviews: Fields = {}
    events: Fields = {}
    users: Fields = {}
    attributes: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        for kind, fields in _FIELDS.items():
            for name in getattr(self, kind):
                if name not in fields:
                    raise ValueError(f"{kind} have no field {name!r}, only {', '.join(fields)}")
        return self


def ready_maps() -> list[str]:
    """Names of the maps that come with the package."""
    return sorted(path.stem for path in _MAPS.glob("*.yaml"))


def read_columns(spec: str | Path) -> ColumnMap:
    """A ready map by its name, or the one in a YAML file. DataError where there is none or it does not fit."""
    path = _MAPS / f"{spec}.yaml" if str(spec) in ready_maps() else Path(spec)
    try:
        return ColumnMap.model_validate(yaml.safe_load(path.read_bytes()) or {})
    except OSError as error:
        raise DataError(
            f"There is no column map {str(spec)!r}: {error.strerror}.",
            remedy=f"Give a YAML file, or one of {', '.join(ready_maps())}.",
        ) from error
    except yaml.YAMLError as error:
        raise DataError(f"{path} is not valid YAML: {error}.", remedy="Correct the file.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path}: {place}: {first['msg']}.", remedy="Correct the column map.") from error


def apply_columns(columns: ColumnMap, kind: Kind, row: Row) -> tuple[Row, int]:
    """A row under the schema's names and in its types, as far as they can be told, and how many values were not.

    What does not fit is left as it is, for the schema to complain of, or null where the map is lenient. BadRow for a
    date that is none.
    """
    mapped: dict[str, Column] = getattr(columns, kind)
    used = {name for column in mapped.values() for name in column.columns}
    made: Row = {}
    ignored = 0
    for name, type_ in _FIELDS[kind].items():
        column = mapped.get(name) or Column(column=name)
        value = _value(row, column, type_)
        if name not in mapped and name in used:
            value = None  # the column of that name is another field
        if value is not None:
            value = _read(name, value, type_, column)
        if column.lenient and type_ == "number" and value is not None and not _is_number(value):
            value, ignored = None, ignored + 1
        made[name] = value
        used.update(column.columns)
    if kind == "items":
        made |= {
            key: value
            for key, value in row.items()
            if key not in used and (columns.attributes is None or key in columns.attributes) and value is not None
        }
    return made, ignored


def _value(row: Row, column: Column, type_: str) -> Any:
    parts = [row.get(name) for name in column.columns]
    if len(parts) > 1:
        if any(part is None for part in parts) and type_ == "id":
            return None
        parts = [":".join(str(_plain(part)) for part in parts if part is not None)]
    value = _plain(parts[0])
    return None if value in ("", *column.missing) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def _read(name: str, value: Any, type_: str, column: Column) -> Any:
    if type_ == "id":
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if type_ == "text":
        return _text(value, column)
    if type_ == "list":
        return _list(value, column)
    if type_ == "time":
        return _time(name, value, column)
    number = _number(value)
    if column.scale is not None and _is_number(number):
        least, most = column.scale
        return 1 + 4 * (number - least) / (most - least)
    return number


def _text(value: Any, column: Column) -> Any:
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = "\n\n".join(part for part in value if part.strip())
    if isinstance(value, str) and column.html:
        value = html.unescape(_BREAK.sub("\n", value))
    return value


def _list(value: Any, column: Column) -> Any:
    if isinstance(value, str):
        if value.startswith("["):
            try:
                value = json.loads(value)
            except ValueError:
                return [value]
        else:
            value = value.split(column.split) if column.split else [value]
    if not isinstance(value, list):
        return value
    return [_text(part.strip() if isinstance(part, str) else part, column) for part in value]


def _number(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return float(_MONEY.sub("", value))
        except ValueError:
            return value
    return value


def _time(name: str, value: Any, column: Column) -> Any:
    if isinstance(value, str) and not _is_number(number := _number(value)):
        try:
            value = datetime.strptime(value, column.format) if column.format else datetime.fromisoformat(value)
        except ValueError as error:
            raise BadRow(name, f"expected a date like {column.format or 'ISO 8601'}", value) from error
    elif isinstance(value, str):
        value = number
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return value / 1000 if column.unit == "ms" and _is_number(value) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
