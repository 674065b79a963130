"""How words of an English text stand inside another sentence, and what keeps them from it.

It reads spaCy's tokens; it knows no spans.
"""

from __future__ import annotations

import re
from typing import Any

from rag_rationale.language.english.flaws import Flaws
from rag_rationale.language.lexicon import lexicon, spellings

NAMED = {"PERSON", "GPE", "ORG", "NORP", "FAC", "LOC", "PRODUCT", "WORK_OF_ART"}
ODD = re.compile(
    r"\.\.|,,|…|[A-Za-z]\.[A-Za-z]|,\w|[^\w\s.,;:'’\"“”()&%$£€₹/+°é–—!?-]|[_]|[\u3400-\u9fff]|(.)\1{3,}|\bhttp"
)
EDGE = " \t\n.,;:!?-–—\"“”'’()/&"


def speaks(tokens: Any, person: str) -> bool:
    """Whether a word of the "first_person" or the "second_person" is among them."""
    return any(t.lower_.replace("’", "'") in lexicon("en")[person] for t in tokens)


def lemma(noun: Any) -> str:
    """Its lemma in the spelling that it is counted under."""
    found: str = noun.lemma_.lower()
    return spellings("en").get(found, found)


def mid_sentence(text: str, first: Any, flaws: Flaws, *, common: bool = False) -> str:
    """`text` as it stands inside a sentence: a capital that only opened its sentence becomes small, and so does
    that of a `common` word of the dictionary."""
    if first.is_title and first.lower_ in lexicon("en")["capitals"]:
        return text
    if first.lower_ in {"the", "a", "an"}:
        return text[0].lower() + text[1:]
    begins = first.is_sent_start or first.nbor(-1).is_space or first.nbor(-1).is_punct
    plain = first.text[1:].islower() or len(first) < 2  # "EXP16s" is written so
    opened = begins and plain and first.ent_type_ not in NAMED
    last = first.i + 1 == len(first.doc)
    alone = begins or last or not first.nbor(1).text[:1].isupper()
    opened |= common and alone and flaws.is_noun(first) and not first.text.isupper()
    return text[0].lower() + text[1:] if opened or first.pos_ not in {"PROPN", "NUM"} else text
