"""Chinese: noun phrases, clauses, likings and quotable sentences, by jieba's words and parts of speech.

`words` asks jieba, `units` cuts, `clauses` and `nouns` read, `polarity` judges. None of them knows users,
items or evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from rag_rationale.language.chinese.clauses import Clauses
from rag_rationale.language.chinese.nouns import Nouns
from rag_rationale.language.chinese.polarity import irrealis, polarity
from rag_rationale.language.chinese.units import HAN, ODD, SENTENCE, announces, divided, misspells, quotable, units
from rag_rationale.language.chinese.words import Words
from rag_rationale.types import Language, Noun, Polarity, Span

_EDGE = " \t\r\n-—、.·,，。；;"
_LONGEST_QUOTE = 90
_KEPT = frozenset(("又", "都", "整体", "总体", "整体上", "总体上"))
_STOPS = re.compile(r"[，。！？；、,.!?;…~～\s]+")


class Chinese:
    """Analyser for Chinese. Safe to share between threads."""

    language: Language = "zh"

    def __init__(self) -> None:
        self._words = Words()
        self._polarity = lru_cache(maxsize=16384)(lambda text: polarity(text, self._words))
        self._nouns = Nouns(self._words, self._polarity)
        self._clauses = Clauses(self._words, self._polarity, self._nouns.people)
        self._terms = lru_cache(maxsize=16384)(lambda text: tuple(self._nouns.named(text)))
        self._spans = lru_cache(maxsize=8192)(lambda text: tuple(self._all_spans(text)))

    def prepare(self, texts: Sequence[str]) -> None:
        """Nothing: words are cut as fast one text by one."""

    def spans(self, text: str) -> list[Span]:
        """Noun phrases, clauses, likings, identities and quotable sentences, in text order."""
        return list(self._spans(text))

    def terms(self, text: str) -> tuple[Noun, ...]:
        """Nouns of two characters or more, and pairs of nouns that stand together (背负系统)."""
        return self._terms(text)

    def nouns(self, text: str) -> tuple[Noun, ...]:
        """The same: jieba tells parts of speech as it cuts."""
        return self._terms(text)

    def negations(self, text: str) -> int:
        """How many negations the text holds."""
        return sum(self._words.negates(w.text) for w in self._words.cut(text))

    def polarity(self, text: str) -> Polarity:
        """Polarity of a clause by its own words; "neutral" where they do not tell or tell both."""
        return self._polarity(text)

    def irrealis(self, text: str) -> bool:
        """Whether the text tells of what was not so: 希望能快一点, 以前很好, 本以为很舒服."""
        return irrealis(text)

    def _all_spans(self, text: str) -> Iterator[Span]:
        found = list(units(text, self._words))
        spans = [*self._quotes(text), *self._clauses.spans(found), *(s for u in found for s in self._nouns.spans(u))]
        return iter(sorted(spans, key=lambda s: s.start))

    def _heaps(self, part: str) -> bool:
        """Whether sentences follow each other without a mark: 没有进步每一部都差不多不好看."""
        return len(part) > 11 and self.negations(part) > 1

    def _quotes(self, text: str) -> Iterator[Span]:
        """Sentences as they are, from behind their connectives; but for those that answer a question."""
        asked = False
        for match in SENTENCE.finditer(text):
            answers, asked = asked, "？" in match[0] or "?" in match[0]
            if answers:
                continue
            start = match.start() + len(match[0]) - len(match[0].lstrip(_EDGE))
            end = match.start() + len(match[0].rstrip(_EDGE))
            for word in self._words.at(text, start, end):
                if word.text in _KEPT:  # 又甜又虐, 整体是好的: without it the sentence is cut
                    break
                if word.text not in self._words.lists["leading"] and not word.text.isspace() and word.tag != "x":
                    start = word.start
                    break
            raw = text[start:end]
            if (
                len(HAN.findall(raw)) >= 4
                and len(raw) <= _LONGEST_QUOTE
                and raw[0] not in "了的着过呢吧"
                and not ODD.search(raw)
                and not announces(raw)
                and quotable(raw)
                and not set(raw) & set('“”"')
            ):
                words = self._words.cut(raw)
                if misspells(words, self._words) or any(self._heaps(part) for part in _STOPS.split(raw)):
                    continue
                yield Span(
                    raw,
                    start,
                    end,
                    "quote",
                    next((w.text for w in words if w.nominal), ""),
                    polarity="neutral" if divided(raw) else self._polarity(raw),
                    first_person=self._words.has(words, "first_person"),
                    names=self._nouns.people(raw),
                )
