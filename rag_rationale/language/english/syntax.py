"""English grammar as a dependency parse tells it: where clauses begin and end, and which do not stand by themselves.

It reads spaCy's tokens and imports nothing of spaCy; it knows no polarity and no word lists.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

SUBJECTS = {"nsubj", "nsubjpass", "csubj", "expl"}
_CROWDS = frozenset(
    (
        *("staff", "team", "crew", "family", "crowd", "couple", "people", "group", "band", "cast", "police", "press"),
        *("audience", "management", "company", "majority", "variety", "range", "number", "lot", "bunch", "pair"),
        *("rest", "half", "most", "series", "news", "species"),
    )
)  # one or many, as one likes
FINITE = {"VBD", "VBZ", "VBP", "MD"}


def heaps(tokens: Any) -> bool:
    """Whether a word of content comes twice: "the service was excellent rice and service excellent"."""
    content = [t.lemma_.lower() for t in tokens if t.pos_ in {"NOUN", "ADJ", "VERB"} and len(t) > 3]
    return len(set(content)) < len(content)


def tangles(modifiers: Any) -> bool:
    """Whether a noun stands before an adjective: "chicken fried piece biryani excellent | taste"."""
    nouns = [t.i for t in modifiers if t.pos_ in {"NOUN", "PROPN"}]
    return any(t.pos_ == "ADJ" and t.dep_ == "amod" and nouns and nouns[0] < t.i for t in modifiers)


def misses(doc: Any, start: int, end: int) -> bool:
    """Whether words that it needs stand right beside a clause: "as many orders | as we like", "else | all is well"."""
    after = doc[end] if end < len(doc) else None
    cut = after is not None and (after.pos_ in {"AUX", "VERB"} or after.lower_ in {"as", "of", "than", "that"})
    last = doc[end - 1]
    cut |= last.dep_ == "amod" and last.head.i >= end  # "the already beautiful | decor"
    cut |= last.pos_ == "VERB" and any(t.i >= end and not t.is_punct for t in last.children)  # "coming | to make sure"
    cut |= after is not None and last.pos_ == "ADJ" and after.pos_ in {"NOUN", "PROPN"}  # "good but ample | parking"
    cut |= after is not None and last.pos_ == "VERB" and after.pos_ in {"DET", "PRON", "NOUN", "PROPN", "ADJ"}
    return cut or (start > 0 and doc[start - 1].lower_ in {"else", "otherwise", "rest", "unlike", "than"})


def misnames(head: Any) -> bool:
    """Whether something is called a thing without an article, which a comma was left out before: "the food was perfect
    desserts"."""
    judged = [t for t in head.children if t.dep_ == "acomp" or (t.dep_ == "attr" and t.pos_ == "ADJ")]
    if any(c.dep_ == "conj" and c.pos_ == "NOUN" for t in judged for c in t.children):
        return True  # "the cakes are moist and the coffee"
    called = next((t for t in head.children if t.dep_ == "attr" and t.pos_ == "NOUN"), None)
    if called is None or head.lemma_ != "be":
        return False
    return called.left_edge.pos_ in {"ADJ", "ADV"} and not any(
        t.dep_ in {"det", "poss", "nummod"} for t in called.children
    )


def parts(sentence: Any) -> Iterator[Any]:
    """What stands between the commas of a sentence."""
    marks = [t.i for t in sentence if t.is_punct and t.text in {",", ";", ".", "!"}]
    for start, end in pairwise([sentence.start - 1, *marks, sentence.end]):
        if start + 1 < end:
            yield sentence.doc[start + 1 : end]


def one_of_one(tokens: Any) -> bool:
    """Whether there is one of a single thing: "one of the reliable place"."""
    of = [t for t in tokens if t.lower_ == "of" and t.head.lower_ == "one"]
    return any(t.tag_ == "NN" and t.lemma_.lower() not in _CROWDS for o in of for t in o.children if t.dep_ == "pobj")


def names(tokens: Any) -> tuple[str, ...]:
    """What could be a person's name: spaCy's PERSON entities and every proper noun."""
    found = [ent.text for ent in tokens.ents if ent.label_ == "PERSON"]
    found += [t.text for t in tokens if t.pos_ == "PROPN" or (t.text[:1].isupper() and not t.is_sent_start)]
    return tuple(dict.fromkeys(found))


def subject_of(verb: Any) -> Any | None:
    """The verb's subject. Of "forty euros and the zip broke" the zip: a bare number of things that only "and" ties to
    what is said next is no part of it, unless the verb needs both."""
    subjects = [t for t in verb.children if t.dep_ in SUBJECTS]
    if not subjects:
        return None
    first, *others = subjects
    counted = any(t.dep_ == "nummod" for t in first.children) and not _determined(first)
    others += [t for t in first.children if t.dep_ == "conj"]
    return next((t for t in others if counted and _determined(t) and not _needs_more(verb, t)), first)


def _determined(noun: Any) -> bool:
    return any(t.dep_ in {"det", "poss"} for t in noun.children)


def _needs_more(verb: Any, noun: Any) -> bool:
    """Whether a verb's form is that of more than one: "two rooms and the lift were broken"."""
    plural = any(t.tag_ == "VBP" or t.lower_ == "were" for t in (verb, *verb.children))
    return plural and noun.tag_ in {"NN", "NNP"}


