"""Citation recall and precision of one sentence in the sense of ALCE (Gao et al. 2023, arXiv 2305.14627, section 3).

Recall: all that a sentence cites, taken together, supports it. Precision: of the citations of a sentence so supported,
each that is needed, or supports it alone, is right; every other is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rag_rationale.evaluation.judging import Cited, Judge
from rag_rationale.types import CitedEvidence, Counted, Language, Rationale

_MARKER = re.compile(r"\[(\d{1,3})\]")
_SPACED = re.compile(r" *\[(\d{1,3})\]")


def cited_sentences(reply: Rationale, *, title: str = "") -> tuple[Cited, ...]:
    """The sentences of a reply about `title` with what their markers name; none where it abstained."""
    return tuple(
        replace(
            by_marker(s.text, reply.evidence, reply.language, title=title),
            counted=Counted(count=s.support.count, of=s.support.of) if s.support else None,
        )
        for s in reply.sentences
    )


def by_marker(sentence: str, evidence: Sequence[CitedEvidence], language: Language, *, title: str = "") -> Cited:
    """A sentence with the passages whose labels stand in it."""
    labels = dict.fromkeys(int(n) for n in _MARKER.findall(sentence))
    given = {e.label: e for e in evidence}
    named = tuple(given[n] for n in labels if n in given)
    return Cited(sentence, named, language, title, len(labels) - len(named))


def recall(cited: Cited, judge: Judge) -> float:
    """1 where what is cited supports the sentence; 0 where it does not, nothing is cited, or a marker names nothing."""
    return float(not cited.unknown and _holds(cited, cited.evidence, judge))


def precision(cited: Cited, judge: Judge) -> list[float]:
    """One value per distinct citation, those that name nothing included; [] for a sentence without any."""
    named = cited.evidence
    if not recall(cited, judge):
        return [0.0] * (len(named) + cited.unknown)
    return [float(_needed(cited, at, judge)) for at in range(len(named))]


def _needed(cited: Cited, at: int, judge: Judge) -> bool:
    rest = cited.evidence[:at] + cited.evidence[at + 1 :]
    return not rest or _holds(cited, cited.evidence[at : at + 1], judge) or not _holds(cited, rest, judge)


def _holds(cited: Cited, evidence: Sequence[CitedEvidence], judge: Judge) -> bool:
    """Whether these passages alone support the sentence, its other markers taken out."""
    labels = {e.label for e in evidence}
    text = _SPACED.sub(lambda m: m[0] if int(m[1]) in labels else "", cited.text)
    return bool(evidence) and judge.supports(replace(cited, text=text, evidence=tuple(evidence)))


def averaged(sentences: Sequence[Cited], judge: Judge) -> Iterator[tuple[str, float]]:
    """("recall", mean over sentences) and ("precision", mean over citations) of one text; nothing where it is empty."""
    if sentences:
        yield "recall", sum(recall(s, judge) for s in sentences) / len(sentences)
    if right := [value for s in sentences for value in precision(s, judge)]:
        yield "precision", sum(right) / len(right)
