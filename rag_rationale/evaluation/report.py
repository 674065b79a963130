"""A report: findings with everything that shaped them, as JSON, as a table and read back from a file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rag_rationale.errors import InvalidRequestError
from rag_rationale.evaluation.finding import Finding, Measure
from rag_rationale.types import CitedEvidence, Language, Rationale

FORMAT = 1
HIGHER = (
    "citations.recall",
    "citations.precision",
    "personal",
    "variety.right_item",
    "variety.unique",
    "variety.distinct_2",
    "likelihood.gain",
    "likelihood.fluency",
    "references",
)
LOWER = ("variety.generic", "variety.opening_repeated", "latency")
"""Begins of the names of measures in which more, or less, is better; in the others neither is."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written for one case: the service's reply, what the counterpart wrote, and what a reader must know.

    `titles` names the items that the evidence speaks of, `counted` holds the passages behind a count, by evidence id.
    """

    case: str
    item: str
    title: str
    language: Language
    rating: float | None
    others: int
    reply: Rationale
    titles: Mapping[str, str]
    counted: Mapping[str, str] = field(default_factory=dict)
    counterpart: str = ""
    counterpart_evidence: tuple[CitedEvidence, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """One line of replies.jsonl."""
        return {
            "case": self.case,
            "item": self.item,
            "title": self.title,
            "language": self.language,
            "rating": self.rating,
            "others": self.others,
            "titles": dict(self.titles),
            "counted": dict(self.counted),
            "reply": self.reply.model_dump(mode="json"),
            "counterpart": self.counterpart,
            "counterpart_evidence": [e.model_dump(mode="json") for e in self.counterpart_evidence],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What one run found. `provenance` names the index, models, template, verifier, seed, subjects and command."""

    provenance: Mapping[str, Any]
    findings: tuple[Finding, ...]
    written: tuple[Written, ...] = ()

    @property
    def measures(self) -> list[Measure]:
        """Every measure, by instrument."""
        return [measure for finding in self.findings for measure in finding.measures]

    def as_json(self) -> dict[str, Any]:
        """report.json. `targets` is flat; a figure that could not be measured is null."""
        measures = self.measures
        names = [m.name for m in measures]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two measures of one name: {', '.join(doubled)}")
        return {
            "format": FORMAT,
            "provenance": dict(self.provenance),
            "targets": {
                m.name: _plain(m, "value", "interval", "target", "met") for m in measures if m.target is not None
            },
            "beside_the_baseline": [
                {"name": own.name, "value": own.value, "baseline": other.value, "beaten": won}
                for own, other, won in duels(measures)
            ],
            "measures": {
                m.name: {
                    "instrument": finding.instrument,
                    **_plain(m, "value", "interval", "n", "target", "at_most", "bound", "met", "standing"),
                }
                for finding in self.findings
                for m in finding.measures
            },
            "per_case": _finite({name: of for finding in self.findings for name, of in finding.per_case.items()}),
            "curves": [asdict(curve) for finding in self.findings for curve in finding.curves],
            "cases": [{"instrument": f.instrument, **asdict(case)} for f in self.findings for case in f.cases],
            "notes": [f"{f.instrument}: {note}" for f in self.findings for note in f.notes],
            "texts": {w.case: {"item": w.item, "text": w.reply.rationale} for w in self.written},
        }


@dataclass(frozen=True, slots=True)
class Row:
    """A result with what it is held against: controls by their short names, and the counterpart."""

    measure: Measure
    controls: tuple[tuple[str, Measure], ...] = ()
    counterpart: Measure | None = None


def rows(measures: Iterable[Measure]) -> list[Row]:
    """Results in order, each with the controls and the counterpart whose name begins with its own.

    Those that stand beside no result are rows of their own.
    """
    measures = list(measures)
    results = [m for m in measures if m.standing == "result"]
    beside: dict[str, list[Measure]] = {m.name: [] for m in results}
    alone: list[Measure] = []
    for m in measures:
        if m.standing != "result":
            owner = max((r.name for r in results if m.name.startswith(f"{r.name}.")), key=len, default=None)
            (beside[owner] if owner else alone).append(m)
    return [_row(m, beside[m.name]) for m in results] + [Row(m) for m in alone]


def _row(measure: Measure, beside: list[Measure]) -> Row:
    controls = tuple((m.name.removeprefix(f"{measure.name}."), m) for m in beside if m.standing == "control")
    return Row(measure, controls, next((m for m in beside if m.standing == "counterpart"), None))


