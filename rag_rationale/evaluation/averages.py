"""A measure out of one value per case: the mean, with an interval that knows that cases of one item hang together."""

from __future__ import annotations

from collections.abc import Mapping

from rag_rationale.evaluation.finding import Measure, Standing
from rag_rationale.evaluation.material import Material
from rag_rationale.evaluation.statistics import bootstrap_mean


def average(
    name: str,
    values: Mapping[str, float],
    material: Material,
    *,
    target: float | None = None,
    at_most: bool = False,
    standing: Standing = "result",
) -> Measure:
    """Mean of `values` (by case id) with a bootstrap interval over items."""
    items = {s.id: s.item for s in material.subjects}
    made = bootstrap_mean(list(values.values()), clusters=[items[case] for case in values], seed=material.seed)
    return Measure(name, made.value, made.n, made.interval, target=target, at_most=at_most, standing=standing)
