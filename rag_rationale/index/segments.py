"""One immutable segment: a SQLite file of rows and a NumPy file of float16 vectors, one vector per passage row.

Rows are numbered from 0. Passages stand item by item, an item's own before its reviews', each in the order added, so
that a request reads a few pages and not one a passage. A quarantined passage has a row and a vector of zeros. Knows
nothing of other segments, of what is gone, or of search.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import LifoQueue
from typing import Any, Literal
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from rag_rationale.errors import SnapshotError
from rag_rationale.index.layout import sha256
from rag_rationale.types import Event, Item, Passage, SourceKind, User, Vectors

_PASSAGE = """id TEXT NOT NULL, kind TEXT NOT NULL, source_id TEXT NOT NULL, field TEXT NOT NULL, item_id TEXT NOT NULL,
    "start" INTEGER NOT NULL, "end" INTEGER NOT NULL, text TEXT NOT NULL, lang TEXT NOT NULL, user_id TEXT, rating REAL,
    timestamp INTEGER, trust REAL NOT NULL, quarantined TEXT"""
_SCHEMA = f"""
CREATE TABLE items (row INTEGER PRIMARY KEY, item_id TEXT NOT NULL UNIQUE, data TEXT NOT NULL);
CREATE TABLE sources (kind TEXT, source_id TEXT, field TEXT, text TEXT NOT NULL,
    PRIMARY KEY (kind, source_id, field)) WITHOUT ROWID;
