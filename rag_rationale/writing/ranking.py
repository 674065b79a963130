"""Ranks drafts: how well their words read, how much they tell, how they fit the user, and the planner's order.

The model does not invent; it is asked how likely each span is after a lead of the template ("One reviewer says"), by
teacher forcing, as mean log-probability per token. A model without log-probabilities is asked to choose.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

from rag_rationale.prompting import Template
from rag_rationale.types import (
    LANGUAGES,
    Draft,
    Engine,
    Filler,
    GenerateRequest,
    Language,
    Score,
    ScoreRequest,
    Shape,
)

TELLING = 6.0  # nats per token that a span which tells all one can ask for is worth over one that tells nothing
OWN_WORDS = 0.8  # nats per token that quoting the user's own words is worth over naming what she did
NEAR, FAR = 0.33, 0.2  # cosine to the words about the item below which quoting them is a fault, by as much, and below
# which it is not done: it reads as chance
PLATITUDE = 0.2  # words that tell less ("the food is great") are for where nothing more specific is to be said
FITTING = 30.0  # nats per token that words leaning wholly the user's way are worth; few reach a cosine of 0.3
ALIKE = 3.0  # nats per token that speaking of the very thing the user spoke of is worth; most cosines are below 0.6
RISK = 3.5  # nats per token that a nat costs by which words are likelier than others to hold a slip
ORDER = 0.1  # nats per token that each place in the planner's order is worth
WORST = -7.0  # mean log-probability below which words do not read as language
_WORDS = {"np", "clause", "liking", "identity", "entry", "remark", "quote"}
_NOT_PICKED = -5.0


class Ranker:
    """Ranks the drafts of one request; a span is scored once, however many sentences it is tried for."""

    def __init__(
        self,
        template: Template,
        engine: Engine,
        telling: Callable[[str], float],
        risk: Callable[[str], float],
        fit: Callable[[Sequence[str], Language], Sequence[float]],
        alike: Callable[[Sequence[tuple[str, str]], Language], Sequence[float]],
        *,
        title: str,
        own: str | None,
        salt: str = "",
    ) -> None:
        self._template, self._engine = template, engine
        self._telling, self._risk = telling, risk
        self._fit, self._alike = fit, alike
        self._prompt = template.prompt(title=title, own=own)
        self._temperature, self._dice = template.meta.sampling.temperature, random.Random(salt)
        self._scores: dict[tuple[Shape, str], float] = {}
        self._fits: dict[str, float] = {}
        self._pairs: dict[tuple[str, str], float] = {}

    def best(self, drafts: Sequence[Draft], *, hurry: bool, deadline_ms: int | None = None) -> int | None:
        """Position of the best draft; None where none reads as language.

        With `hurry` the model is not asked: the planner's order and what the spans tell decide. DeadlineError where it
        is asked and has not answered after `deadline_ms`.
        """
        if not hurry:
            self._score([f for draft in drafts for f in self._scored_fillers(draft)], deadline_ms)
            self._try_on([f for draft in drafts for f in draft.fillers if _speaks_of_item(f)])
            self._pair(drafts)
        values = [
            (self._native(draft), self._tells(draft) >= PLATITUDE, value, -place)
            for place, draft in enumerate(drafts)
            if (value := self._value(draft, place)) is not None
        ]
        return -max(values)[3] if values else None

    def _native(self, draft: Draft) -> bool:
        """Whether all words are in the language of the reply; a quotation of another one is for want of these."""
        worded = (f for f in draft.fillers if f.shape in _WORDS)
        return all(f.evidence.passage.lang == self._template.language for f in worded)

    def _tells(self, draft: Draft) -> float:
        if draft.mode == "free":
            return self._telling(draft.words)
        return min(sum(self._telling(f.text) for f in draft.fillers if f.evidence.side != "history"), 1.0)

    def _value(self, draft: Draft, place: int) -> float | None:
        scored = self._scored_fillers(draft)
        scores = {f.slot: s for f in scored if (s := self._scores.get((f.shape, f.text))) is not None}
        if any(scores.get(f.slot, 0.0) < WORST for f in scored if f.evidence.side != "item"):
            return None  # a catalogue's own words read as they read
        if self._beside(draft) < FAR:
            return None
        likelihood = min(scores.values(), default=0.0)
        fits = [self._fit_of(f) for f in draft.fillers if _speaks_of_item(f)]
        fit = sum(fits) / max(len(fits), 1)
        alike = self._pairs.get(_sides(draft) or ("", ""), 0.0)
        own = OWN_WORDS * self._own_words(draft)
        risk = sum(self._risk(f.text) for f in draft.fillers if f.shape in _WORDS and f.evidence.side != "item")
        value = likelihood + TELLING * self._tells(draft) + FITTING * fit + ALIKE * alike + own
        value -= RISK * risk + ORDER * place
        return value + self._temperature * _gumbel(self._dice) if self._temperature else value

    def _own_words(self, draft: Draft) -> int:
        """1 where the user's own words are quoted, -1 where they have little to do with what is said of the item."""
        own = any(f.evidence.side == "history" and f.shape in _WORDS for f in draft.fillers)
        return 0 if not own else -1 if self._beside(draft) < NEAR else 1

    def _beside(self, draft: Draft) -> float:
        """How alike the words set side by side are; 1 where none are, or where the user asked for just that."""
        asked = any(f.evidence.event == "preference" for f in draft.fillers)
        return 1.0 if asked else self._pairs.get(_sides(draft) or ("", ""), 1.0)

    def _fit_of(self, filler: Filler) -> float:
        """Of a span and of the passage it stands in, one half each: either alone tells users apart less well."""
        passage = filler.evidence.score
        return (passage + self._fits.get(filler.text, passage)) / 2

    def _scored_fillers(self, draft: Draft) -> list[Filler]:
        return [f for f in draft.fillers if f.shape in self._template.meta.leads]

    def _try_on(self, fillers: Sequence[Filler]) -> None:
        """How words about the item fit the user, each by itself."""
        for lang in LANGUAGES:
            own = (f.text for f in fillers if f.evidence.passage.lang == lang and f.text not in self._fits)
            texts = list(dict.fromkeys(own))
            self._fits.update(zip(texts, self._fit(texts, lang), strict=True))

    def _pair(self, drafts: Sequence[Draft]) -> None:
        """How alike the user's words and the words about the item are, where a draft sets them side by side."""
        fresh = list(dict.fromkeys(s for d in drafts if (s := _sides(d)) is not None and s not in self._pairs))
        self._pairs.update(zip(fresh, self._alike(fresh, self._template.language), strict=True))

    def _score(self, fillers: Sequence[Filler], deadline_ms: int | None) -> None:
        for shape, lead in self._template.meta.leads.items():
            texts = tuple(
                dict.fromkeys(f.text for f in fillers if f.shape == shape and (shape, f.text) not in self._scores)
            )
            if texts:
                scores = self._ask(lead, texts, deadline_ms)
                self._scores.update({(shape, text): s.mean for text, s in zip(texts, scores, strict=True)})

    def _ask(self, lead: str, texts: tuple[str, ...], deadline_ms: int | None) -> list[Score]:
        gap, stop = (" ", ".") if self._template.language == "en" else ("", "。")
        prefix = f"{self._prompt}{gap}{lead}"
        candidates = tuple(f"{gap}{text}{stop}" for text in texts)
        if "logprobs" in self._engine.capabilities:
            shared = self._template.shared_prompt
            return self._engine.score(ScoreRequest(prefix, candidates, shared=shared, deadline_ms=deadline_ms))
        asked = GenerateRequest(prefix, choices=candidates, max_tokens=128, deadline_ms=deadline_ms)
        events = self._engine.generate(asked)
        picked = "".join(event.text for event in events)
        return [Score(0.0 if c == picked else _NOT_PICKED, 1) for c in candidates]


def _speaks_of_item(filler: Filler) -> bool:
    return filler.evidence.side != "history" and filler.shape in _WORDS


def _sides(draft: Draft) -> tuple[str, str] | None:
    own = next((f.text for f in draft.fillers if f.evidence.side == "history" and f.shape in _WORDS), None)
    theirs = next((f.text for f in draft.fillers if _speaks_of_item(f)), None)
    return (own, theirs) if own and theirs else None


def _gumbel(dice: random.Random) -> float:
    """Noise whose maximum over values draws from their softmax (Gumbel 1954; Maddison et al. 2014)."""
    return -math.log(-math.log(dice.uniform(1e-12, 1 - 1e-12)))
