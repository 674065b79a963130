"""Generation without a model: text assembly, the token trie, the scripted engine."""

from __future__ import annotations

import itertools
import os
import random
import sys
from collections.abc import Sequence

import bounded
import pytest

from rag_rationale.errors import ModelMissingError
from rag_rationale.generation import ScriptedEngine, open_engine
from rag_rationale.generation.text import Assembler
from rag_rationale.generation.trie import assign_sequences, build_trie, common_length, count_branches
from rag_rationale.types import Engine, GenerateRequest, ScoreRequest


def _cut(data: bytes, dice: random.Random) -> list[bytes]:
    places = sorted({0, len(data), *(dice.randrange(len(data) + 1) for _ in range(dice.randrange(1, 9)))})
    return [data[a:b] for a, b in itertools.pairwise(places)]


def _stopped(text: str, stops: Sequence[str]) -> str:
    """Oracle: read character by character, and at the first complete stop string cut where the longest begins."""
    for end in range(1, len(text) + 1):
        found = [stop for stop in stops if stop and text[:end].endswith(stop)]
        if found:
            return text[: end - max(map(len, found))]
    return text


def test_text_comes_out_whole_and_never_past_a_stop_string_however_tokens_cut_it() -> None:
    dice = random.Random(7)
    met = 0
    for _ in range(3000):
        text = "".join(dice.choice("ab房间é😀\n ") for _ in range(dice.randrange(12)))
        stops = ["".join(dice.choice("ab房间\n") for _ in range(dice.randrange(4))) for _ in range(dice.randrange(3))]
        expected = _stopped(text, stops)
        assembler = Assembler(stops)
        out = ""
        for token in _cut(text.encode(), dice):
            out += assembler.feed(token)
            assert expected.startswith(out)
            assert "\ufffd" not in out
        assert assembler.stopped == (expected != text)
        assert out + assembler.flush() == expected
        met += assembler.stopped
    assert met > 300


def test_text_is_held_back_no_longer_than_it_may_become_a_stop_string() -> None:
    assembler = Assembler(["\n\n", "END"])
    assert [assembler.feed(t) for t in (b"so", b" E", b"N", b"d ", b"x\n", b"y\n", b"\nz")] == [
        "so",
        " ",
        "",
        "ENd ",
        "x",
        "\ny",
        "",
    ]
    assert assembler.stopped


def test_half_a_character_at_the_end_is_dropped_and_an_impossible_byte_is_marked() -> None:
    cut = Assembler()
    assert cut.feed("很好".encode()[:4]) + cut.flush() == "很"
    bad = Assembler()
    assert bad.feed(b"a\xffb") + bad.flush() == "a\ufffdb"


def test_spaces_that_the_prompt_has_already_are_not_said_twice() -> None:
    assert Assembler(skip=" ").feed(b" word") == "word"
    assert Assembler(skip=" ").feed(b"  word") == " word"
    assert Assembler(skip="  ").feed(b"\n word") == "\n word"
    assert Assembler().feed(b" word") == " word"


def _random_candidates(dice: random.Random) -> list[list[int]]:
    return [[dice.randrange(3) for _ in range(dice.randrange(5))] for _ in range(dice.randrange(1, 9))]


def test_every_candidate_is_read_off_the_trie_and_common_beginnings_are_held_once() -> None:
    dice = random.Random(3)
    for _ in range(500):
        candidates = _random_candidates(dice)
        root = build_trie(candidates)
        nodes = [root, *root.walk()]
        read = {place: [n.token for n in node.path()] for node in nodes for place in node.ends}
        assert [read[i] for i in range(len(candidates))] == candidates
        beginnings = {tuple(c[:n]) for c in candidates for n in range(len(c) + 1)}
        assert len(nodes) == len(beginnings)


