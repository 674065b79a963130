"""Where sentences begin and end, in English and Chinese, in texts as people type them.

Offsets are code points into the text given. Every character that is not white space lies in exactly one sentence, and
no sentence begins or ends with white space. Rules only, no model: a splitter must give the same answer at build time
and at request time. What it does not know: grammar, and which of two readings of "St." is meant.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from rag_rationale.language.detect import HAN
from rag_rationale.types import Language

LONGEST: dict[Language, int] = {"en": 300, "zh": 150}
"""Longer sentences are cut at a comma or space; a Han character says about twice as much as a letter."""

_LOOK = 64
"""How far around a stop its token is looked for; keeps the work linear in texts without spaces."""

_Bounds = tuple[int, int]

_STOP = r".!?。！？…｡．‼⁇⁈⁉"
_CLOSE = r"\"'”’»)\]}）］】」』》〉"
_OPEN = "([{（［【「『《〈“‘«"
_EMOJI = (
    "[\u2600-\u27bf\u2b05-\u2b55\U0001f000-\U0001faff\U0001f1e6-\U0001f1ff]"
    "[\ufe0f\u200d\u20e3\u2600-\u27bf\U0001f000-\U0001faff\U000e0020-\U000e007f]*"
)
_EMOTICON = r"[:;=][-^']?[)(DPp3*](?!\w)"
_TAIL = rf"[{_CLOSE}]*(?:[ \t]?(?:{_EMOJI}|{_EMOTICON}))*"
_ENDS: dict[Language, re.Pattern[str]] = {
    "en": re.compile(rf"(?:[{_STOP}]+{_TAIL})+|(?:{_EMOJI})+"),
    "zh": re.compile(rf"(?:[{_STOP}；;]+{_TAIL})+|(?:{_EMOJI})+"),
}
_LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
_HAN = re.compile(f"[{HAN}]")
_SOLID = re.compile(r"\S")
_SPACE = re.compile(r"\s")
_GAP = re.compile(r"[^\S\n]+")
_TOKEN_BEFORE = re.compile(rf"[^\s(\[{{（【“\"‘,，{HAN}]*$")
_WORD_AFTER = re.compile(r"\s*[\"“‘(]*([A-Za-z']+)")
_ADDRESS = re.compile(r"://|www\.|\S@\S|\.(?:com|net|org|co|cn|io|html?|php)\b")
_INITIAL = re.compile(r"(?<![A-Za-z])[A-Z]$")
_INITIALS = re.compile(r"[A-Za-z](?:\.[A-Za-z])*")


def _words(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


_NEVER_LAST = _words("mr mrs ms dr prof messrs gen col lt capt cpt rev hon sgt e.g i.e eg ie cf vs incl esp")
_BEFORE_NUMBER = _words("no nos nr fig p pp vol ch sec art rs inr usd approx est ca max min tel ext")
_BEFORE_CAPITAL = _words("etc a.m p.m am pm jr sr sq ft")
_BEFORE_STARTER = _words(
    "st ave rd blvd mt co corp inc ltd dept jan feb mar apr jun jul aug sep sept oct nov dec al approx min max"
)
_STARTERS = _words(
    "the it its it's i i'm i've i'd we we've our my this that these those he she they you there here but and so if",
    "when while what who how why also then not no yes overall everything nothing one in at on for with a an",
)
_CUT_AT = re.compile(rf"[,，、;；:：～~]+(?=\s|[{HAN}])|[.…]{{2,}}|\s[-–—]+(?=\s)")


def split_sentences(text: str, lang: Language) -> list[_Bounds]:
    """The (start, end) of each sentence, in text order; empty for a text of white space.

    Lines are boundaries. Closing quotes and brackets, and emoji after the stop, stay with their sentence. Sentences of
    more than `LONGEST` characters are cut at commas or spaces, or where neither helps, anywhere between characters.
    """
    spans: list[_Bounds] = []
    for line in _LINE.finditer(text):
        for start, end in _split_line(line.group(), lang):
            spans.extend(_cut(text, line.start() + start, line.start() + end, LONGEST[lang]))
    return spans


def _split_line(line: str, lang: Language) -> Iterator[_Bounds]:
    begin = 0
    for end in _ends(line, lang):
        if bounds := _trim(line, begin, end):
            yield bounds
        begin = end
    if bounds := _trim(line, begin, len(line)):
        yield bounds


def _ends(line: str, lang: Language) -> list[int]:
    begin, ends = 0, []
    for stop in _ENDS[lang].finditer(line):
        if _is_end(line, begin, stop, lang):
            begin = stop.end()
            ends.append(begin)
    return sorted({*ends, *_ends_by_space(line, ends)}) if lang == "zh" else ends


def _trim(text: str, start: int, end: int) -> _Bounds | None:
    piece = text[start:end]
    body = piece.strip()
    if not body:
        return None
    start += len(piece) - len(piece.lstrip())
    return start, start + len(body)


def _is_end(line: str, begin: int, stop: re.Match[str], lang: Language) -> bool:
    """Whether the run of stops ends a sentence that began at `begin`."""
    at, after = stop.span()
    solid = _SOLID.search(line, after)
    if not solid:
        return True
    before, follow = line[max(begin, at - _LOOK) : at], solid.group()
    if not any(char.isalnum() for char in before) or before[-1] in _OPEN:
        return False  # "!!! wow", "(?)": a stop without a sentence before it
    if follow in ",，、:：)）":
        return False
    run = stop.group()
    glued = not line[after].isspace()
    if glued and _ADDRESS.search(_token_around(line, at)):
        return False
    if any(char in "!?。！？｡‼⁇⁈⁉；" for char in run):
        return True
    if run[0] not in _STOP and run[0] != ";":  # emoji alone
        return bool(_HAN.match(follow)) if lang == "zh" else follow.isupper()
    if lang == "zh" and run == "." and _INITIAL.search(before):
        return False  # J. R. R. 托尔金
    if lang == "zh" and (_HAN.match(before[-1]) or _HAN.match(follow)) and not (before[-1].isdigit() and glued):
        return True
    if ";" in run:
        return lang == "zh" and not glued
    if "…" in run or ".." in run:
        return not follow.islower() and not follow.isdigit()
    return _is_end_by_period(line, begin, stop, follow)


def _is_end_by_period(line: str, begin: int, stop: re.Match[str], follow: str) -> bool:
    """Whether one full stop ends a sentence: not in 2.5, Mr. Lee, No. 3, U.S. or a list's "1."."""
    at, after = stop.span()
    previous = line[at - 1]
    if not line[after].isspace():
        return follow.isupper() and (previous.islower() or previous in ")]\"'”’" or after > at + 1)
    match = _TOKEN_BEFORE.search(line, max(begin, at - _LOOK), at)
    token = match.group() if match else ""
    word = token.lower()
    if word in _NEVER_LAST:
        return False
    if word in _BEFORE_NUMBER and follow.isdigit():
        return False
    if token.isdigit() and len(token) <= 2 and not line[begin : at - len(token)].strip():
        return False
    if word in _BEFORE_CAPITAL:
        return follow.isupper()
    if word in _BEFORE_STARTER or _INITIALS.fullmatch(token):
        after_word = _WORD_AFTER.match(line, after)
        return bool(after_word) and follow.isupper() and after_word.group(1).lower() in _STARTERS  # type: ignore[union-attr]
    return True


