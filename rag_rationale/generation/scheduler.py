"""Continuous batching: many jobs share each decode, join and leave at every step.

Used from one thread, which owns the context; `Task.cancel` alone may be called from another.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

from rag_rationale.generation.batching import EVEN_ROWS, Row, deal, evened, worth
from rag_rationale.generation.jobs import Job, Say, Steps
from rag_rationale.generation.memory import Lane, Memory
from rag_rationale.generation.native import Logits, Native
from rag_rationale.generation.trie import common_length

MOST = 48
"""Jobs at work at once, at most: fewer than a decode has rows, so that each gets one."""
_WORTH = 16  # tokens that another job is evaluating just now and that are worth waiting for


class Done:
    """The last answer of a task."""


DONE = Done()


@dataclass(slots=True, eq=False)
class Task:
    """A job on its way. `say` gets the job's answers, then DONE; or an exception. After `deadline`, of
    `time.monotonic`, it gets `late`."""

    job: Job
    say: Say
    deadline: float | None = None
    late: tuple[object, ...] = (DONE,)
    cancelled: bool = False
    started: bool = False
    rows: deque[Row] = field(default_factory=deque)
    lane: Lane | None = None
    steps: Steps | None = None
    head_read: bool = False

    @property
    def certain(self) -> int:
        """How many of its rows must be evaluated: those before its guesses, the first one in any case."""
        return next((i for i, row in enumerate(self.rows) if row.doubt and i), len(self.rows))

    @property
    def guesses(self) -> list[Row]:
        """Its rows, if all but guesses were taken."""
        return list(self.rows) if self.rows and self.rows[0].doubt else []

    def cancel(self) -> None:
        """Ask that nothing more be done for it; its sequences are free before the next decode."""
        self.cancelled = True


class Scheduler:
    """Tasks over one `Native` and its `Memory`.

    Tasks begin in the order they came, except that one waits while another evaluates a prefix they share. Each step
    every task at work gets its share of the rows, so none starves. A fault ends the tasks at work, not those waiting.
    """

    def __init__(self, native: Native, memory: Memory) -> None:
        self._native, self._memory = native, memory
        self._waiting: deque[Task] = deque()
        self._working: list[Task] = []
        self.evaluated = 0
        self.ended = 0

    @property
    def busy(self) -> bool:
        """Whether any task is waiting or at work."""
        return self.jobs > 0

    @property
    def jobs(self) -> int:
        """How many are waiting or at work."""
        return len(self._waiting) + len(self._working)

    def add(self, task: Task) -> None:
        """Let a task wait for its turn."""
        self._waiting.append(task)

    def step(self) -> None:
        """Drop what is cancelled or late, begin what fits, evaluate one batch and hand out what it tells.

        `ended` counts the tasks that ended in it.
        """
        self.ended = 0
        try:
            self._drop()
            self._begin()
            if batch := self._batch():
                self._decode(batch)
        except Exception as error:  # the context is in doubt: whoever had a part in it is told
            self._fail(error)

    def give_up(self, error: Exception) -> None:
        """Tell every task that there will be no answer."""
        for task in [*self._waiting, *self._working]:
            task.say(error)
        self._waiting.clear()
        self._working.clear()

    def _batch(self) -> list[tuple[Task, Row]]:
        """The rows to evaluate next: of each task its share, then the surest guesses that are worth it."""
        shares = deal([task.certain for task in self._working], room=EVEN_ROWS[-1])
        batch = [(task, task.rows.popleft()) for task, n in zip(self._working, shares, strict=True) for _ in range(n)]
        guesses = [(row.doubt, place) for place, task in enumerate(self._working) for row in task.guesses]
        asking = sum(row.logits for _, row in batch)
        most = min(EVEN_ROWS[-1] - len(batch), self._memory.room)
        for _, place in sorted(guesses)[: min(worth(len(guesses), asking=asking), max(most, 0))]:
            batch.append((self._working[place], self._working[place].rows.popleft()))
        return batch

    def _drop(self) -> None:
        now = time.monotonic()
        for task in [*self._waiting, *self._working]:
            if task.cancelled:
                self._end(task, DONE)
            elif task.deadline is not None and now > task.deadline:
                self._end(task, *task.late)

    def _begin(self) -> None:
        """First come, first served, so that small ones never starve a large one; but who waits for a prefix that is on
        its way lets others by."""
        for task in list(self._waiting):
            if len(self._working) == MOST:
                return
            if self._coming(task):
                continue
            job = task.job
            lane = self._memory.open(job.head, sequences=job.sequences, cells=job.cells)
            if lane is None:
                return
            self._waiting.remove(task)
            self._working.append(task)
            self._start(task, lane)

    def _coming(self, task: Task) -> bool:
        """Whether a task at work will soon have evaluated a prefix that this one needs."""
        head = task.job.head
        known = self._memory.held(head) + _WORTH
        return any(not other.head_read and common_length(other.job.head, head) > known for other in self._working)

    def _start(self, task: Task, lane: Lane) -> None:
        job = task.job
        task.lane, task.started = lane, True
        task.steps = job.steps(lane.sequences, task.say)
        last = len(job.head) - 1
        task.rows.extend(Row(job.head[i], i, lane.sequences, i == last) for i in range(lane.base, len(job.head)))
        self._resume(task, None)

    def _resume(self, task: Task, logits: Logits | None) -> None:
        """Let a job read logits (None to begin) and say what it wants next."""
        assert task.steps is not None
        assert task.lane is not None
        try:
            rows = next(task.steps) if logits is None else task.steps.send(logits)
            while rows and task.rows and task.rows[-1].position >= rows[0].position:
                task.rows.pop()
            if rows and len(task.lane.sequences) == 1:
                self._memory.rewind(task.lane, rows[0].position)
            task.rows.extend(rows)
        except StopIteration:
            self._end(task, DONE)
        except Exception as error:  # of this job alone
            self._end(task, error)

    def _decode(self, batch: list[tuple[Task, Row]]) -> None:
        rows = evened([row for _, row in batch], self._memory.padding)
        every = self._native.decode(rows)
        if len(rows) > len(batch):
            self._memory.unpad()
        for task, _ in batch:
            assert task.lane is not None
            self._memory.take(task.lane, 1)
        self.evaluated += len(batch)
        told = iter(every)
        for (task, asked), row in zip(batch, rows, strict=False):
            logits = next(told) if row.logits else None
            if asked.logits and logits is not None and task.lane is not None and asked.position < task.lane.length:
                self._keep(task, task.lane)
                self._resume(task, logits)

    def _keep(self, task: Task, lane: Lane) -> None:
        if not task.head_read:
            task.head_read = True
            self._memory.keep(lane, task.job.head[: task.job.shared])
            self._memory.keep(lane, task.job.head[: task.job.own])

    def _end(self, task: Task, *answers: object) -> None:
        (self._working if task.started else self._waiting).remove(task)
        self.ended += 1
        if task.steps is not None:
            task.steps.close()
        if task.lane is not None:
            self._memory.close(task.lane)
            task.lane = None
        for answer in answers:
            task.say(answer)

    def _fail(self, error: Exception) -> None:
        working, self._working = self._working, []
        for task in working:
            task.lane = None
            task.say(error)
        self._memory.forget()
