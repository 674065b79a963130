"""Instrument 8 against numbers worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from evaluated import shop_material

from rag_rationale.evaluation.references import CONSTANT, bleu, measure_references, rouge


def test_rouge_is_that_worked_out_by_hand() -> None:
    found = rouge(prediction="The cat sat there.", reference="the cat ate a fish")
    # two words of four, and of five: F1 = 2 * (2/4 * 2/5) / (2/4 + 2/5)
    assert found == {"rouge_1": pytest.approx(4 / 9), "rouge_l": pytest.approx(4 / 9)}
    assert rouge(prediction="sat cat the", reference="the cat sat")["rouge_l"] == pytest.approx(1 / 3)


def test_rouge_counts_han_characters() -> None:
    assert rouge(prediction="汤很好喝。", reference="汤真好喝")["rouge_1"] == pytest.approx(3 / 4)


def test_bleu_is_that_worked_out_by_hand_and_swapping_changes_it() -> None:
    short, long = "the soup was hot", "the soup was hot and the bread was very fresh"
    assert bleu(prediction=short, reference=long, language="en") == pytest.approx(math.exp(1 - 10 / 4))
    # of ten words four are found (the second "the" and "was" are not), of nine pairs three, of eight triples two, ...
    backwards = (4 / 10 * 3 / 9 * 2 / 8 * 1 / 7) ** 0.25
    assert bleu(prediction=long, reference=short, language="en") == pytest.approx(backwards)
    assert bleu(prediction="汤很鲜", reference="汤很鲜", language="zh") == pytest.approx(1)


def test_prediction_and_reference_must_be_named() -> None:
    with pytest.raises(TypeError):
        rouge("a", "b")  # type: ignore[misc]
    with pytest.raises(TypeError):
        bleu("a", "b", language="en")  # type: ignore[misc]


def test_a_text_that_is_the_review_beats_every_control_and_one_that_is_the_constant_equals_it(tmp_path: Path) -> None:
    material = shop_material(tmp_path)

    def saying(texts: list[str]) -> dict[str, float]:
        replies = tuple(
            r.model_copy(update={"rationale": text}) for r, text in zip(material.replies, texts, strict=True)
        )
        measures = measure_references(replace(material, replies=replies)).measures
        return {m.name: m.value for m in measures}

    oracle = saying([s.text for s in material.subjects])
    assert oracle["references.rouge_1"] == pytest.approx(1)
    assert all(oracle[f"references.rouge_1.{c}"] < 0.6 for c in ("shuffled", "constant", "description"))
    constant = saying([CONSTANT["en"]] * 3)
    for name in ("rouge_1", "rouge_l", "bleu"):
        assert constant[f"references.{name}"] == constant[f"references.{name}.constant"]
        assert constant[f"references.{name}"] == constant[f"references.{name}.shuffled"]
