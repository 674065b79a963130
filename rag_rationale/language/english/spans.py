"""What of a parsed English text may fill a slot: quotations, remarks, clauses, identities and noun phrases.

It reads spaCy's tokens and asks for the polarity of words; it keeps nothing and knows no other text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rag_rationale.language.english import syntax
from rag_rationale.language.english.flaws import Flaws, determined
from rag_rationale.language.english.noun_phrases import NounPhrases
from rag_rationale.language.english.polarity import Valence
from rag_rationale.language.english.praising import Praise
from rag_rationale.language.english.showing import EDGE, NAMED, ODD, lemma, mid_sentence, speaks
from rag_rationale.language.lexicon import lexicon
from rag_rationale.types import Span

_TELLS = {
    "say",
    "tell",
    "claim",
    "state",
    "inform",
    "promise",
    "assure",
    "mention",
    "insist",
    "argue",
    "pretend",
    "hear",
    "read",
}
_SOMEONE = {"he", "she", "him", "his", "her", "hers", "them", "it", "those", "these"}
_NO_NOUNS = {f"{a}{b}" for a in ("no", "every", "any", "some") for b in ("thing", "one", "body")} | {"half"}
_PLACES = {"GPE", "LOC", "NORP", "FAC"}
_OF_PEOPLE = frozenset(
    (
        *("friendly", "helpful", "polite", "courteous", "kind", "attentive", "nice", "great", "good", "amazing"),
        *("awesome", "excellent", "sweet", "patient", "humble", "professional", "warm", "welcoming", "cool", "best"),
        *("superb", "wonderful", "fantastic", "brilliant", "lovely", "responsive", "cooperative", "guy", "person"),
    )
)
_COMPLEMENTS = {"acomp", "attr", "dobj", "prep", "advmod", "oprd", "agent", "xcomp"}
_ASIDES = {"also", "too", "however", "though", "definitely", "basically", "actually", "honestly", "equally", "either"}
_LIMITS = frozenset(("through", "without", "for", "under", "until", "except", "besides", "despite"))
_PARTS = frozenset(("step", "part", "stage", "phase", "section", "chapter", "level", "option", "day"))
_STOPS = '.!?…\n\r:;)"”'
_REMARK, _CALLED = 8, 14  # words at most


class SpanFinder:
    """Finds spans by grammar, each with its polarity by `words`."""

    def __init__(self, words: Valence, flaws: Flaws) -> None:
        self._words, self._lists, self._flaws = words, lexicon("en"), flaws
        self._praise = Praise(words)
        self._nouns = NounPhrases(self._praise, flaws)

    def find(self, doc: Any) -> Iterator[Span]:
        """Noun phrases, clauses, remarks and quotable sentences of a parsed text."""
        remarks: list[Span] = []
        for sentence in doc.sents:
            yield from self._quotes(sentence)
            remarks += self._remarks(sentence)
            for start, end, head in syntax.clauses(sentence):
                span = self._clause(doc, start, end, head)
                if span is not None:
                    yield span
                identity = self._identity(doc, head)
                if identity is not None:
                    yield identity
        yield from remarks
        seen = set()
        for chunk in doc.noun_chunks:
            if any(remark.start <= chunk.start_char < remark.end for remark in remarks):
                continue  # "singles out the straps" says less than “Sturdy straps”
            for span in self._nouns.of(doc, chunk):
                if (span.start, span.end, span.text) not in seen:
                    seen.add((span.start, span.end, span.text))
                    yield span

    def _quotes(self, sentence: Any) -> Iterator[Span]:
        ahead = sentence.doc.text[: sentence.start_char].rstrip(" ")
        if ahead and ahead[-1] not in _STOPS:
            return  # the parser cut a sentence in its midst: "..., and so | they had to cancel it"
        first = next((t for t in sentence if syntax.tells(t) and t.lower_ not in self._lists["connectives"]), None)
        last = next((t for t in reversed(sentence) if t.is_alpha), None)
        if last is None or (last.lower_ in {"that", "this", "those", "these"} and last.dep_ in {"pobj", "dobj"}):
            return  # "one star less only for that"
        end = last.i if syntax.joins_nothing(last) else sentence.end
        if (
            first is None
            or first.lower_ in {"he", "she"}
            or not 5 <= sum(t.is_alpha for t in sentence.doc[first.i : end]) <= 40
        ):
            return
        tokens = sentence.doc[first.i : end]
        raw = tokens.text.strip().rstrip(".,;: ")
        start = first.idx
        if (
            not ODD.search(raw)
            and not set(raw) & set('“”"\n')
            and not self._flaws.addresses(tokens)
            and not self._flaws.fragment(tokens)
            and not self._flaws.broken(tokens)
        ):
            head = sentence.root.lemma_.lower()
            yield Span(
                raw,
                start,
                start + len(raw),
                "quote",
                head,
                polarity=self._words.polarity(raw),
                first_person=speaks(sentence, "first_person"),
                names=syntax.names(sentence),
                strange=self._flaws.strange(tokens),
            )

    def _remarks(self, sentence: Any) -> Iterator[Span]:
        """What is judged without a verb: "Sturdy straps", "Good sound, clear captions". The whole sentence where it is
        short and of one mind, else its parts between commas."""
        if any(t.tag_ in syntax.FINITE for t in sentence):
            return
        whole = self._remark(sentence)
        found = [whole] if whole else [self._remark(part) for part in syntax.parts(sentence)]
        yield from (remark for remark in found if remark is not None)

    def _remark(self, tokens: Any) -> Span | None:
        raw = tokens.text.strip(EDGE)
        words = [t for t in tokens if not t.is_punct and not t.is_space]
        roots = [t for t in words if t.head.i == t.i or not tokens.start <= t.head.i < tokens.end]
        if (
            len(roots) != 1
            or not 2 <= len(words) <= _REMARK
            or roots[0].pos_ not in {"NOUN", "PROPN"}
            or roots[0].lemma_.lower() in self._lists["generic_heads"]
            or next((t for t in words if t.lower_ not in {"a", "an"}), words[0]).pos_ not in {"ADJ", "ADV"}
            or any(t.pos_ in {"VERB", "AUX", "PRON", "INTJ"} for t in words)
            or syntax.heaps(tokens)
            or (
                words[-1].pos_ == "ADJ" and words[-2].lower_ == "and" and words[-3:-2] == roots
            )  # "good food and tasty"
            or (judged := self._praise.of(roots[0])) == "neutral"
            or judged != self._words.polarity(raw)
            or "\n" in raw
            or " ," in raw
            or ODD.search(raw)
            or any(mark in raw for mark in '?!;:()/&–"“”')
            or speaks(tokens, "first_person")
            or speaks(tokens, "second_person")
            or self._flaws.broken(tokens)
        ):
            return None
        start = tokens.start_char + tokens.text.index(raw)
        return Span(
            raw,
            start,
            start + len(raw),
            "remark",
            lemma(roots[0]),
            polarity=judged,
            names=syntax.names(tokens),
            strange=self._flaws.strange(tokens),
        )

    def _clause(self, doc: Any, start: int, end: int, head: Any) -> Span | None:
        while end - start > 4 and doc[end - 2 : end].text.lower() in {"as well", ", true", ", though"}:
            end -= 2
        start += doc[start].lower_ == "even"  # it looks back at what was said before
        end -= end - start > 4 and doc[end - 1].lower_ == "here"  # where else
        tokens = doc[start:end]
        raw = tokens.text.strip(EDGE)
        subject = syntax.subject_of(head)
        if (
            subject is None
            or not raw
            or not 3 <= len(tokens) <= 18
            or "\n" in raw
            or ODD.search(raw)
            or any(mark in raw for mark in '?!;:()/&–"“”')
            or " - " in raw
            or any(t.text == "," and syntax.opens_a_phrase(t) for t in doc[start : end - 1])
            or subject.lower_ in self._lists["anaphora"] - {"there", "everything", "all"}
            or (subject.lower_ == "there" and subject.dep_ != "expl")
            or any(t.lower_ in _SOMEONE or self._points(t) or (t.lower_ == "this" and t.pos_ == "PRON") for t in tokens)
            or raw.split()[0].lower() in self._lists["discourse"]
            or raw.lower().startswith("all in all")
            or self._takes_back(raw)
            or subject.lower_ in {"must", "a", "an", "the", "old"}  # "a must visit place" is none, nor "old fashioned"
            or subject.lemma_.lower() in {"rating", "review", "star"}
            or "n't" in subject.lower_  # a "won't" glued to what stands before it
            or tokens[0].dep_ in {"prep", "aux", "neg"}
            or subject.pos_ not in {"NOUN", "PROPN", "PRON", "NUM"}
            or (subject.like_num and tokens[0].i == subject.i)  # "1 was served": of what, stands before
            or (tokens[0].like_num and tokens[1].lower_ in {"and", "or"})  # "it was 200 | and one plate was small"
            or (start > 0 and doc[start - 1].text in {"+", "-", "/"})
            or (head.dep_ == "ccomp" and head.head.lemma_.lower() in _TELLS)  # what somebody else said
            or self._flaws.addresses(tokens)
            or tokens[0].tag_ in {"WP", "WDT", "WRB"}
            or self._conditioned(doc, start, end, head)
            or any(t.lower_ == "other" and t.i <= subject.i for t in tokens)
            or (tokens[0].lower_ == "both" and all(t.lower_ != "and" for t in tokens))
            or (any(t.tag_ == "JJR" for t in head.children) and all(t.lower_ != "than" for t in tokens))
            or speaks(tokens, "first_person")
            or speaks(tokens, "second_person")
            or not any(t.dep_ in _COMPLEMENTS and start <= t.i < end and t.tag_ != "WRB" for t in head.children)
            or tokens[-1].lower_ in {"just", "only", "so", "very", "really", "even", "more", "like", "n't", "not"}
            or tokens[-1].pos_ in {"ADP", "CCONJ", "SCONJ", "DET", "AUX", "PART", "PRON"}
            or raw.split()[-1].lower() in self._lists["discourse"]
            or not syntax.agrees(subject, head)
            or (verb := syntax.finite(head)) is None
            or not subject.i < verb.i < end  # "(was) finger licking good"
            or syntax.heaps(tokens)
            or syntax.misses(doc, start, end)
            or self._praises_first(subject)
            or syntax.misnames(head)
            or self._flaws.broken(tokens, led=self._takes_the(subject, head))
        ):
            return None
        offset = tokens.start_char + tokens.text.index(raw)
        kept = [t for t in tokens if t.lower_ not in _ASIDES or (t.lower_ == "too" and _exceeds(t, end))]
        shown = "".join(t.text_with_ws for t in kept).strip(EDGE)
        led = self._takes_the(subject, head)
        shown = mid_sentence(shown, tokens[0], self._flaws, common=led)
        if led:
            shown = f"the {shown}"
        return Span(
            re.sub(r"\s+([,.])", r"\1", shown),
            offset,
            offset + len(raw),
            "clause",
            lemma(subject),
            polarity=self._words.polarity(raw),
            tense="past" if syntax.tense_tag(head) == "VBD" else "present",
            names=syntax.names(tokens),
            strange=self._flaws.strange(tokens),
        )

    def _conditioned(self, doc: Any, start: int, end: int, head: Any) -> bool:
        """Whether words that a clause leaves out limit it: "through the amp, | the tone is clear", "so nice | it is
        worth cleaning", "people think | a pedal sounds good"."""
        ahead = any(t.dep_ == "prep" and t.i < start and t.lower_ in _LIMITS for t in head.children)
        behind = end < len(doc) and not doc[end].is_punct and doc[end].pos_ not in {"CCONJ", "SPACE"}
        so = behind and any(t.lower_ == "so" and t.head.pos_ in {"ADJ", "ADV"} for t in doc[start:end])
        subjects = [t for t in head.head.children if t.dep_ in syntax.SUBJECTS]
        supposed = head.dep_ == "ccomp" and not subjects and doc[start].lower_ in {"a", "an"}
        return ahead or so or supposed

    def _takes_the(self, subject: Any, head: Any) -> bool:
        """Whether an article belongs before a clause's subject: "burger was juicy", "only drawback is the noise"."""
        first = subject.left_edge
        owned = any(self._flaws.owns_bare(t) for t in subject.children)  # "manager's tie"
        bare = owned or not determined(subject)
        if subject.lower_ in _NO_NOUNS or not bare or subject.nbor(1).like_num:  # "step 2 moves"
            return False
        common = subject.text.islower() or (subject.is_sent_start and subject.lower_ in self._lists["countable"])
        single = subject.tag_ == "NN" or (subject.tag_ == "NNP" and common)
        if single and (owned or first.i == subject.i):
            return True
        judged_ones = (
            subject.tag_ == "NNS"
            and subject.lower_ not in {"people", "kids", "things"}
            and any(t.dep_ in {"acomp", "auxpass"} for t in head.children)
        )
        if judged_ones and first.pos_ in {"NOUN", "ADJ"} and (first.text.islower() or first.is_sent_start):
            return self._words.polarity(subject.doc[head.i : head.right_edge.i + 1].text) != "neutral"
        judged = all(t.lower_ != "available" for t in head.children)  # "free parking is available" anywhere
        led = first.pos_ in {"NOUN", "ADJ", "PROPN"} or first.tag_ in {"VBN", "VBG"}
        parts = subject.doc[first.i : subject.i + 1]
        named = {t.ent_type_ for t in parts if t.i == subject.i or not self._flaws.is_noun(t)} & NAMED
        called = {t.lower_ for t in head.children if t.dep_ in {"acomp", "attr"}}
        thing = not subject.ent_type_ or called.isdisjoint(_OF_PEOPLE)
        small = all(t.text.islower() for t in parts if t.i > first.i)  # "Second Screw" is a name
        told = any(t.dep_ in {"acomp", "auxpass"} for t in head.children)
        word = thing and told and small and named <= {"ORG", "PERSON"} and self._flaws.is_noun(subject)
        unnamed = (named <= _PLACES or all(t.text.islower() for t in parts)) if single else word
        return bool(judged and led and unnamed and subject.tag_ in {"NN", "NNP"})

    def _takes_back(self, raw: str) -> bool:
        """Whether praise comes behind a "but" that turns from nothing good: "nothing much but good staff"."""
        before, but, _ = raw.lower().partition(" but ")
        denied = not {"no", "not", "nothing"}.isdisjoint(before.split()) or "n't" in before
        return bool(but) and denied and self._words.polarity(raw) == "positive"

    def _praises_first(self, subject: Any) -> bool:
        """Whether a judgement without a verb runs into a clause: "great taste and texture of the ices is good"."""
        first = subject.left_edge
        joined = any(t.dep_ == "conj" for t in subject.children)
        judged = self._words.polarity(subject.doc[first.i : subject.i].text)
        led = first.pos_ in {"ADJ", "ADV"}
        return led and (joined or judged == "negative" or (subject.tag_ == "NN" and judged == "positive"))

    def _points(self, token: Any) -> bool:
        """Whether a word points at something that the clause does not tell: "this dish", but not "this place"."""
        return (
            token.lower_ in {"this", "that", "these", "those"}
            and token.dep_ == "det"
            and token.head.lemma_.lower() not in self._lists["item_words"]
        )

    def _identity(self, doc: Any, head: Any) -> Span | None:
        """What a text says its subject is: "a pack for long hikes" of "Ridge is a pack for long hikes".

        Not what there is ("There is a canteen"), nor what one part of several is ("step 3 is a reset"). It praises or
        blames where that holds of the whole, "a light pack" of "This is a light pack", and is neutral elsewhere.
        """
        attribute = next((t for t in head.children if t.dep_ == "attr" and t.pos_ in {"NOUN", "PROPN"}), None)
        subject = next((t for t in head.children if t.dep_ == "nsubj"), None)
        if head.lemma_ != "be" or head.tag_ != "VBZ" or attribute is None:
            return None
        if subject is None or subject.lemma_.lower() in _PARTS:
            return None
        tokens = doc[attribute.left_edge.i : attribute.right_edge.i + 1]
        raw = tokens.text.strip(EDGE)
        if (
            not 2 <= len(tokens) <= 24
            or tokens[0].lower_ not in {"a", "an", "the"}
            or ODD.search(raw)
            or speaks(tokens, "first_person")
            or speaks(tokens, "second_person")
        ):
            return None
        start = tokens.start_char
        judged = self._words.polarity(raw) if self._sums_up(subject, head, attribute, tokens) else "neutral"
        return Span(
            raw,
            start,
            start + len(raw),
            "identity",
            attribute.lemma_.lower(),
            polarity=judged,
            names=syntax.names(tokens),
            strange=self._flaws.strange(tokens),
        )

    def _sums_up(self, subject: Any, head: Any, attribute: Any, tokens: Any) -> bool:
        """Whether "this is ..." opens the text and the words may stand behind "calls it": all is said, said well."""
        opens = (
            subject.lower_ in {"it", "this"}
            and subject.pos_ == "PRON"
            and all(t.is_space for t in subject.doc[: subject.i])
        )
        said = len(tokens) <= _CALLED and not any(mark in tokens.text for mark in '?!;:()/&–"“”,\n')
        denied = any(t.dep_ in {"neg", "aux", "mark"} or t.tag_ == "JJR" for t in (*head.children, *attribute.children))
        hollow = attribute.lemma_.lower() in self._lists["generic_heads"] or len(attribute) < 3
        verbs = any(t.pos_ in {"VERB", "AUX"} and t.dep_ != "amod" for t in tokens)
        ends = tokens[-1].pos_ in {"ADP", "CCONJ", "SCONJ", "DET", "AUX", "PART", "PRON", "ADV"}
        points = any(self._points(t) or t.lower_ in _SOMEONE for t in tokens)
        cut = syntax.misses(subject.doc, tokens.start, tokens.end) and subject.doc[tokens.end].lower_ != "that"
        return opens and said and not (denied or hollow or verbs or ends or points or cut or self._flaws.broken(tokens))


def _exceeds(too: Any, end: int) -> bool:
    """Whether "too" is one of degree, as in "too salty", and adds nothing: "good too along with"."""
    after = too.nbor(1) if too.i + 1 < end else None
    return after is not None and after.pos_ in {"ADJ", "ADV", "VERB"} and after.lower_ not in {"along", "coupled"}
