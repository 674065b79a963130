"""Puts verified drafts together: labels in order of first use, offsets, and the evidence that is cited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rag_rationale.types import (
    Citation,
    Cite,
    CitedEvidence,
    Draft,
    Evidence,
    Language,
    Sentence,
    Support,
    Tally,
    Verdict,
)

_GLUE: dict[Language, str] = {"en": " ", "zh": ""}


@dataclass(slots=True)
class Assembly:
    """A rationale as it grows, sentence by sentence."""

    language: Language
    text: str = ""
    sentences: list[Sentence] = field(default_factory=list)
    _labels: dict[str, int] = field(default_factory=dict)
    _evidence: dict[str, Evidence] = field(default_factory=dict)

    def add(self, draft: Draft, verdict: Verdict) -> Sentence:
        """Append a verified draft; returns the sentence with its labels and offsets."""
        if self.text:
            self.text += _GLUE[self.language]
        start = len(self.text)
        citations: list[Citation] = []
        for part in draft.parts:
            if isinstance(part, Cite):
                made = self._cite(part)
                citations += made
                self.text += "".join(f"[{c.label}]" for c in made)
            else:
                self.text += draft.shown(part)
        if verdict.label != "supported":
            raise ValueError(f"an unsupported draft must not be served: {verdict.reasons}")
        sentence = Sentence(
            text=self.text[start:],
            start=start,
            end=len(self.text),
            kind=draft.kind,
            mode=draft.mode,
            verdict="supported",
            tier=verdict.tier,
            score=verdict.score,
            support=_support(draft.tallies),
            citations=tuple(citations),
        )
        self.sentences.append(sentence)
        return sentence

    def evidence(self) -> tuple[CitedEvidence, ...]:
        """Every cited passage once, by label."""
        return tuple(cited(self._evidence[id_], label) for id_, label in sorted(self._labels.items(), key=_by_label))

    def _cite(self, cite: Cite) -> list[Citation]:
        made = []
        for evidence, start, end in zip(cite.evidence, cite.starts, cite.ends, strict=True):
            label = self._labels.setdefault(evidence.id, len(self._labels) + 1)
            self._evidence[evidence.id] = evidence
            passage = evidence.passage
            made.append(
                Citation(
                    label=label,
                    evidence_id=evidence.id,
                    cited_text=passage.text[start - passage.start : end - passage.start],
                    start_char_index=start,
                    end_char_index=end,
                )
            )
        return made


def _support(tallies: Sequence[Tally]) -> Support | None:
    """Whom a counting sentence speaks for, those on either side together."""
    mentions = [m for tally in tallies for m in tally.mentions]
    ids = tuple(m.evidence.id for m in mentions)
    people = {m.evidence.passage.author for m in mentions}
    return Support(count=len(people), of=tallies[0].of, evidence_ids=ids) if tallies else None


def cited(evidence: Evidence, label: int) -> CitedEvidence:
    """A piece of evidence as a reply shows it: never an author, never an id that the request made up."""
    passage = evidence.passage
    return CitedEvidence(
        label=label,
        id=evidence.id,
        side=evidence.side,
        item_id=None if passage.item_id.startswith("inline:") else passage.item_id,
        source_id=passage.source_id,
        field=passage.field,
        start=passage.start,
        end=passage.end,
        text=passage.text,
        lang=passage.lang,
        event=evidence.event,
        rating=evidence.rating,
        timestamp=evidence.timestamp,
        score=round(evidence.score, 4),
    )


def dominant_language(evidence: Sequence[Evidence], default: Language) -> Language:
    """The language that most of the evidence has; `default` where there is none or as many of each."""
    english = sum(e.passage.lang == "en" for e in evidence)
    if english * 2 == len(evidence):
        return default
    return "en" if english * 2 > len(evidence) else "zh"


def _by_label(pair: tuple[str, int]) -> int:
    return pair[1]
