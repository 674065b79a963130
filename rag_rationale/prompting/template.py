"""What a template is: the front matter of its file, frames with what they assert, the text that the writer model reads.

It knows nothing of files, evidence or models; `loading` makes one from a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import jinja2
from pydantic import BaseModel, ConfigDict, Field, model_validator

from rag_rationale.types import Asserts, Capability, Kind, Language, Mode, Polarity, Shape, Side, Span, Speakers

Role = Literal["own", "earlier", "theirs", "others", "facts"]
ROLES: tuple[Role, ...] = get_args(Role)
SIDES: Mapping[Role, Side] = {
    "own": "history",
    "earlier": "history",
    "theirs": "review",
    "others": "review",
    "facts": "item",
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RoleSpec(_Part):
    """What a frame asserts of the evidence in one role. `event: any` is any event the template has a verb for."""

    event: str | tuple[str, ...] | None = None
    polarity: Polarity | None = None
    speakers: Speakers | None = None
    tense: Literal["past", "present"] | None = None


class SlotSpec(_Part):
    """What may fill a slot of this shape: with "the", or with the article of its source; only words that speak of a
    third person; of which sides; how long at most (before `limits`). `examples` are for the prompt and for `lint`.
    """

    article: Literal["definite", "own"] | None = None
    person: Literal["third"] | None = None
    sides: tuple[Side, ...] | None = None
    longest: int | None = Field(default=None, gt=0)
    examples: tuple[str, ...] = ()

    def allows(self, span: Span, side: Side) -> bool:
        """Whether words of this side may fill the slot, by who speaks in them."""
        return (self.sides is None or side in self.sides) and not (self.person == "third" and span.first_person)


class FrameSpec(_Part):
    """One frame as written in the file. `follows`: its wording needs a sentence before it ("Not everyone agrees")."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    kind: Kind
    mode: Literal["slots", "quote"] = "slots"
    follows: bool = False
    text: str
    own: RoleSpec | None = None
    earlier: RoleSpec | None = None
    theirs: RoleSpec | None = None
    others: RoleSpec | None = None
    facts: RoleSpec | None = None


class Limits(_Part):
    """Greatest length in characters of a whole sentence and of what fills each shape."""

    sentence: int = Field(gt=0)
    np: int = Field(gt=0)
    clause: int = Field(gt=0)
    quote: int = Field(gt=0)
    title: int = Field(gt=0)


class PlanSpec(_Part):
    """Which kinds of sentences to write, in order, the last again and again; empty leaves it to the planner. Without
    history a match becomes a merit, and a caveat that is due comes whatever stands here. `facts`: how many merits at
    most rest on the item's own text.
    """

    order: tuple[Kind, ...] = ()
    facts: int = Field(default=1, ge=0)


class Sampling(_Part):
    """How a sentence is chosen: out of how many `plans`; always the best at `temperature` 0, above it now and then
    another, the likelier the higher (nats per token of the ranking).
    """

    plans: int = Field(default=6, ge=1, le=24)
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)


class Requires(_Part):
    """What the writer model must be able to do, and how many tokens of context it needs."""

    capabilities: tuple[Capability, ...] = ()
    context: int = Field(default=0, ge=0)


