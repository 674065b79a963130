"""Finds what units of Chinese text say: clauses, likings and what something is called, alone or joined.

A unit with a subject of its own is a clause (剧情紧凑). One without (值得一看再看) speaks of the thing reviewed, or of
the reviewer, as long as no unit before it has named another subject. A topic and the comment behind its comma make one
clause (演员的表演，非常到位). Everything is the text's own words in order; a few function words are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import Literal

from rag_rationale.language.chinese.units import HAN, Unit
from rag_rationale.language.chinese.words import Word, Words
from rag_rationale.types import Polarity, Shape, Span

Judge = Callable[[str], Polarity]

_LONGEST, _LONGEST_BARE, _LONGEST_JOINED, _LONGEST_LIKING = 26, 20, 34, 22
_JOINS = re.compile(r"[，, ]*(?:而且|并且|还|也|又|都|另外|还有|尤其|特别是|尤其是|最重要的是|加上|再加上)?[，, ]*")
_KEPT = re.compile(r"而且|并且|还|也|又|都")
_IS = re.compile(
    r"(?:(?:这|这部剧|这部电影|这部片子|这片子|这剧|本剧|本片|全剧)?(?:真的|绝对|确实|的确|才|就|也|还)?"
    r"(?:算|可以说|堪称|不愧|称得上|真)?(?:是|为)?)"
)
_ONE = re.compile(r"(?<!第)一[款个家部本条双件种篇档份支台把副座间类套场群杯趟季]")
_HANGS = frozenset("对和跟与同让使令")  # what opens no sentence without a subject
_MADE = frozenset({"改建", "改造", "改编", "翻新", "改装", "翻拍"})  # what is made of one thing takes 成 to be told so
_DID = re.compile("(?:看|追|刷|补|买|入手|下单|看完|追完)了$")  # what the reviewer did, and not what the thing is
_CRIES = re.compile("太[^，的]{1,4}了[^吧啊呀点些，].")  # 太好看了配乐太燃了
_LEFT_OUT = re.compile("[\u4e00-\u9fff]{2,}[^\u4e00-\u9fff]*[也都]$")  # 再好的配乐 也救不了结局
_PLAIN_ONE = re.compile("的一[部个家款本首场]")  # 经典的一部片 is Chinese only of one among others: 最经典的一部片
_AMONG = re.compile("最|少有|少见|难得|唯一|第一|之一|中|里|以来|年")
_CHAINED = re.compile("[^，。的]{1,4}(?:但|又|而|且|却)[^，。的]{1,4}的[^，。]")  # 冷漠但深情的, 可爱又迷人的
_TWO_NAMED = re.compile("的.{2,8}[和与].{2,12}的[^，得了是很]{1,4}$")  # 深情的甲和可爱的乙, and nothing is said of them
_KIND = re.compile("(?:剧|片|电影|之作|作品)$")
_DONE_TO = re.compile("[过了].{0,6}[都也](?![没不]).{2,}了$")
_SEVERAL = frozenset(
    ["和", "与", "跟", "及", "以及", "、", "连", "全", "全部", "所有", "还有", "大家", "男女", "各", "每"]
)
_EXHORTS = frozenset({"好好", "争取", "努力", "尽量", "赶紧", "赶快", "欢迎", "愿", "祝", "祝愿", "但愿", "望", "求"})
_FUNCTION = ("d", "u", "p", "c", "x", "y", "m", "q", "r", "zg", "f")


class Clauses:
    """Reads units. `judge` tells the polarity of a text, `names` whom it may name."""

    def __init__(self, words: Words, judge: Judge, names: Callable[[str], tuple[str, ...]]) -> None:
        self._words, self._judge, self._names = words, judge, names
        self._lists = words.lists

    def spans(self, units: Sequence[Unit]) -> Iterator[Span]:
        """Clauses, joined clauses, likings and identities, in text order."""
        for _, group in groupby(units, key=lambda u: u.sentence):
            yield from self._sentence(list(group))

    def _sentence(self, units: list[Unit]) -> Iterator[Span]:
        subject_named = False  # by a unit before, of which a unit without subject would then speak
        person = False  # as its object, of whom the next may speak
        for i, unit in enumerate(units):
            kept = self._plain(unit.words)
            subject_named |= self._leaves_gap(unit.gap)
            predicate = self.subject_end(kept)
            named = predicate > 0 and self.predicates(kept[predicate:])
            if not unit.bound:
                apart = not (subject_named or person or _LEFT_OUT.search(unit.gap))
                yield from self._one(kept, predicate, bare=apart and (not predicate or not _in_chain(unit)))
            yield from self._topic(unit, units[i + 1 : i + 2])
            subject_named |= named and not self._is_item(kept)
            person |= any(w.tag.startswith("nr") or w.text in self._lists["liking"] for w in unit.words)

    def _leaves_gap(self, gap: str) -> bool:
        """Whether something was said before a unit that is no unit itself, and may have named another subject."""
        led = self._lists["leading"] | self._lists["conjunctions"]
        said = [w for w in self._words.cut(gap) if w.text not in led and HAN.search(w.text) and w.tag not in {"y", "e"}]
        return sum(len(w.text) for w in said) > 2

    def _one(self, kept: list[Word], predicate: int, *, bare: bool) -> Iterator[Span]:
        span = self._liking(kept) or self._identity(kept) or self._clause(kept, predicate, bare=bare)
        if span:
            yield span

    # -- clauses ----------------------------------------------------------------------------------------------------

    def _clause(self, kept: list[Word], predicate: int, *, bare: bool) -> Span | None:
        subject, said = kept[:predicate], kept[predicate:]
        follows = not bare and said and said[0].text in {"就", "才", "便"}  # 灯一关，院子就安静了
        if (
            kept[0].text in _HANGS
            or not self.predicates(said)
            or follows
            or _runs_on(kept)
            or self._heaps(kept)
            or ([w.text for w in said].count("又") == 1 and said[0].text == "又")  # 绅士又大气 has no subject
            or self._leaves_out(subject, said)
            or _names(kept)
            or _lists(kept)
            or _counts(kept)
            or _TWO_NAMED.search(_shown(kept))
            or _urges(kept)
            or (kept[-1].text in self._lists["item_nouns"] and not any(w.tag[0] in "vp" for w in kept))
            or (kept[0].text in self._lists["liking"] and sum(w.tag == "v" for w in kept[1:]) > 1)
            or (not subject and _DID.search(_shown(kept)))
        ):
            return None
        nouns = [w for w in subject if w.nominal]
        if not nouns and not (bare and self._tells(kept) and not self._described(kept)):
            return None
        return self._span(kept, "clause", nouns[-1].text if nouns else "", _LONGEST if nouns else _LONGEST_BARE)

    def _heaps(self, kept: Sequence[Word]) -> bool:
        """Whether sentences follow each other without a mark: 没有新意每一集都一样不值得看."""
        return sum(self._words.negates(w.text) for w in kept) > 1 and len(_shown(kept)) > 11

    def _leaves_out(self, subject: Sequence[Word], said: Sequence[Word]) -> bool:
        """Whether somebody did one thing and another was done to what is not named: 孩子画过一次都擦干净了."""
        return any(w.text in self._lists["audience"] for w in subject) and _DONE_TO.search(_shown(said)) is not None

    def _tells(self, kept: list[Word]) -> bool:
        """Whether a predicate without subject holds more than a word of praise: two words of content or an idiom."""
        content = [w for w in kept if not w.tag.startswith(_FUNCTION) and w.text not in self._lists["degree"]]
        return len(content) > 1 or any(len(w.text) > 3 for w in content)

    def _described(self, kept: Sequence[Word]) -> bool:
        """Whether words without a subject only describe a noun (让人心疼的小人物): nothing shows an action."""
        acts = any(w.tag in {"ul", "uz", "ug", "p"} or w.text[-1] in "到出给把被" for w in kept[: _last_de(kept)])
        return kept[-1].nominal and _last_de(kept) > 0 and not acts

    def subject_end(self, kept: Sequence[Word]) -> int:
        """How many leading words make the subject; 0 for none. A verb that 的 ties to a noun belongs to that noun."""
        i, last = 0, 0
        while i < len(kept):
            word = kept[i]
            if self._words.negates(word.text):
                break
            if word.nominal or word.tag == "b" or word.text in {"的", "、", "和", "与", "以及", "及"}:
                i += 1
                last = i if word.nominal else last
            elif word.tag.startswith(("m", "q", "r", "t", "f")) and not self._lists["question"] & {word.text}:
                i += 1
            elif i == 0 and word.tag == "a" and len(kept) > 1 and kept[1].nominal:
                i += 1  # 老演员
            elif word.tag != "p" and (after := self._modifies(kept, i)) is not None:
                i = after
            else:
                break
        return last

    def _modifies(self, kept: Sequence[Word], i: int) -> int | None:
        """Index behind the 的 by which words from `i` on modify a noun that something is said of; None otherwise."""
        for j in range(i + 1, min(i + 6, len(kept) - 1)):
            if kept[j].tag in {"ul", "x", "c"}:
                return None
            if kept[j].text == "的":
                end = j + 1
                while end < len(kept) and kept[end].nominal:
                    end += 1
                return j + 1 if end > j + 1 and self.predicates(kept[end:]) else None
        return None

    def predicates(self, words: Sequence[Word]) -> bool:
        """Whether these words say something of what stands before them: a verb, an adjective that modifies no noun, or
        anything behind a word of degree (太有戏了, whatever part of speech jieba sees there)."""
        if len(words) > 1 and words[0].text in self._lists["degree"] and all(w.text != "的" for w in words):
            return True
        if not words or (words[-1].nominal and not any(w.tag.startswith(("v", "p")) and w.tag != "vn" for w in words)):
            return False
        acts = any(w.tag.startswith(("v", "p")) and w.tag != "vn" for w in words)
        if len(words) > 1 and words[-2].text == "的" and not acts:
            return False  # 新的惊喜, whatever jieba takes 惊喜 for
        for i, (word, after) in enumerate(zip(words, [*words[1:], None], strict=True)):
            modifies = after is not None and after.text in {"的", "地"} and after is not words[-1]
            modifies |= word.tag[0] in "an" and _CHAINED.match("".join(w.text for w in words[i:])) is not None
            if word.tag.startswith(("a", "z", "i", "l", "v")) and word.tag not in {"an", "vn"} and not modifies:
                return True
        return False

    def _is_item(self, kept: Sequence[Word]) -> bool:
        """Whether the subject is the thing reviewed itself: 这部剧, 整部电影, 全片."""
        return kept[0].text in self._lists["this_item"] | {"这", "本", "整", "该"} or kept[0].text.startswith("整")

    def _topic(self, unit: Unit, following: Sequence[Unit]) -> Iterator[Span]:
        """A unit joined with the next one: topic and comment, or two clauses that judge alike."""
        after = following[0] if following else None
        if after is None or unit.bound or not (joint := _JOINS.fullmatch(after.gap)):
            return
        first, second = self._plain(unit.words), self._plain(after.words)
        split, rest = self.subject_end(first), self.subject_end(second)
        if self._liking(first) or self._identity(first) or self._identity(second) or not self.predicates(second[rest:]):
            return
        nouns = [w for w in first[:split] if w.nominal]
        kept = _KEPT.findall(joint[0])
        topic = (
            split == len(first)
            and first[-1].tag[0] not in "fst"
            and first[-1].text[-1] not in "里中上下内"
            and not _KIND.search(first[-1].text)
        )
        if topic and nouns and not rest and self._judges(second):  # 演员的表演，非常到位
            mark = "" if _last_de(first) and self._judging(second[0]) else "，"
            shown = f"{_shown(first)}{mark}{''.join(kept[:1])}{_shown(second)}"
        elif self.predicates(first[split:]) and nouns and not (_lists(first) or _counts(second) or _places(first)):
            shown = f"{_shown(first)}，{''.join(kept[:1])}{_shown(second)}"
        else:
            return
        one, two = self._judge(_shown(first)), self._judge(_shown(second))
        if {one, two} == {"positive", "negative"} or len(shown) > _LONGEST_JOINED:
            return
        polarity = two if one == "neutral" else one
        if polarity != self._judge(shown):
            return
        head = nouns[-1].text if nouns else ""
        yield Span(shown, unit.start, after.end, "clause", head, polarity=polarity, names=self._names(shown))

    # -- likings and identities -------------------------------------------------------------------------------------

    def _liking(self, kept: list[Word]) -> Span | None:
        """A unit that likes or dislikes something without saying who does: 特别喜欢小姑子的演技, 不太喜欢结局."""
        verb = next(
            (i for i, w in enumerate(kept[:4]) if w.text in self._lists["liking"] | self._lists["dislike"]), None
        )
        if verb is None:
            return None
        led, liked = kept[:verb], kept[verb + 1 :]
        negated = any(self._words.negates(w.text) for w in led)
        if (
            any(w.text not in self._lists["degree"] and w.tag != "d" and not self._words.negates(w.text) for w in led)
            or not liked
            or liked[0].text == "的"  # 最喜欢的一部电影 is a name
            or not (liked[-1].nominal or (liked[-1].tag == "v" and len(liked[-1].text) > 1))
            or (liked[-1].text in self._lists["generic_heads"] and len(liked) < 3)
            or any(w.tag in {"y", "x"} or self._words.negates(w.text) for w in liked)
            or sum(w.tag == "v" for w in liked) > 1  # 喜欢小猫反复出现又换衣服
        ):
            return None
        span = self._span(kept, "liking", liked[-1].text, _LONGEST_LIKING)
        wanted = "negative" if negated or kept[verb].text in self._lists["dislike"] else "positive"
        return span if span and span.polarity == wanted else None

    def _identity(self, kept: list[Word]) -> Span | None:
        """What a unit calls the thing: 一款适合长途徒步的登山包, 绝对经典的电视剧, (真是)良心剧."""
        raw = _shown(kept)
        if len(kept) < 2 or not kept[-1].tag.startswith("n") or any(self._words.negates(w.text) for w in kept):
            return None
        one = _ONE.search(raw)
        skip = one.start() if one and (one.start() == 0 or raw[one.start() - 1] == "是") else _IS.match(raw).end()  # type: ignore[union-attr]
        own = _from(kept, skip)
        if any(w.text in {"是", "有"} for w in own):
            return None
        if len(own) > 1 and own[0].text in self._lists["degree"] and all(w.text != "的" for w in own):
            return None  # 挺好经典
        if (_PLAIN_ONE.search(raw) and not _AMONG.search(raw)) or any(w.text in self._lists["liking"] for w in own):
            return None  # 这是最喜欢的一部 does not tell whose
        if len(own) > 1 and own[-2].tag == "d" and own[-2].text != "最":
            return None  # 再看一遍依旧经典
        if not own or (len(own) < 2 and len(own[0].text) < 3) or own[0].text in {"的", "了"}:
            return None
        called = own[-1].text in self._lists["item_nouns"] or one is not None
        main = [w for w in own[: _last_de(own)] if w.tag in {"ul", "x"}]
        acts = own[0].nominal and any(w.tag in {"v", "d"} for w in own[: _last_de(own)])
        if not called or main or acts or _does(own) or own[0].tag == "v":
            return None
        return self._span(own, "identity", own[-1].text, 30, shortest=3)

    # -- words as they are shown ------------------------------------------------------------------------------------

    def _plain(self, words: Sequence[Word]) -> list[Word]:
        """Without 也 behind a subject (配角也很出彩), which adds to something unsaid, and without a word said twice."""
        kept: list[Word] = []
        also = not any(w.text in {"再", "连", "哪怕", "即使", "一点", "半点"} for w in words)
        for i, word in enumerate(words):
            before, after = kept[-1] if kept else None, words[i + 1] if i + 1 < len(words) else None
            if (
                word.text == "是"
                and before
                and after
                and after.text in self._lists["degree"]
                and words[i - 1].tag == "d"
            ):
                continue  # 真的是很好看
            very = i + 2 < len(words) and words[i + 2].text in self._lists["degree"]
            named = very or words[-1].tag.startswith("n") or words[-1].text == "的"  # 选景组是用心 is nothing
            added = after is not None and (self._judging(after) or (after.text == "是" and named))
            if word.text == "也" and also and added and before and before.nominal:
                continue
            if before and word.text == before.text and len(word.text) > 1:
                continue
            if word.text == "都" and before and before.nominal and added and not self._several(words[:i]):
                continue  # 音乐都无可挑剔, of which the rest stood before
            kept.append(word)
        return kept

    def _several(self, words: Sequence[Word]) -> bool:
        """Whether words name more than one thing, or all of one: what 都 speaks of."""
        texts = {w.text for w in words}
        many = any(w.tag[0] in "mqr" or w.text.endswith("们") for w in words)
        return many or len([w for w in words if w.nominal]) > 2 or bool(texts & _SEVERAL)

    def _judges(self, words: Sequence[Word]) -> bool:
        """Whether words begin with a judgement, whatever adverb leads it: 非常到位, 都很出色, 没得说."""
        led = next((w for w in words if w.tag != "d" or w.text in self._lists["degree"]), words[0])
        return (
            self._judging(led)
            or led.tag[0] in "izlr"
            or self._words.negates(led.text)
            or bool(self._words.valence(led.text))
        )

    def _judging(self, word: Word) -> bool:
        return word.text in self._lists["degree"] or word.tag.startswith("a")

    def _span(self, kept: Sequence[Word], shape: Shape, head: str, longest: int, *, shortest: int = 4) -> Span | None:
        shown = _shown(kept)
        if len(shown) > longest or len(HAN.findall(shown)) < shortest:
            return None
        polarity = self._judge(shown)
        likes = next((w.text for w in kept if w.text not in self._lists["degree"]), "") in self._lists["liking"]
        tense: Literal["past", "present"] = "past" if likes or _happened(kept) else "present"  # nobody "thinks" to like
        names = self._names(shown)
        return Span(shown, kept[0].start, kept[-1].end, shape, head, polarity=polarity, tense=tense, names=names)


def _happened(kept: Sequence[Word]) -> bool:
    """Whether something is told that was done (手机都试了), which nobody "finds" or "thinks"."""
    return any(b.tag in {"ul", "ug"} and a.tag == "v" for a, b in pairwise(kept))


def _in_chain(unit: Unit) -> bool:
    """Whether something stands before the unit in its sentence."""
    return bool(unit.gap.strip())


def _runs_on(kept: Sequence[Word]) -> bool:
    """Whether a second sentence begins without a mark: 终于有一部没配音的剧了好看."""
    cried = _CRIES.search(_shown(kept))
    return cried is not None or (len(kept) > 2 and kept[-2].text == "了" and kept[-1].tag == "a")


def _names(kept: Sequence[Word]) -> bool:
    """Whether the words are a thing's name, whatever jieba takes its middle for: 黑麦粉的发酵面包."""
    last = _last_de(kept)
    before, after = kept[:last], kept[last + 1 :]
    made = len(kept) > 2 and kept[-2].text in _MADE and kept[-1].nominal
    called = last > 0 and [w.tag == "v" for w in after] == [True, False]
    return made or (called and all(w.nominal for w in (*before, after[1])))


