"""Reports: JSON, table, page and comparison, on figures made by hand and on the small shop."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from evaluated import shop_material

from rag_rationale.errors import InvalidRequestError
from rag_rationale.evaluation.comparing import changes_as_text, compare
from rag_rationale.evaluation.finding import Case, Curve, Finding, Measure, Point
from rag_rationale.evaluation.instruments import evaluate
from rag_rationale.evaluation.judging import WordJudge
from rag_rationale.evaluation.page import as_page
from rag_rationale.evaluation.plots import bar_svg, curve_svg
from rag_rationale.evaluation.report import Report, as_table, duels, figure, read_report, rows

CHOSEN = ("citations", "references", "counterpart")
FIT = Measure("fit.pairs", 0.62, 80, (0.55, 0.69), target=0.6)
MEASURES = (
    FIT,
    Measure("fit.pairs.random", 0.5, 80, (0.42, 0.58), standing="control"),
    Measure("fit.pairs.counterpart", 0.51, 80, standing="counterpart"),
    Measure("faults", 2, 80, target=0, at_most=True),
    Measure("alarms", 0.03, 80, (0.01, 0.07), target=0.05, at_most=True, bound="worse"),
    Measure("nothing", math.nan, 0, target=0.5),
    Measure("of.no.result", 0.4, 80, standing="control"),
)
CURVE = Curve(
    "Fit & history", "other reviews", "accuracy", {"text": (Point(1, 0.5, 0.4, 0.6, 9), Point(4, 0.7, 0.6, 0.8, 9))}
)


def report(**values: dict[str, float]) -> Report:
    finding = Finding(
        "fit", MEASURES, values or {"fit.pairs": {"u/i/1": 1.0}}, (CURVE,), (Case("A", "B", "C"),), ("note",)
    )
    return Report({"index": "shop@1", "seed": 0}, (finding,))


def test_targets_are_flat_and_what_could_not_be_measured_is_null() -> None:
    held = json.loads(json.dumps(report().as_json(), allow_nan=False))
    assert held["targets"] == {
        "fit.pairs": {"value": 0.62, "interval": [0.55, 0.69], "target": 0.6, "met": True},
        "faults": {"value": 2, "interval": None, "target": 0, "met": False},
        "alarms": {"value": 0.03, "interval": [0.01, 0.07], "target": 0.05, "met": False},
        "nothing": {"value": None, "interval": None, "target": 0.5, "met": False},
    }
    assert held["measures"]["fit.pairs.random"]["standing"] == "control"
    assert held["measures"]["fit.pairs"]["instrument"] == "fit"


def test_two_measures_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="faults"):
        Report({}, (Finding("a", (MEASURES[3],)), Finding("b", (MEASURES[3],)))).as_json()


def test_a_result_stands_beside_its_controls_and_the_counterpart() -> None:
    found = {row.measure.name: row for row in rows(MEASURES)}
    assert found["fit.pairs"].controls == (("random", MEASURES[1]),)
    assert found["fit.pairs"].counterpart == MEASURES[2]
    assert found["of.no.result"].measure.standing == "control"
    table = as_table(report())
    assert "0.620  0.550 to 0.690  80  ≥ 0.600 met" in table
    assert "random 0.500, counterpart 0.510" in table
    assert "1 of 4 targets met" in table
    assert "missed: alarms 0.030 (0.010 to 0.070), target ≤ 0.050 at its worse end" in table


def test_the_baseline_is_beaten_where_the_service_is_better_and_only_measures_with_a_better_side_count() -> None:
    pairs = {
        "personal.pairs": (0.7, 0.5),
        "variety.generic": (0.1, 0.3),
        "latency.median_ms": (9, 8),
        "citations.words": (3, 9),
    }
    measures = [
        Measure(f"{name}{end}", value, 9, standing=standing)
        for name, (own, other) in pairs.items()
        for end, value, standing in (("", own, "result"), (".counterpart", other, "counterpart"))
    ]
    found = {own.name: beaten for own, _, beaten in duels(measures)}
    assert found == {"personal.pairs": True, "variety.generic": True, "latency.median_ms": False}
    table = as_table(Report({}, (Finding("all", tuple(measures)),)))
    assert "naive baseline beaten on 2 of 3 lines" in table
    assert re.search(r"9 +8 +NOT BEATEN +latency", table)


@pytest.mark.parametrize(
    ("value", "told"), [(0.0, "0"), (0.9234, "0.923"), (4.567, "4.57"), (168.4, "168"), (math.nan, "-")]
)
def test_figures_are_as_long_as_can_be_read(value: float, told: str) -> None:
    assert figure(value) == told


def test_a_curve_is_drawn_to_scale() -> None:
    svg = curve_svg(CURVE)
    at = [float(y) for y in re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', svg)]
    low, high = (float(re.search(rf'y="([\d.]+)" text-anchor="end">{y}<', svg)[1]) - 4 for y in ("0.4", "0.8"))  # type: ignore[index]
    assert at == [pytest.approx(low + (high - low) * share, abs=0.2) for share in (0.25, 0.75)]
    assert "Fit &amp; history" in svg
    assert 'class="bar met"' in bar_svg(FIT)
    assert bar_svg(MEASURES[3]) == ""


class Addresses(HTMLParser):
    """Whatever a page could ask a server for, or lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in {"src", "href", "srcset", "action", "data"}]
        assert tag not in {"link", "iframe", "object", "base"}


