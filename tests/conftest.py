"""What several test modules stand on, made once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import serving

from rag_rationale.config import load_settings
from rag_rationale.service import Explainer
from rag_rationale.types import Analyser, Embedder, Language


@pytest.fixture(scope="session")
def known() -> Mapping[Language, Analyser]:
    """The real analysers; skips where the English syntax model is not prepared."""
    return serving.analysers()


@pytest.fixture(scope="session")
def e5() -> Embedder:
    """The real multilingual embedder; skips where it is not prepared."""
    folder = load_settings().models / "multilingual-e5-small"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not prepared: run `rag-rationale models prepare`")
    from rag_rationale.embedding import SentenceTransformerEmbedder

    return SentenceTransformerEmbedder(folder, query_prefix="query: ", passage_prefix="passage: ")


@pytest.fixture(scope="session")
def shop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds index `shop` once an explainer over it was asked for."""
    return tmp_path_factory.mktemp("shop")


@pytest.fixture(scope="session")
def shop(shop_folder: Path, known: Mapping[Language, Analyser]) -> Iterator[Explainer]:
    """An explainer over index `shop`, not to be changed."""
    made = serving.open_planted(shop_folder, known)
    yield made
    made.close()
