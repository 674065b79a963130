"""Runs one request and tells how its text came about: plans, drafts, verdicts, and what the model was asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rag_rationale.service import Explainer
from rag_rationale.service.watching import UNWATCHED
from rag_rationale.types import (
    Capability,
    Draft,
    Engine,
    GenerateRequest,
    Kind,
    Plan,
    Rationale,
    RationaleRequest,
    Score,
    ScoreRequest,
    TokenEvent,
    Verdict,
)


class Overheard:
    """An engine that writes down what it is asked and answers as the one it wraps."""

    def __init__(self, engine: Engine, said: list[str]) -> None:
        self._engine, self._said = engine, said

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def capabilities(self) -> frozenset[Capability]:
        return self._engine.capabilities

    @property
    def context_tokens(self) -> int:
        return self._engine.context_tokens

    def score(self, request: ScoreRequest) -> list[Score]:
        scores = self._engine.score(request)
        self._ask(request.prefix, request.shared)
        ranked = sorted(zip(request.candidates, scores, strict=True), key=lambda pair: -pair[1].mean)
        self._said += [f"      {score.mean:6.2f}  {candidate.strip()}" for candidate, score in ranked]
        return scores

    def generate(self, request: GenerateRequest) -> Iterator[TokenEvent]:
        self._ask(request.prefix, request.shared)
        text = ""
        for event in self._engine.generate(request):
            text += event.text
            yield event
        self._said.append(f"      wrote  {text.strip()}")

    def close(self) -> None:
        self._engine.close()

    def _ask(self, prefix: str, shared: int) -> None:
        own = prefix[shared:].strip().replace("\n", "\n      | ")
        self._said += [f"    the model is asked, behind {shared} characters that all requests share,", f"      | {own}"]


@dataclass(slots=True)
class Trace:
    """Everything that was seen on the way to one rationale, as lines in the order it happened."""

    said: list[str] = field(default_factory=list)

    def planned(self, kind: Kind, plans: Sequence[Plan]) -> None:
        self.said.append(f"\nsentence to be: {kind}, {len(plans)} plans")
        for number, plan in enumerate(plans, 1):
            about = f", about '{plan.aspect}'" if plan.aspect else ""
            self.said.append(f"  plan {number}: {plan.polarity}{about}")
            for role, group in plan.evidence.items():
                for e in group:
                    event = f", {e.event}" if e.event else ""
                    rated = f", rated {e.rating:g}" if e.rating is not None else ""
                    self.said.append(f"    {role}: [{e.side}{event}{rated}] {' '.join(e.passage.text.split())}")

    def judged(self, plan: Plan, draft: Draft, verdict: Verdict) -> None:
        del plan
        told = f"{verdict.tier} {verdict.score:.2f}" if verdict.label == "supported" else "; ".join(verdict.reasons)
        self.said.append(f"    {verdict.label}, frame {draft.frame} ({told}): {draft.words}")

    def chose(self, draft: Draft, verdict: Verdict) -> None:
        told = "" if verdict.label == "supported" else f", and {verdict.tier} says no: {'; '.join(verdict.reasons)}"
        self.said.append(f"  chosen: frame {draft.frame}{told}: {draft.words}")


def try_out(explainer: Explainer, request: RationaleRequest) -> tuple[Rationale, list[str]]:
    """The rationale and the lines of how it came about. The explainer is nobody else's meanwhile."""
    trace, engine = Trace(), explainer.engine
    explainer.engine, explainer.watcher = Overheard(engine, trace.said), trace
    try:
        return explainer.explain(request), trace.said
    finally:
        explainer.engine, explainer.watcher = engine, UNWATCHED
