"""Sentence bounds and language detection: known answers, and properties over random texts."""

from __future__ import annotations

import random
import time

import pytest

from rag_rationale.language.detect import detect_language
from rag_rationale.language.sentences import LONGEST, split_sentences
from rag_rationale.types import LANGUAGES, Language


def _split(text: str, lang: Language) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text, lang)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Great food. Slow service.", ["Great food.", "Slow service."]),
        ("Mr. Lee paid 2.5 dollars. Fine.", ["Mr. Lee paid 2.5 dollars.", "Fine."]),
        ("Room No. 3 was ok. Was it? No. We left.", ["Room No. 3 was ok.", "Was it?", "No.", "We left."]),
        ("The U.S. team won. He left the U.S. We stayed.", ["The U.S. team won.", "He left the U.S.", "We stayed."]),
        ("Soups, e.g. Tom Yum, i.e. hot ones. Ok.", ["Soups, e.g. Tom Yum, i.e. hot ones.", "Ok."]),
        ("Rice etc. were cold. Rice, naan etc. We left.", ["Rice etc. were cold.", "Rice, naan etc.", "We left."]),
        ("Approx. 500 m from St. Mary. J. Smith came.", ["Approx. 500 m from St. Mary.", "J. Smith came."]),
        ("Well... it was fine. Then... Nothing.", ["Well... it was fine.", "Then...", "Nothing."]),
        ("Loved it...........!!! Again", ["Loved it...........!!!", "Again"]),
        ("good food.Service was bad", ["good food.", "Service was bad"]),
        ("See foo.com or Node.js v2.0 today", ["See foo.com or Node.js v2.0 today"]),
        ('He said "Wow!" Then (it was late.) We left.', ['He said "Wow!"', "Then (it was late.)", "We left."]),
        ("Great! 😍😍 Loved it 👍🏽 Bye", ["Great! 😍😍", "Loved it 👍🏽", "Bye"]),
        ("1. Food\n2. Service is good.\r\n- Price", ["1. Food", "2. Service is good.", "- Price"]),
        ("!!! Nice. (?) odd", ["!!! Nice.", "(?) odd"]),
        ("Open until 11 p.m. Great place.", ["Open until 11 p.m.", "Great place."]),
        (" \n\t ", []),
    ],
)  # fmt: skip
def test_english_sentences_end_where_a_reader_ends_them(text: str, expected: list[str]) -> None:
    assert _split(text, "en") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("很好看！演员也好；剧情……真的不错。", ["很好看！", "演员也好；", "剧情……", "真的不错。"]),
        ("他说：“好。”我走了。", ["他说：“好。”", "我走了。"]),
        ("评分7.5分,不错.很好看", ["评分7.5分,不错.", "很好看"]),
        ("由Mr. Bean主演。好", ["由Mr. Bean主演。", "好"]),
        ("电影很好看我很喜欢 演员也非常好看 剧情不错", ["电影很好看我很喜欢", "演员也非常好看", "剧情不错"]),
        ("这 部 电影 真的 很 好看", ["这 部 电影 真的 很 好看"]),
        ("看了iPhone 15 Pro的介绍 还行", ["看了iPhone 15 Pro的介绍 还行"]),
        ("好看!!!推荐😍下次再看", ["好看!!!", "推荐😍", "下次再看"]),
        ("编剧：彼得、J. R. R. 托尔金；好看.推荐", ["编剧：彼得、J. R. R. 托尔金；", "好看.", "推荐"]),
        ("第一行\n第二行", ["第一行", "第二行"]),
        ("他说……，然后走了", ["他说……，然后走了"]),
    ],
)
def test_chinese_sentences_end_where_a_reader_ends_them(text: str, expected: list[str]) -> None:
    assert _split(text, "zh") == expected


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_character_but_space_lies_in_exactly_one_sentence(lang: Language) -> None:
    chance = random.Random(7)
    alphabet = "abIT好看的。！；，.…!?,;:\"'”」)（( \n\t\u3000 0123😍👍🏽\u200d\ufe0f•-éü"
    for _ in range(3000):
        text = "".join(chance.choices(alphabet, k=chance.randint(0, 60))) * chance.choice((1, 1, 1, 9))
        covered = [0] * len(text)
        last = 0
        for start, end in split_sentences(text, lang):
            assert last <= start < end
            assert text[start:end] == text[start:end].strip()
            assert end - start <= LONGEST[lang]
            covered[start:end] = [1] * (end - start)
            last = end
        missed = [char for char, hit in zip(text, covered, strict=True) if not hit]
        assert not "".join(missed).strip()


def test_a_long_sentence_is_cut_at_its_last_comma_else_at_a_space() -> None:
    clause = "and then we waited for the bill which never came"
    pieces = _split(", ".join([clause] * 20), "en")
    assert all(piece.startswith("and then") and piece.rstrip(",").endswith("came") for piece in pieces)
    assert _split("word " * 100, "en")[0] == ("word " * 60).strip()
    assert [len(piece) for piece in _split("好" * 400, "zh")] == [150, 150, 100]


def test_a_cut_never_parts_a_character_from_its_marks() -> None:
    pieces = _split("a" + "👍🏽" * 400, "en")
    assert len(pieces) > 1
    assert all(piece[0] in "a👍" for piece in pieces)


@pytest.mark.parametrize(
    "pattern", ["a.b.", "a. ", "...", "字 ", "x", "😍", "(?) ", "很好看的电影 ", "e.g. ", "好。", '"']
)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_splitting_takes_time_in_proportion_to_the_text(pattern: str, lang: Language) -> None:
    def seconds(characters: int) -> float:
        text, best = pattern * (characters // len(pattern)), 9.0
        for _ in range(3):
            begun = time.process_time()
            split_sentences(text, lang)
            best = min(best, time.process_time() - begun)
        return best

    assert seconds(80_000) < 8 * seconds(20_000) + 0.1  # quadratic work would take 16 times as long


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The soup was hot.", "en"),
        ("汤很烫。", "zh"),
        ("公民凯恩 Citizen Kane", "zh"),
        ("The 花椒 noodles were very good and hot", "en"),
        ("这台 MacBook Pro 很好用", "zh"),
        ("123 !!!", "zh"),
        ("", "zh"),
        ("Привет", "zh"),
    ],
)
def test_language_is_the_script_most_of_the_text_is_in(text: str, expected: Language) -> None:
    assert detect_language(text, default="zh") == expected


def test_language_of_no_letters_is_the_default() -> None:
    assert detect_language("42", default="en") == "en"
    assert detect_language("42", default="zh") == "zh"
