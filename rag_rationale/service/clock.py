"""The clock of one request: what each stage took, when to hurry, and when to stop."""

from __future__ import annotations

import threading
import time

from rag_rationale.errors import CancelledError
from rag_rationale.types import Timings

_GRACE_MS = 1000  # beyond twice the deadline, before a request without a sentence fails


class Clock:
    """Milliseconds by stage, whether the deadline has passed, and whether anybody still waits."""

    def __init__(self, deadline_ms: int | None, stop: threading.Event | None = None) -> None:
        self._start = self._last = self._began = time.perf_counter()
        self._deadline, self._stop = deadline_ms, stop
        self._spent = {"retrieve": 0.0, "write": 0.0, "verify": 0.0}

    def again(self) -> Clock:
        """A clock for the next request under the same deadline, with nothing spent yet."""
        clock = Clock(self._deadline, self._stop)
        clock._began = self._began
        return clock

    def lap(self, stage: str) -> None:
        """Charge the time since the last lap to `stage`. CancelledError once nobody waits any more."""
        now = time.perf_counter()
        self._spent[stage] += (now - self._last) * 1000
        self._last = now
        self.heed()

    def heed(self) -> None:
        """CancelledError once nobody waits any more."""
        if self._stop is not None and self._stop.is_set():
            raise CancelledError("Nobody waits for the answer any more.")

    @property
    def left_ms(self) -> int | None:
        """Whole milliseconds until the deadline, 1 at least; None without a deadline."""
        return None if self._deadline is None else max(int(self._deadline - self._passed()), 1)

    @property
    def late(self) -> bool:
        """Whether the deadline has passed; never without one."""
        return self._deadline is not None and self._passed() > self._deadline

    @property
    def over(self) -> bool:
        """Whether twice the deadline has passed: nobody can be waiting for what is not there by then."""
        return self._deadline is not None and self._passed() > 2 * self._deadline + _GRACE_MS

    def timings(self) -> Timings:
        """What was spent so far."""
        total = (time.perf_counter() - self._start) * 1000
        return Timings(**{k: round(v, 2) for k, v in self._spent.items()}, total=round(total, 2))

    def _passed(self) -> float:
        return (time.perf_counter() - self._began) * 1000
