"""What is said of a noun in a parsed English text: whether it is praised, or blamed, as a part of what is reviewed.

It reads spaCy's tokens and asks for the polarity of words. What is praised in a review may be the writer's own, a
taste, or another thing: that is told as nothing.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from rag_rationale.language.english import syntax
from rag_rationale.language.english.polarity import Valence
from rag_rationale.language.lexicon import lexicon
from rag_rationale.types import Polarity

_LIKING = frozenset(["love", "like", "enjoy", "adore", "appreciate", "recommend", "savour", "savor", "relish"])
_HAS = frozenset(
    (
        *("have", "serve", "offer", "provide", "get", "make", "boast", "feature", "bring"),
        *("deliver", "use", "show", "give", "do", "play", "taste", "try", "find", "keep", "see"),
        *("include", "add", "sell", "cook", "bake", "prepare", "create"),
    )
)  # what is offered so is praised by its adjective; "she suggested the best trails" praises no trail
_MINE = frozenset(["i", "we", "you", "everyone", "everybody", "all"])  # whose liking is the writer's
_GIVES = frozenset(["get", "give", "make", "keep"])  # "gives the brush a good flick" has two objects, and praises none
_SOME = frozenset(
    (
        *("other", "most", "each", "every", "any", "some", "many", "different", "extra"),
        *("additional", "same", "second", "first", "previous", "original", "replacement"),
        "another",
    )
)  # "most good strings", "the different dirt", "the second set": not what this item has
_LESS = frozenset(["less", "least", "hardly", "barely"])
_TELLS_APART = frozenset(
    ("clear", "light", "smart", "bright", "right", "free", "clean", "strong", "cool", "grand", "super", "true", "sharp")
)  # behind "the" they tell which one is meant: "the clear cover has a short string"


class Praise:
    """Judges nouns by grammar and the polarity of `words`."""

    def __init__(self, words: Valence) -> None:
        self._words, self._lists = words, lexicon("en")

    def of(self, head: Any) -> Polarity:
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
            and not (t.is_title and t.i > t.sent.start and _listed(head))
        )
        verb = led.head
        if any(
            t.dep_ == "mark" and t.lower_ in {"although", "though", "while", "for"} for t in verb.children
        ) or _supposed(verb):
            return "neutral"  # "although the amp is great, it lacks warmth"
        if led.dep_ == "nsubj" and verb.tag_ in {"VBZ", "VBP", "VB"} and _bare(led) and verb.lemma_ != "be":
            return "neutral"  # "fresh strings do a lot for the sound"
        if led.dep_ == "nsubj" and any(t.dep_ == "aux" and t.i < led.i for t in verb.children):
            return "neutral"  # "had the staff been attentive"
        if _misread(head) or _denied(head):
            return "neutral"
        if _ordered(led):
            return "neutral"  # "we ordered four pastries: chocolate truffle, fresh fruit"
        if led.dep_ == "dobj" and any(t.dep_ == "neg" for t in verb.children):
            return "neutral"  # "I have not found a good setup"
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
            if any(t.text[0] in ".:;" for t in head.doc[head.i : verb.i]):
                return "neutral"  # "Starters: kebab and fish .Fish was tasty"
            if any(t.tag_ == "JJR" for t in verb.children):
                return "neutral"  # "the view of the other branch is better"
            if verb.dep_ == "ccomp" and verb.head.lemma_ == "make":
                return "neutral"  # "it makes the strings feel nice"
            if _taken_back(verb):
                return "neutral"  # "the cost is on the higher side but worth it"
            if any(c.dep_ == "xcomp" and c.head.dep_ == "acomp" for t in verb.children for c in t.children):
                return "neutral"  # "the speed is easy to read"
            told_of_it = _predicate(head, verb)
            if any(t.lower_ in _LESS for t in told_of_it):
                return "neutral"  # "the rates seemed less interesting"
            return self._words.polarity(" ".join(t.text for t in told_of_it))
        first = verb.head if verb.dep_ == "conj" else verb
        wished = any(t.tag_ in {"MD", "TO"} for v in (verb, first) for t in v.children)  # "I'd like a half size"
        wished |= any(t.lower_ in {"a", "an"} for t in head.children)  # "as I like a light string"
        likers = {t.lower_ for t in verb.children if t.dep_ == "nsubj"}
        mine = verb.dep_ != "relcl" and likers <= _MINE  # "for everyone who loves wings" likes none
        liked = verb.lemma_ in _LIKING and verb.dep_ != "advcl" and not _in_general(head)
        if head.dep_ == "dobj" and liked and not wished and mine:
            return "positive"
        return "neutral"

    def _comes_with(self, noun: Any) -> bool:
        """Whether it comes with what is reviewed: "a place with great food"; not "use it with a good amp"."""
        of = noun.head.head
        whole = of.dep_ in {"ROOT", "attr"} and (of.lemma_.lower() in self._lists["item_words"] or of.dep_ == "ROOT")
        return noun.head.lower_ == "with" and of.pos_ in {"NOUN", "PROPN"} and whole and of.i < noun.head.i


def _supposed(verb: Any) -> bool:
    """Whether something is told of a time or place that need not be: "once I find a good tone", "where there is
    wifi"."""
    while True:
        hung = verb.dep_ in {"advcl", "relcl"} and any(t.tag_ == "WRB" for t in verb.children)
        if hung or any(t.lower_ in {"once", "if", "unless", "anywhere"} for t in verb.children):
            return True
        if verb.dep_ not in {"xcomp", "ccomp", "conj", "advcl", "relcl"}:
            return False
        verb = verb.head


