"""What is wrong or doubtful with a template, before anybody is served with it.

A file that does not load is an error already (`TemplateStore.faults`); here are the faults of those that do.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rag_rationale.grounding.form import form_faults
from rag_rationale.language.wording import wording
from rag_rationale.prompting import Frame, Role, Template
from rag_rationale.types import Analyser, Draft, Language
from rag_rationale.workshop.filling import drafts

Severity = Literal["error", "warning"]
LEAK: Mapping[Language, int] = {"en": 4, "zh": 6}  # words, or Han characters, in a row that give an example away
_TOKEN = re.compile(r"[a-z0-9]+(?:['’][a-z]+)*|[\u3400-\u9fff]")
_LONGEST_OWN = 600  # characters of a passage, about the longest that corpus cuts
_ROLES = ({"own", "theirs"}, {"own", "facts"}, {"earlier", "own", "theirs"}, {"earlier", "own", "facts"})
_ROLES_OF: Mapping[str, tuple[set[str], ...]] = {
    "match": _ROLES,
    "merit": ({"theirs"}, {"facts"}),
    "caveat": ({"theirs"}, {"theirs", "others"}, {"facts"}),
}
_AWKWARD: Mapping[Language, re.Pattern[str]] = {
    "en": re.compile(r"\b(?:the|a|an) (?:the|a|an)\b|\bthat that\b|[,;:.] ?[,;:.]|\s[,.;:]|\ban? (?=\W|$)", re.I),
    "zh": re.compile(r"的的|是是|说说|，，|。。|，。|；。|：。|、。|“。|[,;:!?](?=[\u3400-\u9fff])"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something to mend ("error") or to look at ("warning"); `frame` where one is to blame."""

    template: str
    severity: Severity
    frame: str | None
    text: str

    def __str__(self) -> str:
        return f"{self.template}: {self.severity}: {f'frame {self.frame}: ' if self.frame else ''}{self.text}"


def lint(
    template: Template, analysers: Mapping[Language, Analyser], *, context: int, known_texts: Collection[str] = ()
) -> list[Fault]:
    """The faults of one template. `context`: tokens that the writer model has for a request; `known_texts`: passages of
    the catalogue that the prompt's examples must not repeat.
    """
    found = [*_unused(template), *_prompt(template, context, known_texts)]
    for frame in template.frames:
        found += [
            (severity, frame.id, text)
            for severity, text in [
                *_beyond_plan(frame, template),
                *_overstated(frame, template),
                *_reads(frame, template, analysers),
            ]
        ]
    name = f"{template.name}/{template.language}.v{template.number}"
    return [Fault(name, severity, frame, text) for severity, frame, text in found]


def lint_balance(templates: Sequence[Template]) -> list[Fault]:
    """What one language of a template has and the other lacks. `templates` are of one name."""
    faults = []
    numbers = sorted({t.number for t in templates})
    languages = sorted({t.language for t in templates})
    for number in numbers:
        of_number = {t.language: t for t in templates if t.number == number}
        for language in languages:
            if language not in of_number:
                name = f"{templates[0].name}/{language}.v{number}"
                faults.append(Fault(name, "error", None, "is missing, other languages have this version"))
        if len(of_number) < 2:
            continue
        plans = {language: {_plan(f) for f in t.frames} for language, t in of_number.items()}
        for language, template in of_number.items():
            lacking = set().union(*plans.values()) - plans[language]
            name = f"{template.name}/{language}.v{number}"
            events = {e for t in of_number.values() for e in t.meta.verbs} - set(template.meta.verbs)
            missing = [f"has no frame for {plan}, the other language has" for plan in sorted(lacking)]
            missing += [f"has no verb for the event '{event}'" for event in sorted(events)]
            faults += [Fault(name, "warning", None, text) for text in missing]
            if not template.meta.forbidden and any(t.meta.forbidden for t in of_number.values()):
                faults.append(Fault(name, "error", None, "forbids nothing, the other language does"))
    return faults


def _plan(frame: Frame) -> str:
    mood = next((a.polarity for r, a in frame.asserts.items() if r in ("own", "theirs") and a.polarity), "any")
    speakers = next((a.speakers for a in frame.asserts.values() if a.speakers not in (None, "one")), "one")
    return f"{frame.kind} of {'+'.join(sorted(frame.roles))}, {mood}, {speakers}, {frame.mode}"


