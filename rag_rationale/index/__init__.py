"""Snapshots on disk and the door to FAISS."""

from rag_rationale.index.compacting import compact
from rag_rationale.index.forgotten import Forgotten
from rag_rationale.index.layout import (
    check_files,
    current_version,
    index_root,
    list_versions,
    locked,
    read_manifest,
    set_current,
    sync,
    version_folder,
    write_atomically,
)
from rag_rationale.index.segments import Segment, SegmentWriter, segment_id
from rag_rationale.index.snapshot import SnapshotReader, check_embedder, open_snapshot
from rag_rationale.index.statistics import centre_vectors
from rag_rationale.index.tombstones import Tombstone, read_tombstones
from rag_rationale.index.versions import (
    VersionInfo,
    collect_garbage,
    describe_versions,
    diff,
    list_indexes,
    promote,
    rollback,
    verify,
)
from rag_rationale.index.writing import write_version

__all__ = [
    "Forgotten",
    "Segment",
    "SegmentWriter",
    "SnapshotReader",
    "Tombstone",
    "VersionInfo",
    "centre_vectors",
    "check_embedder",
    "check_files",
    "collect_garbage",
    "compact",
    "current_version",
    "describe_versions",
    "diff",
    "index_root",
    "list_indexes",
    "list_versions",
    "locked",
    "open_snapshot",
    "promote",
    "read_manifest",
    "read_tombstones",
    "rollback",
    "segment_id",
    "set_current",
    "sync",
    "verify",
    "version_folder",
    "write_atomically",
    "write_version",
]
