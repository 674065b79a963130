"""The explainer: from a request to a rationale that proves itself."""

from rag_rationale.service.answering import Answers, Erased, open_answers
from rag_rationale.service.explainer import Explainer, Step
from rag_rationale.service.opening import open_explainer

__all__ = ["Answers", "Erased", "Explainer", "Step", "open_answers", "open_explainer"]
