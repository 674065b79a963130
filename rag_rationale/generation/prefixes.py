"""Which prefixes stay resident in which sequence. Plain bookkeeping: whoever owns the context does the copying."""

from __future__ import annotations

from collections.abc import Sequence

from rag_rationale.generation.trie import common_length


class Prefixes:
    """Resident prefixes, each in a sequence of its own. `budget` bounds the tokens of all of them together.

    None is given up alone: that would leave a hole among the cells, later tokens would fill it, and attention would sum
    a sequence's cells out of their order, which changes its rounding. When no more fit, all go.
    """

    def __init__(self, sequences: Sequence[int], *, budget: int) -> None:
        self._sequences = sequences
        self._budget = budget
        self._held: dict[int, tuple[int, ...]] = {}

    @property
    def tokens(self) -> int:
        """Tokens held by all prefixes together."""
        return sum(map(len, self._held.values()))

    def longest(self, tokens: Sequence[int]) -> tuple[int, int]:
        """The sequence that shares most leading tokens, and how many; (-1, 0) for none."""
        best, length = -1, 0
        for sequence, held in self._held.items():
            shared = common_length(held, tokens)
            if shared > length:
                best, length = sequence, shared
        return best, length

    def lacks(self, tokens: Sequence[int]) -> bool:
        """Whether the prefix is worth holding: held by none yet, also not as the beginning of another."""
        return 0 < len(tokens) <= self._budget and self.longest(tokens)[1] < len(tokens)

    def admit(self, tokens: Sequence[int]) -> int | None:
        """The sequence that now holds the prefix; None where it does not fit beside the others."""
        if len(self._held) == len(self._sequences) or self.tokens + len(tokens) > self._budget:
            return None
        sequence = self._sequences[len(self._held)]
        self._held[sequence] = tuple(tokens)
        return sequence

    def clear(self) -> None:
        """Give up all."""
        self._held.clear()
