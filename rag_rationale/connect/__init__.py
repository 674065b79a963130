"""LangChain on either side: its models behind our protocols, ours behind its interfaces. Importing this loads it."""

from rag_rationale.connect.chat import RationaleChatModel
from rag_rationale.connect.models import LangChainEmbedder, LangChainEngine, RationaleEmbeddings, TextsLeaveWarning
from rag_rationale.connect.opening import open_embedder, open_explainer
from rag_rationale.connect.retriever import EvidenceRetriever
from rag_rationale.connect.runnable import ExplainerRunnable
from rag_rationale.connect.store import SnapshotStore

__all__ = [
    "EvidenceRetriever",
    "ExplainerRunnable",
    "LangChainEmbedder",
    "LangChainEngine",
    "RationaleChatModel",
    "RationaleEmbeddings",
    "SnapshotStore",
    "TextsLeaveWarning",
    "open_embedder",
    "open_explainer",
]
