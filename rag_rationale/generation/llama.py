"""An engine on a local GGUF file: requests in a queue, one thread that owns the context.

Importing this module loads llama.cpp.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import cast

from rag_rationale.errors import BackendError
from rag_rationale.generation.decoding import Decoder
from rag_rationale.generation.native import Native
from rag_rationale.types import Capability, GenerateRequest, Score, ScoreRequest, TokenEvent

_SEQUENCES = 48
_RESIDENTS = 15


@dataclass(slots=True)
class _Job:
    """A request and where its answers go: values, then None; or an exception."""

    request: ScoreRequest | GenerateRequest
    answers: SimpleQueue[object] = field(default_factory=SimpleQueue)
    dropped: bool = False


class LlamaEngine:
    """One model, one context, one thread. Safe to call from several threads: requests are answered in turn.

    Prefixes marked as `shared` stay resident, so alternating templates do not lose each other. Raises
    ModelMissingError where there is no file, BackendError where llama.cpp cannot load it.
    """

    def __init__(self, path: Path | str, *, name: str | None = None, threads: int, context: int = 4096) -> None:
        path = Path(path)
        self._name = name or path.stem
        self._native = Native(path, threads=threads, context=context, sequences=_SEQUENCES)
        self._decoder = Decoder(self._native, sequences=_SEQUENCES, residents=_RESIDENTS)
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name=f"engine-{self._name}", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset(("logprobs", "choices", "prefix", "generate"))

    @property
    def context_tokens(self) -> int:
        return self._native.context

    @property
    def evaluated_tokens(self) -> int:
        """Tokens run through the model since it was opened: what caching saves is missing from it."""
        return self._decoder.evaluated

    def score(self, request: ScoreRequest) -> list[Score]:
        """One score per candidate, in the order given; [] for none.

        Scores of one request are comparable: all are charged from the same token boundary. Raises BackendError where
        prefix and candidate exceed the context.
        """
        job = self._submit(request)
        answer = self._next(job)
        return cast("list[Score]", answer)

    def generate(self, request: GenerateRequest) -> Iterator[TokenEvent]:
        """Token events until one carries `finish`; dropping the iterator stops the work.

        With `choices` there is one event, whose text is exactly one of them.
        """
        job = self._submit(request)
        try:
            while (event := self._next(job)) is not None:
                yield cast("TokenEvent", event)
        finally:
            job.dropped = True

    def close(self) -> None:
        """Answer what was asked so far, then free the model. Calling twice is harmless."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join()

    def _submit(self, request: ScoreRequest | GenerateRequest) -> _Job:
        job = _Job(request)
        with self._lock:
            if self._closed:
                raise self._closed_error()
            self._jobs.put(job)
        return job

    def _next(self, job: _Job) -> object:
        answer = job.answers.get()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _closed_error(self) -> BackendError:
        return BackendError(f"The engine {self._name!r} is closed.", remedy="Open it again with `open_engine`.")

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._answer(job)
        self._native.close()

    def _answer(self, job: _Job) -> None:
        try:
            if isinstance(job.request, ScoreRequest):
                job.answers.put(self._decoder.score(job.request))
                return
            for event in self._decoder.generate(job.request):
                if job.dropped:
                    return
                job.answers.put(event)
            job.answers.put(None)
        except Exception as error:  # the caller's thread raises it
            job.answers.put(error)
