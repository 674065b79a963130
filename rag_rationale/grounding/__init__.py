"""Whether a draft, or any sentence with markers, is true to its passages, and whether a draft is well formed."""

from rag_rationale.grounding.calibration import calibrations
from rag_rationale.grounding.form import form_faults
from rag_rationale.grounding.free import FreeGate
from rag_rationale.grounding.judge import Judge
from rag_rationale.grounding.rows import read_claims
from rag_rationale.grounding.verifier import VERSION, Verifier

__all__ = ["VERSION", "FreeGate", "Judge", "Verifier", "calibrations", "form_faults", "read_claims"]
