"""What other people's likings tell of items: what those like who liked the same, and what is met of late.

Knows who met what and when; no text, no vector.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from rag_rationale.types import Snapshot

LIKED = 3.5  # ratings from here on count as liked; an event or a review without one counts as liked
_HALF_LIFE = 60 * 86_400.0  # seconds in which a meeting loses half its weight
_NORMALISED = 0.25  # of an item's likers, the power its weight is divided by: 0 favours what all like
_COMPANY = 0.5  # of the score; the rest is what is met of late

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

    def scores(self, likings: Collection[str], *, user: str | None, now: int) -> Numbers:
        """A score for each of `items`, 0 to 1, for one who likes `likings`; what happened after `now` does not count.

        Half of it is how much the item is liked by others who like the same, each of them counting more the fewer like
        what they share (neighbourhoods of users, cosine with a softened norm; Deshpande and Karypis 2004), half how
        much it is met; both lose half their weight in 60 days. `user` is nobody's neighbour.
        """
        age = np.where(self._time <= now, 0.5 ** (np.maximum(now - self._time, 0) / _HALF_LIFE), 0.0)
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
