"""Makes false sentences out of true ones, in the ways a writer goes wrong. Seeded; every kind is really false.

A kind works on the words that a sentence copies from its sources, so it fits any template; it returns None where it
does not apply, or where its outcome could by chance be true.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from rag_rationale.grounding.clauses import MARKS, labels
from rag_rationale.language.tokens import mood, opposites, same, tokens
from rag_rationale.types import Claim, Language, Source

_LEAST: dict[Language, int] = {"en": 12, "zh": 4}  # characters that count as copied
_ALIKE = 0.9  # words so much alike say the same: ambience and ambiance
_ENGLISH_NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "twenty")
_HAN_NUMBERS = "两三四五六七八九"
_BE = re.compile(
    r"\b(is|are|was|were|can|has been|have been|will be)\b(?! not|n['’]t| never| hardly| just| only| simply| merely)",
    re.IGNORECASE,
)  # "not just amazing" denies nothing
_NOT = re.compile(r" not\b|n['’]t\b|\bnever ")
_VERY_ZH = re.compile("(?<![不没])(?:很|非常|特别|十分|挺|超级)(?=[\u4e00-\u9fff])")
_NOT_ZH = re.compile("(?:不|没有|没)(?=[\u4e00-\u9fff])(?!错|少|仅|但|过|同|得|久|断|知|管|论|如|然|止|只|愧)")
_ONE = re.compile(
    r"\b(?:One|one|A|a|Another|another) (reviewer|guest|customer|diner|traveller|reader|viewer|buyer)s?"
    r"( here| of this one)? (say|praise|write|report|note|complain|find|call|warn|mention)s\b"
)
_ACCORDING = re.compile(r"\b([Aa])ccording to one reviewer|\b[Ss]omeone who reviewed (?:it|this one)")
_ONE_ZH = re.compile("有人(?:说|觉得|写道|反映)?|有一?位评价者|有评价者|有评价(?=提到)")
_CLAUSE = re.compile(
    r"(?:^|[.;,!?]\s+|\bbut )((?:the|my|our|their|a) [a-z]+(?: [a-z]+)?) (is|are|was|were) ([a-z][^.;,!?]{3,40})", re.I
)
_CLAUSE_ZH = re.compile(
    "(?:^|[，。；！？])(?!虽然|但是|不过|因为|所以|而且|已经)([\u4e00-\u9fff]{2,5}?)((?:很|非常|特别|太|挺|超|有点|偏|不)[\u4e00-\u9fff]{1,8})(?=[，。；！？]|$)"
)


@dataclass(frozen=True, slots=True)
class _Copied:
    """Words of the sentence, from `start` to `end`, that stand in a source of their marker."""

    start: int
    end: int
    source: Source
    text: str


_Kind = Callable[[Claim, Sequence[Claim], random.Random], str | None]


def falsify(claim: Claim, kind: str, others: Sequence[Claim], *, seed: int = 0) -> Claim | None:
    """The claim made false in one way, its evidence unchanged; None where that way does not apply.

    `others` are true claims of other requests, from which names and sentences of other items are taken.
    """
    around = [o for o in others if o.language == claim.language and o.item != claim.item]
    made = KINDS[kind](claim, around, random.Random(f"{seed}\0{kind}\0{claim.id}\0{claim.sentence}"))
    if made is None or made == claim.sentence:
        return None
    return claim.model_copy(update={"sentence": made, "label": "false", "kind": kind})


def _copies(claim: Claim) -> list[_Copied]:
    """What each marked part of the sentence copies from its sources, the longest run of each."""
    by_label = {s.label: s for s in claim.evidence}
    found, begin = [], 0
    for marks in MARKS.finditer(claim.sentence):
        part = claim.sentence[begin : marks.start()]
        for source in (by_label[n] for n in labels(marks[0]) if n in by_label):
            match = SequenceMatcher(None, part.lower(), source.text.lower(), autojunk=False).find_longest_match()
            start, end = match.a, match.a + match.size
            while start < end and not part[start].isalnum():
                start += 1
            text = part[start:end].rstrip(" ,，")
            titled = bool(source.title) and text.lower() in source.title.lower()
            if len(text) >= _LEAST[claim.language] and not titled:
                found.append(_Copied(begin + start, begin + start + len(text), source, text))
                break
        begin = marks.end()
    return found


def _put(sentence: str, start: int, end: int, text: str) -> str:
    return sentence[:start] + text + sentence[end:]


def _number(claim: Claim, others: Sequence[Claim], rng: random.Random) -> str | None:
    """Another number than any source has."""
    del others
    held = " ".join(f"{s.text} {s.title} {s.rating or ''}" for s in claim.evidence).lower()
    for copied in _copies(claim):
        for token in tokens(copied.text, claim.language):
            if token.number is None or token.number < 2:
                continue
            new = _other_number(token.text, token.number, held, claim.language, rng)
            if new is not None:
                at = copied.start + token.start
                return _put(claim.sentence, at, at + len(token.text), new)
    return None


def _other_number(text: str, value: float, held: str, language: Language, rng: random.Random) -> str | None:
    if text[0].isdigit():
        whole = re.match(r"\d+", text)
        assert whole is not None
        choices = [str(int(whole[0]) + step) + text[whole.end() :] for step in (2, 3, 5, 7, 11)]
    elif language == "en":
        choices = [w for w in _ENGLISH_NUMBERS if w != text.lower()]
    else:
        choices = [c for c in _HAN_NUMBERS if c != text] if len(text) == 1 else []
    digits = {str(int(t.number)) for t in tokens(held, language) if t.number is not None}
    fresh = [c for c in choices if c not in held and _value(c, language) not in digits]
    return rng.choice(fresh) if fresh and value >= 2 else None


def _value(text: str, language: Language) -> str:
    number = next((t.number for t in tokens(text, language) if t.number is not None), None)
    return "" if number is None else str(int(number))


def _negation(claim: Claim, others: Sequence[Claim], rng: random.Random) -> str | None:
    """A negation put in, or taken out."""
    del others, rng
    for copied in _copies(claim):
        denied = _NOT.search(copied.text) if claim.language == "en" else _NOT_ZH.search(copied.text)
        if denied is not None:
            if claim.language == "en" and denied[0].startswith("n"):
                continue
            return _put(claim.sentence, copied.start + denied.start(), copied.start + denied.end(), "")
        if claim.language == "zh" and (very := _VERY_ZH.search(copied.text)):
            return _put(claim.sentence, copied.start + very.start(), copied.start + very.end(), "不")
        if claim.language == "en" and (verb := _BE.search(copied.text)):
            return _put(claim.sentence, copied.start + verb.end(), copied.start + verb.end(), " not")
    return None


def _name(claim: Claim, others: Sequence[Claim], rng: random.Random) -> str | None:
    """The title of what the user knows replaced by that of something else."""
    own = {s.title for s in claim.evidence} | {claim.item}
    titles = sorted({s.title for o in others for s in o.evidence if s.title and s.title not in own})
    named = [s for s in claim.evidence if s.title and s.title in claim.sentence and s.side == "history"]
    if not named or not titles:
        return None
    return claim.sentence.replace(named[0].title, rng.choice(titles), 1)


def _polarity(claim: Claim, others: Sequence[Claim], rng: random.Random) -> str | None:
    """A word of praise or blame replaced by its opposite."""
    del others
    for copied in _copies(claim):
        for token in tokens(copied.text, claim.language):
            choices = [w for w in opposites(token.text, claim.language) if w not in copied.source.text.lower()]
            if choices and not token.negated and abs(token.valence) >= 0.15:
                at = copied.start + token.start
                return _put(claim.sentence, at, at + len(token.text), rng.choice(choices))
    return None


def _other_item(claim: Claim, others: Sequence[Claim], rng: random.Random) -> str | None:
    """What is said of the item replaced by what is said of another."""
    mine = [c for c in _copies(claim) if c.source.side != "history"]
    theirs = [c for o in others for c in _copies(o) if c.source.side != "history"]
    strange = [c for c in theirs if mine and _shared(c.text, mine[0].source, claim.language) < 0.34]
    if not strange:
        return None
    return _put(claim.sentence, mine[0].start, mine[0].end, rng.choice(strange).text)


def _shared(text: str, source: Source, language: Language) -> float:
    words = [t for t in tokens(text, language) if not t.hollow]
    held = tokens(source.text, language)
    return sum(any(same(w, t, language) >= _ALIKE for t in held) for w in words) / max(len(words), 1)


def _stitched(claim: Claim, others: Sequence[Claim], rng: random.Random) -> str | None:
    """The subject of one clause of a passage with what is said of another."""
    del others, rng
    pattern = _CLAUSE if claim.language == "en" else _CLAUSE_ZH
    for copied in _copies(claim):
        found = list(pattern.finditer(copied.source.text))
        for one in found:
            for other in found:
                stitched = _stitch(one, other, claim.language)
                if one[1].lower() != other[1].lower() and stitched.lower() not in copied.source.text.lower():
                    return _put(claim.sentence, copied.start, copied.end, stitched)
    return None


def _stitch(one: re.Match[str], other: re.Match[str], language: Language) -> str:
    if language == "zh":
        return one[1] + other[2]
    return f"{one[1][0].lower()}{one[1][1:]} {one[2]} {other[3].strip()}"


def _many(claim: Claim, others: Sequence[Claim], rng: random.Random) -> str | None:
    """One reviewer made several."""
    del others
    if len({s.author for s in claim.evidence if s.side == "review"}) != 1:
        return None
    if claim.language == "zh":
        return _ONE_ZH.sub(
            lambda m: rng.choice(("好几位评价者", "不少评价者", "三位评价者")) + _verb_zh(m[0]), claim.sentence, 1
        )
    count = rng.choice(("several", "three", "many"))
    if _ONE.search(claim.sentence):
        made = _ONE.sub(lambda m: f"{count} {m[1]}s{m[2] or ''} {m[3]}", claim.sentence, count=1)
    else:
        made = _ACCORDING.sub(
            lambda m: f"according to {count} reviewers" if m[1] else f"{count} reviewers", claim.sentence, 1
        )
        made = made.replace("reviewers says", "reviewers say").replace("reviewers reports", "reviewers report")
    return made[:1].upper() + made[1:]


def _verb_zh(found: str) -> str:
    verb = found.removeprefix("有人")
    return "都" + verb if verb != found and verb else "都"


def _liking(claim: Claim, others: Sequence[Claim], rng: random.Random) -> str | None:
    """A complaint told as a liking."""
    del others, rng
    for copied in _copies(claim):
        blamed = mood(tokens(copied.text, claim.language)) < -0.2
        low = copied.source.rating is not None and copied.source.rating < 3
        if not (blamed and low) or copied.source.side == "item":
            continue
        mine = copied.source.side == "history"
        mark = f"[{copied.source.label}]"
        if claim.language == "zh":
            return f"{'您' if mine else '有人'}很满意{copied.text}{mark}。"
        return f"{'You were' if mine else 'One reviewer was'} delighted that {copied.text} {mark}."
    return None


def _swapped(claim: Claim, others: Sequence[Claim], rng: random.Random) -> str | None:
    """What the user and a guest said exchanged, or, where only a guest speaks, put into the user's mouth."""
    del others, rng
    copies = _copies(claim)
    mine = next((c for c in copies if c.source.side == "history"), None)
    theirs = next((c for c in copies if c.source.side == "review"), None)
    if theirs is None:
        return None
    if mine is None:
        if any(s.side == "history" for s in claim.evidence):
            return None
        mark = f"[{theirs.source.label}]"
        return f"您说过{theirs.text}{mark}。" if claim.language == "zh" else f"You wrote that {theirs.text} {mark}."
    if max(_shared(mine.text, theirs.source, claim.language), _shared(theirs.text, mine.source, claim.language)) > 0.5:
        return None
    first, second = sorted((mine, theirs), key=lambda c: c.start)
    made = _put(claim.sentence, second.start, second.end, first.text)
    return _put(made, first.start, first.end, second.text)


KINDS: dict[str, _Kind] = {
    "number": _number,
    "negation": _negation,
    "name": _name,
    "polarity": _polarity,
    "other_item": _other_item,
    "stitched": _stitched,
    "many": _many,
    "liking": _liking,
    "swapped": _swapped,
}
"""The ways of making a sentence false, by name."""
