"""The judge: whether any sentence with [n] markers says only what the passages behind its labels hold.

Three tiers, cheapest first: words and rows, then closeness of meaning, then likelihood. A hard fault decides alone;
else a calibrated model of each tier's features decides, or hands on to the next. It knows nothing of how a sentence was
made, so it serves for templates, free writing, baselines and hand-written sentences alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from rag_rationale.grounding.calibration import Calibration, calibrations
from rag_rationale.grounding.clauses import Clause, cut, labels
from rag_rationale.grounding.facts import fact_faults
from rag_rationale.grounding.holding import Hold, hold
from rag_rationale.grounding.meaning import closeness, gain
from rag_rationale.grounding.speaking import attitude, speaking_faults
from rag_rationale.types import Claim, Embedder, Engine, Tier, Verdict

_HARD = 0.2  # a hard fault keeps this share of the probability, so that scores still order sentences
_STRANGE, _STRANGERS = 0.75, 3  # a clause with so few of its words held, and so many not, is about something else
_OTHERWISE = 0.5  # borrowed words: this much better held by another label is a hard fault
_TOLD: dict[str, tuple[float, str]] = {
    "stitched": (0.2, "its words are held only by passages or sentences apart"),
    "stretched": (1.6, "words that stand together here stand apart in the source"),
    "usurped": (0.25, "what the source says of one thing is said of another"),
    "replaced": (0.5, "a word stands in place of another of the source"),
    "unbacked": (0.6, "a liking or dislike is claimed that the source does not voice"),
    "against": (0.3, "its mood runs against that of the source"),
    "denied": (0.5, "a negation is added or lost"),
    "negates": (0.5, "it denies what the source does not deny"),
    "affirms": (0.5, "it leaves out a negation of the source"),
    "vouched": (0.5, "a word such as 'always' or 'best' is not in the source"),
    "unhedged": (0.5, "a reservation of the source is left out"),
    "compared": (0.5, "a comparison is not in the source"),
    "unreal": (0.5, "the source wishes, expects or tells of former times"),
    "likes": (0.5, "a liking or dislike is claimed that the source does not share"),
}


@dataclass(frozen=True, slots=True)
class Examined:
    """What the lexical tier found in a sentence: the features of its worst clause by feature, faults and hints."""

    features: dict[str, float]
    faults: tuple[str, ...]
    hints: tuple[str, ...]
    weakest: Clause | None


class Judge:
    """Judges claims. Without `embedder` or `engine` their tiers are left out. Safe to share between threads.

    `tiers` names the last tier that may be asked, to keep to a time limit.
    """

    def __init__(
        self,
        *,
        embedder: Embedder | None = None,
        engine: Engine | None = None,
        models: Mapping[Tier, Calibration] | None = None,
    ) -> None:
        self._embedder = embedder
        self._engine = engine if engine is not None and "logprobs" in engine.capabilities else None
        self._models = models if models is not None else calibrations()

    def judge(self, claim: Claim, *, last: Tier = "likelihood") -> Verdict:
        """The verdict on one sentence; `score` is the probability of support by the tier that decided.

        `last` is the last tier that may be asked. Reasons say what is wrong and what was expected; none where the
        sentence is supported.
        """
        found = examine(claim)
        model = self._models["lexical"]
        score = model.probability(found.features)
        if found.faults:
            return Verdict("unsupported", "lexical", round(_HARD * score, 4), (*found.faults, *found.hints))
        tier: Tier = "lexical"
        features = dict(found.features)
        for following in self.tiers(last)[1:]:
            if score >= model.accept or score <= model.reject or found.weakest is None:
                break
            features |= self._measure(following, found.weakest, claim)
            tier, model = following, self._models[following]
            score = model.probability(features)
        if score >= model.threshold:
            return Verdict("supported", tier, round(score, 4))
        reasons = found.hints or (f"supported with probability {score:.2f}, needed is {model.threshold:.2f}",)
        return Verdict("unsupported", tier, round(score, 4), reasons)

    def tiers(self, last: Tier = "likelihood") -> list[Tier]:
        """The tiers that may be asked up to `last`, in order: those with a calibrated model and what it reads with."""
        tiers: list[Tier] = ["lexical"]
        if self._embedder is not None and "embedding" in self._models and last != "lexical":
            tiers.append("embedding")
        if self._engine is not None and "likelihood" in self._models and last == "likelihood":
            tiers.append("likelihood")
        return tiers

    def _measure(self, tier: Tier, clause: Clause, claim: Claim) -> dict[str, float]:
        if tier == "embedding":
            assert self._embedder is not None
            return closeness(clause, claim.language, self._embedder)
        assert self._engine is not None
        return gain(clause, claim.language, self._engine)


def examine(claim: Claim) -> Examined:
    """The lexical tier: features, each the worst over the clauses, hard faults, and hints that are no proof."""
    faults: list[str] = []
    hints: list[str] = []
    cited = labels(claim.sentence)
    known = {source.label for source in claim.evidence}
    faults += [f"[{label}] stands for no source" for label in dict.fromkeys(cited) if label not in known]
    if not cited:
        faults.append("nothing is cited")
    features: dict[str, float] = {}
    weakest, least = None, -1.0
    for clause in cut(claim):
        others = [s for s in claim.evidence if s.label in cited and s not in clause.sources]
        held = hold(clause, others, claim.language)
        held.features.update(_likes(clause, held, claim))
        faults += speaking_faults(clause, claim.language, claim.counted) + fact_faults(clause, claim)
        if held.features["borrowed"] >= _OTHERWISE and held.features["uncovered"] >= 0.5:
            faults.append(f"words of another label are credited to {_shown(clause)}: {' '.join(held.missing)}")
        faults += [f"'{own}' stands against '{there}' in {_shown(clause)}" for own, there in held.excluded]
        if held.features["contradicts"]:
            faults.append(f"a negation is added to {_shown(clause)} or lost: {clause.said}")
        if len(held.missing) >= _STRANGERS and held.features["uncovered"] >= _STRANGE:
            faults.append(f"{_shown(clause)} holds hardly a word of: {clause.said}")
        hints += _hints(clause, held)
        weight = held.features["uncovered"] * len(clause.content) + held.features["against"]
        if weight > least:
            weakest, least = clause, weight
        for name, value in held.features.items():
            features[name] = max(features.get(name, 0.0), value)
    return Examined(features, tuple(dict.fromkeys(faults)), tuple(dict.fromkeys(hints)), weakest)


def _likes(clause: Clause, held: Hold, claim: Claim) -> dict[str, float]:
    """How far a liking or dislike that the wording claims runs against the source's mood (`likes`), and whether it
    lacks any backing there (`unbacked`). The rating speaks where the words are silent, or nothing but a title is named.
    """
    towards = attitude(clause, claim.language)
    if not towards:
        return {"likes": 0.0, "unbacked": 0.0}
    ratings = [s.rating for s in clause.sources if s.rating is not None]
    rated = towards * (sum(ratings) / len(ratings) - 3) / 2 if ratings else 0.0
    worded = towards * held.mood
    if not clause.content:
        return {"likes": max(-rated, 0.0), "unbacked": 0.0}
    if abs(worded) >= 0.2:
        return {"likes": 1 - math.exp(-4 * max(-worded, 0.0)), "unbacked": 0.0}
    return {"likes": max(-rated, 0.0), "unbacked": max(1.0 - 2 * max(rated, 0.0), 0.0)}


def _hints(clause: Clause, held: Hold) -> list[str]:
    told = [
        f"{text} ({_shown(clause)})" for name, (least, text) in _TOLD.items() if held.features.get(name, 0) >= least
    ]
    if held.missing:
        told.insert(0, f"{_shown(clause)} does not hold: {', '.join(held.missing)}")
    return told


def _shown(clause: Clause) -> str:
    return "".join(f"[{s.label}]" for s in clause.sources)
