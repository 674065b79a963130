"""What the judge finds where copied words are turned, and what it lets stand."""

from __future__ import annotations

import pytest

from rag_rationale.grounding import Judge
from rag_rationale.types import Claim, Language


def label(sentence: str, text: str, *, side: str = "review", rating: float = 4, language: Language = "en") -> str:
    source = {"label": 1, "side": side, "title": "Inn", "text": text, "rating": rating, "author": "a1"}
    body = {"language": language, "item": "Inn", "sentence": sentence, "evidence": [source]}
    return Judge().judge(Claim.model_validate(body)).label


@pytest.mark.parametrize(
    ("sentence", "text", "found"),
    [
        ("One reviewer says the food was fresh [1].", "Nice place, food was fresh, rice was not cooked.", "supported"),
        (
            "One reviewer says the food was not fresh [1].",
            "Nice place, food was fresh, rice was not fresh.",
            "unsupported",
        ),
        ("One reviewer says the rice was good [1].", "The rice was not good, the bed was.", "unsupported"),
        ("One reviewer says the rice was not good [1].", "The rice was not good, the bed was.", "supported"),
    ],
)
def test_a_denial_put_into_copied_words_is_found_wherever_else_one_stands(sentence: str, text: str, found: str) -> None:
    assert label(sentence, text) == found


@pytest.mark.parametrize(
    "sentence",
    [
        "Not all is praise: one reviewer says the food was too oily [1].",
        "One reviewer was not impressed: “the food was too oily” [1].",
    ],
)
def test_the_wording_of_a_caveat_is_no_praise_and_denies_nothing(sentence: str) -> None:
    assert label(sentence, "The food was too oily.", rating=2) == "supported"


@pytest.mark.parametrize(
    ("sentence", "language", "found"),
    [
        ("The description says that the cuisines include Thai [1].", "en", "supported"),
        ("The description says that the staff were warm and kind [1].", "en", "unsupported"),
        ("介绍里写着：菜系是泰国菜[1]。", "zh", "supported"),
        ("介绍里写着：菜系是演员演技不错[1]。", "zh", "unsupported"),
    ],
)
def test_what_a_list_does_not_list_is_not_in_it(sentence: str, language: Language, found: str) -> None:
    text = "Cuisines: Thai, Asian" if language == "en" else "菜系：泰国菜、中国菜；"
    assert label(sentence, text, side="item", language=language) == found


@pytest.mark.parametrize(
    ("sentence", "text", "found"),
    [
        ("有人说节奏不好[1]。", "简简单单节奏超级好。", "unsupported"),
        ("有人说节奏好[1]。", "简简单单节奏超级好。", "supported"),
        ("有人说这台还没卡过[1]。", "上一台每次都卡，这台还没卡过。", "supported"),
    ],
)
def test_a_denial_where_no_source_denies_anything_is_found(sentence: str, text: str, found: str) -> None:
    assert label(sentence, text, language="zh") == found
