"""Personal fit: does the item's side of a rationale lie closer to what this very user wrote of the item?

Her own review is hidden from the service, in pairs the other user's too. Two questions: how high does the hidden review
stand among all reviews of the item, and is the rationale for A closer to A's hidden review than to B's? One that fits
everybody gets one half in both. The controls of `choices` stand beside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rag_rationale.evaluation.choices import CONTROLS, RATIONALE, Choice, choices
from rag_rationale.evaluation.closeness import Closeness
from rag_rationale.evaluation.finding import Case, Curve, Finding, Measure, Point
from rag_rationale.evaluation.material import Material, Subject
from rag_rationale.evaluation.statistics import bootstrap_mean
from rag_rationale.evaluation.subjects import draw_pairs
from rag_rationale.types import Rationale, Snapshot

BINS = ((1, 1, "1"), (2, 3, "2-3"), (4, 9, "4-9"), (10, 10**9, "10+"))
"""The user's other reviews: from, to, name."""
MANY, PAIRS = 4, 150
PERCENTILE, ALL, FOUR_OR_MORE = 0.65, 0.60, 0.66  # the targets
_GUESS = 0.5
_SHOWN = 5  # cases to read


@dataclass(frozen=True, slots=True)
class _Asked:
    """One rationale, what it and the controls chose, and the review that each review of the item is compared by."""

    id: str
    subject: Subject
    reply: Rationale
    choices: dict[str, Choice]
    other: str = ""


def measure_personal(material: Material, *, pairs: int | None = None) -> Finding:
    """Measures personal fit over the material's subjects and over at most `pairs` ordered pairs of users of one item:
    by default as many as there are subjects, and at least `PAIRS`.

    Closeness is the cosine of `material.embedder`. A rationale that cites nothing of the item counts as a guess, one
    half; so do ties. Intervals draw whole items.
    """
    reviews = _Reviews(material.snapshot, material.min_trust)
    single = [
        _Asked(s.id, s, r, choices(material, s, r, exclude=frozenset({s.review})))
        for s, r in zip(material.subjects, material.replies, strict=True)
        if len(reviews.of(s.item)) > 1
    ]
    double = list(_pairs(material, reviews, pairs or max(PAIRS, len(material.subjects))))
    asked = [*single, *double]
    texts = [c.text for a in asked for c in a.choices.values() if c.text]
    texts += [text for a in single for text in reviews.of(a.subject.item).values()]
    texts += [reviews.of(a.subject.item)[name] for a in double for name in (a.subject.review, a.other)]
    near = Closeness(material.embedder, texts, progress=material.progress)

    names = (RATIONALE, *CONTROLS)
    ranks = {name: {a.id: _percentile(a, name, reviews, near, cited=True) for a in single} for name in names}
    apart = {name: {a.id: _percentile(a, name, reviews, near, cited=False) for a in single} for name in names}
    right = {name: {a.id: _fits(a, name, reviews, near) for a in double} for name in names}
    heavy = {name: {a.id: right[name][a.id] for a in double if a.subject.others >= MANY} for name in names}
    groups = (
        ("personal.percentile", ranks, PERCENTILE),
        ("personal.percentile.uncited", apart, None),
        ("personal.pairs.all", right, ALL),
        ("personal.pairs.four_or_more", heavy, FOUR_OR_MORE),
    )
    items = {a.id: a.subject.item for a in asked}
    return Finding(
        instrument="personal",
        measures=tuple(
            _measure(material, measure, name, values[name], items, target)
            for measure, values, target in groups
            for name in names
        ),
        per_case={measure: values[RATIONALE] for measure, values, _ in groups},
        curves=(_curve(material, double, right),),
        cases=tuple(_cases(double, reviews, near)),
        notes=(
            f"Closeness is the cosine of {material.embedder.name}, of the item's side of the rationale: the words it "
            "cites of descriptions and of others' reviews.",
            f"{sum(not a.choices[RATIONALE].text for a in double)} of {len(double)} rationales in pairs and "
            f"{sum(not a.choices[RATIONALE].text for a in single)} of {len(single)} others cite nothing of the item: "
            "each counts as a guess.",
            "`uncited` ranks the hidden review among those reviews only that the text was not taken from.",
        ),
    )


