"""The explainer: from a request to a rationale that proves itself."""

from rag_rationale.service.answering import Answers, Erased, open_answers, purge_answers
from rag_rationale.service.embedders import Embedders, Remembering
from rag_rationale.service.explainer import Explainer, Step
from rag_rationale.service.opening import open_explainer
from rag_rationale.service.snapshots import OpenIndex

__all__ = [
    "Answers",
    "Embedders",
    "Erased",
    "Explainer",
    "OpenIndex",
    "Remembering",
    "Step",
    "open_answers",
    "open_explainer",
    "purge_answers",
]
