"""How good and how varied the recommended items are: a temporal split, beside what is popular.

What a user came to like after the split is hidden; the ten items recommended to her as of the split are held against
it. Knows nothing of rationales.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

import numpy as np

from rag_rationale.evaluation.statistics import Estimate, bootstrap_mean, paired_bootstrap
from rag_rationale.retrieval import Crowd, candidates
from rag_rationale.types import Embedder, Snapshot, UserRef

K = 10
LIKED = 3.5  # ratings from here on count as liked; an event counts as liked
HEAD = 0.2  # the most popular share of the items; the others are the long tail
SPLIT = 0.8  # of what happened lies before the split
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Settings of `popularity` among which an earlier split chooses."""


@dataclass(frozen=True, slots=True)
class Met:
    """A user met an item. `rating` is None for an event."""

    user: str
    item: str
    timestamp: int
    rating: float | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A user with what she had met by the split and, of what she had not, what she liked after it."""

    user: str
    seen: frozenset[str]
    liked: frozenset[str]


@dataclass(frozen=True, slots=True)
class Figures:
    """One way to recommend: recall and nDCG at ten over users, and what its lists are made of.

    `categories`: of the categories in the catalogue, the share that a user's list holds. `tail`: of the items
    recommended, the share outside the most popular fifth. `catalogue`: of all items, the share recommended to anybody.
    """

    way: str
    recall: Estimate
    ndcg: Estimate
    ndcg_over_popular: Estimate
    categories: Estimate
    tail: Estimate
    catalogue: float


def recall_at(ranked: Sequence[str], relevant: Collection[str], *, k: int = K) -> float:
    """Share of the relevant items among the first `k`."""
    return sum(item in relevant for item in ranked[:k]) / len(relevant)


def ndcg_at(ranked: Sequence[str], relevant: Collection[str], *, k: int = K) -> float:
    """nDCG with gains of 0 and 1 (Järvelin and Kekäläinen 2002): 1 where the relevant items lead."""
    gained = sum(1 / math.log2(place + 2) for place, item in enumerate(ranked[:k]) if item in relevant)
    return gained / sum(1 / math.log2(place + 2) for place in range(min(len(relevant), k)))


def split_time(met: Iterable[Met]) -> int:
    """The time before which SPLIT of it happened."""
    times = sorted(each.timestamp for each in met)
    return times[min(int(len(times) * SPLIT), len(times) - 1)]


def cases_of(met: Iterable[Met], *, at: int) -> list[Case]:
    """A case for each user who met something up to `at` and liked something new after it, by user id."""
    seen: dict[str, set[str]] = {}
    liked: dict[str, set[str]] = {}
    for each in met:
        if each.timestamp <= at:
            seen.setdefault(each.user, set()).add(each.item)
        elif each.rating is None or each.rating >= LIKED:
            liked.setdefault(each.user, set()).add(each.item)
    both = sorted(user for user in seen.keys() & liked.keys() if liked[user] - seen[user])
    return [Case(user, frozenset(seen[user]), frozenset(liked[user] - seen[user])) for user in both]


def popularity(met: Iterable[Met], *, at: int) -> list[str]:
    """Items by how many users met them up to `at`, most first; by id where as many did."""
    counts = Counter(item for _, item in {(each.user, each.item) for each in met if each.timestamp <= at})
    return sorted(counts, key=lambda item: (-counts[item], item))


def meetings(snapshot: Snapshot) -> list[Met]:
    """Who met what, by the index's reviews and events that have a time."""
    found: dict[tuple[str, str, int], Met] = {}
    for user, item, timestamp, rating in snapshot.meetings():
        if timestamp is not None:
            found.setdefault((user, item, timestamp), Met(user, item, timestamp, rating))
    return list(found.values())


def measure(
    way: str,
    lists: Mapping[str, Sequence[str]],
    cases: Sequence[Case],
    *,
    popular: Mapping[str, Sequence[str]],
    head: Collection[str],
    categories: Mapping[str, Collection[str]],
    items: int,
) -> Figures:
    """Figures of the `lists` by user. `categories` are those of each item, `items` how many there are."""
    every = {category for of in categories.values() for category in of}
    ndcg = {case.user: ndcg_at(lists[case.user], case.liked) for case in cases}
    base = {case.user: ndcg_at(popular[case.user], case.liked) for case in cases}
    held = [{c for item in lists[case.user] for c in categories.get(item, ())} for case in cases]
    tails = [sum(item not in head for item in lists[case.user]) / max(len(lists[case.user]), 1) for case in cases]
    return Figures(
        way=way,
        recall=bootstrap_mean([recall_at(lists[case.user], case.liked) for case in cases]),
        ndcg=bootstrap_mean(list(ndcg.values())),
        ndcg_over_popular=paired_bootstrap(ndcg, minus=base),
        categories=bootstrap_mean([len(h) / len(every) for h in held] if every else []),
        tail=bootstrap_mean(tails),
        catalogue=len({item for case in cases for item in lists[case.user]}) / max(items, 1),
    )


