"""The door to sentence-transformers: a local folder or a hub name becomes an `Embedder`.

A few texts are computed in float32. From the first call with many on, all go through `compiled`, which takes bfloat16
where the processor has it: such vectors depend a little on their batch, so thresholds leave room. All are normalised in
float32, since norms of bfloat16 are off by 0.4 %.
"""

from __future__ import annotations

import gc
import hashlib
import json
import re
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from huggingface_hub import snapshot_download
from sentence_transformers import SentenceTransformer
from transformers.utils import logging as transformers_logging

from rag_rationale.embedding.compiled import Compiled, traced
from rag_rationale.errors import ModelMissingError
from rag_rationale.types import Progress, TextRole, Vectors

_CONTENT = frozenset((".json", ".safetensors", ".bin", ".txt", ".model"))
"""Files that shape a vector; a README does not."""
_MANY = 256  # texts in one call from which on compiling the model pays


class SentenceTransformerEmbedder:
    """Embeds with a sentence-transformers model, from a folder or from the hub's cache or network.

    `query_prefix` and `passage_prefix` are put before the texts of that role. `name` states the model, a hash of its
    files and of its prefixes, so an index knows it again wherever the folder lies. `compiled` is a folder that keeps
    compiled models under such names; without one each process compiles anew. `threads` sets torch's, for the whole
    process. Safe to share between threads; calls are taken one after another.
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
    ) -> None:
        folder = _folder(path_or_name)
        self._prefixes: dict[TextRole, str] = {"query": query_prefix, "passage": passage_prefix}
        self._name = f"{name or Path(path_or_name).name}@{_identity(folder, self._prefixes)}"
        self._batch_size, self._threads = batch_size, threads
        self._kept = compiled / self._name if compiled else None
        self._compiled: Compiled | None = None
        self._lock = threading.Lock()
        if threads is not None:
            torch.set_num_threads(threads)
        model = _load(folder)
        self._model: SentenceTransformer | None = model  # None once compiled: its weights would be held twice
        self._tokenizer, self._window = model.tokenizer, model.max_seq_length
        self._dimension = int(model.get_embedding_dimension() or 0)
        special = sorted(self._tokenizer.get_added_vocab(), key=len, reverse=True)
        special += [token for token in self._tokenizer.all_special_tokens if token not in special]
        self._special = re.compile("|".join(map(re.escape, special)) or r"(?!)")

    @property
    def name(self) -> str:
        return self._name

    @property
    def dimension(self) -> int:
        return self._dimension

    def embed(self, texts: Sequence[str], *, role: TextRole, progress: Progress | None = None) -> Vectors:
        """Vectors of shape (len(texts), dimension), float32, norm 1, in the order given; (0, dimension) for none.

        A text's vector depends on its batch by rounding only: about 1e-6 in float32; where the processor computes many
        texts in bfloat16, cosines between the two ways are at least 0.999. Texts beyond the model's window are cut.
        `progress` is told ("embed", done, total) after each batch.
        """
        prepared = [self._prefixes[role] + self._shielded(text) for text in texts]
        with self._lock:
            if self._model is not None and len(texts) >= _MANY:
                graph, self._model = traced(self._model, self._kept), None
                gc.collect()  # the model and its card hold each other
                padding = int(self._tokenizer.pad_token_id or 0)
                self._compiled = Compiled(graph, padding=padding, threads=self._threads)
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
                encoded = model.encode(
                    [prepared[at] for at in batch],
                    batch_size=self._batch_size,
                    show_progress_bar=False,
                    convert_to_numpy=True,
                )
            vectors[batch] = _normalised(np.asarray(encoded, np.float32))
            if progress:
                progress("embed", begin + len(batch), len(texts))
        return vectors

    def _embed_compiled(self, compiled: Compiled, prepared: list[str], progress: Progress | None) -> Vectors:
        told = 0

        def done(more: int) -> None:
            nonlocal told
            told += more
            if progress:
                progress("embed", told, len(prepared))

        cut = self._tokenizer(prepared, truncation=True, max_length=self._window)
        return _normalised(compiled.embed(cut["input_ids"], done))

    def _shielded(self, text: str) -> str:
        """The text with special tokens in it broken up: a `</s>` that someone typed must not end the sequence."""
        return self._special.sub(lambda match: f"{match.group()[0]} {match.group()[1:]}", text)


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


def _load(folder: Path) -> SentenceTransformer:
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        return SentenceTransformer(
            str(folder), device="cpu", local_files_only=True, model_kwargs={"dtype": torch.float32}
        ).eval()
    except (OSError, ValueError, KeyError) as error:
        raise ModelMissingError(
            f"{folder} holds no model that sentence-transformers can load: {error}.",
            remedy="Give a sentence-transformers folder, or run `rag-rationale models prepare`.",
        ) from error
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
