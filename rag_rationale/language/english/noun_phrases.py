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

_LIKING = frozenset(["love", "like", "enjoy", "adore", "appreciate", "recommend", "savour", "savor", "relish"])
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
_GIVES = frozenset(["get", "give", "make", "keep"])  # "gives the brush a good flick" has two objects, and praises none
_GOES_ON = frozenset(
    ["to", "between", "for", "of", "against", "as", "at", "that"]
)  # "the ability | to adjust", "the ease | at"
_VERDICTS = frozenset(
    ["favorite", "favourite", "ideal", "usual"]
)  # "the best capo", told as a thing, is no part either
_SOME = frozenset(
    (
        *(
            "other",
            "most",
            "each",
            "every",
            "any",
            "some",
            "many",
            "different",
            "extra",
            "additional",
            "same",
            "second",
        ),
        *("1st", "2nd", "first", "previous", "original", "replacement", "another"),
    )
)  # "most good strings", "the different dirt", "the 2nd set": not what this item has
_LESS = frozenset(["less", "least", "hardly", "barely"])
_TELLS_APART = frozenset(
    ("clear", "light", "smart", "bright", "right", "free", "clean", "strong", "cool", "grand", "super", "true", "sharp")
)  # behind "the" they tell which one is meant: "the clear cover has a short string"
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
        there = any(t.dep_ == "expl" for t in head.head.children)  # "there is a lovely view"
        if head.dep_ in {"attr", "oprd"} and not there:
            return  # "it is a handy tool" praises no tool: it says what it is
        if any(t.tag_ == "JJS" or t.lower_ in _VERDICTS for t in chunk) or any(c.isdigit() for c in head.text):
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
        polarity = self.praise(head)
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

    def _comes_with(self, noun: Any) -> bool:
        """Whether it comes with what is reviewed: "a place with great food"; not "use it with a good amp"."""
        of = noun.head.head
        whole = of.dep_ in {"ROOT", "attr"} and (of.lemma_.lower() in self._lists["item_words"] or of.dep_ == "ROOT")
        return noun.head.lower_ == "with" and of.pos_ in {"NOUN", "PROPN"} and whole and of.i < noun.head.i

    def praise(self, head: Any) -> Polarity:
        """What is said of this very noun: by its adjectives, as the subject of "is", or as what is loved or hated.

        Anything looser would hang the praise of one noun on its neighbour.
        """
        if any(t.dep_ == "neg" or t.lower_ in {"no", "without", "lack"} for t in (*head.children, head.head)):
            return "neutral"
        led = head
        while led.dep_ == "conj" and led.head.pos_ in {"NOUN", "PROPN"}:
            led = led.head  # "for my grandson and grand daughter"
        if led.dep_ == "pobj" and not self._comes_with(led):
            return "neutral"  # "the place for a romantic date" does not praise the date
        if _own(head) or any(t.lower_ in _SOME or t.lower_ in _LESS for t in head.subtree if t.i < head.i):
            return "neutral"  # "my pegs are in great shape", "most good strings last", "the less bright sound"
        told = any(t.lower_ in {"the", "this", "these"} for t in head.children if t.dep_ == "det")
        adjectives = " ".join(
            t.text
            for t in head.children
            if (t.dep_ == "amod" or (t.dep_ == "compound" and t.pos_ != "NOUN"))
            and not (told and t.lower_ in _TELLS_APART)
        )
        verb = led.head
        if any(t.dep_ == "mark" and t.lower_ in {"although", "though", "while"} for t in verb.children):
            return "neutral"  # "although the amp is great, it lacks warmth"
        ahead = {t.lower_ for t in verb.doc[max(verb.i - 5, verb.sent.start) : verb.i]}
        turned = head.i + 1 < len(head.doc) and head.nbor(1).lower_ == "but"  # "nice shakes but of late without taste"
        if turned or ahead & {"never", "hardly", "seldom", "rarely", "heard", "hear"}:
            return "neutral"
        if (own := self._words.polarity(adjectives)) != "neutral":
            handed = led.dep_ == "dobj" and (
                _in_general(led) or verb.lemma_.lower() not in _HAS | _LIKING or _only_advised(led)
            )
            whole = self._words.polarity(f"{adjectives} {head.text}")  # "a strong hatred"
            return "neutral" if own == "positive" and (handed or whole != "positive") else own
        if any(t.tag_ == "MD" for t in verb.children):
            return "neutral"  # "the seating could have been better"
        if any(t.dep_ == "neg" for t in verb.children) or ahead & {"not", "n't", "neither"}:
            return "neutral"
        if head.dep_ in syntax.SUBJECTS and verb.lemma_ in {"be", "taste", "look", "feel", "seem"}:
            if any(t.tag_ == "JJR" for t in verb.children):
                return "neutral"  # "the view of the other branch is better"
            if verb.dep_ == "ccomp" and verb.head.lemma_ == "make":
                return "neutral"  # "it makes the strings feel nice"
            if any(c.dep_ == "xcomp" and c.head.dep_ == "acomp" for t in verb.children for c in t.children):
                return "neutral"  # "the speed is easy to read"
            return self._words.polarity(
                " ".join(t.text for t in verb.subtree if t.i > head.i and syntax.same_clause(t, verb))
            )
        first = verb.head if verb.dep_ == "conj" else verb
        wished = any(t.tag_ in {"MD", "TO"} for v in (verb, first) for t in v.children)  # "I'd like a half size"
        wished |= any(t.lower_ in {"a", "an"} for t in head.children)  # "as I like a light string"
        likers = {t.lower_ for t in verb.children if t.dep_ == "nsubj"}
        mine = verb.dep_ != "relcl" and likers <= _MINE  # "for everyone who loves wings" likes none
        liked = verb.lemma_ in _LIKING and verb.dep_ != "advcl" and not _in_general(head)
        if head.dep_ == "dobj" and liked and not wished and mine:
            return "positive"
        return "neutral"


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


