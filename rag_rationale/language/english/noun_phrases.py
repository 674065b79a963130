"""Noun phrases of a parsed English text, each with what is said of that very noun.

It reads spaCy's tokens and asks for the polarity of words; it knows no clauses.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rag_rationale.language.english import syntax
from rag_rationale.language.english.flaws import Flaws
from rag_rationale.language.english.praising import Praise
from rag_rationale.language.english.showing import EDGE, ODD, lemma, mid_sentence, speaks
from rag_rationale.language.lexicon import lexicon
from rag_rationale.types import Span

_SEEKS = frozenset(
    [
        "difficult",
        "hard",
        "tough",
        "impossible",
        "rare",
        "lack",
        "miss",
        "want",
        "expect",
        "hope",
        "need",
        "wish",
        "seek",
    ]
)
_GOES_ON = frozenset(["to", "between", "for", "of", "against", "as", "at", "that"])  # "the ability | to adjust"
_VERDICTS = frozenset(["favorite", "favourite", "ideal", "usual"])  # "the best capo" is no part of it either
_MODIFIERS = {"amod", "compound", "nummod", "nmod", "advmod", "poss", "det", "quantmod", "case", "punct", "npadvmod"}
_FAINT_PRAISE = {"good", "great", "nice"}  # "praises the good paper" says no more than "praises the paper"


class NounPhrases:
    """Finds noun phrases by grammar, each with its polarity by `praise`."""

    def __init__(self, praise: Praise, flaws: Flaws) -> None:
        self._praise, self._lists, self._flaws = praise, lexicon("en"), flaws

    def of(self, doc: Any, chunk: Any) -> Iterator[Span]:
        """The phrase that a chunk of nouns makes, with "the" and with its own article."""
        head = chunk.root
        if head.pos_ not in {"NOUN", "PROPN"} or head.lemma_.lower() in self._lists["generic_heads"]:
            return
        if "n't" in head.lower_ or len(head) < 2 or _missed(head):
            return
        there = any(t.dep_ == "expl" for t in head.head.children)  # "there is a lovely view"
        if head.dep_ in {"attr", "oprd"} and not there:
            return  # "it is a handy tool" praises no tool: it says what it is
        if any(t.tag_ == "JJS" or t.lower_ in _VERDICTS for t in chunk) or any(c.isdigit() for c in chunk.text):
            return
        if _names_the_whole(head):
            return
        first = next(
            (t.i for t in chunk if t.pos_ in {"ADJ", "NOUN", "PROPN", "NUM"} or t.tag_ in {"VBN", "VBG"}), None
        )
        if first is None or first > head.i:
            return
        if doc[first].tag_ == "VBN" and first > 0 and doc[first - 1].pos_ == "ADV":
            return  # "the opened shop" of a "newly opened shop"
        # "pav bhaji and ice cream": a chunk in a list keeps its own words; "rolls with cheese" gains its modifier
        ends = [head.i + 1]
        for child in head.children:
            if child.dep_ == "prep" and child.lower_ in {"of", "with", "from"} and child.i == head.i + 1:
                inner = next((c for c in child.children if c.dep_ == "pobj"), None)
                of = child.lower_ == "of"
                ends = [] if of else ends  # "the design" of "the design of their menu card"
                if inner is not None and self._ends(inner, of=of):
                    ends.append(inner.i + 1)
        polarity = self._praise.of(head)
        for end in ends:
            tokens = doc[first:end]
            raw = tokens.text
            if (
                len(tokens) > 9
                or syntax.heaps(tokens)
                or "\n" in raw
                or " - " in raw
                or any(t.tag_ == "JJR" or (t.tag_ == "VBG" and t.dep_ not in _MODIFIERS) for t in tokens[:-1])
                or tokens[-1].tag_ == "JJR"
                or raw != raw.strip(EDGE)
                or ODD.search(raw)
                or any(mark in raw for mark in ',?!;:()/&–"“”')
                or speaks(tokens, "first_person")
                or speaks(tokens, "second_person")
                or any(t.lower_ in self._lists["anaphora"] or t.lower_.startswith("thank") for t in tokens)
                or any(t.dep_ not in _MODIFIERS and first <= t.i < head.i for t in tokens)
                or syntax.tangles(doc[first : head.i])
                or len(raw) < 4
                or (len(tokens) == 1 and head.lemma_.lower() in self._lists["bare_heads"])
                or doc[first].lower_ in {"enjoyed", "loved", "liked", "tried", "ordered", "visited", "tasted"}
                or (first > 0 and doc[first - 1].lower_ in {"than", "unlike", "like", "without", "not"})
                or self._flaws.broken(tokens, led=True)
                or (polarity == "positive" and len(tokens) < 2 and head.dep_ not in {"nsubj", "dobj"})
            ):
                continue
            bare = mid_sentence(raw, tokens[0], self._flaws, common=len(tokens) < 2 or tokens[1].text.islower())
            if (
                tokens[0].is_sent_start
                and len(tokens) > 1
                and all(t.is_title and self._flaws.is_noun(t) for t in tokens)
            ):
                bare = raw.lower()  # "Good Delivery" names nothing
            kept = first < head.i and (tokens[1].lower_ == "old" or tokens[1].tag_ == "VBG")  # "great sounding strings"
            faint = first < head.i and tokens[0].lower_ in _FAINT_PRAISE and not kept
            plain = bare.split(" ", 1)[1] if faint else bare
            if plain.lower() in self._lists["bare_heads"] or (" " not in plain and _goes_on(head)):
                continue  # "the work" of "keep up the good work"
            article = next((t.lower_ for t in chunk if t.lower_ in {"a", "an"}), None)
            start = tokens.start_char
            shared = (lemma(head), polarity)
            for form, kind in ((f"the {plain}", "definite"), (f"{article} {bare}" if article else bare, "own")):
                yield Span(
                    form,
                    start,
                    start + len(raw),
                    "np",
                    *shared,
                    article=kind,  # type: ignore[arg-type]
                    names=syntax.names(tokens),
                    strange=self._flaws.strange(tokens),
                )

    def _ends(self, noun: Any, *, of: bool) -> bool:
        """Whether a phrase may end with this noun: "the taste of the variety" tells nothing, "the taste of chicken" of
        "chicken tikka biryani" something else, and "the taste with the calm hall" joins what was told apart."""
        more = any(t.dep_ in {"prep", "relcl", "acl"} for t in noun.children)
        goes_on = noun.i + 1 < len(noun.doc) and noun.nbor(1).pos_ in {"NOUN", "PROPN"}
        named = noun.pos_ in {"NOUN", "PROPN"} and noun.lower_ not in self._lists["bare_heads"]
        apart = not of and any(t.lower_ == "the" for t in noun.children)
        return named and not (more or goes_on or apart)


def _names_the_whole(noun: Any) -> bool:
    """Whether a noun names what is reviewed, not a part of it: "I like this cleaner", "what a great little stand"."""
    pointed = any(t.lower_ in {"this", "these", "that", "those"} for t in noun.children if t.dep_ == "det")
    alone = noun.dep_ == "ROOT" and any(t.lower_ in {"a", "an", "what"} for t in noun.children)
    return pointed or alone


def _goes_on(noun: Any) -> bool:
    """Whether a noun by itself is half of something: "the ability | to adjust"."""
    after = noun.nbor(1) if noun.i + 1 < len(noun.doc) else None
    return after is not None and (
        after.lower_ in _GOES_ON or (after.head.i == noun.i and after.dep_ in {"acl", "relcl"})
    )


def _missed(noun: Any) -> bool:
    """Whether a noun is only sought, or hard to get: "it is hard to get good bread"."""
    verb = noun.head
    while verb.dep_ in {"prep", "pobj", "conj", "compound"} and verb.head.i != verb.i:
        verb = verb.head
    governs = [verb, verb.head, *verb.children, *(verb.head.children if verb.dep_ in {"xcomp", "ccomp"} else ())]
    return verb.pos_ in {"VERB", "AUX", "ADJ"} and any(t.lemma_.lower() in _SEEKS for t in governs)
