"""Shows two templates, and what they write, side by side. Widths are those of a terminal: a Han character takes two."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

import yaml

from rag_rationale.prompting import Template


def as_lines(template: Template) -> list[str]:
    """All that shapes a template's texts, as lines that can be compared: its frames one a line, then its prompt."""
    meta = template.meta.model_dump(mode="json", exclude={"frames", "tests"}, exclude_defaults=True)
    lines = yaml.safe_dump(meta, allow_unicode=True, sort_keys=True, width=1000).splitlines()
    for frame in sorted(template.meta.frames, key=lambda f: (f.kind, f.id)):
        lines.append(f"{frame.kind} {frame.id}: {frame.text}")
    return [*lines, "", *template.prompt(title="{title}", own="{own}").splitlines()]


def side_by_side(left: Sequence[str], right: Sequence[str], *, width: int) -> list[str]:
    """Lines that differ, next to each other, in columns of half the width; nothing where none differ."""
    column = (width - 3) // 2
    rows: list[str] = []
    for tag, i, k, j, m in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        for n in range(max(k - i, m - j)):
            ours = left[i + n] if i + n < k else ""
            theirs = right[j + n] if j + n < m else ""
            rows += _row(ours, theirs, column)
    return rows


def beside(left: str, right: str, *, width: int) -> list[str]:
    """Two texts in columns, whole."""
    return list(_row(left, right, (width - 3) // 2))


def most_changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Each case whose texts differ, with both, those that have least in common first."""

    def alike(case: str) -> float:
        return difflib.SequenceMatcher(None, before[case], after[case], autojunk=False).ratio()

    changed = sorted(case for case in before if case in after and before[case] != after[case])
    return [(case, before[case], after[case]) for case in sorted(changed, key=alike)]


def _row(left: str, right: str, column: int) -> Iterator[str]:
    ours, theirs = _wrapped(left, column), _wrapped(right, column)
    for n in range(max(len(ours), len(theirs))):
        one = ours[n] if n < len(ours) else ""
        yield f"{one}{' ' * (column - _width(one))} | {theirs[n] if n < len(theirs) else ''}".rstrip()


def _wrapped(text: str, column: int) -> list[str]:
    """The text in pieces that fit the column, broken at spaces where there are any near the end."""
    pieces, piece = [], ""
    for character in text:
        if _width(piece + character) > column:
            at = piece.rfind(" ") + 1
            cut = at if at > len(piece) // 2 else len(piece)
            pieces.append(piece[:cut].rstrip())
            piece = piece[cut:]
        piece += character
    return [*pieces, piece]


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
