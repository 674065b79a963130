"""Polarity of Chinese clauses by the project's own lexicon: negation, degree, comparison, exception and irony.

It reads words in their order; it knows no ratings and no neighbours of the clause.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag_rationale.language.chinese.words import Word, Words
from rag_rationale.types import Polarity

_WINDOW = 3  # words that a negation reaches ahead
_UNSAID = re.compile(
    r"[？?]|吗$|呢[，,]|为什么|为何|难道|哪里(?:好|算|值)|有什么(?:好|可)|凭什么|怎么(?:能|可能|会)|[能可]不[能可]|"
    r"才怪|个屁|呵呵|不要太|真是(?:够|醉)|侮辱.{0,3}智商|成功地?(?:浪费|毁|劝退|催眠|恶心)|治好了?.{0,6}(?:失眠|低血压)|骗骗|(?:佩服|感谢).{0,6}勇气|好一[个部]|"
    r"还?是更?喜欢[^，。]{1,8}(?:些|一些|多一点|多些)$|"  # 还是喜欢上一部些
    r"[得到]让.{0,3}(?:想关|想睡|睡着|犯困|退场|离场|快进|弃)|(?P<said>[\u4e00-\u9fff]{1,3})是(?P=said)(?![的了])"
)
_IRREALIS = re.compile(
    "的话|本来|原本|不觉得|不认为|谈不上|不见得|不代表|不敢说|怀疑|没人说|如果|要是|假如|希望|期望|盼望|但愿|以为|"
    "应该|以前|从前|曾经|号称|据说|听说|宣传说|说好的|本该|早知道|要不是|如能|若|期待|不如(?:去|看|买|直接|改)|"
    "(?<![不别])怕|担心|当时|那时|那会儿|一开始|刚开始|起初|最初|除非|只要|万一|差一?点|险些|本可|可以更|会更|能更|再.{1,4}[一点些]就"
)
_EXCESS = frozenset({"太", "过于", "偏", "过分", "有点", "有些", "稍微", "略", "略微", "稍", "稍稍"})
_REVERSES = frozenset(
    {"算不上", "称不上", "谈不上", "不如", "比不上", "不及", "没那么", "远不如", "不算", "不再", "不复"}
)
_LOSES = frozenset({"不如", "比不上", "不及", "远不如", "比不了", "不敌"})
_FAINT = frozenset({"不算", "没那么", "不至于"})  # 不算重 praises too faintly to be praise
_LEADS = frozenset("得又也最更都还倒")  # what stands before a one-character judgement
_CLOSES = frozenset("的得了地极多些点")  # what may stand behind a one-character judgement
_EXCEPT = re.compile(r"除了.{1,14}?(?:以外|之外|外|(?=[，, 都还也就没全]|其他|一无|一点))")
_THAN = re.compile(r"比(?!较|例|赛|如|喻|对|划|方|起来|拟)[^，。]{1,14}?(?=更|还|都|要|强|好|差|精彩|[^，。]{0,2}多了)")
_LESS = re.compile(  # 没有第一部好看, but not 没有尿点很好看
    r"没有?(?!比|什么|任何|觉得|人|一)[^，。！？]{2,14}?(?<![很真太挺蛮超更常都也])"
    r"(?=(?:好看|好吃|好喝|好玩|好用|好听|精彩|出彩|惊艳|有趣|有意思)(?:$|[了的，。！]))"
)
_EFFORT = re.compile(r"要[^，。！？]{1,10}才(?!知道|懂|明白|体会|能体会|叫|是|算)")  # 要翻好几页才找到


def irrealis(text: str) -> bool:
    """Whether the text tells of what was not so: 希望能快一点, 以前很好, 本以为很舒服."""
    return _IRREALIS.search(text) is not None


def polarity(text: str, words: Words) -> Polarity:
    """Polarity of a clause by its own words; "neutral" where they do not tell, tell both, or mean it otherwise."""
    if _UNSAID.search(text):
        return "neutral"
    if _EFFORT.search(text):
        return "negative"
    kept = _LESS.sub(
        "不", _THAN.sub(" ", _EXCEPT.sub(" ", text))
    )  # what is excepted, or compared with, is not what is judged
    score = _score(words.cut(kept), words)
    return "positive" if score > 0 else "negative" if score < 0 else "neutral"


def _score(cut: Sequence[Word], words: Words) -> int:
    score, flips, since, faint, loses = 0, 0, 0, False, False
    turned = False  # by the word before
    for i, word in enumerate(cut):
        since += 1
        before, after = cut[i - 1] if i else None, cut[i + 1] if i + 1 < len(cut) else None
        was_turned, turned = turned, _reverses(before, word, words)
        if before and (pair := words.valence(before.text + word.text)):
            turns = (
                flips - was_turned == 1 and since <= _WINDOW
            )  # 不 + 舒服 stands in the lexicon as one, 不是 + 很好 not
            score, flips = score + (-pair if turns else pair), 0
        elif turned:
            flips, since, faint = flips + 1, 0, faint or word.text in _FAINT or word.text == "那么"
            loses = loses or word.text in _LOSES
        elif value := _value(cut, i, words):
            reached = flips and since <= _WINDOW
            if not reached:
                score += value
            elif flips == 1 and not (faint and value < 0):
                score -= value
            flips, faint, loses = 0, False, False
        elif word.text in {"那么", "这么"} and flips:
            since, faint = 0, True  # 没有预想的那么糟糕
        elif word.text in _EXCESS and after and _judged(after, words) and not _value(cut, i + 1, words):
            score -= 1  # 太长, 有点远
    return score - loses  # 特效不如第一部


def _reverses(before: Word | None, word: Word, words: Words) -> bool:
    """Whether a word turns what follows it; the second half of one negation (没 + 那么) does not turn it back."""
    if before and words.negates(before.text) and word.text in {"太", "那么", "怎么", "很", "是", "够"}:
        return False
    return words.negates(word.text) or word.text in _REVERSES


def _is_character(word: Word, words: Words) -> bool:
    return word.nominal and word.text not in words.lists["audience"]


def _judged(word: Word, words: Words) -> bool:
    return word.tag.startswith(("a", "z")) or words.valence(word.text) != 0


def _value(cut: Sequence[Word], i: int, words: Words) -> int:
    """What one word adds: merits (深度, 新意) only where they are had or lacking, one character only as a predicate."""
    word, before = cut[i], cut[i - 1] if i else None
    after = cut[i + 1] if i + 1 < len(cut) else None
    value = words.valence(word.text)
    if word.text in words.lists["liking"] and any(_is_character(w, words) for w in cut[:i]):
        return 0  # 小青喜欢小白 tells the story and praises nothing
    if word.text in words.lists["merits"]:
        had = any(w.text in words.lists["having"] or words.negates(w.text) for w in cut[max(i - 3, 0) : i])
        return int(had)
    if not value or len(word.text) > 1:
        return value
    if word.text == "好" and after and (_judged(after, words) or after.tag[0] in "mqv"):
        return 0  # 好无聊, 好几个: a word of degree
    if before is None:
        return value if len(cut) == 1 else 0
    led = before.text in words.lists["degree"] | _LEADS or words.negates(before.text) or before.text in _REVERSES
    ends = after is None or after.text[0] in _CLOSES or after.tag in {"x", "y", "ul", "ud", "c"}
    return value if led or (ends and not before.tag.startswith(("d", "v"))) else 0
