"""What a strict reader would mark in an English sentence, as far as its parse and a dictionary tell.

It reads spaCy's tokens and imports nothing of spaCy; it knows no polarity, no users and no other text. It sees what is
wrong, not all that is: a sentence without a flaw may still read badly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from rag_rationale.language.english import joining, syntax
from rag_rationale.language.lexicon import confusions

_PLURAL = frozenset(("they", "we", "these", "those", "you", "both", "many", "few", "several"))
_SINGULAR = frozenset(("it", "he", "she", "this", "that", "everything", "everyone", "everybody", "nothing", "nobody"))
_ONE, _MANY, _SELF = (
    {"is", "was", "has", "does", "'s", "’s"},
    {"are", "were", "have", "do"},
    {"is", "are", "has", "does", "were"},
)
_ARTICLE = re.compile(r"\b(?:a (?=[aeio])(?!one\b|once\b|eu)|an (?=[bcdfgjklmnpqrstvwz]))", re.IGNORECASE)
_NAMES = frozenset(("PERSON", "GPE", "NORP", "FAC", "LOC", "DATE", "EVENT", "LANGUAGE"))
_ADDRESSES = re.compile(
    r"\b(?:thanks?|thank you|kudos|cheers|shout ?out|hats off|congrat\w*|special mention|keep (?:it|up)|"
    r"(?:good|great) (?:job|going)|well done|please|(?:can|will) you)\b|^(?:otherwise|instead|hence|which)\b|"
    r"^(?:what|why|how|when|where|who|you|do|does|did|can|could|will|would|is|are|have|has|should)\b[^?]*\?",
    re.IGNORECASE,
)
_SHORT = 12  # words of a judgement without a verb
_QUANTIFIES = {"more", "most", "much", "less", "little", "enough", "such", "each", "every", "another", "any", "some"}
_OF_MANY = frozenset(("all", "both", "these", "those"))
_SET = frozenset(("due", "full", "last", "next", "first", "short"))  # "in due time", "at first sight"
_RATES = frozenset(("good", "nice", "excellent", "quick", "fantastic", "awesome", "perfect", "proper", "polite"))
_DEEDS = frozenset(
    (
        *("ordered", "tried", "visited", "went", "had", "loved", "liked", "enjoyed", "tasted", "got", "bought", "took"),
        *("came", "received", "found", "met", "booked", "stayed", "watched"),
    )
)
_ENDS_NOTHING = {
    "the",
    "a",
    "an",
    "and",
    "or",
    "but",
    "of",
    "my",
    "their",
    "its",
    "than",
    "because",
    "very",
    "are",
    "was",
    "were",
}


class Flaws:
    """Finds flaws with a dictionary: `words` are lemmas in lower case, `lists` the closed classes of the language and,
    under `marks`, patterns of what is wrong wherever it stands."""

    def __init__(self, words: frozenset[str], lists: Mapping[str, frozenset[str]]) -> None:
        self._words, self._lists = words, lists
        self._marks = re.compile("|".join(sorted(lists["marks"])))

    def strange(self, tokens: Iterable[Any]) -> tuple[str, ...]:
        """Words in small letters that no dictionary has, misspelt or rare, and those often written for another."""
        return tuple(
            t.lower_
            for t in tokens
            if t.lower_ in confusions("en")
            or (t.text.isalpha() and t.text.islower() and len(t) > 2 and not t.ent_type_ and not self._known(t))
        )

    def is_noun(self, token: Any) -> bool:
        """Whether what is written like a name is a common word of the dictionary."""
        return token.lower_ in self._words or token.lower_ in self._lists["countable"]

    def _shouts(self, token: Any, tokens: Any) -> bool:
        """Whether a word of the dictionary has a capital that no name gives it: "then the Disaster came"."""
        common = token.lower_ in self._words or token.lower_.removesuffix("s") in self._words
        if not token.is_title or token.i == tokens.start or token.is_sent_start or not common:
            return False
        doc, i = token.doc, token.i
        beside = [doc[k] for k in (i - 1, i + 1) if tokens.start <= k < tokens.end]
        opened = doc[i - 1].is_punct and doc[i - 1].text not in {",", "-"}
        named = token.ent_type_ in _NAMES or any(t.text[:1].isupper() and t.i > tokens.start for t in beside)
        return not (opened or named)

    def owns_bare(self, token: Any) -> bool:
        """Whether a single thing owns what follows, without its article: "manager's tie"."""
        return token.dep_ == "poss" and token.lower_ in self._lists["countable"] and not determined(token)

    def _known(self, token: Any) -> bool:
        return bool(token.is_stop) or token.lemma_.lower() in self._words or token.lower_ in self._words

    def broken(self, tokens: Any, *, led: bool = False) -> str | None:
        """What is plainly wrong with the words, None where nothing is seen. `led`: an article is put before them."""
        return next(self._flaws(tokens, led), None)

    def _flaws(self, tokens: Any, led: bool) -> Iterator[str]:
        raw = tokens.text
        words = [t for t in tokens if t.is_alpha]
        if _torn(tokens):
            yield "torn from its verb"
        if self._marks.search(raw) or (raw[1:2].islower() and self._marks.search(raw[0].lower() + raw[1:])):
            yield "mark"
        if _ARTICLE.search(raw):
            yield "a before a vowel"
        if any(t.lower_ in self._lists["slang"] for t in words):
            yield "slang"
        if any(t.lower_ in self._lists["no_plurals"] for t in words):
            yield "plural of what is not counted"
        if any(
            t.text.isupper() and len(t) > 2 and self._known(t) and t.lower_ not in self._lists["acronyms"]
            for t in words
        ):
            yield "a word in capitals"
        if odd := next((t for t in words if self._shouts(t, tokens)), None):
            yield f"a capital in mid-sentence: {odd}"
        if any(t.text in self._lists["capitals"] for t in words):
            yield "a people without its capital"
        if len(words) > 4 and sum(t.text[0].isupper() for t in words) > 0.6 * len(words):
            yield "capitals"
        if any(a.lower_ == b.lower_ and a.is_alpha and a.lower_ != "that" for a, b in pairwise(tokens)):
            yield "a word twice"
        if words and (words[-1].lower_ in _ENDS_NOTHING and not _asks(words)):
            yield "breaks off"
        if syntax.one_of_one(tokens) or _one_of_none(tokens):
            yield "one of one"
        for token in tokens:
            if token.tag_ in syntax.FINITE and (told := self._disagrees(token, tokens)):
                yield told
            lacks = token.pos_ in {"NOUN", "PROPN"} and not (led and token.left_edge.i == tokens.start)
            if lacks and (told := self._bare(token)):
                yield told
            if told := _misformed(token) or joining.misjoined(token):
                yield told
            if not led and self.owns_bare(token):
                yield f"no article: {token}’s"
        yield from joining.runs_on(tokens)
        if told := joining.two_as_one(tokens):
            yield told

    def addresses(self, tokens: Any) -> bool:
        """Whether words are to somebody else than who reads them: thanks, cheers, questions."""
        return _ADDRESSES.search(tokens.text) is not None

    def fragment(self, tokens: Any) -> bool:
        """Whether words are neither a whole sentence nor a short judgement without a verb."""
        roots = [t for t in tokens if t.head.i == t.i or not tokens.start <= t.head.i < tokens.end]
        root = roots[0] if roots else None
        if root is None:
            return True
        if _opens_with_a_deed(tokens):
            return True
        if root.pos_ in {"VERB", "AUX"}:
            return not joining.whole(root)
        return any(t.tag_ in syntax.FINITE and not _hangs(t) for t in tokens) or len(tokens) > _SHORT

    def _disagrees(self, verb: Any, tokens: Any) -> str | None:
        """Whether a verb has another number than its subject: "the waiters was", "it were", "screens that shows"."""
        head = verb if verb.dep_ not in {"aux", "auxpass"} else verb.head
        subject = _subject(verb)
        first = syntax.finite(head)
        if subject is None or first is None or first.i != verb.i or verb.tag_ == "MD":
            return None
        if not tokens.start <= subject.i < verb.i:
            return None
        if head.dep_ == "relcl" and subject.lower_ in {"that", "which", "who"}:
            subject = head.head
            if subject.pos_ != "NOUN" or any(t.dep_ == "prep" for t in subject.children) or subject.head.dep_ == "prep":
                return None  # "one of the places that serves": of either it may be told
        word, form = subject.lower_, verb.lower_
        joined = any(t.dep_ == "conj" for t in subject.children)
        wrong = False
        if word == "i":
            wrong = form in _SELF or verb.tag_ == "VBZ"
        elif subject.pos_ == "PRON" and not joined:
            wrong = (word in _PLURAL and (form in _ONE or verb.tag_ == "VBZ")) or (
                word in _SINGULAR and (form in _MANY or verb.tag_ == "VBP")
            )
        elif (subject.pos_ == "NOUN" and (joined or self._known(subject))) or (subject.pos_ == "PROPN" and joined):
            wrong = not syntax.same_number(subject, verb)
        return f"{subject} {verb}" if wrong else None

    def _bare(self, noun: Any) -> str | None:
        """A single thing without its article: "is good place", "has nice spread"; "is best place"."""
        part = any(t.lower_ == "of" for t in noun.children) and noun.lower_ in self._lists["portions"]
        if part and noun.tag_ == "NN" and not determined(noun) and noun.dep_ in {"pobj", "dobj", "attr", "nsubj"}:
            return f"no article: {noun} of"
        single = noun.lower_ in self._lists["countable"]
        if single and noun.tag_ == "NN" and any(t.lower_ in _OF_MANY and t.dep_ == "det" for t in noun.children):
            return f"one of many: {noun}"
        if noun.tag_ not in {"NN", "NNP"} or noun.dep_ not in {"attr", "dobj", "nsubj", "pobj"} or determined(noun):
            return None
        left = [t for t in noun.children if t.i < noun.i]
        if noun.dep_ == "pobj" and noun.head.lower_ == "of" and noun.lower_ in self._lists["item_words"]:
            return f"no article: of {noun}" if noun.tag_ == "NN" and not left else None
        if noun.dep_ == "pobj" and noun.tag_ == "NN" and noun.lower_ in self._lists["placed"] and not determined(noun):
            led = noun.head.lower_ in {"in", "on", "to", "towards", "toward", "from", "for"}
            owned = any(t.dep_ in {"poss", "compound"} and t.pos_ == "PROPN" for t in left)
            return f"no article: {noun.head} {noun}" if led and not owned else None
        if noun.dep_ == "pobj":
            plain = noun.head.lower_ != "of" and any(
                t.dep_ == "amod" and t.tag_ in {"JJ", "JJR"} and t.lower_ not in _SET for t in left
            )
            return f"no article: {noun}" if single and plain and noun.tag_ == "NN" else None
        if noun.dep_ == "attr" and any(t.tag_ in {"JJS", "RBS"} for t in left):
            return f"superlative without article: {noun}"
        alone = noun.dep_ == "nsubj" or noun.lemma_.lower() in self._lists["item_words"]
        return f"no article: {noun}" if single and (left or alone) else None


def _torn(tokens: Any) -> bool:
    """Whether words begin with what the verb before them says: "the desserts are | excellent and curd items were"."""
    first = tokens[0]
    before = tokens.doc[first.i - 1] if first.i else None
    return bool(
        before is not None
        and before.lemma_ == "be"
        and before.sent == first.sent
        and first.pos_ == "ADJ"
        and any(t.dep_ == "cc" for t in first.children)
    )


def _opens_with_a_deed(tokens: Any) -> bool:
    """Whether words begin with what somebody unnamed did: "Ordered a soup from there, it was cold"."""
    return tokens[0].lower_ in _DEEDS or (tokens[0].tag_ == "VBD" and tokens[0].pos_ == "VERB")


def _hangs(verb: Any) -> bool:
    """Whether a verb belongs to a clause that hangs on a noun or says when: "a good thing when others have wine"."""
    head = verb.head if verb.dep_ in {"aux", "auxpass"} else verb
    marked = any(t.tag_ in {"WRB", "WDT", "WP"} or t.dep_ == "mark" for t in head.children)
    return bool(head.dep_ == "relcl" or (head.dep_ in {"advcl", "acl"} and marked))


def determined(noun: Any) -> bool:
    """Whether a noun has an article, a number or a word like one."""
    return any(
        t.dep_ in {"det", "poss", "nummod", "predet", "quantmod"}
        or t.tag_ in {"DT", "PDT", "PRP$", "CD", "WP$"}
        or t.lower_ in _QUANTIFIES
        for t in noun.children
        if t.i < noun.i
    )


def _asks(words: list[Any]) -> bool:
    return any(t.tag_ in {"WP", "WRB", "WDT"} for t in words)


def _one_of_none(tokens: Any) -> bool:
    """Whether one of a kind is told that is not many: "one of the good lasagne"."""
    of = [t for t in tokens if t.lower_ == "of" and t.head.lower_ == "one"]
    for o in of:
        for noun in o.children:
            if noun.dep_ == "pobj" and noun.pos_ in {"NOUN", "PROPN"} and noun.tag_ in {"NN", "NNP"}:
                return any(t.dep_ == "amod" for t in noun.children)
    return False


def _subject(verb: Any) -> Any:
    head = verb if any(t.dep_ in syntax.SUBJECTS for t in verb.children) else verb.head
    if head.i != verb.i and verb.dep_ not in {"aux", "auxpass"}:
        return None
    subjects = [t for t in head.children if t.dep_ in {"nsubj", "nsubjpass"}]
    return subjects[0] if len(subjects) == 1 else None


def _misformed(token: Any) -> str | None:
    """A form that its neighbours do not allow: "could tried", "was quiet high", "keeps it's warmth", "more nicer"."""
    doc, i = token.doc, token.i
    before = doc[i - 1] if i else None
    after, third = (doc[i + n] if i + n < len(doc) else None for n in (1, 2))
    if (aux := _helped(token)) is not None and token.tag_ in {"VBD", "VBN", "VBZ"}:
        return f"{aux} {token}"
    if token.is_stop and len(token) > 1 and not (token.is_lower or token.is_title or token.is_upper):
        return f"capitals within {token}"  # "THe waiters"
    if token.lower_ == "usual" and token.dep_ == "amod" and before is not None and before.lower_ == "as":
        return "as usual"  # "as usual food is awesome"
    bare = all(t.dep_ not in {"aux", "auxpass"} for t in token.children)
    if token.tag_ in {"VBD", "VBN"} and bare and before is not None and before.lower_ == "not" and before.head.i == i:
        return f"not {token}"  # "the rice not baked"
    passive = any(t.dep_ == "auxpass" for t in token.head.children)
    if token.lower_ in _RATES and token.dep_ in {"acomp", "advmod", "oprd"} and passive and token.head.i < i:
        return f"{token.head} {token}"  # "orders are taken good"
    one, many = token.lower_ in {"it", "this", "that"}, token.head.lemma_ == "be"
    if one and many and token.dep_ == "nsubj":
        named = [t for t in token.head.children if t.dep_ == "attr" and t.i > i]
        if any(t.tag_ == "NNS" and any(c.dep_ == "poss" for c in t.children) for t in named):
            return f"{token} {named[0]}"  # "it is my weekend spots"
    if before is None or after is None:
        return None
    if token.lower_ == "quiet" and before.lemma_ == "be" and after.tag_ in {"JJ", "NN"}:
        return f"quiet {after}"
    owned = third is not None and third.pos_ in {"NOUN", "ADJ"} and before.pos_ in {"VERB", "ADP"}
    if token.lower_ == "it" and after.lower_ in {"'s", "’s"} and owned:
        return "it's for its"
    if token.lower_ == "more" and token.head.tag_ in {"JJR", "RBR"} and token.head.i == after.i:
        return f"more {after}"
    return None


def _helped(verb: Any) -> Any | None:
    """The word before a verb that takes its bare form: "could", "to", "did"; but "could have tried"."""
    aux = next((t for t in verb.children if t.dep_ == "aux"), None)
    if aux is None or aux.i > verb.i or (aux.tag_ not in {"MD", "TO"} and aux.lemma_ != "do"):
        return None
    return None if any(t.dep_ in {"aux", "auxpass"} and t.lemma_ in {"have", "be"} for t in verb.children) else aux
