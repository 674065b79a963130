"""The form gate: whether a draft reads as a sentence. It does not ask whether the sentence is true."""

from __future__ import annotations

import re

from rag_rationale.types import Analyser, Draft, Filler

_WORD = re.compile(r"[A-Za-z0-9]")
_TWICE = re.compile(r"\b([A-Za-z]+) \1\b", re.IGNORECASE)
_HAN_TWICE = re.compile(r"([\u3400-\u9fff]{2,})\1")
_PAIRS = (("“", "”"), ("《", "》"), ("（", "）"), ("(", ")"))
_IS_DE = re.compile("是.{1,12}的$")  # 内胆是不锈钢的 is whole
_DANGLING_ZH = ("的", "和", "与", "但", "但是", "而且", "因为", "虽然", "，", "、")


def form_faults(draft: Draft, analyser: Analyser, *, longest: int) -> list[str]:
    """What is wrong with the draft's form; empty where nothing is.

    `longest` is the template's limit in characters for a whole sentence.
    """
    words = draft.words
    faults = []
    if len(words) > longest:
        faults.append(f"sentence of {len(words)} characters, the template allows {longest}")
    if not words.rstrip().endswith((".", "!", "?", "”", "。", "！", "？")):
        faults.append("no end mark")
    if words[:1] == "“" and words[1:2].islower():
        faults.append("begins with a small letter")  # a quotation stays as it is written
    if "  " in words or "\n" in words or " ." in words or " ," in words:
        faults.append("stray space")
    if any(words.count(a) != words.count(b) for a, b in _PAIRS):
        faults.append("unbalanced quotation marks or brackets")
    if draft.mode != "quote" and (_TWICE.search(words) or (draft.language == "zh" and _repeats(words))):
        faults.append("a word twice in a row")
    for filler in draft.fillers:
        faults += _filler_faults(filler, analyser)
    return faults


def _repeats(words: str) -> bool:
    return any(m[1] * 2 not in ("哈哈哈哈",) for m in _HAN_TWICE.finditer(words))


def _filler_faults(filler: Filler, analyser: Analyser) -> list[str]:
    text = filler.text
    faults = []
    if not text.strip() or text != text.strip():
        faults.append(f"{filler.slot} is blank or has space at its edge")
    if filler.shape in {"np", "clause", "liking", "identity", "entry"}:
        if cut := _cuts_a_word(filler):
            faults.append(f"{filler.slot} cuts a word at its {cut}")
        if analyser.language == "zh" and text.endswith(_DANGLING_ZH) and not _IS_DE.search(text):
            faults.append(f"{filler.slot} ends dangling")
        if text[-1:] in ",;:-，；：、":
            faults.append(f"{filler.slot} ends in a mark")
        if any(mark in text for mark in '"“”!?！？'):
            faults.append(f"{filler.slot} carries a mark of its own")
    return faults


def _cuts_a_word(filler: Filler) -> str | None:
    """Whether the span starts or ends inside a word of letters; Han text has no such edges to see."""
    passage = filler.evidence.passage
    at, end = filler.start - passage.start, filler.end - passage.start
    if at > 0 and _WORD.match(passage.text[at - 1]) and _WORD.match(passage.text[at]):
        return "start"
    if end < len(passage.text) and _WORD.match(passage.text[end - 1]) and _WORD.match(passage.text[end]):
        return "end"
    return None
