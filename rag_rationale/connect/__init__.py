"""LangChain on either side: its models behind our protocols, ours behind its interfaces. Importing this loads it."""

from rag_rationale.connect.models import LangChainEmbedder, LangChainEngine, RationaleEmbeddings, TextsLeaveWarning

__all__ = ["LangChainEmbedder", "LangChainEngine", "RationaleEmbeddings", "TextsLeaveWarning"]
