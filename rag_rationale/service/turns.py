"""Who computes in Python: one request at a time, since the interpreter runs one thread anyway.

Threads that want it all at once take it from each other a thousand times a second, and from the one that answers and
refuses over HTTP: beside four at work that one gets a fifth. A request that waits for a model lets others in.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

Away = Callable[[], AbstractContextManager[None]]
"""What to be in while waiting for a model: `with away():`."""

T = TypeVar("T")


class Turns:
    """Hands out turns, each to who has waited longest: from a semaphore, who gives one back may get the next."""

    def __init__(self) -> None:
        self._lock, self._taken = threading.Lock(), False
        self._waiting: deque[threading.Lock] = deque()  # each held until the turn is handed to who waits for it

    def taken(self, steps: Generator[T]) -> Iterator[T]:
        """The steps unchanged; each is made in a turn, and none is held between them."""
        try:
            while True:
                self._take()
                try:
                    made = next(steps)
                except StopIteration:
                    return
                finally:
                    self._give()
                yield made
        finally:
            steps.close()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Out of one's turn for a while. Only for who has one."""
        self._give()
        try:
            yield
        finally:
            self._take()

    def _take(self) -> None:
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        try:
            mine.acquire()
        except BaseException:  # interrupted: nobody may wait for a turn that went to who left
            with self._lock:
                left = mine in self._waiting
                if left:
                    self._waiting.remove(mine)
            if not left:
                self._give()
            raise

    def _give(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
