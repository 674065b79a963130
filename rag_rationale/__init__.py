"""Explainable recommendations in which every sentence cites, word for word, the passages it rests on.

`Explainer` is the library call; it is loaded on first use, so that importing the package loads neither torch, FAISS,
spaCy nor llama.cpp.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

from rag_rationale.types import Rationale, RationaleRequest

if TYPE_CHECKING:
    from rag_rationale.service import Explainer as Explainer

__all__ = ["Explainer", "Rationale", "RationaleRequest", "__version__"]
__version__ = "0.1.0"

# Before libgomp loads: two thread pools that spin on the same cores slow each other tenfold and more. So long a spin
# bridges the gaps within one pass of an embedder; a fifth of it makes a short text take half as long again.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def __getattr__(name: str) -> object:
    if name == "Explainer":
        return importlib.import_module("rag_rationale.service").Explainer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
