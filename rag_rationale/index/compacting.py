"""Several segments and what is gone from them, written as one segment in which nothing is gone.

What was taken off leaves with its bytes, and readers have one file to ask instead of several.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from rag_rationale.index.rows import Rows
from rag_rationale.index.segments import Segment, SegmentWriter
from rag_rationale.index.tombstones import Tombstone

_BLOCK = 4096


def compact(target: Path, segments: Sequence[Path], tombstones: Iterable[Tombstone], *, dimension: int) -> Path:
    """Write what is left of `segments`, oldest first, as one segment into the new folder `target`, and return that.

    Ids, texts and vectors stay as they are. Nothing of a segment may be in a later one too
    unless a tombstone, which names segments by their folders, says so.
    """
    opened = [Segment(path) for path in segments]
    writer = SegmentWriter(target, dimension=dimension)
    try:
        rows = Rows(opened, tombstones, dimension=dimension)
        for number, path in enumerate(segments):
            writer.copy_living(path, rows.gone_from(number), first=int(rows.offsets[number]))
        living = writer.origins()
        writer.finish_rows()
        for at in range(0, len(living), _BLOCK):
            some = living[at : at + _BLOCK]
            writer.set_vectors(np.arange(at, at + len(some)).tolist(), rows.vectors(some))
            rows.release()
    finally:
        writer.close()
        for segment in opened:
            segment.close()
    return target