def _predicate(noun: Any, verb: Any) -> list[Any]:
    """What a verb says of its subject, up to a comma behind which another thing is named: "was okay, paneer nice"."""
    said = [t for t in verb.subtree if t.i > noun.i and syntax.same_clause(t, verb)]
    ends = (
        at
        for at, (one, after) in enumerate(pairwise(said))
        if one.text == "," and one.i > verb.i and after.pos_ in {"NOUN", "PROPN", "DET"}
    )
    return said[: next(ends, len(said))]


def _misread(noun: Any) -> bool:
    """Whether a noun is only a part of what is spoken of: "the mango one", "Kay's bakers is", "nice service chicken
    biryani"."""
    after = noun.nbor(1) if noun.i + 1 < len(noun.doc) else None
    if after is not None and (after.lower_ in {"one", "ones"} or (after.pos_ == "NOUN" and after.head.i != noun.i)):
        return noun.dep_ in syntax.SUBJECTS or noun.dep_ in {"compound", "conj", "amod"}
    joined = [t for t in noun.children if t.dep_ == "compound"]
    if len(joined) > 1 and any(t.lower_ in {"service", "ambience", "ambiance", "staff"} for t in joined):
        return True
    one = noun.head.lower_ in {"is", "was", "has"} and not any(t.dep_ == "conj" for t in noun.children)
    return bool(noun.dep_ == "nsubj" and noun.tag_ in {"NNS", "NNPS"} and one)


def _denied(noun: Any) -> bool:
    """Whether what a noun is said to be is denied within its phrase: "not so great beer", "non vegetarian dishes"."""
    begins = max(noun.left_edge.i - 1, noun.sent.start)
    return any(t.lower_ in {"not", "non", "n't"} for t in noun.doc[begins : noun.i])


def _ordered(noun: Any) -> bool:
    """Whether a noun names what was ordered: its adjectives are the menu's."""
    while noun.dep_ in {"appos", "conj", "dobj"} and noun.head.i < noun.i:
        noun = noun.head
    return bool(noun.pos_ == "VERB" and noun.lemma_ == "order")


def _taken_back(verb: Any) -> bool:
    """Whether "but" turns what is said of a subject: "is small but tasty", not "is great but the soup was cold"."""
    turned = [t.head for t in verb.subtree if t.lower_ == "but" and t.dep_ == "cc" and t.i > verb.i]
    return any(
        c.dep_ == "conj" and not any(t.dep_ in {"nsubj", "nsubjpass", "expl"} for t in c.children)
        for head in turned
        for c in head.children
    )


def _listed(noun: Any) -> bool:
    """Whether a noun stands among others, where a capital makes a name: "Apollo fish, Tender chicken, Crispy veg"."""
    return noun.dep_ in {"conj", "appos"} or any(t.dep_ in {"conj", "appos"} for t in noun.children)


def _bare(noun: Any) -> bool:
    return not any(t.dep_ in {"det", "poss", "nummod", "conj"} for t in noun.children)


def _in_general(noun: Any) -> bool:
    """Whether an object tells a taste, not what was met: "I love good projection", but "I loved their cakes"."""
    verb = noun.head
    met = any(t.dep_ in {"det", "poss", "nummod"} for t in noun.children) or verb.tag_ in {"VBD", "VBN"}
    told = any(t.dep_ == "nsubj" for v in (verb, verb.head) for t in v.children)  # "I love love love Indian food"
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
