"""What one request may rest on."""

from rag_rationale.retrieval.candidates import Candidate, candidates
from rag_rationale.retrieval.common import Common
from rag_rationale.retrieval.crowd import Crowd
from rag_rationale.retrieval.gather import Pool, gather
from rag_rationale.retrieval.history import history_tag
from rag_rationale.retrieval.judging import Cuttings, Fit, PraiseJudge
from rag_rationale.retrieval.listings import LISTED, Entry, entries, facts
from rag_rationale.retrieval.rarity import Rarity
from rag_rationale.retrieval.scoring import WORDED

__all__ = [
    "LISTED",
    "WORDED",
    "Candidate",
    "Common",
    "Crowd",
    "Cuttings",
    "Entry",
    "Fit",
    "Pool",
    "PraiseJudge",
    "Rarity",
    "candidates",
    "entries",
    "facts",
    "gather",
    "history_tag",
]
