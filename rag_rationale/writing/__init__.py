"""Plans become drafts."""

from rag_rationale.writing.writer import Writer

__all__ = ["Writer"]
