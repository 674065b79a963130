"""Builds an index from catalogue files, offline, without stopping the service that reads it."""

from rag_rationale.building.pipeline import build
from rag_rationale.building.report import BuildReport
from rag_rationale.building.rewriting import compact_index, forget_users, purge

__all__ = ["BuildReport", "build", "compact_index", "forget_users", "purge"]
