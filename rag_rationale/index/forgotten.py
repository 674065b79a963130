"""The users an index must forget, told by salted hashes, so that the list itself names nobody.

Builds leave them out, and whoever opens a version that still holds them is given it without.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable
from pathlib import Path

from filelock import FileLock

from rag_rationale.errors import SnapshotError
from rag_rationale.index.layout import write_atomically

FILE = "forgotten.json"


class Forgotten:
    """The list of one index, in its folder beside the versions, as it was when this was made."""

    def __init__(self, root: Path) -> None:
        self._path = root / FILE
        self._salt, self._hashes = secrets.token_bytes(32), set[str]()
        self._read()

    def _read(self) -> None:
        if not self._path.exists():
            return
        try:
            known = json.loads(self._path.read_text(encoding="utf-8"))
            self._salt, self._hashes = bytes.fromhex(known["salt"]), set(known["users"])
            sound = known["sha256"] == self._checksum()
        except (OSError, ValueError, KeyError, TypeError):
            sound = False
        if not sound:
            raise SnapshotError(
                f"{self._path} is damaged; it says whom this index must forget.",
                remedy="Restore it from a backup, or delete it and forget those users anew.",
            )

    def __contains__(self, user_id: object) -> bool:
        return bool(self._hashes) and isinstance(user_id, str) and self._hash(user_id) in self._hashes

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, users: Iterable[str]) -> None:
        """Forget these users from now on. It is on disk when this returns. OSError where the folder is read only."""
        names = list(users)
        if not names:
            return
        with FileLock(self._path.with_name(".lock-forgotten")):  # a service may add while a build runs
            self._read()
            fresh = {self._hash(user) for user in names} - self._hashes
            if fresh:
                self._hashes |= fresh
                known = {"salt": self._salt.hex(), "users": sorted(self._hashes), "sha256": self._checksum()}
                write_atomically(self._path, json.dumps(known, indent=1).encode())

    def _hash(self, user_id: str) -> str:
        return hashlib.blake2b(user_id.encode("utf-8", "surrogatepass"), key=self._salt, digest_size=32).hexdigest()

    def _checksum(self) -> str:
        return hashlib.sha256(":".join([self._salt.hex(), *sorted(self._hashes)]).encode()).hexdigest()