def evaluate_recommendations(
    snapshot: Snapshot,
    embedder: Embedder,
    *,
    diversities: Sequence[float],
    users: int,
    seed: int,
    popularity_share: float | None = None,
) -> tuple[list[Figures], dict[str, Any]]:
    """Figures of popularity, of chance and of each diversity setting, over at most `users` users, and what shaped them.

    `popularity_share` is the setting of that name. Without one it is chosen by nDCG on an earlier split, which is cut
    from what happened before the split that is reported.
    """
    met, crowd = meetings(snapshot), Crowd(snapshot)

    def lists(cases: Sequence[Case], at: int, share: float, diversity: float) -> dict[str, list[str]]:
        asked = {"k": K, "diversity": diversity, "crowd": crowd, "popularity": share, "as_of": at}
        return {
            case.user: [c.item_id for c in candidates(UserRef(id=case.user), snapshot, embedder, **asked)]  # type: ignore[arg-type]
            for case in cases
        }

    at = split_time(met) if met else 0
    cases = _some(cases_of(met, at=at), users, seed)
    chosen_on: dict[str, Any] | None = None
    if popularity_share is None:
        before = [each for each in met if each.timestamp <= at]
        earlier = split_time(before) if before else 0
        known = _some(cases_of(before, at=earlier), users, seed)
        gained = {share: _mean_ndcg(lists(known, earlier, share, 0.0), known) for share in SHARES} if known else {}
        popularity_share = max(gained, key=lambda share: (gained[share], share), default=1.0)
        chosen_on = {"split": earlier, "users": len(known), "ndcg": {f"{share:g}": v for share, v in gained.items()}}
    ranked, names = popularity(met, at=at), snapshot.item_ids()
    head = frozenset(ranked[: max(1, round(len(names) * HEAD))])
    kinds = {name: item.categories for name in names if (item := snapshot.item(name))}
    popular = {case.user: [item for item in ranked if item not in case.seen][:K] for case in cases}
    chance = Random(seed)
    unseen = {case.user: [name for name in names if name not in case.seen] for case in cases}
    drawn = {user: chance.sample(left, min(K, len(left))) for user, left in unseen.items()}
    ways: dict[str, Mapping[str, Sequence[str]]] = {"popularity": popular, "chance": drawn}
    for diversity in diversities:
        ways[f"diversity {diversity:g}"] = lists(cases, at, popularity_share, diversity)
    figures = [
        measure(way, made, cases, popular=popular, head=head, categories=kinds, items=len(names))
        for way, made in ways.items()
    ]
    told = {
        "index": snapshot.manifest.label,
        "embedder": embedder.name,
        "split": at,
        "popularity": popularity_share,
        "chosen_on": chosen_on,
        "half_life_days": crowd.half_life(at) / 86_400,
        "users": len(cases),
        "items": len(names),
        "categories": len({category for of in kinds.values() for category in of}),
        "hidden": float(np.mean([len(case.liked) for case in cases])) if cases else 0.0,
        "seed": seed,
    }
    return figures, told


def _some(cases: list[Case], users: int, seed: int) -> list[Case]:
    """At most so many of the cases, drawn at random, by user id."""
    Random(seed).shuffle(cases)
    return sorted(cases[:users], key=lambda case: case.user)


def _mean_ndcg(lists: Mapping[str, Sequence[str]], cases: Sequence[Case]) -> float:
    return float(np.mean([ndcg_at(lists[case.user], case.liked) for case in cases]))


def figures_as_text(figures: Sequence[Figures], told: Mapping[str, Any]) -> str:
    """A table for a terminal, every figure with its interval at 95 %."""
    heading = f"{told['index']}: {told['users']} users, {told['items']} items, {told['hidden']:.1f} hidden likings each"
    chosen = "as told"
    if told["chosen_on"] is not None:
        chosen = f"the best on an earlier split with {told['chosen_on']['users']} users"
    heading += f"\npopularity {told['popularity']:g}, {chosen}; half-life {told['half_life_days']:g} days"
    rows = [f"{'':14}{'recall@10':>22}{'nDCG@10':>22}{'over popularity':>24}{'categories':>12}{'tail':>7}{'items':>7}"]
    for f in figures:
        shares = f"{_share(f.categories.value):>12}{_share(f.tail.value):>7}{_share(f.catalogue):>7}"
        rows.append(f"{f.way:14}{_told(f.recall):>22}{_told(f.ndcg):>22}{_told(f.ndcg_over_popular):>24}{shares}")
    return "\n".join([heading, *rows])


def figures_as_json(figures: Sequence[Figures], told: Mapping[str, Any]) -> dict[str, Any]:
    """The same for a program; a figure that could not be measured is null."""
    return {"provenance": dict(told), "ways": [_without_nan(asdict(f)) for f in figures]}


def _told(estimate: Estimate) -> str:
    low, high = estimate.interval or (math.nan, math.nan)
    return f"{estimate.value:.3f} [{low:.3f}, {high:.3f}]"


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.0%}"


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
