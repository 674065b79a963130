"""Who says whether passages support a sentence: a protocol, the project's judge behind it, and a counter of words.

A judge knows nothing of how a sentence was made, so the service's and a counterpart's are judged alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from rag_rationale import grounding
from rag_rationale.evaluation.claims import claim_of
from rag_rationale.types import CitedEvidence, Counted, Language, Snapshot, Tier

_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_\u3400-\u9fff]+(?:['’][^\W\d_]+)*|[\u3400-\u9fff]")
_MARKER = re.compile(r" *\[\d{1,3}\]")


@dataclass(frozen=True, slots=True)
class Cited:
    """A sentence with its markers and the distinct passages that they name; `unknown` markers name none that was given.

    `title` is that of the recommended item, `counted` what the sentence has proven to count.
    """

    text: str
    evidence: tuple[CitedEvidence, ...]
    language: Language
    title: str = ""
    unknown: int = 0
    counted: Counted | None = None


class Judge(Protocol):
    """Decides on one sentence. `name` tells the tier that decides, for reports."""

    @property
    def name(self) -> str: ...

    def supports(self, cited: Cited) -> bool:
        """Whether the passages, taken together, support all of the sentence. False where nothing is cited."""


class GroundedJudge:
    """The project's judge of sentences, asked up to the tier `last` and named after the last it can ask."""

    def __init__(self, judge: grounding.Judge, snapshot: Snapshot, *, last: Tier) -> None:
        self._judge, self._snapshot, self._last = judge, snapshot, last

    @property
    def name(self) -> str:
        return self._judge.tiers(self._last)[-1]

    def supports(self, cited: Cited) -> bool:
        """Whether the judge lets the sentence through."""
        claim = claim_of(cited.text, cited.evidence, self._snapshot, language=cited.language, title=cited.title)
        claim = claim.model_copy(update={"counted": cited.counted})
        return self._judge.judge(claim, last=self._last).label == "supported"


class WordJudge:
    """Supported where `share` of a sentence's words, and every number, stand in the passages.

    It cannot tell who said what, nor a denial from its opposite: a floor under better judges, and one for tests.
    """

    name = "words"

    def __init__(self, *, share: float = 0.5) -> None:
        self._share = share

    def supports(self, cited: Cited) -> bool:
        """Whether enough of the words are there."""
        held = set(tokens(" ".join(f"{e.text} {e.rating or 0:g}" for e in cited.evidence)))
        words = tokens(cited.text)
        numbers = all(word in held for word in words if word[0].isdigit())
        return bool(cited.evidence and words) and numbers and sum(w in held for w in words) >= self._share * len(words)


def tokens(text: str) -> list[str]:
    """Words, numbers and Han characters, in lower case and in order; citation markers are no words."""
    return _TOKEN.findall(without_markers(text).lower())


def without_markers(text: str) -> str:
    """The text as it reads without `[n]`."""
    return _MARKER.sub("", text)
