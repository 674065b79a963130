"""Honesty: are drawbacks told where there are some, is a dislike ever sold as a liking, who is told how much?

What is right is read off the catalogue's ratings and the reply alone; how the service decides is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rag_rationale.evaluation.finding import Case, Finding, Measure, Standing
from rag_rationale.evaluation.judging import without_markers
from rag_rationale.evaluation.material import Material, Subject
from rag_rationale.evaluation.statistics import Estimate, bootstrap_mean, group_difference, rank_correlation
from rag_rationale.types import CitedEvidence, Rationale, Sentence

LOW, HIGH = 2.5, 3.5  # ratings below are complaints, above are praise
HEAVY, HARSH = 4, 3.5  # other items reviewed, from there; mean rating, below
DIVIDED, BAD = 0.2, 0.5  # share of low ratings (and of high ones, where divided), from there
_RATED = 5  # ratings an item needs for its reviews to be called anything
_SHOWN = 5
_DISLIKED = re.compile(
    r"complain|dislike|did(?:n['’]t| not) (?:like|enjoy)|unhappy|disappoint|let you down|critici"
    r"|不满|抱怨|吐槽|不喜欢|失望|批评|差评",
    re.IGNORECASE,
)
"""A sentence that holds one of these does not present what the user wrote as a liking."""


@dataclass(frozen=True, slots=True)
class _Told:
    """One reply that says something, with what the catalogue knows of its user and item."""

    subject: Subject
    reply: Rationale
    ratings: tuple[float, ...]
    given: dict[str, float]

    @property
    def caveats(self) -> int:
        """Those out of reviews: what the item's own text admits is no matter of ratings."""
        spoken = {e.label for e in self.reply.evidence if e.side == "review"}
        return sum(s.kind == "caveat" and any(c.label in spoken for c in s.citations) for s in self.reply.sentences)

    @property
    def low(self) -> float:
        return sum(r < LOW for r in self.ratings) / len(self.ratings)

    @property
    def high(self) -> float:
        return sum(r > HIGH for r in self.ratings) / len(self.ratings)

    @property
    def length(self) -> int:
        """Characters, labels left out."""
        return len(without_markers(self.reply.rationale))


def measure_honesty(material: Material) -> Finding:
    """Measures caveats, dislikes and fairness over the material's grounded replies. Needs `material.analysers`.

    An item is divided where a fifth of five or more trusted ratings are below 2.5 and a fifth above 3.5, bad where half
    are below 2.5, praised where fewer than one in twenty are. Intervals draw whole items.
    """
    told = list(_told(material))
    rated = [t for t in told if len(t.ratings) >= _RATED]
    stands: dict[str, Callable[[_Told], bool]] = {
        "divided": lambda t: DIVIDED <= t.low < BAD and t.high >= DIVIDED,
        "bad": lambda t: t.low >= BAD,
        "praised": lambda t: t.low < 0.05,
    }
    warned = {
        f"honesty.caveat.{name}": {t.subject.id: float(t.caveats > 0) for t in rated if stand(t)}
        for name, stand in stands.items()
    }
    matches = [(t, s) for t in told for s in t.reply.sentences if s.kind == "match"]
    sold = {
        "honesty.dislike_as_liking.rating": [_by_rating(t, s) for t, s in matches],
        "honesty.dislike_as_liking.words": [_by_words(material, t, s) for t, s in matches],
    }
    items = [t.subject.item for t, _ in matches]
    homes = {t.subject.id: t.subject.item for t in told}
    measures = [
        *(_mean(material, name, values, homes) for name, values in warned.items()),
        *(_share(material, name, flags, items) for name, flags in sold.items()),
        *_coherence(material, told),
        *_fairness(material, told),
    ]
    bad = [(t, s, r, w) for (t, s), r, w in zip(matches, *sold.values(), strict=True) if r or w]
    silent = [t for t in rated if t.low >= DIVIDED and not t.caveats]
    return Finding(
        instrument="honesty",
        measures=tuple(measures),
        per_case={
            **warned,
            "honesty.caveat": {t.subject.id: float(t.caveats > 0) for t in told},
            "honesty.length": {t.subject.id: float(t.length) for t in told},
        },
        cases=(*_sold_cases(bad), *_silent_cases(silent)),
        notes=(
            f"{len(material.replies) - len(told)} of {len(material.replies)} replies abstain and are left out.",
            f"{len(told) - len(rated)} replies are of items with under {_RATED} trusted ratings: they are neither "
            "divided, bad nor praised.",
            "`dislike_as_liking.rating`: a match rests on an item that this user rated below 2.5 and does not say that "
            "she complained; `.words`: the words it quotes of her are negative by the lexicon, which errs at times.",
            "Groups of users meet other items; their differences are not corrected for that.",
        ),
    )


def _told(material: Material) -> Iterator[_Told]:
    for subject, reply in zip(material.subjects, material.replies, strict=True):
        if not reply.sentences:
            continue
        about = (p for p in material.snapshot.item_passages(subject.item) if p.trust >= material.min_trust)
        ratings = {p.source_id: p.rating for p in about if p.rating is not None and p.user_id != subject.user}
        given = {e.item_id: e.value for e in material.snapshot.user_events(subject.user) if e.event == "rating"}
        given |= {p.item_id: p.rating for p in material.snapshot.user_passages(subject.user) if p.rating is not None}
        known = {item: rating for item, rating in given.items() if rating is not None and item != subject.item}
        yield _Told(subject, reply, tuple(ratings.values()), known)


