"""New versions made of the current one alone, without the catalogue files: compacted, without some users, purged."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from tempfile import mkdtemp

from rag_rationale.building.checkpoint import SCRATCH, clear
from rag_rationale.index import (
    Forgotten,
    Tombstone,
    collect_garbage,
    compact,
    index_root,
    locked,
    read_tombstones,
    set_current,
    verify,
    version_folder,
    write_version,
)
from rag_rationale.types import Manifest


def forget_users(name: str, users: Collection[str], *, folder: Path) -> Manifest:
    """Make a version without these users current: without their texts, vectors, events and trust, in figures too.

    They are kept out of every later build of this index. Older versions hold them until `purge`. The current version
    must be sound, else SnapshotError; LockedError where a build is under way.
    """
    root = index_root(folder, name)
    with locked(root):
        Forgotten(root).add(users)
        manifest = _rewrite(folder, name, tuple(users))
        clear(root)  # what a dead build had read
    return manifest


def compact_index(name: str, *, folder: Path) -> Manifest:
    """Make a version current that holds the same in one segment, with nothing of what is gone. Errors as above."""
    with locked(index_root(folder, name)):
        return _rewrite(folder, name, ())


def purge(name: str, *, folder: Path) -> list[str]:
    """Delete every version but the current, and what dead builds left; returns what was deleted.

    Where the current one still holds the bytes of what is gone, one without takes its place.
    """
    manifest = verify(folder, name)
    if read_tombstones(version_folder(index_root(folder, name), manifest.version) / "tombstones.jsonl"):
        compact_index(name, folder=folder)
    return collect_garbage(folder, name, keep=0, newer=True)


def _rewrite(folder: Path, name: str, users: Sequence[str]) -> Manifest:
    root = index_root(folder, name)
    old = verify(folder, name)
    place = version_folder(root, old.version)
    segments = [place / "segments" / segment for segment in old.segments]
    gone = [Tombstone(segment, "user", user) for segment in old.segments for user in users]
    scratch = Path(mkdtemp(prefix=SCRATCH, dir=root))
    try:
        whole = compact(
            scratch / "segment",
            segments,
            [*read_tombstones(place / "tombstones.jsonl"), *gone],
            dimension=old.dimension,
        )
        made = write_version(
            root, [whole], embedder=old.embedder, dimension=old.dimension, report={"made_from": old.version}
        )
    finally:
        shutil.rmtree(scratch)
    set_current(root, made.version)
    return made
