"""From texts to vectors. `sentence_transformer` is the door to sentence-transformers; `hashed` needs no model.

`SentenceTransformerEmbedder` is loaded on first use, so that torch is loaded only where it is needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from rag_rationale.embedding.hashed import HashedEmbedder

if TYPE_CHECKING:
    from rag_rationale.embedding.sentence_transformer import SentenceTransformerEmbedder as SentenceTransformerEmbedder

__all__ = ["HashedEmbedder", "SentenceTransformerEmbedder"]


def __getattr__(name: str) -> object:
    if name == "SentenceTransformerEmbedder":
        return importlib.import_module("rag_rationale.embedding.sentence_transformer").SentenceTransformerEmbedder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
