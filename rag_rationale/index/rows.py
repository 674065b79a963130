"""The segments of one version seen as one numbering of rows, without what is gone.

A global row is the segment's offset plus the row in it. Knows nothing of FAISS or of the version's other files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rag_rationale.errors import SnapshotError
from rag_rationale.index.segments import GoneRows, Segment
from rag_rationale.index.tombstones import Tombstone
from rag_rationale.types import Event, Item, Passage, SourceKind, Vectors

_DEAD_PASSAGES = {
    "passage": "id = ?",
    "item": "kind = 'item' AND source_id = ?",
    "review": "kind = 'review' AND source_id = ?",
    "user": "user_id = ?",
}


_ITEMS_WITH_PASSAGES = """SELECT i.row, i.item_id, p.row FROM items i
    LEFT JOIN passages p ON p.item_id = i.item_id AND p.kind = 'item' AND p.quarantined IS NULL ORDER BY i.row, p.row"""


class Rows:
    """Reads several segments as one. A later segment's item, source or passage of the same id wins."""

    def __init__(self, segments: Sequence[Segment], tombstones: Iterable[Tombstone], *, dimension: int) -> None:
        self.segments = tuple(segments)
        self.dimension = dimension
        self.offsets = np.cumsum([0, *(len(segment) for segment in segments)])
        self.item_offsets = np.cumsum([0, *(segment.items for segment in segments)])
        self._number = {segment.id: number for number, segment in enumerate(segments)}
        self._dead_items: set[tuple[int, str]] = set()
        self._dead_users: set[tuple[int, str]] = set()
        self._silent: set[int] = set()
        self.dead: set[int] = set()
        for tombstone in tombstones:
            self._bury(tombstone)

    def __len__(self) -> int:
        """How many passage rows there are, those that are gone included."""
        return int(self.offsets[-1])

    def item(self, item_id: str) -> Item | None:
        for number, segment in self._newest_first():
            if (number, item_id) not in self._dead_items and (item := segment.item(item_id)):
                return item
        return None

    def item_texts(self, item_ids: Sequence[str], field: Literal["title", "description"]) -> dict[str, str]:
        """One text of those of these items that are there."""
        found: dict[str, str] = {}
        for number, segment in enumerate(self.segments):
            texts = segment.item_texts(item_ids, field)
            found.update((name, text) for name, text in texts.items() if (number, name) not in self._dead_items)
        return found

    def passages(self, where: str, parameters: Sequence[object], *, order: str = "row") -> list[Passage]:
        """Passages that are not gone, segment by segment."""
        found = []
        for segment, offset in zip(self.segments, self.offsets[:-1], strict=True):
            found += segment.passages(where, parameters, offset=int(offset), order=order)
        return [passage for passage in found if passage.row not in self.dead] if self.dead else found

    def passages_at(self, rows: NDArray[np.int64]) -> list[Passage]:
        """The passages of these global rows that are not gone, segment by segment."""
        found = []
        for number, segment in enumerate(self.segments):
            first, last = self.offsets[number : number + 2].tolist()
            found += segment.passages_at((rows[(rows >= first) & (rows < last)] - first).tolist(), offset=first)
        return [passage for passage in found if passage.row not in self.dead] if self.dead else found

    def source(self, kind: SourceKind, source_id: str, field: str) -> str | None:
        """The text of a source any passage of which is still there."""
        key = (kind, source_id, field)
        where = "kind = ? AND source_id = ? AND field = ?"
        for number, segment in self._newest_first():
            found = segment.rows(f"SELECT text FROM sources WHERE {where}", key)
            if found and not self._all_dead(number, where, key):
                return str(found[0][0])
        return None

    def events(self, user_id: str) -> list[Event]:
        """Oldest first; those without a time come first of all, in row order."""
        found: list[Event] = []
        for number, segment in enumerate(self.segments):
            if self._heeds(number, user_id):
                query = "SELECT user_id, item_id, event, timestamp, value FROM events WHERE user_id = ? ORDER BY row"
                found += (Event(*row) for row in segment.rows(query, (user_id,)))
        return sorted(found, key=lambda event: -(2**62) if event.timestamp is None else event.timestamp)

    def trust(self, user_id: str) -> float:
        for number, segment in self._newest_first():
            if self._heeds(number, user_id):
                found = segment.rows("SELECT trust FROM users WHERE user_id = ?", (user_id,))
                if found:
                    return float(found[0][0])
        return 1.0

    def users(self) -> set[str]:
        """Ids of all that some segment tells anything of."""
        query = """SELECT DISTINCT user_id FROM passages WHERE user_id IS NOT NULL
            UNION SELECT user_id FROM events UNION SELECT user_id FROM users"""
        return {user for segment in self.segments for (user,) in segment.stream(query)}

    def forget(self, user_id: str) -> None:
        """Treat what the segments hold of a user as gone."""
        for segment in self.segments:
            self._bury(Tombstone(segment.id, "user", user_id))

    def vectors(self, rows: NDArray[np.int64], *, scattered: bool = False) -> Vectors:
        """Vectors of global rows, shape (n, d), in the order given. `scattered` ones are read without being mapped."""
        if len(rows) and not (rows.min() >= 0 and rows.max() < len(self)):
            raise SnapshotError(
                f"Row {int(rows.min())} or {int(rows.max())} is not one of {len(self)}.",
                remedy="Ask only for vectors of passages this snapshot returned.",
            )
        if len(self.segments) == 1:
            return self.segments[0].scattered(rows) if scattered else self.segments[0].vectors(rows)
        found = np.empty((len(rows), self.dimension), np.float32)
        homes = np.searchsorted(self.offsets, rows, side="right") - 1
        for number in np.unique(homes):
            here = homes == number
            segment, own = self.segments[number], rows[here] - self.offsets[number]
            found[here] = segment.scattered(own) if scattered else segment.vectors(own)
        return found

    def home(self, row: int) -> str:
        """The id of the segment that a global passage row lies in."""
        return self.segments[int(np.searchsorted(self.offsets, row, side="right")) - 1].id

    def release(self) -> None:
        """Give the vectors' pages back; they are read again when asked for."""
        for segment in self.segments:
            segment.release()

    def names(self, rows: Iterable[int], *, over: Literal["passages", "items"]) -> dict[int, str]:
        """Passage ids or item ids by global row."""
        offsets, column = (self.offsets, "id") if over == "passages" else (self.item_offsets, "item_id")
        wanted = np.unique(np.fromiter(rows, np.int64))
        homes = np.searchsorted(offsets, wanted, side="right") - 1
        found: dict[int, str] = {}
        for number in np.unique(homes):
            offset = int(offsets[number])
            local = self.segments[number].names(over, column, (wanted[homes == number] - offset).tolist())
            found.update({row + offset: name for row, name in local.items()})
        return found

    def rows_of(self, ids: Sequence[str]) -> dict[str, int]:
        """Global rows of those of these passage ids that are there and not quarantined."""
        found: dict[str, int] = {}
        for segment, offset in zip(self.segments, self.offsets[:-1], strict=True):
            found.update((name, row + int(offset)) for name, row in segment.rows_of(ids).items())
        return {name: row for name, row in found.items() if row not in self.dead}

    def item_rows(self, item_ids: Sequence[str]) -> dict[str, int]:
        """Global rows of those of these items that are there."""
        found: dict[str, int] = {}
        for number, (segment, offset) in enumerate(zip(self.segments, self.item_offsets[:-1], strict=True)):
            rows = segment.item_rows(item_ids)
            found.update(
                (name, row + int(offset)) for name, row in rows.items() if (number, name) not in self._dead_items
            )
        return found

    def living_passages(
        self, columns: str, where: str = "TRUE", parameters: Sequence[object] = ()
    ) -> Iterator[tuple[Any, ...]]:
        """(global row, *columns) of every passage that is not gone, in row order."""
        for segment, offset in zip(self.segments, self.offsets[:-1], strict=True):
            query = f"SELECT row, {columns} FROM passages WHERE {where} ORDER BY row"
            for row, *values in segment.stream(query, parameters):
                if row + int(offset) not in self.dead:
                    yield row + int(offset), *values

    def living_events(self, columns: str) -> Iterator[tuple[Any, ...]]:
        """`columns` of every event of users who are not gone; "user_id" must be the first."""
        for number, segment in enumerate(self.segments):
            for values in segment.stream(f"SELECT {columns} FROM events ORDER BY row"):
                if self._heeds(number, values[0]):
                    yield values

    def living_items(self) -> Iterator[tuple[int, str, NDArray[np.int64]]]:
        """(global item row, item id, global rows of its own clean passages) of each item that is there."""
        for number, segment in enumerate(self.segments):
            first, item_first = int(self.offsets[number]), int(self.item_offsets[number])
            for (row, item_id), group in groupby(segment.stream(_ITEMS_WITH_PASSAGES), key=lambda found: found[:2]):
                own = [found[2] + first for found in group if found[2] is not None]
                if (number, item_id) not in self._dead_items:
                    living = [passage for passage in own if passage not in self.dead]
                    yield row + item_first, item_id, np.array(living, np.int64)

    def living_digests(self) -> Iterator[tuple[str, SourceKind, str, bytes | None]]:
        """(segment, kind, id, digest) of every item and review of which something is there.

        The digest is None where it has lost a passage, or the segment is of a release that kept none.
        """
        for number, segment in enumerate(self.segments):
            broken = self.gone_from(number).broken
            known = "digest FROM digests" if segment.has_digests() else "NULL FROM sources"
            query = f"SELECT kind, source_id, (SELECT {known} d WHERE (d.kind, d.source_id) = (s.kind, s.source_id)) "
            for kind, source_id, digest in segment.stream(query + "FROM sources s GROUP BY kind, source_id"):
                whole = (kind, source_id) not in broken
                if whole or not self._all_dead(number, "kind = ? AND source_id = ?", (kind, source_id)):
                    yield segment.id, kind, source_id, digest if whole else None

    def gone_from(self, number: int) -> GoneRows:
        """What is gone from the segment of this number."""
        first, last = int(self.offsets[number]), int(self.offsets[number + 1])
        passages = sorted(row - first for row in self.dead if first <= row < last)
        return GoneRows(
            passages,
            items={key for at, key in self._dead_items if at == number},
            users={key for at, key in self._dead_users if at == number},
            broken=self.segments[number].sources_of(passages),
            activity=number in self._silent,
        )

    def item_ids(self) -> list[str]:
        """Ids of the items that are there, in row order."""
        return list(dict.fromkeys(item_id for _, item_id in self.living_item_rows()))

    def living_item_rows(self) -> Iterator[tuple[int, str]]:
        """(global item row, id) of the items that are there, in row order."""
        for number, segment in enumerate(self.segments):
            for row, item_id in segment.stream("SELECT row, item_id FROM items ORDER BY row"):
                if (number, item_id) not in self._dead_items:
                    yield row + int(self.item_offsets[number]), item_id

    def dead_item_rows(self) -> set[int]:
        """Global item rows of the items that are gone."""
        found = set()
        for number, item_id in self._dead_items:
            for (row,) in self.segments[number].rows("SELECT row FROM items WHERE item_id = ?", (item_id,)):
                found.add(row + int(self.item_offsets[number]))
        return found

    def _bury(self, tombstone: Tombstone) -> None:
        number = self._number.get(tombstone.segment)
        if number is None:
            return  # its segment left with a compaction
        if tombstone.gone == "activity":
            self._silent.add(number)
            return
        if tombstone.gone == "item":
            self._dead_items.add((number, tombstone.key))
        if tombstone.gone == "user":
            self._dead_users.add((number, tombstone.key))
        query = f"SELECT row FROM passages WHERE {_DEAD_PASSAGES[tombstone.gone]}"
        offset = int(self.offsets[number])
        self.dead.update(row + offset for (row,) in self.segments[number].rows(query, (tombstone.key,)))

    def _heeds(self, number: int, user_id: str) -> bool:
        """Whether a segment still speaks of what this user did."""
        return number not in self._silent and (number, user_id) not in self._dead_users

    def _all_dead(self, number: int, where: str, key: Sequence[object]) -> bool:
        if not self.dead:
            return False
        offset = int(self.offsets[number])
        rows = self.segments[number].rows(f"SELECT row FROM passages WHERE {where}", key)
        return all(row + offset in self.dead for (row,) in rows)

    def _newest_first(self) -> Iterator[tuple[int, Segment]]:
        return reversed(list(enumerate(self.segments)))
