"""What an item lists, and what of it something the user liked lists too."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import pytest

from rag_rationale.retrieval import Entry, Rarity, entries
from rag_rationale.retrieval.common import in_common
from rag_rationale.types import Evidence, Item, Passage, Side, Snapshot

EN = "Cuisines: Kebab, Basque. Timings: noon to 3pm. Chef: Ines Valtorta."
ZH = "导演：周以衡；主演：林沐之、陈与安；片长：118分钟；"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (EN, [("Cuisines", "Kebab"), ("Cuisines", "Basque"), ("Chef", "Ines Valtorta")]),  # when it opens is no reason
        (ZH, [("导演", "周以衡"), ("主演", "林沐之"), ("主演", "陈与安")]),
        ("Writers: J. K. Sorn, Odile Marsh.", [("Writers", "J. K. Sorn"), ("Writers", "Odile Marsh")]),
        ("A quiet place by the lake, with six rooms.", []),
    ],
)
def test_entries_stand_where_they_say(text: str, told: list[tuple[str, str]]) -> None:
    found = entries(text)
    assert [(entry.label, entry.value) for entry in found] == told
    for entry in found:
        assert text[entry.start :].startswith(entry.label)
        assert text[: entry.end].endswith(entry.value)
        assert entry.alone == (sum(other.label == entry.label for other in found) == 1)


def test_how_many_items_list_an_entry_is_counted_per_label() -> None:
    rarity = Rarity([], [Item(f"i{n}", "", f"类型：剧情{'、悬疑' if n < 2 else ''}") for n in range(10)])
    drama, mystery = entries("类型：剧情、悬疑")
    assert rarity.share(drama) > 0.9
    assert rarity.share(mystery) == pytest.approx(3 / 12)
    assert rarity.share(Entry("类型", "歌舞", 0, 1)) == pytest.approx(1 / 12)


class Met:
    """A snapshot of three items that the user met."""

    descriptions: ClassVar = {"liked": ZH, "loathed": ZH.replace("周", "吴"), "bought": "主演：陈与安、姜知白"}

    def item_texts(self, item_ids: list[str], field: str) -> dict[str, str]:
        assert field == "description"
        return {item_id: self.descriptions[item_id] for item_id in item_ids}


def met(item_id: str, event: str, rating: float | None) -> Evidence:
    passage = Passage(item_id, "review", item_id, "text", item_id, 0, 4, "好看。。", "zh", rating=rating)
    return Evidence(item_id, passage, "history", item_id, event=event, rating=rating)


@pytest.mark.parametrize(
    ("history", "told"),
    [
        ([met("liked", "review", 5)], ["林沐之", "陈与安"]),
        ([met("loathed", "review", 2)], []),
        ([met("liked", "review", 5), met("liked", "review", 2)], []),  # of two minds
        ([met("liked", "review", None)], []),  # words without stars may be a complaint
        ([met("bought", "purchase", None)], ["陈与安"]),
        ([met("bought", "purchase", None), met("bought", "rating", 1)], []),
    ],
)
def test_only_what_was_liked_is_held_beside_it(history: list[Evidence], told: list[str]) -> None:
    text = "主演：林沐之、陈与安、何晚晴"
    side: Side = "item"
    fact = Evidence("f", Passage("f", "item", "t", "description", "t", 0, len(text), text, "zh"), side, "Target")
    found = in_common(history, [fact], cast(Snapshot, cast(Any, Met())))
    assert [common.entry.value for common in found] == told
