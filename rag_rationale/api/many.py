"""Several rationales for one user in one reply: of the items asked about, or of items found for her."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import aclosing

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from rag_rationale.api import problems
from rag_rationale.api.desk import Desk
from rag_rationale.api.guarding import spend_more
from rag_rationale.api.problems import Problem, problem_of
from rag_rationale.errors import RagRationaleError
from rag_rationale.types import BatchRequest, ItemRef, Rationale, RationaleRequest, RecommendationRequest

CLIENT_LEFT = 499
PRIVATE = {"Cache-Control": "no-store"}


class BatchEntry(BaseModel):
    """What became of one item: a rationale, or the problem that alone would have been the reply."""

    item_id: str | None
    rationale: Rationale | None = None
    problem: Problem | None = None


class BatchReply(BaseModel):
    """Body of `POST /v1/rationales/batch`: an entry for each item, in the order asked."""

    entries: list[BatchEntry]


class Recommendation(BatchEntry):
    """An item for the user. `score` is its closeness to her taste, a centred cosine, whatever its place."""

    score: float


class RecommendationReply(BaseModel):
    """Body of `POST /v1/recommendations`, best first. `reason` says why there is none: `no_history`."""

    recommendations: list[Recommendation]
    reason: str | None


def router(desk: Desk) -> APIRouter:
    """The routes that answer with several rationales."""
    routes = APIRouter(prefix="/v1")

    @routes.post(
        "/rationales/batch",
        response_model=BatchReply,
        summary="Explain several items to one user",
        responses=problems.documented(problems.OF_WRITING),
    )
    async def batch(body: BatchRequest, request: Request) -> Response:
        """One entry per item, in order: its rationale, or the problem it met, which leaves the others alone."""
        asked = [body.about(item) for item in body.items]
        entries = await collect(desk, asked, request)
        if entries is None:
            return Response(status_code=CLIENT_LEFT)
        return Response(BatchReply(entries=entries).model_dump_json(), media_type="application/json", headers=PRIVATE)

    @routes.post(
        "/recommendations",
        response_model=RecommendationReply,
        summary="Find items for a user, each with its rationale",
        responses=problems.documented(problems.OF_WRITING),
    )
    async def recommendations(body: RecommendationRequest, request: Request) -> Response:
        """Items of the index that the user has not met, nearest her taste, as varied as asked.

        A user who has no history, or likes nothing in it, gets none.
        """
        began = time.monotonic()
        found = await desk.candidates(body, request)
        if found is None:
            return Response(status_code=CLIENT_LEFT)
        asked = [body.about(ItemRef(id=each.item_id)) for each in found]
        entries = await collect(desk, asked, request, since=began)
        if entries is None:
            return Response(status_code=CLIENT_LEFT)
        made = [Recommendation(score=round(c.score, 4), **dict(e)) for c, e in zip(found, entries, strict=True)]
        reply = RecommendationReply(recommendations=made, reason=None if made else "no_history")
        return Response(reply.model_dump_json(), media_type="application/json", headers=PRIVATE)

    return routes


async def collect(
    desk: Desk, asked: Sequence[RationaleRequest], request: Request, *, since: float | None = None
) -> list[BatchEntry] | None:
    """An entry for each request, in order; None where the client has left, which stops the work. `since` as of
    `Desk.many`.
    """
    entries = [BatchEntry(item_id=each.item.id) for each in asked]
    spend_more(request, len(asked) - 1)
    steps = desk.many(asked, request, since=since)
    async with aclosing(steps):
        async for step in steps:
            if step is not None:
                position, made = step
                if isinstance(made, RagRationaleError):
                    entries[position].problem = problem_of(made)
                elif made.rationale is not None:
                    entries[position].rationale = made.rationale
            if await request.is_disconnected():
                return None
    return entries
