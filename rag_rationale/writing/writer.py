"""Turns a plan into drafts: a frame of the template, its slots filled with words of the plan's passages.

The model does not invent: for each slot it ranks the spans that are allowed there, by how well they continue the
sentence (mean log-probability per token, teacher-forced). A model that gives no log-probabilities is asked to choose.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass

from rag_rationale.planning import Reader
from rag_rationale.prompting import Frame, Role, Slot, Template
from rag_rationale.types import (
    Analyser,
    Cite,
    Draft,
    Engine,
    Evidence,
    Filler,
    GenerateRequest,
    Mode,
    Plan,
    Score,
    ScoreRequest,
    Shape,
    Span,
)

MOST_CANDIDATES = 6  # spans per slot that are put before the model
_INFORMATION = 0.12  # what one more content word of a span is worth, in nats per token
_ENOUGH_WORDS = 6
_LOOKAHEAD = 12  # characters of fixed wording behind a slot that a span must lead into


@dataclass(frozen=True, slots=True)
class _Option:
    """Something that could stand in a slot."""

    text: str
    start: int
    end: int
    span: Span | None = None


class Writer:
    """Writes drafts for one request with one template and one engine. `salt` varies the wording between requests."""

    def __init__(self, template: Template, engine: Engine, reader: Reader, analyser: Analyser, *, salt: str) -> None:
        self._template, self._engine, self._reader, self._analyser = template, engine, reader, analyser
        self._random = random.Random(int.from_bytes(hashlib.sha256(salt.encode()).digest()[:8], "big"))
        self._used: list[str] = []

    def drafts(self, plan: Plan, *, mode: Mode, title: str, hurry: bool) -> Iterator[Draft]:
        """Drafts of a plan in one mode, best frame first; none where no frame of the template fits the plan.

        With `hurry` the model is not asked and the most telling span is taken.
        """
        frames = [f for f in self._template.frames if f.mode == mode and self._fits(f, plan)]
        order = {f.id: self._random.random() for f in frames}
        for frame in sorted(frames, key=lambda f: (self._used.count(f.id), -self._strength(f), order[f.id])):
            draft = self._fill(frame, plan, title=title, hurry=hurry)
            if draft is not None:
                yield draft

    def accept(self, draft: Draft) -> None:
        """Remember that a draft was used, so that the next one is worded otherwise."""
        self._used.append(draft.frame)

    def _fits(self, frame: Frame, plan: Plan) -> bool:
        if frame.kind != plan.kind or set(frame.roles) != set(plan.evidence):
            return False
        return all(self._role_fits(frame, role, plan) for role in frame.roles)

    def _role_fits(self, frame: Frame, role: Role, plan: Plan) -> bool:
        evidence, asserts, events = plan.evidence[role], frame.asserts[role], frame.events[role]
        if (asserts.speakers == "many") != (len(evidence) > 1):
            return False
        judged = "own" if plan.kind == "match" else "theirs"
        if role == judged and asserts.polarity not in (None, plan.polarity):
            return False
        if events is None:
            return True
        event = evidence[0].event or ""
        return event in self._template.meta.verbs if events == ("any",) else event in events

    def _strength(self, frame: Frame) -> int:
        """Clauses say more than noun phrases, so their frames come first."""
        shapes = [p.shape for p in frame.parts if isinstance(p, Slot)]
        return 2 * shapes.count("clause") + 2 * shapes.count("identity") + shapes.count("np") + shapes.count("quote")

    def _fill(self, frame: Frame, plan: Plan, *, title: str, hurry: bool) -> Draft | None:
        options: dict[Slot, list[_Option]] = {}
        for role in frame.roles:
            for slot in frame.slots(role):
                found = self._options(slot, frame, plan)
                if not found:
                    return None
                options[slot] = found
        return self._choose(frame, plan, options, title=title, hurry=hurry)

    def _options(self, slot: Slot, frame: Frame, plan: Plan) -> list[_Option]:
        evidence = plan.evidence[slot.role][0]
        passage, asserts = evidence.passage, frame.asserts[slot.role]
        whole = (passage.start, passage.end)
        match slot.shape:
            case "title":
                fits = 0 < len(evidence.title) <= self._template.meta.limits.title
                return [_Option(evidence.title, *whole)] if fits else []
            case "verb":
                verb = self._template.meta.verbs.get(evidence.event or "")
                return [_Option(verb, *whole)] if verb else []
            case "stars":
                high = evidence.rating is not None and (asserts.polarity != "positive" or evidence.rating >= 4)
                return [_Option(f"{evidence.rating:g}", *whole)] if high else []
            case "aspect":
                return self._aspect(plan)
            case _:
                spans = self._spans(slot.shape, frame, slot.role, plan)
                return [_Option(s.text, passage.start + s.start, passage.start + s.end, s) for s in spans]

    def _aspect(self, plan: Plan) -> list[_Option]:
        """The head word that all passages share, as it stands in the first."""
        if plan.aspect is None:
            return []
        evidence = plan.evidence["theirs"][0]
        at = evidence.passage.text.lower().find(plan.aspect)
        if at < 0:
            return []
        word = f"the {plan.aspect}" if self._template.language == "en" else plan.aspect
        start = evidence.passage.start + at
        return [_Option(word, start, start + len(plan.aspect))]

    def _spans(self, shape: Shape | str, frame: Frame, role: Role, plan: Plan) -> list[Span]:
        reading = self._reader.read(plan.evidence[role][0])
        asserts, article = frame.asserts[role], self._article(shape)
        spans = [
            s
            for s in reading.spans
            if s.shape == shape
            and (s.polarity == asserts.polarity if asserts.polarity else s.polarity != "negative" or role == "facts")
            and (article is None or s.article in (None, article))
            and (plan.aspect is None or shape != "clause" or s.head == plan.aspect)
        ]
        told = sorted(spans, key=lambda s: -min(len(self._analyser.words(s.text)), _ENOUGH_WORDS))
        return told[:MOST_CANDIDATES]

    def _article(self, shape: Shape | str) -> str | None:
        spec = next((spec for name, spec in self._template.meta.slots.items() if name == shape), None)
        return spec.article if spec else None

    def _choose(
        self, frame: Frame, plan: Plan, options: dict[Slot, list[_Option]], *, title: str, hurry: bool
    ) -> Draft:
        """Fill slot after slot, each with the option that best continues what stands before it."""
        prompt = self._prompt(plan, title)
        parts: list[str | Filler | Cite] = []
        written, likelihoods = " " if self._template.language == "en" else "", []
        chosen: dict[Slot, _Option] = {}
        for n, part in enumerate(frame.parts):
            if isinstance(part, str):
                parts.append(part)
                written += part
                continue
            evidence = plan.evidence[part.role][0]
            if part.shape == "cite":
                parts.append(self._cite(part.role, frame, plan, chosen))
                written = written.rstrip(" ")
                continue
            found = options[part]
            if len(found) > 1 and not hurry:
                option, likelihood = self._rank(prompt, written, _next_words(frame, n), found)
                likelihoods.append(likelihood)
            else:
                option = found[0]
            chosen[part] = option
            span = option.span
            parts.append(
                Filler(
                    f"{part.role}.{part.shape}",
                    option.text,
                    part.shape,
                    evidence,
                    option.start,
                    option.end,
                    frame.asserts[part.role],
                    span.polarity if span else "neutral",
                )
            )
            written += option.text
        mean = sum(likelihoods) / len(likelihoods) if likelihoods else None
        return Draft(plan.kind, frame.mode, frame.id, self._template.language, tuple(parts), mean)

    def _prompt(self, plan: Plan, title: str) -> str:
        own = next(iter(plan.evidence.get("own", ())), None)
        said = next(e for role in ("theirs", "facts", "own") for e in plan.evidence.get(role, ()))
        context = {"title": own.title or own.passage.text, "text": own.passage.text} if own else None
        return self._template.prompt(title=title, note=said.passage.text, own=context)

    def _rank(self, prompt: str, written: str, after: str, options: list[_Option]) -> tuple[_Option, float]:
        prefix = prompt + written.rstrip(" ")
        gap = written[len(written.rstrip(" ")) :]
        candidates = tuple(f"{gap}{o.text}{after}" for o in options)
        if "logprobs" in self._engine.capabilities:
            scores = self._engine.score(ScoreRequest(prefix, candidates, shared=self._template.shared_prompt))
        else:
            scores = self._ask(prefix, candidates)
        values = [s.mean + _INFORMATION * self._told(o) for s, o in zip(scores, options, strict=True)]
        best = max(range(len(options)), key=lambda i: (values[i], -i))
        return options[best], scores[best].mean

    def _ask(self, prefix: str, candidates: tuple[str, ...]) -> list[Score]:
        """The pick of a model that can only choose, as scores of 0 and -9."""
        events = list(self._engine.generate(GenerateRequest(prefix, choices=candidates, max_tokens=128)))
        picked = "".join(event.text for event in events)
        return [Score(0.0 if c == picked else -9.0, 1) for c in candidates]

    def _told(self, option: _Option) -> int:
        return min(len(self._analyser.words(option.text)), _ENOUGH_WORDS)

    def _cite(self, role: Role, frame: Frame, plan: Plan, chosen: dict[Slot, _Option]) -> Cite:
        """The words that the role's slots rest on; whole passages where a slot rests on the row."""
        group = plan.evidence[role]
        first = group[0].passage
        worded = [o for slot, o in chosen.items() if slot.role == role and (o.span or slot.shape == "aspect")]
        rest = [o for slot, o in chosen.items() if slot.role == role and o not in worded]
        start = min((o.start for o in worded), default=first.start)
        end = max((o.end for o in worded), default=first.end)
        if not worded and not rest:  # the words come behind the citation
            slots = frame.slots(role)
            start, end = (first.start, first.end) if slots else (start, end)
        others = [self._proof(e, plan) for e in group[1:]]
        return Cite(group, (start, *(s for s, _ in others)), (end, *(e for _, e in others)))

    def _proof(self, evidence: Evidence, plan: Plan) -> tuple[int, int]:
        """Where another reviewer says the same of the shared aspect."""
        passage = evidence.passage
        spans = self._reader.read(evidence).of("clause", plan.polarity)
        span = next((s for s in spans if s.head == plan.aspect), None)
        return (passage.start + span.start, passage.start + span.end) if span else (passage.start, passage.end)


def _next_words(frame: Frame, n: int) -> str:
    """The fixed wording behind part `n`, as far as the next slot; citation places do not count as words."""
    words = ""
    for part in frame.parts[n + 1 :]:
        if isinstance(part, str):
            words = words.rstrip(" ") + part if words or not part.startswith(" ") else part
        elif part.shape != "cite":
            break
    # " ; here" after a dropped label leaves a space before the mark
    return words.lstrip(" ")[:_LOOKAHEAD] if words.lstrip(" ")[:1] in ",.;:" else words[:_LOOKAHEAD]
