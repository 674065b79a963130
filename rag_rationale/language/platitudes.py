"""What could be said of anything: praise, thanks and cheers, with no word of what it is that is praised."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from rag_rationale.language.lexicon import lexicon
from rag_rationale.language.wording import wording
from rag_rationale.types import Language

_MARKS = r"[\s，,。.！!、~～…；;]"


@lru_cache(maxsize=16384)
def is_platitude(text: str, language: Language) -> bool:
    """Whether a text consists of such words and of function words: 东西很好，值得购买; "highly recommended, buy it"."""
    return _hollow(language).fullmatch(text.lower()) is not None


def substance(text: str, language: Language) -> str:
    """A text in small letters without the words that could be said of anything, a space for each."""
    return _hollow_words(language).sub(" ", text.lower())


@cache
def _hollow_words(language: Language) -> re.Pattern[str]:
    """Those of English, and in Chinese those of two characters or more: one is a part of other words."""
    lists = lexicon(language)
    empty = {*lists["platitudes"], *wording(language).hollow, *lists.get("degree", ())}
    empty = {word for word in empty if language == "en" or len(word) > 1}
    words = "|".join(re.escape(word) for word in sorted(empty, key=len, reverse=True))
    return re.compile(rf"\b(?:{words})\b" if language == "en" else words)


@cache
def _hollow(language: Language) -> re.Pattern[str]:
    lists = lexicon(language)
    empty = {*lists["platitudes"], *wording(language).hollow, *lists["generic_heads"], *lists.get("degree", ())}
    words = "|".join(re.escape(word) for word in sorted(empty, key=len, reverse=True))
    if language == "en":
        return re.compile(rf"(?:{_MARKS}|\b(?:{words})\b)+")
    return re.compile(rf"(?:{_MARKS}|{words})++")  # the longest word first, and no other tried behind it
