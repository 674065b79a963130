"""Rows for a decode, and what keeps results independent of their company. Pure Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

_GROUP = 4
_FEW = 2
EVEN_ROWS = range(2, 64)
"""How many rows a decode may have for its results to be the same to the bit, whatever else is in the batch and wherever
its cells lie, as long as a sequence's cells lie in the order of its positions. A single row is spread over threads by
its cells, 64 take an attention that goes by tiles of cells; then log-probabilities move by up to 0.5 a token, as
activations are quantised anew in each layer. `native` sees to it that products go by one kernel at every width."""
MOST_PADDING = _GROUP - 1
"""Rows that `evened` adds, at most."""


@dataclass(frozen=True, slots=True)
class Row:
    """One token to evaluate at `position` of every sequence in `sequences`; `logits` asks for what follows it.

    One with a `doubt` is a guess: it need not be evaluated, and may give way to another row at its position.
    """

    token: int
    position: int
    sequences: tuple[int, ...]
    logits: bool = False
    doubt: int = 0


def deal(asked: Sequence[int], *, room: int) -> list[int]:
    """How many of its rows each task gets of a batch with `room`: first an equal share, then the oldest all it asks.

    With no more tasks than room, each that asks gets at least one: none waits for another to end.
    """
    share = max(room // max(sum(map(bool, asked)), 1), 1)
    given = [min(rows, share) for rows in asked]
    room -= sum(given)
    for i, rows in enumerate(asked):
        more = min(rows - given[i], max(room, 0))
        given[i] += more
        room -= more
    return given


def evened(rows: Sequence[Row], padding: Row) -> list[Row]:
    """The rows, with padding behind them where one is alone; and where more would be faster, more of them, more of all
    with logits.

    The padding takes the positions from that of `padding` on.
    """
    more = range(max(_full(len(rows)), EVEN_ROWS[0]) - len(rows))
    even = [*rows, *(replace(padding, position=padding.position + i) for i in more)]
    asking = sum(row.logits for row in rows)
    spare = [i for i, row in enumerate(even) if not row.logits][: _full(asking) - asking]
    return [replace(row, logits=True) if i in spare else row for i, row in enumerate(even)]


def worth(guesses: int, *, asking: int) -> int:
    """How many of so many guesses are worth their rows beside `asking` rows with logits: those that fill up a group,
    and of another group at least _FEW."""
    free = max(_full(asking), _GROUP) - asking
    room = max(_full(asking + _FEW), _GROUP) - asking
    return min(guesses, room if min(guesses, room) >= free + _FEW else free)


def _full(count: int) -> int:
    """The least number of rows that is no less and no slower: past one group, what is left over of groups takes a pass
    of its own over the weights."""
    return count if count <= _GROUP else min(-(-count // _GROUP) * _GROUP, EVEN_ROWS[-1])


def group(tails: Sequence[Sequence[int]], *, width: int, room: int) -> list[list[int]]:
    """Positions of candidates in groups of at most `width` whose tokens fit `room`; those that begin alike together."""
    groups: list[list[int]] = []
    used = 0
    for i in sorted(range(len(tails)), key=lambda i: tuple(tails[i])):
        if not groups or len(groups[-1]) == width or used + len(tails[i]) > room:
            groups.append([])
            used = 0
        groups[-1].append(i)
        used += len(tails[i])
    return groups
