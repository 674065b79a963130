"""Runs synchronous iterators in a bounded number of threads, so that the event loop never waits for a model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar, cast

from rag_rationale.api.problems import BusyError

_END = object()
_LONG = 3600.0

T = TypeVar("T")


class Workers:
    """Threads shared by all requests: `threads` at work and `waiting` in a queue. Used from one event loop."""

    def __init__(self, *, threads: int = 4, waiting: int = 16) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="explain")
        self._threads, self._most = threads, threads + waiting
        self._under_way = 0

    @property
    def running(self) -> int:
        """Requests that have a thread."""
        return min(self._under_way, self._threads)

    @property
    def waiting(self) -> int:
        """Requests that have none yet."""
        return self._under_way - self.running

    def check(self) -> None:
        """BusyError where too many requests are under way."""
        if self._under_way >= self._most:
            raise BusyError(f"{self._under_way} requests are under way already.", remedy="Try again in a second.")

    async def pull(
        self, items: Iterator[T], *, tick: float, stop: threading.Event | None = None
    ) -> AsyncGenerator[T | None, None]:
        """The items as they come, and None whenever `tick` seconds brought none. `items` is a generator.

        Closing this sets `stop`, for `items` to see while it works, and closes `items` once the thread that works on it
        has come back. Raises BusyError where too many requests are under way, and whatever `items` raises.
        """
        self.check()
        self._under_way += 1
        made: asyncio.Queue[object] = asyncio.Queue()
        loop, gone = asyncio.get_running_loop(), stop or threading.Event()

        def drive() -> None:
            last: object = _END
            try:
                for item in items:
                    if gone.is_set():
                        break
                    loop.call_soon_threadsafe(made.put_nowait, item)
            except BaseException as error:
                last = _Failure(error)
            cast(Generator[T, None, None], items).close()
            if not gone.is_set():
                loop.call_soon_threadsafe(made.put_nowait, last)

        job = self._pool.submit(copy_context().run, drive)
        try:
            while True:
                try:
                    item = await asyncio.wait_for(made.get(), tick)
                except TimeoutError:
                    yield None
                    continue
                if isinstance(item, _Failure):
                    raise item.error
                if item is _END:
                    return
                yield cast(T, item)
        finally:
            gone.set()
            job.cancel()
            self._under_way -= 1

    async def do(self, work: Callable[[], T]) -> T:
        """What one call gives; errors as in `pull`."""
        made = [item async for item in self.pull(_once(work), tick=_LONG) if item is not None]
        return made[0]

    def close(self) -> None:
        """Wait for what runs, drop what has not begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def _once(work: Callable[[], T]) -> Iterator[T]:
    yield work()
