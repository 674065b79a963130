"""The logistic models of the tiers, from `data/weights.json`: features in, a probability of support out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from rag_rationale.types import Language, Tier


@dataclass(frozen=True, slots=True)
class Calibration:
    """One tier's model. At `accept` or above the tier supports, at `reject` or below it does not; between, the next
    tier decides, or where there is none, the `threshold` of the language does.
    """

    weights: Mapping[str, float]
    bias: float
    accept: float
    reject: float
    threshold: Mapping[Language, float]

    def probability(self, features: Mapping[str, float]) -> float:
        """Probability that a sentence with these features is supported; features without a weight count nothing."""
        total = self.bias + sum(weight * features.get(name, 0.0) for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(min(total, 30.0), -30.0)))


@cache
def calibrations() -> dict[Tier, Calibration]:
    """The shipped models, by tier."""
    text = resources.files("rag_rationale.grounding").joinpath("data", "weights.json").read_text("utf-8")
    return {tier: Calibration(**model) for tier, model in json.loads(text)["tiers"].items()}
