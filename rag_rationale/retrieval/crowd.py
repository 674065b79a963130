"""What other people's likings tell of items: what those like who liked the same, and what is met of late.

Knows who met what and when; no text, no vector.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from rag_rationale.types import Snapshot

LIKED = 3.5  # ratings from here on count as liked; an event or a review without one counts as liked
_DAY = 86_400.0
_HALF_LIVES = tuple(days * _DAY for days in (10, 30, 90, 270, 810, 2430))  # seconds; the index's own past chooses
_USUAL = 60 * _DAY  # where that past is too short to choose
_ENOUGH, _EARLIER = 200, 0.8  # meetings that may choose, share of them that foretells the rest
_NORMALISED = 0.25  # of an item's likers, the power its weight is divided by: 0 favours what all like
_COMPANY = 0.25  # of the score; the rest is what is met of late

Numbers = NDArray[np.float64]


class Crowd:
    """Who met which item, by reviews and events of a snapshot as it was when this was made."""

    def __init__(self, snapshot: Snapshot) -> None:
        met: dict[tuple[str, str], tuple[float, bool]] = {}
        newest = float(snapshot.manifest.newest_timestamp or 0)
        for user, item, timestamp, rating in snapshot.meetings():
            time, liked = newest if timestamp is None else float(timestamp), rating is None or rating >= LIKED
            known = met.get((user, item))
            if known is None or known[0] <= time:
                met[user, item] = (time, liked)
        self._users = {user: n for n, user in enumerate(dict.fromkeys(user for user, _ in met))}
        self.items = tuple(dict.fromkeys(item for _, item in met))
        self._places = {item: n for n, item in enumerate(self.items)}
        self._user = np.array([self._users[user] for user, _ in met], np.int64)
        self._item = np.array([self._places[item] for _, item in met], np.int64)
        self._time = np.array([time for time, _ in met.values()], np.float64)
        self._liked = np.array([liked for _, liked in met.values()], bool)
        self._chosen = (-1, _USUAL)

    def half_life(self, now: int) -> float:
        """Seconds in which a meeting loses half its weight: those by which what had been met up to an earlier time best
        foretells what was met from then to `now`, by the mean discounted gain of its ranks (nDCG's discount).

        Shops differ: in one only last week's favourites are met again, in another those of all years.
        """
        at, chosen = self._chosen
        if at != now:
            chosen = self._choose(now)
            self._chosen = (now, chosen)
        return chosen

    def _choose(self, now: int) -> float:
        known = np.flatnonzero(self._time <= now)
        if len(known) < _ENOUGH:
            return _USUAL
        time, item = self._time[known], self._item[known]
        cut = np.quantile(time, _EARLIER)
        early, later = time <= cut, item[time > cut]
        if not len(later):
            return _USUAL
        gains = []
        for half_life in _HALF_LIVES:
            met = np.bincount(item[early], 0.5 ** ((cut - time[early]) / half_life), len(self.items))
            places = np.empty(len(met))
            places[np.argsort(-met, kind="stable")] = np.arange(len(met))
            gains.append(float(np.mean(1 / np.log2(places[later] + 2))))
        return _HALF_LIVES[int(np.argmax(gains))]

    def scores(self, likings: Collection[str], *, user: str | None, now: int) -> Numbers:
        """A score for each of `items`, 0 to 1, for one who likes `likings`; what happened after `now` does not count.

        A quarter of it is how much the item is liked by others who like the same, each of them counting more the fewer
        like what they share (neighbourhoods of users, cosine with a softened norm; Deshpande and Karypis 2004), the
        rest how much it is met; both lose half their weight in `half_life`. `user` is nobody's neighbour.
        """
        age = np.where(self._time <= now, 0.5 ** (np.maximum(now - self._time, 0) / self.half_life(now)), 0.0)
        others = self._liked & (self._time <= now) & (self._user != self._users.get(user or "", -1))
        trend = np.log1p(np.bincount(self._item, age, len(self.items)))
        likers = np.maximum(np.bincount(self._item[others], minlength=len(self.items)), 1)
        shared = np.zeros(len(self.items), bool)
        shared[[self._places[item] for item in likings if item in self._places]] = True
        near = others & shared[self._item]
        kin = np.bincount(self._user[near], 1 / np.sqrt(likers[self._item[near]]), len(self._users))
        company = np.bincount(self._item[others], (kin[self._user] * age)[others], len(self.items))
        return _COMPANY * _unit(company / likers**_NORMALISED) + (1 - _COMPANY) * _unit(trend)


def _unit(scores: Numbers) -> Numbers:
    most = scores.max(initial=0.0)
    return scores / most if most > 0 else scores
