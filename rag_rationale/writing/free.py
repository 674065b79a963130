"""Free writing: an instruct model words a plan's sentence itself, from nothing but the plan's passages.

What it writes is cut into words and citations, and is no better than a guess until the judge has let it through. Only
plans with one passage for each role are asked for; counts stay with frames, whose wording is exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import get_args

from rag_rationale.prompting import Role, Template
from rag_rationale.types import Cite, Draft, Engine, Evidence, GenerateRequest, Plan, Speaker

_MARKER = re.compile(r"\s*\[(\d+)\]")
_END = re.compile(r"[.!。！]$")
_WRAP = "\"“”' \n"


class FreeWriter:
    """Asks `engine` for sentences, as the `free` part of the template says. `seed` makes them repeatable."""

    def __init__(self, template: Template, engine: Engine, *, title: str, seed: int) -> None:
        self._template, self._engine, self._title, self._seed = template, engine, title, seed

    @property
    def able(self) -> bool:
        """Whether the template says what to ask for, and the model can hold a conversation."""
        return self._template.meta.free is not None and "chat" in self._engine.capabilities

    def drafts(self, plan: Plan, *, deadline_ms: int | None = None) -> Iterator[Draft]:
        """Up to as many drafts as the template asks for, the likeliest first; what cites wrongly is left out."""
        spec = self._template.meta.free
        admitted = plan.kind == "caveat" and "facts" in plan.evidence  # the template asks for what a reviewer says
        if spec is None or plan.tallies or admitted or any(len(of) != 1 for of in plan.evidence.values()):
            return
        evidence = [plan.evidence[role][0] for role in _roles(plan)]
        seen: set[str] = set()
        for n in range(spec.candidates):
            request = GenerateRequest(
                "",
                max_tokens=spec.max_tokens,
                stop=spec.stop,
                temperature=spec.temperature if n else 0.0,
                seed=self._seed + n,
                deadline_ms=deadline_ms,
                messages=self._messages(plan),
            )
            text = "".join(event.text for event in self._engine.generate(request)).strip(_WRAP)
            parts = _parts(text, evidence, gap=" " if self._template.language == "en" else "")
            if parts is not None and text not in seen:
                yield Draft(plan.kind, "free", "free", self._template.language, parts)
            seen.add(text)

    def _messages(self, plan: Plan) -> tuple[tuple[Speaker, str], ...]:
        """What the model is told: how to write, and each passage with its number and who said it."""
        spec = self._template.meta.free
        assert spec is not None
        lines = [
            spec.sides[role].format(label=n, title=evidence.title, text=evidence.passage.text)
            for n, role in enumerate(_roles(plan), 1)
            for evidence in plan.evidence[role]
        ]
        asked = spec.ask[plan.kind].format(title=self._title)
        return (("system", spec.system), ("user", "\n".join([*lines, asked])))


def _roles(plan: Plan) -> list[Role]:
    return [role for role in get_args(Role) if role in plan.evidence]


def _parts(text: str, evidence: list[Evidence], *, gap: str) -> tuple[str | Cite, ...] | None:
    """Words and citations in order; None where the text is no whole sentence or does not cite each passage once.

    A sentence on one passage that cites nothing cites it at its end.
    """
    cited = [int(n) for n in _MARKER.findall(text)]
    end = _END.search(_MARKER.sub("", text))
    if not cited and len(evidence) == 1:
        text, cited = f"{text[:-1]}[1]{text[-1:]}", [1]
    if end is None or sorted(cited) != list(range(1, len(evidence) + 1)):
        return None
    parts: list[str | Cite] = []
    at = 0
    for match in _MARKER.finditer(text):
        passage = evidence[int(match[1]) - 1].passage
        parts += [
            text[at : match.start()] + gap,
            Cite((evidence[int(match[1]) - 1],), (passage.start,), (passage.end,)),
        ]
        at = match.end()
    rest = text[at:]
    if not rest:  # a marker behind the full stop goes before it
        last = parts[-2]
        assert isinstance(last, str)
        stop = last.rstrip()[-1]
        parts[-2], rest = last.rstrip()[:-1] + gap, stop
    return (*parts, rest)