def _unused(template: Template) -> Iterator[tuple[Severity, str | None, str]]:
    meta = template.meta
    if "title" not in template.variables:
        yield "warning", None, "the prompt never uses `title`: the model ranks without knowing the item"
    if "own" not in template.variables:
        yield "warning", None, "the prompt never uses `own`: the model ranks without knowing the user"
    if any(s.examples for s in meta.slots.values()) and "examples" not in template.variables:
        yield "warning", None, "slots have examples that the prompt does not show"
    shapes = {s.shape for f in template.frames for role in f.roles for s in f.slots(role)}
    if meta.verbs and "verb" not in shapes:
        yield "warning", None, "`verbs` are given and no frame has a place for one"
    for shape in (*meta.leads, *meta.slots):
        if shape not in shapes:
            yield "warning", None, f"'{shape}' is described and no frame has a place for it"


def _prompt(
    template: Template, context: int, known_texts: Collection[str]
) -> Iterator[tuple[Severity, str | None, str]]:
    """Whether the text that the model reads fits, and whether its examples could be mistaken for evidence."""
    longest = template.prompt(title="x" * template.meta.limits.title, own="x" * _LONGEST_OWN)
    shots = template.prompt(title="", own=None)
    tokens = _tokens(shots) + _tokens("x" * (len(longest) - len(shots)) if template.language == "en" else longest)
    available = min(context, template.meta.requires.context or context)
    if tokens > available // 2:
        yield "error", None, f"the prompt takes about {tokens} tokens, more than half of the {available} there are"
    for line in (*shots.splitlines(), *(e for s in template.meta.slots.values() for e in s.examples)):
        leaked = _leak(line, template, known_texts)
        if leaked:
            yield "error", None, f"the example “{leaked}” stands in the catalogue: its words would be preferred"


def _tokens(text: str) -> int:
    """About how many tokens, rather too many: a Han character is one, of other text three characters."""
    han = sum("\u3400" <= c <= "\u9fff" for c in text)
    return han + (len(text) - han) // 3


def _leak(line: str, template: Template, known_texts: Collection[str]) -> str | None:
    """The first run of words of a line that a passage holds too; those of frames and leads do not count."""
    size, gap = LEAK[template.language], " " if template.language == "en" else ""
    own = " ".join(
        [*template.meta.leads.values(), *(p for f in template.frames for p in f.parts if isinstance(p, str))]
    )
    framed = gap.join(_TOKEN.findall(own.lower()))
    words = _TOKEN.findall(line.lower())
    runs = [gap.join(words[i : i + size]) for i in range(len(words) - size + 1)]
    return next((run for run in runs if run not in framed and any(run in text for text in known_texts)), None)


def searchable(texts: Collection[str], language: Language) -> list[str]:
    """Texts as `lint` wants the catalogue's: lower case, words apart by one space, or not at all in Chinese."""
    gap = " " if language == "en" else ""
    return [gap.join(_TOKEN.findall(text.lower())) for text in texts]


def _beyond_plan(frame: Frame, template: Template) -> Iterator[tuple[Severity, str]]:
    """What no plan can ever hold: the frame would never be used, or would say more than is known."""
    if set(frame.roles) not in _ROLES_OF[frame.kind]:
        yield "error", f"no plan of a {frame.kind} rests on {' and '.join(frame.roles)}"
    for role, asserts in frame.asserts.items():
        events, shapes = frame.events[role], {s.shape for s in frame.slots(role)}
        if role == "facts" and (asserts.polarity or asserts.speakers or events):
            yield "error", "'facts' are the item's own text: they have no polarity, speakers or event"
        if role in ("own", "earlier") and asserts.speakers not in (None, "one"):
            yield "error", f"'{role}' is one user, not several"
        if role in ("theirs", "others") and events:
            yield "error", f"'{role}' are reviews: they have no event"
        if (
            frame.kind == "caveat"
            and role == "theirs"
            and "others" not in frame.roles
            and asserts.polarity == "positive"
        ):
            yield "error", "a caveat rests on a complaint, this one asserts praise"
        if frame.kind == "match" and role == "theirs" and asserts.polarity == "negative":
            yield "error", "a match rests on praise, this one asserts a complaint"
        if "verb" in shapes and not events:
            yield "error", f"'{role}.verb' words an event, declare `{role}: {{event: any}}`"
        if "stars" in shapes and events and not set(events) & {"rating", "review", "any"}:
            yield "error", f"'{role}.stars' needs a rating, which events of {', '.join(events)} lack"
        if events and not set(events) <= {"review", "rating", "preference", "any", *template.meta.verbs}:
            yield "error", f"'{role}' asserts an event that nothing proves: {', '.join(events)}"
        if asserts.speakers in ("many", "count") and not any(_names_aspect(frame, r) for r in frame.roles):
            yield "error", f"'{role}' speaks for {asserts.speakers}, so it must name their `aspect`"


