"""One version of one index, opened for reading: `types.Snapshot` over segments, FAISS files and statistics."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rag_rationale.errors import EmbedderMismatchError, InvalidRequestError, SnapshotError, UnknownIndexError
from rag_rationale.index.forgotten import Forgotten
from rag_rationale.index.layout import check_files, current_version, index_root, read_manifest, version_folder
from rag_rationale.index.praise import read_heads
from rag_rationale.index.rows import Rows
from rag_rationale.index.searching import Gather, IndexFile, search_rows
from rag_rationale.index.segments import Segment
from rag_rationale.index.statistics import read_statistics
from rag_rationale.index.sums import read_sums
from rag_rationale.index.tombstones import read_tombstones
from rag_rationale.types import LANGUAGES, Embedder, Event, Item, Language, Manifest, Passage, SourceKind, Vectors

Over = Literal["passages", "items"]
_KINDS: tuple[Over, ...] = ("passages", "items")
FEW, SPREAD = 10, 256  # items, at least and at most, between which it is measured how alike items are
_OWN_FIRST = "kind, row"  # as the SQL index has them: nothing is sorted


class SnapshotReader:
    """Implements `types.Snapshot`. Made by `open_snapshot`; safe to share between threads until closed.

    Quarantined passages have vectors of zeros, and `nearest` never returns them nor what is gone.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder, self._manifest = folder, manifest
        dimension = manifest.dimension
        self._recounted: set[str] = set()  # items that lost a passage since the version was written
        self._segments = [Segment(folder / "segments" / name) for name in manifest.segments]
        try:
            for segment in self._segments:
                segment.check(dimension)
            self._rows = Rows(self._segments, read_tombstones(folder / "tombstones.jsonl"), dimension=dimension)
            self._statistics = read_statistics(folder / "statistics.npz", dimension=dimension)
            self._sums = read_sums(folder, items=int(self._rows.item_offsets[-1]), dimension=dimension)
            self._heads = read_heads(folder / "praise.npz", dimension=dimension)
            self._files = {over: self._open_index(over) for over in _KINDS}
            self._allowed = {over: self._mask(over) for over in _KINDS}
        except BaseException:
            self.close()
            raise
        weakref.finalize(self, _close_all, self._segments)  # a reader that nobody holds any more frees its files

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    @property
    def rows(self) -> Rows:
        """The rows beneath, for writing the next version."""
        return self._rows

    def item(self, item_id: str) -> Item | None:
        return self._rows.item(item_id)

    def item_texts(self, item_ids: Sequence[str], field: Literal["title", "description"]) -> dict[str, str]:
        return self._rows.item_texts(item_ids, field)

    def item_ids(self) -> list[str]:
        """Ids of every item, in row order."""
        return self._rows.item_ids()

    def sample_items(self, n: int) -> list[Item]:
        """Up to `n` searchable items, spread evenly over the index."""
        _, positions = self._files["items"]
        if not len(positions):
            return []
        spread = np.unique(np.linspace(0, len(positions) - 1, n).astype(int))
        names = self._rows.names(positions[spread].tolist(), over="items")
        return [item for name in names.values() if (item := self.item(name))]

    def sample_passages(self, n: int) -> list[Passage]:
        """About `n` passages spread evenly over the rows, fewer where there are fewer."""
        step = max(sum(self._manifest.languages.values()) // max(n, 1), 1)
        found = self._rows.passages_at(np.arange(0, len(self._rows), step))
        return [passage for passage in found if passage.quarantined is None]

    def item_passages(self, item_id: str) -> list[Passage]:
        found = self._rows.passages("item_id = ?", (item_id,), order=_OWN_FIRST)
        return sorted(found, key=lambda passage: passage.kind == "review") if len(self._rows.segments) > 1 else found

    def user_passages(self, user_id: str) -> list[Passage]:
        return self._rows.passages("user_id = ?", (user_id,))

    def user_events(self, user_id: str) -> list[Event]:
        return self._rows.events(user_id)

    def user_trust(self, user_id: str) -> float:
        return self._rows.trust(user_id)

    def meetings(self) -> Iterator[tuple[str, str, int | None, float | None]]:
        reviews = self._rows.living_passages("user_id, item_id, timestamp, rating", "user_id IS NOT NULL")
        yield from ((user, item, timestamp, rating) for _, user, item, timestamp, rating in reviews)
        for user, item, event, timestamp, value in self._rows.living_events(
            "user_id, item_id, event, timestamp, value"
        ):
            yield user, item, timestamp, value if event == "rating" else None

    def passage(self, passage_id: str) -> Passage | None:
        found = self._rows.passages("id = ?", (passage_id,))
        return found[-1] if found else None

    def source(self, kind: SourceKind, source_id: str, field: str) -> str | None:
        return self._rows.source(kind, source_id, field)

    def source_passages(self, kind: SourceKind, source_id: str, field: str) -> list[Passage]:
        return self._rows.passages("kind = ? AND source_id = ? AND field = ?", (kind, source_id, field))

    def vectors(self, passages: Sequence[Passage]) -> Vectors:
        return self._rows.vectors(np.fromiter((passage.row for passage in passages), np.int64, len(passages)))

    def item_vectors(self, item_ids: Sequence[str]) -> Vectors:
        index, positions = self._files["items"]
        found = np.zeros((len(item_ids), self._manifest.dimension), np.float32)
        rows = self._rows.item_rows(item_ids)
        known = [at for at, name in enumerate(item_ids) if name in rows]
        wanted = np.array([rows[item_ids[at]] for at in known], np.int64)
        places = np.searchsorted(positions, wanted)
        kept = places < len(positions)
        kept[kept] = positions[places[kept]] == wanted[kept]
        if kept.any():
            found[np.array(known)[kept]] = index.vectors(places[kept])
        return found

    def offsets(self, passages: Sequence[Passage]) -> tuple[Vectors, int]:
        return self._offsets([(passage.row, passage.lang) for passage in passages])

    def item_offsets(self, item_ids: Sequence[str]) -> dict[str, tuple[Vectors, int]]:
        found: dict[str, tuple[Vectors, int]] = {}
        if self._sums is not None:
            rows = self._rows.item_rows([item for item in item_ids if item not in self._recounted])
            found = {item: self._sums.offset(row, self._statistics.centres) for item, row in rows.items()}
        where = "item_id = ? AND quarantined IS NULL"
        for item in set(item_ids).difference(found):
            found[item] = self._offsets(list(self._rows.living_passages("lang", where, (item,))))
        return found

    def centre(self, lang: Language) -> Vectors:
        return np.asarray(self._statistics.centres[LANGUAGES.index(lang)])

    def background(self, quantile: float) -> float:
        return _level(self._statistics.background, quantile)

    def kinship(self, quantile: float) -> float:
        return _level(self._kinship, quantile)

    @cached_property
    def _kinship(self) -> NDArray[np.float32]:
        """Cosines between all pairs of up to SPREAD items spread evenly over the index, ascending; the least there is
        where items are too few to tell what is usual."""
        told = self.item_offsets([item.item_id for item in self.sample_items(SPREAD)]).values()
        sums = np.array([offset for offset, count in told if count])
        if len(sums) < FEW:
            return np.full(1, -1.0, np.float32)
        unit = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
        return np.sort((unit @ unit.T)[np.triu_indices(len(unit), 1)])

    def praise(self, vectors: Vectors, lang: Language) -> NDArray[np.float64] | None:
        return self._heads(vectors, lang)

    def knn(self, queries: Vectors, passages: Sequence[Passage], *, k: int) -> list[list[tuple[int, float]]]:
        return search_rows(self._checked(queries), self.vectors(passages), k=k)

    def nearest(self, queries: Vectors, *, k: int, over: Over) -> list[list[tuple[str, float]]]:
        index, positions = self._files[over]
        hits = index.search(self._checked(queries), k=k, allowed=self._allowed[over])
        names = self._rows.names({int(positions[at]) for row in hits for at, _ in row}, over=over)
        return [[(names[int(positions[at])], score) for at, score in row] for row in hits]

    def forget(self, *users: str) -> None:
        """Hold nothing of these users any more, from now on and in this process; the files stay as they are."""
        for user_id in users:
            self._recounted |= {passage.item_id for passage in self.user_passages(user_id)}
            self._rows.forget(user_id)
        self._allowed = {over: self._mask(over) for over in _KINDS}

    def close(self) -> None:
        """Close its files at once. Without it they close when the last holder lets go of the reader."""
        _close_all(self._segments)

    def _open_index(self, over: Over) -> tuple[IndexFile, NDArray[np.int64]]:
        """A FAISS file and the global row behind each of its positions."""
        positions = _load(self.folder / f"{over}.rows.npy")
        rows = self._rows  # not self: a cycle would keep the files open until the garbage collector comes by
        exact = self._gather_items() if over == "items" else lambda at: rows.vectors(positions[at])
        path = self.folder / f"{over}.faiss"
        return IndexFile(path, dimension=self._manifest.dimension, count=len(positions), exact=exact), positions

    def _gather_items(self) -> Gather:
        """Reads the items' vectors, which a flat index holds itself."""
        path = self.folder / "items.vectors.npy"
        means = _load(path) if path.exists() else np.empty((0, self._manifest.dimension), np.float16)
        return lambda at: np.asarray(means[at], np.float32)

    def _offsets(self, told: Sequence[tuple[int, Language]]) -> tuple[Vectors, int]:
        """As `offsets`, from the row and language of each passage."""
        if not told:
            return np.zeros(self._manifest.dimension, np.float32), 0
        rows = np.array([row for row, _ in told], np.int64)
        rest = self._rows.vectors(rows) - self._statistics.centres[[LANGUAGES.index(lang) for _, lang in told]]
        return np.asarray(rest.sum(axis=0), np.float32), len(told)

    def _checked(self, queries: Vectors) -> Vectors:
        if queries.ndim != 2 or queries.shape[1] != self._manifest.dimension:
            raise InvalidRequestError(
                f"Query vectors have shape {queries.shape}, expected (n, {self._manifest.dimension}).",
                remedy="Embed the query with the index's own embedder.",
            )
        return queries

    def _mask(self, over: Over) -> NDArray[np.bool_] | None:
        """Which positions of a FAISS file may be returned; None where all may."""
        gone = self._rows.dead if over == "passages" else self._rows.dead_item_rows()
        if not gone:
            return None
        return ~np.isin(self._files[over][1], np.fromiter(gone, np.int64, len(gone)))


def _level(ascending: NDArray[np.float32], quantile: float) -> float:
    if not 0 <= quantile <= 1:
        raise InvalidRequestError(f"Quantile {quantile} is not between 0 and 1.")
    return float(np.interp(quantile, np.linspace(0, 1, len(ascending)), ascending))


def _close_all(segments: Sequence[Segment]) -> None:
    for segment in segments:
        segment.close()


def open_snapshot(folder: Path, name: str, *, version: str | None = None, whole: bool = False) -> SnapshotReader:
    """Open the current version of an index, or the one named. Checks the manifest and sizes, not hashes.

    Whom this index must forget it does not hold, however old it is; but `whole`, to make the next version of it.
    UnknownIndexError where there is no such index or version; SnapshotError where it is damaged.
    """
    root = index_root(folder, name)
    chosen = version or current_version(root)
    if chosen is None:
        known = ", ".join(path.parent.name for path in sorted(folder.glob("*/CURRENT"))) or "none"
        raise UnknownIndexError(
            f"There is no index {name!r} in {folder}; it holds: {known}.",
            remedy=f"Build it: `rag-rationale index build {name} --items FILE --reviews FILE`.",
        )
    place = version_folder(root, chosen)
    manifest = read_manifest(place)
    if faults := check_files(place, manifest, hashes=False):
        raise SnapshotError(
            f"{manifest.label} is damaged: {' '.join(faults[:5])}",
            remedy="Roll back with `rag-rationale index rollback`, or rebuild.",
        )
    forgotten = Forgotten(root)
    snapshot = SnapshotReader(place, manifest)
    if forgotten and not whole:
        snapshot.forget(*(user for user in snapshot.rows.users() if user in forgotten))
    return snapshot


def check_embedder(manifest: Manifest, embedder: Embedder | None) -> None:
    """EmbedderMismatchError unless the snapshot was built with this embedder. None is none at all."""
    if embedder is None or (embedder.name, embedder.dimension) != (manifest.embedder, manifest.dimension):
        other = "which is not here" if embedder is None else f"not with {embedder.name} ({embedder.dimension})"
        raise EmbedderMismatchError(
            f"{manifest.label} was built with {manifest.embedder} ({manifest.dimension} dimensions), {other}.",
            remedy="Prepare that model (`rag-rationale models prepare`), set RAG_RATIONALE_EMBEDDER to its folder or "
            "name, or rebuild the index.",
        )


def _load(path: Path) -> NDArray[Any]:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except (OSError, ValueError) as error:
        raise SnapshotError(f"{path} is damaged: {error}.", remedy="Rebuild the index.") from error
