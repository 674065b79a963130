"""Every failure as an RFC 9457 problem: the one place that knows which error is which HTTP status.

Errors that the caller can mend speak in their own words. Those that only the operator can mend go to the log whole,
under the `instance` that the reply names, since their words may tell paths of this machine.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from rag_rationale import errors

MEDIA_TYPE = "application/problem+json"
OF_WRITING = (400, 401, 404, 408, 409, 413, 422, 429, 500, 503, 504)
"""What the routes that write rationales may answer beside 200."""
_MOST_FAULTS = 20
_LONGEST_FIELD = 120
_log = logging.getLogger(__name__)


class BusyError(errors.RagRationaleError):
    """As many requests wait as are let wait; `wait` is after how many seconds there may be room."""

    def __init__(self, what: str, *, remedy: str = "", wait: int = 1) -> None:
        super().__init__(what, remedy=remedy)
        self.wait = wait


class UnauthorisedError(errors.RagRationaleError):
    """No key, or none that counts."""


class ForbiddenError(errors.RagRationaleError):
    """A key, but not of the scope that this needs."""


class RateError(errors.RagRationaleError):
    """A key asked too often; `wait` is the seconds until it may again."""

    def __init__(self, what: str, *, remedy: str, wait: int) -> None:
        super().__init__(what, remedy=remedy)
        self.wait = wait


class MalformedBodyError(errors.InvalidRequestError):
    """The body is not JSON."""


class Problem(BaseModel):
    """The body of a failure. `fields` holds a `field` and the `reason` for each that does not fit, never its value."""

    type: str
    title: str
    status: int
    detail: str
    remedy: str | None = None
    instance: str | None = None
    fields: list[dict[str, str]] | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """What a class of errors is over HTTP. `detail` stands in for the error's own words."""

    status: int
    slug: str
    title: str
    detail: str | None = None

    @property
    def type(self) -> str:
        return f"urn:problem-type:rag-rationale:{self.slug}"


_LOGGED = "The server's log tells the cause under this `instance`."

KINDS: dict[type[Exception], Kind] = {
    errors.UnknownIndexError: Kind(
        404, "unknown-index", "Unknown index", "No index of that name is served here; `/readyz` lists those that are."
    ),
    errors.UnknownItemError: Kind(404, "unknown-item", "Unknown item"),
    errors.UnknownEvidenceError: Kind(404, "unknown-evidence", "Unknown evidence"),
    errors.UnknownTemplateError: Kind(404, "unknown-template", "Unknown template"),
    UnauthorisedError: Kind(401, "unauthorised", "Key needed"),
    ForbiddenError: Kind(403, "forbidden", "Admin key needed"),
    RateError: Kind(429, "too-many-requests", "Too many requests"),
    MalformedBodyError: Kind(400, "malformed-body", "Malformed body"),
    errors.InvalidRequestError: Kind(422, "invalid-request", "Invalid request"),
    errors.LockedError: Kind(409, "locked", "Index locked", "Another build holds the index's lock. Try again later."),
    errors.EmbedderMismatchError: Kind(503, "embedder-mismatch", "Index built with another embedder", _LOGGED),
    errors.SnapshotError: Kind(503, "snapshot-unusable", "Index unusable", _LOGGED),
    errors.DeadlineError: Kind(504, "deadline-passed", "Deadline passed"),
    errors.ModelError: Kind(503, "model-unavailable", "Model unavailable", _LOGGED),
    BusyError: Kind(503, "busy", "Too many requests at once"),
    Exception: Kind(500, "internal", "Internal error", _LOGGED),
}


def kind_of(error: Exception) -> Kind:
    """The entry of the nearest class that the table knows."""
    return next(KINDS[c] for c in type(error).__mro__ if c in KINDS)


