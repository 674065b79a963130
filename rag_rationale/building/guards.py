"""What a new version must show before it may become current."""

from __future__ import annotations

from pathlib import Path

from rag_rationale.errors import SnapshotError
from rag_rationale.index import SnapshotReader, current_version, read_manifest
from rag_rationale.types import Embedder, Manifest

MOST_SHRINK = 0.2
_SAMPLES, _TOP, _LEAST_FOUND = 8, 10, 0.75


def check_size(root: Path, after: Manifest) -> None:
    """SnapshotError where items or reviews are over 20 % fewer than in the current version.

    A current version that cannot be read sets no measure: a build must be able to replace it.
    """
    before = _current_manifest(root)
    if before is None:
        return
    for kind in ("items", "reviews"):
        had, has = before.counts.get(kind, 0), after.counts.get(kind, 0)
        if has < (1 - MOST_SHRINK) * had:
            raise SnapshotError(
                f"{after.label} has {has} {kind}, the current {before.label} has {had}: over {MOST_SHRINK:.0%} fewer. "
                "It was written but not promoted.",
                remedy=f"Check the input files; if they are right: "
                f"`rag-rationale index promote {after.name} {after.version}`.",
            )


def _current_manifest(root: Path) -> Manifest | None:
    try:
        current = current_version(root)
        return read_manifest(root / "versions" / current) if current else None
    except SnapshotError:
        return None


def check_smoke(snapshot: SnapshotReader, embedder: Embedder) -> None:
    """SnapshotError where items are not found by their own title, or a passage not by its own words.

    Of up to eight items spread over the index, three in four must be among the ten nearest to their title (another item
    of the same title will do).
    """
    sample = snapshot.sample_items(_SAMPLES)
    if not sample:
        return
    queries = embedder.embed([item.title for item in sample], role="query")
    hits = snapshot.nearest(queries, k=_TOP, over="items")
    lost = []
    for item, row in zip(sample, hits, strict=True):
        titles = {found.title for item_id, _ in row if (found := snapshot.item(item_id))}
        if item.title not in titles:
            lost.append(item.title)
    if len(lost) > (1 - _LEAST_FOUND) * len(sample):
        raise SnapshotError(
            f"{snapshot.manifest.label} does not find {len(lost)} of {len(sample)} items by their title, "
            f"{lost[0]!r} first. It was written but not promoted.",
            remedy="Check that the embedder suits the language of the catalogue.",
        )
