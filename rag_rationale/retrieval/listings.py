"""What an item's own text lists of it: "Cuisines: Kebab, Asian." and 类型：悬疑、犯罪； as labelled entries."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from rag_rationale.language.lexicon import lexicon
from rag_rationale.types import Item

LISTED = re.compile(r"[^：:.。,，]{1,24}[：:]")
"""How a listed fact begins, such as "Opening hours: 9 to 5": it can be quoted, and holds no clause."""

_FACT = re.compile(
    r"([^：:；;。，,.\s][^：:；;。，,.]{0,23}?)[：:]\s*((?:(?!\.\s+[^.：:]{1,24}[：:])[^；;。：:\n])*[^；;。.：:\s])"
)
_ENTRY = re.compile(r"[^、，,/；;]+")
_DULL = {word.lower() for lang in ("en", "zh") for word in lexicon(lang)["dull_facts"]}


@dataclass(frozen=True, slots=True)
class Entry:
    """One of the values a text lists under a label, the label at `start`, the value up to `end` (code points)."""

    label: str
    value: str
    start: int
    end: int
    alone: bool = False  # whether it is the label's one value

    @property
    def key(self) -> tuple[str, str]:
        return self.label.lower(), self.value.lower()


def facts(text: str) -> list[Entry]:
    """The labels of a text with all they list as one value, but for those that are no reason, such as opening hours."""
    found = (Entry(fact[1].strip(), fact[2], fact.start(), fact.end(), alone=True) for fact in _FACT.finditer(text))
    return [fact for fact in found if not any(word in fact.label.lower() for word in _DULL)]


def entries(text: str) -> list[Entry]:
    """Each value that `facts` list by itself, but for numbers."""
    found = []
    for fact in facts(text):
        pieces = list(_ENTRY.finditer(fact.value))
        for piece in pieces:
            value = piece[0].strip()
            if len(value) > 1 and not any(c.isdigit() for c in value):
                end = fact.end - len(fact.value) + piece.start() + len(piece[0].rstrip())
                found.append(Entry(fact.label, value, fact.start, end, alone=len(pieces) == 1))
    return found


class Listings:
    """How common each entry is among items, by a sample of them."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._labels: dict[str, int] = defaultdict(int)
        self._keys: dict[tuple[str, str], int] = defaultdict(int)
        for item in items:
            found = {entry.key for entry in entries(item.description)}
            for label in {label for label, _ in found}:
                self._labels[label] += 1
            for key in found:
                self._keys[key] += 1

    def share(self, entry: Entry) -> float:
        """The share of the items with this label that list this value."""
        return (self._keys[entry.key] + 1) / (self._labels[entry.key[0]] + 2)