def test_sequences_of_a_trie_follow_the_branches_and_parents_come_first() -> None:
    dice = random.Random(5)
    for _ in range(500):
        root = build_trie(_random_candidates(dice))
        owned = assign_sequences(root, range(10, 10 + count_branches(root)))
        assert len(owned[root]) == count_branches(root)
        inner = [node for node in root.walk() if node.children]
        assert set(owned) == {root, *inner}
        for node in inner:
            assert node.parent is not None
            assert set(owned[node]) <= set(owned[node.parent])
        for sequence in owned[root]:
            chain = [node for node in inner if sequence in owned[node]]
            assert [node.depth for node in chain] == list(range(1, len(chain) + 1))
            assert all(a is b.parent for a, b in itertools.pairwise(chain))


def test_too_few_sequences_for_a_trie_are_refused() -> None:
    root = build_trie([[1, 1], [2, 1], [3, 1]])
    assert len(assign_sequences(root, [5, 6, 7])[root]) == 3
    with pytest.raises(ValueError, match="2 sequences are too few"):
        assign_sequences(root, [5, 6])


def test_common_length_counts_leading_tokens() -> None:
    assert common_length([1, 2, 3], [1, 2, 4]) == 2
    assert common_length([1, 2], [1, 2, 4]) == 2
    assert common_length([], [1]) == 0


def test_importing_the_package_loads_no_model_library() -> None:
    code = "import sys, rag_rationale.generation; sys.exit('llama_cpp' in sys.modules)"
    assert bounded.ran([sys.executable, "-c", code], seconds=120).returncode == 0


def test_threads_are_told_not_to_spin_long_before_any_openmp_is_loaded() -> None:
    """The package itself does it, which every entry point imports first."""
    code = "import rag_rationale, os; print(os.environ['GOMP_SPINCOUNT'], 'gomp' in open('/proc/self/maps').read())"
    environment = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"}
    told = bounded.ran([sys.executable, "-c", code], seconds=120, env=environment)
    assert told.stdout.split() == ["10000", "False"]


def test_the_scripted_engine_ranks_by_shared_words_in_both_languages() -> None:
    engine: Engine = open_engine("scripted")
    english = engine.score(ScoreRequest("The pool was warm and clean.", ("a cold lobby", "warm pool", "warm lobby")))
    assert [s.tokens for s in english] == [3, 2, 2]
    assert english[1].mean > english[2].mean > english[0].mean
    chinese = engine.score(ScoreRequest("房间很安静", ("早餐好吃", "安静", "安静的早餐")))
    assert chinese[1].mean > chinese[2].mean > chinese[0].mean
    again = ScriptedEngine().score(ScoreRequest("房间很安静", ("早餐好吃", "安静", "安静的早餐")))
    assert again == chinese


def test_the_scripted_engine_says_what_it_is_told_and_keeps_what_it_was_asked() -> None:
    engine = ScriptedEngine()
    engine.enqueue("a fine pool. And more", "one two three")
    first = list(engine.generate(GenerateRequest("p", stop=(".",))))
    assert "".join(e.text for e in first) == "a fine pool"
    assert [e.finish for e in first] == [None, None, None, "stop"]
    second = list(engine.generate(GenerateRequest("q", max_tokens=2)))
    assert "".join(e.text for e in second) == "one two"
    assert second[-1].finish == "length"
    third = list(engine.generate(GenerateRequest("first line\nlast line\n")))
    assert "".join(e.text for e in third) == "last line"
    assert third[-1].finish == "end"
    assert [r.prefix for r in engine.history] == ["p", "q", "first line\nlast line\n"]


def test_the_scripted_engine_chooses_only_what_is_allowed() -> None:
    engine = ScriptedEngine()
    engine.enqueue("lobby", "not among them")
    choices = ("lobby", "warm pool")
    picked = [next(engine.generate(GenerateRequest("A warm pool.", choices=choices))) for _ in range(3)]
    assert [e.text for e in picked] == ["lobby", "warm pool", "warm pool"]
    assert {e.finish for e in picked} == {"choice"}


def test_a_missing_model_file_is_named_with_what_to_do() -> None:
    with pytest.raises(ModelMissingError, match=r"no/such\.gguf.*models prepare"):
        open_engine("no/such.gguf")
