"""Titles as people say them: a catalogue's runs on behind the name, with sizes, colours and what is in the box."""

from __future__ import annotations

import re
from functools import lru_cache

_LONGEST, _LONGEST_HAN = 60, 30  # characters that are read without a break
_LEAST, _LEAST_HAN = 8, 4  # characters of a name
_BREAK = re.compile(r",(?=\s)|[，；;|【（(]|\s[-–—:/]\s|：")
_HAN = re.compile(r"[\u3400-\u9fff]")
_END = " ,，;；:：|-–—/"


@lru_cache(maxsize=4096)
def short_title(title: str) -> str:
    """A long title up to its first break behind a name, others as they are: "Fire HD 8 Tablet" of "Fire HD 8 Tablet, 8
    inch display, 32 GB - includes special offers,"."""
    han = _HAN.search(title) is not None
    whole = title.strip(_END)
    if len(whole) <= (_LONGEST_HAN if han else _LONGEST):
        return whole or title
    named = (whole[: found.start()].rstrip(_END) for found in _BREAK.finditer(whole))
    return next((name for name in named if len(name) >= (_LEAST_HAN if han else _LEAST)), whole)


def spoken_titles(title: str) -> tuple[str, ...]:
    """A title as it is and, where that differs, as it is said; none of an empty one."""
    return tuple(dict.fromkeys((title, short_title(title)))) if title else ()