def duels(measures: Iterable[Measure]) -> list[tuple[Measure, Measure, bool]]:
    """Every result that has a counterpart and a better direction, with that counterpart and whether it is beaten."""
    found = []
    for row in rows(measures):
        own, other = row.measure, row.counterpart
        if other is None or math.isnan(own.value) or math.isnan(other.value):
            continue
        if own.name.startswith(HIGHER + LOWER):
            found.append(
                (own, other, own.value < other.value if own.name.startswith(LOWER) else own.value > other.value)
            )
    return found


def as_table(report: Report) -> str:
    """For a terminal: a block per instrument, each result with its interval, target, controls and counterpart."""
    blocks = [_block(f) for f in gathered(report) if f.measures]
    targets = [m for m in report.measures if m.target is not None]
    met = sum(bool(m.met) for m in targets)
    missed = "".join(f"\n  missed: {m.name} {told(m)}, target {target(m)}" for m in targets if not m.met)
    against = duels(report.measures)
    if against:
        lines = [("service", "baseline", "", "")]
        lines += [(told(own), told(other), "beaten" if won else "NOT BEATEN", own.name) for own, other, won in against]
        won = sum(beaten for *_, beaten in against)
        blocks.append(
            "\n".join([f"naive baseline beaten on {won} of {len(against)} lines", *(f"  {x}" for x in _columns(lines))])
        )
    return "\n\n".join([*blocks, f"{met} of {len(targets)} targets met{missed}"])


def gathered(report: Report) -> list[Finding]:
    """The findings, with the counterpart's measures moved to the instruments whose names they bear."""
    moved = [m for m in report.measures if m.standing == "counterpart"]
    kept = []
    for f in report.findings:
        own = tuple(m for m in f.measures if m.standing != "counterpart")
        names = tuple(m.name for m in own if m.standing == "result")
        took = [m for m in moved if any(m.name.startswith(f"{name}.") for name in names)]
        moved = [m for m in moved if m not in took]
        kept.append(Finding(f.instrument, (*own, *took), f.per_case, f.curves, f.cases, f.notes))
    return [*kept, Finding("counterpart, beside nothing", tuple(moved))]


def _block(finding: Finding) -> str:
    lines = [("", "value", "at 95 %", "n", "target", "beside")]
    for row in rows(finding.measures):
        m = row.measure
        beside = [*row.controls, *([("counterpart", row.counterpart)] if row.counterpart else [])]
        lines.append(
            (
                m.name,
                figure(m.value),
                "" if m.interval is None else f"{figure(m.interval[0])} to {figure(m.interval[1])}",
                str(m.n),
                "" if m.target is None else f"{target(m)} {'met' if m.met else 'MISSED'}",
                ", ".join(f"{name} {figure(other.value)}" for name, other in beside),
            )
        )
    notes = (f"note: {n}" for n in finding.notes)
    return "\n".join([finding.instrument, *(f"  {line}" for line in (*_columns(lines), *notes))])


def _columns(lines: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def figure(value: float) -> str:
    """A number at a length that can be read: 0.923, 4.57, 168, 0; "-" for one that could not be measured."""
    if math.isnan(value):
        return "-"
    if value == int(value):
        return f"{int(value)}"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def told(measure: Measure) -> str:
    """A value with its interval."""
    if measure.interval is None:
        return figure(measure.value)
    return f"{figure(measure.value)} ({figure(measure.interval[0])} to {figure(measure.interval[1])})"


def target(measure: Measure) -> str:
    """ "≥ 0.95", with the end of the interval that must hold it."""
    sign = "≤" if measure.at_most else "≥"
    end = "" if measure.bound == "value" else " at its worse end"
    return f"{sign} {figure(measure.target or 0.0)}{end}"


def read_report(path: Path) -> dict[str, Any]:
    """A report.json, or the one in a folder. Raises InvalidRequestError for anything else."""
    file = path / "report.json" if path.is_dir() else path
    try:
        held = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidRequestError(
            f"Cannot read {file}: {error}.", remedy="Give a report.json of `eval run`, or its folder."
        ) from error
    if not isinstance(held, dict) or held.get("format") != FORMAT or "per_case" not in held:
        raise InvalidRequestError(
            f"{file} is no report of format {FORMAT}.", remedy="Give a report.json of `eval run`, or its folder."
        )
    return held


def _plain(measure: Measure, *fields: str) -> dict[str, Any]:
    return {field: _finite(getattr(measure, field)) for field in fields}


def _finite(value: Any) -> Any:
    """The value with every number that JSON cannot hold as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(of) for key, of in value.items()}
    return [_finite(of) for of in value] if isinstance(value, list | tuple) else value
