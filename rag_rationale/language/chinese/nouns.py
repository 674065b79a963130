"""Chinese noun phrases with what is said of them, and names that look like a private person's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from rag_rationale.language.chinese.units import HAN, ODD, Unit
from rag_rationale.language.chinese.words import Word, Words
from rag_rationale.types import Noun, Polarity, Span

Judge = Callable[[str], Polarity]

_NOMINAL = {"n", "nz", "ns", "nt", "vn", "an", "j", "b", "eng", "nrt", "nr", "ng"}
_LONGEST = 14

_GENRE = re.compile(  # the item itself by its kind, and no part of it: 精彩的科幻片
    r"(?:科幻|爱情|动作|恐怖|悬疑|喜剧|战争|动画|文艺|灾难|青春|古装|都市|校园|家庭|犯罪|纪录|国产|商业|电视|连续|网络|偶像)(?:片|剧|电影)$"
)


class Nouns:
    """Finds noun phrases in units; `judge` tells the polarity of a text."""

    def __init__(self, words: Words, judge: Judge) -> None:
        self._words, self._judge, self._lists = words, judge, words.lists
        surnames = "".join(sorted(words.lists["surnames"]))
        self._short_name = re.compile(rf"[小老阿][{surnames}](?=$|[，,。、！!\s的很态非特真超耐服给帮也都还人热])")

    def spans(self, unit: Unit) -> Iterator[Span]:
        """Runs of nouns with their modifier: 透气的背负系统, 沈腾的幽默感, 几个配角."""
        words, i = unit.words, 0
        while i < len(words):
            end = self._run(words, i)
            while end > i and words[end - 1].tag == "b":
                end -= 1
            if end > i:
                begin = self._modifier(words, i)
                while (
                    end + 1 < len(words) and words[end].text == "的" and (more := self._run(words, end + 1)) > end + 1
                ):
                    end = more
                if span := self._span(words, begin, end):
                    yield span
            i = max(end, i + 1)

    def named(self, text: str) -> Iterator[Noun]:
        """Nouns of two characters or more, and pairs of them that stand together; no names of people."""
        before: Word | None = None
        for word in self._words.cut(text):
            if word.tag not in _NOMINAL - {"b", "nr", "nrt"} or len(HAN.findall(word.text)) < 2:
                before = None
                continue
            yield Noun(word.text, word.start, word.end)
            if before is not None:
                yield Noun(before.text + word.text, before.start, word.end)
            before = word

    def people(self, text: str) -> tuple[str, ...]:
        """Names that look like a private person's: 小王, 李经理, or a name beside a service word. A name with a title
        that is no staff's (范伟老师) is given without it."""
        words = self._words.cut(text)
        found = [
            m[0] for m in self._short_name.finditer(text) if not self._words.is_word(text[m.start() : m.end() + 1])
        ]
        for i, word in enumerate(words):
            after = words[i + 1].text if i + 1 < len(words) else ""
            surname = word.text[:1] in self._lists["surnames"]
            titled = word.tag.startswith("nr") or (surname and len(word.text) < 3)
            near = {w.text for w in words[max(i - 2, 0) : i + 3]}
            if after in self._lists["titles"] and titled:
                found.append(word.text if len(word.text) > 1 else word.text + after)
            elif (surname and word.text[1:] in self._lists["titles"]) or (
                word.tag == "nr" and len(word.text) > 1 and near & self._lists["people_cues"]
            ):
                found.append(word.text)
        return tuple(dict.fromkeys(found))

    def _run(self, words: Sequence[Word], i: int) -> int:
        while i < len(words) and words[i].tag in _NOMINAL:
            i += 1
        return i

    def _modifier(self, words: Sequence[Word], i: int) -> int:
        """Where the modifier of a noun at `i` begins: 精彩的, 最喜欢 is none, 几个."""
        if i >= 2 and words[i - 1].text == "的" and words[i - 2].tag.startswith(("a", "z", "b", "i")):
            return i - 2
        if i >= 1 and words[i - 1].tag in {"m", "mq"} and len(words[i - 1].text) > 1 and words[i - 1].text[0] != "第":
            return i - 1
        return i

    def _span(self, words: Sequence[Word], begin: int, end: int) -> Span | None:
        own = words[begin:end]
        raw, head = "".join(w.text for w in own), own[-1].text
        if (
            not 2 <= len(raw) <= _LONGEST
            or (head in self._lists["generic_heads"] and not any(w.text == "的" for w in own))
            or (head in self._lists["generic_heads"] and head in self._lists["item_nouns"])
            or _GENRE.search(head)
            or len(HAN.findall(raw)) < 2
            or ODD.search(raw)
            or any(not (self._words.is_word(w.text) or w.tag == "nr" or len(w.text) == 1) for w in own)
            or len(head) == 1
            or head in {"时候", "时间"}  # 保温的时候
            or (len(own) == 1 and begin == 0 and "的" in [w.text for w in words[end + 1 : end + 4]])  # 弘扬正能量的精神
            or own[0].text in self._lists["leading"] | self._lists["degree"]
            or any(self._words.negates(w.text) for w in words[max(begin - 2, 0) : begin])
        ):
            return None
        return Span(
            raw, own[0].start, own[-1].end, "np", head, polarity=self._said(words, begin, end), names=self.people(raw)
        )

    def _said(self, words: Sequence[Word], begin: int, end: int) -> Polarity:
        """What is said of this very noun: by its modifiers, by a judgement right behind it, or as what is liked."""
        own = self._judge("".join(w.text for w in words[begin : end - 1])) if end - begin > 1 else "neutral"
        if own != "neutral":
            return own
        before = words[begin - 1].text if begin else ""
        if end == len(words) and before in self._lists["liking"]:
            return self._judge("".join(w.text for w in words))
        led = all(w.nominal or w.text in {"的", "、"} or w.tag.startswith(("m", "q", "r")) for w in words[:begin])
        behind = words[end:]
        while behind and (
            behind[0].tag == "d" or behind[0].text in self._lists["degree"] or self._words.negates(behind[0].text)
        ):
            behind = behind[1:]
        if len(behind) > 1 and behind[0].tag == "v" and behind[1].text in {"得", "的"}:  # 表演拿捏得很好
            behind = behind[2:]
            while behind and (behind[0].tag == "d" or behind[0].text in self._lists["degree"]):
                behind = behind[1:]
        judged = bool(behind) and (self._words.valence(behind[0].text) != 0 or behind[0].tag == "i")
        return self._judge("".join(w.text for w in words[begin:])) if led and judged else "neutral"