def _in_general(noun: Any) -> bool:
    """Whether an object tells a taste, not what was met: "I love good projection", but "I loved their cakes"."""
    verb = noun.head
    met = any(t.dep_ in {"det", "poss", "nummod"} for t in noun.children) or verb.tag_ in {"VBD", "VBN"}
    told = any(t.dep_ == "nsubj" for t in verb.children)
    return verb.lemma_.lower() in _LIKING and told and not met and noun.pos_ != "PROPN"


def _only_advised(noun: Any) -> bool:
    """Whether an object is only told to be used, or given along with another: "use a good preamp", "give it a good
    flick"."""
    verb = noun.head
    told = verb.tag_ == "VB" and verb.dep_ == "ROOT" and not any(t.dep_ in {"nsubj", "aux"} for t in verb.children)
    told |= verb.tag_ == "VBG" and verb.dep_ in {"csubj", "pcomp", "acl", "advcl"}  # "having a clean neck is where"
    others = [t for t in verb.children if t.dep_ in {"dobj", "dative"} and t.i != noun.i]
    return told or bool(others and verb.lemma_.lower() in _GIVES)


def _own(noun: Any) -> bool:
    return any(t.dep_ == "poss" and t.lower_ in {"my", "our"} for t in noun.children)


def _missed(noun: Any) -> bool:
    """Whether a noun is only sought, or hard to get: "it is hard to get good bread"."""
    verb = noun.head
    while verb.dep_ in {"prep", "pobj", "conj", "compound"} and verb.head.i != verb.i:
        verb = verb.head
    governs = [verb, verb.head, *verb.children, *(verb.head.children if verb.dep_ in {"xcomp", "ccomp"} else ())]
    return verb.pos_ in {"VERB", "AUX", "ADJ"} and any(t.lemma_.lower() in _SEEKS for t in governs)
