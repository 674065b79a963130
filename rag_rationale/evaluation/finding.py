"""What an instrument returns: measures with intervals and targets, values per case, curves and cases to read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Standing = Literal["result", "control", "counterpart"]
"""Whose figure it is: the product's, a control's (shuffled, constant, random, ...), or the naive baseline's."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure. `name` is dotted and unique in a report ("personal.pairs.heavy"); `n` counts what it rests on.

    `interval` is at 95 %. `target` is a floor, or a ceiling where `at_most`; `bound` says which end of the interval
    must hold it: the value itself, or its worse end ("lower Wilson bound at least 95 %").
    """

    name: str
    value: float
    n: int
    interval: tuple[float, float] | None = None
    target: float | None = None
    at_most: bool = False
    bound: Literal["value", "worse"] = "value"
    standing: Standing = "result"

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one, False where nothing could be measured."""
        if self.target is None:
            return None
        if self.n == 0 or self.value != self.value:
            return False
        low, high = self.interval if self.bound == "worse" and self.interval else (self.value, self.value)
        return high <= self.target if self.at_most else low >= self.target


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a curve with its interval at 95 %."""

    x: float
    y: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Curve:
    """Series over a common axis, for a plot. Names of series are those of the choices or systems compared."""

    title: str
    x: str
    y: str
    series: dict[str, tuple[Point, ...]]


@dataclass(frozen=True, slots=True)
class Case:
    """A case worth reading: what was asked, what was written, and why it is shown."""

    heading: str
    text: str
    why: str
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What one instrument found. `per_case` holds, by measure name, one value per case id: two runs over the same
    cases compare by it, pair by pair."""

    instrument: str
    measures: tuple[Measure, ...]
    per_case: dict[str, dict[str, float]] = field(default_factory=dict)
    curves: tuple[Curve, ...] = ()
    cases: tuple[Case, ...] = ()
    notes: tuple[str, ...] = ()
