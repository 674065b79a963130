"""An engine in its own process: same answers, one restart per abort, nothing lost that was not in it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import aborting
import bounded
import pytest

from rag_rationale.errors import BackendError
from rag_rationale.generation import ScriptedEngine, isolated, open_engine
from rag_rationale.generation.isolated import IsolatedEngine
from rag_rationale.generation.worker import AT_ONCE
from rag_rationale.types import GenerateRequest, ScoreRequest


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{Path(aborting.__file__).parents[1]}")


@pytest.fixture
def engine() -> Iterator[IsolatedEngine]:
    engine = IsolatedEngine(aborting.open_aborting)
    yield engine
    engine.close()


def test_it_answers_as_the_engine_itself_does(engine: IsolatedEngine) -> None:
    own = ScriptedEngine()
    scores = ScoreRequest("The pool was warm.", ("warm pool", "cold lobby", "房间"))
    text = GenerateRequest("a\nb c 房间 d", max_tokens=3)
    assert (engine.name, engine.capabilities, engine.context_tokens) == ("aborting", own.capabilities, 4096)
    assert engine.score(scores) == own.score(scores)
    assert list(engine.generate(text)) == list(own.generate(text))
    bounded.until(lambda: engine.evaluated_tokens == 2)  # it counts requests for tokens


def test_what_is_under_way_is_counted_for_operators(engine: IsolatedEngine) -> None:
    events = engine.generate(GenerateRequest("slow a b", max_tokens=9))
    next(events)
    assert engine.jobs == 1
    events.close()  # type: ignore[attr-defined]
    assert engine.jobs == 0


def test_an_abort_costs_one_restart_and_only_what_was_in_it(engine: IsolatedEngine) -> None:
    slow = [GenerateRequest(f"slow {i}" + " and on" * 60, max_tokens=99) for i in range(AT_ONCE - 1)]  # all at once
    with bounded.Threads(AT_ONCE + 30, seconds=120) as threads:
        inside = [threads.submit(lambda r=r: list(engine.generate(r))) for r in slow]
        bounded.until(lambda: sum(call.started for call in list(engine._calls.values())) == len(slow))
        doomed = threads.submit(lambda: list(engine.generate(GenerateRequest("abort"))))
        waiting = [threads.submit(engine.score, ScoreRequest("x", (f"{i}",))) for i in range(30)]
        with pytest.raises(BackendError, match=r"ended with code -6 while it worked on this request"):
            doomed.result()
        told = sum(isinstance(future.exception(), BackendError) for future in inside)
        done = sum(future.exception() is None for future in waiting)
    assert told == len(slow)
    assert done >= 1
    assert engine.restarts == 1
    assert engine.score(ScoreRequest("x", ("y",)))[0].tokens == 1


def test_requests_that_were_not_in_it_are_answered_by_the_next_process(engine: IsolatedEngine) -> None:
    with bounded.Threads(2) as threads:
        engine._send = lambda *_: None  # type: ignore[method-assign]  # sent, and lost with the process
        lost = threads.submit(engine.score, ScoreRequest("x", ("y", "z")))
        bounded.until(lambda: engine._calls)
        del engine._send
        with pytest.raises(BackendError):
            list(engine.generate(GenerateRequest("abort")))
        assert lost.result() == ScriptedEngine().score(ScoreRequest("x", ("y", "z")))


def test_a_dropped_iterator_is_forgotten(engine: IsolatedEngine) -> None:
    events = engine.generate(GenerateRequest("slow a b c d e f g", max_tokens=9))
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert engine._calls == {}
    assert [e.finish for e in engine.generate(GenerateRequest("x"))][-1] == "end"


def test_why_an_engine_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="no such model"):
        IsolatedEngine(aborting.open_never)
    with pytest.raises(BackendError, match="code -6 before the engine was open"):
        IsolatedEngine(aborting.open_dead)
    engine = IsolatedEngine(partial(aborting.open_once, tmp_path / "mark"))
    with pytest.raises(BackendError, match="no second time"):
        list(engine.generate(GenerateRequest("abort")))
    with pytest.raises(BackendError, match="closed"):
        engine.score(ScoreRequest("x", ("y",)))
    engine.close()


def test_an_error_that_cannot_be_pickled_comes_as_its_words(engine: IsolatedEngine) -> None:
    for _ in range(2):
        with bounded.Threads(1, seconds=30) as threads, pytest.raises(BackendError, match="OddError: code 7"):
            threads.submit(lambda: list(engine.generate(GenerateRequest("odd")))).result()


def test_signals_to_end_are_the_parent_s_to_heed(engine: IsolatedEngine) -> None:
    """systemd sends SIGTERM to every process of a unit, a terminal SIGINT; the service first answers what it began."""
    events = engine.generate(GenerateRequest("slow a b", max_tokens=9))
    next(events)
    for number in (signal.SIGTERM, signal.SIGINT):
        engine._process.send_signal(number)
    assert [e.finish for e in events][-1] == "end"
    assert engine.restarts == 0


def test_an_engine_that_hangs_is_killed_when_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "_PATIENCE", 0.5)
    engine = IsolatedEngine(aborting.open_aborting)
    with bounded.Threads(2, seconds=60) as threads:
        hanging = threads.submit(lambda: list(engine.generate(GenerateRequest("hang"))))
        bounded.until(lambda: any(call.started for call in list(engine._calls.values())))
        threads.submit(engine.close).result()
        with pytest.raises(BackendError):
            hanging.result()
    assert engine._process.returncode == -signal.SIGKILL


def test_a_process_whose_parent_died_ends_even_while_its_engine_hangs() -> None:
    code = """
import os, sys, threading, time, aborting
from rag_rationale.generation.isolated import IsolatedEngine
from rag_rationale.types import GenerateRequest
engine = IsolatedEngine(aborting.open_aborting)
threading.Thread(target=lambda: list(engine.generate(GenerateRequest("hang"))), daemon=True).start()
while not any(call.started for call in list(engine._calls.values())):
    time.sleep(0.01)
print(f"worker {engine._process.pid}", file=sys.stderr, flush=True)
os._exit(0)
"""
    with bounded.started([sys.executable, "-c", code]) as process:
        worker = int(process.match(r"worker (\d+)", seconds=60)[1])
        assert process.ended(seconds=30) == 0
        bounded.until(lambda: not bounded.lives(worker), seconds=30, of=process)


def test_closing_ends_the_process() -> None:
    engine = open_engine("scripted", isolated=True)
    assert isinstance(engine, IsolatedEngine)
    engine.close()
    engine.close()
    assert engine._process.returncode == 0
    with pytest.raises(BackendError, match="'scripted' is closed"):
        engine.score(ScoreRequest("a", ("b",)))
