"""Which of the two languages a text is written in, by its script. Knows no words and loads no model."""

from __future__ import annotations

import re

from rag_rationale.types import Language

HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
"""Han characters, as the inside of a regular expression's class."""
LATIN = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
"""Latin letters, as the inside of a regular expression's class."""

_HAN = re.compile(f"[{HAN}]+")
_LATIN = re.compile(f"[{LATIN}]+")
_LETTERS_PER_HAN = 3
"""A Han character says about as much as three Latin letters, so a Chinese title with an English one stays Chinese."""


def count_han(text: str) -> int:
    """How many Han characters the text holds."""
    return sum(len(run) for run in _HAN.findall(text))


def count_latin(text: str) -> int:
    """How many Latin letters the text holds."""
    return sum(len(run) for run in _LATIN.findall(text))


def detect_language(text: str, *, default: Language) -> Language:
    """The language most of the text is written in; `default` where it holds neither Han characters nor Latin letters.

    One Han character weighs as much as three Latin letters; a tie is Chinese.
    """
    han, latin = count_han(text), count_latin(text)
    if not han and not latin:
        return default
    return "zh" if han * _LETTERS_PER_HAN >= latin and han else "en"
