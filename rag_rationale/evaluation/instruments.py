"""The instruments by name, and a run of them over one material."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import rag_rationale
from rag_rationale.errors import InvalidRequestError
from rag_rationale.evaluation.citations import measure_citations, title_of
from rag_rationale.evaluation.counterpart import Attempt, beside, measure_counterpart, write_attempts
from rag_rationale.evaluation.finding import Finding
from rag_rationale.evaluation.honesty import measure_honesty
from rag_rationale.evaluation.judging import Judge
from rag_rationale.evaluation.likelihood import measure_likelihood
from rag_rationale.evaluation.material import Material, Subject
from rag_rationale.evaluation.memory import Memory
from rag_rationale.evaluation.personal import measure_personal
from rag_rationale.evaluation.polarity import measure_polarity
from rag_rationale.evaluation.references import measure_references
from rag_rationale.evaluation.removal import measure_removal
from rag_rationale.evaluation.report import Report, Written
from rag_rationale.evaluation.running import code_version
from rag_rationale.evaluation.variety import measure_variety
from rag_rationale.evaluation.verifying import measure_verifier
from rag_rationale.retrieval import Cuttings, PraiseJudge
from rag_rationale.types import Rationale

_COUNTERPART, _VERIFIER = "counterpart", "verifier"
_INSTRUMENTS: dict[str, Callable[[Material, Judge], Finding]] = {
    "citations": measure_citations,
    "references": lambda material, _: measure_references(material),
    "personal": lambda material, _: measure_personal(material),
    "honesty": lambda material, _: measure_honesty(material),
    "variety": lambda material, _: measure_variety(material),
    "removal": lambda material, _: measure_removal(material),
    "likelihood": lambda material, _: measure_likelihood(material),
    "polarity": lambda material, _: measure_polarity(
        material.analysers, PraiseJudge(Cuttings(material.snapshot, material.indexer or material.embedder))
    ),
}
_BESIDE = {"personal": measure_personal, "variety": measure_variety, "likelihood": measure_likelihood}
"""What the counterpart's texts are measured by too, where it is among the instruments that run."""
INSTRUMENTS = (*_INSTRUMENTS, _VERIFIER, _COUNTERPART)


def evaluate(
    material: Material,
    judge: Judge,
    *,
    folder: Path,
    wice: Path | None = None,
    instruments: Collection[str] = INSTRUMENTS,
    told: Mapping[str, Any] | None = None,
) -> Report:
    """Run instruments over the material, sentences judged by `judge`; the counterpart's texts are kept in `folder`.

    `wice` is a WiCE file for the verifier, `told` joins the report's provenance. Raises InvalidRequestError for an
    instrument that there is not.
    """
    if unknown := sorted(set(instruments) - set(INSTRUMENTS)):
        raise InvalidRequestError(f"No instrument {unknown[0]!r}.", remedy=f"There are: {', '.join(INSTRUMENTS)}.")
    findings = []
    for done, name in enumerate(n for n in _INSTRUMENTS if n in instruments):
        material.progress(name, done, None)
        findings.append(_INSTRUMENTS[name](material, judge))
    if _VERIFIER in instruments:
        findings.append(measure_verifier(material, wice=wice))
    attempts: tuple[Attempt, ...] = ()
    if _COUNTERPART in instruments:
        memory = Memory(folder / f"{_COUNTERPART}.jsonl")
        attempts = write_attempts(material, memory)
        own = measure_counterpart(attempts, material, judge)
        also = beside(material, attempts, memory, [of for name, of in _BESIDE.items() if name in instruments])
        findings.append(replace(own, measures=(*own.measures, *also)))
    provenance = _provenance(material, judge) | dict(told or {})
    return Report(provenance, tuple(findings), _written(material, attempts))


def _provenance(material: Material, judge: Judge) -> dict[str, Any]:
    made = material.replies[0].provenance.model_dump() if material.replies else {}
    templates = sorted({r.provenance.template for r in material.replies})
    return made | {
        "index": material.index,
        "template": ", ".join(templates),
        "judge of sentences": judge.name,
        "judge of closeness": material.embedder.name,
        "subjects": len(material.subjects),
        "seed": material.seed,
        "package": f"{rag_rationale.__version__} ({code_version()})",
    }


def _written(material: Material, attempts: tuple[Attempt, ...]) -> tuple[Written, ...]:
    by_case = {a.subject.id: a for a in attempts}
    return tuple(
        _one(material, subject, reply, by_case.get(subject.id))
        for subject, reply in zip(material.subjects, material.replies, strict=True)
    )


def _one(material: Material, subject: Subject, reply: Rationale, attempt: Attempt | None) -> Written:
    ids = {name for s in reply.sentences if s.support for name in s.support.evidence_ids}
    counted = {name: material.snapshot.passage(name.split(":")[1]) for name in sorted(ids)}
    items = {e.item_id for e in (*reply.evidence, *(attempt.evidence if attempt else ()))} - {None}
    return Written(
        case=subject.id,
        item=subject.item,
        title=title_of(subject.item, material),
        language=subject.language,
        rating=subject.rating,
        others=subject.others,
        reply=reply,
        titles={item: title_of(item, material) for item in sorted(filter(None, items))},
        counted={name: passage.text for name, passage in counted.items() if passage},
        counterpart=attempt.text if attempt else "",
        counterpart_evidence=attempt.evidence if attempt else (),
    )
