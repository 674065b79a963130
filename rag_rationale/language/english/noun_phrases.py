"""Noun phrases of a parsed English text, each with what is said of that very noun.

It reads spaCy's tokens and asks for the polarity of words; it knows no clauses.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rag_rationale.language.english import syntax
from rag_rationale.language.english.flaws import Flaws
from rag_rationale.language.english.polarity import Valence
from rag_rationale.language.english.showing import EDGE, ODD, lemma, mid_sentence, speaks
from rag_rationale.language.lexicon import lexicon
from rag_rationale.types import Polarity, Span

_LIKING = frozenset(
    ["love", "like", "enjoy", "adore", "appreciate", "recommend", "prefer", "savour", "savor", "relish"]
)
_HAS = frozenset(
    [
        "have",
        "serve",
        "offer",
        "provide",
        "get",
        "make",
        "boast",
        "feature",
        "bring",
        "deliver",
        "use",
        "show",
        "give",
        "do",
        "play",
        "taste",
        "try",
        "find",
        "keep",
        "see",
        "include",
        "add",
        "sell",
        "cook",
        "bake",
        "prepare",
        "create",
    ]
)  # what is offered so is praised by its adjective; "she suggested the best trails" praises no trail
_MINE = frozenset(["i", "we", "you", "everyone", "everybody", "all"])  # whose liking is the writer's
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
_MODIFIERS = {"amod", "compound", "nummod", "nmod", "advmod", "poss", "det", "quantmod", "case", "punct", "npadvmod"}
_FAINT_PRAISE = {"good", "great", "nice"}  # "praises the good paper" says no more than "praises the paper"


class NounPhrases:
    """Finds noun phrases by grammar, each with its polarity by `words`."""

    def __init__(self, words: Valence, flaws: Flaws) -> None:
        self._words, self._lists, self._flaws = words, lexicon("en"), flaws

    def of(self, doc: Any, chunk: Any) -> Iterator[Span]:
        """The phrase that a chunk of nouns makes, with "the" and with its own article."""
        head = chunk.root
        if head.pos_ not in {"NOUN", "PROPN"} or head.lemma_.lower() in self._lists["generic_heads"]:
            return
        if "n't" in head.lower_ or len(head) < 2 or _missed(head):
            return
        if head.dep_ == "attr" and syntax.misnames(head.head):
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
        polarity = self.praise(head)
        for end in ends:
            tokens = doc[first:end]
            raw = tokens.text
            if (
                len(tokens) > 9
                or syntax.heaps(tokens)
                or "\n" in raw
                or " - " in raw
                or any(t.tag_ == "JJR" for t in tokens)
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
            faint = first < head.i and tokens[0].lower_ in _FAINT_PRAISE and tokens[1].lower_ != "old"
            plain = bare.split(" ", 1)[1] if faint else bare
            if plain.lower() in self._lists["bare_heads"]:
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

    def praise(self, head: Any) -> Polarity:
        """What is said of this very noun: by its adjectives, as the subject of "is", or as what is loved or hated.

        Anything looser would hang the praise of one noun on its neighbour.
        """
        if any(t.dep_ == "neg" or t.lower_ in {"no", "without", "lack"} for t in (*head.children, head.head)):
            return "neutral"
        if head.dep_ == "pobj" and head.head.lower_ != "with":
            return "neutral"  # "the place for a romantic date" does not praise the date
        adjectives = " ".join(t.text for t in head.children if t.dep_ in {"amod", "compound"})
        verb = head.head
        ahead = {t.lower_ for t in verb.doc[max(verb.i - 5, verb.sent.start) : verb.i]}
        turned = head.i + 1 < len(head.doc) and head.nbor(1).lower_ == "but"  # "nice shakes but of late without taste"
        if turned or ahead & {"never", "hardly", "seldom", "rarely", "heard", "hear"}:
            return "neutral"
        if (own := self._words.polarity(adjectives)) != "neutral":
            handed = head.dep_ == "dobj" and verb.lemma_.lower() not in _HAS | _LIKING
            return "neutral" if handed and own == "positive" else own
        if any(t.tag_ == "MD" for t in verb.children):
            return "neutral"  # "the seating could have been better"
        if any(t.dep_ == "neg" for t in verb.children) or ahead & {"not", "n't", "neither"}:
            return "neutral"
        if head.dep_ in syntax.SUBJECTS and verb.lemma_ in {"be", "taste", "look", "feel", "seem"}:
            if any(t.tag_ == "JJR" for t in verb.children):
                return "neutral"  # "the view of the other branch is better"
            return self._words.polarity(
                " ".join(t.text for t in verb.subtree if t.i > head.i and syntax.same_clause(t, verb))
            )
        led = verb.head if verb.dep_ == "conj" else verb
        wished = any(t.tag_ in {"MD", "TO"} for v in (verb, led) for t in v.children)  # "I'd like a half size"
        likers = {t.lower_ for t in verb.children if t.dep_ == "nsubj"}
        mine = verb.dep_ != "relcl" and likers <= _MINE  # "for everyone who loves wings" likes none
        if head.dep_ == "dobj" and verb.lemma_ in _LIKING and not wished and mine:
            return "positive"
        return "neutral"


def _missed(noun: Any) -> bool:
    """Whether a noun is only sought, or hard to get: "it is hard to get good bread"."""
    verb = noun.head
    while verb.dep_ in {"prep", "pobj", "conj", "compound"} and verb.head.i != verb.i:
        verb = verb.head
    governs = [verb, verb.head, *verb.children, *(verb.head.children if verb.dep_ in {"xcomp", "ccomp"} else ())]
    return verb.pos_ in {"VERB", "AUX", "ADJ"} and any(t.lemma_.lower() in _SEEKS for t in governs)
