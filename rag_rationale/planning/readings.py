"""What a passage offers to be said: its spans, read once, without those that must not be shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rag_rationale.language import drawbacks
from rag_rationale.language.context import around
from rag_rationale.language.detect import detect_language
from rag_rationale.language.leaning import leaning
from rag_rationale.language.lexicon import lexicon
from rag_rationale.language.platitudes import is_platitude, substance
from rag_rationale.planning.company import Company
from rag_rationale.planning.spelling import Spelling
from rag_rationale.retrieval import LISTED, Entry, Rarity, entries, facts
from rag_rationale.types import Analyser, Evidence, Language, Passage, Polarity, Shape, Span

_LETTERS = re.compile(r"[A-Za-z]{3,}")
_RARE, _COMMON = 2.2, 1.2  # nats from which a noun, and one of `aspects`, is worth counting
_GOES_ON = re.compile(r"[ ,]*\b(?:and|but|so|because|until|when)\b", re.IGNORECASE)  # what is cut off may turn it
# where the user was, beside "here, one reviewer says"; "you wrote of X that this hotel is great"
_HERE, _THIS = re.compile(r"\bhere\b", re.IGNORECASE), re.compile(r"\bthis\b", re.IGNORECASE)
_CHEAP = re.compile(r"\bcheap", re.IGNORECASE)
_UNUSUAL = 1  # pairs of words in a span that hardly anybody else put together; of spans with more, a quarter is flawed
_RISKY = 1.25  # nats; three runs that nobody else wrote are let stand, four are not
_LONG = 10  # words; for as many a quotation may have one more
_SURE = 0.1  # probability from which the index's head is sure of what a passage does not praise
_FAINT = 2.5  # a praise in a review rated lower, or a complaint in one rated higher than its mirror, is not its point


@dataclass(frozen=True, slots=True)
class Reading:
    """A piece of evidence with the spans that may fill slots, in text order."""

    evidence: Evidence
    spans: tuple[Span, ...]

    def of(self, shape: Shape, polarity: Polarity | None = None) -> list[Span]:
        """Spans of a shape, of this polarity where one is asked for."""
        return [s for s in self.spans if s.shape == shape and polarity in (None, s.polarity)]


class Reader:
    """Reads evidence for a reply in `language`. A passage in another language may only be quoted, in the original.

    `title` is the item's name; `known_names` are words of the item's own text: naming its director gives nobody away,
    naming its waiter does. `forbidden` are words that a template never lets through, quotations included. Of the item's
    own text, what it admits (see `drawbacks`) reads negative, and half a truth is not read; but for `asked`, when a
    question is answered: a restriction may be the answer. `company` tells what others speak of.
    """

    def __init__(
        self,
        analysers: Mapping[Language, Analyser],
        *,
        language: Language,
        title: str,
        known_names: str,
        forbidden: Sequence[str],
        limits: Callable[[Shape], int],
        rarity: Rarity,
        asked: bool = False,
        company: Company | None = None,
    ) -> None:
        self._asked, self._company = asked, company
        self._rarity, self.language = rarity, language
        self._name, self._spelling = title, Spelling(title, rarity)
        words = re.findall(r"\w{2,}", title)
        own = [re.escape(word) for word in (*words, *(w[:-1] for w in words if w.endswith("s") and len(w) > 3))]
        self._title = re.compile("|".join([re.escape(title), *own]), re.IGNORECASE)
        self._analysers = analysers
        self._known, self._limits = known_names.lower(), limits
        self._forbidden = [phrase.lower() for phrase in forbidden]
        self._cache: dict[str, Reading] = {}

    def read(self, evidence: Evidence) -> Reading:
        """The evidence's reading; no spans where it may not be shown."""
        if evidence.id not in self._cache:
            self._cache[evidence.id] = Reading(evidence, tuple(self._spans(evidence)))
        return self._cache[evidence.id]

    def expect(self, evidence: Sequence[Evidence]) -> None:
        """Have what will be read soon analysed at once, which is cheaper than one by one."""
        for language, analyser in self._analysers.items():
            fresh = (e for e in evidence if e.passage.lang == language and e.event != "preference")
            analyser.prepare([e.passage.text for e in fresh if e.id not in self._cache])

    def forbids(self, evidence: Evidence) -> bool:
        """Whether a passage holds what the template never lets through: then it proves nothing either, not even a
        rating, since what is cited is shown."""
        return self.bars(evidence.passage.text)

    def bars(self, words: str) -> bool:
        """Whether words hold what the template never lets through."""
        return any(phrase in words.lower() for phrase in self._forbidden)

    def obvious(self, noun: str) -> bool:
        """Whether the item's name gives the noun away: that people speak of 耳朵 tells nothing of a 头戴式耳机."""
        return not noun.isascii() and not set(noun).isdisjoint(self._name)

    def shows(self, words: str) -> bool:
        """Whether words that no passage holds as they are may be shown: none is forbidden, none may name somebody."""
        names = [w for w in _LETTERS.findall(words)[1:] if w[0].isupper() and w.lower() not in self._known]
        return not self.bars(words) and not any(self._rarity.unheard(name) for name in names)

    @property
    def analyser(self) -> Analyser:
        """That of the language of the reply."""
        return self._analysers[self.language]

    def worth_counting(self, noun: str, forms: Sequence[str]) -> float | None:
        """How rare a noun is in the index, in nats; None where it is so common, so general or so private that how many
        reviewers say it tells nothing, or must not be told. `forms` is how it stands in what they wrote."""
        lists = lexicon(self.language)
        bare = noun in lists.get("bare_heads", ()) and noun not in lists["aspects"]
        named = any(self._rarity.is_name(word) for word in noun.split())  # "bring up the dunlop"
        general = named or bare or noun.rsplit(" ", 1)[-1] in lists["generic_heads"] or self._title.search(noun)
        if general or self._may_be_a_name(noun, forms):
            return None
        rare = self._rarity.rarest(noun)
        return rare if rare >= (_COMMON if noun in lists["aspects"] else _RARE) else None

    def _may_be_a_name(self, noun: str, forms: Sequence[str]) -> bool:
        """Whether neither the item nor people elsewhere say it; where the index is too small to tell, whether
        it is mostly written with a capital besides."""
        strange = any(w not in self._known and self._rarity.unheard(w) for w in _LETTERS.findall(noun))
        return strange and (self._rarity.hears or 2 * sum(form[0].isupper() for form in forms) > len(forms))

    def telling(self, words: str) -> float:
        """How much some words tell, 0 to 1: what could be said of anything, and the item's own name, tell nothing."""
        own = self._title.sub(" ", words)
        lang = detect_language(own, default=self.language)
        return 0.0 if is_platitude(own, lang) else self._rarity.telling(substance(own, lang))

    def unusual(self, words: str) -> int:
        """How many pairs of neighbouring words hardly anybody else in the index wrote, the item's own name aside."""
        return sum(self._rarity.unusual(part) for part in self._title.split(words))

    def risk(self, words: str) -> float:
        """How much likelier than others words are to hold a slip, in nats, the item's own name aside."""
        return sum(self._rarity.risk(part) for part in self._title.split(words))

    def share(self, entry: Entry) -> float:
        """The share of items that list this entry."""
        return self._rarity.share(entry)

    def _spans(self, evidence: Evidence) -> list[Span]:
        passage = evidence.passage
        analyser = self._analysers[passage.lang]
        if self.forbids(evidence):
            return []
        if evidence.event == "preference":
            whole = Span(passage.text, 0, len(passage.text), "quote", "", polarity="positive")
            return [whole] if len(passage.text) <= self._limits("quote") else []
        review = evidence.side == "review"
        listed = evidence.side == "item" and LISTED.match(passage.text) is not None
        one_by_one = _entries(passage) if listed and passage.lang == self.language else []
        if listed and passage.lang == self.language == "zh":
            return [s for s in (*_listed(passage), *one_by_one) if len(s.text) <= self._limits(s.shape)]
        return [self._spelling.of(entry, passage.text) for entry in one_by_one] + [
            span
            for span in (self._spelling.of(span, passage.text) for span in self._weighed(evidence, analyser))
            if len(span.text) <= self._limits(span.shape)
            and (span.shape == "quote" or not (listed or passage.lang != self.language))
            and self._says_so(span, evidence)
            and not (span.shape == "quote" and _tells_a_story(span, evidence, analyser))
            and not (review and self._names_someone(span, passage.lang))
            and not (span.shape == "np" and (_names_the_item(span, evidence.title) or self._is_a_name(span)))
            and not (review and span.shape == "np" and self._alone(span, passage.lang))
            and not (span.shape == "identity" and review and passage.lang == "en" and passage.start)
            and not (evidence.side == "history" and _HERE.search(span.text))
            and not (evidence.side == "history" and span.shape == "clause" and _THIS.search(span.text))
            and not (evidence.side != "item" and (self._misspells(span) or self._is_odd(span)))
        ]

    def _weighed(self, evidence: Evidence, analyser: Analyser) -> Iterator[Span]:
        """A passage's spans, each with what speaks in it: praise or complaint, or what the item's own text admits."""
        text, lang = evidence.passage.text, evidence.passage.lang
        for span in analyser.spans(text):
            if evidence.side != "item":
                yield _judged(span, evidence, analyser)
            elif span.shape != "quote" and evidence.passage.field.startswith("features"):
                continue  # 自助洗衣房 is a label, whatever its words could be elsewhere
            elif self._asked or not drawbacks.turned(text, span.end, lang):
                admitted = not self._asked and drawbacks.admits(span.text, lang)
                yield replace(span, polarity="negative" if admitted else "neutral")

    def _names_someone(self, span: Span, lang: Language) -> bool:
        """Whether the span may name a private person: by a proper noun or, where it speaks of staff, by any word, that
        neither the item's own text nor people elsewhere use ("the server deepak")."""
        words = [w for name in span.names for w in _LETTERS.findall(name)]
        if any(not _LETTERS.search(name) and name not in self._known for name in span.names):
            return True
        spoken = _LETTERS.findall(span.text)
        if lexicon(lang)["staff"].intersection(w.lower() for w in spoken):
            words += spoken
        return any(w.lower() not in self._known and self._rarity.unheard(w) for w in words)

    def _is_a_name(self, span: Span) -> bool:
        """Whether a noun phrase is nothing but a name: "the Dunlop"."""
        words = span.text.removeprefix("the ").split()
        return len(words) == 1 and self._rarity.is_name(words[0])

    def _alone(self, span: Span, lang: Language) -> bool:
        """Whether nobody else who reviewed the item speaks of a thing, so that it may be no part of it."""
        return lang == self.language == "en" and self._company is not None and not self._company.keeps(span.head)

    def _is_odd(self, span: Span) -> bool:
        """Whether too many pairs, or runs of three, of its words are hardly anybody else's; a long quotation may have
        more of them."""
        if span.shape != "quote":
            return self.unusual(span.text) > _UNUSUAL or self.risk(span.text) > _RISKY
        return self.unusual(span.text) > _UNUSUAL + len(span.text.split()) // _LONG

    def _misspells(self, span: Span) -> bool:
        """Whether a name stands without its capital, or a word is in no dictionary, not in the item's own text, and
        hardly said by anybody else or a letter off what everybody says; where the index is too small to tell, none is.
        """
        odd = (w for w in span.strange if w not in self._known)
        small = any(w.islower() and self._rarity.is_name(w) for w in _LETTERS.findall(span.text))
        return small or (self._rarity.hears and any(self._rarity.unheard(w) or self._rarity.misspells(w) for w in odd))

    def _says_so(self, span: Span, evidence: Evidence) -> bool:
        """A polarity that the rating does not contradict, of something that was so."""
        analyser = self._analysers[evidence.passage.lang]
        if span.polarity == "neutral" or evidence.side == "item":
            return span.shape in {"quote", "remark", "np", "identity"} or not analyser.irrealis(span.text)
        if evidence.rating is not None:
            towards = evidence.rating if span.polarity == "positive" else 6 - evidence.rating
            if towards < _FAINT:
                return False
        return not analyser.irrealis(around(evidence.passage.text, span.start, span.end))


