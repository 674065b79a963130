"""Which prefixes stay resident in which sequence. Plain bookkeeping: whoever owns the context does the copying."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from rag_rationale.generation.trie import common_length


class Prefixes:
    """Resident prefixes, each in a sequence of its own, the least recently used given up first.

    `budget` bounds the tokens of all of them together.
    """

    def __init__(self, sequences: Sequence[int], *, budget: int) -> None:
        self._free = list(sequences)
        self._budget = budget
        self._held: OrderedDict[int, tuple[int, ...]] = OrderedDict()

    @property
    def tokens(self) -> int:
        """Tokens held by all prefixes together."""
        return sum(len(tokens) for tokens in self._held.values())

    def longest(self, tokens: Sequence[int]) -> tuple[int, int]:
        """The sequence that shares most leading tokens, now the most recently used, and how many; (-1, 0) for none."""
        best, length = -1, 0
        for sequence, held in self._held.items():
            shared = common_length(held, tokens)
            if shared > length:
                best, length = sequence, shared
        if best >= 0:
            self._held.move_to_end(best)
        return best, length

    def admit(self, tokens: Sequence[int]) -> tuple[int | None, list[int]]:
        """The sequence a new prefix shall have, and the sequences given up for it.

        None where it is held already (also as the beginning of another) or longer than the budget.
        """
        wanted = tuple(tokens)
        if not wanted or len(wanted) > self._budget or not self._capacity:
            return None, []
        _, length = self.longest(wanted)
        if length == len(wanted):
            return None, []
        dropped = self._drop_until(self._budget - len(wanted), room=True)
        sequence = self._free.pop()
        self._held[sequence] = wanted
        return sequence, dropped

    def shrink(self, tokens: int) -> list[int]:
        """Give up prefixes until at most `tokens` tokens remain; the sequences given up."""
        return self._drop_until(tokens, room=False)

    def clear(self) -> None:
        """Forget all."""
        self._free.extend(self._held)
        self._held.clear()

    @property
    def _capacity(self) -> int:
        return len(self._free) + len(self._held)

    def _drop_until(self, tokens: int, *, room: bool) -> list[int]:
        dropped: list[int] = []
        while self._held and (self.tokens > tokens or (room and not self._free)):
            sequence, _ = self._held.popitem(last=False)
            self._free.append(sequence)
            dropped.append(sequence)
        return dropped
