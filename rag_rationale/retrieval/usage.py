"""Which words people of an index put next to each other: what hardly anybody else wrote like that may be a slip.

A misspelling that is another word ("relaxing seething"), a missing article ("from illustration") and a torn clause
leave a pair behind that nobody else wrote. Of 810 sentences about restaurants that two readers judged 13 % were flawed,
of those whose every pair three people wrote 5 %.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby, pairwise

from rag_rationale.types import Passage

_PEOPLE = 3  # who wrote a pair of words, the author of a span among them, before it is usual
_HEARD, _CROWD = 0.5, 200  # share of the pairs that are usual, and people, below which an index is too small to tell
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+|[^\w\s]")

Pair = tuple[str, str]


class Usage:
    """Pairs of neighbouring English words that several people of an index wrote. Chinese is not looked at: what readers
    marked there was something else."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        told = sorted((p for p in passages if p.lang == "en"), key=lambda p: p.author)
        people, crowd = Counter[Pair](), 0
        for _, own in groupby(told, key=lambda p: p.author):
            people.update({pair for passage in own for pair in pairs(passage.text)})
            crowd += 1
        usual = {pair for pair, count in people.items() if count >= _PEOPLE}
        heard = sum(people[pair] for pair in usual) >= _HEARD * people.total()
        self._usual = usual if crowd >= _CROWD and heard else None

    def unusual(self, words: str) -> int:
        """How many pairs of neighbouring words hardly anybody wrote; 0 where the index is too small to tell."""
        return 0 if self._usual is None else sum(pair not in self._usual for pair in pairs(words))


def pairs(text: str) -> list[Pair]:
    """Neighbouring words and marks, in lower case."""
    return list(pairwise(_WORD.findall(text.lower())))
