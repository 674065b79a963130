"""Turns a plan into drafts: a frame of the template, its slots filled with words of the plan's passages.

Nothing is invented: a slot takes a span of its passage, or what the evidence's row says. Which of the drafts is served
is the ranker's and the verifier's business.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from rag_rationale.language.titles import short_title
from rag_rationale.language.words import opening
from rag_rationale.planning import Reader
from rag_rationale.prompting import Frame, Role, Slot, Template
from rag_rationale.types import Asserts, Cite, Draft, Evidence, Filler, Mode, Plan, Shape, Span, Tally

_STRENGTH = {"clause": 2, "identity": 2, "liking": 2, "entry": 2, "np": 1, "remark": 1, "quote": 1}
_WORDED = {"np", "clause", "liking", "identity", "remark", "quote"}  # slots that hold the user's own words
_HERE = re.compile(r"\bhere\b")  # "here, one reviewer says the food is good here"
MOST_SPANS = 2  # spans per slot that are tried, those first that tell most and risk least


@dataclass(frozen=True, slots=True)
class _Option:
    """Something that could stand in a slot."""

    text: str
    start: int
    end: int
    span: Span | None = None


class Writer:
    """Writes drafts for one request with one template. `salt` varies the wording between requests.

    Of frames that say as much each is as likely, and which comes first hangs on the salt and their ids alone: a frame
    that is added or reworded changes no text but those that it is in (rendezvous hashing, Thaler and Ravishankar 1998).
    """

    def __init__(self, template: Template, reader: Reader, *, salt: str) -> None:
        self._template, self._reader = template, reader
        self._place = {f.id: hashlib.sha256(f"{salt}\0{f.id}".encode()).digest() for f in template.frames}
        self._used: list[str] = []
        self._begun: list[str] = []
        self._met: set[str] = set()

    def drafts(self, plan: Plan, *, mode: Mode) -> Iterator[Draft]:
        """Drafts of a plan in one mode, best frame first; none where no frame of the template fits the plan."""
        frames = [f for f in self._template.frames if f.mode == mode and self._fits(f, plan)]
        frames = [f for f in frames if self._used or not f.follows]
        for frame in sorted(frames, key=self._rank):
            yield from self._fill(frame, plan)

    def accept(self, draft: Draft) -> None:
        """Remember that a draft was used, so that the next one is worded otherwise."""
        self._used.append(draft.frame)
        self._begun.append(opening(draft.words, self._template.language))
        self._met |= {f.evidence.passage.item_id for f in draft.fillers if f.evidence.side == "history"}

    def _rank(self, frame: Frame) -> tuple[int, int, bool, bytes]:
        return self._used.count(frame.id), -self._strength(frame), self._begins_alike(frame), self._place[frame.id]

    def _begins_alike(self, frame: Frame) -> bool:
        """Whether a sentence of this frame would begin as one before it does."""
        first = frame.parts[0] if isinstance(frame.parts[0], str) else ""
        begins = opening(first, self._template.language)
        return bool(begins) and any(begun.startswith(begins) for begun in self._begun)

    def _fits(self, frame: Frame, plan: Plan) -> bool:
        if frame.kind != plan.kind or set(frame.roles) != set(plan.evidence):
            return False
        if plan.kind == "match" and (plan.aspect is not None) != any(s.shape == "entry" for s in frame.slots("facts")):
            return False
        return all(self._role_fits(frame, role, plan) for role in frame.roles)

    def _role_fits(self, frame: Frame, role: Role, plan: Plan) -> bool:
        evidence, asserts, events = plan.evidence[role], frame.asserts[role], frame.events[role]
        tally = plan.tallies.get(role)
        if (asserts.speakers == "count") != (tally is not None):
            return False
        if tally is not None:
            return asserts.polarity == tally.polarity
        if (asserts.speakers == "many") != (len(evidence) > 1):
            return False
        judged = "own" if plan.kind == "match" else "theirs"
        if role == judged and asserts.polarity not in (None, plan.polarity):
            return False
        named = role == "own" and not any(s.shape in _WORDED for s in frame.slots(role))
        if named and (not plan.akin or evidence[0].passage.item_id in self._met):  # "You gave X 4 stars" is said once
            return False
        if events is None:
            return True
        event = evidence[0].event or ""
        return event in self._template.meta.verbs if events == ("any",) else event in events

    def _strength(self, frame: Frame) -> int:
        """Clauses say more than noun phrases, so their frames come first."""
        shapes = [p.shape for p in frame.parts if isinstance(p, Slot)]
        return sum(_STRENGTH.get(shape, 0) for shape in shapes)

    def _fill(self, frame: Frame, plan: Plan) -> Iterator[Draft]:
        slots = [slot for role in frame.roles for slot in frame.slots(role)]
        for options in product(*(self._options(slot, frame, plan) for slot in slots)):
            yield self._draft(frame, plan, dict(zip(slots, options, strict=True)))

    def _options(self, slot: Slot, frame: Frame, plan: Plan) -> list[_Option]:
        evidence = plan.evidence[slot.role][0]
        passage, asserts = evidence.passage, frame.asserts[slot.role]
        whole = (passage.start, passage.end)
        match slot.shape:
            case "title":
                title = short_title(evidence.title)
                fits = 0 < len(title) <= self._template.meta.limits.title and not self._reader.bars(evidence.title)
                return [_Option(title, *whole)] if fits else []
            case "verb":
                verb = self._template.meta.verbs.get(evidence.event or "")
                return [_Option(verb, *whole)] if verb else []
            case "stars":
                high = evidence.rating is not None and (asserts.polarity != "positive" or evidence.rating >= 4)
                return [_Option(f"{evidence.rating:g}", *whole)] if high else []
            case "count" | "of" | "aspect" if slot.role in plan.tallies:
                return [_tallied(slot.shape, plan.tallies[slot.role])]
            case "aspect":
                return self._aspect(plan)
            case "count" | "of":
                return []
            case "cite":
                return []
            case _:
                spans = self._spans(slot.shape, frame, slot.role, plan)
                return [_Option(s.text, passage.start + s.start, passage.start + s.end, s) for s in spans]

    def _aspect(self, plan: Plan) -> list[_Option]:
        """The head word that all passages share, in the form it has in each of them."""
        evidence = plan.evidence["theirs"]
        if plan.aspect is None:
            return []
        found = re.search(rf"{re.escape(plan.aspect)}[a-z]*", evidence[0].passage.text.lower())
        if found is None or any(found[0] not in e.passage.text.lower() for e in evidence):
            return []
        start = evidence[0].passage.start
        return [_Option(found[0], start + found.start(), start + found.end())]

    def _spans(self, shape: Shape, frame: Frame, role: Role, plan: Plan) -> list[Span]:
        reading = self._reader.read(plan.evidence[role][0])
        asserts, spec = _said_by_one(frame.asserts[role], plan, role), self._template.meta.slots.get(shape)
        echoes = any(isinstance(part, str) and _HERE.search(part) for part in frame.parts)
        article = spec.article if spec else None
        spans = [
            s
            for s in reading.spans
            if s.shape == shape
            and (
                s.polarity == asserts.polarity
                if asserts.polarity
                else (s.polarity == "negative") == (frame.kind == "caveat")
            )
            and (article is None or s.article in (None, article))
            and asserts.tense in (None, s.tense)
            and (spec is None or spec.allows(s, plan.evidence[role][0].side))
            and (plan.aspect is None or shape not in {"clause", "entry"} or _about(s, plan.aspect))
            and (plan.evidence[role][0].event != "review" or self._reader.telling(s.text) > 0)
            and not (echoes and _HERE.search(s.text))
        ]
        return sorted(spans, key=lambda s: self._reader.risk(s.text) - self._reader.telling(s.text))[:MOST_SPANS]

    def _draft(self, frame: Frame, plan: Plan, chosen: dict[Slot, _Option]) -> Draft:
        parts: list[str | Filler | Cite] = []
        for part in frame.parts:
            if isinstance(part, str):
                parts.append(part)
            elif part.shape == "cite":
                parts.append(self._cite(part.role, plan, chosen))
            else:
                parts.append(_filler(part, chosen[part], frame, plan))
        return Draft(plan.kind, frame.mode, frame.id, self._template.language, tuple(parts))

    def _cite(self, role: Role, plan: Plan, chosen: dict[Slot, _Option]) -> Cite:
        """The words that the role's slots rest on; the whole passage where they rest on its row alone."""
        if role in plan.tallies:
            return self._counted(plan, role, chosen)
        first, *others = plan.evidence[role]
        worded = [o for slot, o in chosen.items() if slot.role == role and (o.span or slot.shape == "aspect")]
        own = (
            min((o.start for o in worded), default=first.passage.start),
            max((o.end for o in worded), default=first.passage.end),
        )
        starts, ends = zip(own, *(self._proof(e, plan) for e in others), strict=True)
        return Cite(plan.evidence[role], starts, ends)

    def _counted(self, plan: Plan, role: Role, chosen: dict[Slot, _Option]) -> Cite:
        """The words in which the first of those counted speak of the aspect; the quoted one's own words whole."""
        cited = plan.tallies[role].mentions[: len(plan.evidence[role])]
        said = [o for slot, o in chosen.items() if slot.role == role and o.span]
        starts, ends = [m.start for m in cited], [m.end for m in cited]
        starts[0] = min([starts[0], *(o.start for o in said)])
        ends[0] = max([ends[0], *(o.end for o in said)])
        return Cite(tuple(m.evidence for m in cited), tuple(starts), tuple(ends))

    def _proof(self, evidence: Evidence, plan: Plan) -> tuple[int, int]:
        """Where another reviewer says the same of the shared aspect."""
        passage = evidence.passage
        spans = self._reader.read(evidence).of("clause", plan.polarity)
        span = next((s for s in spans if s.head == plan.aspect), None)
        return (passage.start + span.start, passage.start + span.end) if span else (passage.start, passage.end)


