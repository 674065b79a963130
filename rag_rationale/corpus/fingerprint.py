"""Which code cuts rows into passages: what it made of a row holds only as long as it stays what it is."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_PARTS = ("corpus", "language")


@cache
def fingerprint() -> bytes:
    """16 bytes over every file of the packages that read, mask, cut and quarantine."""
    digest = hashlib.blake2b(digest_size=16)
    for part in _PARTS:
        for path in sorted((_PACKAGE / part).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(path.relative_to(_PACKAGE).as_posix().encode())
                digest.update(hashlib.blake2b(path.read_bytes()).digest())
    return digest.digest()


def row_digest(row: object) -> bytes:
    """16 bytes over a row, as its `repr` tells it, and the code that cuts it: where they agree, so do the passages."""
    return hashlib.blake2b(repr(row).encode("utf-8", "surrogatepass"), key=fingerprint(), digest_size=16).digest()
