"""Many requests at once over a fake context: fuzzed schedules, cancellation, deadlines, faults, shared prefixes."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from fakenative import Driver, FakeNative, greedy

from rag_rationale.errors import BackendError, DeadlineError
from rag_rationale.generation.batching import EVEN_ROWS, deal
from rag_rationale.generation.guessing import Echo
from rag_rationale.generation.jobs import Job
from rag_rationale.generation.prefixes import Prefixes
from rag_rationale.generation.scheduler import DONE, Task
from rag_rationale.types import GenerateRequest, ScoreRequest, TokenEvent

TEMPLATES = ("The pool was ab", "房间很干净", "The pool was a very fine pool: ", "t4 x", "")


def crowd(**more: Any) -> Driver:
    return Driver(FakeNative(context=420, sequences=24, **more), leaves=6)


def random_request(dice: random.Random) -> ScoreRequest | GenerateRequest:
    template = dice.choice(TEMPLATES)
    prefix = template + "".join(dice.choice("xyz 房the") for _ in range(dice.randrange(40)))
    shared = dice.choice([0, len(template), len(prefix)])
    words = tuple("".join(dice.choice("pqr") for _ in range(dice.randrange(1, 5))) for _ in range(dice.randrange(1, 7)))
    match dice.randrange(3):
        case 0:
            return ScoreRequest(prefix, words, shared=shared)
        case 1:
            return GenerateRequest(prefix, choices=words, shared=shared, temperature=dice.choice([0.0, 1.0]))
    return GenerateRequest(
        prefix,
        max_tokens=dice.randrange(1, 20),
        stop=dice.choice([(), ("x",), ("房",)]),
        temperature=dice.choice([0.0, 0.8]),
        seed=dice.randrange(9),
        shared=shared,
    )


def jobs_of(driver: Driver, request: ScoreRequest | GenerateRequest) -> list[Job]:
    if isinstance(request, ScoreRequest):
        return driver.jobs.scoring(request)
    return [driver.jobs.generating(request)]


def alone(request: ScoreRequest | GenerateRequest, **more: Any) -> list[object]:
    driver = crowd(**more)
    return [answer for job in jobs_of(driver, request) for answer in driver.answers(job)]


def check_nothing_is_left(driver: Driver) -> None:
    """Every sequence is free or resident, and every cell belongs to a resident prefix or waits in the graveyard."""
    assert not driver.scheduler.busy
    assert driver.memory.idle
    grave, spare = driver.native.sequences - 2, driver.native.sequences - 1
    held = {leaf.sequence for leaf in driver.memory._prefixes.leaves()}
    assert {s for cell in driver.native.cells for s in cell.sequences} <= held | {grave}
    assert not any(spare in cell.sequences for cell in driver.native.cells)
    for leaf in driver.memory._prefixes.leaves():
        path, step = list(leaf.tokens), leaf.parent
        while step is not None:
            path, step = [*step.tokens, *path], step.parent
        assert driver.native.held(leaf.sequence) == path
    assert not any(node.pins for node in driver.memory._prefixes.nodes())
    assert driver.memory._used == len(driver.native.cells)


@pytest.mark.parametrize("recalls", [0, 1])
@pytest.mark.parametrize("seed", range(8))
def test_whatever_runs_beside_a_request_it_gets_what_it_gets_alone_and_leaves_nothing(seed: int, recalls: int) -> None:
    dice = random.Random(seed)
    driver = crowd(recalls=recalls)
    waiting = [(r, job) for r in (random_request(dice) for _ in range(60)) for job in jobs_of(driver, r)]
    asked: list[tuple[Any, Task, list[object]]] = []
    most = steps = 0
    while waiting or driver.scheduler.busy:
        for _ in range(dice.randrange(6)):
            if waiting:
                request, job = waiting.pop()
                asked.append((request, *driver.submit(job)))
        if dice.random() < 0.1 and asked:
            dice.choice(asked)[1].cancel()
        driver.scheduler.step()
        most = max(most, len(driver.scheduler._working))
        steps += 1
        assert steps < 2000, "a task starves"
    check_nothing_is_left(driver)
    whole = 0
    for request in {id(r): r for r, _, _ in asked}.values():
        mine = [(task, answers) for r, task, answers in asked if r is request]
        expected = alone(request, recalls=recalls)
        if any(task.cancelled and answers[-1:] != [DONE] for task, answers in mine):
            pytest.fail("a cancelled task was not told")
        got = [a for _, answers in reversed(mine) for a in answers if a is not DONE]
        if any(task.cancelled for task, _ in mine):
            assert isinstance(request, ScoreRequest) or got == expected[: len(got)]
        else:
            assert sorted(map(repr, got)) == sorted(map(repr, expected))
            whole += 1
    assert whole > 30
    assert most > 8
    assert driver.native.loads > 0, "the context was never full"
    assert all(rows in EVEN_ROWS for rows in driver.native.decodes)


def test_requests_share_decodes() -> None:
    requests = [GenerateRequest(f"p{i}", max_tokens=12) for i in range(8)]
    driver = crowd()
    for request in requests:
        driver.submit(driver.jobs.generating(request))
    driver.run()
    longest = max(len(greedy(driver.native, r.prefix, 12)) for r in requests)
    assert len(driver.native.decodes) <= longest + 2


@pytest.mark.parametrize("clients", [1, 3, 8])
def test_a_text_that_repeats_itself_takes_fewer_decodes_and_stays_the_same(clients: int) -> None:
    driver = Driver(FakeNative(context=2000, sequences=24, recalls=1))
    driver.native.ends = lambda token: False  # type: ignore[method-assign] # noqa: ARG005
    said = [
        driver.submit(driver.jobs.generating(GenerateRequest(f"the pool {i}", max_tokens=90, logprobs=True)))[1]
        for i in range(clients)
    ]
    while driver.scheduler.busy:
        driver.scheduler.step()
    check_nothing_is_left(driver)
    assert len(driver.native.decodes) < 80
    assert max(driver.native.decodes[2:]) <= 12
    for i, answers in enumerate(said):
        patient = crowd(recalls=1)
        patient.native.ends = driver.native.ends  # type: ignore[method-assign]
        request = GenerateRequest(f"the pool {i}", max_tokens=90, logprobs=True)
        job = patient.jobs.generating(request)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Echo, "guess", lambda *_: [])
            assert [*patient.answers(job), DONE] == answers
        assert len(patient.native.decodes) >= 90


def test_a_prefix_asked_for_by_many_at_once_is_evaluated_once() -> None:
    driver = crowd()
    template = "q" * 50
    for i in range(6):
        driver.submit(driver.jobs.generating(GenerateRequest(f"{template}{i}", max_tokens=1, shared=50)))
    driver.run()
    assert driver.evaluated == len(driver.native.tokenise(template)) + 6


def test_a_long_prompt_does_not_stop_others_that_write() -> None:
    driver = crowd()
    _, said = driver.submit(driver.jobs.generating(GenerateRequest("x", max_tokens=40)))
    driver.scheduler.step()
    driver.submit(driver.jobs.generating(GenerateRequest("q" * 200, max_tokens=1)))
    for _ in range(4):
        before = len(said)
        driver.scheduler.step()
        driver.scheduler.step()
        assert len(said) > before or said[-1] is DONE


def test_a_large_request_is_not_overtaken_for_ever() -> None:
    dice = random.Random(1)
    driver = crowd()
    for _ in range(10):
        driver.submit(driver.jobs.generating(GenerateRequest(f"p{dice.random()}", max_tokens=30)))
    driver.scheduler.step()
    large, answers = driver.submit(driver.jobs.generating(GenerateRequest("q" * 300, max_tokens=90)))
    steps = 0
    while not answers:
        driver.submit(driver.jobs.generating(GenerateRequest(f"p{dice.random()}", max_tokens=30)))
        driver.scheduler.step()
        steps += 1
        assert steps < 100
    assert large.started


def test_cancelling_frees_a_sequence_before_the_next_decode() -> None:
    driver = crowd()
    tasks = [driver.submit(driver.jobs.generating(GenerateRequest(f"p{i}", max_tokens=30)))[0] for i in range(3)]
    driver.scheduler.step()
    assert not driver.memory.idle
    for task in tasks:
        task.cancel()
    decodes = len(driver.native.decodes)
    driver.scheduler.step()
    assert len(driver.native.decodes) == decodes
    check_nothing_is_left(driver)


def test_after_its_deadline_a_task_says_what_it_was_told_to_and_is_gone() -> None:
    driver = crowd()
    late = TokenEvent("", finish="deadline")
    answers: list[object] = []
    job = driver.jobs.generating(GenerateRequest("the pool", max_tokens=500))
    driver.scheduler.add(Task(job, answers.append, time.monotonic() + 0.2, (late, DONE)))
    waiting: list[object] = []
    error = DeadlineError("late")
    driver.scheduler.add(Task(driver.jobs.generating(GenerateRequest("x")), waiting.append, 0.0, (error,)))
    driver.native.ends = lambda token: False  # type: ignore[method-assign] # noqa: ARG005
    start = time.monotonic()
    driver.run()
    assert 0.1 < time.monotonic() - start < 5 or len(answers) > 300
    assert answers[-2:] == [late, DONE] or answers[-2].finish == "length"  # type: ignore[attr-defined]
    assert waiting == [error]
    check_nothing_is_left(driver)


def test_a_fault_ends_the_tasks_at_work_and_spares_those_that_wait() -> None:
    driver = crowd()
    at_work = [driver.submit(driver.jobs.generating(GenerateRequest(letter * 90)))[1] for letter in "qz"]
    driver.scheduler.step()
    waiting = GenerateRequest("the pool", max_tokens=5)
    _, spared = driver.submit(driver.jobs.generating(waiting))
    driver.native.fail_next = True
    driver.scheduler._begin = lambda: None  # type: ignore[method-assign]
    driver.scheduler.step()
    del driver.scheduler._begin
    driver.run()
    assert [type(answers[-1]) for answers in at_work] == [BackendError, BackendError]
    assert spared == [*alone(waiting), DONE]
    check_nothing_is_left(driver)


def test_a_prompt_that_needs_the_whole_context_gets_it_however_much_is_resident() -> None:
    driver = crowd()
    driver.score(ScoreRequest("q" * 200, (" a",), shared=200))
    long = ScoreRequest("q" * 5 + "z" * 400, (" a",))
    assert driver.score(long) == Driver(FakeNative(context=420)).score(long)


def test_a_batch_is_dealt_so_that_each_gets_its_share_and_the_oldest_the_rest() -> None:
    assert deal([1, 100, 1, 100], room=63) == [1, 46, 1, 15]
    assert deal([100, 100], room=63) == [32, 31]
    assert deal([0, 5, 0], room=63) == [0, 5, 0]
    assert deal([], room=63) == []
    assert deal([9] * 48, room=63)[-1] == 1
    assert sum(deal([9] * 48, room=63)) == 63


def test_the_radix_tree_finds_what_a_list_would_find() -> None:
    dice = random.Random(4)
    for _ in range(200):
        tree = Prefixes()
        held: dict[int, list[int]] = {}
        for sequence in range(dice.randrange(1, 12)):
            tokens = [dice.randrange(3) for _ in range(dice.randrange(1, 8))]
            if tree.find(tokens)[1] == len(tokens):
                continue
            leaf, lacking = tree.insert(tokens, sequence)
            assert leaf.sequence == sequence or held[leaf.sequence] == tokens[:lacking]
            held[leaf.sequence] = tokens
            if len(held) > 5:
                cold = tree.coldest()
                assert cold is not None
                gone = held.pop(cold.sequence)
                if not tree.remove(cold):
                    held[cold.sequence] = gone[: cold.start]
        assert {leaf.sequence for leaf in tree.leaves()} == set(held)
        beginnings = {tuple(t[:n]) for t in held.values() for n in range(1, len(t) + 1)}
        assert tree.tokens == len(beginnings)
        probe = [dice.randrange(3) for _ in range(6)]
        assert tree.find(probe)[1] == max([n for n in range(7) if tuple(probe[:n]) in beginnings], default=0)
