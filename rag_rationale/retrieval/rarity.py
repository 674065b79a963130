"""How rare each word is in an index: what nearly every review says ("good", "service", 不错) tells nobody anything."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from string import ascii_lowercase

from rag_rationale.language.lexicon import confusions, spellings
from rag_rationale.retrieval.listings import Entry, Listings
from rag_rationale.retrieval.usage import Usage
from rag_rationale.types import Item, Language, Passage

_SAMPLE_AT_LEAST = 20  # passages of a language below which no word is called common
_SAMPLE_TO_KNOW, _EVERYWHERE = 1500, 3  # passages sampled; items of which a word must be said to be no name
_CAP = 5.0  # nats; words rarer than this count as this rare
_SLIP, _OFTEN, _LONG = 1, 10, 5  # passages that hold a misspelling, and the word it misspells; letters of it
_MANY_TIMES = 5
_PLAIN = 1.5  # nats below which a word tells nothing
_FULL = 16.0  # nats of a span that tells as much as one can ask for
_TOKEN = re.compile(r"[A-Za-z0-9]+|[\u3400-\u9fff]")


class Rarity:
    """Inverse document frequency of words over a sample of an index's passages, per language, and of listed entries
    over a sample of its items; and pairs of words over a larger sample, `spoken`.

    Words are letters-and-digits runs, and pairs of Han characters, so that one measure serves both languages.
    """

    def __init__(self, passages: Sequence[Passage], items: Sequence[Item] = (), spoken: Sequence[Passage] = ()) -> None:
        self._usage = Usage(spoken)
        self._listings = Listings(items)
        self._total: Counter[Language] = Counter(p.lang for p in passages)
        self._counts: dict[Language, Counter[str]] = {"en": Counter(), "zh": Counter()}
        self._items: dict[str, set[str]] = defaultdict(set)
        self._slips: dict[str, int] = {}
        for passage in passages:
            said = set(units(passage.text))
            self._counts[passage.lang].update(said)
            for unit in said:
                self._items[unit].add(passage.item_id)

    def of(self, unit: str) -> float:
        """Nats: 0 for a word that every passage of its script's language has, `_CAP` for one that hardly any has."""
        lang: Language = "zh" if _is_han(unit[0]) else "en"
        total = self._total[lang]
        if total < _SAMPLE_AT_LEAST:
            return _CAP / 2
        count = self._counts[lang][unit]
        if count <= _SLIP and lang == "en":
            count = max(count, self._meant(unit))
        return min(math.log((total + 1) / (count + 0.5)), _CAP)

    def misspells(self, word: str) -> bool:
        """Whether a word that is strange, or often written for another, stands for one that is said much more often: a
        letter away from it, or the one that it is confused with."""
        word = word.lower()
        meant = confusions("en").get(word)
        near = self._meant(word) if meant is None else self._counts["en"][meant]
        return near >= max(_MANY_TIMES * self._counts["en"][word], _OFTEN)

    def _meant(self, word: str) -> int:
        """How many passages say the commonest word a letter away, 0 where it is like no common one."""
        if len(word) < _LONG or not word.isalpha():
            return 0
        if word not in self._slips:
            near = max(self._counts["en"].get(other, 0) for other in _one_letter_off(word) if other != word)
            self._slips[word] = near if near >= _OFTEN else 0
        return self._slips[word]

    def share(self, entry: Entry) -> float:
        """The share of the items listing anything under the entry's label that list its value."""
        return self._listings.share(entry)

    def rarest(self, words: str) -> float:
        """The rarity of the rarest word; 0 for none."""
        return max((self.of(unit) for unit in units(words)), default=0.0)

    @property
    def hears(self) -> bool:
        """Whether the index is large enough to tell whom people speak of."""
        return sum(self._total.values()) >= _SAMPLE_TO_KNOW

    def unheard(self, word: str) -> bool:
        """Whether people say this word of hardly any item: a dish is spoken of everywhere, a waiter in one place.

        In an index too small to tell, every word is unheard.
        """
        return not self.hears or len(self._items.get(word.lower(), ())) < _EVERYWHERE

    def unusual(self, words: str) -> int:
        """How many pairs of neighbouring words hardly anybody wrote; 0 where the index is too small to tell."""
        return self._usage.unusual(words)

    def risk(self, words: str) -> float:
        """How much likelier than others words are to hold a slip, in nats; 0 where the index is too small to tell."""
        return self._usage.risk(words)

    def is_name(self, word: str) -> bool:
        """Whether people write this English word with a capital, wherever it stands."""
        return self._usage.is_name(word)

    def is_common(self, word: str) -> bool:
        """Whether people mostly write this English word small; False of what few people write."""
        return self._usage.is_common(word)

    def telling(self, words: str) -> float:
        """How much some words tell, 0 to 1: the rarity of each distinct one, saturating."""
        said = set(units(words))
        # pairs of Han characters overlap, so each counts half a word
        rare = sum(max(self.of(u) - _PLAIN, 0.0) * (0.5 if _is_han(u[0]) else 1.0) for u in said)
        return min(rare / _FULL, 1.0)


def _one_letter_off(word: str) -> Iterator[str]:
    """Words that differ by a letter left out, put in, changed, or swapped with the next (after Norvig 2007)."""
    for at in range(len(word) + 1):
        head, tail = word[:at], word[at:]
        yield head + tail[1:]
        yield head + tail[1:2] + tail[:1] + tail[2:]
        for letter in ascii_lowercase:
            yield head + letter + tail
            yield head + letter + tail[1:]


def units(text: str) -> list[str]:
    """Runs of letters and digits in lower case, in one spelling, and pairs of Han characters that stand together."""
    tokens = [spellings("en").get(token, token) for token in _TOKEN.findall(text.lower())]
    pairs = [a + b for a, b in pairwise(tokens) if _is_han(a) and _is_han(b)]
    return [t for t in tokens if not _is_han(t)] + pairs


def _is_han(token: str) -> bool:
    return "\u3400" <= token <= "\u9fff"
