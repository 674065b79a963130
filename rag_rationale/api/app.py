"""The routes. Each hands its work to the explainer; how failures look is said in `problems`."""

from __future__ import annotations

import hmac
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from rag_rationale import __version__
from rag_rationale.api import examples, many, problems
from rag_rationale.api.limits import BodyLimit
from rag_rationale.api.many import CLIENT_LEFT, LOOK, PRIVATE
from rag_rationale.api.readiness import Probe, Readiness
from rag_rationale.api.streaming import HEARTBEAT, EventStream, Steps
from rag_rationale.api.workers import Workers
from rag_rationale.service import Answers, Explainer
from rag_rationale.types import Rationale, RationaleRequest, SourceReply

_TEXT: dict[str, Any] = {"max_length": 256, "pattern": r"^[^\x00]*$"}
_bearer = HTTPBearer(auto_error=False, description="The admin token, which may read any evidence.")


class _Api(FastAPI):
    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        examples.put_into(document)
        return document


def create_app(explainer: Explainer, *, answers: Answers | None = None, heartbeat: float = HEARTBEAT) -> FastAPI:
    """The API over `explainer`, which stays the caller's to close, after the app has shut down.

    `answers` come from `open_answers`; without them nothing is cached or logged. `heartbeat`: seconds without an event
    after which a stream sends a comment.
    """
    workers, probe = Workers(), Probe(explainer)
    given = answers or Answers(explainer)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        workers.close()

    app = _Api(
        title="rag_rationale",
        version=__version__,
        description="Explained recommendations in which every sentence cites its evidence word for word.",
        lifespan=lifespan,
        redoc_url=None,
    )
    app.add_middleware(BodyLimit)
    problems.install(app)

    @app.post(
        "/v1/rationales",
        response_model=Rationale,
        summary="Explain why an item fits a user",
        responses={200: examples.RATIONALES, **problems.documented((400, 404, 409, 413, 422, 500, 503))},
    )
    async def rationales(body: RationaleRequest, request: Request) -> Response:
        """A rationale whose sentences cite their evidence, or an abstention that says why.

        With `"stream": true` the reply is a stream of server-sent events.
        """
        stop = threading.Event()
        steps = workers.pull(given.steps(body, stop=stop), tick=heartbeat if body.stream else LOOK, stop=stop)
        if body.stream:
            return EventStream(await anext(steps), steps)
        return await _whole(steps, request)

    app.include_router(many.router(given, workers))

    @app.get(
        "/v1/evidence/{evidence_id:path}",
        summary="Show a passage inside its whole source",
        responses={200: examples.EVIDENCE, **problems.documented((404, 422, 500, 503))},
    )
    def evidence(
        evidence_id: Annotated[str, Path(**_TEXT, description="an `id` of a reply's `evidence`")],
        response: Response,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
        user: Annotated[str | None, Query(**_TEXT, description="whose history evidence this is")] = None,
    ) -> SourceReply:
        """History evidence is shown to its own user or with the admin token only, quarantined text never."""
        response.headers.update(PRIVATE)
        admin = _is_admin(bearer, explainer.settings.admin_token)
        return explainer.evidence(evidence_id, user_id=user, admin=admin)

    @app.get("/healthz", summary="Whether the process lives")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get(
        "/readyz",
        response_model=Readiness,
        summary="Whether the engine and an index answer",
        responses={503: {"model": Readiness, "description": "Not ready; `reason` says why."}},
    )
    def readyz() -> JSONResponse:
        state = probe.check()
        return JSONResponse(state.model_dump(), status_code=200 if state.ready else 503)

    return app


async def _whole(steps: Steps, request: Request) -> Response:
    """The rationale that the steps end with; stops working where the client has left."""
    async with aclosing(steps):
        async for step in steps:
            if step is not None and step.rationale is not None:
                headers = PRIVATE | {"X-Cache": "hit" if step.cached else "miss"}
                return Response(step.rationale.model_dump_json(), media_type="application/json", headers=headers)
            if await request.is_disconnected():
                return Response(status_code=CLIENT_LEFT)
    raise AssertionError("steps always end with a rationale")


def _is_admin(bearer: HTTPAuthorizationCredentials | None, token: str | None) -> bool:
    if bearer is None or not token:
        return False
    return hmac.compare_digest(bearer.credentials.encode("latin-1"), token.encode())
