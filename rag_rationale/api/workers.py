"""Runs synchronous iterators in a bounded number of threads, so that the event loop never waits for a model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar, cast

from rag_rationale.api.problems import BusyError

_END = object()

T = TypeVar("T")


class Workers:
    """Threads shared by all requests: `threads` at work and `waiting` in a queue. Used from one event loop."""

    def __init__(self, *, threads: int = 4, waiting: int = 16) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="explain")
        self._most = threads + waiting
        self._under_way = 0  # requests that somebody waits for
        self._lock = threading.Lock()
        self._running = self._waiting = 0

    @property
    def running(self) -> int:
        """Requests that have a thread, also those that nobody waits for any more and that have not come to an end."""
        return self._running

    @property
    def waiting(self) -> int:
        """Requests that have none yet."""
        return self._waiting

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
            self._count(waiting=-1, running=1)
            try:
                work()
            finally:
                self._count(running=-1)

        def work() -> None:
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

        self._count(waiting=1)
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
            if job.cancel():
                self._count(waiting=-1)
            self._under_way -= 1

    def _count(self, *, waiting: int = 0, running: int = 0) -> None:
        with self._lock:
            self._waiting += waiting
            self._running += running

    def close(self) -> None:
        """Wait for what runs, drop what has not begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error