CREATE TABLE passages (row INTEGER PRIMARY KEY, {_PASSAGE});
CREATE TABLE staging.passages (row INTEGER PRIMARY KEY, origin INTEGER, {_PASSAGE});
CREATE TABLE users (user_id TEXT PRIMARY KEY, trust REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE digests (kind TEXT, source_id TEXT, digest BLOB NOT NULL, PRIMARY KEY (kind, source_id)) WITHOUT ROWID;
CREATE TABLE events (row INTEGER PRIMARY KEY, user_id TEXT NOT NULL, item_id TEXT NOT NULL, event TEXT NOT NULL,
    timestamp INTEGER, value REAL);
"""
_INDEXES = """
CREATE UNIQUE INDEX passages_by_id ON passages (id);
CREATE INDEX passages_by_item ON passages (item_id, kind);
CREATE INDEX passages_by_user ON passages (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX passages_by_source ON passages (kind, source_id, field);
CREATE INDEX events_by_user ON events (user_id, timestamp);
"""
_COLUMNS = (
    'id, kind, source_id, field, item_id, "start", "end", text, lang, user_id, rating, timestamp, trust, quarantined'
)
_STANDING = "ORDER BY item_id, kind, row"  # 'item' comes before 'review'
_NUMBERED = "ROW_NUMBER() OVER (ORDER BY row) - 1 + :first"
_LIVING = {  # what is left of a segment `old`, by table, without the passages in `dead` and the ids in `lost`
    "items": f"""SELECT {_NUMBERED}, item_id, data FROM old.items
        WHERE ('item', item_id) NOT IN (SELECT kind, id FROM lost)""",
    "sources": """SELECT * FROM old.sources s WHERE EXISTS (SELECT 1 FROM old.passages p
        WHERE p.kind = s.kind AND p.source_id = s.source_id AND p.field = s.field
        AND p.row NOT IN (SELECT row FROM dead))""",
    "passages": f"""SELECT NULL, row + :origin, {_COLUMNS} FROM old.passages
        WHERE row NOT IN (SELECT row FROM dead) ORDER BY row""",
    "users": "SELECT user_id, trust FROM old.users WHERE ('user', user_id) NOT IN (SELECT kind, id FROM lost)",
    "events": f"""SELECT {_NUMBERED}, user_id, item_id, event, timestamp, value FROM old.events
        WHERE ('user', user_id) NOT IN (SELECT kind, id FROM lost)""",
    "digests": "SELECT * FROM old.digests WHERE ('whole ' || kind, source_id) NOT IN (SELECT kind, id FROM lost)",
}
_STAGING = "staging.sqlite"
_IN_ONE_QUERY = 500
_CONNECTIONS = 4
_MAPPED_BYTES = 1 << 36
_REMEDY = "Roll back with `rag-rationale index rollback`, or rebuild."


@dataclass(frozen=True, slots=True)
class GoneRows:
    """What of one segment is gone: rows of passages, ids of items and of users, whether all events and users are.

    `broken` are the kinds and ids of items and reviews that have lost a passage.
    """

    passages: Collection[int] = ()
    items: Collection[str] = ()
    users: Collection[str] = ()
    broken: Collection[tuple[SourceKind, str]] = ()
    activity: bool = False


class SegmentWriter:
    """Writes a segment: rows in any order, then `finish_rows`, then `set_vectors`, then `close`."""

    def __init__(self, folder: Path, *, dimension: int) -> None:
        folder.mkdir(parents=True)
        self._folder, self._dimension = folder, dimension
        self._db = sqlite3.connect(folder / "segment.sqlite", isolation_level=None)
        self._db.execute("ATTACH ? AS staging", (str(folder / _STAGING),))  # passages as they come, until all are here
        self._db.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN; {_SCHEMA}")
        self._next = {"items": 0, "passages": 0, "events": 0}
        self._vectors: np.memmap[Any, np.dtype[np.float16]] | None = None

    @property
    def passages(self) -> int:
        """How many passages were added."""
        return self._next["passages"]

    def add_item(self, item: Item) -> None:
        data = json.dumps(asdict(item), ensure_ascii=False)
        self._db.execute("INSERT INTO items VALUES (?, ?, ?)", (self._row("items"), item.item_id, data))

    def add_source(self, kind: SourceKind, source_id: str, field: str, text: str) -> None:
        self._db.execute("INSERT INTO sources VALUES (?, ?, ?, ?)", (kind, source_id, field, text))

    def add_passages(self, passages: Iterable[Passage]) -> None:
        self._db.executemany(
            f"INSERT INTO staging.passages (row, {_COLUMNS}) VALUES ({', '.join('?' * 15)})",
            (
                (
                    self._row("passages"), p.id, p.kind, p.source_id, p.field, p.item_id, p.start, p.end, p.text,
                    p.lang, p.user_id, p.rating, p.timestamp, p.trust, p.quarantined,
                )
                for p in passages
            ),
        )  # fmt: skip

    def add_event(self, event: Event) -> None:
        self._db.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)",
            (self._row("events"), event.user_id, event.item_id, event.event, event.timestamp, event.value),
        )

    def add_digest(self, kind: SourceKind, source_id: str, digest: bytes) -> None:
        """Keep what the row of an item or review was, so that a later build knows it again."""
        self._db.execute("INSERT INTO digests VALUES (?, ?, ?)", (kind, source_id, digest))

    def add_user(self, user: User) -> None:
        self._db.execute("INSERT INTO users VALUES (?, ?)", (user.user_id, user.trust))

    def trust(self, user_id: str) -> float:
        found = self._db.execute("SELECT trust FROM users WHERE user_id = ?", (user_id,)).fetchone()
        return float(found[0]) if found else 1.0

    def has_item(self, item_id: str) -> bool:
        return self._db.execute("SELECT 1 FROM items WHERE item_id = ?", (item_id,)).fetchone() is not None

    def copy_living(self, segment: Path, gone: GoneRows, *, first: int) -> None:
        """Add what is left of a finished segment once `gone` is taken off; its vectors are set later.

        Its passages are known by their row there, counted from `first`, to `origins`.
        """
        lost = [("item", key) for key in gone.items] + [("user", key) for key in gone.users]
        lost += [(f"whole {kind}", key) for kind, key in gone.broken]
        self._db.execute("COMMIT")
        self._db.execute("ATTACH ? AS old", (str(segment / "segment.sqlite"),))
        self._db.executescript(
            "BEGIN; CREATE TEMP TABLE dead (row INTEGER PRIMARY KEY); "
            "CREATE TEMP TABLE lost (kind TEXT, id TEXT, PRIMARY KEY (kind, id)) WITHOUT ROWID;"
        )
        self._db.executemany("INSERT INTO dead VALUES (?)", ((row,) for row in gone.passages))
        self._db.executemany("INSERT INTO lost VALUES (?, ?)", lost)
        known = {name for (name,) in self._db.execute("SELECT name FROM old.sqlite_schema")}
        for table, query in _LIVING.items():
            if table not in known or (gone.activity and table in {"events", "users"}):
                continue
            how = "INSERT OR REPLACE" if table in {"users", "digests"} else "INSERT"
            place = "staging" if table == "passages" else "main"
            numbers = {"first": self._next.get(table, 0), "origin": first}
            added = self._db.execute(f"{how} INTO {place}.{table} {query}", numbers).rowcount
            if table in self._next:
                self._next[table] += added
        self._db.executescript("DROP TABLE dead; DROP TABLE lost; DETACH old; BEGIN;")  # commits first

    def origins(self) -> NDArray[np.int64]:
        """Where the passage of each row was copied from, in the order of the rows. Before `finish_rows`."""
        found = self._db.execute(f"SELECT origin FROM staging.passages {_STANDING}")
        return np.fromiter((row for (row,) in found), np.int64, self.passages)

    def finish_rows(self) -> None:
        """Put the passages in order, index the rows and make room for the vectors, which are zeros until set."""
        self._db.execute(
            f"INSERT INTO main.passages SELECT ROW_NUMBER() OVER ({_STANDING}) - 1, {_COLUMNS} FROM staging.passages"
        )
        self._db.executescript(f"DETACH staging; BEGIN; {_INDEXES} COMMIT; ANALYZE;")  # commits the rows first
        (self._folder / _STAGING).unlink()
        self._vectors = np.lib.format.open_memmap(
            self._folder / "vectors.npy", mode="w+", dtype=np.float16, shape=(self.passages, self._dimension)
        )

    def clean_texts(self, *, chunk: int) -> Iterator[list[tuple[int, str, str]]]:
        """(row, id, text) of the passages that are not quarantined, in row order, `chunk` at a time."""
        rows = self._db.execute("SELECT row, id, text FROM passages WHERE quarantined IS NULL ORDER BY row")
        while batch := rows.fetchmany(chunk):
            yield batch

    def set_vectors(self, rows: Sequence[int], vectors: Vectors) -> None:
        """Store vectors of shape (len(rows), dimension) for these passage rows. After `finish_rows`."""
        if self._vectors is None:
            raise RuntimeError("finish_rows comes before set_vectors")
        if vectors.shape != (len(rows), self._dimension):
            raise ValueError(f"vectors have shape {vectors.shape}, expected {(len(rows), self._dimension)}")
        self._vectors[np.asarray(rows, np.int64)] = vectors
        self._vectors.flush()
        let_go(self._vectors)

    def close(self) -> None:
        self._vectors = None
        self._db.close()

    def _row(self, table: str) -> int:
        row = self._next[table]
        self._next[table] += 1
        return row


class Segment:
    """Reads a segment. Safe to share between threads: each call borrows one of a few connections, opened at the start,

    so that a reader goes on undisturbed when the version's files are deleted under it.
    """

    def __init__(self, folder: Path) -> None:
        self.id, self._folder = folder.name, folder
        self._idle: LifoQueue[sqlite3.Connection] = LifoQueue()
        self._connections = [_connect(folder / "segment.sqlite") for _ in range(_CONNECTIONS)]
        for connection in self._connections:
            self._idle.put(connection)
        try:
            self._vectors: NDArray[Any] = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
            self.items = self._count("items")
        except (OSError, ValueError) as error:
            self.close()
            raise SnapshotError(f"{folder / 'vectors.npy'} is damaged: {error}.", remedy=_REMEDY) from error

    def __len__(self) -> int:
        """How many passages it holds."""
        return int(self._vectors.shape[0])

    def vectors(self, rows: NDArray[np.int64] | Sequence[int]) -> Vectors:
        """Vectors of these rows, float32, shape (len(rows), d), in the order given."""
        return np.asarray(self._vectors[rows], np.float32)

    def scattered(self, rows: NDArray[np.int64]) -> Vectors:
        """As `vectors`, of rows that lie apart, past the mapping: each would map 128 kB into this process."""
        if not hasattr(os, "preadv"):
            return self.vectors(rows)
        held = self._vectors
        found = np.empty((len(rows), held.shape[1]), held.dtype)
        with (self._folder / "vectors.npy").open("rb") as file:
            for row, into in zip(rows.tolist(), found, strict=True):
                os.preadv(file.fileno(), [into], held.offset + row * held.strides[0])  # type: ignore[attr-defined]
        return np.asarray(found, np.float32)

    def release(self) -> None:
        """Give the vectors' pages back; they are read again when asked for."""
        let_go(self._vectors)

    def check(self, dimension: int) -> None:
        """SnapshotError unless it holds one vector of `dimension` floats for each of its passages."""
        held, shape = self._vectors, (self._count("passages"), dimension)
        if held.shape != shape or held.dtype not in (np.float16, np.float32):
            raise SnapshotError(
                f"{self._folder / 'vectors.npy'} is {held.dtype} of {held.shape}, expected float16 of {shape}.",
                remedy=_REMEDY,
            )

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._connection() as connection:
            return connection.execute(query, parameters).fetchall()

    def stream(self, query: str, parameters: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows of a query one after another, for passes over everything."""
        with self._connection() as connection:
            yield from connection.execute(query, parameters)

    def item(self, item_id: str) -> Item | None:
        found = self.rows("SELECT data FROM items WHERE item_id = ?", (item_id,))
        if not found:
            return None
        data = json.loads(found[0][0])
        return Item(**data | {"categories": tuple(data["categories"]), "features": tuple(data["features"])})

    def passages(self, where: str, parameters: Sequence[object], *, offset: int, order: str = "row") -> list[Passage]:
        """Passages of this segment, `row` counted from `offset`."""
        query = f"SELECT {_COLUMNS}, row + {offset} FROM passages WHERE {where} ORDER BY {order}"
        return [Passage(*row) for row in self.rows(query, parameters)]

    def passages_at(self, rows: Sequence[int], *, offset: int) -> list[Passage]:
        """The passages of some rows, as `passages`."""
        return [
            Passage(*row) for row in self._among(f"SELECT {_COLUMNS}, row + {offset} FROM passages WHERE row IN", rows)
        ]

    def names(self, table: str, column: str, rows: Sequence[int]) -> dict[int, str]:
        """One column of some rows of a table, by row."""
        return dict(self._among(f"SELECT row, {column} FROM {table} WHERE row IN", [int(row) for row in rows]))

    def rows_of(self, ids: Sequence[str]) -> dict[str, int]:
        """Rows of those of these passage ids that are here and not quarantined."""
        return dict(self._among("SELECT id, row FROM passages WHERE quarantined IS NULL AND id IN", ids))

    def sources_of(self, rows: Sequence[int]) -> set[tuple[SourceKind, str]]:
        """The kinds and ids of the items and reviews that these passage rows were cut from."""
        return set(self._among("SELECT DISTINCT kind, source_id FROM passages WHERE row IN", rows))

    def has_row(self, kind: str, source_id: str) -> bool:
        """Whether the item or review stands here."""
        return bool(self.rows("SELECT 1 FROM sources WHERE kind = ? AND source_id = ? LIMIT 1", (kind, source_id)))

    def has_digests(self) -> bool:
        """Whether it knows what its rows were; segments of earlier releases do not."""
        return bool(self.rows("SELECT 1 FROM sqlite_schema WHERE name = 'digests'"))

    def item_texts(self, item_ids: Sequence[str], field: Literal["title", "description"]) -> dict[str, str]:
        """One text of those of these items that are here."""
        query = f"SELECT item_id, json_extract(data, '$.{field}') FROM items WHERE item_id IN"
        return dict(self._among(query, item_ids))

    def item_rows(self, item_ids: Sequence[str]) -> dict[str, int]:
        """Rows of those of these items that are here."""
        return dict(self._among("SELECT item_id, row FROM items WHERE item_id IN", item_ids))

    def _among(self, query: str, values: Sequence[object]) -> Iterator[tuple[Any, ...]]:
        """Rows of a query that ends in IN, over so many values at a time as SQLite takes."""
        for at in range(0, len(values), _IN_ONE_QUERY):
            some = values[at : at + _IN_ONE_QUERY]
            yield from self.rows(f"{query} ({', '.join('?' * len(some))})", some)

    def close(self) -> None:
        """Close every connection; a later call raises SnapshotError."""
        for connection in self._connections:
            connection.close()

    def _count(self, table: str) -> int:
        """How many rows a table has, which are numbered from 0: counting them would read them all."""
        return int(self.rows(f"SELECT COALESCE(MAX(row) + 1, 0) FROM {table}")[0][0])

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = self._idle.get()
        try:
            yield connection
        except sqlite3.Error as error:
            raise SnapshotError(
                f"{self._folder / 'segment.sqlite'} cannot be read: {error}.", remedy=_REMEDY
            ) from error
        finally:
            self._idle.put(connection)


def let_go(mapped: NDArray[Any]) -> None:
    """Take a mapped file's pages, which the system keeps anyway, out of this process's own memory."""
    pages = getattr(mapped, "_mmap", None)
    if pages is not None and hasattr(mmap, "MADV_DONTNEED"):
        pages.madvise(mmap.MADV_DONTNEED)


def _connect(path: Path) -> sqlite3.Connection:
    """A read-only connection that any thread may use, one at a time, to a file that never changes."""
    try:
        address = f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1"
        connection = sqlite3.connect(address, uri=True, check_same_thread=False, isolation_level=None)
        connection.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")  # else each page is read by a call of its own
        connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error as error:
        raise SnapshotError(f"{path} cannot be opened: {error}.", remedy=_REMEDY) from error
    return connection


def segment_id(folder: Path) -> str:
    """16 hex characters over the contents of a segment's files: equal segments have equal ids."""
    hashes = "".join(f"{path.name}:{sha256(path)};" for path in sorted(folder.iterdir()))
    return hashlib.sha256(hashes.encode()).hexdigest()[:16]