def _names_the_item(span: Span, title: str) -> bool:
    """Whether a noun phrase is nothing but the item's name: "the Mazzo" of "Mazzo - Executive Apartments", but not "the
    garden" of "Garden House"."""
    words = _LETTERS.findall(span.text.removeprefix("the "))
    named = set(_LETTERS.findall(title.lower()))
    return bool(words) and all(word[0].isupper() and word.lower() in named for word in words)


def _tells_a_story(span: Span, evidence: Evidence, analyser: Analyser) -> bool:
    """Whether a quotation only tells what its author did: "we wanted to try something new, and went there"; in English
    also where the index's ratings find praise in it, which readers do not: "I use this to hold my picks"."""
    sure = evidence.praise is None or not _SURE < evidence.praise < 1 - _SURE
    told = evidence.side == "item" or (analyser.language != "en" and sure)
    return span.first_person and not told and analyser.polarity(span.text) == "neutral"


def _entries(passage: Passage) -> list[Span]:
    """Each entry of a list by itself: 主演里有甲, "the cuisines include Kebab"; where it is the only one, 导演是乙."""
    found = []
    for entry in entries(passage.text):
        if passage.lang == "zh":
            told = f"{entry.label}{'是' if entry.alone else '里有'}{entry.value}"
        else:
            many = entry.label.endswith("s") and not entry.label.endswith("ss")
            label = entry.label[: -1 if many and entry.alone else None]  # "the cuisine is Thai" of "Cuisines: Thai"
            verb = "is" if entry.alone else "include" if many else "includes"
            told = f"the {label.lower()} {verb} {entry.value}"
        found.append(Span(told, entry.start, entry.end, "entry", entry.value.lower()))
    return found


