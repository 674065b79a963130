"""Holds a count against the rows: who wrote of the item at all, and who among them names the aspect.

It recounts from every passage that may speak and trusts neither the plan's list nor its numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag_rationale.types import Analyser, Cite, Evidence, Filler, Mention


class Census:
    """Recounts over `reviews`, all passages of the item's reviews that may speak, in the language of `analyser`."""

    def __init__(self, reviews: Sequence[Evidence], analyser: Analyser) -> None:
        self._reviews, self._analyser = reviews, analyser
        self._ids = {e.id for e in reviews}
        self._people = {e.passage.author for e in reviews}

    def faults(self, filler: Filler, cites: Sequence[Cite]) -> list[str]:
        """What is wrong with a slot that holds the number of a count, its whole or its aspect."""
        tally = filler.tally
        if tally is None:
            return [f"{filler.slot} rests on no count"]
        faults = []
        if filler.asserts.polarity != tally.polarity:
            faults.append(f"{filler.slot} counts who is {tally.polarity} as {filler.asserts.polarity}")
        match filler.shape:
            case "count":
                faults += self._count_faults(filler, cites)
            case "of":
                proven = filler.text == str(len(self._people)) == str(tally.of)
                faults += [] if proven else [f"of {filler.text} reviewers, {len(self._people)} wrote"]
            case _:
                if not self._names(filler.text, tally.aspect):
                    faults.append(f"'{filler.text}' is not what was counted, '{tally.aspect}'")
        return faults

    def _count_faults(self, filler: Filler, cites: Sequence[Cite]) -> list[str]:
        tally = filler.tally
        assert tally is not None
        people = {m.evidence.passage.author for m in tally.mentions}
        faults = [
            f"a passage counted for '{tally.aspect}' {fault}" for m in tally.mentions if (fault := self._fault(m))
        ]
        faults += [
            f"a passage counted for '{tally.aspect}' does not name it: {m.words}"
            for m in tally.mentions
            if not self._names(m.words, tally.aspect)
        ]
        if len(people) < len(tally.mentions):
            faults.append("one reviewer is counted twice")
        if filler.text != str(len(people)):
            faults.append(f"counts {filler.text} reviewers, shown are {len(people)}")
        known = self._recount(tally.aspect)
        if not people <= known or (tally.polarity == "neutral" and people != known):
            faults.append(f"counts {len(people)} who name '{tally.aspect}', there are {len(known)}")
        shown = next((c.evidence for c in cites if c.evidence[0].id == filler.evidence.id), ())
        if not shown or tuple(m.evidence.id for m in tally.mentions[: len(shown)]) != tuple(e.id for e in shown):
            faults.append(f"what is cited for '{tally.aspect}' is not what was counted")
        return faults

    def _fault(self, mention: Mention) -> str | None:
        passage = mention.evidence.passage
        if mention.evidence.id not in self._ids:
            return "may not speak for the item"
        if not passage.start <= mention.start < mention.end <= passage.end:
            return "is pointed at outside its bounds"
        return None

    def _recount(self, aspect: str) -> set[str]:
        """The authors of every passage that names the aspect."""
        held = [e for e in self._reviews if e.passage.lang == self._analyser.language]
        return {e.passage.author for e in held if any(n.lemma == aspect for n in self._analyser.terms(e.passage.text))}

    def _names(self, words: str, aspect: str) -> bool:
        return any(noun.lemma == aspect for noun in self._analyser.terms(words))
