"""Builds an index from catalogue files, offline, without stopping the service that reads it."""

from rag_rationale.building.pipeline import build
from rag_rationale.building.report import BuildReport

__all__ = ["BuildReport", "build"]
