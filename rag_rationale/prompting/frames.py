"""Reads one frame: fixed wording with places in it, checked against what the frame declares."""

from __future__ import annotations

import re
from typing import get_args

from rag_rationale.prompting.files import Merged
from rag_rationale.prompting.template import ROLES, SIDES, Frame, FrameSpec, Role, RoleSpec, Slot
from rag_rationale.types import Asserts, Shape

_PLACE = re.compile(r"\{\{\s*(\w+)\.(\w+)\s*\}\}")


def read_frame(spec: FrameSpec, number: int, merged: Merged) -> Frame:
    """The frame that is number `number` of `merged`. Raises TemplateError with file and line."""
    frame = _Reading(spec, number, merged)
    parts = frame.parts()
    for role in frame.declared:
        frame.check_citation(role, parts)
    if not frame.declared:
        raise frame.error("rests on no evidence.", remedy="Declare a role and cite it.")
    asserts = {
        role: Asserts(
            side=SIDES[role],
            event=None if s.event is None else "any" if isinstance(s.event, tuple) else s.event,
            polarity=s.polarity,
            speakers=s.speakers,
            tense=s.tense,
        )
        for role, s in frame.declared.items()
    }
    events = {role: (s.event,) if isinstance(s.event, str) else s.event for role, s in frame.declared.items()}
    return Frame(spec.id, spec.kind, spec.mode, parts, asserts, events, spec.follows)


class _Reading:
    """A frame on its way from the file."""

    def __init__(self, spec: FrameSpec, number: int, merged: Merged) -> None:
        self._spec, self._number, self._merged = spec, number, merged
        self.declared: dict[Role, RoleSpec] = {role: s for role in ROLES if (s := getattr(spec, role)) is not None}

    def error(self, reason: str, *, remedy: str = "") -> Exception:
        location = ("frames", self._number, "id")
        return self._merged.error(location, f"frame '{self._spec.id}' {reason}", remedy=remedy)

    def parts(self) -> tuple[str | Slot, ...]:
        """The wording and its places, in order."""
        text = self._spec.text
        parts: list[str | Slot] = []
        at = 0
        for place in _PLACE.finditer(text):
            if at < place.start():
                parts.append(text[at : place.start()])
            parts.append(self._slot(place[1], place[2]))
            at = place.end()
        if at < len(text):
            parts.append(text[at:])
        if any(isinstance(p, str) and re.search(r"\{\{|\}\}|\{%", p) for p in parts):
            raise self.error("may hold {{ role.shape }} and {{ role.cite }}, and no other braces.")
        return tuple(parts)

    def _slot(self, role: str, shape: str) -> Slot:
        if role not in self.declared:
            raise self.error(
                f"uses undeclared variable '{role}'.",
                remedy=f"Declare it in the frame, for instance `{role}: {{}}`; roles are {', '.join(ROLES)}.",
            )
        if shape != "cite" and shape not in get_args(Shape):
            raise self.error(f"has a place '{role}.{shape}', which is none of {', '.join(get_args(Shape))}.")
        return Slot(role, shape)  # type: ignore[arg-type]

    def check_citation(self, role: Role, parts: tuple[str | Slot, ...]) -> None:
        """What a role gives words to is cited, once, and what is cited gives words."""
        of_role = [p.shape for p in parts if isinstance(p, Slot) and p.role == role]
        if not of_role:
            raise self.error(f"declares '{role}' and does not use it.", remedy="Use its words, or take it out.")
        if of_role.count("cite") != 1 or len(of_role) == 1:
            raise self.error(
                f"cites '{role}' {of_role.count('cite')} times.",
                remedy=f"Use its words and put {{{{ {role}.cite }}}} once behind them, or take the role out.",
            )
        if ("count" in of_role) != (self.declared[role].speakers == "count"):
            raise self.error(
                f"counts '{role}' and does not say so, or says so and does not.",
                remedy=f"`speakers: count` and {{{{ {role}.count }}}} go together.",
            )
