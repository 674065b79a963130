"""How people of an index write: which words they put next to each other, and which they write with a capital.

What hardly anybody else wrote like that may be a slip.

A misspelling that is another word ("relaxing seething"), a missing article ("from illustration") and a torn clause
leave a pair behind that nobody else wrote, and most slips a run of three words. Of 2,366 sentences about restaurants
that two readers judged 9 % were flawed; of those whose every run of three somebody else wrote, 2.5 %.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from rag_rationale.types import Passage

_PEOPLE = 3  # who wrote a pair of words, the author of a span among them, before it is usual
_OTHERS = 2  # who wrote a run of three words, before somebody else wrote it
_RISK = (0.28, 0.39)  # log-odds that a pair which hardly anybody wrote, and a run that nobody else did, add to a flaw
_BITS = 21  # of a word's number; an index's sample has fewer words than that
_HEARD, _CROWD = 0.5, 200  # share of the pairs that are usual, and people, below which an index is too small to tell
_NAMED, _CALLED = 0.6, 5  # share of those who give a word amid a sentence a capital, and how many, before it is a name
_JOINED = 3.0  # times as many write two words as one
_APART = frozenset(
    ("up", "in", "on", "off", "out", "down", "over", "be", "one", "day", "time", "times", "thing", "things", "body")
)  # "set up" is a verb where "setup" is none
_STOPS = frozenset('.!?:;-"“”()/*')
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+|[^\w\s]")

_NONE = np.empty(0, np.int64)


class Usage:
    """Neighbouring English words that several people of an index wrote. Chinese is not looked at: what readers marked
    there was something else."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        told = sorted((p for p in passages if p.lang == "en"), key=lambda p: p.author)
        self._numbers: dict[str, int] = {}
        pairs, runs = [_NONE], [_NONE]
        forms, crowd = Counter[str](), 0
        for _, own in groupby(told, key=lambda p: p.author):
            texts = [passage.text for passage in own]
            numbered = [self._numbered(text) for text in texts]
            pairs.append(np.array(list({key for words in numbered for key in _keys(words, 2)}), np.int64))
            runs.append(np.array(list({key for words in numbered for key in _keys(words, 3)}), np.int64))
            forms.update({word for text in texts for word in _amid(text)})
            crowd += 1
        self._names = frozenset(w.lower() for w in forms if w[0].isupper() and _is_name(w, forms))
        self._common = frozenset(w for w in forms if w.islower() and forms[w] >= max(_CALLED, forms[w.capitalize()]))
        written, people = np.unique(np.concatenate(pairs), return_counts=True)
        self._torn = self._torn_pairs(written, people, forms)
        heard = people[people >= _PEOPLE].sum() >= _HEARD * people.sum()
        self._tells = bool(crowd >= _CROWD and heard)
        self._usual = frozenset(written[people >= _PEOPLE].tolist() if self._tells else ())
        written, people = np.unique(np.concatenate(runs), return_counts=True)
        self._shared = frozenset(written[people >= _OTHERS].tolist() if self._tells else ())

    def unusual(self, words: str) -> int:
        """How many pairs of neighbouring words hardly anybody wrote, one that most write as a word ("roof top") as bad
        as two; 0 where the index is too small to tell."""
        return self._unusual(self._numbered(words, new=False)) if self._tells else 0

    def risk(self, words: str) -> float:
        """How much likelier than others words are to hold a slip, in nats, by the pairs and the runs of three in them
        that are hardly anybody else's; 0 where the index is too small to tell."""
        if not self._tells:
            return 0.0
        numbers = self._numbered(words, new=False)
        pair, run = _RISK
        return pair * self._unusual(numbers) + run * sum(key not in self._shared for key in _keys(numbers, 3))

    def _unusual(self, numbers: Sequence[int]) -> int:
        return sum(2 if pair in self._torn else pair not in self._usual for pair in _keys(numbers, 2))

    def _numbered(self, text: str, *, new: bool = True) -> list[int]:
        """The words and marks of a text in lower case, each as a number; those of an unknown word are all ones."""
        said, numbers = words_and_marks(text), self._numbers
        unknown = (1 << _BITS) - 1
        return [numbers.setdefault(w, len(numbers)) if new else numbers.get(w, unknown) for w in said]

    def _torn_pairs(self, written: NDArray[np.int64], people: NDArray[np.int64], forms: Counter[str]) -> frozenset[int]:
        by_number = list(self._numbers)
        return frozenset(
            key
            for key, count in zip(written.tolist(), people.tolist(), strict=True)
            if _is_torn(by_number[key >> _BITS], by_number[key & ((1 << _BITS) - 1)], count, forms)
        )

    def is_name(self, word: str) -> bool:
        """Whether people write this word with a capital, wherever it stands; False of what few people write."""
        return word.lower() in self._names

    def is_common(self, word: str) -> bool:
        """Whether at least half of those who write this word amid a sentence write it small."""
        return word.lower() in self._common


def _is_torn(one: str, other: str, count: int, forms: Counter[str]) -> bool:
    whole = forms[one + other] if one.isalpha() and other.isalpha() and other not in _APART else 0
    return whole >= max(_CALLED, _JOINED * count)


def _keys(numbers: Sequence[int], n: int) -> Iterator[int]:
    """One number for each run of n neighbouring words."""
    for run in zip(*(numbers[at:] for at in range(n)), strict=False):
        key = 0
        for number in run:
            key = key << _BITS | number
        yield key


def _amid(text: str) -> Iterator[str]:
    """The words that open no sentence, in lower case or in title case."""
    for before, word in pairwise(_WORD.findall(text)):
        if before not in _STOPS and word[0].isalpha():
            yield word if word.islower() or word.istitle() else word.capitalize()


def _is_name(title: str, forms: Counter[str]) -> bool:
    return forms[title] >= max(_CALLED, _NAMED * (forms[title] + forms[title.lower()]))


def words_and_marks(text: str) -> list[str]:
    """Words, numbers and single marks, in lower case."""
    return _WORD.findall(text.lower())
