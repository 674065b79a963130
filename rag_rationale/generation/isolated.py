"""An engine in a process of its own, so that an abort in native code does not end the service.

Knows nothing of models: it is told how to open an engine, and opens it again when its process dies.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, cast

from rag_rationale.errors import BackendError
from rag_rationale.types import Capability, Engine, GenerateRequest, Score, ScoreRequest, TokenEvent

LOG = logging.getLogger("rag_rationale.engine")
_PATIENCE = 10.0  # seconds for a process to end in


@dataclass(slots=True, eq=False)
class _Call:
    """A request and where its answers go, as (kind, value)."""

    number: int
    request: ScoreRequest | GenerateRequest
    answers: SimpleQueue[tuple[str, Any]] = field(default_factory=SimpleQueue)
    started: bool = False


class IsolatedEngine:
    """What `opener` opens, in a process of its own; `opener` must be picklable. Safe to call from several threads.

    If that process dies, the requests it was working on get BackendError, all others go to a new one. Raises what
    `opener` raises, and BackendError where its process ends before the engine is open.
    """

    def __init__(self, opener: Callable[[], Engine]) -> None:
        self._opener = opener
        self._lock = threading.RLock()
        self._calls: dict[int, _Call] = {}
        self._count = 0
        self._closed = False
        self.restarts = 0
        self.evaluated_tokens: int | None = None
        """Tokens run through the model since its process began; None where the engine does not count."""
        self._open()
        self._reader = threading.Thread(target=self._read, name=f"answers-{self._name}", daemon=True)
        self._reader.start()

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> frozenset[Capability]:
        return self._capabilities

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    @property
    def jobs(self) -> int:
        """Requests that somebody waits for."""
        return len(self._calls)

    def score(self, request: ScoreRequest) -> list[Score]:
        """One score per candidate, in the order given. Raises what the engine raises."""
        call = self._ask(request)
        while True:
            kind, value = call.answers.get()
            if kind == "error":
                raise value
            if kind == "done":
                return cast("list[Score]", value)

    def generate(self, request: GenerateRequest) -> Iterator[TokenEvent]:
        """Token events until one carries `finish`; dropping the iterator stops the work."""
        call = self._ask(request)
        try:
            while True:
                kind, value = call.answers.get()
                if kind == "error":
                    raise value
                if kind == "done":
                    return
                yield value
        finally:
            self._forget(call)

    def close(self) -> None:
        """End the process once it has answered what it is working on, for which it has ten seconds. Calling twice is
        harmless."""
        with self._lock, suppress(OSError):
            self._closed = True
            self._pipe.send(None)
        self._end()
        self._reader.join()
        self._pipe.close()

    def _end(self) -> int:
        """The exit code of a process that is to end, or is killed."""
        try:
            return self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _open(self) -> None:
        ours, theirs = Pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rag_rationale.generation.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self._pipe: Connection[Any, Any] = ours
        try:
            ours.send(self._opener)
            about = ours.recv()
        except (EOFError, OSError) as error:
            raise BackendError(
                f"The engine's process ended with code {self._end()} before the engine was open.",
                remedy="Check the model file and the memory that is free.",
            ) from error
        if isinstance(about, Exception):
            self._end()
            raise about
        self._name: str = about[0]
        self._capabilities: frozenset[Capability] = about[1]
        self._context_tokens: int = about[2]

    def _ask(self, request: ScoreRequest | GenerateRequest) -> _Call:
        with self._lock:
            if self._closed:
                raise BackendError(f"The engine {self._name!r} is closed.", remedy="Open it again with `open_engine`.")
            self._count += 1
            call = self._calls[self._count] = _Call(self._count, request)
            self._send(call.number, request)
        return call

    def _forget(self, call: _Call) -> None:
        with self._lock:
            if self._calls.pop(call.number, None) is not None and not self._closed:
                self._send(call.number, None)

    def _send(self, number: int, request: ScoreRequest | GenerateRequest | None) -> None:
        with suppress(OSError):  # the process died: who reads its answers opens another and sends what is left again
            self._pipe.send((number, request))

    def _read(self) -> None:
        while True:
            try:
                number, kind, value = self._pipe.recv()
            except (EOFError, OSError):
                if self._reopened():
                    continue
                return
            if kind == "tokens":
                self.evaluated_tokens = value
                continue
            with self._lock:
                call = self._calls.get(number)
                if call is None:
                    continue
                if kind == "started":
                    call.started = True
                    continue
                if kind in ("done", "error"):
                    del self._calls[number]
            call.answers.put((kind, value))

    def _reopened(self) -> bool:
        """Whether there is a new process; those that the old one was working on are told."""
        with self._lock:
            code = self._end() if not self._closed else None
            lost = [call for call in self._calls.values() if call.started or self._closed]
            for call in lost:
                del self._calls[call.number]
            error: Exception = BackendError(
                f"The engine's process ended with code {code} while it worked on this request.",
                remedy="A new one answers the next; the log may tell why.",
            )
            if not self._closed:
                LOG.error("The engine's process ended with code %s; %d requests were in it.", code, len(lost))
                try:
                    self.restarts += 1
                    self._open()
                    for call in self._calls.values():
                        self._send(call.number, call.request)
                except Exception as failure:
                    error, self._closed = failure, True
                    lost += self._calls.values()
                    self._calls.clear()
            for call in lost:
                call.answers.put(("error", error))
            return not self._closed
