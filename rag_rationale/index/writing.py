"""Writes a version over finished segments: links, tombstones, FAISS files, statistics, heads, and the manifest last."""

from __future__ import annotations

import hashlib
import shutil
import time
from array import array
from calendar import timegm
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from numpy.typing import NDArray

from rag_rationale.index.fitting import write_index
from rag_rationale.index.layout import describe_files, link_tree, list_versions, sync, sync_tree, write_manifest
from rag_rationale.index.praise import TRUSTED, Rated, fit_heads, write_heads
from rag_rationale.index.rows import Rows
from rag_rationale.index.segments import Segment, segment_id
from rag_rationale.index.statistics import measure, write_statistics
from rag_rationale.index.sums import SumsWriter
from rag_rationale.index.tombstones import Gone, Tombstone, write_tombstones
from rag_rationale.memory import give_back
from rag_rationale.types import LANGUAGES, Language, Manifest, Progress, Vectors

SCRATCH = ".writing-"
_BLOCK = 4096
_STAMP = "%Y%m%dT%H%M%SZ"


def write_version(
    root: Path,
    segments: Sequence[Path],
    *,
    embedder: str,
    dimension: int,
    tombstones: Iterable[Tombstone] = (),
    report: Mapping[str, object] | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Write a version of the index at `root` over finished segments, oldest first, which are linked, not moved.

    It is not promoted. Hold the lock. Rows of an earlier segment that a later one replaces (same item or review) become
    tombstones by themselves; `tombstones` name segments by `segment_id`. Killed at any moment, it leaves no version.
    `progress` is told ("index", done, total).
    """
    versions = root / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    for left in versions.glob(f"{SCRATCH}*"):  # a killed writer's; this one holds the lock
        shutil.rmtree(left)
    scratch = Path(mkdtemp(prefix=SCRATCH, dir=versions))
    try:
        names = tuple(segment_id(segment) for segment in segments)
        for source, name in zip(segments, names, strict=True):
            link_tree(source, scratch / "segments" / name)
        contents = _write_searchable(scratch, names, tombstones, progress, dimension=dimension)
        files = describe_files(scratch)
        stamp = _next_stamp(root)
        manifest = Manifest(
            name=root.name,
            version=f"{stamp}-{_hash(files)}",
            created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.strptime(stamp, _STAMP)),
            embedder=embedder,
            dimension=dimension,
            segments=names,
            counts=contents.counts,
            languages=contents.languages,
            newest_timestamp=contents.newest,
            faiss=contents.faiss,
            files=files,
            report={**(report or {}), **({"praise": contents.heads} if contents.heads else {})},
        )
        write_manifest(scratch, manifest)
        sync_tree(scratch)
        scratch.rename(versions / manifest.version)
        sync(versions)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return manifest


def _hash(files: Mapping[str, Mapping[str, object]]) -> str:
    content = "".join(f"{name}:{known['sha256']};" for name, known in sorted(files.items()))
    return hashlib.sha256(content.encode()).hexdigest()[:8]


def _next_stamp(root: Path) -> str:
    """Now, or a second after the newest version, so that names sort by age even when the clock does not help."""
    now = int(time.time())
    if versions := list_versions(root):
        now = max(now, timegm(time.strptime(versions[-1].partition("-")[0], _STAMP)) + 1)
    return time.strftime(_STAMP, time.gmtime(now))


@dataclass(slots=True)
class _Contents:
    """What a version holds, and of each clean passage its global row, language and a hash of its item, in row order."""

    rows: array[int] = field(default_factory=lambda: array("q"))
    languages_of: array[int] = field(default_factory=lambda: array("b"))
    items_of: array[int] = field(default_factory=lambda: array("q"))
    counts: dict[str, int] = field(default_factory=dict)
    newest: int | None = None
    rated: Rated = field(default_factory=Rated)
    heads: dict[Language, dict[str, float]] = field(default_factory=dict)
    faiss: dict[str, str] = field(default_factory=dict)

    @property
    def languages(self) -> dict[str, int]:
        return {lang: self.languages_of.count(code) for code, lang in enumerate(LANGUAGES)}


def _write_searchable(
    folder: Path, names: Sequence[str], tombstones: Iterable[Tombstone], progress: Progress | None, *, dimension: int
) -> _Contents:
    """Tombstones, FAISS files and statistics over the segments linked in `folder`; `progress` hears of the two passes
    over all vectors.
    """
    segments = [Segment(folder / "segments" / name) for name in names]
    try:
        gone = {*tombstones, *_superseded(segments)}
        write_tombstones(folder / "tombstones.jsonl", gone)
        rows = Rows(segments, gone, dimension=dimension)
        contents = _survey(rows)
        positions = np.array(contents.rows, np.int64)
        np.save(folder / "passages.rows.npy", positions)

        def gather(at: NDArray[np.int64]) -> Vectors:
            if len(at) and int(at.max() - at.min()) >= 2 * len(at):
                return rows.vectors(positions[at], scattered=True)
            found = np.empty((len(at), dimension), np.float32)
            for begin in range(0, len(at), _BLOCK):  # pages of the files count as memory until they are given back
                found[begin : begin + _BLOCK] = rows.vectors(positions[at[begin : begin + _BLOCK]])
                rows.release()
            return found

        passed = 0

        def advance(vectors: int) -> None:
            nonlocal passed
            passed += vectors
            if progress is not None:
                progress("index", passed, 2 * len(positions))

        contents.faiss["passages"] = write_index(
            folder / "passages.faiss", gather, count=len(positions), dimension=dimension, done=advance
        )
        give_back()  # the index is written, and its lists, as large as they were, are gone
        languages, items = np.array(contents.languages_of, np.int8), np.array(contents.items_of, np.int64)
        sums, item_rows = (
            SumsWriter(folder, items=int(rows.item_offsets[-1]), dimension=dimension),
            _rows_of(items, rows),
        )

        def add(at: NDArray[np.int64], vectors: Vectors) -> None:
            sums.add(item_rows[at], languages[at], vectors)
            advance(len(at))

        statistics = measure(gather, languages, items, dimension=dimension, see=add)
        sums.close()
        write_statistics(folder / "statistics.npz", statistics)
        heads, contents.heads = fit_heads(gather, contents.rated, statistics.centres)
        if not np.isnan(heads.biases).all():
            write_heads(folder / "praise.npz", heads)
        contents.counts["items"], contents.faiss["items"] = _write_items(folder, rows)
    finally:
        for segment in segments:
            segment.close()
    return contents


def _rows_of(items: NDArray[np.int64], rows: Rows) -> NDArray[np.int64]:
    """The global item row of each hash of an item id, -1 where there is none."""
    known = {hash(item_id): row for row, item_id in rows.living_item_rows()}
    hashes = np.array(sorted(known), np.int64)
    if not len(hashes):
        return np.full(len(items), -1)
    places = np.minimum(np.searchsorted(hashes, items), len(hashes) - 1)
    found = np.array([known[key] for key in hashes.tolist()], np.int64)[places]
    return np.where(hashes[places] == items, found, -1)


def _superseded(segments: Sequence[Segment]) -> Iterator[Tombstone]:
    """What earlier segments hold of items and reviews that a later one holds too."""
    if len(segments) < 2:
        return
    queries: dict[Gone, str] = {
        "item": "SELECT item_id FROM items",
        "review": "SELECT DISTINCT source_id FROM sources WHERE kind = 'review'",
    }
    for gone, query in queries.items():
        later: set[str] = set()
        for segment in reversed(segments[1:]):
            ids = {row[0] for row in segment.stream(query)}
            yield from (Tombstone(segment.id, gone, key) for key in ids & later)
            later |= ids
        for (key,) in segments[0].stream(query):  # by far the largest, as a rule: its ids are not held
            if key in later:
                yield Tombstone(segments[0].id, gone, key)


def _survey(rows: Rows) -> _Contents:
    """One pass over passages and events that are not gone. Passages of one review stand together."""
    found = _Contents()
    users = array("q")
    last: str | None = None
    passages = quarantined = events = reviews = 0
    for row, kind, source_id, item_id, user_id, lang, timestamp, rating, trust, reason in rows.living_passages(
        "kind, source_id, item_id, user_id, lang, timestamp, rating, trust, quarantined"
    ):
        passages += 1
        if kind == "review" and source_id != last:
            reviews, last = reviews + 1, source_id
            if user_id is not None:
                users.append(hash(user_id))
        found.newest = _later(found.newest, timestamp)
        if reason is not None:
            quarantined += 1
            continue
        if kind == "review" and rating is not None and trust >= TRUSTED:
            found.rated.add(len(found.rows), lang, source_id, rating)
        found.rows.append(row)
        found.languages_of.append(LANGUAGES.index(lang))
        found.items_of.append(hash(item_id))
    for user_id, timestamp in rows.living_events("user_id, timestamp"):
        events += 1
        users.append(hash(user_id))
        found.newest = _later(found.newest, timestamp)
    found.counts = {
        "items": 0,
        "reviews": reviews,
        "users": len(np.unique(np.frombuffer(users, np.int64))),
        "events": events,
        "passages": passages,
        "quarantined": quarantined,
    }
    return found


def _later(one: int | None, two: int | None) -> int | None:
    return two if one is None else one if two is None else max(one, two)


def _write_items(folder: Path, rows: Rows) -> tuple[int, str]:
    """The mean of each item's own clean passages, and items.faiss over them.

    Returns how many items there are, those without a passage too, and the kind of the index.
    """
    kept: list[int] = []
    total, most = 0, max(int(rows.item_offsets[-1]), 1)
    path = folder / "items.vectors.npy"
    means = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(most, rows.dimension))
    for row, _, own in rows.living_items():
        total += 1
        mean = rows.vectors(own, scattered=True).mean(axis=0) if len(own) else np.zeros(1, np.float32)
        norm = float(np.linalg.norm(mean))
        if norm > 0:
            means[len(kept)] = mean / norm
            kept.append(row)
    means.flush()
    np.save(folder / "items.rows.npy", np.array(kept, np.int64))
    kind = write_index(
        folder / "items.faiss",
        lambda at: np.asarray(means[at], np.float32),
        count=len(kept),
        dimension=rows.dimension,
    )
    if kind == "Flat":
        path.unlink()
    return total, kind
