"""Sources and masks: personal data goes, everything else stays where it is."""

from __future__ import annotations

import pytest

from rag_rationale.corpus import MASK, item_sources, mask_personal, masked_item, masked_review, review_sources
from rag_rationale.types import Item, Review


@pytest.mark.parametrize(
    "personal",
    [
        "jo.smith+x@mail.example.com", "JO@EXAMPLE.CO.UK", "jo＠example．com", "jo (at) example (dot) org",
        "zhang_3@example.cn", "+44 20 7946 0958", "+1 (555) 010-9999", "0044 7700 900123", "+86 138 0013 8000",
        "13800138000", "138-0013-8000", "１３８００１３８０００", "1 3 8 0 0 1 3 8 0 0 0", "010-12345678",
        "(0571)87654321", "0755 8765 4321", "400-820-8820", "555-010-9999", "(555) 010-9999", "9876543210",
        "+91-98765 43210", "07700 900123", "020 7946 0958",
    ],
)  # fmt: skip
@pytest.mark.parametrize("frame", ["{}", "Reach me: {}, thanks.", "联系{}。", "({})", "{}!", "我的{}号"])
def test_personal_data_is_masked_to_its_length(personal: str, frame: str) -> None:
    text = frame.format(personal)
    masked, count = mask_personal(text)
    assert masked == frame.format(MASK * len(personal))
    assert count == 1


@pytest.mark.parametrize(
    ("cue", "number"), [("call ", "040 1234567"), ("Ring ", "555-0142"), ("电话：", "87654321"), ("联系 ", "8765-4321")]
)
def test_a_short_number_is_a_phone_only_behind_a_word_that_says_so(cue: str, number: str) -> None:
    assert mask_personal(f"{cue}{number} now") == (f"{cue}{MASK * len(number)} now", 1)
    if not number.startswith("0"):
        assert mask_personal(f"about {number}") == (f"about {number}", 0)


@pytest.mark.parametrize(
    "text",
    [
        "Timings: 12noon to 3:30pm, 12noon-3:30pm, 18:30-23:30", "2019-09-06", "2019.09.06 in 1999", "20190906",
        "Rs 800-1000 for two, 1,299.00 or 12999", "¥1299.00，原价1599元", "4.5/5, 10/10, 3.5 stars",
        "B00138001380 and SKU-13800138000", "order no. 13800138000", "订单号：13800138000", "ISBN 9787111122334",
        "item 9876543210", "1558799640", "5 000 000 views", "Intel i7-13700K, 1920x1080", "pi is 3.14159265358979",
        "friendly@sandip.music was good", "@foodie_hyd", "a 100-200-300 split", "1 2 3 4 5 6 7 8 9 10",
        "上映日期：2019-09-06；片长：118分钟；豆瓣评分：7.1", "1234567890123456789", "192.168.100.200",
        "2024-2025-2026",
    ],
)  # fmt: skip
def test_prices_years_hours_and_ids_are_no_phone_numbers(text: str) -> None:
    assert mask_personal(text) == (text, 0)


def test_masks_keep_the_offsets_of_everything_else() -> None:
    text = "😀 Write to a@b.io or 13800138000 😀 until 2019-09-06"
    masked, count = mask_personal(text)
    assert count == 2
    assert len(masked) == len(text)
    assert all(new in (MASK, old) for old, new in zip(text, masked, strict=True))
    assert masked[-16:] == text[-16:]


def test_an_item_has_a_source_for_each_field_that_is_not_blank() -> None:
    item = Item("i1", "Lamp", description=" ", features=("5 W", "", "USB"))
    assert [(s.field, s.text) for s in item_sources(item)] == [
        ("title", "Lamp"), ("features.0", "5 W"), ("features.2", "USB"),
    ]  # fmt: skip
    assert {(s.kind, s.source_id, s.item_id) for s in item_sources(item)} == {("item", "i1", "i1")}


def test_a_review_speaks_of_its_item() -> None:
    review = Review("r1", "i1", title="Good", text="Bright.")
    assert [(s.kind, s.source_id, s.field, s.item_id) for s in review_sources(review)] == [
        ("review", "r1", "title", "i1"), ("review", "r1", "text", "i1"),
    ]  # fmt: skip


def test_every_citable_field_is_masked_and_no_other() -> None:
    item = Item("13800138000", "a@b.io", "c@d.io", features=("e@f.io",), attributes={"mail": "g@h.io"})
    masked, count = masked_item(item)
    assert count == 3
    assert (masked.item_id, masked.title, masked.features) == ("13800138000", MASK * 6, (MASK * 6,))
    review, count = masked_review(Review("r1", "i1", title="a@b.io", text="13800138000"))
    assert (review.title, review.text, count) == (MASK * 6, MASK * 11, 2)
