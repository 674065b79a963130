"""Whether a draft is true to its passages, and well formed."""

from rag_rationale.grounding.form import form_faults
from rag_rationale.grounding.verifier import VERSION, Verifier

__all__ = ["VERSION", "Verifier", "form_faults"]
