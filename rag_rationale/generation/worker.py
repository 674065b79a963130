"""The process behind an `IsolatedEngine`: opens an engine and answers requests from a pipe, its one argument.

The first message tells how to open the engine; what it is, or why it cannot be, goes back. Then come (number, request),
or (number, None) to cancel, and None at the end; (number, kind, value) goes back, of a kind in `Kind`.

It ends when it is told to over the pipe, or its parent is gone. Signals to end, which terminals and systemd send to all
processes of a service, are its parent's to heed: that has requests to answer first.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any, Literal

from rag_rationale.errors import BackendError
from rag_rationale.types import Engine, GenerateRequest, ScoreRequest

Kind = Literal["started", "event", "done", "error", "tokens"]
AT_ONCE = 48
"""Requests an engine is given at the same time; others are not in it and outlive its end."""


class _Worker:
    def __init__(self, pipe: Connection[Any, Any], engine: Engine) -> None:
        self._pipe, self._engine = pipe, engine
        self._sending = threading.Lock()
        self._cancelled: set[int] = set()

    def run(self) -> None:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            try:
                while (message := self._pipe.recv()) is not None:
                    number, request = message
                    if request is None:
                        self._cancelled.add(number)
                    else:
                        threads.submit(self._answer, number, request)
            except EOFError:  # the parent died: nobody waits, and an engine that hangs must not outlive it
                os._exit(1)

    def _answer(self, number: int, request: ScoreRequest | GenerateRequest) -> None:
        try:
            if number not in self._cancelled:
                self._send(number, "started", None)
                self._send(number, "done", self._ask(number, request))
                self._send(0, "tokens", getattr(self._engine, "evaluated_tokens", None))
        except Exception as error:  # the caller's process raises it
            self._send(number, "error", _portable(error))
        self._cancelled.discard(number)

    def _ask(self, number: int, request: ScoreRequest | GenerateRequest) -> object:
        if isinstance(request, ScoreRequest):
            return self._engine.score(request)
        for event in self._engine.generate(request):
            if number in self._cancelled:
                break
            self._send(number, "event", event)
        return None

    def _send(self, number: int, kind: Kind, value: object) -> None:
        try:
            with self._sending:
                self._pipe.send((number, kind, value))
        except OSError:  # nobody listens any more
            self._cancelled.add(number)


def _portable(error: Exception) -> Exception:
    """The error, or its words where it cannot travel: one that came as broken pickle would end who reads the pipe."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return BackendError(f"{type(error).__name__}: {error}")
    return error


def main() -> None:
    """Serve until the other end of the pipe is closed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    pipe: Connection[Any, Any] = Connection(int(sys.argv[1]))
    try:
        engine = pipe.recv()()
    except Exception as error:
        pipe.send(_portable(error))
        return
    pipe.send((engine.name, engine.capabilities, engine.context_tokens))
    _Worker(pipe, engine).run()
    engine.close()


if __name__ == "__main__":
    main()
