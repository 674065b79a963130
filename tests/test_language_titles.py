"""Titles as people say them."""

from __future__ import annotations

import pytest

from rag_rationale.grounding import Judge
from rag_rationale.language.titles import short_title, spoken_titles
from rag_rationale.types import Claim

FIRE = 'All-New Fire HD 8 Tablet, 8" HD Display, Wi-Fi, 32 GB - Includes Special Offers,'


@pytest.mark.parametrize(
    ("title", "said"),
    [
        (FIRE, "All-New Fire HD 8 Tablet"),
        ("The Unbearable Lightness of Being", "The Unbearable Lightness of Being"),
        ("Night Ferry to Olmouth, and other tales", "Night Ferry to Olmouth, and other tales"),
        ("Kettle, 1.7 l, with a very long list of what else there may be in the box", "Kettle, 1.7 l"),
        ("A title of more than sixty characters in which there is not one single break", None),
        ("Special Offers,", "Special Offers"),
        ("三只松鼠坚果大礼包（夏威夷果、碧根果、开心果、腰果、榛子）1373克礼盒装", "三只松鼠坚果大礼包"),
        ("大人物", "大人物"),
        ("…", "…"),
    ],
)
def test_a_long_title_ends_at_its_first_break_behind_a_name(title: str, said: str | None) -> None:
    assert short_title(title) == (title if said is None else said)
    assert spoken_titles(title) == tuple(dict.fromkeys((title, short_title(title))))


def test_no_title_is_said_of_nothing() -> None:
    assert spoken_titles("") == ()


@pytest.mark.parametrize(("named", "label"), [("All-New Fire HD 8 Tablet", "supported"), ("Fire TV", "unsupported")])
def test_the_judge_takes_a_title_as_it_is_said(named: str, label: str) -> None:
    rated = {
        "label": 1,
        "side": "history",
        "title": FIRE,
        "text": "It works well.",
        "event": "review",
        "rating": 5,
        "author": "me",
    }
    body = {"language": "en", "item": "Kettle", "sentence": f"You gave {named} 5 stars [1].", "evidence": [rated]}
    assert Judge().judge(Claim.model_validate(body)).label == label
