"""Runs the tests that stand in a template's front matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from rag_rationale.errors import InvalidRequestError
from rag_rationale.language.words import opening
from rag_rationale.prompting import Check, Template
from rag_rationale.types import Rationale, RationaleRequest


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one test: the text it judged, and what did not hold; nothing where all did."""

    test: str
    text: str
    failures: tuple[str, ...]


def run_tests(template: Template, explain: Callable[[RationaleRequest], Rationale], *, index: str) -> list[Outcome]:
    """Every test of the template, over `index` unless its request names another. InvalidRequestError for a request that
    does not fit.
    """
    made = []
    for check in template.meta.tests:
        reply = explain(_request(check, template, index))
        text = reply.rationale or f"(no rationale: {reply.reason})"
        made.append(Outcome(check.name, text, tuple(failures(check, reply))))
    return made


def failures(check: Check, reply: Rationale) -> Iterator[str]:
    """What a reply lacks of what a test asks."""
    text = reply.rationale
    yield from (f"does not contain “{word}”" for word in check.contains if word not in text)
    yield from (f"contains “{word}”" for word in check.not_contains if word in text)
    if check.max_length is not None and len(text) > check.max_length:
        yield f"is {len(text)} characters long, {check.max_length} are allowed"
    if check.language is not None and reply.language != check.language:
        yield f"is in {reply.language}, not in {check.language}"
    verdict = "supported" if reply.status == "grounded" else "abstained"
    if check.verdict is not None and verdict != check.verdict:
        yield f"is {verdict}, not {check.verdict}"
    sides = {evidence.side for evidence in reply.evidence}
    yield from (f"cites no {side}" for side in check.cites_side if side not in sides)
    if check.no_opening_repeated:
        openings = [opening(sentence.text, reply.language) for sentence in reply.sentences]
        yield from (f"begins twice with “{o}”" for o in sorted({o for o in openings if openings.count(o) > 1}))


def _request(check: Check, template: Template, index: str) -> RationaleRequest:
    spec = f"{template.name}@v{template.number}"
    body: dict[str, Any] = {"index": index, "language": template.language, **check.request, "template": spec}
    try:
        return RationaleRequest.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidRequestError(
            f"Test '{check.name}' of {template.label}: `{place}`: {first['msg']}.", remedy="Correct its `request`."
        ) from error
