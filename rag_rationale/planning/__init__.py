"""Which sentences to write, and on which passages."""

from rag_rationale.planning.company import Company
from rag_rationale.planning.planner import Planner
from rag_rationale.planning.readings import Reader, Reading

__all__ = ["Company", "Planner", "Reader", "Reading"]
