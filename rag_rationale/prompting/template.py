"""A template file: YAML front matter, frames with what they assert, and the text that the writer model reads.

It checks everything a file can get wrong when the file is loaded, and names file and line. It knows nothing of evidence
or models.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import jinja2
import jinja2.meta
import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rag_rationale.errors import TemplateError
from rag_rationale.types import Asserts, Kind, Language, Mode, Polarity, Shape

Role = Literal["own", "earlier", "theirs", "facts"]
ROLES: tuple[Role, ...] = get_args(Role)
_PLACE = re.compile(r"\{\{\s*(\w+)\.(\w+)\s*\}\}")
_BODY_VARIABLES = {"title", "own"}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RoleSpec(_Part):
    """What a frame asserts of the evidence in one role. `event: any` is any event the template has a verb for."""

    event: str | tuple[str, ...] | None = None
    polarity: Polarity | None = None
    speakers: Literal["one", "many"] | None = None
    tense: Literal["past", "present"] | None = None


class SlotSpec(_Part):
    """What may fill a slot of this shape, beyond its limit: with "the", or with the article of its source."""

    article: Literal["definite", "own"] | None = None


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
    facts: RoleSpec | None = None


class Limits(_Part):
    """Greatest length in characters of a whole sentence and of what fills each shape."""

    sentence: int = Field(gt=0)
    np: int = Field(gt=0)
    clause: int = Field(gt=0)
    quote: int = Field(gt=0)
    title: int = Field(gt=0)


class FrontMatter(_Part):
    """The YAML at the head of a template file.

    `leads` are the words behind which the writer model judges how well a span of that shape reads; `verbs` word events.
    """

    description: str
    domain: str
    mode: Literal["slots", "quote"]
    limits: Limits
    verbs: dict[str, str]
    leads: dict[Shape, str]
    slots: dict[Shape, SlotSpec] = {}
    forbidden: tuple[str, ...] = ()
    frames: tuple[FrameSpec, ...] = Field(min_length=1)


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
    """One version of a template in one language."""

    name: str
    number: int
    version: str
    language: Language
    meta: FrontMatter
    frames: tuple[Frame, ...]
    _body: jinja2.Template

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}"

    def prompt(self, *, title: str, own: str | None) -> str:
        """The text that the writer model continues: `title` of the item, `own` words of this user or None."""
        return self._body.render(title=title, own=own).rstrip("\n")

    @property
    def shared_prompt(self) -> int:
        """How many leading characters every prompt of this template has in common."""
        one = self.prompt(title="\x01", own="\x01")
        two = self.prompt(title="\x02", own=None)
        return next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), 0)


def load_template(path: Path, *, root: Path) -> Template:
    """Read `prompts/<name>/<lang>.v<N>.prompt`. Partials are looked up from `root`, the prompts folder.

    Raises TemplateError with file and line for a broken front matter, an undeclared variable, a frame that loses its
    citation or cites what it does not use.
    """
    named = re.fullmatch(r"(en|zh)\.v(\d+)\.prompt", path.name)
    if named is None:
        raise TemplateError(path, 0, "a template file is named <en|zh>.v<number>.prompt.")
    text = path.read_text("utf-8")
    match = re.match(r"---\n(.*?)\n---\n(.*)\Z", text, re.DOTALL)
    if match is None:
        raise TemplateError(path, 1, "expected YAML front matter between two lines of `---`.")
    meta = _front_matter(path, match[1])
    frames = tuple(_frame(path, text, spec) for spec in meta.frames)
    if len({f.id for f in frames}) < len(frames):
        raise TemplateError(path, 0, "two frames have the same id.")
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FileSystemLoader(root), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    first_line = text[: match.start(2)].count("\n") + 1
    closure, body = _compile_body(environment, path, match[2], first_line)
    version = hashlib.sha256("\x00".join([match[1], *closure]).encode()).hexdigest()[:12]
    language: Language = "en" if named[1] == "en" else "zh"
    return Template(path.parent.name, int(named[2]), version, language, meta, frames, body)


def _front_matter(path: Path, text: str) -> FrontMatter:
    try:
        return FrontMatter.model_validate(yaml.safe_load(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise TemplateError(
            path, (mark.line if mark else 0) + 2, f"front matter is not YAML: {error.problem}."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"])
        raise TemplateError(path, _line_of(text, first["loc"]) + 1, f"`{place}`: {first['msg']}.") from error


def _line_of(text: str, location: tuple[int | str, ...]) -> int:
    """Line (from 1) in the YAML of the deepest node on `location` that exists."""
    node = yaml.compose(text)
    line = 1
    for key in location:
        children: list[Any] = []
        if isinstance(node, yaml.MappingNode):
            children = [v for k, v in node.value if k.value == str(key)]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            children = [node.value[key]]
        if not children:
            break
        node = children[0]
        line = node.start_mark.line + 1
    return line


def _frame(path: Path, text: str, spec: FrameSpec) -> Frame:
    line = next((n for n, row in enumerate(text.split("\n"), 1) if re.search(rf"id:\s*{spec.id}\s*(#|$)", row)), 0)
    declared: dict[Role, RoleSpec] = {role: s for role in ROLES if (s := getattr(spec, role)) is not None}
    parts: list[str | Slot] = []
    at = 0
    for place in _PLACE.finditer(spec.text):
        role, shape = place[1], place[2]
        if role not in declared:
            raise TemplateError(
                path,
                line,
                f"frame '{spec.id}' uses undeclared variable '{role}'.",
                remedy=f"Declare it in the frame, for instance `{role}: {{}}`; roles are {', '.join(ROLES)}.",
            )
        if shape != "cite" and shape not in get_args(Shape):
            raise TemplateError(
                path, line, f"frame '{spec.id}': '{role}.{shape}' is none of {', '.join(get_args(Shape))}."
            )
        if at < place.start():
            parts.append(spec.text[at : place.start()])
        parts.append(Slot(role, shape))  # type: ignore[arg-type]
        at = place.end()
    if at < len(spec.text):
        parts.append(spec.text[at:])
    if any(isinstance(p, str) and re.search(r"\{\{|\}\}|\{%", p) for p in parts):
        raise TemplateError(
            path, line, f"frame '{spec.id}': only {{{{ role.shape }}}} and {{{{ role.cite }}}} stand in a frame."
        )
    for role in declared:
        cited = sum(isinstance(p, Slot) and p.role == role and p.shape == "cite" for p in parts)
        if cited != 1 or not any(isinstance(p, Slot) and p.role == role and p.shape != "cite" for p in parts):
            raise TemplateError(
                path,
                line,
                f"frame '{spec.id}' cites '{role}' {cited} times.",
                remedy=f"Use its words and put {{{{ {role}.cite }}}} once behind them, or take the role out.",
            )
    if not declared:
        raise TemplateError(
            path, line, f"frame '{spec.id}' rests on no evidence.", remedy="Declare a role and cite it."
        )
    asserts = {
        role: Asserts(
            side={"own": "history", "earlier": "history", "theirs": "review", "facts": "item"}[role],  # type: ignore[arg-type]
            event=None if s.event is None else "any" if isinstance(s.event, tuple) else s.event,
            polarity=s.polarity,
            speakers=s.speakers,
            tense=s.tense,
        )
        for role, s in declared.items()
    }
    events = {role: None if s.event is None else _events(s.event) for role, s in declared.items()}
    return Frame(spec.id, spec.kind, spec.mode, tuple(parts), asserts, events, spec.follows)


def _events(event: str | tuple[str, ...]) -> tuple[str, ...]:
    return event if isinstance(event, tuple) else (event,)


def _compile_body(
    environment: ImmutableSandboxedEnvironment, path: Path, body: str, first_line: int
) -> tuple[list[str], jinja2.Template]:
    """The body's closure of source texts and its compiled form."""
    closure, queue = [body], [body]
    try:
        while queue:
            tree = environment.parse(queue.pop())
            undeclared = jinja2.meta.find_undeclared_variables(tree) - _BODY_VARIABLES
            if undeclared:
                name = sorted(undeclared)[0]
                found = re.search(rf"\b{re.escape(name)}\b", body)
                line = first_line + body[: found.start()].count("\n") if found else first_line
                raise TemplateError(
                    path,
                    line,
                    f"undeclared variable '{name}'.",
                    remedy=f"A prompt may use {', '.join(sorted(_BODY_VARIABLES))}.",
                )
            for name_ in jinja2.meta.find_referenced_templates(tree):
                if name_ is not None:
                    source, _, _ = environment.loader.get_source(environment, name_)  # type: ignore[union-attr]
                    closure.append(source)
                    queue.append(source)
        return closure, environment.from_string(body)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(path, first_line + error.lineno - 1, f"{error.message}.") from error
    except jinja2.TemplateNotFound as error:
        raise TemplateError(path, first_line, f"no partial '{error.name}' in the prompts folder.") from error
