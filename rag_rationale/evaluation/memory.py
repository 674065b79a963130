"""What was computed once and need not be again: values by key, in a file that is only appended to.

A run that was interrupted goes on from there; half a line, left by one that was killed, is passed over.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rag_rationale.types import Embedder, TextRole, Vectors


class Memory:
    """JSONL of `{"key": …, "value": …}`. Keys are hashes of whatever the value depends on; the last value wins."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, str] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+", encoding="utf-8") as file:
            file.seek(0)
            line = "\n"
            for line in file:
                try:
                    row = json.loads(line)
                    self._values[row["key"]] = row["value"]
                except (ValueError, KeyError, TypeError):
                    continue
            if not line.endswith("\n"):
                file.write("\n")

    def get(self, *depends: object) -> str | None:
        """The value for what it depends on; None where it is not known yet."""
        return self._values.get(fingerprint(*depends))

    def put(self, value: str, *depends: object) -> None:
        """Remember a value, at once on disk."""
        key = fingerprint(*depends)
        self._values[key] = value
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "value": value}, ensure_ascii=False) + "\n")


class RememberingEmbedder:
    """An embedder whose vectors outlive the process."""

    def __init__(self, embedder: Embedder, memory: Memory) -> None:
        self._embedder, self._memory = embedder, memory

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def dimension(self) -> int:
        return self._embedder.dimension

    def embed(self, texts: Sequence[str], *, role: TextRole) -> Vectors:
        """As `Embedder.embed`; texts unknown so far are embedded together."""
        fresh = [t for t in dict.fromkeys(texts) if self._memory.get(self.name, role, t) is None]
        for text, vector in zip(fresh, self._embedder.embed(fresh, role=role), strict=True):
            self._memory.put(base64.b64encode(vector.tobytes()).decode(), self.name, role, text)
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            raw = base64.b64decode(self._memory.get(self.name, role, text) or "")
            vectors[row] = np.frombuffer(raw, np.float32)
        return vectors


def fingerprint(*depends: object) -> str:
    """32 hex characters over values that JSON can hold."""
    told = json.dumps(depends, ensure_ascii=False, sort_keys=True)
    return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
