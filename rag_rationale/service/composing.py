"""Composes one rationale: plans, drafts, verdicts and the best of them, sentence by sentence, on a clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from rag_rationale import grounding
from rag_rationale.errors import DeadlineError
from rag_rationale.grounding import FreeGate, Verifier
from rag_rationale.planning import Company, Planner, Reader
from rag_rationale.prompting import Template
from rag_rationale.retrieval import Fit, Pool, Rarity
from rag_rationale.service.assembling import Assembly
from rag_rationale.service.clock import Clock
from rag_rationale.service.watching import UNWATCHED, Watcher
from rag_rationale.types import (
    AbstentionReason,
    Analyser,
    Draft,
    Engine,
    Judge,
    Kind,
    Language,
    Mode,
    Plan,
    RationaleRequest,
    Sentence,
    Snapshot,
    Verdict,
)
from rag_rationale.writing import FreeWriter, Ranker, Writer

ANSWERING = 0.80  # an answer to a query lies closer than this share of random passage pairs
_FREE_ATTEMPTS = 2  # plans that an instruct model is asked to word
_DRAFTS = 2  # verified drafts of one plan that are ranked


class Composition:
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
        judge: Judge,
        truth: grounding.Judge,
        fit: Fit,
        clock: Clock,
        watcher: Watcher = UNWATCHED,
    ) -> None:
        self.request, self.pool, self.clock, self._watcher = request, pool, clock, watcher
        self.assembly = Assembly(template.language)
        self.degraded = False
        self.verdicts: Counter[str] = Counter()
        item = pool.item
        known = " ".join([item.title, item.description, item.brand or "", *item.categories, *item.features])
        reader = Reader(
            analysers,
            language=template.language,
            title=item.title,
            known_names=known,
            forbidden=template.meta.forbidden,
            limits=template.meta.longest,
            rarity=rarity,
            asked=pool.query is not None,
            company=Company(pool.reviews, analysers[template.language]),
        )
        self._planner = Planner(pool, reader, snapshot, template.meta.plan)
        salt = f"{request.seed}\0{request.user.id}\0{item.item_id}"
        self._writer = Writer(template, reader, salt=salt)
        own = next((e.passage.text for e in pool.history if e.passage.lang == template.language), None)
        self._ranker = Ranker(
            template, engine, reader.telling, reader.risk, fit, fit.alike, title=item.title, own=own, salt=salt
        )
        self._verifier = Verifier(
            analysers,
            language=template.language,
            verbs=template.meta.verbs,
            longest=template.meta.limits.sentence,
            judge=judge,
            reviews=pool.reviews,
        )
        self._mode: Mode = template.meta.mode
        self._free = FreeWriter(template, engine, title=item.title, seed=request.seed)
        self._gate = FreeGate(
            truth,
            analysers[template.language],
            title=item.title,
            longest=template.meta.limits.sentence,
            shows=reader.shows,
        )
        self._attempts = template.meta.sampling.plans
        self._answering = snapshot.background(ANSWERING)
        self._said: list[Plan] = []
        self._heads: set[str] = set()
        self._tried = 0

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
        return "nothing_supported" if self._tried else "nothing_specific"

    def sentences(self) -> Iterator[Sentence]:
        """Verified sentences, as they come. A drawback that only the item's own text admits takes no other's place.

        After the deadline only quotations come: one where there is nothing yet, and the caveat that honesty asks for.
        DeadlineError where twice the deadline brought nothing.
        """
        kinds = self._planner.kinds(self.request.max_sentences)
        for kind in kinds:
            late = self.clock.late
            self.degraded |= late
            if late and kind != "caveat" and self.assembly.sentences:
                continue
            made = self._one("merit" if late and kind == "match" else kind)
            if made is None and kind == "match":
                made = self._one("merit")
            if made is None and kind == "caveat":
                made = self._admitted()
            if made is not None:
                yield made
            elif self.clock.over and not self.assembly.sentences:
                raise DeadlineError("Twice the deadline brought no sentence.", remedy="Allow more `deadline_ms`.")
        room = len(self.assembly.sentences) < self.request.max_sentences
        if room and "caveat" not in kinds and (made := self._admitted()) is not None:
            yield made

    def _one(self, kind: Kind) -> Sentence | None:
        """The best verified sentence of a kind. A plan that fails goes down one mode, then is dropped."""
        return self._best_of(kind, self._planner.propose(kind, self._said))

    def _admitted(self) -> Sentence | None:
        """A drawback that the item's own text admits, behind something else and in time."""
        if self.clock.late or not self._said:
            return None
        return self._best_of("caveat", self._planner.admit(self._said))

    def _best_of(self, kind: Kind, proposed: Iterator[Plan]) -> Sentence | None:
        plans = list(islice(proposed, self._attempts))
        self._watcher.planned(kind, plans)
        for mode in self._modes():
            tried = plans[:_FREE_ATTEMPTS] if mode == "free" else plans
            drafts = [(draft, verdict, plan) for plan in tried for draft, verdict in self._supported(plan, mode)]
            while (best := self._best([draft for draft, _, _ in drafts])) is not None:
                draft, verdict, plan = drafts.pop(best)
                verdict = self._verifier.confirm(draft, verdict)
                self.clock.lap("verify")
                self._watcher.chose(draft, verdict)
                if verdict.label != "supported":
                    continue
                self._said.append(plan)
                self._heads |= _heads(draft)
                self._writer.accept(draft)
                return self.assembly.add(draft, verdict)
        return None

    def _modes(self) -> list[Mode]:
        """The modes to be tried, each one down from the one before."""
        if self.clock.late:
            return ["quote"]
        down: list[Mode] = ["free", "slots", "quote"]
        modes = down[down.index(self._mode) :]
        return modes if self._free.able else [mode for mode in modes if mode != "free"]

    def _best(self, drafts: Sequence[Draft]) -> int | None:
        hurry = self.clock.late
        self.degraded |= hurry
        try:
            best = self._ranker.best(drafts, hurry=hurry, deadline_ms=self.clock.left_ms)
        except DeadlineError:
            self.degraded = True
            best = self._ranker.best(drafts, hurry=True)
        self.clock.lap("write")
        return best

    def _supported(self, plan: Plan, mode: Mode) -> Iterator[tuple[Draft, Verdict]]:
        """The first few drafts of a plan that the verifier lets through."""
        supported = 0
        free = mode == "free"
        drafts = (
            self._free.drafts(plan, deadline_ms=self.clock.left_ms) if free else self._writer.drafts(plan, mode=mode)
        )
        for draft in islice(drafts, _DRAFTS * 3):
            self._tried += 1
            if self._repeats(draft):
                continue
            self.clock.lap("write")
            verdict = (self._gate if free else self._verifier).verify(draft)
            self.verdicts[verdict.label] += 1
            self.clock.lap("verify")
            self._watcher.judged(plan, draft, verdict)
            if verdict.label == "supported":
                yield draft, verdict
                supported += 1
                if supported == _DRAFTS or free:
                    return

    def _repeats(self, draft: Draft) -> bool:
        """Whether the draft speaks of the very thing that a sentence before it spoke of, and does not weigh it."""
        return len(draft.tallies) < 2 and bool(_heads(draft) & self._heads)


def _heads(draft: Draft) -> set[str]:
    """What the item side of a draft is about."""
    return {f.head for f in draft.fillers if f.head and f.evidence.side != "history"}
