"""The verifier: whether a draft says only what its passages and their rows hold.

It reads the finished draft and trusts nothing of how it was made. Lexical tier: words in order, numbers, negation,
polarity, irrealis, names, person, and what the frame's wording asserts of speakers, events and sides. Embedding tier,
for the draft that would be served: polarity again, of the very words, by the index's head. Further tiers (likelihood)
come behind the same verdict.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rag_rationale.grounding.counting import Census
from rag_rationale.grounding.form import form_faults
from rag_rationale.language.context import around
from rag_rationale.language.leaning import leaning
from rag_rationale.language.titles import spoken_titles
from rag_rationale.types import Analyser, Cite, Draft, Evidence, Filler, Judge, Language, Polarity, Verdict

VERSION = "lexical-2"
_WHOLE = 0.8  # share of its passage from which a text is as good as the passage
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_WORDED = {"clause", "liking", "identity", "remark", "quote"}  # shapes that say something; a noun phrase only names it
_FUNCTION_WORDS = {"en": frozenset(("the", "a", "an")), "zh": frozenset[str]()}
# 类型：喜剧、动画 is told as 类型是喜剧、动画 or 类型里有动画, "Cuisines: Kebab, Asian" as "the cuisines include Asian"
_LISTING = {"en": frozenset(("the", "is", "include", "includes")), "zh": frozenset("是里有")}
_TOKEN = re.compile(r"[A-Za-z0-9]+(?:['’][A-Za-z]+)*|[\u3400-\u9fff]")
_FIRST_PERSON = {
    "en": re.compile(r"\b(?:i|me|my|mine|we|us|our|ours|you|your|yours|im|ive)\b", re.IGNORECASE),
    "zh": re.compile("我|咱|俺|你|您|本人"),
}


class Verifier:
    """Grounds drafts in `language`; what they quote is judged by the analyser of its own language.

    `verbs` is the template's wording of each event, `longest` its limit for a sentence in characters; `judge` says what
    the index's ratings tell of a text's polarity. Counts are held against `reviews`, all that may speak of the item.
    """

    def __init__(
        self,
        analysers: Mapping[Language, Analyser],
        *,
        language: Language,
        verbs: Mapping[str, str],
        longest: int,
        judge: Judge | None = None,
        reviews: Sequence[Evidence] = (),
    ) -> None:
        self._analysers, self._analyser, self._judge = analysers, analysers[language], judge
        self._verbs, self._longest = verbs, longest
        self._census = Census(reviews, self._analyser)

    def verify(self, draft: Draft) -> Verdict:
        """Supported only if no fault is found; the score is the share of the draft's own words its citations cover."""
        faults = [*form_faults(draft, self._analyser, longest=self._longest)]
        for filler in draft.fillers:
            faults += self._filler_faults(filler, draft)
        for cite in draft.cites:
            faults += self._cite_faults(cite)
        faults += self._coverage_faults(draft)
        score = self._score(draft)
        return Verdict("unsupported" if faults else "supported", "lexical", 0.0 if faults else score, tuple(faults))

    def confirm(self, draft: Draft, verdict: Verdict) -> Verdict:
        """The verdict on a draft that the lexical tier supports, after the embedding tier.

        The very words that the frame makes praise or complaint are judged by themselves, which costs an embedding where
        they are but a part of their passage.
        """
        faults = []
        judged = False
        for words, evidence, asserted in self._judged_words(draft):
            praise = self._praise(words, evidence)
            judged |= praise is not None
            read = leaning(self._analysers[evidence.passage.lang].polarity(words), praise)
            if read != asserted:
                faults.append(f"'{words}' is asserted {asserted} and is judged {read}")
        if faults:
            return Verdict("unsupported", "embedding", 0.0, tuple(faults))
        return replace(verdict, tier="embedding") if judged else verdict

    def _judged_words(self, draft: Draft) -> Iterator[tuple[str, Evidence, Polarity]]:
        """The words that a draft makes praise or complaint: of each slot, of each passage cited for a shared aspect."""
        for filler in draft.fillers:
            asserted = filler.asserts.polarity
            if asserted in (None, "neutral") or filler.evidence.event == "preference":
                continue
            if filler.shape == "count" and filler.tally is not None:
                yield from ((m.words, m.evidence, asserted) for m in filler.tally.mentions)
            elif filler.shape in _WORDED:
                yield filler.text, filler.evidence, asserted
            elif filler.shape == "aspect" and filler.tally is None:
                cite = next(c for c in draft.cites if c.evidence[0].id == filler.evidence.id)
                for evidence, start, end in list(zip(cite.evidence, cite.starts, cite.ends, strict=True))[1:]:
                    yield _cited(evidence, start, end), evidence, asserted

    def _praise(self, words: str, evidence: Evidence) -> float | None:
        if evidence.praise is None or len(words) >= _WHOLE * len(evidence.passage.text) or self._judge is None:
            return evidence.praise
        judged = self._judge([words], evidence.passage.lang)
        return judged[0] if judged else None

    def _polarity(self, words: str, evidence: Evidence) -> Polarity:
        """Polarity as the words tell it, or where they do not, as the ratings tell it of the whole passage."""
        read = self._analysers[evidence.passage.lang].polarity(words)
        return leaning(read, evidence.praise) if read == "neutral" else read

    def _filler_faults(self, filler: Filler, draft: Draft) -> list[str]:
        evidence, asserts = filler.evidence, filler.asserts
        faults = []
        if asserts.side is not None and asserts.side != evidence.side:
            faults.append(f"{filler.slot} speaks for the {asserts.side} side and rests on {evidence.side}")
        if asserts.event is not None and not self._event_holds(asserts.event, evidence):
            faults.append(f"{filler.slot} asserts event '{asserts.event}', the row says '{evidence.event}'")
        if evidence.side != "history" and evidence.passage.quarantined is not None:
            faults.append(f"{filler.slot} rests on a quarantined passage")
        match filler.shape:
            case "title":
                proven = filler.text in spoken_titles(evidence.title)
                faults += [] if proven else [f"{filler.slot} is not the item's title"]
            case "verb":
                proven = self._verbs.get(evidence.event or "") == filler.text
                faults += [] if proven else [f"no event row proves '{filler.text}'"]
            case "stars":
                proven = evidence.rating is not None and filler.text == f"{evidence.rating:g}"
                faults += [] if proven else [f"no rating of {filler.text} in the row"]
            case "count" | "of" | "aspect" if filler.tally or filler.shape != "aspect":
                faults += self._census.faults(filler, draft.cites)
                if filler.shape == "count":
                    faults += self._judged_faults(filler)
            case "aspect":
                faults += self._aspect_faults(filler, draft)
            case _:
                faults += self._word_faults(filler)
        return faults

    def _word_faults(self, filler: Filler) -> list[str]:
        """Faults of a filler made of its passage's words."""
        passage, asserts = filler.evidence.passage, filler.asserts
        if not passage.start <= filler.start < filler.end <= passage.end:
            return [f"{filler.slot} points outside its passage"]
        source = passage.text[filler.start - passage.start : filler.end - passage.start]
        if filler.shape in {"quote", "remark"}:
            asserted = asserts.polarity in ("positive", "negative") and filler.evidence.event != "preference"
            faults = self._polarity_faults(filler) if asserted else []
            return faults if filler.text == source else [*faults, f"{filler.slot} is not verbatim"]
        faults = []
        language = self._analyser.language
        if passage.lang != language:
            faults.append(f"{filler.slot} speaks {passage.lang} in a reply in {language}")
        listed = filler.evidence.side == "item" and not {"：", ":"}.isdisjoint(source)
        joining = _LISTING[language] if listed else _FUNCTION_WORDS[language]
        missing = _not_in_order(filler.text, source, joining)
        if missing:
            faults.append(f"{filler.slot} has words its passage lacks: {' '.join(missing)}")
        if set(_NUMBER.findall(filler.text)) != set(_NUMBER.findall(source)):
            faults.append(f"{filler.slot} changes a number")
        if self._analyser.negations(filler.text) != self._analyser.negations(source):
            faults.append(f"{filler.slot} changes a negation")
        if _FIRST_PERSON[language].search(filler.text):
            faults.append(f"{filler.slot} speaks as someone it is not")
        if asserts.tense is not None and filler.tense != asserts.tense:
            faults.append(f"{filler.slot} is asserted {asserts.tense} and is {filler.tense}")
        if asserts.polarity in ("positive", "negative"):
            faults += self._polarity_faults(filler)
        return faults

    def _polarity_faults(self, filler: Filler) -> list[str]:
        passage, asserted = filler.evidence.passage, filler.asserts.polarity
        faults = []
        analyser = self._analysers[passage.lang]
        if filler.shape in _WORDED:
            read = self._polarity(filler.text, filler.evidence)
        else:
            read = filler.polarity if filler.polarity == "neutral" else leaning(filler.polarity, filler.evidence.praise)
        if read != asserted:
            faults.append(f"{filler.slot} is asserted {asserted} and reads {read}")
        at, end = filler.start - passage.start, filler.end - passage.start
        if analyser.irrealis(around(passage.text, at, end)):
            faults.append(f"{filler.slot} was wished, expected or formerly so")
        return faults

    def _aspect_faults(self, filler: Filler, draft: Draft) -> list[str]:
        """A shared aspect must be named in every passage cited for it, and judged alike there."""
        word = filler.text.lower()
        cite = next((c for c in draft.cites if c.evidence[0].id == filler.evidence.id), None)
        if cite is None:
            return [f"{filler.slot} is not cited"]
        faults = []
        for evidence, start, end in zip(cite.evidence, cite.starts, cite.ends, strict=True):
            cited = _cited(evidence, start, end)
            if word not in cited.lower():
                faults.append(f"a passage cited for '{word}' does not name it")
            elif filler.asserts.polarity is not None and self._polarity(cited, evidence) != filler.asserts.polarity:
                faults.append(f"a passage cited for '{word}' is not {filler.asserts.polarity} about it")
        return faults

    def _judged_faults(self, filler: Filler) -> list[str]:
        """Everyone counted as praising or complaining must do so, of what was so."""
        tally = filler.tally
        if tally is None or tally.polarity == "neutral":
            return []
        faults = []
        for mention in tally.mentions:
            passage, evidence = mention.evidence.passage, mention.evidence
            at, end = mention.start - passage.start, mention.end - passage.start
            analyser = self._analysers[passage.lang]
            wished = analyser.irrealis(around(passage.text, at, end))
            if wished or self._polarity(mention.words, evidence) != tally.polarity:
                faults.append(f"a passage counted for '{tally.aspect}' is not {tally.polarity} about it")
        return faults

    def _event_holds(self, asserted: str, evidence: Evidence) -> bool:
        if asserted == "any":
            return evidence.event in self._verbs or (
                evidence.event in {"rating", "review"} and evidence.rating is not None
            )
        return evidence.event == asserted

    def _cite_faults(self, cite: Cite) -> list[str]:
        faults = []
        for evidence, start, end in zip(cite.evidence, cite.starts, cite.ends, strict=True):
            if not evidence.passage.start <= start < end <= evidence.passage.end:
                faults.append("a citation points outside its passage")
        authors = {e.passage.author for e in cite.evidence}
        if len(authors) < len(cite.evidence):
            faults.append("one reviewer is made many")
        return faults

    def _coverage_faults(self, draft: Draft) -> list[str]:
        """Every piece of evidence that gave words is cited, and `many` cites two people or more."""
        cited = {e.id: len(c.evidence) for c in draft.cites for e in c.evidence}
        faults = [f"{f.slot} is not cited" for f in draft.fillers if f.evidence.id not in cited]
        faults += [
            f"{f.slot} speaks for many and cites one"
            for f in draft.fillers
            if f.asserts.speakers in ("many", "count") and cited.get(f.evidence.id, 0) < 2
        ]
        return faults if draft.cites else [*faults, "nothing is cited"]

    def _score(self, draft: Draft) -> float:
        """Share of the draft's words that stand in what it cites; frame words are proven by rows, so rarely 1."""
        words = _TOKEN.findall(draft.words.lower())
        held = {
            t for c in draft.cites for e in c.evidence for t in _TOKEN.findall(f"{e.passage.text} {e.title}".lower())
        }
        return round(sum(w in held for w in words) / max(len(words), 1), 3)


def _cited(evidence: Evidence, start: int, end: int) -> str:
    return evidence.passage.text[start - evidence.passage.start : end - evidence.passage.start]


def _not_in_order(text: str, source: str, allowed: frozenset[str]) -> list[str]:
    """Tokens of `text` that do not occur, in order, in `source`; `allowed` ones may be added."""
    rest = iter(_TOKEN.findall(source.lower()))
    missing = []
    for token in _TOKEN.findall(text.lower()):
        if token in allowed:
            continue
        if not any(token == other for other in rest):
            missing.append(token)
    return missing