def _about(span: Span, aspect: str) -> bool:
    """Whether a clause is about an aspect, which may be two words: its head is the last of them."""
    return bool(span.head) and aspect.endswith(span.head) and aspect[:-1] in span.text.lower()


def _said_by_one(asserts: Asserts, plan: Plan, role: Role) -> Asserts:
    """What a frame asserts of the words of one reviewer among those counted: only how she judges."""
    return replace(asserts, speakers="one", polarity=plan.polarity) if role in plan.tallies else asserts


def _tallied(shape: Shape, tally: Tally) -> _Option:
    """A number of a tally, or its aspect in the form that most reviewers give it."""
    first = tally.mentions[0]
    text = {"count": str(len(tally.mentions)), "of": str(tally.of)}.get(shape) or _surface(tally)
    return _Option(text, first.start, first.end)


def _surface(tally: Tally) -> str:
    if not tally.aspect.isascii():
        return tally.aspect
    form = re.compile(rf"\b{re.escape(tally.aspect[:-1])}(?:{tally.aspect[-1]}(?:e?s)?|ies)\b")
    forms = Counter(found[0] for m in tally.mentions if (found := form.search(m.words.lower())))
    return max(sorted(forms), key=lambda form: forms[form], default=tally.aspect)


def _filler(slot: Slot, option: _Option, frame: Frame, plan: Plan) -> Filler:
    span = option.span
    tally = plan.tallies.get(slot.role) if span is None else None
    asserts = frame.asserts[slot.role] if span is None else _said_by_one(frame.asserts[slot.role], plan, slot.role)
    return Filler(
        f"{slot.role}.{slot.shape}",
        option.text,
        slot.shape,  # type: ignore[arg-type]
        plan.evidence[slot.role][0],
        option.start,
        option.end,
        asserts,
        span.polarity if span else "neutral",
        span.head if span and span.shape in {"np", "clause", "liking", "entry"} else tally.aspect if tally else "",
        span.tense if span else "none",
        tally,
    )