def _token_around(line: str, at: int) -> str:
    before, after = line[max(0, at - _LOOK) : at], line[at : at + _LOOK]
    return (before.split() or [""])[-1] + (after.split() or [""])[0]


def _ends_by_space(line: str, ends: list[int]) -> Iterator[int]:
    """Spaces that stand for full stops in Chinese: between Han characters, after a clause of six or more.

    A line whose pieces are short is written with spaces between words; there they mean nothing.
    """
    gaps = [gap for gap in _GAP.finditer(line) if _HAN.match(line, gap.start() - 1) and _HAN.match(line, gap.end())]
    if not gaps or len(_HAN.findall(line)) < 5 * (len(gaps) + 1):
        return
    begin = 0
    for gap in gaps:
        stops = bisect_right(ends, gap.start())
        begin = max(begin, ends[stops - 1] if stops else 0)
        if len(_HAN.findall(line, begin, gap.start())) >= 6:
            yield gap.start()
            begin = gap.start()


def _cut(text: str, start: int, end: int, longest: int) -> Iterator[_Bounds]:
    """Pieces of at most `longest` characters, cut as late as a comma allows, else a space, else anywhere."""
    while end - start > longest:
        at = _cut_at(text, start, start + longest)
        if piece := _trim(text, start, at):
            yield piece
        rest = _trim(text, at, end)
        if rest is None:
            return
        start, end = rest
    yield start, end


def _cut_at(text: str, start: int, limit: int) -> int:
    earliest = start + (limit - start) // 3
    commas = [match.end() for match in _CUT_AT.finditer(text, earliest, limit)]
    if commas:
        return commas[-1]
    spaces = [match.start() for match in _SPACE.finditer(text, earliest, limit)]
    if spaces:
        return spaces[-1]
    while limit > earliest and _continues(text[limit]):
        limit -= 1
    return limit


def _continues(char: str) -> bool:
    """Whether a character belongs to the one before: combining marks, joiners, variation selectors, skin tones."""
    return "\u0300" <= char <= "\u036f" or char in "\u200d\ufe0e\ufe0f\u20e3" or "\U0001f3fb" <= char <= "\U0001f3ff"
