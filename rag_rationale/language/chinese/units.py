"""Cuts Chinese text into sentences, and sentences into units: what stands between commas, spaces and conjunctions.

A unit is what could be reported alone, its connectives in front and its particles behind left out. Whether it says
anything is for `clauses` to tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rag_rationale.language.chinese.words import Word, Words

ODD = re.compile(
    r"[^\w\s，。！？；：、“”‘’《》（）()·,.!?;:%％¥￥℃/+&'\"~～…—-]|[_]|(.)\1{2,}|http|[\u3040-\u30ff\uac00-\ud7af]"
)
HAN = re.compile(r"[\u3400-\u9fff]")
SENTENCE = re.compile(r"[^。！？!?；;…\n~～]+(?:[。！？!?；;…~～]+[”’」』）)]*)?")
_PART_END = r"，,。！？!?；;…\n~～：:\s\u2600-\u27bf\U0001f000-\U0001faff"
_PART = re.compile(rf"[^{_PART_END}]+(?:(?<![\u3400-\u9fff]) +(?=[A-Za-z\d])[^{_PART_END}]+)*")
_ASKS = re.compile(r"[？?]")
_OPINION = re.compile(
    r"(?:(?:我|我们|本人)?(?:个人|自己)?(?:真的|还是|一直|始终|总|就|也|都|最|很|看完|看了|用完|用了|住完)?"
    r"(?:都|还是)?(?:觉得|感觉|认为|感到|发现|承认|必须说|想说|只能说|敢说)(?:了|到)?(?!不出|不到))"
)
_BACK = re.compile(  # 网页上一个字没提: what was not, stands before
    r"(?<!得)[没未不](?:有)?(?:提|说|写|讲|标|提到|提过|说过|说明|通知|告知|提醒|解释|标注|注明)$"
)
_ANNOUNCES = re.compile(  # 漏洞列一下, 支持一下: what the words do, they do not tell
    r"(?:[列说讲谈聊提评顶]|总结|吐槽|分享|盘点|补充|记录|支持|推荐|安利|鼓励)(?:一下|[几两][点句])[！!~～]*$|"
    r"(?:会|都|均|已)(?:标注|注明|标明|写明|说明|告知)$"  # 订房页会标注: what, stands before
)
_VERY = frozenset(("很", "非常", "挺", "十分", "特别", "相当", "比较"))
_JUDGES = ("a", "z", "i", "l")
_NO_QUOTE = re.compile(
    r"\d{4}[.年/-]\d+[.月/-]\d|码住|打卡|点赞|加油|大卖|祝(?!福)|期待第|[这那](?:样的|种)|  |罢了|喜欢.{2,6}喜欢|"
    r"！！|top [^，。]|^包括|^是[，,]|有机会一定|麻烦你|为了[^，]{1,6}看的|"
    r"求(?:更|你|别|求|第)|致敬|不多说|什么玩意|^[半一二三四五][颗个]?星"
)
_BREATHLESS = re.compile(
    r"没有[^，。]{2,4}没有|[^\W\d]{22}|了(?:还有|但是|可是|而且|不过|所以|就是|因为)|"  # 越来越像了还有吻戏
    r"(?<![酒网贴])吧(?!台)[\u4e00-\u9fff]|[啊呀哦嘛哇](?![\u4e00-\u9fff]?[啊呀哦嘛哇])[\u4e00-\u9fff]|"
    r"[\u4e00-\u9fff] [\u4e00-\u9fff]|太[^，的\s]{1,4}了(?![吧点些])[\u4e00-\u9fff]{2}"
)
_WRONG_DE = re.compile(  # whatever jieba takes the verb for, as in 肖/战演/的/非常/好
    r"[演拍写唱做讲画剪配打跑玩吃笑哭处理吹]的(?:有点|很|非常|特别|太|超|挺|相当|十分|真|比较|蛮|更|不)[^，。！、的了]{1,3}(?=$|[，。！了呀啊呢])|"
    r"[演拍写唱做说讲画剪]的(?:层层|淋漓|恰到|出神|入木|惟妙|活灵|有声有色|一塌糊涂|乱七八糟)|"
    r"做到(?:比较|很|非常|最)好|(?<=[后面期尾情设量来])跨了|正确(?:的)?打开方式|好习惯飚|"
    r"很好(?:烘托|衬托|塑造|刻画|演绎|诠释|表达|表现|展现|体现|传达|还原|结合|解决)了|"
    r"[演拍写唱做讲]的好(?=$|[，。！了])|"
    r"(?:交代|刻画|塑造|表现|发挥|拿捏|把握|还原|演绎|诠释)的(?:很|非常|太|比较|特别|十分)[^，。！、的了]{1,3}(?=$|[，。！了呀啊呢])|"
    r"尴都|辣么|可以来说|出乎意料的(?:好|精彩|不错)|太[^，。的]{1,3}地(?=$|[，。！])|[那这]个[线片剧]|意外的[^，。]{0,8}(?:没|不)|牛批|"
    r"(?<!还算)(?<!勉强)差强人意|的样子(?=演员|演技|剧情|画面)|了很多[^，。]{1,4}的(?=$|[，。])|"
    r"(?:颜值|演技|剧情|服化道|画面|特效|配乐|台词|摄影|服装|道具|造型|节奏|演员|导演|编剧){3}"  # 颜值演技服化道爆表
)
_WHOSE = re.compile(  # what somebody is, has or does, and nobody is named: 天赋太好了, 离了配音就没有演技了
    r"^(?:天赋|身材|长相|长得|穿[着旗]|离[了开]|表情|眼神|不?打算|取而代之|[^，]{0,4}(?<!既)又能|"
    r"从[^，]{1,12}(?:来说|来讲|而言|[度面点]上)(?:确实|真的|的确|并|也|都|还)*[不很比])"
)
_TURNS = re.compile(r"[，, ](?:但|不过|可惜|只是|可是|然而|却|就是(?!说|因))")
_PARTICLES = frozenset("啊呀吧呢嘛哦哈啦哟呐嘞咯")
_MORE = re.compile(r"越(?!来越|剧|南|狱|野)")  # 剧情越好 waits for a second 越
_AFTER = re.compile(
    r"(?:之后|以后|之前|时候|的话|来说|来讲|而言|方面|同时|以来|期间|来看|时|后|前|期|(?:小时|分钟|天|年|月|夜)[里中内])$"
)


class Unit(NamedTuple):
    """Words of one unit. `gap` is what stands between it and the unit before; `sentence` counts within the text."""

    words: tuple[Word, ...]
    gap: str
    sentence: int
    bound: bool
    """Whether it hangs on a unit before it, as what follows a condition does."""

    @property
    def start(self) -> int:
        return self.words[0].start

    @property
    def end(self) -> int:
        return self.words[-1].end


def units(text: str, words: Words) -> Iterator[Unit]:
    """Units in text order; those that cannot stand in reported speech are left out."""
    asked = False
    for number, sentence in enumerate(SENTENCE.finditer(text)):
        if asks := _ASKS.search(sentence[0]) is not None:
            asked = True
            continue
        end, bound = sentence.start(), asked  # what answers a question speaks of what was asked
        asked = asks
        for part in _parts(text, sentence.start(), sentence.end(), words):
            kept = trimmed(part, words)
            conditional = kept is None or text[: part[-1].end].endswith("的话")
            raw = text[kept[0].start : kept[-1].end] if kept else ""
            if kept and stands(kept, raw, words):
                yield Unit(tuple(kept), text[end : kept[0].start], number, bound)
                end = kept[-1].end
            bound = conditional or _BACK.search(raw) is not None or _leads(kept or [], raw)


def _parts(text: str, start: int, end: int, words: Words) -> Iterator[list[Word]]:
    """Words between marks and spaces, cut again before a conjunction in their midst (剧情不错但是结局草率)."""
    for match in _PART.finditer(text, start, end):
        part: list[Word] = []
        own = words.at(text, match.start(), match.end())
        for i, word in enumerate(own):
            if part and _begins_anew(own, i, words):
                yield part
                part = []
            turns = word.text == "就是" and part and part[-1].text in {"的", "了"}  # 做工挺好的就是有点重
            if len(part) > 1 and (turns or word.text in words.lists["conjunctions"]):
                yield part
                part = []
            part.append(word)
        if part:
            yield part


def _begins_anew(own: Sequence[Word], i: int, words: Words) -> bool:
    """Whether a noun begins the next sentence without a mark: 剧情紧凑画面精美, 瑕不掩瑜视效不错."""
    word, before = own[i], own[i - 1]
    if (
        word.text.startswith(("值得", "适合"))
        and i > 1
        and before.tag.startswith(_JUDGES)
        and words.valence(before.text)
    ):
        return True  # 真的很不错值得一看
    if (
        not word.nominal
        or len(word.text) < 2
        or word.text in words.lists["grades"]
        or not before.tag.startswith(_JUDGES)
    ):
        return False
    if i == 1 and len(before.text) == 4 and before.tag[0] in "zil":  # 简简单单节奏很好
        return _judged_next(own, i, words)
    said = len(before.text) > 1 or own[i - 2].text in words.lists["degree"]
    if (
        not said
        or before.nominal
        or not any(w.nominal for w in own[: i - 1])
        or own[i - 2].text in {"的", "、", "和", "又"}
    ):
        return False
    return _judged_next(own, i, words)


def _judged_next(own: Sequence[Word], i: int, words: Words) -> bool:
    behind = list(own[i + 1 : i + 4])
    while len(behind) > 1 and (behind[0].tag in {"d", "zg"} or behind[0].text in words.lists["degree"]):
        behind = behind[1:]
    return bool(behind) and behind[0].tag.startswith(_JUDGES) and (len(behind) < 2 or behind[1].text != "的")


def trimmed(part: list[Word], words: Words) -> list[Word] | None:
    """The words without connectives and "I think" in front and particles behind; None where a condition opens them."""
    part = list(part)
    while part:
        if part[0].text in words.lists["conditional"]:
            return None
        if part[0].text == "最后" and len(part) > 1 and part[1].tag.startswith("m"):
            break  # 最后一课
        opinion = _OPINION.match("".join(w.text for w in part))
        if part[0].text in words.lists["leading"] or part[0].text.isspace() or part[0].tag == "x":
            led = part.pop(0)
            if part and part[0].text == "是" and led.text in words.lists["before_is"]:
                part.pop(0)
        elif part[0].text in {"我", "本人"} and _likes(part[1:4], words):
            part.pop(0)
        elif opinion and (cut := _first_from(part, opinion.end())):
            part = part[cut:]
        else:
            break
    while part and part[-1].text != "了" and (part[-1].tag in {"y", "e", "o"} or _is_particle(part[-1])):
        part.pop()
    if len(part) > 3 and part[-1].text == "了" and part[-2].tag[0] == "a" and part[-3].text in _VERY:
        part.pop()  # 演技很自然了
    return _without_final_de(part, words)


def _likes(ahead: list[Word], words: Words) -> bool:
    """Whether what follows 我 is a liking, which may be told of somebody without the 我."""
    verb = next((i for i, w in enumerate(ahead) if w.text in words.lists["liking"] | words.lists["dislike"]), None)
    return verb is not None and all(w.tag == "d" or w.text in words.lists["degree"] for w in ahead[:verb])


def _is_particle(word: Word) -> bool:
    return word.text in _PARTICLES or (word.tag == "x" and not any(c.isalnum() for c in word.text))


def _first_from(part: list[Word], length: int) -> int | None:
    """Index of the word that begins `length` characters into the part; None where none does."""
    at = 0
    for i, word in enumerate(part):
        if at == length:
            return i
        at += len(word.text)
    return None


def _without_final_de(part: list[Word], words: Words) -> list[Word]:
    """挺好看的 without its 的, 是挺好看的 without 是 too; 是凉的 keeps both."""
    if not part or part[-1].text != "的":
        return part
    is_ = next((i for i, w in enumerate(part) if w.text == "是"), None)
    degree = next((i for i, w in enumerate(part) if w.text in words.lists["degree"]), None)
    if is_ is not None:
        return [*part[:is_], *part[is_ + 1 : -1]] if is_ + 1 == degree else part
    if any(w.text in {"还是", "真是", "就是", "也是", "都是"} for w in part[:-1]):
        return part  # 还是很漂亮的 keeps its 的
    judged = len(part) > 1 and (part[-2].tag.startswith(("a", "z", "i", "l")) or words.valence(part[-2].text))
    lacks = len(part) > 2 and words.negates(part[-3].text) and part[-3].tag == "v"  # 没有碎的
    return part[:-1] if degree is not None or (judged and not lacks) else part


def stands(part: list[Word], raw: str, words: Words) -> bool:
    """Whether the words can stand in reported speech at all: nobody speaks, nothing is asked or points elsewhere."""
    lists, last = words.lists, part[-1]
    dangling = last.text == "的" and all(w.text[-1] != "是" for w in part)
    return not (
        (len(part) < 2 and len(last.text) < 4)
        or ODD.search(raw)
        or not balanced(raw)
        or set(raw) & set('“”"‘’')
        or len(HAN.findall(raw)) * 2 < len(raw.replace(" ", ""))
        or raw.count("、") > 4
        or part[0].text in lists["subordinate"] | lists["hanging"]
        or any(w.text in {"虽然", "虽", "尽管", "即使", "哪怕"} for w in part)
        or part[0].tag in {"uj", "ul", "uv", "ud", "uz", "ug", "y", "k"}
        or (last.text in lists["trailing_bad"] and last.text != "的")
        or dangling
        or last.tag in {"p", "c", "u", "r", "q"}
        or last.text[-1] in "吧吗呢哈么"
        or _AFTER.search(raw)
        or _BACK.search(raw)
        or _WHOSE.search(raw)
        or announces(raw)
        or misspells(part, words)
        or (last.text == "好" and len(part) > 1 and part[-2].tag[0] in "az")  # 好酷好, cut off
        or len(_MORE.findall(raw)) == 1
        or set(raw) & set("我咱俺你您")
        or words.has(part, "first_person")
        or words.has(part, "second_person")
        or words.has(part, "profane")
        or _asks(part, words)
        or _points(part, words)
        or _reports(part, words)
    )


def misspells(part: Sequence[Word], words: Words) -> bool:
    """Whether 的 stands for 得 or 地, which a careful writer does not mix up: 演的很好, 单纯的看了一遍."""
    if _WRONG_DE.search("".join(w.text for w in part)):
        return True
    for i, (verb, de, after) in enumerate(zip(part, part[1:], part[2:], strict=False)):
        done = i + 3 < len(part) and part[i + 3].text in {"了", "着", "过", "完", "到", "一"}
        if de.text == "的" and verb.tag in {"a", "ad", "z"} and len(verb.text) > 1 and after.tag == "v" and done:
            return True
        if after.text in {"都", "也", "还"} and i + 3 < len(part):
            after = part[i + 3]  # 演的都很好
        acts = verb.tag == "v" or (verb.tag == "vn" and after.text in words.lists["degree"])
        said = de.text == "的" and acts and verb.text not in {"是", "有", "喜欢", "爱", "让", "使"}
        judged = after.text in words.lists["degree"] or after.tag[0] in "azil" or words.negates(after.text)
        if said and (judged or words.valence(after.text)) and not any(w.nominal for w in part[i + 3 :]):
            return not (after.nominal and i + 3 == len(part))
    return False


def _leads(part: list[Word], raw: str) -> bool:
    """Whether the words name who acts and only when or where, so that what follows tells of them: 船长在七天里."""
    return _AFTER.search(raw) is not None and part[0].nominal and any(w.tag == "p" for w in part[1:4])


def announces(raw: str) -> bool:
    """Whether the words only announce what others are to tell, or cheer: 逻辑漏洞列一下, 说几点, 支持一下."""
    return _ANNOUNCES.search(raw) is not None


def quotable(raw: str) -> bool:
    """Whether a sentence is worth quoting: it tells of the thing, not of its writer's day, nor cheers, nor asks, and
    has its commas."""
    return not (_NO_QUOTE.search(raw) or _BREATHLESS.search(raw) or _WHOSE.search(raw))


def divided(raw: str) -> bool:
    """Whether a sentence takes back a part of what it says: 很好看，只是我不爱看."""
    return _TURNS.search(raw) is not None


def _asks(part: list[Word], words: Words) -> bool:
    """A word of question, but for 没什么, 不怎么, 什么都 and 几个."""
    for i, word in enumerate(part):
        before, after = part[i - 1].text if i else "", part[i + 1].text if i + 1 < len(part) else ""
        if word.text in words.lists["question"] and not (before in {"没", "没有", "不"} or after in {"都", "也"}):
            return True
    return False


def _points(part: list[Word], words: Words) -> bool:
    """Whether a word points outside the unit (他, 这种); 这部剧 is the item, 片尾那几张图 points back."""
    for i, word in enumerate(part):
        if word.text not in words.lists["anaphora"] and word.tag != "r":
            continue
        before, after = part[i - 1] if i else None, part[i + 1] if i + 1 < len(part) else None
        item = word.text in words.lists["this_item"] or (
            word.text in {"这", "该", "本", "整"} and after is not None and _names_item(i, after, words)
        )
        back = before is not None and before.tag[0] in "nfs" and word.text[0] in "这那各每"
        faint = word.text in {"那么", "这么"} and words.has(part[:i], "denials")
        if not (item or back or faint or word.text in words.lists["harmless_pronouns"]):
            return True
    return False


def _names_item(i: int, after: Word, words: Words) -> bool:
    measures = words.lists["item_measures"]
    return after.text in measures or after.text[0] in measures or (i == 0 and after.text == "是")


def _reports(part: list[Word], words: Words) -> bool:
    """Whether the unit reports what somebody thinks; 给人的感觉 is a noun, 推荐 with an object a liking."""
    likes = part[0].text in words.lists["degree"] | {"推荐"} and part[-1].text != "推荐"
    return any(
        w.text in words.lists["reports"] and not (i and part[i - 1].text == "的") and not (likes and w.text == "推荐")
        for i, w in enumerate(part)
    )


def balanced(text: str) -> bool:
    """Whether quotation marks and brackets come in pairs."""
    return (
        all(text.count(a) == text.count(b) for a, b in ("“”", "《》", "（）", "()", "‘’")) and text.count('"') % 2 == 0
    )
