"""Opens what the settings name, `provider:model` strings included: those go through LangChain, all else as ever."""

from __future__ import annotations

from rag_rationale import service
from rag_rationale.config import Settings, load_settings
from rag_rationale.connect.models import LangChainEmbedder, LangChainEngine
from rag_rationale.models import resolve
from rag_rationale.service import Explainer, opening
from rag_rationale.types import Embedder


def open_explainer(settings: Settings | None = None) -> Explainer:
    """An explainer for the settings (default: from the environment), whichever models they name.

    Warns with TextsLeaveWarning for each that is behind LangChain. Raises SettingsError where LangChain cannot open it,
    ModelMissingError with the command to run where a local model is not prepared.
    """
    settings = settings or load_settings()
    behind = resolve(settings.llm, "writer", folder=settings.models).kind == "provider"
    engine = LangChainEngine(settings.llm) if behind else None
    known = open_embedder(settings) if settings.embedder else None
    return service.open_explainer(settings, embedder=opening.open_embedders(settings, known=known), engine=engine)


def open_embedder(settings: Settings, *, bulk: bool = False) -> Embedder:
    """The embedder that `settings.embedder` names, for many texts with `bulk`; warns and raises as `open_explainer`
    does.
    """
    if settings.embedder not in (None, "hashed"):
        model = resolve(settings.embedder, "embedder", folder=settings.models)
        if model.kind == "provider":
            return LangChainEmbedder(settings.embedder)
    return opening.open_embedder(settings, bulk=bulk)
