"""A sentence-transformers model, from a local folder or by a hub name, as an `Embedder`.

A few texts are computed by torch in float32. From the first call with many on, or from the first of all in `bulk`, all
go through `compiled`, in what this processor is fastest in: such vectors have cosines of at least 0.999 to those, so
thresholds leave room. All are normalised in float32, since norms of bfloat16 are off by 0.4 %.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from huggingface_hub import snapshot_download

from rag_rationale.embedding.compiled import EIGHT_BIT, Compiled, Precision, precision_here, release
from rag_rationale.embedding.eight_bit import add_eight_bit
from rag_rationale.errors import ModelMissingError
from rag_rationale.memory import give_back
from rag_rationale.types import Progress, TextRole, Vectors

_CONTENT = frozenset((".json", ".safetensors", ".bin", ".txt", ".model"))
"""Files that shape a vector; a README does not."""
_MANY = 256  # texts in one call from which on compiling the model pays


class SentenceTransformerEmbedder:
    """Embeds with a sentence-transformers model, from a folder or from the hub's cache or network.

    `query_prefix` and `passage_prefix` are put before the texts of that role. `name` states the model, a hash of its
    files and of its prefixes, so an index knows it again wherever the folder lies. `compiled` is a folder that keeps
    compiled models under such names; without one each process compiles anew. `bulk` compiles at once, in a process of
    its own where it must, so that this one holds no torch. `threads` sets torch's, for the whole process. Safe to share
    between threads; calls are taken one after another.
    """

    def __init__(
        self,
        path_or_name: str | Path,
        *,
        query_prefix: str = "",
        passage_prefix: str = "",
        name: str | None = None,
        batch_size: int = 8,
        threads: int | None = None,
        compiled: Path | None = None,
        bulk: bool = False,
    ) -> None:
        self._folder = _folder(path_or_name)
        self._prefixes: dict[TextRole, str] = {"query": query_prefix, "passage": passage_prefix}
        self._name = f"{name or Path(path_or_name).name}@{_identity(self._folder, self._prefixes)}"
        self._batch_size, self._threads = batch_size, threads
        self._kept = compiled / self._name / release() if compiled else None
        self._passing: Path | None = None  # what is compiled for this process alone
        self._compiled: Compiled | None = None
        self._model: Any = None  # None once compiled: its weights would be held twice
        self._lock = threading.Lock()
        if bulk:
            self._compiled = self._compile()
            self._dimension, special = self._compiled.dimension, self._compiled.special
        else:
            tracing = _tracing()
            if threads is not None:
                importlib.import_module("torch").set_num_threads(threads)
            self._model = tracing.load(self._folder)
            self._dimension = int(self._model.get_embedding_dimension() or 0)
            special = tracing.special_tokens(self._model)
        self._special = re.compile("|".join(map(re.escape, special)) or r"(?!)")

    @property
    def name(self) -> str:
        return self._name

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def precision(self) -> Precision:
        """What vectors are computed in by now."""
        return self._compiled.precision if self._compiled is not None else "float32"

    def embed(self, texts: Sequence[str], *, role: TextRole, progress: Progress | None = None) -> Vectors:
        """Vectors of shape (len(texts), dimension), float32, norm 1, in the order given; (0, dimension) for none.

        A text's vector depends on its batch by rounding only: about 1e-6 in float32; cosines between the ways that few
        and many texts go are at least 0.999. Texts beyond the model's window are cut. `progress` is told
        ("embed", done, total) after each batch.
        """
        prepared = [self._prefixes[role] + self._shielded(text) for text in texts]
        with self._lock:
            if self._compiled is None and (self._model is None or len(texts) >= _MANY):
                self._compiled = self._compile()
                self._model = None
                gc.collect()  # the model and its card hold each other
            model = self._model
            if self._compiled is not None and texts:
                return self._embed_compiled(self._compiled, prepared, progress)
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        if not texts or model is None:
            return vectors
        order = sorted(range(len(texts)), key=lambda at: len(prepared[at].encode()), reverse=True)
        for begin in range(0, len(order), self._batch_size):
            batch = order[begin : begin + self._batch_size]
            with self._lock:
                encoded = _tracing().encode(model, [prepared[at] for at in batch])
            vectors[batch] = _normalised(encoded)
            if progress:
                progress("embed", begin + len(batch), len(texts))
        return vectors

    def rest(self) -> None:
        """Give back the memory of a compiled model; it is loaded again when next asked."""
        with self._lock:
            if self._compiled is not None:
                self._compiled = None
                give_back()

    def _compile(self) -> Compiled:
        """What is kept of the model as compiled, made first where nothing is. ModelMissingError where that fails."""
        folder = self._kept
        if folder is None or not _is_writable(folder):
            if self._passing is None:
                self._passing = Path(tempfile.mkdtemp())
                weakref.finalize(self, shutil.rmtree, self._passing, ignore_errors=True)
            folder = self._passing / "kept"
        if not folder.is_dir() and self._model is None:
            call = [sys.executable, "-m", "rag_rationale.embedding.tracing", str(self._folder), str(folder)]
            made = subprocess.run(call, capture_output=True, text=True, check=False)
            if made.returncode:
                raise ModelMissingError(
                    f"{self._folder} holds no model that can be compiled: {made.stderr.strip()[-300:]}",
                    remedy="Give a sentence-transformers folder, or run `rag-rationale models prepare`.",
                )
        elif not folder.is_dir():
            _tracing().keep(self._model, folder)
        if precision_here() == "8 bit" and not (folder / EIGHT_BIT).exists():
            with contextlib.suppress(OSError):  # a folder that cannot be written to: float32 it is
                add_eight_bit(folder, prefix=self._prefixes["passage"])
        return Compiled(folder, threads=self._threads)

    def _embed_compiled(self, compiled: Compiled, prepared: list[str], progress: Progress | None) -> Vectors:
        told = 0

        def done(more: int) -> None:
            nonlocal told
            told += more
            if progress:
                progress("embed", told, len(prepared))

        return _normalised(compiled.embed(prepared, done))

    def _shielded(self, text: str) -> str:
        """The text with special tokens in it broken up: a `</s>` that someone typed must not end the sequence."""
        return self._special.sub(lambda match: f"{match.group()[0]} {match.group()[1:]}", text)


def _tracing() -> Any:
    """The door to torch, which takes seconds and half a gigabyte to load."""
    return importlib.import_module("rag_rationale.embedding.tracing")


def _is_writable(folder: Path) -> bool:
    """Whether the folder is there, or can be made."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent):
            return True
    except OSError:
        return folder.is_dir()