def problem_of(error: Exception) -> Problem:
    """The problem that tells a caller of an error. What only the operator can mend is logged with its traceback."""
    if isinstance(error, HTTPException) and error.status_code == 400:
        return _malformed("it is not UTF-8, nested too deeply, or holds too long a number")
    if isinstance(error, HTTPException):
        title = HTTPStatus(error.status_code).phrase
        return Problem(type="about:blank", title=title, status=error.status_code, detail=str(error.detail))
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    kind = kind_of(error)
    problem = Problem(type=kind.type, title=kind.title, status=kind.status, detail=kind.detail or "")
    if kind.detail is None and isinstance(error, errors.RagRationaleError):
        problem.detail, problem.remedy = error.what, error.remedy or None
    elif kind.status >= 500:
        problem.instance = f"urn:rag-rationale:failure:{secrets.token_hex(8)}"
        _log.error("%s: %s", problem.instance, error, exc_info=error)
    return problem


def as_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The problem as a reply."""
    body = json.dumps(problem.model_dump(exclude_none=True), ensure_ascii=False).encode("utf-8", "replace")
    return Response(body, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


def as_reply(error: Exception) -> Response:
    """The reply to an error, with the headers that its status asks for."""
    headers = dict((error.headers or {}) if isinstance(error, HTTPException) else {})
    if isinstance(error, BusyError | RateError):
        headers["Retry-After"] = str(error.wait)
    elif isinstance(error, UnauthorisedError):
        headers["WWW-Authenticate"] = "Bearer"
    return as_response(problem_of(error), headers)


def install(app: FastAPI) -> None:
    """Have the app answer every error with a problem."""
    for error in (errors.RagRationaleError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(error, _answer)


def documented(statuses: Iterable[int]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI `responses` for these statuses, each with the problems it may carry as examples."""
    made: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        kinds = [kind for kind in KINDS.values() if kind.status == status]
        content: dict[str, Any] = {"schema": Problem.model_json_schema()}
        if kinds:
            content["examples"] = {kind.slug: {"value": _example(kind)} for kind in kinds}
        titles = [kind.title for kind in kinds] or [HTTPStatus(status).phrase]
        made[status] = {"description": "; ".join(titles) + ".", "content": {MEDIA_TYPE: content}}
    return made


def _answer(request: Request, error: Exception) -> Response:
    del request
    return as_reply(error)


def _malformed(reason: str) -> Problem:
    kind = KINDS[MalformedBodyError]
    return Problem(type=kind.type, title=kind.title, status=kind.status, detail=f"The body is not JSON: {reason}.")


def _invalid(error: RequestValidationError) -> Problem:
    faults = error.errors()
    malformed = next((fault for fault in faults if fault["type"] == "json_invalid"), None)
    if malformed is not None:
        return _malformed(f"{malformed['ctx']['error']} (character {malformed['loc'][-1]})")
    kind = KINDS[errors.InvalidRequestError]
    fields = [{"field": _field(fault["loc"]), "reason": _reason(fault)} for fault in faults[:_MOST_FAULTS]]
    detail = f"{len(faults)} field{'s do' if len(faults) > 1 else ' does'} not fit the schema."
    return Problem(type=kind.type, title=kind.title, status=kind.status, detail=detail, fields=fields)


def _field(loc: Sequence[str | int]) -> str:
    """Where a fault is: `body.user.history[0].rating`."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)[1:]
    return path if len(path) <= _LONGEST_FIELD else path[: _LONGEST_FIELD - 1] + "…"


def _reason(fault: Mapping[str, Any]) -> str:
    reason = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "string_unicode":
        return "holds a lone surrogate, which is no Unicode text"
    if tuple(fault["loc"]) == ("body",):
        return "expected a JSON object, sent with `Content-Type: application/json`"
    return reason


def _example(kind: Kind) -> dict[str, Any]:
    detail = kind.detail or "What happened, with the value at fault."
    return {"type": kind.type, "title": kind.title, "status": kind.status, "detail": detail}
