"""What an item's own text admits is told as what to know beforehand, never as a merit; all texts are invented."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import planted
import pytest

from rag_rationale.building import build
from rag_rationale.config import Settings
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.generation import ScriptedEngine
from rag_rationale.language.drawbacks import admits, turned
from rag_rationale.service import Explainer
from rag_rationale.types import Analyser, Language, Rationale, RationaleRequest

Ask = Callable[..., Rationale]


@pytest.mark.parametrize(
    "text",
    [
        "The loft has no lift.",
        "The hut comes without any heating.",
        "There is no mobile signal in the gorge.",
        "Towels are not included.",
        "Helmets must be worn on the wall.",
        "A licence is required.",
        "The tap is sold separately.",
        "The cot costs extra.",
        "Boats run on Sundays only.",
        "The paste may contain sesame.",
        "The tower is reached by 90 steep steps.",
        "顶层没有电梯",
        "山谷里没有手机信号",
        "不含早餐",
        "宠物谢绝入内",
        "潜水需提前预约",
        "床单自备",
        "婴儿床每晚加收40元",
        "开封后三天内吃完",
        "大风天停航",
        "只借不卖",
        "鞋型偏窄",
    ],
)
def test_an_absence_a_restriction_and_a_cost_are_admitted(text: str) -> None:
    assert admits(text, "en" if text.isascii() else "zh")


@pytest.mark.parametrize(
    "text",
    [
        "It has no added sugar.",
        "There is no narrator.",
        "No tools are needed.",
        "The bread is made without palm oil.",
        "No deposit is taken.",
        "Groups have at most eight people.",
        "It contains no nuts.",
        "A must for knitters.",
        "The only bakery on the island opens at six.",
        "The kiln handles wet clay.",
        "全片没有旁白",
        "不加糖",
        "无片头广告",
        "免押金",
        "无需预约",
        "不需要自备工具",
        "不含坚果",
        "只要不下雨就开门",
        "按需加热",
        "缆车停运前的最后一个夏天",
        "每天只选三条",
    ],
)
def test_what_merely_lacks_or_may_be_liked_is_not(text: str) -> None:
    assert not admits(text, "en" if text.isascii() else "zh")


@pytest.mark.parametrize(
    ("text", "half", "language"),
    [
        ("The bar contains no nuts, but is made where hazelnuts are.", "The bar contains no nuts", "en"),
        ("独木舟可以借，押金两百。", "独木舟可以借", "zh"),
        ("天天开放，但雨天除外。", "天天开放", "zh"),
    ],
)
def test_half_a_truth_is_known(text: str, half: str, language: Language) -> None:
    assert turned(text, len(half), language)
    assert not turned(text.replace(",", "."), len(text), language)


ITEMS = {
    "en": ("Gull House", "Gull House is a hostel on the cliff. The attic rooms have no window. {}"),
    "zh": ("鸥屋", "一家开在悬崖上的小旅店，一共有九间房。阁楼的房间没有窗户。{}"),
}
BAKES = {"en": "The kitchen bakes rye bread each morning.", "zh": "厨房每天清早烤黑麦面包。"}
SAID = {
    "en": ("The terrace view was beautiful.", "The porridge was delicious.", "The soup was cold and bland."),
    "zh": ("露台的风景特别美。", "早上的粥熬得很香。", "晚饭的汤又凉又难喝。"),
}


@pytest.fixture
def ask(tmp_path: Path, known: Mapping[Language, Analyser]) -> Ask:
    """Ask for a rationale of an item with this more in its description, reviewed by three people or by nobody."""

    def run(language: Language, more: str = "", *, reviewed: bool = False, **body: object) -> Rationale:
        title, text = ITEMS[language]
        items = [{"item_id": "it", "title": title, "description": text.format(more), "categories": ["x"]}]
        reviews = [
            {"review_id": f"r{n}", "user_id": f"u{n}", "item_id": "it", "rating": r, "timestamp": n, "text": t}
            for n, (t, r) in enumerate(zip(SAID[language], (5, 5, 1), strict=True))
            if reviewed
        ]
        rows = {"items": items, "reviews": reviews}
        files = {name: planted.write_jsonl(tmp_path / f"{name}.jsonl", of) for name, of in rows.items()}
        build("shop", **files, embedder=HashedEmbedder(), folder=tmp_path / "indexes")
        settings = Settings(indexes=tmp_path / "indexes", state=tmp_path / "state")
        explainer = Explainer(settings=settings, embedder=HashedEmbedder(), engine=ScriptedEngine(), analysers=known)
        given = {"index": "shop", "item": {"id": "it"}, "language": language, **body}
        try:
            return explainer.explain(RationaleRequest.model_validate(given))
        finally:
            explainer.close()

    return run


def told(reply: Rationale, *words: str) -> list[str]:
    """The kinds of sentences that hold any of these words."""
    return [s.kind for s in reply.sentences if any(word in s.text for word in words)]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_the_page_admits_is_a_caveat_where_there_is_room(ask: Ask, language: Language) -> None:
    reply = ask(language, BAKES[language])
    assert told(reply, "window", "窗户") == ["caveat"]
    assert reply.sentences[-1].kind == "caveat"
    assert {e.side for e in reply.evidence} == {"item"}
    assert told(ask(language, BAKES[language], max_sentences=1), "window", "窗户") == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_complaint_of_reviewers_comes_before_it(ask: Ask, language: Language) -> None:
    reply = ask(language, BAKES[language], reviewed=True)
    assert told(reply, "soup", "汤") == ["caveat"]
    assert told(reply, "window", "窗户") == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_answer_may_be_a_restriction(ask: Ask, language: Language) -> None:
    question = {"en": "Do the attic rooms have a window?", "zh": "阁楼的房间有窗户吗？"}[language]
    reply = ask(language, query=question, template="helpdesk")
    assert "merit" in told(reply, "no window", "没有窗户")