def _normalised(vectors: Vectors) -> Vectors:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, np.finfo(np.float32).tiny), np.float32)


def _folder(path_or_name: str | Path) -> Path:
    """Where the model's files lie. ModelMissingError where they do not."""
    folder = Path(path_or_name).expanduser()
    if folder.is_dir():
        if (folder / "config.json").is_file():
            return folder
        raise ModelMissingError(
            f"{folder} holds no embedding model: it has no config.json.",
            remedy="Give a sentence-transformers folder, or run `rag-rationale models prepare`.",
        )
    if folder.is_absolute() or str(path_or_name).startswith((".", "~")):
        raise ModelMissingError(f"There is no folder {folder}.", remedy="Run `rag-rationale models prepare`.")
    try:
        return Path(snapshot_download(str(path_or_name)))
    except Exception as error:
        raise ModelMissingError(
            f"{str(path_or_name)!r} is no folder, and no model of the hub could be had by that name "
            f"({type(error).__name__}).",
            remedy="Give the path of a sentence-transformers folder, or run `rag-rationale models prepare`.",
        ) from error


def _identity(folder: Path, prefixes: dict[TextRole, str]) -> str:
    """12 hex characters over the model's files and its prefixes."""
    digest = hashlib.sha256(json.dumps(prefixes, sort_keys=True).encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in _CONTENT and path.name != "model.json":
            with path.open("rb") as file:
                digest.update(path.relative_to(folder).as_posix().encode())
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:12]
