"""An engine on a local GGUF file: requests from many threads, one thread that owns the context and batches them.

Importing this module loads llama.cpp.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import cast

from rag_rationale.errors import BackendError, DeadlineError
from rag_rationale.generation.jobs import Job, Jobs
from rag_rationale.generation.memory import Memory
from rag_rationale.generation.native import Native
from rag_rationale.generation.scheduler import DONE, Scheduler, Task
from rag_rationale.types import Capability, GenerateRequest, Score, ScoreRequest, TokenEvent

LOG = logging.getLogger("rag_rationale.engine")
_SEQUENCES = 63  # llama.cpp reserves logits for each
_LEAVES = 24  # of them for resident prefixes
_GRACE = 0.004  # seconds in which a client that just got its last answer may ask again and be in the next decode
_WIDTH = 16  # candidates scored in one go: their sequences are taken together


class LlamaEngine:
    """One model, one context, one thread that batches whatever is asked at the same time.

    Safe to call from several threads. What comes back for a request is the same to the bit whatever runs beside it.
    `lora` is an adapter, PATH or PATH:SCALE, which becomes part of the name. Raises ModelMissingError where there is no
    file, BackendError where llama.cpp cannot load it, SettingsError where the adapter does not fit.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        name: str | None = None,
        threads: int,
        context: int = 4096,
        lora: str | None = None,
    ) -> None:
        path = Path(path)
        adapter = _parse_adapter(lora) if lora else None
        self._name = (name or path.stem) + (f"+{adapter[0].stem}:{adapter[1]:g}" if adapter else "")
        self._native = Native(path, threads=threads, context=context, sequences=_SEQUENCES, adapter=adapter)
        self._chats = self._native.chat is not None
        budget = self._native.context // 2
        memory = Memory(self._native, sequences=_SEQUENCES, leaves=_LEAVES, budget=budget)
        self._jobs = Jobs(self._native, limit=memory.limit, width=_WIDTH)
        self._scheduler = Scheduler(self._native, memory)
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name=f"engine-{self._name}", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> frozenset[Capability]:
        can: set[Capability] = {"logprobs", "choices", "prefix", "generate"}
        return frozenset(can | {"chat"} if self._chats else can)

    @property
    def context_tokens(self) -> int:
        return self._native.context

    @property
    def evaluated_tokens(self) -> int:
        """Tokens run through the model since it was opened: what caching saves is missing from it."""
        return self._scheduler.evaluated

    @property
    def jobs(self) -> int:
        """How many are at work or waiting: each at work holds sequences."""
        return self._scheduler.jobs + self._tasks.qsize()

    def score(self, request: ScoreRequest) -> list[Score]:
        """One score per candidate, in the order given; [] for none.

        Scores of one request are comparable: all are charged from the same token boundary. Raises BackendError where
        prefix and candidate exceed the context, DeadlineError after `deadline_ms`.
        """
        deadline = _deadline(request.deadline_ms)
        scores = [Score(0.0, 0)] * len(request.candidates)
        for job in self._open_jobs(request):
            for place, score in cast("Iterator[tuple[int, Score]]", self._submit(job, deadline, (_late(),))):
                scores[place] = score
        return scores

    def generate(self, request: GenerateRequest) -> Iterator[TokenEvent]:
        """Token events until one carries `finish`. Work begins at once; dropping or closing the iterator stops it.

        With `choices` there is one event, whose text is exactly one of them.
        """
        with self._lock:
            self._check_open()
            job = self._jobs.generating(request)
        late = (_late(),) if request.choices else (TokenEvent("", finish="deadline"), DONE)
        return cast("Iterator[TokenEvent]", self._submit(job, _deadline(request.deadline_ms), late))

    def close(self) -> None:
        """Answer what was asked so far, then free the model. Calling twice is harmless."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._tasks.put(None)
        self._thread.join()

    def _open_jobs(self, request: ScoreRequest) -> list[Job]:
        with self._lock:
            self._check_open()
            return self._jobs.scoring(request)

    def _submit(self, job: Job, deadline: float | None, late: tuple[object, ...]) -> _Answers:
        answers: SimpleQueue[object] = SimpleQueue()
        task = Task(job, answers.put, deadline, late)
        with self._lock:
            self._check_open()
            self._tasks.put(task)
        return _Answers(task, answers)

    def _check_open(self) -> None:
        if self._closed:
            raise BackendError(f"The engine {self._name!r} is closed.", remedy="Open it again with `open_engine`.")

    def _serve(self) -> None:
        closing = False
        try:
            while self._scheduler.busy or not closing:
                closing = self._take() or closing
                self._scheduler.step()
        except Exception as error:  # of the context itself: nobody would be answered any more
            LOG.exception("The engine %s broke.", self._name)
            self._break(error)
        self._native.close()

    def _break(self, error: Exception) -> None:
        """Take no more, and tell everybody who waits."""
        with self._lock:
            self._closed = True
            while not self._tasks.empty():
                if (task := self._tasks.get()) is not None:
                    self._scheduler.add(task)
        self._scheduler.give_up(BackendError(f"The engine {self._name!r} broke: {error}.", remedy="Open it again."))

    def _take(self) -> bool:
        """Let in what was asked, waiting while there is nothing to do; whether the engine is to close."""
        awaited = self._scheduler.ended
        try:
            while True:
                if self._scheduler.busy:
                    task = self._tasks.get(timeout=_GRACE) if awaited > 0 else self._tasks.get_nowait()
                else:
                    task = self._tasks.get()
                if task is None:
                    return True
                self._scheduler.add(task)
                awaited -= 1
        except Empty:
            return False


class _Answers:
    """What a task says, as it comes; being dropped or closed cancels it."""

    def __init__(self, task: Task, queue: SimpleQueue[object]) -> None:
        self._task, self._queue, self._over = task, queue, False

    def __iter__(self) -> _Answers:
        return self

    def __next__(self) -> object:
        if self._over:
            raise StopIteration
        answer = self._queue.get()
        self._over = answer is DONE or isinstance(answer, BaseException)
        if isinstance(answer, BaseException):
            raise answer
        if answer is DONE:
            raise StopIteration
        return answer

    def close(self) -> None:
        """Ask for no more."""
        self._over = True
        self._task.cancel()

    def __del__(self) -> None:
        self._task.cancel()


def _parse_adapter(spec: str) -> tuple[Path, float]:
    """PATH or PATH:SCALE; what follows the last colon is a part of the path unless it is a number."""
    path, _, scale = spec.rpartition(":")
    try:
        return (Path(path), float(scale)) if path else (Path(spec), 1.0)
    except ValueError:
        return Path(spec), 1.0


def _deadline(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else time.monotonic() + milliseconds / 1000


def _late() -> DeadlineError:
    return DeadlineError("The deadline passed before the engine had an answer.", remedy="Allow more `deadline_ms`.")
