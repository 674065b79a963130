"""`rag-rationale settings`: every setting, its default and what it means, out of the code itself."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from rag_rationale.config import Settings


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("settings", help="every setting, as a Markdown table")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    del options
    print(table(), end="")
    return 0


def table() -> str:
    """A Markdown table with a row for each setting, the same on every machine."""
    rows = [f"| `RAG_RATIONALE_{name.upper()}` | {_default(f)} | {f.description} |\n" for name, f in _fields()]
    return "| setting | default | what it is |\n|---|---|---|\n" + "".join(rows)


def _fields() -> list[tuple[str, FieldInfo]]:
    return list(Settings.model_fields.items())


def _default(field: FieldInfo) -> str:
    told = (field.json_schema_extra or {}) if not callable(field.json_schema_extra) else {}
    if "default" in told:
        return str(told["default"])
    value = field.default
    return "none" if value is None else f"`{value.as_posix() if isinstance(value, Path) else value}`"
