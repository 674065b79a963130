"""Runs synchronous iterators in a bounded number of threads, so that the event loop never waits for a model.

The threads are daemons: one that an engine never answers is left behind, and the process ends all the same.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
import weakref
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextvars import copy_context
from queue import SimpleQueue
from typing import TypeVar, cast

from rag_rationale.api.problems import BusyError

_END = object()
_NEWEST = 0.1  # weight of the last request in what one usually takes
_LONGEST_WAIT = 60

T = TypeVar("T")


class Workers:
    """Threads shared by all requests: `threads` at work and `waiting` in a queue. Used from one event loop."""

    def __init__(self, *, threads: int = 4, waiting: int = 16) -> None:
        self._most = threads + waiting
        self._under_way = 0  # requests that somebody waits for
        self._lock = threading.Lock()
        self._running = self._waiting = 0
        self._usual: float | None = None  # seconds that a request takes a thread
        self._stops: set[threading.Event] = set()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=_serve, args=(self._jobs,), name=f"explain-{n}", daemon=True)
            for n in range(threads)
        ]
        self._dismiss = weakref.finalize(self, _dismiss, self._jobs, threads)

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
            wait = self.wait
            raise BusyError(
                f"{self._under_way} requests are under way already.",
                remedy=f"Try again in {wait} second{'s' if wait > 1 else ''}.",
                wait=wait,
            )

    @property
    def wait(self) -> int:
        """Seconds until those who wait now will all have begun, if requests take what the last ones took; 1 to 60."""
        seconds = (self._usual or 0.0) * (self._waiting + 1) / len(self._threads)
        return min(max(math.ceil(seconds), 1), _LONGEST_WAIT)

    async def pull(
        self, items: Iterator[T], *, tick: float, stop: threading.Event | None = None
    ) -> AsyncGenerator[T | None, None]:
        """The items as they come, and None whenever `tick` seconds brought none. `items` is a generator.

        Closing this sets `stop`, for `items` to see while it works, and closes `items` once the thread that works on it
        has come back. Raises BusyError where too many requests are under way or the workers are closed, and whatever
        `items` raises.
        """
        self.check()
        self._under_way += 1
        made: asyncio.Queue[object] = asyncio.Queue()
        loop, gone = asyncio.get_running_loop(), stop or threading.Event()

        def work() -> None:
            began, last = time.monotonic(), _END
            try:
                for item in () if gone.is_set() else items:
                    if gone.is_set():
                        break
                    loop.call_soon_threadsafe(made.put_nowait, item)
            except BaseException as error:
                last = _Failure(error)
            cast(Generator[T, None, None], items).close()
            if not gone.is_set():
                self._took(time.monotonic() - began)
                loop.call_soon_threadsafe(made.put_nowait, last)

        job = self._submit(work, gone)
        try:
            while True:
                try:
                    item = await asyncio.wait_for(made.get(), tick)
                except TimeoutError:
                    if gone.is_set():
                        raise BusyError("The service is about to end.", remedy="Ask another one.") from None
                    yield None
                    continue
                if isinstance(item, _Failure):
                    raise item.error
                if item is _END:
                    return
                yield cast(T, item)
        finally:
            gone.set()
            self._drop(job, gone)
            self._under_way -= 1

    def close(self, *, seconds: float = 3.0) -> bool:
        """Stop what runs, drop what has not begun; whether all of it came to its end within some seconds."""
        with self._lock:
            for stop in self._stops:
                stop.set()
        self._dismiss()
        end = time.monotonic() + seconds
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(end - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in self._threads)

    def _submit(self, work: Callable[[], None], stop: threading.Event) -> _Job:
        if self._threads[0].ident is None:
            for thread in self._threads:
                thread.start()
        job = _Job(work, self)
        with self._lock:
            self._stops.add(stop)
            self._waiting += 1
        self._jobs.put(job)
        return job

    def _begin(self, job: _Job) -> Callable[[], None] | None:
        """What a job does, None where it was dropped."""
        with self._lock:
            work, job.work = job.work, None
            if work is not None:
                self._waiting, self._running = self._waiting - 1, self._running + 1
            return work

    def _ended(self) -> None:
        with self._lock:
            self._running -= 1

    def _drop(self, job: _Job, stop: threading.Event) -> None:
        """Have a job that has not begun never begin."""
        with self._lock:
            self._stops.discard(stop)
            if job.work is not None:
                job.work = None
                self._waiting -= 1

    def _took(self, seconds: float) -> None:
        with self._lock:
            usual = seconds if self._usual is None else self._usual
            self._usual = usual + _NEWEST * (seconds - usual)


class _Job:
    """Work for a thread, in the context of who asked for it. `work` is None once it has begun or was dropped."""

    def __init__(self, work: Callable[[], None], workers: Workers) -> None:
        self.work: Callable[[], None] | None = work
        self._workers, self._context = workers, copy_context()

    def do(self) -> None:
        work = self._workers._begin(self)
        if work is not None:
            try:
                self._context.run(work)
            finally:
                self._workers._ended()


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def _serve(jobs: SimpleQueue[_Job | None]) -> None:
    """What a thread does; it knows no `Workers`, which end their threads when nobody holds them any more."""
    while (job := jobs.get()) is not None:
        job.do()
        del job


def _dismiss(jobs: SimpleQueue[_Job | None], threads: int) -> None:
    for _ in range(threads):
        jobs.put(None)