def _names_aspect(frame: Frame, role: Role) -> bool:
    return any(slot.shape == "aspect" for slot in frame.slots(role))


def _overstated(frame: Frame, template: Template) -> Iterator[tuple[Severity, str]]:
    """Whether the fixed words say more than the frame declares: several speakers, all of them, another side, a deed."""
    fixed = "".join(p if isinstance(p, str) else "…" for p in frame.parts).lower()
    voices, deeds = wording(template.language).voices, wording(template.language).deeds
    several = any(a.speakers in ("many", "count") for a in frame.asserts.values())
    if (found := voices["all"].search(fixed)) is not None:
        yield "error", f"“{found[0]}” speaks for all, which nothing proves"
    elif not several and (found := voices["many"].search(fixed)) is not None:
        yield "error", f"“{found[0]}” speaks for several and `speakers` does not say so"
    for voice, roles in (("one", ("theirs", "own")), ("item", ("facts",)), ("user", ("own",))):
        if not set(roles) & set(frame.roles) and (found := voices[voice].search(fixed)) is not None:  # type: ignore[index]
            yield "error", f"“{found[0]}” speaks for a side that the frame does not rest on"
    for role in (r for r in frame.roles if r in ("own", "earlier")):
        before = _before_cite(frame, role)
        events = frame.events[role] or ()
        for event, deed in (("purchase", "bought"), ("view", "viewed"), ("cart", "carted"), ("save", "saved")):
            if event not in events and "review" not in events and (found := deeds[deed].search(before)):
                yield "error", f"“{found[0]}” asserts what the user did: declare `event: {event}` or use `{role}.verb`"
        if frame.asserts[role].polarity != "positive" and (found := deeds["liked"].search(before)):
            yield "error", f"“{found[0]}” asserts a liking: declare `{role}: {{polarity: positive}}`"


def _before_cite(frame: Frame, role: str) -> str:
    """The fixed words that stand with a role: those between the citation before and its own."""
    words = ""
    for part in frame.parts:
        if isinstance(part, str):
            words += part.lower()
        elif part.shape == "cite":
            if part.role == role:
                return words
            words = ""
    return words


def _reads(frame: Frame, template: Template, analysers: Mapping[Language, Analyser]) -> Iterator[tuple[Severity, str]]:
    """The frame with twenty fillers of each shape: one complaint of each sort, with the sentence that shows it."""
    filled = drafts(frame, template)
    if not filled:
        shapes = ", ".join(sorted({s.shape for role in frame.roles for s in frame.slots(role)}))
        yield "error", f"nothing that is allowed in {shapes} is short enough to fill it"
    told: dict[str, str] = {}
    for draft in filled:
        for fault in _sentence_faults(draft, analysers[template.language]):
            told.setdefault(re.sub(r"\d+", "n", fault), f"{fault}: {draft.words}")
    yield from (("error", text) for text in told.values())
    longest = template.meta.limits.sentence
    over = sum(len(draft.words) > longest for draft in filled)
    if over > len(filled) // 2:
        yield (
            "error",
            f"{over} of {len(filled)} samples are longer than the {longest} characters allowed: {filled[0].words}",
        )


def _sentence_faults(draft: Draft, analyser: Analyser) -> list[str]:
    faults = form_faults(draft, analyser, longest=10_000)
    if (found := _AWKWARD[draft.language].search(draft.words)) is not None:
        faults.append(f"reads “{found[0]}”")
    if draft.words[:1].islower():
        faults.append("begins with a small letter")
    return faults
