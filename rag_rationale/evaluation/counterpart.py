"""Instrument 9: the naive baseline, judged by the same measures as the service.

The passages nearest to the item's title and the user's history go into one few-shot prompt, and the same model writes
freely: "cite with [n]". What may be evidence is the same as for the service, and the hidden review is hidden from both.
"""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import numpy as np
from jinja2 import Environment, StrictUndefined, Template

from rag_rationale.evaluation.alce import averaged, by_marker
from rag_rationale.evaluation.averages import average
from rag_rationale.evaluation.finding import Finding, Measure
from rag_rationale.evaluation.judging import Cited, Judge, tokens, without_markers
from rag_rationale.evaluation.material import Material, Subject
from rag_rationale.evaluation.memory import Memory
from rag_rationale.evaluation.references import scored
from rag_rationale.evaluation.statistics import wilson
from rag_rationale.language.sentences import split_sentences
from rag_rationale.retrieval import gather
from rag_rationale.service.assembling import cited
from rag_rationale.types import (
    Citation,
    CitedEvidence,
    Evidence,
    GenerateRequest,
    Language,
    Rationale,
    RationaleRequest,
    Sentence,
    Vectors,
)

NAME = "counterpart"
OF_ITEM, OF_USER, SENTENCES, TOKENS = 5, 2, 3, 140
"""Passages of each side in the prompt; what is written at most."""
_BEHIND = re.compile(r"([.!?。！？]+)\s*((?:\[\d{1,3}\])+)")
_ENDED = re.compile(r"[.!?。！？…]['\"”’)\]]*$")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the baseline wrote for one subject, the passages it was shown, and how long it took."""

    subject: Subject
    title: str
    sentences: tuple[str, ...]
    evidence: tuple[CitedEvidence, ...]
    milliseconds: float

    @property
    def text(self) -> str:
        """The sentences as one text."""
        return (" " if self.subject.language == "en" else "").join(self.sentences)

    @property
    def cited(self) -> tuple[Cited, ...]:
        """The sentences with what their markers name."""
        return tuple(by_marker(s, self.evidence, self.subject.language, title=self.title) for s in self.sentences)


def write_attempts(material: Material, memory: Memory) -> tuple[Attempt, ...]:
    """One attempt per subject, in order; what `memory` holds is not written again."""
    made = []
    for done, subject in enumerate(material.subjects, 1):
        made.append(_attempt(subject, material, memory, frozenset({subject.review})))
        material.progress("counterpart", done, len(material.subjects))
    return tuple(made)


def measure_counterpart(attempts: Sequence[Attempt], material: Material, judge: Judge) -> Finding:
    """The baseline's figures under the names of the service's own, with `.counterpart` behind them."""
    values: dict[str, dict[str, float]] = defaultdict(dict)
    for attempt in attempts:
        for name, value in _told(attempt, judge).items():
            values[name][attempt.subject.id] = value
    references = scored({a.subject.id: a.text for a in attempts if a.sentences}, list(material.subjects))
    markers = [held for a in attempts for c in a.cited for held in [True] * len(c.evidence) + [False] * c.unknown]
    unknown = wilson(markers.count(False), len(markers))
    spent = {s.id: r.timings_ms.total for s, r in zip(material.subjects, material.replies, strict=True)}
    measures = [
        average(f"{name}.{NAME}", of, material, standing="counterpart") for name, of in (values | references).items()
    ]
    measures += [
        Measure(f"citations.unknown.{NAME}", unknown.value, unknown.n, unknown.interval, standing="counterpart"),
        _median("latency.median_ms", list(spent.values())),
        _median(f"latency.median_ms.{NAME}", [a.milliseconds for a in attempts], counterpart=True),
    ]
    return Finding(NAME, tuple(measures), per_case={"latency.ms": spent})


def beside(
    material: Material,
    attempts: Sequence[Attempt],
    memory: Memory,
    instruments: Sequence[Callable[[Material], Finding]],
) -> Iterator[Measure]:
    """What other instruments find over the baseline's texts in place of the replies, `.counterpart` behind the names.
    For pairs of users it writes anew, with both their reviews hidden, as the service does.
    """

    def explain(subject: Subject, hidden: frozenset[str]) -> Rationale:
        return as_reply(_attempt(subject, material, memory, hidden | {subject.review}))

    written = replace(material, replies=tuple(as_reply(a) for a in attempts), explain=explain)
    for measure in instruments:
        for m in measure(written).measures:
            if m.standing == "result":
                yield Measure(f"{m.name}.{NAME}", m.value, m.n, m.interval, standing="counterpart")


def as_reply(attempt: Attempt) -> Rationale:
    """An attempt in the shape of a reply, unproven: what its sentences cite holds no words of theirs, so each sentence
    that names a passage stands for what it says of it.
    """
    sentences = []
    for cited_one in attempt.cited:
        words = without_markers(cited_one.text)
        citations = tuple(
            Citation(label=e.label, evidence_id=e.id, cited_text=words, start_char_index=e.start, end_char_index=e.end)
            for e in cited_one.evidence
        )
        sentences.append(Sentence.model_construct(text=cited_one.text, citations=citations))
    return Rationale.model_construct(
        status="grounded" if sentences else "abstained",
        language=attempt.subject.language,
        rationale=attempt.text,
        sentences=tuple(sentences),
        evidence=tuple({e.label: e for c in attempt.cited for e in c.evidence}.values()),
    )


def _told(attempt: Attempt, judge: Judge) -> dict[str, float]:
    silent = {"citations.abstention": float(not attempt.sentences)}
    if not attempt.sentences:
        return silent
    return silent | {
        **{f"citations.{what}.{judge.name}": value for what, value in averaged(attempt.cited, judge)},
        "citations.support": sum(len(c.evidence) for c in attempt.cited) / len(attempt.cited),
        "citations.words": len(tokens(attempt.text)),
        "citations.sentences": len(attempt.sentences),
    }


def _attempt(subject: Subject, material: Material, memory: Memory, hidden: frozenset[str]) -> Attempt:
    started = time.perf_counter()
    title, shown = _passages(subject, material, hidden)
    prompt = _template(subject.language).render(title=title, passages=shown)
    known = memory.get(material.engine.name, prompt)
    if known is None:
        shared = _template(subject.language).render(title="", passages=[]).rindex("\n\n")
        request = GenerateRequest(prompt.rstrip(), max_tokens=TOKENS, stop=("\n",), shared=shared)
        written = "".join(event.text for event in material.engine.generate(request))
        spent = (time.perf_counter() - started) * 1000
        known = json.dumps({"text": written, "milliseconds": round(spent, 2)}, ensure_ascii=False)
        memory.put(known, material.engine.name, prompt)
    held = json.loads(known)
    evidence = tuple(cited(e, label) for label, e in enumerate(shown, 1))
    return Attempt(subject, title, sentences_of(held["text"], subject.language), evidence, held["milliseconds"])


def sentences_of(text: str, language: Language) -> tuple[str, ...]:
    """The first sentences of a free text, markers behind a full stop drawn into their sentence.

    A last sentence that was cut off is left out unless it is all there is.
    """
    whole = _BEHIND.sub(r"\2\1", text.strip())
    pieces = [whole[start:end] for start, end in split_sentences(whole, language)]
    if len(pieces) > 1 and not _ENDED.search(pieces[-1]):
        pieces.pop()
    return tuple(pieces[:SENTENCES])


def _passages(subject: Subject, material: Material, hidden: frozenset[str]) -> tuple[str, list[Evidence]]:
    """The item's title, and the passages nearest to it and to the user's history by plain cosine, best first."""
    snapshot = material.snapshot
    request = RationaleRequest.model_validate(
        {"index": snapshot.manifest.name, "user": {"id": subject.user}, "item": {"id": subject.item}}
    )
    pool = gather(request, snapshot, material.embedder, min_trust=material.min_trust, exclude=hidden)
    titles = [e for e in pool.facts if e.passage.field == "title"]
    about = [e for e in (*pool.facts, *pool.reviews) if e.passage.field != "title"]
    known = snapshot.vectors([e.passage for e in (*titles, *pool.history)])
    query = known.mean(0) if len(known) else np.zeros(snapshot.manifest.dimension, np.float32)

    def nearest(evidence: Sequence[Evidence], n: int) -> list[Evidence]:
        vectors: Vectors = snapshot.vectors([e.passage for e in evidence])
        return [evidence[at] for at in np.argsort(-(vectors @ query), kind="stable")[:n]] if evidence else []

    return pool.item.title, nearest(about, OF_ITEM) + nearest(pool.history, OF_USER)


@cache
def _template(language: Language) -> Template:
    text = resources.files("rag_rationale.evaluation").joinpath("data", f"{NAME}.{language}.prompt").read_text("utf-8")
    return Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False).from_string(text)


def _median(name: str, values: Sequence[float], *, counterpart: bool = False) -> Measure:
    middle = float(np.median(values)) if values else float("nan")
    return Measure(name, middle, len(values), standing="counterpart" if counterpart else "result")
