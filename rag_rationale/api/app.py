"""The routes. Each hands its work to the explainer; how failures look is said in `problems`."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from rag_rationale import __version__
from rag_rationale.api import admin, examples, indexes, many, problems
from rag_rationale.api.desk import Desk
from rag_rationale.api.guarding import Guard, Rates, reader_of
from rag_rationale.api.keys import Keys
from rag_rationale.api.limits import BodyLimit, Room
from rag_rationale.api.many import CLIENT_LEFT, PRIVATE
from rag_rationale.api.paths import ANY_ID
from rag_rationale.api.readiness import Probe, Readiness
from rag_rationale.api.streaming import HEARTBEAT, EventStream, Steps
from rag_rationale.api.telemetry import Metrics, Telemetry
from rag_rationale.api.workers import Workers
from rag_rationale.service import Answers, Explainer
from rag_rationale.types import Rationale, RationaleRequest, SourceReply, TemplatesReply

_TEXT: dict[str, Any] = {"max_length": 256, "pattern": r"^[^\x00]*$"}
_WRITING = ("/v1/rationales", "/v1/rationales/batch", "/v1/recommendations")
_log = logging.getLogger(__name__)


class _Api(FastAPI):
    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        examples.put_into(document)
        return document


def create_app(
    explainer: Explainer,
    *,
    answers: Answers | None = None,
    keys: Keys | None = None,
    keys_required: bool = False,
    heartbeat: float = HEARTBEAT,
) -> FastAPI:
    """The API over `explainer`, which stays the caller's to close, after the app has shut down.

    `answers` come from `open_answers`; without them nothing is cached or logged. Without `keys` only the admin token
    tells who asks; where there are any, or `keys_required`, nobody reads without. `heartbeat`: seconds without an event
    after which a stream sends a comment.
    """
    settings, probe = explainer.settings, Probe(explainer)
    workers = Workers(threads=settings.concurrent, waiting=settings.queue)
    given = answers or Answers(explainer)
    metrics = Metrics(given, waiting=lambda: workers.waiting, running=lambda: workers.running)
    rates = Rates(settings.rate)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        if not await run_in_threadpool(workers.close):  # meanwhile the loop lets go of who still waited
            _log.error("%d requests did not stop in time and are left behind.", workers.running)

    app = _Api(
        title="rag_rationale",
        version=__version__,
        description="Explained recommendations in which every sentence cites its evidence word for word.",
        lifespan=lifespan,
        redoc_url=None,
        dependencies=[Depends(HTTPBearer(auto_error=False, description="An API key. The guard checks it."))],
    )
    app.state.rates = rates
    app.add_middleware(BodyLimit)
    app.add_middleware(Room, check=workers.check, routes=_WRITING)
    app.add_middleware(Guard, keys=keys, admin_token=settings.admin_token, required=keys_required, rates=rates)
    app.add_middleware(Telemetry, metrics=metrics)  # the outermost: it tells of refusals too
    problems.install(app)
    desk = Desk(given, workers, metrics, default_ms=settings.deadline_ms, doubt=probe.doubt)

    @app.post(
        "/v1/rationales",
        response_model=Rationale,
        summary="Explain why an item fits a user",
        responses={200: examples.RATIONALES, **problems.documented(problems.OF_WRITING)},
    )
    async def rationales(body: RationaleRequest, request: Request) -> Response:
        """A rationale whose sentences cite their evidence, or an abstention that says why.

        With `"stream": true` the reply is a stream of server-sent events.
        """
        if body.stream:
            steps = desk.steps(body, request, tick=heartbeat)
            return EventStream(await anext(steps), steps)
        return await _whole(desk.last(body, request), request)

    app.include_router(many.router(desk))
    app.include_router(admin.router(given))
    app.include_router(indexes.router(explainer))

    @app.get(
        f"/v1/evidence/{{evidence_id:{ANY_ID}}}",
        summary="Show a passage inside its whole source",
        responses={200: examples.EVIDENCE, **problems.documented((401, 404, 422, 429, 500, 503))},
    )
    def evidence(
        evidence_id: Annotated[str, Path(**_TEXT, description="an `id` of a reply's `evidence`")],
        response: Response,
        request: Request,
        user: Annotated[str | None, Query(**_TEXT, description="whose history evidence this is")] = None,
    ) -> SourceReply:
        """History evidence is shown to its own user or with an admin key only, quarantined text never."""
        response.headers.update(PRIVATE)
        return given.evidence(evidence_id, user_id=user, admin=reader_of(request).admin)

    @app.get(
        "/v1/templates",
        summary="The templates that a request may name",
        responses=problems.documented((401, 429)),
    )
    def templates() -> TemplatesReply:
        """Each version with the labels that mean it; a broken file is told of, and its last good version goes on."""
        return explainer.templates.told()

    @app.get(
        "/metrics",
        summary="Metrics for Prometheus",
        response_class=PlainTextResponse,
        responses=problems.documented((401, 429)),
    )
    def shown_metrics() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/healthz", summary="Whether the process lives")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get(
        "/readyz",
        response_model=Readiness,
        summary="Whether the engine and an index answer",
        responses={503: {"model": Readiness, "description": "Not ready; `reason` says why."}},
    )
    def readyz(request: Request) -> JSONResponse:
        """Where keys are asked for, whoever shows none is told only whether, not with what."""
        state = probe.check()
        told = state.bare() if reader_of(request).stranger else state
        return JSONResponse(told.model_dump(), status_code=200 if state.ready else 503)

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