def _listed(passage: Passage) -> list[Span]:
    """What a list of facts says (类型：喜剧、动画), each as a clause (类型是喜剧、动画), but for what is no reason."""
    told = facts(passage.text)
    return [Span(f"{fact.label}是{fact.value}", fact.start, fact.end, "clause", fact.label) for fact in told]


def _judged(span: Span, evidence: Evidence, analyser: Analyser) -> Span:
    """The span with its polarity by both witnesses, as far as its passage's vector tells.

    A clause that the head speaks against may still be the one kind word of its passage: the verifier asks again. Of a
    noun phrase only its words can praise. Of words that do not judge nothing is made where what was cut off may turn
    them or where they tell that something is cheap, and no complaint of a quotation that denies nothing ("it was late
    when we reached here").
    """
    worded = span.shape != "np"
    if span.shape == "identity" and analyser.language == "en":
        return span  # neutral where it need not be of the whole
    if evidence.praise is None or worded != (span.polarity == "neutral"):
        return span
    if worded and (_CHEAP.search(span.text) or _GOES_ON.match(evidence.passage.text, span.end)):
        return span
    leant = leaning(span.polarity, evidence.praise)
    told = span.shape == "quote" and analyser.language == "en" and not analyser.negations(span.text)
    return span if told and leant == "negative" else replace(span, polarity=leant)