def opens_a_phrase(comma: Any) -> bool:
    """Whether something other than one more adjective stands behind a comma."""
    after = comma.nbor(1)
    if after.pos_ not in {"ADJ", "ADV"} or after.head.pos_ in {"NOUN", "PROPN"}:
        return True
    named = after.head.head
    if named.pos_ not in {"NOUN", "PROPN"}:
        return bool(after.i + 1 < len(after.doc) and after.nbor(1).lower_ == "worth")
    return comma.nbor(-1).pos_ == "NOUN" or named.dep_ in {"conj", "nsubj", "appos"}


def tense_tag(head: Any) -> str:
    verb = finite(head)
    return verb.tag_ if verb is not None else ""


def finite(head: Any) -> Any | None:
    """The word that makes a verb finite: itself or its auxiliary; None where neither is."""
    helping = (t for t in head.children if t.dep_ in {"aux", "auxpass"})
    return next((t for t in (*helping, head) if t.tag_ in FINITE), None)


def agrees(subject: Any, head: Any) -> bool:
    """A finite verb, one that follows its subject and has its number, no bare participle ("food served hot" is no
    clause), and no past tense twice ("did not cooked")."""
    base = head.lemma_ == "be" and any(t.lower_ == "recommend" for t in head.children)  # "is highly recommend"
    twice = head.tag_ in {"VBD", "VBN", "VBZ"} and any(t.lemma_ == "do" and t.dep_ == "aux" for t in head.children)
    verb = finite(head)
    return verb is not None and subject.i < head.i and not base and not twice and same_number(subject, verb)


def same_number(subject: Any, verb: Any) -> bool:
    """Not "the pastas is hot" nor "the behaviour were polite"; a crowd and what is joined may be either."""
    if subject.lemma_.lower() in _CROWDS or any(t.dep_ == "nummod" for t in subject.children):
        return True
    if any(t.dep_ == "conj" for t in subject.children):
        return verb.lower_ not in {"is", "was", "has"} or any(t.lower_ in {"or", "nor"} for t in subject.children)
    if subject.tag_ == "NNP" and verb.lower_ in {"are", "were", "have", "do"}:
        return not subject.text.islower() and subject.text.endswith(
            "s"
        )  # "Martin are very good", but "the Elixirs are"
    if verb.lower_ in {"was", "were"}:
        return bool(verb.lower_ != {"NN": "were", "NNS": "was"}.get(subject.tag_))
    return bool(verb.tag_ != {"NN": "VBP", "NNS": "VBZ"}.get(subject.tag_))


def same_clause(token: Any, verb: Any) -> bool:
    """Whether `token` belongs to `verb`'s own clause and not to one joined to it."""
    while token.i != verb.i:
        if token.dep_ in {"conj", "advcl", "ccomp", "parataxis", "relcl"} and token.pos_ in {"VERB", "AUX"}:
            return False
        if token.head.i == token.i:
            return False
        token = token.head
    return True


def _with_relative(doc: Any, end: int) -> int:
    """Where a clause ends that would break off before what tells its last noun apart: "a film about a woman who"."""
    last = doc[end - 1]
    vague = last.pos_ == "NOUN" and (last.lower_ == "people" or any(t.lower_ in {"a", "an"} for t in last.children))
    relative = next((t for t in last.children if t.dep_ == "relcl" and t.left_edge.i == end), None)
    return relative.right_edge.i + 1 if vague and relative is not None else end


def joins_nothing(last: Any) -> bool:
    """Whether a sentence's last word would join something that does not come: "it sticks but"; not "I think so"."""
    thinks = last.i > 0 and last.nbor(-1).pos_ in {"VERB", "AUX"}
    return last.lower_ in {"and", "but", "because"} or (last.lower_ == "so" and not thinks)


def tells(token: Any) -> bool:
    """Whether a quotation may begin here: at a word, a number, or the sign of a currency before one."""
    return bool(token.is_alpha or token.is_currency or any(c.isdigit() for c in token.text))


def _denies(verb: Any) -> bool:
    """Whether a verb takes back the clause that hangs on it: "I don't think", "nobody said", "I doubt"."""
    negated = any(t.dep_ == "neg" or t.lower_ in {"nobody", "none", "hardly", "never"} for t in verb.children)
    return negated or verb.lemma_ in {"doubt", "deny", "pretend", "claim"}


def clauses(sentence: Any) -> Iterator[tuple[int, int, Any]]:
    """(start, end, head) of every clause that has a subject of its own, without what is joined to it."""
    doc = sentence.doc
    for head in sentence:
        if head.pos_ not in {"VERB", "AUX"} or head.dep_ not in {"ROOT", "conj", "ccomp", "parataxis", "advcl"}:
            continue
        if any(t.dep_ == "mark" and t.lower_ in {"if", "unless", "whether", "to"} for t in head.children):
            continue
        if head.dep_ == "ccomp" and _denies(head.head):
            continue
        subject = subject_of(head)
        if subject is None:
            continue
        start = subject.left_edge.i
        own = [t.i for t in head.subtree if t.i >= start and same_clause(t, head)]
        end = start
        members = set(own)
        while end in members:
            end += 1
        end = _with_relative(doc, end)
        while end > start and (doc[end - 1].is_punct or doc[end - 1].dep_ in {"cc", "mark"} or doc[end - 1].is_space):
            end -= 1
        if end > head.i:
            yield start, end, head
