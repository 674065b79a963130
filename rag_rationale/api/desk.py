"""Hands requests to the threads, with the time that is left to each, and notes what came of them."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, closing
from typing import TypeVar

from fastapi import Request

from rag_rationale.api.telemetry import Metrics, traced, watched
from rag_rationale.api.workers import Workers
from rag_rationale.errors import BackendError, RagRationaleError
from rag_rationale.retrieval import Candidate
from rag_rationale.service import Answers, Step
from rag_rationale.types import RationaleRequest, RecommendationRequest

LOOK = 0.25
"""Seconds between looks whether the client is still there."""

T = TypeVar("T")


class Desk:
    """What the routes ask. `default_ms` is the deadline of a request that names none; `doubt` is called at each failure
    of the engine.
    """

    def __init__(
        self,
        answers: Answers,
        workers: Workers,
        metrics: Metrics,
        *,
        default_ms: int,
        doubt: Callable[[], None] = lambda: None,
    ) -> None:
        self.answers = answers
        self._workers, self._metrics, self._default, self._doubt = workers, metrics, default_ms, doubt

    def steps(self, body: RationaleRequest, request: Request, *, tick: float) -> AsyncGenerator[Step | None, None]:
        """The steps to one rationale, None whenever `tick` seconds brought none."""
        stop, due = threading.Event(), self._due([body])
        return self._watched(lambda: self.answers.steps(due()[0], stop=stop), stop, request, tick)

    def last(self, body: RationaleRequest, request: Request) -> AsyncGenerator[Step | None, None]:
        """The last of the steps alone: each that is handed over between threads costs as much as a look-up."""
        stop, due = threading.Event(), self._due([body])

        def begin() -> Iterator[Step]:
            with closing(self.answers.steps(due()[0], stop=stop)) as steps:
                for step in traced(steps):
                    if stop.is_set():
                        return
                    if step.rationale is not None:
                        yield step

        return watched(self._workers.pull(self._begun(begin), tick=LOOK, stop=stop), self._metrics, request.scope)

    def many(
        self, asked: Sequence[RationaleRequest], request: Request, *, since: float | None = None
    ) -> AsyncGenerator[tuple[int, Step | RagRationaleError] | None, None]:
        """The steps to several rationales for one user, by position; their time runs from `since` (time.monotonic)."""
        stop, due = threading.Event(), self._due(asked, since)

        def begin() -> Iterator[tuple[int, Step | RagRationaleError]]:
            with closing(self.answers.many(due(), stop=stop)) as made:
                for position, step in made:
                    if isinstance(step, BackendError):
                        self._doubt()
                    yield position, step

        return self._watched(begin, stop, request, LOOK)

    async def candidates(self, body: RecommendationRequest, request: Request) -> list[Candidate] | None:
        """Items for a user; None where the client has left, which stops the search."""
        stop = threading.Event()
        found = self._workers.pull(
            self._begun(lambda: iter([self.answers.candidates(body, stop=stop)])), tick=LOOK, stop=stop
        )
        async with aclosing(found):
            async for made in found:
                if made is not None:
                    return made
                if await request.is_disconnected():
                    return None
        raise AssertionError("a search always ends with a list")

    def _watched(
        self, begin: Callable[[], Iterator[T]], stop: threading.Event, request: Request, tick: float
    ) -> AsyncGenerator[T | None, None]:
        steps = self._workers.pull(self._begun(lambda: traced(begin())), tick=tick, stop=stop)
        return watched(steps, self._metrics, request.scope)

    def _due(
        self, asked: Sequence[RationaleRequest], since: float | None = None
    ) -> Callable[[], list[RationaleRequest]]:
        """The requests as they are once a thread takes them, with the time that waiting has left them."""
        arrived = time.monotonic() if since is None else since

        def due() -> list[RationaleRequest]:
            waited = int((time.monotonic() - arrived) * 1000)
            left = [max((each.deadline_ms or self._default) - waited, 1) for each in asked]
            return [each.model_copy(update={"deadline_ms": ms}) for each, ms in zip(asked, left, strict=True)]

        return due

    def _begun(self, begin: Callable[[], Iterator[T]]) -> Iterator[T]:
        """The iterator made only when the first item is asked for, closed with this one."""
        try:
            yield from begin()
        except BackendError:
            self._doubt()
            raise