def _own(reply: Rationale, sentence: Sentence) -> list[tuple[CitedEvidence, str]]:
    """The user's own evidence behind a sentence, each with the words cited."""
    by_label = {e.label: e for e in reply.evidence}
    return [(by_label[c.label], c.cited_text) for c in sentence.citations if by_label[c.label].side == "history"]


def _by_rating(told: _Told, sentence: Sentence) -> bool:
    """Whether a match rests on what the user rated low, without saying that she disliked it."""
    ratings = [told.given.get(e.item_id or "") if e.rating is None else e.rating for e, _ in _own(told.reply, sentence)]
    return any(r is not None and r < LOW for r in ratings) and not _DISLIKED.search(sentence.text)


def _by_words(material: Material, told: _Told, sentence: Sentence) -> bool:
    """Whether the user's words that a match quotes are negative, without saying that she complained."""
    quoted = [(e, words) for e, words in _own(told.reply, sentence) if e.event == "review"]
    negative = any(material.analysers[e.lang].polarity(words) == "negative" for e, words in quoted)
    return negative and not _DISLIKED.search(sentence.text)


def _positivity(material: Material, reply: Rationale) -> float:
    """Mean polarity, -1 to 1, of what is cited of others' reviews; 0 where nothing is."""
    sign = {"positive": 1.0, "neutral": 0.0, "negative": -1.0}
    by_label = {e.label: e for e in reply.evidence if e.side == "review"}
    cited = [c for s in reply.sentences for c in s.citations if c.label in by_label]
    values = [sign[material.analysers[by_label[c.label].lang].polarity(c.cited_text)] for c in cited]
    return float(np.mean(values)) if values else 0.0


def _coherence(material: Material, told: Sequence[_Told]) -> Iterator[Measure]:
    """Rank correlation with the hidden rating, which the service never saw; the item's mean rating stands beside."""
    known = [t for t in told if t.subject.rating is not None and t.ratings]
    hidden = [t.subject.rating or 0.0 for t in known]
    sides: dict[str, tuple[list[float], Standing]] = {
        "honesty.coherence.caveats": ([float(t.caveats) for t in known], "result"),
        "honesty.coherence.positivity": ([_positivity(material, t.reply) for t in known], "result"),
        "honesty.coherence.mean_rating": ([float(np.mean(t.ratings)) for t in known], "control"),
    }
    for name, (values, standing) in sides.items():
        yield _measure(name, rank_correlation(values, hidden, seed=material.seed), standing)


def _fairness(material: Material, told: Sequence[_Told]) -> Iterator[Measure]:
    """Caveat rate and length in groups of users, and the differences."""
    strict = [t for t in told if t.given and np.mean(list(t.given.values())) < HARSH]
    mild = [t for t in told if t.given and np.mean(list(t.given.values())) >= HARSH]
    groups = (
        (
            "heavy",
            [t for t in told if t.subject.others >= HEAVY],
            "light",
            [t for t in told if t.subject.others < HEAVY],
        ),
        ("harsh", strict, "mild", mild),
    )
    figures: dict[str, Callable[[_Told], float]] = {
        "caveat": lambda t: float(t.caveats > 0),
        "length": lambda t: float(t.length),
    }
    for what, figure in figures.items():
        for one, ones, other, others in groups:
            for name, group in ((one, ones), (other, others)):
                found = bootstrap_mean(
                    [figure(t) for t in group], clusters=[t.subject.item for t in group], seed=material.seed
                )
                yield _measure(f"honesty.{what}.{name}", found)
            gap = group_difference([figure(t) for t in ones], minus=[figure(t) for t in others], seed=material.seed)
            yield _measure(f"honesty.{what}.{one}_minus_{other}", gap)


def _mean(material: Material, name: str, values: Mapping[str, float], homes: Mapping[str, str]) -> Measure:
    found = bootstrap_mean(list(values.values()), clusters=[homes[case] for case in values], seed=material.seed)
    return _measure(name, found)


def _share(material: Material, name: str, flags: Sequence[bool], items: Sequence[str]) -> Measure:
    found = bootstrap_mean([float(flag) for flag in flags], clusters=items, seed=material.seed)
    return Measure(
        name, found.value, found.n, found.interval, target=0.0 if name.endswith("rating") else None, at_most=True
    )


def _measure(name: str, found: Estimate, standing: Standing = "result") -> Measure:
    return Measure(name, found.value, found.n, found.interval, standing=standing)


def _sold_cases(bad: Sequence[tuple[_Told, Sentence, bool, bool]]) -> Iterator[Case]:
    for told, sentence, by_rating, _ in sorted(bad, key=lambda case: not case[2])[:_SHOWN]:
        yield Case(
            told.subject.id,
            sentence.text,
            "what the user rated low is told as a liking" if by_rating else "negative words are told as a liking",
            tuple(
                (f"she wrote (rated {e.rating:g})" if e.rating else "she wrote", e.text)
                for e, _ in _own(told.reply, sentence)
            ),
        )


def _silent_cases(silent: Sequence[_Told]) -> Iterator[Case]:
    for told in sorted(silent, key=lambda t: (-t.low, t.subject.id))[:_SHOWN]:
        why = f"{told.low:.0%} of {len(told.ratings)} ratings are low, and no caveat is given"
        yield Case(told.subject.id, told.reply.rationale, why)