class Check(_Part):
    """A test in the front matter: a request (`index`: the one that the tests are run over) and what its reply must be.

    `contains` and `not-contains` are of the text, `max-length` in characters, `cites-side` names sides of which each is
    cited, `verdict` is what becomes of the request, `no-opening-repeated` that no two of its sentences begin alike.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=lambda name: name.replace("_", "-"))

    name: str
    request: dict[str, Any]
    contains: tuple[str, ...] = ()
    not_contains: tuple[str, ...] = ()
    max_length: int | None = Field(default=None, gt=0)
    language: Language | None = None
    verdict: Literal["supported", "abstained"] | None = None
    cites_side: tuple[Side, ...] = ()
    no_opening_repeated: bool = False


class FreeSpec(_Part):
    """What an instruct model is told in mode `free`: how to write, how each passage is shown to it by role ({label},
    {title}, {text}), what is asked for by kind ({title} of the item), and how it generates."""

    system: str
    sides: dict[Role, str]
    ask: dict[Kind, str]
    candidates: int = Field(default=3, ge=1, le=8)
    temperature: float = Field(default=0.7, gt=0, le=2)
    max_tokens: int = Field(default=64, ge=8, le=256)
    stop: tuple[str, ...] = ("\n",)

    @model_validator(mode="after")
    def _can_be_filled(self) -> Self:
        for text in (*self.sides.values(), *self.ask.values()):
            try:
                text.format(label=1, title="", text="")
            except (KeyError, IndexError, ValueError) as error:
                raise ValueError(f"only {{label}}, {{title}} and {{text}} can be filled in: {text!r}") from error
        if missing := {*ROLES} - {"earlier", "others", *self.sides} or {*get_args(Kind)} - {*self.ask}:
            raise ValueError(f"`sides` and `ask` lack {', '.join(sorted(missing))}")
        return self


class FrontMatter(_Part):
    """The YAML at the head of a template file.

    `leads` are the words behind which the writer model judges how well a span of that shape reads; `verbs` word events.
    """

    description: str
    domain: str
    mode: Mode
    limits: Limits
    verbs: dict[str, str]
    leads: dict[Shape, str]
    slots: dict[Shape, SlotSpec] = {}
    plan: PlanSpec = PlanSpec()
    sampling: Sampling = Sampling()
    requires: Requires = Requires()
    forbidden: tuple[str, ...] = ()
    free: FreeSpec | None = None
    frames: tuple[FrameSpec, ...] = Field(min_length=1)
    tests: tuple[Check, ...] = ()

    @model_validator(mode="after")
    def _says_what_is_free(self) -> Self:
        if self.mode == "free" and self.free is None:
            raise ValueError("mode `free` needs a part `free`, which says what the model is asked for")
        return self

    def longest(self, shape: Shape) -> int:
        """The greatest length of what fills a slot of this shape."""
        spec = self.slots.get(shape)
        if spec is not None and spec.longest is not None:
            return spec.longest
        match shape:
            case "np" | "remark":
                return self.limits.np
            case "quote":
                return self.limits.quote
            case "identity" | "clause" | "liking" | "entry":
                return self.limits.clause
            case _:
                return self.limits.title


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a frame for words of the evidence in `role`, or for its labels where `shape` is "cite"."""

    role: Role
    shape: Shape | Literal["cite"]


@dataclass(frozen=True, slots=True)
class Frame:
    """Fixed wording around slots, and what that wording asserts per role; `follows` as in the file."""

    id: str
    kind: Kind
    mode: Mode
    parts: tuple[str | Slot, ...]
    asserts: dict[Role, Asserts]
    events: dict[Role, tuple[str, ...] | None]
    follows: bool = False

    @property
    def roles(self) -> tuple[Role, ...]:
        return tuple(self.asserts)

    def slots(self, role: Role) -> tuple[Slot, ...]:
        """The role's slots that hold words, in order."""
        return tuple(p for p in self.parts if isinstance(p, Slot) and p.role == role and p.shape != "cite")


@dataclass(frozen=True, slots=True)
class Template:
    """One version of a template in one language. `variables` are those that its body uses."""

    name: str
    number: int
    version: str
    language: Language
    meta: FrontMatter
    frames: tuple[Frame, ...]
    variables: frozenset[str]
    _body: jinja2.Template

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}"

    def prompt(self, *, title: str, own: str | None) -> str:
        """The text that the writer model continues: `title` of the item, `own` words of this user or None."""
        examples = {shape: spec.examples for shape, spec in self.meta.slots.items()}
        return self._body.render(title=title, own=own, examples=examples).rstrip("\n")

    @property
    def shared_prompt(self) -> int:
        """How many leading characters every prompt of this template has in common."""
        one = self.prompt(title="\x01", own="\x01")
        two = self.prompt(title="\x02", own=None)
        return next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), 0)
