"""Whether a clause shifts what its sources say: in degree, in time, by a cause of its own, or onto more people."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag_rationale.grounding.clauses import Clause
from rag_rationale.grounding.placing import Placed, match_words, mean, place_words
from rag_rationale.language.tokens import Token, tokens
from rag_rationale.language.wording import wording
from rag_rationale.types import Language

CUES = ("high", "low", "all", "some", "than", "now", "then", "will", "caused", "kin", "other")
_READER = re.compile(r"\b(?:you|your|yours)\b|您|你")
_MARK: dict[Language, re.Pattern[str]] = {"en": re.compile(r"\bthan\b"), "zh": re.compile("比(?!较|如)")}
_ASKED = frozenset(("preference", "query", "request", "search"))


def shifting(
    clause: Clause,
    words: Sequence[Token],
    matches: Sequence[list[tuple[float, Placed]]],
    near: str,
    language: Language,
) -> dict[str, float]:
    """`near` is the text of the parts of the sources nearest to the clause. Each is 1 where a cue of the kind stands on
    one side only: `raised`, `lowered` (degree), `eased` (the source's degree is lost), `timed` and `untimed` (a cue of
    time), `caused`; `done`: a wish is told as a deed. `shifted` counts words in the past on one side only.
    """
    known = wording(language)
    own = clause.masked.lower()
    there = " ".join(s.text.lower() for s in clause.sources)
    found = {}
    for name, pattern in known.cues.items():
        said = set(pattern.findall(own))
        found[name] = float(bool(said) and not said.issubset(pattern.findall(there)))
        found[f"un{name}"] = float(any(cue not in said for cue in pattern.findall(near)))
    wished = bool(clause.sources) and all(s.event in _ASKED for s in clause.sources)
    found["done"] = float(wished and clause.voice == "user" and not known.wished.search(own))
    found["unowned"] = float(_unowned(clause))
    found["turned"] = float(_turned(clause, language))
    found["shifted"] = float(
        sum(
            bool(exact := [p for s, p in held if s >= 1])
            and all(past(p.token, language) != past(w, language) for p in exact)
            for w, held in zip(words, matches, strict=True)
        )
    )
    return found


def _unowned(clause: Clause) -> bool:
    """Whether the reader's own sources are told without a word that says that they are hers."""
    text = clause.text.lower()
    mine = bool(clause.sources) and all(s.side == "history" for s in clause.sources)
    return mine and not _READER.search(text) and not any(s.title and s.title.lower() in text for s in clause.sources)


def _turned(clause: Clause, language: Language) -> bool:
    """Whether a comparison is told the wrong way round: what stood behind "than" stands before it."""
    own = _compared(clause.words, clause.masked, language)
    there = [_compared(tokens(s.text, language), s.text, language) for s in clause.sources]
    pairs = [pair for found in there for pair in found]
    return any(
        (bool(behind & before_there) and not behind & behind_there)
        or (bool(before & behind_there) and not behind & behind_there and not before & before_there)
        for before, behind in own
        for before_there, behind_there in pairs
    )


def _compared(words: Sequence[Token], text: str, language: Language) -> list[tuple[set[str], set[str]]]:
    """Words of content before and behind each mark of a comparison."""
    found = []
    for mark in _MARK[language].finditer(text.lower()):
        before = [w.key for w in words if w.end <= mark.start() and not w.hollow][-4:]
        behind = [w.key for w in words if w.start >= mark.end() and not w.hollow][:2]
        found.append((set(before), set(behind)))
    return found


def past(word: Token, language: Language) -> bool:
    """Whether an English word has the form of the past."""
    text = word.text.lower()
    return language == "en" and (text.endswith("ed") or text in wording("en").irregular)


def each(clause: Clause, words: Sequence[Token], language: Language) -> float:
    """How much less of what several are said to say the one holds who holds least of it."""
    people: dict[str, list[int]] = {}
    for number, source in enumerate(clause.sources):
        people.setdefault(source.author or f"[{source.label}]", []).append(number)
    if clause.voice not in ("many", "all") or len(people) < 2 or not words:
        return 0.0
    shares = []
    for numbers in people.values():
        _, index = place_words([clause.sources[n] for n in numbers], language)
        shares.append(mean([max((s for s, _ in match_words(w, index, language)), default=0.0) for w in words]))
    return 1 - min(shares)
