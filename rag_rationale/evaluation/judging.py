"""Who says whether passages support a sentence: a protocol, and a judge that only counts words.

A judge knows nothing of how a sentence was made, so the service's and a counterpart's are judged alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from rag_rationale.types import CitedEvidence, Language

_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_\u3400-\u9fff]+(?:['’][^\W\d_]+)*|[\u3400-\u9fff]")
_MARKER = re.compile(r" *\[\d{1,3}\]")


class Judge(Protocol):
    """Decides on one sentence. `name` tells the tier that decides, for reports."""

    @property
    def name(self) -> str: ...

    def supports(self, sentence: str, evidence: Sequence[CitedEvidence], *, language: Language) -> bool:
        """Whether the passages, taken together, support all of the sentence, markers left out. False for none."""


class WordJudge:
    """Supported where `share` of a sentence's words, and every number, stand in the passages or their items' titles.

    It cannot tell who said what, nor a denial from its opposite: a floor under better judges.
    """

    def __init__(self, title: Callable[[str], str] = lambda _: "", *, share: float = 0.5) -> None:
        self._title, self._share = title, share

    @property
    def name(self) -> str:
        return "words"

    def supports(self, sentence: str, evidence: Sequence[CitedEvidence], *, language: Language) -> bool:
        """Whether enough of the words are there."""
        del language
        told = [t for e in evidence for t in (e.text, self._title(e.item_id or ""), f"{e.rating or 0:g}")]
        held = set(tokens(" ".join(told)))
        words = tokens(sentence)
        numbers = all(word in held for word in words if word[0].isdigit())
        return bool(evidence and words) and numbers and sum(w in held for w in words) >= self._share * len(words)


def tokens(text: str) -> list[str]:
    """Words, numbers and Han characters, in lower case and in order; citation markers are no words."""
    return _TOKEN.findall(without_markers(text).lower())


def without_markers(text: str) -> str:
    """The text as it reads without `[n]`."""
    return _MARKER.sub("", text)
