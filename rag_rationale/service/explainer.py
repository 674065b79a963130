"""The whole path of one request: gather, plan, write, verify, assemble.

`Explainer` is the library call and what the HTTP and LangChain layers stand on.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rag_rationale.config import Settings
from rag_rationale.errors import CancelledError, InvalidRequestError, RagRationaleError, UnknownIndexError
from rag_rationale.grounding import VERSION, Judge
from rag_rationale.language.detect import detect_language
from rag_rationale.prompting import Template, TemplateStore
from rag_rationale.retrieval import Cuttings, Fit, Pool, PraiseJudge, gather
from rag_rationale.service.assembling import dominant_language
from rag_rationale.service.clock import Clock
from rag_rationale.service.composing import Composition
from rag_rationale.service.embedders import Embedders
from rag_rationale.service.heeding import heeding_analysers, heeding_embedder, heeding_engine
from rag_rationale.service.sharing import Sharing, share
from rag_rationale.service.snapshots import Snapshots
from rag_rationale.service.turns import Turns
from rag_rationale.service.watching import UNWATCHED, Watcher
from rag_rationale.types import (
    AbstentionReason,
    Analyser,
    CitedEvidence,
    Embedder,
    Engine,
    Evidence,
    Language,
    Manifest,
    Provenance,
    Rationale,
    RationaleRequest,
    Sentence,
    SourceReply,
)


@dataclass(frozen=True, slots=True)
class Step:
    """What happened on the way to a rationale: candidates found, a sentence verified, all done.

    `cached` tells that it happened before; the candidates are then those that are cited. `verdicts` counts, at the end,
    the drafts that were judged, by label.
    """

    kind: Literal["evidence", "sentence", "done"]
    evidence: tuple[Evidence | CitedEvidence, ...] = ()
    sentence: Sentence | None = None
    rationale: Rationale | None = None
    cached: bool = False
    verdicts: Mapping[str, int] = field(default_factory=dict)


class Explainer:
    """Explains recommendations over the indexes of one folder. Safe to share between threads."""

    def __init__(
        self,
        *,
        settings: Settings,
        embedder: Embedder | Embedders,
        engine: Engine,
        analysers: Mapping[Language, Analyser],
    ) -> None:
        """`embedder` answers for the indexes that were built with it, or opens for each the one its manifest names."""
        self.settings, self.engine = settings, engine
        self.templates = TemplateStore(settings.prompts, state=settings.state)
        self.embedders = embedder if isinstance(embedder, Embedders) else Embedders(embedder)
        self.snapshots = Snapshots(settings.indexes, self.embedders)
        self.analysers = analysers
        self.watcher: Watcher = UNWATCHED
        self._turns = Turns()

    @property
    def embedder(self) -> Embedder:
        """The embedder that was opened first, which is that of every index where all were built with one."""
        if self.embedders.first is None:
            raise UnknownIndexError("No index is open yet, and so no embedder.", remedy="Ask for an index first.")
        return self.embedders.first

    def explain(
        self, request: RationaleRequest, *, exclude: Collection[str] = (), as_of: int | None = None
    ) -> Rationale:
        """The rationale for one request.

        `exclude` names sources (review or item ids) that do not exist for this call, `as_of` (unix seconds) hides what
        is newer; both serve evaluation. Raises UsageError for an unknown index, item or template.
        """
        for step in self.steps(request, exclude=exclude, as_of=as_of):
            if step.rationale is not None:
                return step.rationale
        raise AssertionError("steps always end with a rationale")

    def steps(
        self,
        request: RationaleRequest,
        *,
        exclude: Collection[str] = (),
        as_of: int | None = None,
        stop: threading.Event | None = None,
        sharing: Sharing | None = None,
    ) -> Iterator[Step]:
        """The same, as it comes: the candidates, each verified sentence, then the whole.

        Once `stop` is set CancelledError is raised, before the next text is parsed, embedded or scored. `sharing` is
        what requests about one user have in common.
        """
        clock = sharing.clock.again() if sharing else Clock(request.deadline_ms, stop)
        return self._turns.taken(self._steps(request, exclude, as_of, clock, sharing))

    def _steps(
        self,
        request: RationaleRequest,
        exclude: Collection[str],
        as_of: int | None,
        clock: Clock,
        sharing: Sharing | None,
    ) -> Generator[Step]:
        index = sharing.index if sharing else self.snapshots.open(request.index)
        snapshot = sharing.snapshot if sharing else index.snapshot
        away, analysers = self._turns.away, heeding_analysers(self.analysers, clock.heed)
        engine = heeding_engine(self.engine, clock.heed, away)
        embedder = heeding_embedder(sharing.embedder if sharing else index.embedder, clock.heed, away)
        pool = gather(request, snapshot, embedder, min_trust=self.settings.min_trust, exclude=exclude, as_of=as_of)
        clock.lap("retrieve")
        language = self._language(request, pool)
        template = self.templates.get(request.template, language=language, user=share_of(request))
        _check_able(self.engine, template)
        yield Step("evidence", evidence=(*pool.history, *pool.facts, *pool.reviews))
        rarity = index.rarity
        cuttings = Cuttings(snapshot, embedder)
        judge, truth, fit = PraiseJudge(cuttings), Judge(embedder=embedder), Fit(pool.aim, cuttings)
        work = Composition(
            request,
            pool,
            template,
            analysers,
            engine,
            snapshot,
            rarity,
            judge,
            truth,
            fit,
            clock,
            self.watcher,
        )
        reason = work.obstacle(language)
        if reason is None:
            for sentence in work.sentences():
                yield Step("sentence", sentence=sentence)
            reason = None if work.assembly.sentences else work.why_nothing()
        reply = self._reply(request, work, template, snapshot.manifest, reason)
        yield Step("done", rationale=reply, verdicts=work.verdicts)

    def many(
        self, requests: Sequence[RationaleRequest], *, stop: threading.Event | None = None
    ) -> Iterator[tuple[int, Step | RagRationaleError]]:
        """The steps of several requests about one user and one index, one request after another, by their position.

        What they share is fetched once, the deadline is that of all. A request that fails gives its error; the others
        go on.
        """
        if not requests:
            return
        first = requests[0]
        sharing = share(self.snapshots.open(first.index), Clock(first.deadline_ms, stop))
        for position, request in enumerate(requests):
            try:
                for step in self.steps(request, stop=stop, sharing=sharing):
                    yield position, step
            except CancelledError:
                raise
            except RagRationaleError as error:
                yield position, error

    def evidence(self, evidence_id: str, *, user_id: str | None = None, admin: bool = False) -> SourceReply:
        """A passage inside its whole source. UnknownEvidenceError where there is none or it is not this reader's."""
        return self.snapshots.evidence(evidence_id, user_id=user_id, admin=admin)

    def close(self) -> None:
        """Free the engine and the open snapshots."""
        self.engine.close()
        self.snapshots.close()

    def _language(self, request: RationaleRequest, pool: Pool) -> Language:
        if request.language != "auto":
            return request.language
        default = pool.item.lang or detect_language(pool.item.title, default="en")
        return dominant_language((*pool.facts, *pool.reviews), default)

    def _reply(
        self,
        request: RationaleRequest,
        work: Composition,
        template: Template,
        index: Manifest,
        reason: AbstentionReason | None,
    ) -> Rationale:
        assembly = work.assembly
        evidence = assembly.evidence()
        return Rationale(
            id=f"rat_{secrets.token_hex(10)}",
            status="abstained" if reason else "grounded",
            language=assembly.language,
            personal=any(e.side == "history" for e in evidence),
            degraded=work.degraded,
            rationale=assembly.text,
            sentences=tuple(assembly.sentences),
            evidence=evidence,
            reason=reason,
            provenance=Provenance(
                index=index.label,
                template=template.label,
                model=self.engine.name,
                embedder=index.embedder,
                verifier=VERSION,
                seed=request.seed,
            ),
            timings_ms=work.clock.timings(),
        )


def _check_able(engine: Engine, template: Template) -> None:
    needed = template.meta.requires
    missing = set(needed.capabilities) - engine.capabilities
    if missing or engine.context_tokens < needed.context:
        lacks = ", ".join(sorted(missing)) or f"{needed.context} tokens of context"
        raise InvalidRequestError(
            f"Template '{template.label}' needs a writer with {lacks}, which {engine.name} has not.",
            remedy="Name another template, or set RAG_RATIONALE_LLM to a model that can.",
        )


def share_of(request: RationaleRequest) -> str:
    """Who shares in a split of traffic: a user with an id always as the same, one without by what is known of her."""
    return request.user.id or f"{request.user.model_dump_json()} {request.item.model_dump_json()}"
