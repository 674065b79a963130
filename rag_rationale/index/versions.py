"""Versions of an index: listing, verifying, promoting, rolling back, comparing and clearing away."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from rag_rationale.errors import SnapshotError, UnknownIndexError
from rag_rationale.index.layout import (
    NAME,
    check_files,
    current_version,
    index_root,
    list_versions,
    locked,
    read_manifest,
    set_current,
    version_folder,
)
from rag_rationale.index.rows import Rows
from rag_rationale.index.snapshot import open_snapshot
from rag_rationale.index.writing import SCRATCH
from rag_rationale.types import Manifest


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One line of `index list`."""

    manifest: Manifest
    current: bool
    bytes: int


def list_indexes(folder: Path) -> list[str]:
    """Names of the indexes that have a version."""
    return sorted(path.name for path in folder.glob("*") if NAME.fullmatch(path.name) and list_versions(path))


def describe_versions(folder: Path, name: str) -> list[VersionInfo]:
    """The versions of an index, oldest first. UnknownIndexError where there is none."""
    root = _known_root(folder, name)
    current = current_version(root)
    infos = []
    for version in list_versions(root):
        manifest = read_manifest(root / "versions" / version)
        size = sum(int(str(known["size"])) for known in manifest.files.values())
        infos.append(VersionInfo(manifest, version == current, size))
    return infos


def verify(folder: Path, name: str, *, version: str | None = None) -> Manifest:
    """Check every hash of a version, then that it opens. SnapshotError names every fault found."""
    root = _known_root(folder, name)
    place = version_folder(root, version or current_version(root) or "")
    manifest = read_manifest(place)
    if faults := check_files(place, manifest, hashes=True):
        raise SnapshotError(
            f"{manifest.label} is damaged: {' '.join(faults)}",
            remedy="Roll back with `rag-rationale index rollback`, or rebuild.",
        )
    open_snapshot(folder, name, version=manifest.version).close()
    return manifest


def promote(folder: Path, name: str, version: str) -> Manifest:
    """Make a version the current one. It must open; shrinking is allowed, since a person asked for it."""
    root = _known_root(folder, name)
    with locked(root):
        snapshot = open_snapshot(folder, name, version=version)
        snapshot.close()
        set_current(root, version)
    return snapshot.manifest


def rollback(folder: Path, name: str) -> Manifest:
    """Make the newest version before the current one current. SnapshotError where there is none."""
    root = _known_root(folder, name)
    current = current_version(root)
    earlier = [version for version in list_versions(root) if current is None or version < current]
    if not earlier:
        raise SnapshotError(
            f"Index {name!r} has no version before {current}.", remedy="Build a new one; nothing was changed."
        )
    return promote(folder, name, earlier[-1])


def collect_garbage(folder: Path, name: str, *, keep: int = 3, newer: bool = False) -> list[str]:
    """Delete versions before the current one, but for the `keep` newest of them, and what dead builds left.

    Newer versions than the current one stay unless `newer`. Returns what was deleted. Open readers go on undisturbed.
    """
    root = _known_root(folder, name)
    with locked(root):
        current = current_version(root)
        known = list_versions(root) if current is not None else []
        earlier = [version for version in known if version < str(current)]
        later = [version for version in known if version > str(current)] if newer else []
        doomed = [root / "versions" / version for version in earlier[: max(0, len(earlier) - keep)] + later]
        doomed += sorted(root.glob(f"versions/{SCRATCH}*")) + sorted(root.glob(".building-*"))
        for path in doomed:
            (path / "manifest.json").unlink(missing_ok=True)
            shutil.rmtree(path)
    return [path.name for path in doomed]


def diff(folder: Path, name: str, old: str, new: str) -> dict[str, dict[str, int]]:
    """How two versions differ: items and passages added, removed and kept; counts before and after."""
    one, two = open_snapshot(folder, name, version=old), open_snapshot(folder, name, version=new)
    try:
        changes = {}
        for what, ids in (("items", _item_ids), ("passages", _passage_ids)):
            before, after = ids(one.rows), ids(two.rows)
            changes[what] = {
                "added": len(after - before),
                "removed": len(before - after),
                "kept": len(before & after),
            }
        for key in sorted({*one.manifest.counts, *two.manifest.counts} - set(changes)):
            changes[key] = {"before": one.manifest.counts.get(key, 0), "after": two.manifest.counts.get(key, 0)}
        return changes
    finally:
        one.close()
        two.close()


def _item_ids(rows: Rows) -> set[str]:
    return {item_id for _, item_id, _ in rows.living_items()}


def _passage_ids(rows: Rows) -> set[str]:
    return {name for _, name in rows.living_passages("id")}


def _known_root(folder: Path, name: str) -> Path:
    root = index_root(folder, name)
    if not list_versions(root):
        known = ", ".join(list_indexes(folder)) or "none"
        raise UnknownIndexError(
            f"There is no index {name!r} in {folder}; it holds: {known}.",
            remedy=f"Build it: `rag-rationale index build {name} --items FILE --reviews FILE`.",
        )
    return root
