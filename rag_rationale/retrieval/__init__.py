"""What one request may rest on."""

from rag_rationale.retrieval.candidates import Candidate, candidates
from rag_rationale.retrieval.gather import Pool, gather
from rag_rationale.retrieval.history import history_tag
from rag_rationale.retrieval.judging import Cuttings, Fit, PraiseJudge
from rag_rationale.retrieval.rarity import Rarity
from rag_rationale.retrieval.scoring import WORDED

__all__ = [
    "WORDED",
    "Candidate",
    "Cuttings",
    "Fit",
    "Pool",
    "PraiseJudge",
    "Rarity",
    "candidates",
    "gather",
    "history_tag",
]
