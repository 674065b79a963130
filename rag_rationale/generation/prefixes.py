"""Which prefixes are resident, as a radix tree. Plain bookkeeping: whoever owns the context does the copying."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rag_rationale.generation.trie import common_length


@dataclass(slots=True, eq=False)
class Node:
    """A run of tokens at the positions from `start` to `end`, behind those of its parent.

    A leaf has a `sequence`, which holds its whole path; what has children is held by the leaves below it. `pins` counts
    who relies on it.
    """

    tokens: tuple[int, ...]
    start: int
    parent: Node | None = None
    children: dict[int, Node] = field(default_factory=dict)
    sequence: int = -1
    pins: int = 0
    used: int = 0

    @property
    def end(self) -> int:
        return self.start + len(self.tokens)

    def walk(self) -> Iterator[Node]:
        """This node and its descendants, parents before children."""
        yield self
        for child in self.children.values():
            yield from child.walk()

    def leaves(self) -> list[Node]:
        """The nodes without children at or below this one; [] for an empty tree."""
        return [node for node in self.walk() if not node.children and node.tokens]


class Prefixes:
    """Resident prefixes. Those that begin alike share the nodes of what they share."""

    def __init__(self) -> None:
        self._root = Node((), 0)
        self._clock = 0

    @property
    def tokens(self) -> int:
        """Tokens held by all prefixes together, shared ones counted once."""
        return sum(len(node.tokens) for node in self._root.walk())

    def nodes(self) -> list[Node]:
        """Every node, parents before children."""
        return list(self._root.walk())[1:]

    def leaves(self) -> list[Node]:
        """One per sequence in use."""
        return self._root.leaves()

    def find(self, tokens: Sequence[int]) -> tuple[Node, int]:
        """The deepest node that shares tokens with these, perhaps not to its end, and how many they share in all."""
        node, length = self._root, 0
        while length < len(tokens) and (child := node.children.get(tokens[length])) is not None:
            shared = common_length(child.tokens, tokens[length : child.end])
            node, length = child, length + shared
            if length < child.end:
                break
        return node, length

    def touch(self, node: Node) -> None:
        """Note that a node and all it stands on were used just now."""
        self._clock += 1
        step: Node | None = node
        while step is not None:
            step.used, step = self._clock, step.parent

    def insert(self, tokens: Sequence[int], sequence: int) -> tuple[Node, int]:
        """A leaf for this prefix, which no other begins with, and the position from which its sequence lacks it.

        A leaf that the new one continues hands on its own sequence; else `sequence` is used.
        """
        above, length = self.find(tokens)
        if length < above.end:
            above = self._split(above, length)
        leaf = Node(tuple(tokens[length:]), length, above, sequence=sequence)
        lacking = 0
        if above.tokens and not above.children:
            leaf.sequence, above.sequence, lacking = above.sequence, -1, length
        above.children[leaf.tokens[0]] = leaf
        self.touch(leaf)
        return leaf, lacking

    def coldest(self) -> Node | None:
        """The leaf that was unused for longest among those that nobody relies on."""
        return min((leaf for leaf in self.leaves() if not leaf.pins), key=lambda leaf: leaf.used, default=None)

    def remove(self, leaf: Node) -> bool:
        """Give up a leaf; whether its sequence is free now, not handed to the prefix it stood on."""
        above = leaf.parent
        assert above is not None
        del above.children[leaf.tokens[0]]
        if above.children or not above.tokens:
            return True
        above.sequence = leaf.sequence
        return False

    def _split(self, node: Node, length: int) -> Node:
        """A new node for the first part of a run, up to the position `length`; `node` keeps the rest."""
        cut = length - node.start
        above = Node(node.tokens[:cut], node.start, node.parent, used=node.used)
        assert node.parent is not None
        node.parent.children[above.tokens[0]] = above
        node.tokens, node.start, node.parent = node.tokens[cut:], length, above
        above.children[node.tokens[0]] = node
        return above
