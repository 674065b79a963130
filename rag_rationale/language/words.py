"""A text's words, in either language: for counting and comparing, not for grammar."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from rag_rationale.language.segmenting import own_tokenizer
from rag_rationale.types import Language

_TOKEN = re.compile(r"[\u3400-\u9fff]+|\d+(?:[.,:]\d+)*|[^\W\d_\u3400-\u9fff]+(?:['’][^\W\d_]+)*")

_OPENING: dict[Language, int] = {"en": 2, "zh": 4}
_SPOKEN = re.compile(r"[A-Za-z0-9]+(?:['’][A-Za-z]+)*|[\u3400-\u9fff]")


def opening(sentence: str, language: Language) -> str:
    """How a sentence begins: its first two words, or four Han characters."""
    return ("" if language == "zh" else " ").join(_SPOKEN.findall(sentence)[: _OPENING[language]])


def words(text: str) -> list[str]:
    """Words and numbers in lower case, in order; Latin ones without a plural s, Han ones as jieba cuts them."""
    found: list[str] = []
    for token in _TOKEN.findall(text.lower()):
        if "\u3400" <= token[0] <= "\u9fff":
            found += _jieba().cut(token)
        else:
            plural = len(token) > 3 and token.endswith("s") and not token.endswith("ss")
            found.append(token[:-1] if plural else token)
    return found


@cache
def _jieba() -> Any:
    return own_tokenizer()
