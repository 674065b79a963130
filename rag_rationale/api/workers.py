"""Runs synchronous iterators in a bounded number of threads, so that the event loop never waits for a model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar, cast

from rag_rationale.api.problems import BusyError

THREADS = 8
WAITING = 64  # requests that may be under way beyond those that have a thread
_END = object()
_LONG = 3600.0

T = TypeVar("T")


class Workers:
    """Threads shared by all requests. Used from one event loop."""

    def __init__(self, *, threads: int = THREADS, waiting: int = WAITING) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="explain")
        self._most = threads + waiting
        self._under_way = 0

    async def pull(
        self, items: Iterator[T], *, tick: float, stop: threading.Event | None = None
    ) -> AsyncGenerator[T | None, None]:
        """The items as they come, and None whenever `tick` seconds brought none. `items` is a generator.

        Closing this sets `stop`, for `items` to see while it works, and closes `items` once the thread that works on it
        has come back. Raises BusyError where too many requests are under way, and whatever `items` raises.
        """
        if self._under_way >= self._most:
            raise BusyError(f"{self._under_way} requests are under way already.", remedy="Try again in a second.")
        self._under_way += 1
        job, waiter = self._next(items)
        try:
            while True:
                while not waiter.done():
                    await asyncio.wait({waiter}, timeout=tick)
                    if not waiter.done():
                        yield None
                item = waiter.result()
                if item is _END:
                    return
                yield cast(T, item)
                job, waiter = self._next(items)
        finally:
            self._under_way -= 1
            if stop is not None:
                stop.set()
            waiter.cancel()
            job.add_done_callback(lambda _: cast(Generator[T, None, None], items).close())

    async def do(self, work: Callable[[], T]) -> T:
        """What one call gives; errors as in `pull`."""
        made = [item async for item in self.pull(_once(work), tick=_LONG) if item is not None]
        return made[0]

    def _next(self, items: Iterator[T]) -> tuple[Future[object], asyncio.Future[object]]:
        job: Future[object] = self._pool.submit(next, items, _END)
        return job, asyncio.wrap_future(job)

    def close(self) -> None:
        """Wait for what runs, drop what has not begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _once(work: Callable[[], T]) -> Iterator[T]:
    yield work()
