"""Who holds which cells of the context: lanes of requests at work, resident prefixes, and what waits to be cleared.

A sequence's cells must lie in the order of its positions (see `batching.EVEN_ROWS`), and llama.cpp fills the lowest
free ones first. So nothing is freed below a cell in use: what ends goes to a graveyard, and when that is large or the
context full, what still lives is copied out and back in without it, at the price of a memory copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag_rationale.generation.batching import MOST_PADDING, Row
from rag_rationale.generation.native import Native
from rag_rationale.generation.prefixes import Node, Prefixes

_PIECE = 128  # positions saved at once: fewer than any sliding window has
_EASE = 0.75  # share of the context that is in use, at most, after one was cleared for want of room
_DEAD = 256  # cells in the graveyard, at most, as attention passes by each: llama.cpp counts cells by this many


@dataclass(slots=True, eq=False)
class Lane:
    """The sequences of one request: all begin with its head, whose first `base` positions belong to resident `node`.

    `cells` counts what it took since it was opened, the first at `first` (None once moved); `kept`, those of them that
    became resident; `dead`, those given up again; `promised`, those it may still take.
    """

    sequences: tuple[int, ...]
    node: Node
    base: int
    promised: int
    cells: int = 0
    first: int | None = None
    kept: int = 0
    dead: int = 0
    opened: int = 0

    @property
    def length(self) -> int:
        """Positions held, where there is a single sequence."""
        return self.opened + self.cells - self.dead


class Memory:
    """The cells and sequences of one context.

    The last sequence is for padding and copies, the one before it is the graveyard; at most `leaves` others hold
    resident prefixes, of at most `budget` tokens together, and go when room is needed, least recently used first.
    """

    def __init__(self, native: Native, *, sequences: int, leaves: int, budget: int) -> None:
        self._native = native
        self._spare, self._grave = sequences - 1, sequences - 2
        self._leaves, self._budget = leaves, budget
        self.limit = native.context - MOST_PADDING
        self.padding = Row(native.opener, 0, (self._spare,))
        self._reset()

    def _reset(self) -> None:
        self._free = list(reversed(range(self._grave)))
        self._prefixes = Prefixes()
        self._lanes: list[Lane] = []
        self._used = 0

    @property
    def idle(self) -> bool:
        """Whether every sequence is either free or holds a resident prefix."""
        return not self._lanes and len(self._free) == self._grave - len(self._prefixes.leaves())

    @property
    def room(self) -> int:
        """Cells that are neither in use nor promised."""
        return self.limit - self._used - sum(lane.promised for lane in self._lanes)

    def held(self, head: Sequence[int]) -> int:
        """How many of these tokens need not be evaluated; the last one always must."""
        return min(self._prefixes.find(head)[1], len(head) - 1)

    def open(self, head: Sequence[int], *, sequences: int, cells: int) -> Lane | None:
        """A lane that holds what is resident of the head, with room for the rest and `cells` more.

        None where others have to end first.
        """
        lane = self._open(head, sequences=sequences, cells=cells)
        if lane is None and not self._lanes:  # what is resident is in the way
            self.forget()
            lane = self._open(head, sequences=sequences, cells=cells)
        return lane

    def _open(self, head: Sequence[int], *, sequences: int, cells: int) -> Lane | None:
        if sequences > len(self._free):
            return None
        node = self._prefixes.find(head)[0]
        node.pins += 1
        base = self.held(head)
        promised = len(head) - base + cells
        if not self._make_room(promised):
            node.pins -= 1
            return None
        self._prefixes.touch(node)
        lane = Lane(tuple(self._free.pop() for _ in range(sequences)), node, base, promised, opened=base)
        for sequence in lane.sequences if base else ():
            self._native.copy(node.leaves()[0].sequence, sequence, 0, base)
        self._lanes.append(lane)
        return lane

    def take(self, lane: Lane, cells: int) -> None:
        """Note that a decode put that many of the lane's rows into the next cells."""
        if lane.cells == 0:
            lane.first = self._used
        lane.cells += cells
        lane.promised -= cells
        self._used += cells

    def rewind(self, lane: Lane, length: int) -> None:
        """Give up what the lane, of a single sequence, holds from a position on, if anything."""
        lost, (sequence,) = lane.length - length, lane.sequences
        if lost <= 0:
            return
        if self._on_top(lane):
            self._used -= lost
            lane.cells -= lost
        else:
            self._native.copy(sequence, self._grave, length)
            lane.dead += lost
        self._native.truncate(sequence, length)
        lane.promised += lost

    def unpad(self) -> None:
        """Free the padding's cells, which lie above all others."""
        self._native.truncate(self._spare)

    def keep(self, lane: Lane, tokens: Sequence[int]) -> None:
        """Let a prefix that the lane holds stay resident, if the budget allows for it."""
        node, length = self._prefixes.find(tokens)
        self._prefixes.touch(node)
        if length == len(tokens) or lane.base < length:  # it is already, or another lane came first with a part of it
            return
        if not self._make_resident_room(len(tokens) - length, node, whole=length == node.end):
            return
        leaf, lacking = self._prefixes.insert(tokens, self._free[-1])
        if leaf.sequence == self._free[-1]:
            self._free.pop()
        self._native.copy(lane.sequences[0], leaf.sequence, lacking, len(tokens))
        lane.node.pins -= 1
        leaf.pins += 1
        lane.node, lane.base, lane.kept = leaf, len(tokens), lane.kept + len(tokens) - length

    def close(self, lane: Lane) -> None:
        """Give the lane's sequences back, and its cells where they lie above all others."""
        self._lanes.remove(lane)
        lane.node.pins -= 1
        on_top = self._on_top(lane) and not lane.dead
        for sequence in lane.sequences:
            if not on_top:
                self._native.copy(sequence, self._grave, lane.base)
            self._native.truncate(sequence)
        if on_top:
            self._used -= lane.cells - lane.kept
        self._free.extend(lane.sequences)

    def _on_top(self, lane: Lane) -> bool:
        """Whether all cells above its first are the lane's."""
        return lane.first is not None and self._used == lane.first + lane.cells

    def forget(self) -> None:
        """Give up everything, lanes included."""
        self._native.clear()
        self._reset()

    def _make_room(self, cells: int) -> bool:
        """Whether that many cells are free beside what is promised; clears the graveyard to make it so, or if large."""
        fits = cells <= self.room
        alive = sum(lane.cells - lane.kept - lane.dead for lane in self._lanes)
        if fits and self._used - alive - self._prefixes.tokens <= _DEAD:
            return True
        if any(len(lane.sequences) > 1 for lane in self._lanes):  # whose cells cannot be told apart; they end soon
            return fits
        own = alive + sum(lane.promised for lane in self._lanes) + cells
        while not fits and own + self._prefixes.tokens > self.limit * _EASE and (leaf := self._prefixes.coldest()):
            self._evict(leaf)
        if own + self._prefixes.tokens > self.limit:
            return False
        self._clear_graveyard()
        return True

    def _make_resident_room(self, tokens: int, beside: Node, *, whole: bool) -> bool:
        """Whether that many tokens more fit, behind (the `whole` of) a node; older prefixes go to make it so."""
        if tokens > self._budget or not self._free:
            return False
        beside.pins += 1
        fits = False
        while not fits:
            one_more = not whole or not beside.tokens or bool(beside.children)  # else it continues a leaf
            few = len(self._prefixes.leaves()) + one_more <= self._leaves
            fits = few and self._prefixes.tokens + tokens <= self._budget
            leaf = None if fits else self._prefixes.coldest()
            if leaf is None:
                break
            self._evict(leaf)
        beside.pins -= 1
        return fits

    def _evict(self, leaf: Node) -> None:
        self._native.copy(leaf.sequence, self._grave, leaf.start)
        if self._prefixes.remove(leaf):
            self._native.truncate(leaf.sequence)
            self._free.append(leaf.sequence)
        else:
            self._native.truncate(leaf.sequence, leaf.start)

    def _clear_graveyard(self) -> None:
        """Copy out what lives, clear everything, and put it back, what others stand on first."""
        runs = [(node.leaves()[0].sequence, node.start, node.end) for node in self._prefixes.nodes()]
        owners = [[leaf.sequence for leaf in node.leaves()] for node in self._prefixes.nodes()]
        runs += [(lane.sequences[0], lane.base, lane.length) for lane in self._lanes]
        owners += [list(lane.sequences) for lane in self._lanes]
        saved = [self._save(*run) for run in runs]
        self._native.clear()
        for pieces, sequences in zip(saved, owners, strict=True):
            for piece in pieces:
                self._native.load(self._spare, piece)
                for sequence in sequences:
                    self._native.copy(self._spare, sequence, 0)
                self._native.truncate(self._spare)
        self._used = sum(stop - start for _, start, stop in runs)
        for lane in self._lanes:
            lane.first = None
            if lane.base:
                self._native.copy(lane.node.leaves()[0].sequence, lane.sequences[0], 0, lane.base)

    def _save(self, sequence: int, start: int, stop: int) -> list[bytearray]:
        pieces = []
        for at in range(start, stop, _PIECE):
            self._native.copy(sequence, self._spare, at, min(at + _PIECE, stop))
            pieces.append(self._native.save(self._spare))
            self._native.truncate(self._spare)
        return pieces
