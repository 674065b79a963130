"""Rows for a decode, and how they are parted so that results do not depend on company. Pure Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

EVEN_ROWS = range(8, 64)
"""How many rows a decode may have for its results to be the same to the bit, whatever else is in the batch and wherever
its cells lie, as long as a sequence's cells lie in the order of its positions. Fewer rows take other kernels, more take
another attention, weights repacked at loading round in groups of four; then log-probabilities move by up to 0.5 a
token, as activations are quantised anew in each layer. The same goes for the rows with logits, which alone pass the
last layers."""


@dataclass(frozen=True, slots=True)
class Row:
    """One token to evaluate at `position` of every sequence in `sequences`; `logits` asks for what follows it."""

    token: int
    position: int
    sequences: tuple[int, ...]
    logits: bool = False


def group(tails: Sequence[Sequence[int]], *, width: int, room: int) -> Iterator[list[int]]:
    """Candidates in groups of at most `width` whose tokens fit `room`, those that begin alike together."""
    chunk: list[int] = []
    used = 0
    for i in sorted(range(len(tails)), key=lambda i: tuple(tails[i])):
        if chunk and (len(chunk) == width or used + len(tails[i]) > room):
            yield chunk
            chunk, used = [], 0
        chunk.append(i)
        used += len(tails[i])
    yield chunk


def cut(rows: Sequence[Row], *, most: int) -> Iterator[Sequence[Row]]:
    """Rows in as few runs of at most `most` as can be, all about equally long."""
    count = -(-len(rows) // most)
    for i in range(count):
        yield rows[len(rows) * i // count : len(rows) * (i + 1) // count]


def with_outputs(rows: Sequence[Row], least: int) -> list[Row]:
    """The same rows, where any has logits at least `least` of them."""
    lacking = least - sum(row.logits for row in rows)
    if lacking == least:
        return list(rows)
    more = [i for i, row in enumerate(rows) if not row.logits][: max(lacking, 0)]
    return [replace(row, logits=row.logits or i in more) for i, row in enumerate(rows)]
