"""The words around a span, which may take back what the span says: "I don't think the food is good"."""

from __future__ import annotations

import re

_MARK = re.compile(r"[。！？!?；;\n]|\.(?=\s|$)")
_BEHIND = 25  # characters behind a span that may still turn it ("..., but could be hotter" does not)


def around(text: str, start: int, end: int) -> str:
    """The span with what stands before it in its sentence, and a little of what stands behind it there."""
    begin = max((m.end() for m in _MARK.finditer(text, 0, start)), default=0)
    stop = _MARK.search(text, end)
    return text[begin : min(stop.start() if stop else len(text), end + _BEHIND)]
