"""Opens what the settings name: embedder, writer, analysers, and the explainer over them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from threadpoolctl import threadpool_limits

from rag_rationale.config import Settings, load_settings
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.errors import SettingsError
from rag_rationale.generation import open_engine
from rag_rationale.language.chinese import Chinese
from rag_rationale.language.english import English
from rag_rationale.models import load_registry, resolve
from rag_rationale.service.embedders import Embedders
from rag_rationale.service.explainer import Explainer
from rag_rationale.types import Analyser, Embedder, Engine, Language

SYNTAX = "en-core-web-sm"
MULTILINGUAL = "multilingual-e5-small"
_HASHED = re.compile(r"hashed-(\d+)")


def open_explainer(
    settings: Settings | None = None, *, embedder: Embedder | Embedders | None = None, engine: Engine | None = None
) -> Explainer:
    """An explainer for the settings (default: from the environment). `engine` stands in for the one they name,
    `embedder` for those that the indexes name. Raises ModelMissingError with the command to run where a model is not
    prepared. From then on NumPy computes on one thread, in the whole process: its products are small here, and while
    the engine has the cores a second thread waits for one, 16 ms instead of 0.3 in one call of ten.
    """
    settings = settings or load_settings()
    threadpool_limits(1, user_api="blas")
    return Explainer(
        settings=settings,
        embedder=embedder or open_embedders(settings),
        engine=engine or open_writer(settings),
        analysers=open_analysers(settings),
    )


def open_embedder(settings: Settings, *, bulk: bool = False) -> Embedder:
    """The embedder that `settings.embedder` names; "hashed" needs no model and knows only words. One for `bulk` spares
    memory and is compiled at once.
    """
    spec = settings.embedder or MULTILINGUAL
    if spec == "hashed":
        return HashedEmbedder()
    model = resolve(spec, "embedder", folder=settings.models)
    if model.kind == "provider":
        raise _elsewhere("embedder", spec)
    from rag_rationale.embedding import SentenceTransformerEmbedder

    prefixes = model.known.prefixes if model.known else {}
    return SentenceTransformerEmbedder(
        model.path or model.spec,
        name=model.known.name if model.known else None,
        query_prefix=prefixes.get("query", ""),
        passage_prefix=prefixes.get("passage", ""),
        threads=settings.threads,
        compiled=settings.models / ".compiled",
        bulk=bulk,
    )


def open_embedders(settings: Settings, *, known: Embedder | None = None) -> Embedders:
    """What opens each index's own embedder: `known` or the one that the settings name, and those of the registry."""

    def named(name: str) -> Embedder | None:
        if match := _HASHED.fullmatch(name):
            return HashedEmbedder(int(match[1]))
        spec = name.partition("@")[0]
        if spec not in load_registry():
            return None
        return open_embedder(settings.model_copy(update={"embedder": spec}))

    first = known or (open_embedder(settings) if settings.embedder else None)
    return Embedders(*([first] if first else []), open_named=named)


def open_writer(settings: Settings) -> Engine:
    """The engine that `settings.llm` names."""
    model = resolve(settings.llm, "writer", folder=settings.models)
    if model.kind == "provider":
        raise _elsewhere("llm", settings.llm)
    source: Path | str = model.path or model.spec  # a file, a URL or "scripted"
    name = model.known.name if model.known else None
    return open_engine(
        source,
        name=name,
        threads=settings.threads,
        context=settings.context,
        isolated=settings.isolated,
        key=settings.llm_key,
        lora=settings.lora,
    )


def open_analysers(settings: Settings) -> Mapping[Language, Analyser]:
    """One analyser per language."""
    syntax = resolve(SYNTAX, "syntax", folder=settings.models)
    assert syntax.path is not None
    return {"en": English(syntax.path), "zh": Chinese()}


def _elsewhere(setting: str, spec: str) -> SettingsError:
    return SettingsError(
        f"`{setting}` is {spec!r}, a model behind LangChain.",
        remedy="Open it with `rag_rationale.connect.open_explainer`, or through the command line, which does.",
    )
