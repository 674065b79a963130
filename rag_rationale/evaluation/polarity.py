"""How well praise and complaint are told apart: by word lists, by an index's head, and by both together.

The sentences are invented and labelled for this project: mixed reviews, irony, negated and faint praise, words that a
domain turns round. The head, where the index has one, was fitted on the index's ratings and has seen none of them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from rag_rationale.evaluation.finding import Case, Finding, Measure, Standing
from rag_rationale.language.leaning import leaning
from rag_rationale.types import LANGUAGES, Analyser, Judge, Language, Polarity

Witness = Literal["words", "head", "both"]
WITNESSES: tuple[Witness, ...] = ("words", "head", "both")
_FAINT = 2.5  # a rating below it contradicts praise, its mirror a complaint, as in planning


@dataclass(frozen=True, slots=True)
class Labelled:
    """A sentence with its true polarity, as it stands in a review of this rating."""

    polarity: Polarity
    domain: str
    kind: str
    rating: float
    words: str
    passage: str


def labelled(language: Language) -> list[Labelled]:
    """The invented sentences of a language."""
    text = resources.files("rag_rationale.evaluation").joinpath("data", f"polarity.{language}.tsv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return [Labelled(**{**row, "rating": float(row["rating"])}) for row in rows]  # type: ignore[arg-type]


def measure_polarity(analysers: Mapping[Language, Analyser], judge: Judge) -> Finding:
    """False praise and false complaint, each beside how much is found, per language and witness.

    A rating that contradicts a polarity overrules every witness, as it does in planning. Without a head, head and both
    are left out.
    """
    measures: list[Measure] = []
    cases: list[Case] = []
    for language in LANGUAGES:
        rows = labelled(language)
        praise = judge([row.words for row in rows], language)
        words = [analysers[language].polarity(row.words) for row in rows]
        for witness in WITNESSES if praise is not None else WITNESSES[:1]:
            heard = praise if witness != "words" and praise is not None else [None] * len(rows)
            told: list[Polarity] = ["neutral"] * len(rows) if witness == "head" else words
            read = [_unless_rated(leaning(t, p), row) for t, p, row in zip(told, heard, rows, strict=True)]
            standing: Standing = "result" if witness == "both" or praise is None else "control"
            measures += _measures(f"polarity.{language}.{witness}", rows, read, standing)
            if standing == "result":
                cases += _errors(language, rows, read)
    return Finding("polarity", tuple(measures), cases=tuple(cases))


def _unless_rated(read: Polarity, row: Labelled) -> Polarity:
    towards = {"positive": row.rating, "negative": 6 - row.rating, "neutral": 6.0}[read]
    return read if towards >= _FAINT else "neutral"


def _measures(name: str, rows: list[Labelled], read: list[Polarity], standing: Standing) -> Iterator[Measure]:
    for polarity, told in (("positive", "praise"), ("negative", "complaint")):
        said = [row for row, one in zip(rows, read, strict=True) if one == polarity]
        true = sum(row.polarity == polarity for row in said)
        whole = sum(row.polarity == polarity for row in rows)
        false = (len(said) - true) / max(len(said), 1)
        yield Measure(f"{name}.false_{told}", false, len(said), at_most=True, standing=standing)
        yield Measure(f"{name}.{told}_found", true / max(whole, 1), whole, standing=standing)


def _errors(language: Language, rows: list[Labelled], read: list[Polarity]) -> Iterator[Case]:
    for row, one in zip(rows, read, strict=True):
        if one not in ("neutral", row.polarity):
            yield Case(f"{language}, {row.domain}, {row.kind}", row.words, f"{row.polarity}, read as {one}")
