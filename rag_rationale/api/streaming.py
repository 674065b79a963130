"""A rationale as server-sent events: `evidence`, `sentence`…, `done`, or `error`; comments while nothing comes."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from rag_rationale.api.problems import problem_of
from rag_rationale.service import Step

HEARTBEAT = 5.0
"""Seconds without an event after which a comment is sent."""
_BEAT = ": still at work\n\n"

Steps = AsyncGenerator[Step | None, None]


class EventStream(StreamingResponse):
    """Sends the steps as they come and closes them at the end, also where the client leaves before."""

    def __init__(self, first: Step | None, steps: Steps) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        if first is not None:  # else it is written, or waits for a thread to look
            headers["X-Cache"] = "hit" if first.cached else "miss"
        super().__init__(_events(first, steps), media_type="text/event-stream", headers=headers)
        self._steps = steps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._steps):
            await super().__call__(scope, receive, send)


async def _events(first: Step | None, steps: Steps) -> AsyncIterator[str]:
    yield _step(first)
    try:
        async for step in steps:
            yield _step(step)
    except Exception as error:  # the status line is long sent
        yield _event("error", problem_of(error).model_dump_json(exclude_none=True))


def _step(step: Step | None) -> str:
    if step is None:
        return _BEAT
    if step.rationale is not None:
        return _event("done", step.rationale.model_dump_json())
    if step.sentence is not None:
        return _event("sentence", step.sentence.model_dump_json())
    return _event("evidence", json.dumps({"candidates": [{"id": e.id, "side": e.side} for e in step.evidence]}))


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"
