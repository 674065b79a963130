"""Templates as files: frames, limits and the text the writer model reads."""

from rag_rationale.prompting.loading import load_template
from rag_rationale.prompting.store import TemplateStore
from rag_rationale.prompting.template import Check, Frame, PlanSpec, Role, Slot, Template

__all__ = ["Check", "Frame", "PlanSpec", "Role", "Slot", "Template", "TemplateStore", "load_template"]
