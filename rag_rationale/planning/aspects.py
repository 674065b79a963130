"""Finds what the reviewers of an item speak of, and counts them: distinct people, each once.

Plain words are counted, which costs little; only for those that are said by enough people is a parser asked whether
they are nouns, and what is said of them. It knows no wording and no user.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rag_rationale.planning.readings import Reader
from rag_rationale.types import Evidence, Language, Mention, Polarity, Span, Tally

AT_LEAST, OF_AT_LEAST, SHARE = 3, 5, 0.2  # reviewers counted, reviewers there are, share of them
DIVIDED = 2  # reviewers on each side of an aspect that divides AT_LEAST + DIVIDED of them
_OTHER_TONGUES = 0.2  # share of reviewers who write another language, above which a count would miss them
_OFFERED = 2  # aspects of an item, best first
_PART = 0.7  # of those who say a word, so many mean a pair of words of which it is a part ("cream" of "ice cream")
_CHARGED = re.compile(r" (?:charges?|tax(?:es)?|fees?)\b|-[a-z]")  # "service charge", "beer-battered": of other things
_LOOKED_AT, _NOUN = 6, 0.8  # passages by which a word is known for a noun, share of them where it is one
_READ, _GLANCED_AT = 24, 8  # passages of one aspect that are read for praise and complaint; where a count of either
# needs more of them than that, some are read to see how people lean
_FRAGMENT = re.compile(r"[^.!?,;:()\n。！？；，：…（）]+")
_Where = tuple[Evidence, int, int]
_ByAuthor = dict[str, list[_Where]]


@dataclass(frozen=True, slots=True)
class Aspect:
    """What several reviewers speak of. `mentions` are neutral; `praise` and `complaints` leave out who does both.

    Praise and complaints are those that were recognised, so there may be more. Each has its best words first.
    """

    lemma: str
    mentions: Tally
    praise: Tally
    complaints: Tally

    @property
    def divided(self) -> bool:
        """Whether enough reviewers praise it and enough complain of it."""
        one, other = len(self.praise.mentions), len(self.complaints.mentions)
        return min(one, other) >= DIVIDED and one + other >= AT_LEAST + DIVIDED


def counts(tally: Tally) -> bool:
    """Whether enough reviewers, and enough of all, say so."""
    return len(tally.mentions) >= max(AT_LEAST, SHARE * tally.of) and tally.of >= OF_AT_LEAST


def aspects(
    reviews: Sequence[Evidence], reader: Reader, language: Language, worth: Callable[[Evidence], float]
) -> Iterator[Aspect]:
    """Aspects that enough reviewers mention, most worth telling first; none where too few people wrote.

    `reviews` are all passages that may speak, `worth` ranks them. Reviewers are told apart by `Passage.author`.
    """
    people = len({e.passage.author for e in reviews})
    own = [e for e in reviews if e.passage.lang == language]
    if people < OF_AT_LEAST or len({e.passage.author for e in own}) < (1 - _OTHER_TONGUES) * people:
        return
    ranked = sorted(own, key=worth, reverse=True)
    said = {
        lemma: found for lemma, found in _said(ranked, reader).items() if len(found) >= max(AT_LEAST, SHARE * people)
    }
    value = {lemma: _value(lemma, found, people, reader, worth) for lemma, found in said.items()}
    offered = 0
    for lemma in sorted((lemma for lemma in value if value[lemma] > 0), key=lambda lemma: (-value[lemma], lemma)):
        wholes = (other for other in said if lemma != other and lemma in other.split(" "))
        often = [other for other in wholes if len(said[other]) >= _PART * len(said[lemma])]
        part = any(_is_noun(other, said[other], reader) for other in often)
        if not part and _is_noun(lemma, said[lemma], reader):
            yield _aspect(lemma, said[lemma], reader, people)
            offered += 1
            if offered == _OFFERED:
                return


def _said(ranked: Sequence[Evidence], reader: Reader) -> dict[str, _ByAuthor]:
    """Where each term stands, by its lemma and by author; what is most worth telling first."""
    found: dict[str, _ByAuthor] = defaultdict(lambda: defaultdict(list))
    for evidence in ranked:
        text = evidence.passage.text
        for term in reader.analyser.terms(text):
            if _CHARGED.match(text, term.end):
                continue
            found[term.lemma][evidence.passage.author].append((evidence, term.start, term.end))
    return found


def _value(lemma: str, said: _ByAuthor, people: int, reader: Reader, worth: Callable[[Evidence], float]) -> float:
    """How much it is worth to tell how many say it: a rare word, said by many, in passages worth telling."""
    forms = [e.passage.text[start:end] for wheres in said.values() for e, start, end in wheres]
    rare = reader.worth_counting(lemma, forms)
    if rare is None:
        return 0.0
    best = sorted((worth(wheres[0][0]) for wheres in said.values()), reverse=True)[:3]
    return 1.0 + sum(best) / len(best) + 0.3 * len(said) / people + 0.05 * rare


def _is_noun(lemma: str, said: _ByAuthor, reader: Reader) -> bool:
    """Whether it names something nearly wherever it stands, by the first passages."""
    looked = [wheres[0][0].passage.text for wheres in said.values()][:_LOOKED_AT]
    reader.analyser.prepare(looked)
    named = sum(any(n.lemma == lemma for n in reader.analyser.nouns(text)) for text in looked)
    return named >= _NOUN * len(looked)


def _aspect(lemma: str, by_author: _ByAuthor, reader: Reader, people: int) -> Aspect:
    mentions = tuple(Mention(e, *_around(e, start, end)) for (e, start, end), *_ in by_author.values())
    said: dict[Polarity, dict[str, Mention]] = {"positive": {}, "negative": {}, "neutral": {}}
    read = _READ if SHARE * people <= _READ / 2 else _GLANCED_AT
    wheres = [where for wheres in by_author.values() for where in wheres][:read]
    reader.expect([evidence for evidence, _, _ in wheres])
    for evidence, start, end in wheres:
        for span in _said_of(lemma, start, end, reader.read(evidence).spans):
            at = evidence.passage.start
            said[span.polarity].setdefault(evidence.passage.author, Mention(evidence, at + span.start, at + span.end))
    praise, complaints = said["positive"], said["negative"]
    return Aspect(
        lemma,
        Tally(lemma, "neutral", mentions, people),
        Tally(lemma, "positive", tuple(m for who, m in praise.items() if who not in complaints), people),
        Tally(lemma, "negative", tuple(m for who, m in complaints.items() if who not in praise), people),
    )


def _said_of(lemma: str, start: int, end: int, spans: Sequence[Span]) -> Iterator[Span]:
    """Spans that are about the noun at that place, clauses first."""
    about = (
        s for s in spans if s.shape in {"clause", "np"} and s.start <= start < end <= s.end and lemma.endswith(s.head)
    )
    return iter(sorted(about, key=lambda s: s.shape))


def _around(evidence: Evidence, start: int, end: int) -> tuple[int, int]:
    """The words between two marks that hold a noun, as offsets in the source."""
    passage = evidence.passage
    for piece in _FRAGMENT.finditer(passage.text):
        if piece.start() <= start and end <= piece.end():
            lead = len(piece[0]) - len(piece[0].lstrip())
            return passage.start + piece.start() + lead, passage.start + piece.end() - (
                len(piece[0]) - len(piece[0].rstrip())
            )
    return passage.start + start, passage.start + end
