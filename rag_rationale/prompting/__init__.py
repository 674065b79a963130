"""Templates as files: frames, limits and the text the writer model reads."""

from rag_rationale.prompting.store import TemplateStore
from rag_rationale.prompting.template import Frame, Role, Slot, Template, load_template

__all__ = ["Frame", "Role", "Slot", "Template", "TemplateStore", "load_template"]
