"""What a build that died had embedded, so that the next one need not do it again.

    .building-<random>/
      segment/          the rows, complete, and the vectors, zeros where not embedded yet
      done.npy          1 for each row whose vector is whole, set after the vector was written
      embedder.json     written when the rows are complete; a folder without it is worth nothing

Vectors are found by passage id, which hashes the text, so it does not matter whether the catalogue has changed since.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag_rationale.errors import RagRationaleError
from rag_rationale.index import Segment, sync
from rag_rationale.types import Embedder, Vectors

SCRATCH = ".building-"


class Checkpoint:
    """Keeps a build's scratch folder such that a later build can go on from it."""

    def __init__(self, scratch: Path, *, passages: int, embedder: Embedder) -> None:
        self._done = np.lib.format.open_memmap(scratch / "done.npy", mode="w+", dtype=np.bool_, shape=(passages,))
        identity = {"name": embedder.name, "dimension": embedder.dimension}
        sync(scratch / "segment" / "segment.sqlite")  # rows that survive a power cut, or no checkpoint
        (scratch / "embedder.json").write_text(json.dumps(identity), encoding="utf-8")

    def mark(self, rows: Sequence[int]) -> None:
        """The vectors of these rows are written."""
        self._done[np.asarray(rows, np.int64)] = True

    def missing(self, rows: Sequence[int]) -> list[int]:
        """The positions in `rows` whose vectors are not."""
        return [int(at) for at in np.flatnonzero(~self._done[np.asarray(rows, np.int64)])]


class Leftover:
    """The vectors in the scratch folder of a build that died. Made by `leftovers`."""

    def __init__(self, scratch: Path) -> None:
        self._segment = Segment(scratch / "segment")
        self._done: NDArray[np.bool_] = np.load(scratch / "done.npy", mmap_mode="r", allow_pickle=False)

    def find(self, ids: Sequence[str]) -> tuple[list[int], Vectors | None]:
        """The positions in `ids` whose vectors are known, and those vectors in that order."""
        rows = {name: row for name, row in self._segment.rows_of(ids).items() if self._done[row]}
        known = [at for at, name in enumerate(ids) if name in rows]
        return known, self._segment.vectors([rows[ids[at]] for at in known]) if known else None

    def close(self) -> None:
        self._segment.close()


def is_worth_keeping(scratch: Path) -> bool:
    """Whether a later build could go on from this folder."""
    return (scratch / "embedder.json").is_file()


def leftovers(root: Path, embedder: Embedder) -> list[Leftover]:
    """What builds of this index that died had embedded with this embedder; what cannot be read is left out."""
    found = []
    for scratch in sorted(root.glob(f"{SCRATCH}*")):
        try:
            identity = json.loads((scratch / "embedder.json").read_text(encoding="utf-8"))
            if identity == {"name": embedder.name, "dimension": embedder.dimension}:
                found.append(Leftover(scratch))
        except (OSError, ValueError, RagRationaleError):
            continue
    return found


def clear(root: Path, *, keep: Path | None = None, worthless_only: bool = False) -> None:
    """Delete scratch folders of earlier builds, but for `keep`."""
    for scratch in root.glob(f"{SCRATCH}*"):
        if scratch != keep and not (worthless_only and is_worth_keeping(scratch)):
            shutil.rmtree(scratch)
