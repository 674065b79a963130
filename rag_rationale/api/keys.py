"""API keys: made once, shown once, kept as hashes in one file that every replica may share.

A key has 256 random bits, so a plain SHA-256 of it cannot be searched; comparing takes the same time whatever differs.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock
from pydantic import TypeAdapter, ValidationError

from rag_rationale.errors import InvalidRequestError, SettingsError

FILE = "keys.json"
Scope = Literal["read", "admin"]
_TOKEN = re.compile(r"rr_([0-9a-f]{8})_([\w-]{43})", re.ASCII)
_LOOK = 1.0  # seconds between looks whether the file has changed


@dataclass(frozen=True, slots=True)
class Key:
    """A key as kept. `rate` is its own limit, such as "100/minute"; None where the service's holds."""

    id: str
    name: str
    scope: Scope
    digest: str
    created: int
    rate: str | None = None


_KEYS = TypeAdapter(list[Key])


class Keys:
    """The keys of a state folder; new and revoked ones count within a second. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lock = threading.Lock()
        self._known: dict[str, Key] = {}
        self._stamp: tuple[int, int] | None = None
        self._looked = 0.0
        self.all()

    def all(self) -> list[Key]:
        """Every key, oldest first. SettingsError where the file is damaged."""
        with self._lock:
            self._look()
            return list(self._known.values())

    def find(self, token: str) -> Key | None:
        """The key that a caller shows; None where it is none, or none any more."""
        match = _TOKEN.fullmatch(token)
        with self._lock:
            if time.monotonic() - self._looked > _LOOK:
                self._look()
            key = self._known.get(match[1]) if match else None
        return key if key is not None and hmac.compare_digest(key.digest, _digest(token)) else None

    def create(self, name: str, scope: Scope, *, rate: str | None = None) -> str:
        """Make a key and return it; it is not kept and cannot be shown again."""
        if not re.fullmatch(r"[\w .@-]{1,64}", name):
            raise InvalidRequestError(f"{name!r} is no name of a key.", remedy="Use up to 64 letters, digits, . @ - _.")
        token = f"rr_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"
        match = _TOKEN.fullmatch(token)
        assert match is not None
        self._change(lambda keys: [*keys, Key(match[1], name, scope, _digest(token), int(time.time()), rate)])
        return token

    def revoke(self, id_: str) -> Key:
        """Take a key out. InvalidRequestError where there is none of that id."""
        gone = next((key for key in self.all() if key.id == id_), None)
        if gone is None:
            raise InvalidRequestError(f"There is no key {id_!r}.", remedy="`rag-rationale keys list` shows their ids.")
        self._change(lambda keys: [key for key in keys if key.id != id_])
        return gone

    def _change(self, change: object) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(self._path.with_suffix(".lock"), timeout=10):
            kept = change(self.all())  # type: ignore[operator]
            fresh = self._path.with_name(f".{FILE}.part")
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump([asdict(key) for key in kept], file, indent=1)
            fresh.replace(self._path)
        self.all()

    def _look(self) -> None:
        self._looked = time.monotonic()
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._stamp:
                self._known = {key.id: key for key in _KEYS.validate_json(self._path.read_bytes())}
                self._stamp = stamp
        except FileNotFoundError:
            self._known, self._stamp = {}, None
        except (OSError, ValidationError) as error:
            raise SettingsError(f"{self._path} holds no keys: {error}.", remedy="Restore it, or delete it.") from error


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
