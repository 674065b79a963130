"""One request computes at a time, who waits longest comes first, and who waits for a model holds nobody up."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from pathlib import Path

import bounded
import pytest
from serving import REQUEST, open_planted

from rag_rationale.service.turns import Turns
from rag_rationale.types import Analyser, Language, RationaleRequest, Score, ScoreRequest

CLIENTS = 4


def _join(thread: threading.Thread) -> None:
    thread.join(60)
    assert not thread.is_alive()


def _counted(turns: Turns, n: int, inside: list[int], most: list[int]) -> Generator[int]:
    for step in range(n):
        inside.append(1)
        most.append(len(inside))
        for _ in range(2000):
            pass
        inside.pop()
        with turns.away():
            pass
        yield step


def test_one_computes_at_a_time_and_all_come_to_their_end() -> None:
    turns, inside, most, ends = Turns(), list[int](), list[int](), list[list[int]]()

    def work() -> None:
        ends.append(list(turns.taken(_counted(turns, 50, inside, most))))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        _join(thread)
    assert ends == [list(range(50))] * 8
    assert max(most) == 1


def test_who_gives_a_turn_back_waits_behind_who_waits_already() -> None:
    turns, order = Turns(), list[str]()
    first_in, waits = threading.Event(), threading.Event()

    def greedy() -> Generator[None]:
        first_in.set()
        assert waits.wait(30)
        bounded.until(lambda: len(turns._waiting) == 1)
        yield
        order.append("greedy again")
        yield

    def patient() -> Generator[None]:
        order.append("patient")
        yield

    one = threading.Thread(target=lambda: list(turns.taken(greedy())), daemon=True)
    one.start()
    assert first_in.wait(30)
    two = threading.Thread(target=lambda: list(turns.taken(patient())), daemon=True)
    two.start()
    waits.set()
    _join(one)
    _join(two)
    assert order == ["patient", "greedy again"]


def test_an_error_and_a_reader_who_leaves_give_the_turn_back() -> None:
    turns = Turns()

    def fails() -> Generator[None]:
        yield
        with turns.away():
            raise ValueError("no answer")

    with pytest.raises(ValueError, match="no answer"):
        list(turns.taken(fails()))
    left = turns.taken(fails())
    next(left)
    left.close()
    assert not turns._taken


def test_requests_wait_for_the_writer_side_by_side(tmp_path: Path, known: Mapping[Language, Analyser]) -> None:
    explainer, together = open_planted(tmp_path, known), threading.Barrier(CLIENTS, timeout=30)
    scored = explainer.engine.score

    def score(request: ScoreRequest) -> list[Score]:
        together.wait()  # broken unless as many requests are in the writer at once
        return scored(request)

    explainer.engine.score = score  # type: ignore[method-assign]
    told = list[str]()
    request = RationaleRequest.model_validate(REQUEST)
    threads = [
        threading.Thread(target=lambda: told.append(explainer.explain(request).status), daemon=True)
        for _ in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        _join(thread)
    explainer.close()
    assert told == ["grounded"] * CLIENTS
