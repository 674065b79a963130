"""Polarity by two witnesses: the words of a text, and the index's head, which knows how such texts were rated.

Word lists err on irony, idioms and what a domain means by a word; the head errs on short and dry texts. So neither
overrules the other: words that the head speaks against are neutral, and it decides alone only where it is sure and the
words do not tell.
"""

from __future__ import annotations

from rag_rationale.types import Polarity

SURE = 0.8  # probability from which the head decides alone, for praise; 1 minus it for complaint
AGAINST = 0.2  # probability of what the words say below which the head speaks against them


def leaning(words: Polarity, praise: float | None) -> Polarity:
    """The polarity of a text whose words read `words` and that praises with probability `praise`, None: unknown."""
    if praise is None:
        return words
    if words == "neutral":
        return "positive" if praise >= SURE else "negative" if praise <= 1 - SURE else "neutral"
    agreed = praise if words == "positive" else 1 - praise
    return words if agreed >= AGAINST else "neutral"
