"""Which things more than one reviewer of an item speaks of.

A noun that is praised may be anything: the reviewer's own amplifier, a friend's studio, a pizza that a pedal is loved
nearly as much as. What is of the item, others mention too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from rag_rationale.types import Analyser, Evidence

_ENOUGH = 10  # reviewers below which it tells nothing that nobody else speaks of a thing


class Company:
    """Knows what the `reviews` of an item speak of, in the analyser's language. Counts when first asked."""

    def __init__(self, reviews: Sequence[Evidence], analyser: Analyser) -> None:
        self._reviews, self._analyser = reviews, analyser
        self._said: dict[str, set[str]] | None = None
        self._people = 0

    def keeps(self, noun: str) -> bool:
        """Whether two reviewers or more use the noun, by its lemma; True where there are too few to tell."""
        if self._said is None:
            self._said = defaultdict(set)
            own = [e.passage for e in self._reviews if e.passage.lang == self._analyser.language]
            self._people = len({passage.author for passage in own})
            for passage in own if self._people >= _ENOUGH else ():
                for term in self._analyser.terms(passage.text):
                    self._said[term.lemma].add(passage.author)
        return self._people < _ENOUGH or len(self._said.get(noun, ())) > 1
