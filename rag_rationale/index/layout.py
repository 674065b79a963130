"""Names, paths and manifests of the snapshots on disk, and how files come to be there safely.

    <folder>/<name>/
      CURRENT                      the active version
      .lock                        one writer per name
      versions/<version>/
        manifest.json              written last; a version without it does not exist
        tombstones.jsonl           what is no longer there, by segment
        passages.faiss items.faiss and their .rows.npy, items.sums.npy items.told.npy, statistics.npz,
                                   praise.npz where there are ratings enough
        segments/<id>/             segment.sqlite, vectors.npy

Knows files and hashes; nothing of rows, vectors or search.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from rag_rationale.errors import InvalidRequestError, LockedError, SnapshotError, UnknownIndexError
from rag_rationale.types import Manifest

FORMAT = 1
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
VERSION = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
_MANIFEST = TypeAdapter(Manifest)
_REBUILD = "Rebuild it with `rag-rationale index build`, or roll back with `rag-rationale index rollback`."


def index_root(folder: Path, name: str) -> Path:
    """The folder of one index, whether or not it exists. InvalidRequestError for what is no index name."""
    if not NAME.fullmatch(name):
        raise InvalidRequestError(
            f"{name!r} is no index name: expected up to 64 of a-z, 0-9, _ and -, beginning with a letter or digit.",
            remedy="Rename the index.",
        )
    return folder / name


def version_folder(root: Path, version: str) -> Path:
    """The folder of one version, which must exist, manifest and all. UnknownIndexError where it does not."""
    folder = root / "versions" / version
    if not VERSION.fullmatch(version) or not (folder / "manifest.json").is_file():
        known = ", ".join(list_versions(root)) or "none"
        raise UnknownIndexError(
            f"Index {root.name!r} has no version {version!r}; it has: {known}.",
            remedy="Name one of these, or leave the version out for the current one.",
        )
    return folder


def list_versions(root: Path) -> list[str]:
    """Versions of an index that are complete, oldest first."""
    return sorted(
        path.parent.name for path in root.glob("versions/*/manifest.json") if VERSION.fullmatch(path.parent.name)
    )


def current_version(root: Path) -> str | None:
    """The version CURRENT names, None where nothing was promoted yet. SnapshotError where CURRENT is damaged."""
    try:
        version = (root / "CURRENT").read_text(encoding="utf-8").removesuffix("\n")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SnapshotError(f"{root / 'CURRENT'} cannot be read: {error}.", remedy=_REBUILD) from error
    if not VERSION.fullmatch(version):
        raise SnapshotError(f"{root / 'CURRENT'} holds {version[:80]!r}, which is no version.", remedy=_REBUILD)
    return version


def set_current(root: Path, version: str) -> None:
    """Point CURRENT at a version, atomically: a reader sees the old one or the new one."""
    write_atomically(root / "CURRENT", f"{version}\n".encode())


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write manifest.json: the last act of writing a version."""
    write_atomically(folder / "manifest.json", _as_bytes(replace(manifest, sha256=_checksum(manifest))))


def _as_bytes(manifest: Manifest) -> bytes:
    known = asdict(manifest)
    if not manifest.sha256:  # as earlier releases wrote it, and what is hashed
        del known["sha256"]
    return json.dumps(known, ensure_ascii=False, indent=1, sort_keys=True).encode()


def _checksum(manifest: Manifest) -> str:
    return hashlib.sha256(_as_bytes(replace(manifest, sha256=""))).hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """manifest.json of a version, its shape and paths checked. SnapshotError where it is damaged."""
    path = folder / "manifest.json"
    try:
        manifest = _MANIFEST.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise SnapshotError(f"{path} is no manifest: {str(error).splitlines()[0]}.", remedy=_REBUILD) from error
    if manifest.format != FORMAT:
        raise SnapshotError(
            f"{path} has format {manifest.format}, this release reads format {FORMAT}.", remedy="Rebuild the index."
        )
    for name in [*manifest.files, *manifest.segments]:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise SnapshotError(f"{path} names {name!r}, which lies outside the version.", remedy=_REBUILD)
    return manifest


def describe_files(folder: Path) -> dict[str, dict[str, object]]:
    """Size and SHA-256 of every file under `folder`, by relative path."""
    return {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": sha256(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def check_files(folder: Path, manifest: Manifest, *, hashes: bool) -> list[str]:
    """What is wrong with a version's files, one sentence each; sizes always, contents with `hashes`."""
    faults = []
    if hashes:
        sound = manifest.sha256 in ("", _checksum(manifest))
        if not sound or (folder / "manifest.json").read_bytes() != _as_bytes(manifest):
            faults.append("manifest.json is not as it was written.")
    for name, expected in manifest.files.items():
        path = folder / name
        size = path.stat().st_size if path.is_file() else None
        if size is None:
            faults.append(f"{name} is missing.")
        elif size != expected.get("size"):
            faults.append(f"{name} has {size} bytes, expected {expected.get('size')}.")
        elif hashes and sha256(path) != expected.get("sha256"):
            faults.append(f"{name} does not have the SHA-256 its manifest names.")
    return faults


def sha256(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file as a whole, durably, under the caller's lock: what a killed writer left, the next writes over."""
    fresh = path.with_name(f".{path.name}.part")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Force a file or a folder's entries to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Force every file and folder under `folder` to disk."""
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)


def link_tree(source: Path, target: Path) -> None:
    """Share a folder's files with another version by hard links, or copies where the file system has none."""
    target.mkdir(parents=True)
    for path in source.iterdir():
        try:
            os.link(path, target / path.name)
        except OSError:
            shutil.copy2(path, target / path.name)


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the index's lock. LockedError at once where another process or thread holds it."""
    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise LockedError(
            f"Index {root.name!r} is being written by another process.", remedy="Wait until it is done, then try again."
        ) from error
    try:
        yield
    finally:
        lock.release()
