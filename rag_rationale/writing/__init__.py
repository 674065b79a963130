"""Plans become drafts, and drafts are ranked."""

from rag_rationale.writing.ranking import Ranker
from rag_rationale.writing.writer import Writer

__all__ = ["Ranker", "Writer"]