def test_the_page_asks_for_nothing_and_holds_every_case(tmp_path: Path) -> None:
    material = shop_material(tmp_path)
    made = evaluate(
        material,
        WordJudge(),
        folder=tmp_path,
        instruments=CHOSEN,
        told={"command": "</script><img src=//evil.example/x>"},
    )
    page = as_page(Report(made.provenance, (*made.findings, *report().findings), made.written))
    reader = Addresses()
    reader.feed(page)
    assert reader.found == ["#targets", "#baseline", "#plots", "#measures", "#cases"]
    assert not re.search(r"url\(|@import", page)
    assert "&lt;img src=//evil.example/x&gt;" in page
    assert page.count("<article") == len(material.subjects)
    assert page.count("<svg viewBox") == 1
    for reply in material.replies:
        assert all(f"<mark>{c.cited_text}</mark>" in page for s in reply.sentences for c in s.citations)
    assert "fit.<wbr>pairs" in page


def run(index: str, fit: list[float]) -> dict[str, object]:
    cases = {f"u{n}/i{n}/r{n}": value for n, value in enumerate(fit)}
    return {
        "provenance": {"index": index},
        "per_case": {"fit": cases, "gone" + index: cases},
        "texts": {case: {"item": case.split("/")[1], "text": f"text of {case} in {index}"} for case in cases},
    }


def test_two_runs_are_compared_pair_by_pair() -> None:
    before, after = run("a@1", [0.1] * 10), run("a@2", [0.3] * 9 + [0.9])
    (change,) = compare(before, after)
    assert (change.name, change.n) == ("fit", 10)
    assert change.difference == pytest.approx(0.26)
    assert change.interval is not None
    assert 0.19 < change.interval[0] < 0.26 < change.interval[1]
    assert change.told_apart
    assert change.most[0] == ("u9/i9/r9", 0.1, 0.9)
    told = changes_as_text([change], before, after)
    assert "* fit" in told
    assert "+ text of u9/i9/r9 in a@2" in told


def test_runs_over_other_cases_or_indexes_are_refused_unless_asked_for() -> None:
    with pytest.raises(InvalidRequestError, match="a@1 and b@1"):
        compare(run("a@1", [0.1, 0.2]), run("b@1", [0.1, 0.2]))
    with pytest.raises(InvalidRequestError, match="'u2/i2/r2'"):
        compare(run("a@1", [0.1, 0.2]), run("a@1", [0.1, 0.2, 0.3]))
    assert compare(run("a@1", [0.1, 0.2]), run("b@1", [0.1, 0.2, 0.3]), anyway=True)[0].n == 2
    with pytest.raises(InvalidRequestError, match="share no case"):
        compare(run("a@1", []), run("a@1", []))


def test_a_file_that_is_no_report_is_told(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("[]", "utf-8")
    with pytest.raises(InvalidRequestError, match="no report"):
        read_report(tmp_path)
    with pytest.raises(InvalidRequestError, match="Cannot read"):
        read_report(tmp_path / "none.json")
