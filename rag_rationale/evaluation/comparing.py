"""Two runs over the same cases, measure by measure, pair by pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rag_rationale.errors import InvalidRequestError
from rag_rationale.evaluation.report import figure
from rag_rationale.evaluation.statistics import paired_bootstrap

MOST_CHANGED = 5


@dataclass(frozen=True, slots=True)
class Change:
    """How one measure moved over the cases that both runs have: `after` minus `before`, with its interval at 95 %.

    `most` holds (case, before, after) of the cases that moved most, the furthest first.
    """

    name: str
    before: float
    after: float
    n: int
    difference: float
    interval: tuple[float, float] | None
    most: tuple[tuple[str, float, float], ...]

    @property
    def told_apart(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


def compare(
    before: Mapping[str, Any], after: Mapping[str, Any], *, anyway: bool = False, seed: int = 0
) -> list[Change]:
    """The change of every measure that both reports have per case, over their common cases.

    Intervals are from a paired bootstrap over items. Raises InvalidRequestError where the reports are of other indexes
    or cases, unless `anyway`, and always where they share no case.
    """
    if not anyway:
        _refuse_unlike(before, after)
    changes = []
    for name in sorted(before["per_case"].keys() & after["per_case"].keys()):
        old, new = _numbers(before["per_case"][name]), _numbers(after["per_case"][name])
        both = sorted(old.keys() & new.keys())
        if not both:
            continue
        items = {case: after["texts"].get(case, {}).get("item", case) for case in both}
        moved = paired_bootstrap(new, minus=old, clusters=items, seed=seed)
        changed = sorted((case for case in both if new[case] != old[case]), key=lambda c: -abs(new[c] - old[c]))
        changes.append(
            Change(
                name,
                before=sum(old[case] for case in both) / len(both),
                after=sum(new[case] for case in both) / len(both),
                n=len(both),
                difference=moved.value,
                interval=moved.interval,
                most=tuple((case, old[case], new[case]) for case in changed[:MOST_CHANGED]),
            )
        )
    if not changes:
        raise InvalidRequestError(
            "The reports share no case.", remedy="Run both over the same index, subjects and seed."
        )
    return changes


def changes_as_json(changes: list[Change]) -> dict[str, Any]:
    """For programs: by measure."""
    return {
        c.name: {
            "before": c.before,
            "after": c.after,
            "n": c.n,
            "difference": c.difference,
            "interval": c.interval,
            "told_apart": c.told_apart,
            "most_changed": [{"case": case, "before": old, "after": new} for case, old, new in c.most],
        }
        for c in changes
    }


def changes_as_text(changes: list[Change], before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """For a terminal: a line per measure, marked where its interval leaves out zero, and the cases that moved most."""
    width = max(len(c.name) for c in changes)
    lines = [f"  {'':{width}}  before   after  difference (95 %)"]
    for c in changes:
        span = "" if c.interval is None else f" ({c.interval[0]:+.3f} to {c.interval[1]:+.3f})"
        mark = "*" if c.told_apart else " "
        lines.append(f"{mark} {c.name:{width}}  {figure(c.before):>6}  {figure(c.after):>6}  {c.difference:+.3f}{span}")
    lines.append("* the interval leaves out zero")
    for c in (c for c in changes if c.told_apart):
        for case, old, new in c.most[:2]:
            lines += [f"\n{c.name}, {case}: {figure(old)} -> {figure(new)}"]
            lines += [
                f"  {mark} {run['texts'].get(case, {}).get('text')}" for mark, run in (("-", before), ("+", after))
            ]
    return "\n".join(lines)


def _refuse_unlike(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    remedy = "Compare runs of one index, subjects and seed, or say --anyway to compare what they share."
    old, new = (str(run["provenance"].get("index")) for run in (before, after))
    if old.partition("@")[0] != new.partition("@")[0]:
        raise InvalidRequestError(f"The reports are of different indexes, {old} and {new}.", remedy=remedy)
    missing = set(before["texts"]) ^ set(after["texts"])
    if missing:
        raise InvalidRequestError(
            f"The reports are of different cases: {len(missing)} are in one only, such as {min(missing)!r}.",
            remedy=remedy,
        )


def _numbers(values: Mapping[str, float | None]) -> dict[str, float]:
    return {case: value for case, value in values.items() if value is not None}
