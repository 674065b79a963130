"""The whole path of one request: gather, plan, write, verify, assemble.

`Explainer` is the library call and what the HTTP and LangChain layers stand on.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from rag_rationale.config import Settings
from rag_rationale.grounding import VERSION, Verifier
from rag_rationale.language.detect import detect_language
from rag_rationale.planning import Planner, Reader
from rag_rationale.prompting import Template, TemplateStore
from rag_rationale.retrieval import Pool, Rarity, gather
from rag_rationale.service.assembling import Assembly, dominant_language
from rag_rationale.service.snapshots import Snapshots
from rag_rationale.types import (
    AbstentionReason,
    Analyser,
    Draft,
    Embedder,
    Engine,
    Evidence,
    Kind,
    Language,
    Mode,
    Plan,
    Provenance,
    Rationale,
    RationaleRequest,
    Sentence,
    Shape,
    Snapshot,
    SourceReply,
    Timings,
    Verdict,
)
from rag_rationale.writing import Ranker, Writer

ANSWERING = 0.80  # an answer to a query lies closer than this share of random passage pairs
_ATTEMPTS = 6  # plans tried for one sentence before it is given up
_DRAFTS = 2  # verified drafts of one plan that are ranked


@dataclass(frozen=True, slots=True)
class Step:
    """What happened on the way to a rationale: candidates found, a sentence verified, all done."""

    kind: Literal["evidence", "sentence", "done"]
    evidence: tuple[Evidence, ...] = ()
    sentence: Sentence | None = None
    rationale: Rationale | None = None


class Explainer:
    """Explains recommendations over the indexes of one folder. Safe to share between threads."""

    def __init__(
        self,
        *,
        settings: Settings,
        embedder: Embedder,
        engine: Engine,
        analysers: Mapping[Language, Analyser],
    ) -> None:
        self.settings, self.embedder, self.engine = settings, embedder, engine
        self.templates = TemplateStore(settings.prompts)
        self.snapshots = Snapshots(settings.indexes, embedder)
        self._analysers = analysers

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
        self, request: RationaleRequest, *, exclude: Collection[str] = (), as_of: int | None = None
    ) -> Iterator[Step]:
        """The same, as it comes: the candidates, each verified sentence, then the whole."""
        clock = _Clock(request.deadline_ms)
        snapshot = self.snapshots.get(request.index)
        pool = gather(request, snapshot, self.embedder, min_trust=self.settings.min_trust, exclude=exclude, as_of=as_of)
        clock.lap("retrieve")
        language = self._language(request, pool)
        template = self.templates.get(request.template, language=language)
        yield Step("evidence", evidence=(*pool.history, *pool.facts, *pool.reviews))
        rarity = self.snapshots.rarity(request.index)
        work = _Work(request, pool, template, self._analysers, self.engine, snapshot, rarity, clock)
        reason = work.obstacle(language)
        if reason is None:
            for sentence in work.sentences():
                yield Step("sentence", sentence=sentence)
            reason = None if work.assembly.sentences else work.why_nothing()
        yield Step("done", rationale=self._reply(request, work, template, snapshot.manifest.label, reason))

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
        self, request: RationaleRequest, work: _Work, template: Template, index: str, reason: AbstentionReason | None
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
                index=index,
                template=template.label,
                model=self.engine.name,
                embedder=self.embedder.name,
                verifier=VERSION,
                seed=request.seed,
            ),
            timings_ms=work.clock.timings(),
        )


class _Work:
    """The sentences of one request."""

    def __init__(
        self,
        request: RationaleRequest,
        pool: Pool,
        template: Template,
        analysers: Mapping[Language, Analyser],
        engine: Engine,
        snapshot: Snapshot,
        rarity: Rarity,
        clock: _Clock,
    ) -> None:
        self.request, self.pool, self.clock = request, pool, clock
        self.assembly = Assembly(template.language)
        self.degraded = False
        item = pool.item
        known = " ".join([item.title, item.description, item.brand or "", *item.categories, *item.features])
        limits = template.meta.limits
        by_shape: dict[Shape, int] = {
            "np": limits.np,
            "identity": limits.clause,
            "clause": limits.clause,
            "liking": limits.clause,
            "quote": limits.quote,
        }
        reader = Reader(
            analysers,
            language=template.language,
            title=item.title,
            known_names=known,
            forbidden=template.meta.forbidden,
            limits=lambda shape: by_shape.get(shape, limits.title),
            rarity=rarity,
        )
        self._planner = Planner(pool, reader, snapshot)
        salt = f"{request.seed}\0{request.user.id}\0{item.item_id}\0{template.version}"
        self._writer = Writer(template, reader, salt=salt)
        own = next((e.passage.text for e in pool.history if e.passage.lang == template.language), None)
        self._ranker = Ranker(template, engine, reader.telling, title=item.title, own=own)
        self._verifier = Verifier(
            analysers, language=template.language, verbs=template.meta.verbs, longest=limits.sentence
        )
        self._mode: Mode = template.meta.mode
        self._answering = snapshot.background(ANSWERING)
        self._said: list[Plan] = []
        self._heads: set[str] = set()

    def obstacle(self, language: Language) -> AbstentionReason | None:
        """Why there can be no rationale at all, None where there may be one."""
        about = (*self.pool.facts, *self.pool.reviews)
        if not any(e.passage.field != "title" for e in about):
            return "no_evidence"
        if not any(e.passage.lang == language for e in about if e.passage.field != "title"):
            return "no_evidence_in_language"
        if self.pool.query is not None and max(e.score for e in about) < self._answering:
            return "no_answer_to_query"
        return None

    def why_nothing(self) -> AbstentionReason:
        """Why no sentence came out, although there was evidence."""
        return "nothing_supported" if self._said or self._tried else "nothing_specific"

    _tried = 0

    def sentences(self) -> Iterator[Sentence]:
        """Verified sentences, as they come."""
        for kind in self._planner.kinds(self.request.max_sentences):
            made = self._one(kind)
            if made is None and kind == "match":
                made = self._one("merit")
            if made is not None:
                yield made

    def _one(self, kind: Kind) -> Sentence | None:
        """The best verified sentence of a kind. A plan that fails goes down one mode, then is dropped."""
        plans = list(islice(self._planner.propose(kind, self._said), _ATTEMPTS))
        modes: list[Mode] = [self._mode, "quote"] if self._mode != "quote" else ["quote"]
        for mode in modes:
            drafts = {id(d): (d, plan, v) for plan in plans for d, v in self._supported(plan, mode)}
            hurry = self.clock.late
            self.degraded |= hurry
            ranked = self._ranker.rank([d for d, _, _ in drafts.values()], hurry=hurry)
            self.clock.lap("write")
            if ranked:
                best = ranked[0]
                plan, verdict = next((p, v) for d, p, v in drafts.values() if d.parts == best.parts)
                self._said.append(plan)
                self._heads |= _heads(best)
                self._writer.accept(best)
                return self.assembly.add(best, verdict)
        return None

    def _supported(self, plan: Plan, mode: Mode) -> Iterator[tuple[Draft, Verdict]]:
        """The first few drafts of a plan that the verifier lets through."""
        supported = 0
        for draft in islice(self._writer.drafts(plan, mode=mode), _DRAFTS * 3):
            self._tried += 1
            if self._repeats(draft):
                continue
            self.clock.lap("write")
            verdict = self._verifier.verify(draft)
            self.clock.lap("verify")
            if verdict.label == "supported":
                yield draft, verdict
                supported += 1
                if supported == _DRAFTS:
                    return

    def _repeats(self, draft: Draft) -> bool:
        """Whether the draft speaks of the very thing that a sentence before it spoke of."""
        return bool(_heads(draft) & self._heads)


def _heads(draft: Draft) -> set[str]:
    """What the item side of a draft is about."""
    return {f.head for f in draft.fillers if f.head and f.evidence.side != "history"}


class _Clock:
    """Milliseconds by stage, and whether the deadline has passed."""

    def __init__(self, deadline_ms: int | None) -> None:
        self._start = self._last = time.perf_counter()
        self._deadline = deadline_ms
        self._spent = {"retrieve": 0.0, "write": 0.0, "verify": 0.0}

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self._spent[stage] += (now - self._last) * 1000
        self._last = now

    @property
    def late(self) -> bool:
        return self._deadline is not None and (time.perf_counter() - self._start) * 1000 > self._deadline

    def timings(self) -> Timings:
        total = (time.perf_counter() - self._start) * 1000
        return Timings(**{k: round(v, 2) for k, v in self._spent.items()}, total=round(total, 2))
