"""Measures what the service writes: instruments over one set of cases, findings, reports."""

from rag_rationale.evaluation.finding import Case, Curve, Finding, Measure, Point
from rag_rationale.evaluation.material import Material, Subject

__all__ = ["Case", "Curve", "Finding", "Material", "Measure", "Point", "Subject"]
