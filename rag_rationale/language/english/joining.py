"""Words and sentences joined as they do not go together: run on without a mark, or two things told as one.

It reads spaCy's tokens; it knows no dictionary.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from rag_rationale.language.english import syntax

_ONE = {"is", "was", "has", "does", "'s", "’s"}
_SPEAKS, _NOUNS = {"VERB", "AUX"}, {"NOUN", "PROPN"}


def two_as_one(tokens: Any) -> str | None:
    """Two nouns joined before the first verb, which has the number of one, however they are parsed: "the name of the
    place and the view is lovely"."""
    verb = next((t for t in tokens if t.tag_ in syntax.FINITE), None)
    if verb is None or verb.lower_ not in _ONE or verb.i < tokens.start + 3 or verb.nbor(-1).pos_ not in _NOUNS:
        return None
    ands = [t for t in tokens.doc[tokens.start + 1 : verb.i] if t.text == "and"]
    joined = [t for t in ands if t.nbor(-1).pos_ in _NOUNS]
    if len(joined) != 1 or any(t.text == "," for t in tokens.doc[tokens.start : verb.i]):
        return None
    led = any(t.pos_ == "ADP" for t in tokens.doc[tokens.start : joined[0].i])
    return f"{joined[0].nbor(-1)} and {verb}" if not led or joined[0].nbor(1).pos_ == "DET" else None


def misjoined(token: Any) -> str | None:
    """A word joined to one that it does not go with: "good quality and hygienic", "was good and the best place", and
    "the rice taste"."""
    if token.dep_ == "conj" and token.pos_ == "ADJ" and token.head.pos_ == "NOUN" and token.head.head.i == token.head.i:
        return f"{token.head} and {token}"
    judged = any(t.dep_ == "acomp" and t.i < token.i for t in token.head.children)
    if token.dep_ == "conj" and token.pos_ == "NOUN" and (token.head.dep_ == "acomp" or judged):
        return f"{token.head} and {token}"  # "the food was good and the best place"
    if token.lower_ == "taste" and any(t.dep_ == "compound" and t.pos_ == "NOUN" for t in token.children):
        return f"of the taste: {token.nbor(-1)} taste"
    return None


def runs_on(tokens: Any) -> Iterator[str]:
    """Sentences that follow each other without a word or a mark that joins them, and a noun run into the next."""
    for one, after in pairwise(tokens):
        noun = one.pos_ == "NOUN" and after.pos_ == "ADJ" and after.dep_ == "amod" and after.head.i > after.i
        if (
            noun
            and one.dep_ not in {"compound", "amod", "nmod", "npadvmod", "poss", "dative", "dobj"}
            and one.head.i != after.head.i
        ):
            yield f"runs on: {one} {after}"
    for four in zip(*(tokens[n:] for n in range(4)), strict=False):  # "good food good ambience"
        if [t.pos_ for t in four] == ["ADJ", "NOUN"] * 2 and four[2].dep_ == "amod" and four[2].head.i == four[3].i:
            yield f"runs on: {four[1]} {four[2]}"
        listed = [t.pos_ for t in four] == ["ADJ", "ADJ", "CCONJ", "ADJ"] and four[1].dep_ in {"acomp", "conj", "amod"}
        if listed and four[0].head.pos_ != "NOUN" and four[1].head.pos_ != "NOUN":
            yield f"no comma: {four[0]} {four[1]}"  # "is professional polite and friendly"
    yield from _without_subject(tokens)
    verbs = [t for t in tokens if t.tag_ in syntax.FINITE]
    but = next((t for t in tokens if t.lower_ == "but"), None)
    if but is not None and verbs and tokens.start < but.i < verbs[0].i:
        yield "but joins a verb to none"  # "a decent place but the pricing is high"
    if verbs and verbs[0].i > tokens.start and verbs[0].nbor(-1).dep_ == "cc" and verbs[0].nbor(-1).lower_ == "and":
        yield f"and before {verbs[0]}"  # "friendly people and enjoyed a lot"
    for head in tokens:
        if head.pos_ not in _SPEAKS or head.dep_ not in {"ROOT", "conj", "ccomp", "parataxis"}:
            continue
        if start := _splice(head, tokens):
            yield f"runs on before {start}"


def _without_subject(tokens: Any) -> Iterator[str]:
    """A verb that begins to tell something new without a subject: "the place is a mess | was shocked to see it"."""
    for verb in tokens:
        if verb.lemma_ != "be" or verb.tag_ not in syntax.FINITE:
            continue
        ahead = list(tokens.doc[tokens.start : verb.i])
        while ahead and ahead[-1].pos_ in {"NOUN", "PROPN", "ADJ", "ADV", "DET"}:
            ahead.pop()
        led = verb.i - len(ahead) - tokens.start
        if led > 0 and ahead and ahead[-1].lemma_ == "be" and ahead[-1].tag_ in syntax.FINITE:
            yield f"no subject: {verb}"


def _splice(head: Any, tokens: Any) -> Any | None:
    """The first word of a sentence that no word and no mark but a comma joins to what stands before it."""
    begins = _beginning(head)
    if begins is None or begins.i <= tokens.start or not _told(tokens.doc[tokens.start : begins.i]):
        return None
    before = tokens.doc[begins.i - 1]
    comma = before.text == ","
    marked = any(t.dep_ in {"mark", "cc", "advmod"} and t.lower_ in _JOINS for t in head.children)
    if marked or (not comma and (before.is_punct or before.dep_ in {"cc", "mark"})):
        return None
    if head.dep_ == "ROOT":
        apart = any(t.dep_ == "ccomp" and t.i < begins.i and whole(t) for t in head.children)
    elif comma:
        apart = head.head.i < begins.i and whole(head.head) and not _joined(head, begins)
    else:
        apart = head.dep_ in {"conj", "parataxis"} and not _joined(head, begins)
    return begins if apart else None


def _beginning(head: Any) -> Any | None:
    """Where the sentence of a finite verb begins, at its subject or what leads it; None where it has no subject."""
    subject = next((t for t in head.children if t.dep_ in {"nsubj", "nsubjpass", "expl"}), None)
    if subject is None or not any(t.tag_ in syntax.FINITE for t in (*head.children, head)):
        return None
    first = subject.left_edge
    leads = (t.left_edge for t in head.children if t.i < first.i and t.dep_ in {"advmod", "prep", "npadvmod"})
    return min((first, *leads), key=lambda t: t.i)


def _told(tokens: Any) -> bool:
    return any(t.pos_ in _SPEAKS and t.tag_ in syntax.FINITE for t in tokens)


_JOINS = frozenset(
    (
        *("and", "but", "or", "so", "because", "if", "when", "while", "as", "though", "although", "that", "since"),
        *("where", "who", "which", "how", "what", "why", "whether", "unless", "until", "once", "than", "yet", "nor"),
        "plus",
    )
)


def whole(verb: Any) -> bool:
    """Whether a verb is finite and has a subject."""
    return any(t.dep_ in {"nsubj", "nsubjpass", "expl"} for t in verb.children) and any(
        t.tag_ in syntax.FINITE for t in (*verb.children, verb)
    )


def _joined(head: Any, begins: Any) -> bool:
    """Whether "and" or "but" stands between two clauses that belong together."""
    return any(t.dep_ == "cc" and t.i < begins.i and t.i >= begins.i - 3 for t in (*head.head.children, *head.children))
