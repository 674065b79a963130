"""Models: which are known, how each is prepared from the package it travels in, and what a setting stands for.

Knows files and hashes. It loads no model and imports no code of the packages that carry weights.
"""

from rag_rationale.models.listing import ModelCheck, ModelRow, list_models, verify_models
from rag_rationale.models.preparing import prepare, verify
from rag_rationale.models.registry import KnownModel, Role, Source, known_model, load_registry
from rag_rationale.models.resolving import ResolvedModel, resolve

__all__ = [
    "KnownModel",
    "ModelCheck",
    "ModelRow",
    "ResolvedModel",
    "Role",
    "Source",
    "known_model",
    "list_models",
    "load_registry",
    "prepare",
    "resolve",
    "verify",
    "verify_models",
]
