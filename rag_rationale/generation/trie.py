"""A token trie: candidates that begin alike share their first tokens, so those are evaluated once. Pure Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Node:
    """A token after its parent. `ends` lists the candidates (by position) whose last token this is."""

    token: int
    depth: int
    parent: Node | None = None
    children: dict[int, Node] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)

    def walk(self) -> Iterator[Node]:
        """This node's descendants, parents before children."""
        stack = list(reversed(self.children.values()))
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children.values()))

    def path(self) -> list[Node]:
        """The nodes from below the root down to this one."""
        nodes: list[Node] = []
        node = self
        while node.parent is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]


def build_trie(candidates: Sequence[Sequence[int]]) -> Node:
    """The trie of these token lists; the root stands for what precedes them, its token is -1 and its depth 0."""
    root = Node(-1, 0)
    for position, tokens in enumerate(candidates):
        node = root
        for token in tokens:
            node = node.children.setdefault(token, Node(token, node.depth + 1, node))
        node.ends.append(position)
    return root


def assign_sequences(root: Node, sequences: Sequence[int]) -> dict[Node, tuple[int, ...]]:
    """Which sequences each inner node belongs to: one per deepest inner node below it.

    Leaves have no entry: the last token of a candidate is scored, never evaluated. The root's entry lists every
    sequence in use. Raises ValueError where `sequences` are fewer than `count_branches`.
    """
    free = iter(sequences)
    owned: dict[Node, tuple[int, ...]] = {}
    inner = [root, *(node for node in root.walk() if node.children)]
    for node in reversed(inner):
        below = [s for child in node.children.values() if child in owned for s in owned[child]]
        if not below:
            try:
                below = [next(free)]
            except StopIteration:
                raise ValueError(f"{len(sequences)} sequences are too few for this trie") from None
        owned[node] = tuple(below)
    return owned


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """How many leading tokens two lists share."""
    length = min(len(first), len(second))
    for i in range(length):
        if first[i] != second[i]:
            return i
    return length


def count_branches(root: Node) -> int:
    """How many sequences `assign_sequences` needs: the deepest inner nodes, at least one for the root."""
    inner = (node for node in root.walk() if node.children)
    return max(sum(not any(child.children for child in node.children.values()) for node in inner), 1)