def _does(own: Sequence[Word]) -> bool:
    """Whether something acts behind the last 的, and not only is made (老屋改建民宿)."""
    return any(w.tag == "v" and w.text not in _MADE for w in own[_last_de(own) + 2 :])


def _lists(kept: Sequence[Word]) -> bool:
    """Whether the words only name one thing and another: 情怀和创造, whatever jieba takes 创造 for."""
    return len(kept) > 2 and kept[-2].text in {"和", "与", "及", "以及"}


def _places(kept: Sequence[Word]) -> bool:
    """Whether the words only tell where or when: 渡口的候船室里."""
    return kept[-1].text[-1] in "里中上下内时后前" and kept[-1].tag[0] in "fsn"


def _counts(kept: Sequence[Word]) -> bool:
    """Whether the words name several things by their number: 踢毽子和变身两场戏."""
    numbered = len(kept) > 2 and kept[-1].nominal and kept[-2].tag.startswith(("m", "q"))
    return numbered and any(w.text in {"和", "与", "跟", "、"} for w in kept)


def _urges(kept: Sequence[Word]) -> bool:
    """Whether somebody is told what to do: 大家不要刷屏了, 还是去逛街吧不适合跑步."""
    texts = [w.text for w in kept]
    return (
        texts[0] in _EXHORTS
        or texts[:2] == ["好", "好"]
        or any(
            w in {"不要", "别", "请", "点赞", "加油"} or (w == "吧" and i + 1 < len(texts)) for i, w in enumerate(texts)
        )
    )


def _shown(words: Sequence[Word]) -> str:
    return "".join(w.text for w in words)


def _from(words: list[Word], length: int) -> list[Word]:
    """The words behind the first `length` characters, none where that cuts a word."""
    at = 0
    for i, word in enumerate(words):
        if at == length:
            return words[i:]
        at += len(word.text)
    return []


def _last_de(words: Sequence[Word]) -> int:
    return max((i for i, w in enumerate(words) if w.text == "的"), default=0)
