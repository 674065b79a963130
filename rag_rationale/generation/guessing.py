"""What a text will say next, guessed from what it has said before. Pure Python."""

from __future__ import annotations

from collections.abc import Iterable

_LENGTHS = (3, 2)  # tokens that must have come before in the same order, the surest first
_MOST = 2  # tokens guessed at once


class Echo:
    """The tokens of a text so far, and for its last ones what followed them when they came the last time."""

    def __init__(self, tokens: Iterable[int]) -> None:
        self._tokens: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}
        for token in tokens:
            self.add(token)

    def add(self, token: int) -> None:
        """Go on by one token."""
        place = len(self._tokens)
        for length in _LENGTHS:
            if place >= length:
                self._after[tuple(self._tokens[place - length :])] = place
        self._tokens.append(token)

    def guess(self, most: int) -> list[tuple[int, int]]:
        """At most so many tokens that may come next, each with its doubt: from 1, the greater the less sure."""
        for rank, length in enumerate(_LENGTHS):
            place = self._after.get(tuple(self._tokens[-length:]))
            if place is not None:
                tokens = self._tokens[place : place + max(min(most, _MOST), 0)]
                return [(token, 1 + rank + len(_LENGTHS) * i) for i, token in enumerate(tokens)]
        return []
