"""What could be said of anything is known for it, in both languages."""

from __future__ import annotations

import pytest

from rag_rationale.language.platitudes import is_platitude
from rag_rationale.types import Language


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Highly recommended, will buy it again!"),
        ("en", "Very happy with this product."),
        ("zh", "东西很好，值得购买"),
        ("zh", "全家人都说好，下次还会回购"),
        ("zh", "推荐大家购买！"),
    ],
)
def test_praise_of_anything_is_one(language: Language, text: str) -> None:
    assert is_platitude(text, language)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The zip is great"),
        ("en", "Dried overnight"),
        ("zh", "拉链很好"),
        ("zh", "挂一夜就干了"),
        ("zh", "不错的粥"),
    ],
)
def test_praise_of_something_is_none(language: Language, text: str) -> None:
    assert not is_platitude(text, language)
