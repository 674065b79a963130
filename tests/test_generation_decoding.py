"""Scores, texts and choices over a fake context, one request at a time, against brute force."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from fakenative import EOS, Driver, FakeNative, greedy, logits_after, logprob

from rag_rationale.errors import BackendError
from rag_rationale.generation.batching import EVEN_ROWS
from rag_rationale.types import GenerateRequest, ScoreRequest

PREFIXES = ["the pool was", "房间", "x", "ab" * 20, "The pool was a very fine one, and the room also, said ab"]
CANDIDATES = (" the pool", " the", " pool", "c", "很干净", "", " a warm bath", " the pool was", "很干", " the pool")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_scores_are_those_of_brute_force_over_the_whole_text(prefix: str) -> None:
    native = FakeNative()
    scores = Driver(native).score(ScoreRequest(prefix, CANDIDATES))
    stem = native.tokenise(prefix)
    whole = [native.tokenise(prefix + c) for c in CANDIDATES]
    boundary = min(next((i for i, (a, b) in enumerate(zip(stem, w)) if a != b), len(stem)) for w in whole)  # noqa: B905
    for score, tokens in zip(scores, whole, strict=True):
        assert score.logprob == pytest.approx(logprob(tokens, boundary), abs=1e-4)
        assert score.tokens == len(tokens) - boundary


def test_a_candidate_that_melts_into_the_prefix_moves_the_boundary_for_all() -> None:
    native = FakeNative()
    melts, plain = Driver(native).score(ScoreRequest("xab", ("c", "d")))
    a, b = native.tokenise("xabc"), native.tokenise("xabd")
    assert (melts.tokens, plain.tokens) == (1, 2)
    assert melts.logprob == pytest.approx(logprob(a, 2), abs=1e-4)
    assert plain.logprob == pytest.approx(logprob(b, 2), abs=1e-4)


def test_trailing_spaces_of_the_prefix_belong_to_the_candidates() -> None:
    native = FakeNative()
    decoder = Driver(native)
    assert decoder.score(ScoreRequest("x ", ("pool", "the"))) == decoder.score(ScoreRequest("x", (" pool", " the")))


def test_a_trailing_space_is_charged_also_where_no_candidate_melts_into_it() -> None:
    (score,) = Driver().score(ScoreRequest("x ", ("房",)))
    tokens = FakeNative().tokenise("x 房")
    assert score.tokens == 2
    assert score.logprob == pytest.approx(logprob(tokens, 2), abs=1e-4)


def test_a_vocabulary_without_an_opening_token_can_score_an_empty_prefix() -> None:
    native = FakeNative(opener=EOS)
    (score,) = Driver(native).score(ScoreRequest("", ("the pool",)))
    tokens = [EOS, *native.tokenise("the pool")]
    assert score.logprob == pytest.approx(logprob(tokens, 1), abs=1e-4)


def test_many_candidates_are_scored_in_groups_with_the_same_result() -> None:
    candidates = tuple(f" {a}{b}{c}" for a in "xyz" for b in "pqr" for c in "kl")
    native = FakeNative(sequences=8)
    grouped = Driver(native).score(ScoreRequest("the pool was", candidates))
    alone = [Driver().score(ScoreRequest("the pool was", (c,)))[0] for c in candidates]
    assert grouped == alone
    assert all(native.held(s) == [] for s in range(4, 8))


def test_common_beginnings_of_candidates_are_evaluated_once_and_last_tokens_never() -> None:
    native = FakeNative()
    decoder = Driver(native)
    decoder.score(ScoreRequest("x", (" the pool was", " the pool a", " the pool")))
    assert decoder.evaluated == len(native.tokenise("x")) + len([" the", " pool"])


def test_alternating_prefixes_do_not_lose_each_other() -> None:
    native = FakeNative()
    decoder = Driver(native)
    first, second = "Template one says the pool was: ", "模板二：房间"
    for shared in (first, second):
        decoder.score(ScoreRequest(shared + "q", (" a",), shared=len(shared)))
    for turn in range(4):
        shared = (first, second)[turn % 2]
        before = decoder.evaluated
        got = decoder.score(ScoreRequest(f"{shared}z{turn}", (" a",), shared=len(shared)))
        assert decoder.evaluated - before <= len(f" z{turn}")
        assert got == Driver().score(ScoreRequest(f"{shared}z{turn}", (" a",)))


def test_a_prompt_that_extends_the_last_one_costs_only_what_is_new() -> None:
    decoder = Driver()
    decoder.score(ScoreRequest("the pool was", (" a",)))
    before = decoder.evaluated
    decoder.score(ScoreRequest("the pool was xy", (" a",)))
    assert decoder.evaluated - before == 3


def test_decodes_keep_within_the_rows_that_round_alike() -> None:
    native = FakeNative()
    decoder = Driver(native)
    decoder.score(ScoreRequest("q" * 130, CANDIDATES))
    decoder.score(ScoreRequest("q" * 131, (" a",)))
    list(decoder.generate(GenerateRequest("q" * 132, choices=("ab", "x", "abd"))))
    assert all(rows in EVEN_ROWS for rows in native.decodes)
    assert native.held(native.sequences - 1) == []


def test_cells_stay_in_order_whatever_comes_and_goes() -> None:
    dice = random.Random(13)
    native = FakeNative(context=250, sequences=16)
    decoder = Driver(native, leaves=8)
    templates = ["the pool was ab", "房间", "Template three: the the the", "t4 x", "the pool was abc"]
    hits = 0
    for turn in range(150):
        shared = dice.choice(templates)
        prefix = shared + "".join(dice.choice("xyzab ") for _ in range(dice.randrange(0, 30)))
        kept = dice.choice([0, len(shared), len(prefix)])
        candidates = tuple("".join(dice.choice("pqr") for _ in range(dice.randrange(4))) for _ in range(turn % 7 + 1))
        before = decoder.evaluated
        if turn % 3 == 0:
            choices = tuple(f"{c}." for c in candidates)
            (event,) = decoder.generate(GenerateRequest(prefix, choices=choices, shared=kept))
            assert event.text in best_choice(native, prefix, choices)
        elif turn % 3 == 1:
            request = GenerateRequest(prefix, max_tokens=dice.randrange(1, 9), shared=kept)
            tokens = greedy(native, prefix.rstrip(" "), request.max_tokens)
            expected = b"".join(map(native.piece, tokens)).decode(errors="replace")
            said = "".join(e.text for e in decoder.generate(request))
            assert expected.lstrip(" ").startswith(said.lstrip(" "))
        else:
            request_ = ScoreRequest(prefix, candidates, shared=kept)
            assert decoder.score(request_) == Driver().score(request_)
        hits += decoder.evaluated - before < len(native.tokenise(prefix)) / 2
    assert hits > 15


def test_cells_that_nobody_needs_are_cleared_long_before_the_context_is_full() -> None:
    native = FakeNative(context=4096)
    decoder = Driver(native)
    most = 0
    for turn in range(40):
        for _ in range(2):  # at once: what two have written by turns cannot be freed with the first of them
            decoder.submit(decoder.jobs.generating(GenerateRequest(f"the pool {turn}", max_tokens=20, shared=8)))
        while decoder.scheduler.busy:
            decoder.scheduler.step()
        most = max(most, len(native.cells))
    assert 256 < most < 400
    assert native.loads > 0


def test_resident_prefixes_give_way_to_a_long_prompt() -> None:
    native = FakeNative(context=128)
    decoder = Driver(native)
    for letter in "uvw":
        decoder.score(ScoreRequest(letter * 30, (" a",), shared=30))
    long = "q" * 110
    assert decoder.score(ScoreRequest(long, ("x", "y"))) == Driver().score(ScoreRequest(long, ("x", "y")))


def test_resident_prefixes_give_way_to_a_text_still_to_be_written() -> None:
    native = FakeNative(context=128)
    native.ends = lambda token: False  # type: ignore[method-assign] # noqa: ARG005
    decoder = Driver(native)
    for letter in "uv":
        decoder.score(ScoreRequest(letter * 25, (" a",), shared=25))
    events = list(decoder.generate(GenerateRequest("q" * 40, max_tokens=60)))
    assert events[-1].finish == "length"
    tokens = greedy(native, "q" * 40, 60)
    assert "".join(e.text for e in events) == b"".join(map(native.piece, tokens)).decode(errors="replace")


def test_when_no_more_prefixes_fit_those_used_last_stay() -> None:
    decoder = Driver(leaves=3)
    costs = []
    for name in ("one", "two", "three", "four", "three", "four", "three"):
        template = f"{name} " * 5
        before = decoder.evaluated
        decoder.score(ScoreRequest(f"{template}x{len(costs)}", (" a",), shared=len(template)))
        costs.append(decoder.evaluated - before)
    assert min(costs[:4]) > 15
    assert max(costs[4:]) < 5


def test_too_long_a_prompt_is_refused_with_its_length_and_the_next_one_works() -> None:
    decoder = Driver(FakeNative(context=128))
    with pytest.raises(BackendError, match=r"201 tokens .* continuation 1; the context holds 125\. .*`context`"):
        decoder.score(ScoreRequest("q" * 200, ("x",)))
    with pytest.raises(BackendError, match="124 tokens"):
        decoder.score(ScoreRequest("q" * 123, ("xyz",)))
    assert decoder.score(ScoreRequest("q" * 123, ("x",)))[0].tokens == 1


def test_after_a_native_fault_the_next_request_finds_a_sound_context() -> None:
    native = FakeNative()
    decoder = Driver(native)
    request = ScoreRequest("the pool was", CANDIDATES, shared=8)
    expected = decoder.score(request)
    native.fail_next = True
    with pytest.raises(BackendError, match="planted fault"):
        decoder.score(ScoreRequest("the pool xx", CANDIDATES))
    assert native.cells == []
    assert decoder.score(request) == expected


@pytest.mark.parametrize("prefix", PREFIXES)
def test_greedy_text_is_that_of_brute_force(prefix: str) -> None:
    native = FakeNative()
    events = list(Driver(native).generate(GenerateRequest(prefix, max_tokens=9, logprobs=True)))
    tokens = greedy(native, prefix, 9)
    expected = b"".join(native.piece(t) for t in tokens).decode(errors="replace")
    assert expected.startswith("".join(e.text for e in events))
    assert len(expected) - sum(len(e.text) for e in events) <= 1
    assert [e.finish for e in events[:-1]] == [None] * (len(events) - 1)
    assert events[-1].finish == ("length" if len(tokens) == 9 else "end")
    stem = native.tokenise(prefix)
    assert sum(e.logprob or 0 for e in events) == pytest.approx(logprob([*stem, *tokens], len(stem)), abs=1e-3)


def test_a_dropped_iterator_leaves_nothing_behind_for_the_next_request() -> None:
    native = FakeNative()
    decoder = Driver(native)
    events = decoder.generate(GenerateRequest("the pool was", max_tokens=9))
    next(events), next(events)
    del events
    request = ScoreRequest("the pool was a", CANDIDATES)
    assert decoder.score(request) == Driver().score(request)


def test_sampling_follows_its_seed_and_its_temperature() -> None:
    def text(seed: int, temperature: float) -> str:
        request = GenerateRequest("the pool", max_tokens=12, temperature=temperature, seed=seed)
        return "".join(e.text for e in Driver().generate(request))

    assert text(1, 1.0) == text(1, 1.0)
    assert len({text(seed, 1.0) for seed in range(6)}) > 3
    assert {text(seed, 1e-3) for seed in range(6)} == {text(0, 0.0)}


def best_choice(native: FakeNative, prefix: str, choices: Sequence[str]) -> set[str]:
    """Oracle without a trie: keep the choices whose next token weighs most, token by token."""
    whole = {choice: native.tokenise(prefix + choice) for choice in choices}
    stem = native.tokenise(prefix.rstrip(" "))
    at = min(next((i for i, (a, b) in enumerate(zip(stem, w)) if a != b), len(stem)) for w in whole.values())  # noqa: B905
    left = list(choices)
    while len(left) > 1:
        logits = logits_after(whole[left[0]][:at])
        weights = [logits[whole[c][at]] if len(whole[c]) > at else logits[EOS] for c in left]
        left = [c for c, w in zip(left, weights, strict=True) if w == max(weights)]
        if len(whole[left[0]]) == at:
            break
        at += 1
    return set(left)


def test_the_choice_is_the_greedy_one_among_those_allowed() -> None:
    dice = np.random.default_rng(11)
    words = ["ab", "abc", " the", " pool", "很干净", "很", "x", " a", "d"]
    won = set()
    native = FakeNative()
    decoder = Driver(native)
    for round_ in range(60):
        choices = tuple({"".join(dice.choice(words, dice.integers(1, 4))) for _ in range(dice.integers(1, 7))})
        prefix = ["xab", "房间", "the pool ", ""][round_ % 4]
        (event,) = decoder.generate(GenerateRequest(prefix, choices=choices))
        assert event.finish == "choice"
        assert event.text in best_choice(native, prefix, choices)
        won.add(choices.index(event.text))
    assert len(won) > 3


def test_a_choice_that_begins_another_ends_where_a_stop_string_is_likelier() -> None:
    native = FakeNative()
    short, long = "x", "xy"
    prefix = next(
        p
        for p in (f"p{i}" for i in range(2000))
        if (w := logits_after(native.tokenise(p + short)))[ord("\n")] > w[ord("y")] > w[EOS]
    )
    choose = Driver(native).generate
    assert next(choose(GenerateRequest(prefix, choices=(short, long)))).text == long
    assert next(choose(GenerateRequest(prefix, choices=(short, long), stop=("\n",)))).text == short


def test_a_stop_string_of_any_letters_may_end_a_choice() -> None:
    for stop in ("bc", "b", " the", "房"):
        (event,) = Driver().generate(GenerateRequest("x", choices=("x", "xy"), stop=(stop,)))
        assert event.text in ("x", "xy")


def test_a_choice_without_alternative_costs_nothing() -> None:
    decoder = Driver()
    (event,) = decoder.generate(GenerateRequest("the pool", choices=("only this",)))
    assert (event.text, event.logprob, event.finish, decoder.evaluated) == ("only this", 0.0, "choice", 0)
