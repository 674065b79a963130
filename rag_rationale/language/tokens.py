"""Words of a text as a judge compares them: stems, numbers, polarity, and what a negation reaches. No parse, no model.

English words are stemmed (Porter 2, snowballstemmer), Chinese ones cut by jieba's dictionary. Valences are VADER's with
our additions, in Chinese our own, on -1 to 1; what is asserted of numbers and negation holds for short sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from rag_rationale.language.detect import HAN
from rag_rationale.language.lexicon import lexicon, valences
from rag_rationale.language.segmenting import own_tagger, own_tokenizer
from rag_rationale.language.wording import wording
from rag_rationale.types import Language

_WORD = re.compile(rf"\d+(?:[.,:]\d+)*%?|[^\W\d_{HAN}]+(?:['’][^\W\d_{HAN}]+)*|[{HAN}]+|[^\w\s]")
_BREAK = {
    "en": frozenset(",.;:!?()–—…") | {"but", "while", "although", "though", "whereas", "because", "so"},
    "zh": frozenset("，。；：！？（）,.;:!?…~～、 ")
    | {"但", "但是", "不过", "可是", "却", "而", "虽然", "只是", "就是"},
}
_STOP = frozenset(".!?。！？；;…\n")
_REACH: dict[Language, int] = {"en": 4, "zh": 3}
"""How many words ahead of it a negation denies, within its piece."""
_ENDS_REACH = frozenset("的还也就都才却")  # 三年没来还叫得出名字 denies the coming alone
_NOT_NUMBERS = frozenset(("十分", "万一", "千万", "一一", "万分", "半天", "一半", "十足", "百般", "三三两两"))
_MEASURE = (
    "个|天|次|年|月|岁|位|元|块|斤|克|米|升|包|瓶|碗|层|间|张|本|部|集|章|页|遍|趟|双|只|条|件|杯|份|口|公里|小时|分钟|分|秒|"
    "周|星期|倍|成|毛|寸|度|号|楼|路|站|季|代|款|种|颗|串|桌|排|步|晚|夜|人|圈|盒|袋|箱|套|道|场|句|篇|家|点|格|档|厘米|公斤|"
    "根|座|把|台|支|节|级|名|星|片|枚|块钱|扇|顶|辆|匹|头|朵|滴|勺|罐|桶|筐|组|轮|段|期|招|样|类"
)
_HAN_NUMBER = re.compile(rf"第?([零〇一二两俩三四五六七八九十百千万亿半]+)({_MEASURE})?")
_NUMERAL = re.compile("[零〇一二两三四五六七八九十百千万亿]+")
_DIGITS = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Token:
    """One word. `key` is what words are compared by; `piece` and `sentence` count the parts of the text it stands in.

    `number` is its value where it is one, `valence` its own polarity from -1 to 1. `negated` tells whether a negation
    reaches it, `struck` whether it is the first word of content that one reaches. `hollow` words carry nothing that a
    source must hold: function words and the wording of attribution.
    """

    text: str
    key: str
    start: int
    end: int
    piece: int
    sentence: int
    hollow: bool
    valence: float = 0.0
    number: float | None = None
    negated: bool = False
    negation: bool = False
    struck: bool = False


@lru_cache(maxsize=8192)
def tokens(text: str, language: Language) -> tuple[Token, ...]:
    """The words of a text in order, marks left out. White space ends no piece."""
    found: list[Token] = []
    piece = sentence = 0
    denied = 0  # words that the last negation still reaches
    first = False  # whether a word of content has yet to follow it
    breaks, negations, known = _BREAK[language], lexicon(language)["negations"], wording(language)
    fine = [m.span() for m in known.fine.finditer(text.lower().replace("’", "'"))]
    for word, start, end in _words(text, language):
        lower = word.lower().replace("’", "'")
        if lower in breaks:
            piece, denied = piece + 1, 0
            sentence += lower in _STOP
        if not lower[0].isalnum():
            continue
        idiom = any(a <= start < b for a, b in fine)
        negation = (lower in negations or lower.endswith("n't")) and not idiom
        hollow = lower in known.hollow or negation
        denied = 0 if lower in _ENDS_REACH else denied
        number = _number(lower, known.numbers, language)
        found.append(
            Token(
                word,
                _key(lower, language),
                start,
                end,
                piece,
                sentence,
                hollow=hollow,
                valence=0.0 if negation or (idiom and language == "en") else _valence(lower, language),
                number=number,
                negated=denied > 0,
                negation=negation,
                struck=denied > 0 and first and not hollow,
            )
        )
        first = negation or (first and hollow)
        denied = _REACH[language] if negation else max(denied - 1, 0)
    return tuple(found)


def mood(words: Iterator[Token] | tuple[Token, ...] | list[Token]) -> float:
    """Polarity of some words together: the sum of their valences, those that a negation reaches turned."""
    return sum(-0.8 * w.valence if w.negated else w.valence for w in words)


def same(one: Token, other: Token, language: Language) -> float:
    """How far one word says what the other says: 1 for the same word, less for one kin to it or alike, else 0."""
    if one.number is not None or other.number is not None:
        return float(one.number == other.number)
    return _alike(one.key, other.key, language)


@lru_cache(maxsize=262144)
def _alike(one: str, other: str, language: Language) -> float:
    if one == other:
        return 1.0
    known = _groups(language)
    if not known.get(one, frozenset()).isdisjoint(known.get(other, ())):
        return 0.9
    if language == "zh":
        return _share_han(one, other)
    shorter, longer = sorted((one, other), key=len)
    return 0.8 if len(shorter) >= 4 and longer.startswith(shorter) else 0.0


def excluded(one: Token, other: Token, language: Language) -> bool:
    """Whether the two words exclude each other of one thing: hot and cold."""
    known = _opposites(language)
    return other.key in known.get(one.key, ()) and one.key != other.key


def _share_han(one: str, other: str) -> float:
    if one in other or other in one:
        shorter, longer = sorted((len(one), len(other)))
        return 0.8 if shorter >= 2 else 0.5 if longer <= 2 else 0.0
    shared = len(set(one) & set(other))
    return 0.5 if shared and min(len(one), len(other)) >= 2 and shared * 2 >= min(len(one), len(other)) else 0.0


def _words(text: str, language: Language) -> Iterator[tuple[str, int, int]]:
    """(word, start, end): runs of letters, numbers, single marks, and the words of runs of Han."""
    for match in _WORD.finditer(text):
        if language == "en" or not re.match(f"[{HAN}]", match[0]):
            yield match[0], match.start(), match.end()
            continue
        at = match.start()
        for part in _cut(match[0]):
            yield part, at, at + len(part)
            at += len(part)


def _parts(word: str) -> tuple[str, ...]:
    if (
        len(word) > 1
        and word[0] in "不没无未"
        and not wording("zh").fine.match(word)
        and word not in {"没有", "不是", "不会", "不能", "不用", "不够", "不再", "未必", "不太", "不怎么", "没什么"}
    ):
        return word[0], word[1:]
    match = _HAN_NUMBER.fullmatch(word)
    if match and match[2] and word not in _NOT_NUMBERS:
        return word[: match.start(2)], match[2]
    return (word,)


@cache
def _dictionary() -> Any:
    own, lists = own_tokenizer(), lexicon("zh")
    for word in sorted(lists["positive"] | lists["negative"] | lists["nouns"] | set(wording("zh").moods)):
        if len(word) > 1 and word not in own.FREQ and word[0] not in "不没无":
            own.add_word(word)
    for word in ("要不", "不太"):  # 想要不太甜的 is no 要不
        own.del_word(word)
    return own


@cache
def _tagger() -> Any:
    return own_tagger(own_tokenizer())


def _cut(run: str) -> list[str]:
    """jieba's words, 不 apart from what it denies, numerals beside each other joined: 二〇二四 is one number."""
    made: list[str] = []
    for word in _dictionary().lcut(run, HMM=False):
        for part in _parts(word):
            if made and _NUMERAL.fullmatch(part) and _NUMERAL.fullmatch(made[-1]):
                made[-1] += part
            else:
                made.append(part)
    return made


