"""Curves as inline SVG: lines with their intervals at 95 %, in colours that the page's style sheet gives.

Series are told apart by the classes s0, s1, ...; every point tells its figures when it is pointed at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from html import escape

from rag_rationale.evaluation.finding import Curve, Measure, Point
from rag_rationale.evaluation.report import figure, told

WIDTH, HEIGHT = 520, 300
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 12, 40
_STEPS = (1, 2, 2.5, 5, 10)
_PLACES = 8  # up to so many distinct x stand side by side, however far apart


def curve_svg(curve: Curve) -> str:
    """One plot. Up to eight distinct x stand at equal distances, more on a linear axis; y spans all intervals."""
    points = [p for series in curve.series.values() for p in series]
    if not points:
        return ""
    across = _Across(sorted({p.x for p in points}))
    low, high, ticks = _ticks(min(p.low for p in points), max(p.high for p in points))

    def down(y: float) -> float:
        return TOP + (high - y) / (high - low) * (HEIGHT - TOP - BOTTOM)

    body = [*_frame(curve, across, ticks, down)]
    for number, (name, series) in enumerate(curve.series.items()):
        nudge = (number - (len(curve.series) - 1) / 2) * 5 if across.places else 0.0  # intervals side by side
        body += _series(f"s{number % 8}", name, series, [across(p.x) + nudge for p in series], down)
    label = escape(f"{curve.title}: {curve.y} over {curve.x}")
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(body)}</svg>'


def bar_svg(measure: Measure) -> str:
    """A share on a line from 0 to 1, with its interval and a tick at its target; "" for what is no share."""
    low, high = measure.interval or (measure.value, measure.value)
    if not (0 <= low <= high <= 1) or measure.value > 1 or (measure.target or 0) > 1:
        return ""
    state = "plain" if measure.met is None else "met" if measure.met else "missed"
    tick = "" if measure.target is None else f'<path class="goal" d="M{measure.target * 120 + 5:.1f} 2v12"/>'
    return (
        f'<svg class="bar {state}" viewBox="0 0 130 16" role="img" aria-label="{escape(told(measure))}">'
        f'<path class="rail" d="M5 8h120"/><path class="span" d="M{low * 120 + 5:.1f} 8H{high * 120 + 5:.1f}"/>'
        f'{tick}<circle cx="{measure.value * 120 + 5:.1f}" cy="8" r="4"/></svg>'
    )


class _Across:
    """Where an x stands."""

    def __init__(self, xs: list[float]) -> None:
        self.places = xs if len(xs) <= _PLACES else []
        self._first, self._last = xs[0], xs[-1]

    def __call__(self, x: float) -> float:
        room = WIDTH - LEFT - RIGHT
        if self.places:
            return LEFT + (self.places.index(x) + 0.5) / len(self.places) * room
        return LEFT + (x - self._first) / (self._last - self._first) * room

    @property
    def ticks(self) -> list[float]:
        if self.places:
            return self.places
        low, high, ticks = _ticks(self._first, self._last)
        return [t for t in ticks if self._first <= t <= self._last] if low < high else [self._first]


def _frame(curve: Curve, across: _Across, ticks: list[float], down: Callable[[float], float]) -> Iterator[str]:
    for y in ticks:
        yield f'<path class="grid" d="M{LEFT} {down(y):.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{LEFT - 6}" y="{down(y) + 4:.1f}" text-anchor="end">{y:g}</text>'
    for x in across.ticks:
        yield f'<text x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">{x:g}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text class="axis" x="{middle}" y="{HEIGHT - 5}" text-anchor="middle">{escape(curve.x)}</text>'


def _series(
    style: str, name: str, series: tuple[Point, ...], at: list[float], down: Callable[[float], float]
) -> Iterator[str]:
    path = "L".join(f"{x:.1f} {down(p.y):.1f}" for x, p in zip(at, series, strict=True))
    yield f'<g class="{style}"><path class="line" d="M{path}"/>'
    for x, p in zip(at, series, strict=True):
        if p.high > p.low:
            yield f'<path class="span" d="M{x:.1f} {down(p.low):.1f}V{down(p.high):.1f}"/>'
        hint = escape(f"{name}: {figure(p.y)} ({figure(p.low)} to {figure(p.high)}), n {p.n}")
        yield f'<circle cx="{x:.1f}" cy="{down(p.y):.1f}" r="3.5"><title>{hint}</title></circle>'
    yield "</g>"


def _ticks(low: float, high: float) -> tuple[float, float, list[float]]:
    """A range of round numbers around [low, high], with about five ticks in it."""
    if high <= low:
        low, high = low - 0.5, high + 0.5
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in _STEPS if s * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return first * step, last * step, [round(n * step, 10) for n in range(first, last + 1)]
