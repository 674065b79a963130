"""Words for counting, in both languages."""

from __future__ import annotations

import jieba

from rag_rationale.language.tokens import proper, tokens
from rag_rationale.language.words import words


def test_words_are_lower_case_singular_and_in_order() -> None:
    assert words("The Lamps didn't glass over: 3,5 kg, no bus!") == [
        "the", "lamp", "didn't", "glass", "over", "3,5", "kg", "no", "bus",
    ]  # fmt: skip


def test_chinese_is_cut_into_words_and_mixes_with_latin() -> None:
    assert words("这台相机的续航很好，HDR 也不错。")[:6] == ["这台", "相机", "的", "续航", "很", "好"]
    assert words("拍 HDR 照片") == ["拍", "hdr", "照片"]
    assert words("……！") == []


def test_what_a_judge_reads_teaches_the_analysers_dictionary_nothing() -> None:
    jieba.initialize()
    before = dict(jieba.dt.FREQ)
    assert [t.text for t in tokens("想要不太甜的蛋糕", "zh")][:2] == ["想要", "不"]
    proper("孙俪")
    assert before == jieba.dt.FREQ
