"""Faults that words alone prove, and near proofs: numbers, names, titles and quotations that the sources lack."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from rag_rationale.grounding.clauses import STARS, Clause
from rag_rationale.language.titles import spoken_titles
from rag_rationale.language.tokens import Token, excluded, proper, tokens
from rag_rationale.language.wording import wording
from rag_rationale.types import Claim, Language, Source

_SPACE = re.compile(r"[\s\u3000]+")
_MARK = re.compile(r"[^\w\s]")
_ROUGH = re.compile(
    r"(?:\b(?:under|over|about|around|nearly|almost|than|up to|roughly|within|some|at least|at most|by|every|half)"
    "|不到|近|约|超过|将近|差不多)$"
)


def fact_faults(clause: Clause, claim: Claim) -> list[str]:
    """Names, titles and quotations of a clause that none of its sources holds."""
    known = _known(clause, claim.language)
    return [
        *_name_faults(clause, known, claim),
        *_title_faults(clause, claim),
        *_misnamed(clause, known, claim),
        *_quote_faults(clause, claim),
    ]


def fact_doubts(clause: Clause, claim: Claim) -> dict[str, list[tuple[float, str]]]:
    """What is nearly always a falsehood, with how surely: a `number` that no source has (less for a rough or a small
    one, which may sum up), one that a source `counted` otherwise, what looks like a name that no source has (`named`).
    """
    language = claim.language
    known = _known(clause, language)
    proven = {claim.counted.count, claim.counted.of} if claim.counted else set()
    there = {t.number for t in known if t.number is not None}
    text = " ".join(f"{s.title} {s.text}" for s in clause.sources)
    counted = {(b.key, a.number) for a, b in pairwise(known) if a.number is not None and not b.hollow}
    ratings = {s.rating for s in clause.sources}
    doubts: dict[str, list[tuple[float, str]]] = {"number": [], "counted": [], "named": _strangers(clause, claim)}
    for i, word in enumerate(clause.words):
        if word.number is None or word.text.lower() in wording(language).loose_numbers:
            continue
        before = clause.masked[: word.start].rstrip().lower()
        if STARS.match(clause.masked[word.end :]) or before.endswith(("out of", "/")):
            continue
        if word.number in ratings and wording(language).deeds["rated"].search(clause.text.lower()):
            continue
        after = clause.words[i + 1] if i + 1 < len(clause.words) else None
        if word.number in proven:
            continue
        if word.number not in there and not (language == "zh" and word.text in text):
            near = any(n is not None and abs(word.number - n) <= 0.15 * n for n in there)
            rough = (near and bool(_ROUGH.search(before))) or (
                language == "en" and word.number <= 3 and not word.text[0].isdigit()
            )
            rough |= any(word.number * n in there for n in (7, 60, 12))
            doubts["number"].append((0.3 if rough else 1.0, f"number '{word.text}' is in no source"))
        elif after is not None and not after.hollow:
            said = {number for key, number in counted if key == after.key}
            units = [b for a, b in pairwise(known) if a.number == word.number]
            other = bool(units) and all(excluded(after, b, language) for b in units)
            if other or (said and word.number not in said):
                doubts["counted"].append((1.0, f"'{word.text} {after.text}' is counted otherwise in the source"))
    return doubts


def _known(clause: Clause, language: Language) -> list[Token]:
    return [t for s in clause.sources for text in (s.text, s.title) for t in tokens(text, language)]


def _strangers(clause: Clause, claim: Claim) -> list[tuple[float, str]]:
    """Chinese words that the dictionary takes for names, where no source has them."""
    if claim.language != "zh":
        return []
    texts = " ".join(f"{s.title} {s.text}" for s in clause.sources) + claim.item
    return [
        (1.0, f"name '{w.text}' is in no source")
        for w in clause.words
        if not w.hollow and w.number is None and proper(w.text) and w.text not in texts
    ]


def _name_faults(clause: Clause, known: Sequence[Token], claim: Claim) -> list[str]:
    language = claim.language
    there = {t.text.lower() for t in known} | {t.key for t in known}
    there |= {t.text.lower() for t in tokens(claim.item, language)} | {t.key for t in tokens(claim.item, language)}
    texts = " ".join(f"{s.title} {s.text}" for s in clause.sources) + claim.item
    people = [m[0] for m in wording(language).named.finditer(clause.masked)]
    faults = [f"name '{name}' is in no source" for name in people if name not in texts]
    for word in clause.words:
        if word.number is not None or word.text.lower() in there or word.key in there:
            continue
        if _capital(word, clause, language) and word.text.lower() not in wording("en").hollow:
            faults.append(f"name '{word.text}' is in no source")
    return faults


def _capital(word: Token, clause: Clause, language: Language) -> bool:
    """Whether a word of Latin letters has a capital that no start of a sentence or quotation explains.

    A first word counts too where a verb of speech follows: "Marco says".
    """
    if not re.match(r"[A-Z]", word.text) or len(word.text) < 2:
        return False
    before = clause.masked[: word.start].rstrip()
    opens = not before or before[-1] in "“\"‘'.!?:：。！？「『《"
    speaks = clause.voice is None and re.match(
        wording(language).tells.pattern, clause.masked[word.end :].lstrip().lower()
    )
    return not opens or any(c.isupper() for c in word.text[1:]) or bool(speaks)


def _title_faults(clause: Clause, claim: Claim) -> list[str]:
    """A title named in a clause must be that of one of its sources, or of the recommended item."""
    own = {t.lower() for title in (claim.item, *(s.title for s in clause.sources)) for t in spoken_titles(title)}
    text = clause.text.lower()
    faults = []
    for source, title in ((s, t.lower()) for s in claim.evidence for t in spoken_titles(s.title)):
        inside = any(title in other for other in own) or any(title in s.text.lower() for s in clause.sources)
        if len(title) > 1 and title in text and not inside:
            faults.append(f"'{source.title}' is the title of [{source.label}], not of {_named(clause.sources)}")
    history = [s for s in clause.sources if s.side == "history"]
    alone = len(history) == len(clause.sources)
    if (clause.voice == "user" or alone) and history and claim.item and claim.item.lower() in text:
        titles = {title.lower() for s in history for title in spoken_titles(s.title)}
        if claim.item.lower() not in titles and not any(t and t in text for t in titles):
            faults.append(f"'{claim.item}' is not what the reader's source speaks of: {'/'.join(sorted(titles))}")
    return faults


def _misnamed(clause: Clause, known: Sequence[Token], claim: Claim) -> list[str]:
    """Half of a title beside a word that is not its other half: 巷口米粉店 for 街角米粉店."""
    keys, there = [w.key for w in clause.words], {t.key for t in known}
    faults = []
    for source in clause.sources:
        told = any(title.lower() in clause.text.lower() for title in spoken_titles(source.title))
        if source.side != "history" or told:
            continue
        title = tokens(source.title, claim.language)
        for i, kept in enumerate(title):
            for step in (-1, 1):
                if not 0 <= i + step < len(title) or title[i + step].key in keys or kept.hollow:
                    continue
                for at, key in enumerate(keys):
                    if key == kept.key and 0 <= at + step < len(keys):
                        other = clause.words[at + step]
                        apart = max(other.start - clause.words[at].end, clause.words[at].start - other.end)
                        named = claim.language == "zh" or (
                            other.text[:1].isupper() and clause.words[at].text[:1].isupper()
                        )
                        if named and apart <= (claim.language == "en") and not other.hollow and other.key not in there:
                            faults.append(
                                f"'{other.text}' stands in place of '{title[i + step].text}' in '{source.title}'"
                            )
    return faults


def _quote_faults(clause: Clause, claim: Claim) -> list[str]:
    """What stands in quotation marks is a title, or stands so in a source."""
    held = [_bare(text) for s in clause.sources for text in (s.text, s.title)] + [_bare(claim.item)]
    faults = []
    for quote in clause.quotes:
        parts = [p for p in re.split(r"\.{3,}|…+|\[[^\]]*\]", quote) if _bare(p)]
        for part in parts:
            if not any(_bare(part) in text or (len(text) > 1 and text in _bare(part)) for text in held if text):
                faults.append(f"'{part.strip()}' is quoted and stands in no source")
    return faults


def _bare(text: str) -> str:
    return _SPACE.sub("" if re.search(r"[\u3400-\u9fff]", text) else " ", _MARK.sub(" ", text.lower())).strip()


def _named(sources: Sequence[Source]) -> str:
    return ", ".join(f"[{s.label}]" for s in sources)
