"""What one request may rest on."""

from rag_rationale.retrieval.gather import Pool, gather, history_tag

__all__ = ["Pool", "gather", "history_tag"]
