"""What a version no longer holds although its segments do, since segments never change."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from rag_rationale.errors import SnapshotError

Gone = Literal["passage", "item", "review", "user", "activity"]


@dataclass(frozen=True, slots=True, order=True)
class Tombstone:
    """One thing that is gone from one segment; a later segment may hold it anew.

    "item" takes the item and the passages of its own fields; "review" the passages of a review; "user" the passages,
    events and trust of a user; "passage" one passage; "activity" all events and every user's trust.
    """

    segment: str
    gone: Gone
    key: str


def write_tombstones(path: Path, tombstones: Iterable[Tombstone]) -> None:
    """One JSON row per tombstone, sorted; an empty file where nothing is gone."""
    rows = [json.dumps([t.segment, t.gone, t.key], ensure_ascii=False) + "\n" for t in sorted(set(tombstones))]
    path.write_text("".join(rows), encoding="utf-8")


def read_tombstones(path: Path) -> list[Tombstone]:
    """The tombstones of a version. SnapshotError where the file is damaged."""
    found = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            segment, gone, key = json.loads(line)
            if gone not in get_args(Gone):
                raise ValueError(f"unknown kind {gone!r}")
            found.append(Tombstone(segment, gone, key))
    except (OSError, ValueError, TypeError) as error:
        raise SnapshotError(f"{path} is damaged: {error}.", remedy="Rebuild the index.") from error
    return found
