"""Plans become drafts, and drafts are ranked."""

from rag_rationale.writing.free import FreeWriter
from rag_rationale.writing.ranking import Ranker
from rag_rationale.writing.writer import Writer

__all__ = ["FreeWriter", "Ranker", "Writer"]
