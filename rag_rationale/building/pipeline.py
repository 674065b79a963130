"""From catalogue files to a promoted version: read, embed, index, check, promote."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Protocol, runtime_checkable

from rag_rationale.building.checkpoint import SCRATCH, Checkpoint, clear, is_worth_keeping
from rag_rationale.building.filling import Files, fill
from rag_rationale.building.guards import check_size, check_smoke
from rag_rationale.building.report import BuildReport
from rag_rationale.building.reuse import KnownVectors
from rag_rationale.building.unchanged import Unchanged
from rag_rationale.corpus import ColumnMap
from rag_rationale.index import (
    Forgotten,
    Segment,
    SegmentWriter,
    SnapshotReader,
    Tombstone,
    compact,
    index_root,
    locked,
    open_snapshot,
    read_tombstones,
    segment_id,
    set_current,
    write_version,
)
from rag_rationale.types import Embedder, Progress

MOST_SEGMENTS = 8
MOST_OUTDATED = 0.1
_CHUNK = 512
_MUCH = 50_000  # passages from which on an embedder rests while they are indexed


@runtime_checkable
class Resting(Protocol):
    """An embedder that can give its memory back until it is next asked."""

    def rest(self) -> None: ...


def build(
    name: str,
    *,
    items: Path,
    reviews: Path,
    events: Path | None = None,
    users: Path | None = None,
    columns: ColumnMap | None = None,
    embedder: Embedder,
    folder: Path,
    promote: bool = True,
    strict: bool = False,
    forget: Collection[str] = (),
    progress: Progress | None = None,
) -> BuildReport:
    """Build a new version of index `name` in `folder` from catalogue files and make it current.

    Files are streamed: memory holds a chunk of texts, and a few dozen bytes a passage. Rows that the current version
    holds already, under the same embedder, are shared with it and not cut or embedded again; vectors of passages that
    it or a build that died has are taken over. What is gone from the files leaves with its bytes. Users in `forget`
    are left out, in this build and all later ones of this index. Until the last step nothing that a reader sees has
    changed, whenever the process dies. With `promote` the version becomes current, unless it holds over 20 % fewer
    items or reviews than the current one or does not find its own items: then it stays on disk and SnapshotError says
    why.
    LockedError where another build of this name runs; RowError at the first row not used with `strict`; DataError where
    a file cannot be read or holds no item.
    """
    root = index_root(folder, name)
    report = BuildReport(name)
    files = Files(items, reviews, events, users, columns)
    with locked(root), _scratch(root) as scratch:
        forgotten = Forgotten(root)
        forgotten.add(forget)
        with _timed(report, "open"):
            known = KnownVectors(folder, name, embedder)
        with known, closing(Unchanged(known.base)) as unchanged:
            segment = SegmentWriter(scratch / "segment", dimension=embedder.dimension)
            try:
                with _timed(report, "read"):
                    fill(
                        segment, files, report, unchanged=unchanged, forgotten=forgotten, strict=strict,
                        progress=progress or _quiet,
                    )  # fmt: skip
                    segment.finish_rows()
                with _timed(report, "embed"):
                    checkpoint = Checkpoint(scratch, passages=segment.passages, embedder=embedder)
                    _reuse(segment, checkpoint, known)
                    clear(root, keep=scratch)
                    _embed(segment, checkpoint, embedder, report, progress or _quiet)
                    report.precision = getattr(embedder, "precision", "")
                    if segment.passages > _MUCH and isinstance(embedder, Resting):
                        embedder.rest()  # what indexing takes grows with the passages, and need not come on top
            finally:
                segment.close()
            with _timed(report, "join"):
                segments, tombstones = _join(scratch, known.base, unchanged, report, dimension=embedder.dimension)
            with _timed(report, "index"):
                manifest = write_version(
                    root,
                    segments,
                    embedder=embedder.name,
                    dimension=embedder.dimension,
                    tombstones=tombstones,
                    report=report.as_json(),
                    progress=progress,
                )
        report.version, report.counts = manifest.version, manifest.counts
        report.reused = sum(manifest.languages.values()) - report.embedded
        if promote:
            with _timed(report, "check"):
                _promote(folder, name, report, embedder)
    return report


def _reuse(segment: SegmentWriter, checkpoint: Checkpoint, known: KnownVectors) -> None:
    for batch in segment.clean_texts(chunk=_CHUNK):
        found, vectors = known.find([name for _, name, _ in batch])
        if vectors is not None:
            rows = [batch[at][0] for at in found]
            segment.set_vectors(rows, vectors)
            checkpoint.mark(rows)


def _join(
    scratch: Path, base: SnapshotReader | None, unchanged: Unchanged, report: BuildReport, *, dimension: int
) -> tuple[list[Path], list[Tombstone]]:
    """The segments of the new version and what is gone from them: the base's with the new one, or one made of all.

    All are written as one where something is gone altogether, so that its bytes go too; where over a tenth of what the
    base holds is out of date; and where there would be too many to ask quickly.
    """
    fresh = scratch / "segment"
    report.unchanged, left = unchanged.count()
    if base is None or not report.unchanged:
        report.removed = left
        return [fresh], []
    twin = segment_id(fresh)  # one that held just this before; the new one takes its place
    segments = [base.folder / "segments" / name for name in base.manifest.segments if name != twin]
    with closing(Segment(fresh)) as new:
        report.removed = sum(not new.has_row(gone.gone, gone.key) for gone in unchanged.left())
    old = len(base.rows.dead) / max(len(base.rows), 1) + left / (left + report.unchanged)
    tombstones = [*read_tombstones(base.folder / "tombstones.jsonl"), *unchanged.left()]
    tombstones += [Tombstone(segment.name, "activity", "") for segment in segments]
    tombstones = [gone for gone in tombstones if gone.segment != twin]
    if report.removed or old > MOST_OUTDATED or len(segments) == MOST_SEGMENTS:
        report.compacted = True
        return [compact(scratch / "whole", [*segments, fresh], tombstones, dimension=dimension)], []
    return [*segments, fresh], tombstones


def _embed(
    segment: SegmentWriter, checkpoint: Checkpoint, embedder: Embedder, report: BuildReport, progress: Progress
) -> None:
    total, done = report.languages.total(), 0
    for batch in segment.clean_texts(chunk=_CHUNK):
        fresh = [batch[at] for at in checkpoint.missing([row for row, _, _ in batch])]
        if fresh:
            rows = [row for row, _, _ in fresh]
            segment.set_vectors(rows, embedder.embed([text for _, _, text in fresh], role="passage"))
            checkpoint.mark(rows)
        report.embedded += len(fresh)
        done += len(batch)
        progress("embed", done, total)


def _promote(folder: Path, name: str, report: BuildReport, embedder: Embedder) -> None:
    root = index_root(folder, name)
    snapshot = open_snapshot(folder, name, version=report.version)
    try:
        check_size(root, snapshot.manifest)
        check_smoke(snapshot, embedder)
    finally:
        snapshot.close()
    set_current(root, report.version)
    report.promoted = True


@contextmanager
def _scratch(root: Path) -> Iterator[Path]:
    """A folder beside the versions, gone when the build is done; one that dies while it embeds leaves it behind."""
    clear(root, worthless_only=True)
    scratch = Path(mkdtemp(prefix=SCRATCH, dir=root))
    try:
        yield scratch
    except BaseException:
        if not is_worth_keeping(scratch):
            shutil.rmtree(scratch, ignore_errors=True)
        raise
    clear(root)


@contextmanager
def _timed(report: BuildReport, stage: str) -> Iterator[None]:
    begun = time.perf_counter()
    try:
        yield
    finally:
        report.seconds[stage] = time.perf_counter() - begun


def _quiet(stage: str, done: int, total: int | None) -> None:
    del stage, done, total
