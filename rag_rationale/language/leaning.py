"""Polarity by two witnesses: the words of a text, and the index's head, which knows how such texts were rated.

Word lists err on irony, idioms and what a domain means by a word; the head errs on dry and on short texts. So words
that the head speaks against are neutral, and the head decides alone only where it is sure and the words do not tell.
"""

from __future__ import annotations

from rag_rationale.types import Polarity

PRAISED, COMPLAINED = 0.9, 0.2
"""Probabilities of praise from which, and up to which, the head decides alone. Where many praise, praise comes easily:
above 0.8 one still finds prices "a bit high"."""

AGAINST = 0.2  # probability of what the words say below which the head speaks against them


def leaning(words: Polarity, praise: float | None) -> Polarity:
    """The polarity of a text whose words read `words` and that praises with probability `praise`, None: unknown."""
    if praise is None:
        return words
    if words == "neutral":
        return "positive" if praise >= PRAISED else "negative" if praise <= COMPLAINED else "neutral"
    agreed = praise if words == "positive" else 1 - praise
    return words if agreed >= AGAINST else "neutral"
