"""Chinese words with their parts of speech: jieba's, mended where it errs on reviews.

It knows single words and the lists of data/zh.yaml, no clauses.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from rag_rationale.language.lexicon import lexicon

_PLAYS = tuple("演饰唱拍导写配")  # what jieba takes for the last character of a name: 孙俪演
_GLUED = frozenset("太很超挺蛮好")  # words of degree that jieba glues to an adjective it does not know: 太拉, 好帅
_NO_NEGATION = frozenset({"不得不", "要不", "可不", "无不", "莫不", "岂不", "差不", "好不", "对不"})


class Word(NamedTuple):
    """A word with its part of speech (jieba's tags) and its offsets in the text."""

    text: str
    tag: str
    start: int
    end: int

    @property
    def nominal(self) -> bool:
        """Whether it can be a noun."""
        return self.tag.startswith(("n", "vn", "an", "j", "eng", "s"))


class Words:
    """Cuts texts into words, and knows what each is by the word lists. Safe to share between threads."""

    def __init__(self) -> None:
        import jieba
        import jieba.posseg

        jieba.setLogLevel(logging.WARNING)
        jieba.initialize()
        self.lists = lists = lexicon("zh")
        self._tagger = jieba.posseg.dt
        self._known = jieba.dt.FREQ
        for word in sorted(lists["positive"] | lists["negative"]):
            if (len(word) > 3 or (len(word) > 1 and word[0] not in "不没无")) and word not in self._known:
                jieba.add_word(word, tag="a")
        for noun in sorted(lists["nouns"]):
            jieba.add_word(noun, tag="n")
        self._lock = threading.Lock()
        self.cut = lru_cache(maxsize=8192)(self._cut)

    def at(self, text: str, start: int, end: int) -> list[Word]:
        """The words of `text[start:end]`, with offsets into `text`."""
        return [Word(w.text, w.tag, w.start + start, w.end + start) for w in self.cut(text[start:end])]

    def valence(self, word: str) -> int:
        """1 for a word of praise, -1 for one of blame, 0 for any other; 清清楚楚 counts as 清楚."""
        if len(word) == 4 and word[0] == word[1] and word[2] == word[3]:
            word = word[0] + word[2]
        return (word in self.lists["positive"]) - (word in self.lists["negative"])

    def negates(self, word: str) -> bool:
        """Whether a word is a negation; jieba may join one to its neighbour (不闪不)."""
        return word in self.lists["negations"] or (word.endswith("不") and word not in _NO_NEGATION)

    def has(self, words: Iterable[Word], name: str) -> bool:
        """Whether any of the words stands in the list of that name."""
        return any(w.text in self.lists[name] for w in words)

    def is_word(self, text: str) -> bool:
        """Whether jieba's dictionary has the word, which it otherwise only guessed."""
        return bool(self._known.get(text))

    def _cut(self, text: str) -> tuple[Word, ...]:
        with self._lock:
            pairs = [(p.word, p.flag) for p in self._tagger.cut(text)]
        words: list[Word] = []
        at = 0
        for word, tag in (part for pair in pairs for part in self._parts(*pair)):
            words.append(Word(word, self._tag(words, word, tag), at, at + len(word)))
            at += len(word)
        return tuple(self._mended(words))

    def _mended(self, words: list[Word]) -> Iterator[Word]:
        """What jieba takes for a verb behind 的 is a noun (演员的表演), a judgement at the end is none (配乐动人)."""
        for i, word in enumerate(words):
            before, after = words[i - 1] if i else None, words[i + 1] if i + 1 < len(words) else None
            ends = after is None or after.tag in {"x", "y", "ul", "ud"} or after.text in {"多", "极", "得"}
            if before and before.text == "的" and word.tag == "v" and len(word.text) == 2:
                opens = after is None or after.tag[0] in "dvaz" or after.text in self.lists["degree"]
                yield word._replace(tag="vn") if opens or ends else word
            elif before and ends and word.tag[0] == "n" and before.tag[0] in "nvd" and self._judges(word.text):
                yield word._replace(tag="a")
            else:
                yield word

    def _judges(self, word: str) -> bool:
        return len(word) > 1 and self.valence(word) != 0 and word not in self.lists["valued_nouns"]

    def _parts(self, word: str, tag: str) -> Iterator[tuple[str, str]]:
        """A guessed word (not of the dictionary) taken apart: a word of degree and the rest, a name and its verb."""
        known = self.is_word(word)
        if word[0] in _GLUED and 1 < len(word) < 4 and (not known or self.valence(word[1:])):
            yield word[0], "d"
            yield word[1:], "a"
        elif not known and tag.startswith("nr") and len(word) > 2 and word.endswith(_PLAYS):
            yield word[:-1], tag
            yield word[-1], "v"
        else:
            yield word, tag

    def _tag(self, before: list[Word], word: str, tag: str) -> str:
        degree = bool(before) and before[-1].text in self.lists["degree"]
        if word in self.lists["degree"] and len(word) > 1:
            return "d"
        if word in self.lists["item_nouns"]:
            return "n"  # 诚意之作 praises, and is a noun for all that
        if self._judges(word) and word not in self.lists["merits"] and (degree or tag[0] not in "nid"):
            return "a"  # 很透气, 剧情拖沓: jieba knows one as a noun, the other not at all
        return tag
