"""How the words of a span are spelt inside a sentence: names with their capitals, other words without stray ones."""

from __future__ import annotations

import re
from dataclasses import replace

from rag_rationale.retrieval import Rarity
from rag_rationale.types import Span

_LETTERS = re.compile(r"[A-Za-z]{3,}")
_CAPITAL = re.compile(r"(?<![\w'’-])[A-Z][a-z]+(?![\w'’-])")
_LEADS = frozenset(
    ("the", "a", "an", "all", "both", "every", "each", "some", "many", "most", "no", "everything", "nothing", "their")
)


class Spelling:
    """Spells spans about the item called `title` as people of the index write."""

    def __init__(self, title: str, rarity: Rarity) -> None:
        self._name, self._words, self._rarity = title, title.split(), rarity

    def of(self, span: Span, text: str) -> Span:
        """The span with names spelt as names: what people write with a capital keeps it, and where it begins with the
        item's name, or two words of it, that is spelt as the item spells it, without an article ("Gravity is
        stunning")."""
        written = set(_LETTERS.findall(text[span.start : span.end]))
        span = self._in_small(span, text)
        if lost := {w for w in _LETTERS.findall(span.text) if w.capitalize() in written and self._rarity.is_name(w)}:
            kept = re.compile(rf"\b(?:{'|'.join(map(re.escape, lost))})\b")
            span = replace(span, text=kept.sub(lambda m: m[0].capitalize(), span.text))
        for name in (self._name, " ".join(self._words[:2])):
            if len(name) > 1 and text[span.start :].lower().startswith(name.lower()):
                for begun in (name.lower(), f"the {name.lower()}"):
                    if span.text.lower().startswith(begun):
                        return replace(span, text=name + span.text[len(begun) :])
        return span

    def _in_small(self, span: Span, text: str) -> Span:
        """The span without the capitals that its author gave to words which others write small: "the mutton biryani was
        rich" of "Mutton biryani was rich". Quotations stay as they are."""
        if span.shape not in {"np", "clause", "entry"} or not _CAPITAL.search(span.text):
            return span
        told = set(_CAPITAL.findall(span.text))
        if any(w in self._words or not self._rarity.is_common(w) or self._rarity.unheard(w) for w in told):
            return span  # a name's words are written small elsewhere: "Cream Stone"
        small = _CAPITAL.sub(lambda m: m[0].lower(), span.text)
        bare = span.shape == "clause" and span.text[0].isupper() and text[span.start] == span.text[0]
        return replace(span, text=f"the {small}" if bare and small.split()[0] not in _LEADS else small)
