"""A report as one HTML file: no address in it is ever asked for anything, so it can be mailed and kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import resources

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape

from rag_rationale.evaluation.plots import bar_svg, curve_svg
from rag_rationale.evaluation.report import Report, Written, duels, figure, gathered, rows, target, told
from rag_rationale.types import CitedEvidence, Claim

_SIDES = {"item": "the item's own text", "review": "a review of it", "history": "this user's history"}


def as_page(report: Report) -> str:
    """The whole report, its cases to read included."""
    return _template("report.html").render(
        report=report,
        targets=[m for m in report.measures if m.target is not None],
        blocks=[(f, rows(f.measures)) for f in gathered(report) if f.measures or f.cases],
        duels=duels(report.measures),
        curves=[curve for f in report.findings for curve in f.curves],
    )


def as_sheet(sheet: Sequence[Claim]) -> str:
    """Sentences to be labelled in a browser, which saves the labels as a file."""
    return _template("sheet.html").render(sheet=sheet)


def _template(name: str) -> Template:
    environment = Environment(undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"figure": figure, "told": told, "target": target}
    environment.globals |= {
        "bar": lambda measure: Markup(bar_svg(measure)),
        "plot": lambda curve: Markup(curve_svg(curve)),
        "dotted": lambda name: Markup(".<wbr>").join(name.split(".")),
        "marked": marked,
        "case_values": case_values,
        "sides": _SIDES,
    }
    return environment.from_string(resources.files(__package__).joinpath("data", name).read_text("utf-8"))


def marked(evidence: CitedEvidence, written: Written) -> Markup:
    """A passage with the words that the reply quotes of it set off."""
    spans = sorted(
        (c.start_char_index - evidence.start, c.end_char_index - evidence.start)
        for sentence in written.reply.sentences
        for c in sentence.citations
        if c.label == evidence.label
    )
    made, at = Markup(), 0
    for start, end in spans:
        if start >= at:
            made += escape(evidence.text[at:start]) + Markup("<mark>{}</mark>").format(evidence.text[start:end])
            at = end
    return made + escape(evidence.text[at:])


def case_values(report: Report, case: str) -> Iterator[tuple[str, float]]:
    """The figures of one case, by measure."""
    for finding in report.findings:
        for name, of in finding.per_case.items():
            if case in of:
                yield name, of[case]
