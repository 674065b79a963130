"""From catalogue files to a promoted version: read, embed, index, check, promote."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from rag_rationale.building.checkpoint import SCRATCH, Checkpoint, clear, is_worth_keeping
from rag_rationale.building.filling import Files, fill
from rag_rationale.building.guards import check_size, check_smoke
from rag_rationale.building.report import BuildReport
from rag_rationale.building.reuse import KnownVectors
from rag_rationale.corpus import ColumnMap
from rag_rationale.index import SegmentWriter, index_root, locked, open_snapshot, set_current, write_version
from rag_rationale.types import Embedder, Progress

_CHUNK = 512


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
    progress: Progress | None = None,
) -> BuildReport:
    """Build a new version of index `name` in `folder` from catalogue files and make it current.

    Files are streamed: memory holds a chunk of texts, and a few dozen bytes a passage. Vectors that the current version
    or a build that died has under the same embedder are taken over. Until the last step nothing that a reader sees has
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
        segment = SegmentWriter(scratch / "segment", dimension=embedder.dimension)
        try:
            with _timed(report, "read"):
                fill(segment, files, report, strict=strict, progress=progress or _quiet)
                segment.finish_rows()
            with _timed(report, "embed"):
                checkpoint = Checkpoint(scratch, passages=segment.passages, embedder=embedder)
                with KnownVectors(folder, name, embedder) as known:
                    _reuse(segment, checkpoint, known, report)
                clear(root, keep=scratch)
                _embed(segment, checkpoint, embedder, report, progress or _quiet)
        finally:
            segment.close()
        with _timed(report, "index"):
            manifest = write_version(
                root,
                [scratch / "segment"],
                embedder=embedder.name,
                dimension=embedder.dimension,
                report=report.as_json(),
            )
        report.version, report.counts = manifest.version, manifest.counts
        if promote:
            with _timed(report, "check"):
                _promote(folder, name, report, embedder)
    return report


def _reuse(segment: SegmentWriter, checkpoint: Checkpoint, known: KnownVectors, report: BuildReport) -> None:
    for batch in segment.clean_texts(chunk=_CHUNK):
        found, vectors = known.find([name for _, name, _ in batch])
        if vectors is not None:
            rows = [batch[at][0] for at in found]
            segment.set_vectors(rows, vectors)
            checkpoint.mark(rows)
            report.reused += len(found)


def _embed(
    segment: SegmentWriter, checkpoint: Checkpoint, embedder: Embedder, report: BuildReport, progress: Progress
) -> None:
    total = report.languages.total()
    for batch in segment.clean_texts(chunk=_CHUNK):
        fresh = [batch[at] for at in checkpoint.missing([row for row, _, _ in batch])]
        if fresh:
            rows = [row for row, _, _ in fresh]
            segment.set_vectors(rows, embedder.embed([text for _, _, text in fresh], role="passage"))
            checkpoint.mark(rows)
        report.embedded += len(fresh)
        progress("embed", report.reused + report.embedded, total)


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
