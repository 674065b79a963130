"""What is still done for a client that has left: nothing after the call that was under way."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator, Iterator
from types import SimpleNamespace
from typing import Any, cast

import bounded
import pytest
import serving
from fastapi import Request

from rag_rationale.api.desk import Desk
from rag_rationale.api.problems import BusyError
from rag_rationale.api.telemetry import Metrics
from rag_rationale.api.workers import Workers
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.errors import CancelledError
from rag_rationale.generation import ScriptedEngine
from rag_rationale.service import Answers, Explainer
from rag_rationale.service.heeding import heeding_embedder, heeding_engine
from rag_rationale.types import GenerateRequest, RationaleRequest, RecommendationRequest


class Counted:
    """Whatever it is put before; each call of a method is noted before it is made."""

    def __init__(self, real: Any, note: Callable[[], None]) -> None:
        self.real, self.note = real, note

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.real, name)
        if not callable(found):
            return found

        def counted(*given: Any, **options: Any) -> Any:
            self.note()
            return found(*given, **options)

        return counted


class Leaving:
    """Counts calls of models, and has the client leave in the middle of one of them."""

    def __init__(self) -> None:
        self.stop, self.calls, self.leaves_in = threading.Event(), 0, 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == self.leaves_in:
            self.stop.set()

    def again(self, leaves_in: int = 0) -> None:
        self.stop, self.calls, self.leaves_in = threading.Event(), 0, leaves_in


@pytest.fixture
def watched(shop: Explainer) -> Iterator[tuple[Explainer, Leaving]]:
    """The shop with models that count their calls; what one request embeds is new to the next."""
    leaving = Leaving()
    embedder = Counted(HashedEmbedder(), leaving)
    made = Explainer(
        settings=shop.settings,
        embedder=cast(Any, embedder),
        engine=cast(Any, Counted(ScriptedEngine(), leaving)),
        analysers={lang: cast(Any, Counted(real, leaving)) for lang, real in shop.analysers.items()},
    )
    yield made, leaving
    made.close()


ASKED = serving.REQUEST | {"user": {"history": [{"title": "Moor boots", "text": "The lining kept my feet dry."}]}}


@pytest.mark.parametrize("body", [serving.REQUEST, ASKED, serving.REQUEST | {"query": "Do the straps hurt?"}])
def test_once_nobody_waits_nothing_more_is_parsed_embedded_or_scored(
    watched: tuple[Explainer, Leaving], body: dict[str, Any]
) -> None:
    shop, leaving = watched
    request = RationaleRequest.model_validate(body)
    for _ in range(2):  # the second time, what is embedded once for all requests is known
        leaving.again()
        list(shop.steps(request, stop=leaving.stop))
    whole = leaving.calls
    assert whole > 60
    for leaves_in in (*range(1, whole, whole // 20), whole - 1):
        leaving.again(leaves_in)
        with pytest.raises(CancelledError):
            list(shop.steps(request, stop=leaving.stop))
        assert leaving.calls == leaves_in


def test_a_long_history_is_embedded_in_pieces_and_an_answer_written_token_by_token() -> None:
    leaving, asked = Leaving(), list[int]()
    real = HashedEmbedder()

    def embed(texts: list[str], *, role: Any) -> Any:
        asked.append(len(texts))
        return real.embed(texts, role=role)

    counted = cast(Any, SimpleNamespace(embed=embed, dimension=real.dimension))
    texts = [f"lamp {n}" for n in range(100)]
    made = heeding_embedder(counted, leaving).embed(texts, role="passage")
    assert (made == real.embed(texts, role="passage")).all()
    assert heeding_embedder(counted, leaving).embed([], role="passage").shape == (0, real.dimension)
    assert leaving.calls == len(asked) == 4
    assert max(asked) < 40

    def gone() -> None:
        leaving()
        if leaving.calls > 3:
            raise CancelledError("gone")

    leaving.again()
    said = heeding_engine(ScriptedEngine(), gone).generate(GenerateRequest("one two three four five"))
    heard = [next(said).text for _ in range(3)]
    with pytest.raises(CancelledError):
        next(said)
    assert heard == ["one", " two", " three"]


def test_a_thread_that_still_works_for_nobody_counts_as_running() -> None:
    go = threading.Event()

    def slow() -> Generator[int, None, None]:
        go.wait(10)
        yield 1

    async def run() -> None:
        workers = Workers(threads=1, waiting=1)
        first, second = (workers.pull(slow(), tick=0.01) for _ in range(2))
        assert [await anext(first), await anext(second)] == [None, None]
        assert (workers.running, workers.waiting) == (1, 1)
        await second.aclose()
        await first.aclose()
        assert (workers.running, workers.waiting) == (1, 0)
        workers.check()  # its place is another's
        go.set()
        await asyncio.to_thread(workers.close)
        assert (workers.running, workers.waiting) == (0, 0)

    asyncio.run(run())


def test_who_is_refused_is_told_to_come_back_once_those_who_wait_have_begun() -> None:
    async def told(*, spent: float, waiting: int) -> int:
        workers = Workers(threads=2, waiting=waiting)
        go = threading.Event()

        def slow() -> Generator[int, None, None]:
            go.wait(10)
            yield 1

        workers._took(spent)
        house = [workers.pull(slow(), tick=0.01) for _ in range(2 + waiting)]
        assert [await anext(each) for each in house] == [None] * len(house)
        bounded.until(lambda: workers.waiting == waiting)
        with pytest.raises(BusyError) as refused:
            workers.check()
        go.set()
        for each in house:
            await each.aclose()
        assert await asyncio.to_thread(workers.close)
        assert f"Try again in {refused.value.wait} second" in refused.value.remedy
        return refused.value.wait

    assert asyncio.run(told(spent=2.0, waiting=5)) == 6  # 6 x 2 s by two threads
    assert asyncio.run(told(spent=0.01, waiting=5)) == 1
    assert asyncio.run(told(spent=500.0, waiting=5)) == 60


def test_what_requests_take_is_learnt_from_those_that_ended() -> None:
    async def run() -> None:
        workers = Workers(threads=1, waiting=9)

        def slow() -> Generator[int, None, None]:
            time.sleep(0.3)
            yield 1

        async def ask() -> list[int | None]:
            return [each async for each in workers.pull(slow(), tick=5)]

        assert workers.wait == 1
        assert await ask() == [1]
        asking = [asyncio.create_task(ask()) for _ in range(10)]
        await asyncio.sleep(0.05)
        assert 3 <= workers.wait <= 9  # ten times 0.3 s, on a busy machine more
        await asyncio.gather(*asking)
        assert workers.wait == 1
        assert await asyncio.to_thread(workers.close)

    asyncio.run(run())


def test_closing_stops_what_runs_drops_what_waits_and_leaves_behind_what_hangs() -> None:
    never, heard = threading.Event(), list[str]()

    def heeding(stop: threading.Event) -> Generator[int, None, None]:
        assert stop.wait(10)
        heard.append("stopped")
        yield 1

    def waiting() -> Generator[int, None, None]:
        heard.append("begun")
        yield 1

    def hanging() -> Generator[int, None, None]:
        never.wait(100)
        yield 1

    async def run(work: Generator[int, None, None], stop: threading.Event, *, ends: bool) -> None:
        workers = Workers(threads=1)
        asked = [workers.pull(work, tick=0.01, stop=stop), workers.pull(waiting(), tick=0.01)]
        assert [await anext(each) for each in asked] == [None, None]
        assert await asyncio.to_thread(workers.close, seconds=1) == ends
        for each in asked:
            with pytest.raises(BusyError, match="about to end"):
                await anext(each)

    stop = threading.Event()
    asyncio.run(run(heeding(stop), stop, ends=True))
    began = time.monotonic()
    asyncio.run(run(hanging(), threading.Event(), ends=False))
    assert time.monotonic() - began < 5
    assert heard == ["stopped"]
    never.set()


def test_a_search_for_items_stops_when_its_client_leaves(shop: Explainer) -> None:
    stopped = threading.Event()

    class Endless(Answers):
        def candidates(self, request: RecommendationRequest, *, stop: threading.Event | None = None) -> Any:
            assert stop is not None
            assert stop.wait(10), request
            stopped.set()

    async def run() -> None:
        workers, answers = Workers(threads=1), Endless(shop)
        desk = Desk(answers, workers, Metrics(answers, waiting=int, running=int), default_ms=1000)
        asked = RecommendationRequest.model_validate({"index": "shop", "user": {"id": "author-ann"}})
        gone = cast(Request, SimpleNamespace(is_disconnected=lambda: asyncio.sleep(0, True)))
        assert await desk.candidates(asked, gone) is None
        await asyncio.to_thread(workers.close)

    asyncio.run(run())
    assert stopped.is_set()