def proper(word: str) -> bool:
    """Whether jieba's dictionary knows a Chinese word as a person's or place's name."""
    return len(word) > 1 and _tagger().word_tag_tab.get(word, "") in {"nr", "ns", "nt", "nrt", "nrfg"}


def _number(word: str, known: dict[str, float], language: Language) -> float | None:
    if _DIGITS.match(word):
        plain = word.rstrip("%").replace(",", "")
        try:
            return float(plain)
        except ValueError:
            return float(sum(ord(c) * 31**i for i, c in enumerate(plain)))  # 7:30 equals only itself
    if language == "en":
        return known.get(word)
    return _han_number(word, known) if _HAN_NUMBER.fullmatch(word) and word not in _NOT_NUMBERS else None


def _han_number(word: str, known: dict[str, float]) -> float | None:
    """四十 is 40, 二〇二四 is 2024, 三四 (three or four) and a bare 一 are none."""
    digits = word.lstrip("第")
    if all(known.get(c, 99) < 10 and c != "半" for c in digits):
        if len(digits) == 1:
            return None if digits == "一" else known[digits]
        return float("".join(str(int(known[c])) for c in digits)) if len(digits) >= 3 else None
    total, current = 0.0, 0.0
    for char in digits:
        value = known.get(char)
        if value is None:
            return None
        if char == "半":
            total, current = total + current + 0.5, 0.0
        elif value >= 10000:
            total, current = ((total + current) or 1.0) * value, 0.0
        elif value >= 10:
            total, current = total + (current or 1.0) * value, 0.0
        else:
            current = value
    return total + current


@lru_cache(maxsize=16384)
def _key(word: str, language: Language) -> str:
    if language == "zh":
        return word
    bare = word.removesuffix("'s").removesuffix("n't")
    stem: str = _stemmer().stemWord(wording("en").irregular.get(bare, bare))
    return stem


@cache
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("english")


@cache
def _groups(language: Language) -> dict[str, frozenset[int]]:
    made: dict[str, set[int]] = {}
    for word, groups in wording(language).alike.items():
        made.setdefault(_key(word, language), set()).update(groups)
    return {key: frozenset(groups) for key, groups in made.items()}


@cache
def _opposites(language: Language) -> dict[str, frozenset[str]]:
    made: dict[str, set[str]] = {}
    for word, others in wording(language).opposites.items():
        made.setdefault(_key(word, language), set()).update(_key(o, language) for o in others)
    return {key: frozenset(others) for key, others in made.items()}


def opposites(word: str, language: Language) -> list[str]:
    """Words that exclude `word`, lower case, in a fixed order; none where we know of none."""
    return sorted(wording(language).opposites.get(word.lower(), ()))


@cache
def _valences_en() -> dict[str, float]:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    known: dict[str, float] = {**SentimentIntensityAnalyzer().lexicon, **valences("en")}
    return {word: value / 4 for word, value in known.items()}


@lru_cache(maxsize=16384)
def _valence(word: str, language: Language) -> float:
    if (own := wording(language).moods.get(word)) is not None:
        return own
    if language == "en":
        return _valences_en().get(word, 0.0)
    lists = lexicon("zh")
    return 0.5 * ((word in lists["positive"]) - (word in lists["negative"]))