class _Reviews:
    """The trusted reviews of items, as text by review id."""

    def __init__(self, snapshot: Snapshot, min_trust: float) -> None:
        self._snapshot, self._min_trust = snapshot, min_trust
        self._known: dict[str, dict[str, str]] = {}
        self._authors: dict[str, str | None] = {}

    def of(self, item: str) -> dict[str, str]:
        if item not in self._known:
            texts: dict[str, list[str]] = {}
            for p in self._snapshot.item_passages(item):
                if p.kind == "review" and p.quarantined is None and p.trust >= self._min_trust:
                    texts.setdefault(p.source_id, []).append(p.text)
                    self._authors[p.source_id] = p.user_id
            self._known[item] = {name: "\n".join(parts) for name, parts in texts.items()}
        return self._known[item]

    def by(self, item: str, users: Iterable[str]) -> frozenset[str]:
        """Ids of the reviews of an item that these users wrote."""
        wanted = set(users)
        return frozenset(name for name in self.of(item) if self._authors[name] in wanted)


def _pairs(material: Material, reviews: _Reviews, n: int) -> Iterable[_Asked]:
    drawn = draw_pairs(material.snapshot, n=n, seed=material.seed, min_trust=material.min_trust)
    for done, (one, other) in enumerate(drawn, 1):
        hidden = reviews.by(one.item, (one.user, other.user))
        reply = material.explain(one, hidden)
        made = choices(material, one, reply, exclude=hidden)
        yield _Asked(f"{one.id} against {other.review}", one, reply, made, other.review)
        material.progress("pairs", done, len(drawn))


def _percentile(asked: _Asked, name: str, reviews: _Reviews, near: Closeness, *, cited: bool) -> float:
    """Share of the item's other reviews that the text is less close to than to the hidden one, ties half."""
    choice, texts, subject = asked.choices[name], reviews.of(asked.subject.item), asked.subject
    own = reviews.by(subject.item, (subject.user,))
    others = [text for source, text in texts.items() if source not in own and (cited or source not in choice.sources)]
    if not choice.text or not others:
        return _GUESS
    hidden, *rest = near.of(choice.text, [texts[subject.review], *others])
    return sum((hidden > other) + 0.5 * (hidden == other) for other in rest) / len(rest)


def _margin(asked: _Asked, name: str, reviews: _Reviews, near: Closeness) -> float:
    """How much closer the text is to the user's own hidden review than to the other user's."""
    texts, text = reviews.of(asked.subject.item), asked.choices[name].text
    if not text:
        return 0.0
    own, other = near.of(text, [texts[asked.subject.review], texts[asked.other]])
    return own - other


def _fits(asked: _Asked, name: str, reviews: _Reviews, near: Closeness) -> float:
    margin = _margin(asked, name, reviews, near)
    return 1.0 if margin > 0 else _GUESS if margin == 0 else 0.0


def _measure(
    material: Material,
    measure: str,
    name: str,
    values: Mapping[str, float],
    items: Mapping[str, str],
    target: float | None,
) -> Measure:
    found = bootstrap_mean(list(values.values()), clusters=[items[case] for case in values], seed=material.seed)
    if name == RATIONALE:
        return Measure(measure, found.value, found.n, found.interval, target)
    return Measure(f"{measure}.{name.replace(' ', '_')}", found.value, found.n, found.interval, standing="control")


def _curve(material: Material, asked: Sequence[_Asked], right: Mapping[str, Mapping[str, float]]) -> Curve:
    series: dict[str, tuple[Point, ...]] = {}
    for name, values in right.items():
        points = []
        for low, high, _ in BINS:
            group = [a for a in asked if low <= a.subject.others <= high]
            found = bootstrap_mean(
                [values[a.id] for a in group], clusters=[a.subject.item for a in group], seed=material.seed
            )
            if found.interval is not None:
                points.append(Point(low, found.value, *found.interval, found.n))
        series[name] = tuple(points)
    return Curve(
        "Right user told from the other, by how much else she reviewed",
        f"other reviews of the user, at least ({', '.join(name for *_, name in BINS)})",
        "share of ordered pairs",
        series,
    )


def _cases(asked: Sequence[_Asked], reviews: _Reviews, near: Closeness) -> Iterable[Case]:
    """The pairs told wrong by most, worst first."""
    margins = {a.id: _margin(a, RATIONALE, reviews, near) for a in asked}
    for a in sorted(asked, key=lambda a: (margins[a.id], a.id))[:_SHOWN]:
        texts = reviews.of(a.subject.item)
        yield Case(
            heading=a.subject.id,
            text=a.reply.rationale,
            why=f"closer to another user's review than to hers, by {-margins[a.id]:.3f}",
            details=(
                ("her hidden review", texts[a.subject.review]),
                ("the other's review", texts[a.other]),
                ("her other reviews", str(a.subject.others)),
            ),
        )
