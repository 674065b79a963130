"""Chinese: noun phrases, clauses between commas and quotable sentences, by jieba's words and parts of speech.

The one door to jieba. Polarity is by the project's own lexicon with negation; it knows nothing of users, items or
evidence.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from rag_rationale.language.lexicon import lexicon
from rag_rationale.types import Language, Polarity, Span

_SENTENCE = re.compile(r"[^。！？!?；;…\n~～]+(?:[。！？!?；;…~～]+[”’」』）)]*)?")
_UNIT = re.compile(r"[^，,。！？!?；;…\n~～：:]+")
_ODD = re.compile(
    r"[^\w\s，。！？；：、“”‘’《》（）()·,.!?;:%％¥￥℃/+&'\"~～…—-]|[_]|(.)\1{3,}|http|[\u3040-\u30ff\uac00-\ud7af]"
)
_HAN = re.compile(r"[\u3400-\u9fff]")
_SHORT_NAME = re.compile(
    r"(?:[小老阿][\u4e00-\u9fff](?=[，,。、！的很态非特真超耐]|$))|[\u4e00-\u9fff]{1,2}(?:女士|先生|经理|师傅|老师|小姐姐)"
)
_IDENTITY = re.compile(
    r"(?:(?<=^)|(?<=[，。是]))一[款个家部本条双件种篇档份支台把副座间类套场群杯趟][^，。；！？：\n]{3,28}$"
)
_REPORTS = {"它", "他", "她", "他们", "她们", "它们", "觉得", "感觉", "认为", "以为", "个人", "推荐", "建议"}
_PARTICLES = set("啊呀吧呢嘛哦哈啦哟呐嘞咯的")
_NOUNS = ("n", "vn", "an", "j", "l", "eng")
_IRREALIS = re.compile(
    "的话|本来|原本|不觉得|不认为|不算|谈不上|不见得|不代表|不敢说|怀疑|没人说|如果|要是|假如|希望|但愿|以为|本以为|原以为|应该|以前|从前|曾经|号称|据说|听说|宣传说|说好的|本该|早知道|要不是|如能|若|期待|不如"
)
_OPENS_PREDICATE = ("v", "a", "d", "z", "i", "p", "c")
_NOMINAL = {"n", "nz", "ns", "nt", "vn", "an", "j", "b", "eng", "nrt", "ng"}
_WINDOW = 3  # words that a negation reaches ahead


class Word(NamedTuple):
    """A word with its part of speech (jieba's tags) and its offsets in the text."""

    text: str
    tag: str
    start: int
    end: int


class Chinese:
    """Analyser for Chinese. Safe to share between threads."""

    language: Language = "zh"

    def __init__(self) -> None:
        import jieba
        import jieba.posseg

        jieba.setLogLevel(logging.WARNING)
        lists = lexicon("zh")
        for word in sorted(lists["positive"] | lists["negative"]):
            if len(word) > 1 and word not in jieba.dt.FREQ and word[0] not in "不没无":
                jieba.add_word(word, tag="a")
        for noun in lists["nouns"]:
            jieba.add_word(noun, tag="n")
        self._tagger = jieba.posseg.dt
        self._lists = lists
        self._lock = threading.Lock()
        self._words = lru_cache(maxsize=4096)(self._tag)
        self._spans = lru_cache(maxsize=8192)(lambda text: tuple(self._all_spans(text)))

    def spans(self, text: str) -> list[Span]:
        """Noun phrases, clauses and quotable sentences, in text order."""
        return list(self._spans(text))

    def negations(self, text: str) -> int:
        """How many negations the text holds."""
        return sum(self._negates(w.text) for w in self._words(text))

    def polarity(self, text: str) -> Polarity:
        """Polarity of a clause by its own words; "neutral" where they do not tell or tell both."""
        score, flips, since = 0, 0, 0
        words = self._words(text)
        for i, word in enumerate(words):
            since += 1
            if i and (pair := self._valence(words[i - 1].text + word.text)):
                score, flips = score + pair, 0  # 不 + 舒服 stands in the lexicon as one
            elif self._negates(word.text):
                flips, since = flips + 1, 0
            elif value := self._valence(word.text):
                score += -value if flips % 2 and since <= _WINDOW else value
                flips = 0
            elif word.text in {"太", "过于", "偏"} and i + 1 < len(words) and not self._valence(words[i + 1].text):
                score -= 1
        return "positive" if score > 0 else "negative" if score < 0 else "neutral"

    def irrealis(self, text: str) -> bool:
        """Whether the text tells of what was not so: 希望能快一点, 以前很好, 本以为很舒服."""
        return _IRREALIS.search(text) is not None

    def _people(self, text: str) -> tuple[str, ...]:
        """Names that look like a private person's: 小王, 李经理, or a name beside a service word."""
        found = _SHORT_NAME.findall(text)
        words = self._words(text)
        for i, word in enumerate(words):
            near = {w.text for w in words[max(i - 2, 0) : i + 3]}
            if word.tag == "nr" and len(word.text) > 1 and near & self._lists["people_cues"]:
                found.append(word.text)
        return tuple(dict.fromkeys(found))

    def _tag(self, text: str) -> tuple[Word, ...]:
        with self._lock:
            pairs = [(p.word, p.flag) for p in self._tagger.cut(text)]
        words: list[Word] = []
        at = 0
        for word, tag in pairs:
            if words and tag.startswith("n") and words[-1].text in self._lists["degree"] and self._valence(word):
                tag = "a"  # 很透气: jieba knows 透气 as a noun only
            words.append(Word(word, tag, at, at + len(word)))
            at += len(word)
        return tuple(words)

    def _valence(self, word: str) -> int:
        return (word in self._lists["positive"]) - (word in self._lists["negative"])

    def _negates(self, word: str) -> bool:
        return word in self._lists["negations"] or word.endswith("不")  # jieba may join 不闪不

    def _all_spans(self, text: str) -> Iterator[Span]:
        for match in _SENTENCE.finditer(text):
            yield from self._quote(text, *match.span())
            units = [(match.start() + u.start(), match.start() + u.end()) for u in _UNIT.finditer(match[0])]
            for i, (start, end) in enumerate(units):
                identity = self._identity(text, start, end)
                if identity is not None:
                    yield identity
                clause = self._clause(text, start, end)
                if clause is not None:
                    yield clause
                    after = self._predicate(text, *units[i + 1]) if i + 1 < len(units) else None
                    if after is not None and text[end : units[i + 1][0]].strip() in {"，", ","}:
                        yield self._joined(text, clause, after)
                liking = self._liking(text, start, end)
                if liking is not None:
                    yield liking
                yield from self._noun_phrases(text, start, end)

    def _quote(self, text: str, start: int, end: int) -> Iterator[Span]:
        start, end = _trim(text, start, end)
        while end > start and text[end - 1] in "。；;，,":
            end -= 1
        for word in self._words(text[start:end]):  # a quotation begins behind its connectives
            if word.text not in self._lists["leading"] and not word.text.isspace() and word.tag != "x":
                start += word.start
                break
        raw = text[start:end]
        if (
            len(_HAN.findall(raw)) >= 4
            and len(raw) <= 90
            and raw[0] not in "了的着过呢吧"
            and not _ODD.search(raw)
            and not set(raw) & set('“”"')
        ):
            words = self._words(raw)
            yield Span(
                raw,
                start,
                end,
                "quote",
                next((w.text for w in words if w.tag.startswith("n")), ""),
                polarity=self.polarity(raw),
                first_person=self._speaks(words, "first_person"),
                names=self._people(raw),
            )

    def _identity(self, text: str, start: int, end: int) -> Span | None:
        """What a description says its subject is: 一款适合长途徒步的登山包."""
        start, end = _trim(text, start, end)
        match = _IDENTITY.search(text, start, end)
        if match is None or _ODD.search(match[0]) or not _balanced(match[0]):
            return None
        words = self._words(match[0])
        if not words[-1].tag.startswith(("n", "vn", "l", "j")) or self._speaks(words, "first_person"):
            return None
        return Span(match[0], match.start(), match.end(), "identity", words[-1].text)

    def _clause(self, text: str, start: int, end: int) -> Span | None:
        """The unit as a clause with a subject of its own, its leading connectives dropped; None where it is none."""
        words = self._unit_words(text, start, end)
        if words is None or not words[0].tag.startswith((*_NOUNS, "s", "f", "m", "b", "a", "t", "nz")):
            return None
        opens = (i for i, w in enumerate(words) if w.tag not in {"vn", "an"} and w.tag.startswith(_OPENS_PREDICATE))
        subject_end = next(opens, 0)
        nouns = [w for w in words[:subject_end] if w.tag.startswith(("n", "vn", "an", "j", "l", "eng", "s"))]
        if not nouns or words[0].tag.startswith("t") or not self._predicates(words[subject_end:]):
            return None
        raw = text[words[0].start : words[-1].end]
        if not 5 <= len(raw) <= 26:
            return None
        return Span(
            raw,
            words[0].start,
            words[-1].end,
            "clause",
            nouns[-1].text,
            polarity=self.polarity(raw),
            names=self._people(raw),
        )

    def _predicate(self, text: str, start: int, end: int) -> Span | None:
        """A unit that says more of the subject before it, such as 很轻便 after 背包容量大."""
        words = self._unit_words(text, start, end, strip=False)
        if words is None or not words[0].tag.startswith(("d", "a", "v", "z", "i")) or not self._predicates(words):
            return None
        raw = text[words[0].start : words[-1].end]
        return (
            Span(raw, words[0].start, words[-1].end, "clause", "", polarity=self.polarity(raw))
            if len(raw) <= 14
            else None
        )

    def _joined(self, text: str, first: Span, second: Span) -> Span:
        same = first.polarity if first.polarity == second.polarity else "neutral"
        if "neutral" in (first.polarity, second.polarity):
            same = first.polarity if second.polarity == "neutral" else second.polarity
        raw = text[first.start : second.end]
        return Span(
            raw.replace(",", "，"),
            first.start,
            second.end,
            "clause",
            first.head,
            polarity=same,
            names=self._people(raw),
        )

    def _unit_words(self, text: str, start: int, end: int, *, strip: bool = True) -> list[Word] | None:
        """Words of a unit without connectives in front; None where it cannot stand in reported speech."""
        start, end = _trim(text, start, end)
        raw = text[start:end]
        if not raw or _ODD.search(raw) or not _balanced(raw) or len(_HAN.findall(raw)) * 2 < len(raw.replace(" ", "")):
            return None
        words = [Word(w.text, w.tag, w.start + start, w.end + start) for w in self._words(raw)]
        while strip and words and (words[0].text in self._lists["leading"] or words[0].text.isspace()):
            words.pop(0)
        while (
            words
            and (words[-1].tag in {"y", "e", "o", "x", "uj"} or words[-1].text in _PARTICLES)
            and words[-1].text != "了"
        ):
            words.pop()
        if (
            len(words) < 2
            or words[0].text in self._lists["subordinate"] | self._lists["anaphora"]
            or words[-1].text in self._lists["trailing_bad"]
            or words[-1].tag in {"p", "c", "u", "r", "q"}
            or any(w.text in self._lists["question"] for w in words)
            or self._speaks(words, "first_person")
            or self._speaks(words, "second_person")
            or any(w.text in _REPORTS for w in words)
            or raw.count("、") > 1
            or words[-1].text[-1] in "吧吗呢哈"
        ):
            return None
        return words

    def _noun_phrases(self, text: str, start: int, end: int) -> Iterator[Span]:
        """Runs of nouns, each with at most an adjective and 的 in front: 透气的背负系统."""
        words = [Word(w.text, w.tag, w.start + start, w.end + start) for w in self._words(text[start:end])]
        i = 0
        while i < len(words):
            j = i
            while j < len(words) and words[j].tag in _NOMINAL:
                j += 1
            if j > i and words[j - 1].tag != "b":
                described = i >= 2 and words[i - 1].text == "的" and words[i - 2].tag in {"a", "z", "b"}
                span = self._noun_phrase(text, words, i - 2 if described else i, j)
                if span is not None:
                    yield span
            i = max(j, i + 1)

    def _noun_phrase(self, text: str, words: list[Word], i: int, j: int) -> Span | None:
        own = words[i:j]
        raw, head = text[own[0].start : own[-1].end], own[-1].text
        if (
            not 2 <= len(raw) <= 14
            or head in self._lists["generic_heads"]
            or len(_HAN.findall(raw)) < 2
            or _ODD.search(raw)
            or " " in raw
            or self._speaks(own, "first_person")
            or own[0].text in self._lists["leading"] | self._lists["degree"]
        ):
            return None
        modifiers = self.polarity("".join(w.text for w in own[:-1])) if len(own) > 1 else "neutral"
        after = words[j : j + 5]
        predicate: Polarity = "neutral"
        if after and after[0].tag.startswith(("a", "d", "z", "i", "v")):
            predicate = self.polarity("".join(w.text for w in after))
        return Span(
            raw,
            own[0].start,
            own[-1].end,
            "np",
            head,
            polarity=modifiers if modifiers != "neutral" else predicate,
            names=self._people(raw),
        )

    def _predicates(self, words: list[Word]) -> bool:
        """Whether these words say something of what stands before them: a verb, an adjective that modifies no noun, or
        anything behind a word of degree (太有戏了, whatever part of speech jieba sees there)."""
        if len(words) > 1 and words[0].text in self._lists["degree"] and all(w.text != "的" for w in words):
            return True
        if not words or (words[-1].tag.startswith("n") and not any(w.tag.startswith(("v", "p")) for w in words)):
            return False
        for word, after in zip(words, [*words[1:], None], strict=True):
            modifies = after is not None and after.text in {"的", "地"}
            if word.tag.startswith(("a", "z", "i", "l", "v")) and word.tag not in {"an", "vn"} and not modifies:
                return True
        return False

    def _liking(self, text: str, start: int, end: int) -> Span | None:
        """A unit that likes something without saying who does: 特别喜欢小姑子的演技."""
        words = self._unit_words(text, start, end)
        if words is None:
            return None
        verb = 1 if words[0].text in self._lists["degree"] else 0
        liked = words[verb + 1 :]
        if (
            words[verb].text not in self._lists["liking"]
            or not liked
            or liked[-1].tag not in {*_NOMINAL, "nr", "v"}
            or liked[-1].text in self._lists["generic_heads"]
            or any(w.tag in {"y", "x"} for w in liked)
            or any(self._negates(w.text) or w.text in self._lists["anaphora"] for w in liked)
        ):
            return None
        raw = text[words[0].start : words[-1].end]
        if not 4 <= len(raw) <= 20 or self.polarity(raw) != "positive":
            return None
        return Span(
            raw, words[0].start, words[-1].end, "liking", liked[-1].text, polarity="positive", names=self._people(raw)
        )

    def _speaks(self, words: list[Word] | tuple[Word, ...], person: str) -> bool:
        return any(w.text in self._lists[person] for w in words)


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and (text[start].isspace() or text[start] in "-—、.·)）"):
        start += 1
    while end > start and (text[end - 1].isspace() or text[end - 1] in "-—、.·(（"):
        end -= 1
    return start, end


def _balanced(text: str) -> bool:
    return (
        all(text.count(a) == text.count(b) for a, b in ("“”", "《》", "（）", "()", "‘’")) and text.count('"') % 2 == 0
    )
