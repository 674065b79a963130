"""What could have been said of an item to a user: the item's side of her rationale, and controls of the same size.

The controls choose passages from what the service itself may see for the same request, by the index's own vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from rag_rationale.evaluation.material import Material, Subject
from rag_rationale.planning.weighing import of_each_author
from rag_rationale.retrieval import Pool, gather
from rag_rationale.types import Evidence, Rationale, RationaleRequest, Sentence, Vectors

RATIONALE = "rationale"
NEAREST = "nearest to the history"
RETRIEVED = "best by fit"
CONTROLS = ("random", "newest", "longest", "item only", "user only", NEAREST, RETRIEVED)
_THREE = 3
_READ = 2000  # characters of a history that an embedder would read at most


@dataclass(frozen=True, slots=True)
class Choice:
    """A text and the sources it was taken from. The text is "" where nothing was chosen."""

    text: str
    sources: frozenset[str]


def item_side(reply: Rationale, sentences: Sequence[Sentence] | None = None) -> Choice:
    """What a rationale, or some sentences of it, quotes of the item's description and of others' reviews, in its order;
    the user's own words, which would give her style away, are left out.
    """
    evidence = {e.label: e for e in reply.evidence if e.side != "history"}
    cited = [
        c
        for sentence in (reply.sentences if sentences is None else sentences)
        for c in sentence.citations
        if c.label in evidence
    ]
    texts = dict.fromkeys(c.cited_text for c in cited)
    return Choice("\n".join(texts), frozenset(evidence[c.label].source_id for c in cited))


def choices(material: Material, subject: Subject, reply: Rationale, *, exclude: frozenset[str]) -> dict[str, Choice]:
    """The rationale's choice and each control's, by name. A control takes as many passages as the rationale cites on
    the item's side, three where that is none; "nearest to the history" and "best by fit" always take three. The latter
    are what retrieval itself puts first, of three people: what planning and writing could have kept.
    """
    k = sum(e.side != "history" for e in reply.evidence) or _THREE
    body = {"index": material.snapshot.manifest.name, "user": {"id": subject.user}, "item": {"id": subject.item}}
    pool = gather(
        RationaleRequest.model_validate(body),
        material.snapshot,
        material.embedder,
        min_trust=material.min_trust,
        exclude=exclude,
    )
    told = [e for e in (*pool.facts, *pool.reviews) if e.passage.field != "title"]
    chance = Random(f"{material.seed}\0{subject.id}\0{sorted(exclude)}")
    rules: dict[str, Callable[[], Sequence[Evidence]]] = {
        "random": lambda: chance.sample(told, min(k, len(told))),
        "newest": lambda: sorted(pool.reviews, key=lambda e: (-(e.timestamp or 0), e.id))[:k],
        "longest": lambda: sorted(told, key=lambda e: (-len(e.passage.text), e.id))[:k],
        "item only": lambda: _nearest(told, told)[:k],
        NEAREST: lambda: _nearest(told, _worded(pool))[:_THREE],
        RETRIEVED: lambda: _retrieved(told)[:_THREE],
    }
    made = {name: _choice(rule()) for name, rule in rules.items()}
    return {RATIONALE: item_side(reply), **made, "user only": _own(pool)}


def _choice(chosen: Sequence[Evidence]) -> Choice:
    return Choice("\n".join(e.passage.text for e in chosen), frozenset(e.passage.source_id for e in chosen))


def _own(pool: Pool) -> Choice:
    return Choice("\n".join(e.passage.text for e in _worded(pool))[:_READ], frozenset())


def _worded(pool: Pool) -> list[Evidence]:
    """What the user wrote, newest first; what she only did, where she wrote nothing."""
    return [e for e in pool.history if e.event == "review"] or list(pool.history)


def _nearest(told: Sequence[Evidence], aim: Sequence[Evidence]) -> list[Evidence]:
    """`told`, those nearest to the mean of `aim` first."""
    if not told or not aim:
        return []
    scores = _stacked(told) @ _stacked(aim).mean(axis=0)
    return [told[at] for at in np.argsort(-scores, kind="stable")]


def _retrieved(told: Sequence[Evidence]) -> list[Evidence]:
    """The best scored passage of each author, best first."""
    return of_each_author(sorted(told, key=lambda e: (-e.score, e.id)))


def _stacked(evidence: Sequence[Evidence]) -> Vectors:
    made: Vectors = np.stack([e.vector for e in evidence if e.vector is not None])
    return made
