"""What is guessed of a text, and which guesses are evaluated."""

from __future__ import annotations

import random

import pytest

from rag_rationale.generation.batching import EVEN_ROWS, Row, evened, worth
from rag_rationale.generation.guessing import Echo


def test_the_tokens_that_followed_the_last_three_come_first_then_those_behind_the_last_two() -> None:
    echo = Echo([1, 2, 3, 4, 5, 9, 2, 3, 7, 8])
    assert echo.guess(2) == []
    for token in (2, 3):
        echo.add(token)
    assert echo.guess(2) == [(7, 2), (8, 4)]  # behind the last "2 3", as "8 2 3" is new
    echo = Echo([1, 2, 3, 4, 5, 9, 2, 3, 7, 8, 1, 2, 3])
    assert echo.guess(2) == [(4, 1), (5, 3)]
    assert echo.guess(1) == [(4, 1)]
    assert echo.guess(0) == echo.guess(-1) == []


def test_guesses_are_those_of_a_plain_search() -> None:
    dice = random.Random(3)
    found = 0
    for _ in range(300):
        tokens = [dice.randrange(3) for _ in range(dice.randrange(20))]
        expected: list[int] = []
        for length in (3, 2):
            tail = tokens[-length:]
            starts = [i for i in range(len(tokens) - length) if tokens[i : i + length] == tail]
            if starts and len(tokens) > length:
                expected = tokens[starts[-1] + length :][:2]
                break
        assert [token for token, _ in Echo(tokens).guess(5)] == expected
        found += bool(expected)
    assert found > 100


@pytest.mark.parametrize(
    ("asking", "guesses", "taken"),
    [
        (1, 9, 3),
        (1, 1, 1),
        (2, 9, 2),
        (3, 9, 5),
        (3, 2, 1),
        (4, 9, 4),
        (4, 1, 0),
        (6, 9, 2),
        (7, 9, 5),
        (7, 2, 1),
        (8, 9, 4),
    ],
)
def test_guesses_fill_a_group_and_open_another_only_in_company(asking: int, guesses: int, taken: int) -> None:
    assert worth(guesses, asking=asking) == taken


def test_rows_and_those_with_logits_are_filled_up_where_that_is_faster() -> None:
    padding = Row(0, 0, (9,))
    for count in range(1, EVEN_ROWS[-1] + 1):
        for asking in (0, 1, 3, 5, count):
            if asking > count:
                continue
            rows = evened([Row(7, i, (i,), i >= count - asking) for i in range(count)], padding)
            assert [row.token for row in rows[:count]] == [7] * count
            assert [row.position for row in rows[count:]] == list(range(len(rows) - count))
            assert len(rows) in EVEN_ROWS
            assert len(rows) == max(count, 2) or len(rows) % 4 == 0 or len(rows) == EVEN_ROWS[-1]
            told = sum(row.logits for row in rows)
            assert told == asking or told % 4 == 0 or told == EVEN_ROWS[-1]
            assert told - asking < 4
