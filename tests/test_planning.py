"""Which sentences are planned: honest about drawbacks, never a dislike as a match, never the same thing twice."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving import analysers

from rag_rationale.building import build
from rag_rationale.config import Settings
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.generation import ScriptedEngine
from rag_rationale.planning.weighing import of_each_author
from rag_rationale.service import Explainer
from rag_rationale.types import Evidence, Passage, Rationale, RationaleRequest

Ask = Callable[..., Rationale]
GOOD = [
    "The terrace view was beautiful.",
    "The grilled prawns were delicious.",
    "The waiting area was clean.",
    "The garden was lovely.",
]
BAD = ["The soup was cold and bland.", "The toilets were dirty.", "The music was awful.", "The chairs were broken."]


def catalogue(folder: Path, reviews: list[dict[str, Any]], events: list[dict[str, Any]]) -> dict[str, Path]:
    items = [
        {"item_id": i, "title": t, "description": f"{t} is a restaurant by the sea.", "categories": ["food"]}
        for i, t in (("target", "Harbour Grill"), ("other", "Tide Table"), ("third", "Salt Room"))
    ]
    rows = {
        "items": items,
        "events": [{"timestamp": 1, "value": None, **e} for e in events],
        "reviews": [{"timestamp": 1, "title": "", **r, "review_id": f"r{n}"} for n, r in enumerate(reviews)],
    }
    for name, of in rows.items():
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, of)) + "\n", "utf-8")
    return {name: folder / f"{name}.jsonl" for name in rows}


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Ask for a rationale of `target` over these reviews."""

    def run(reviews: list[dict[str, Any]], events: list[dict[str, Any]] | None = None, **body: Any) -> Rationale:
        embedder = HashedEmbedder()
        build("shop", **catalogue(tmp_path, reviews, events or []), embedder=embedder, folder=tmp_path / "indexes")
        explainer = Explainer(
            settings=Settings(indexes=tmp_path / "indexes"),
            embedder=embedder,
            engine=ScriptedEngine(),
            analysers=analysers(),
        )
        request = {"index": "shop", "item": {"id": "target"}, **body}
        try:
            return explainer.explain(RationaleRequest.model_validate(request))
        finally:
            explainer.close()

    return run


def rated(texts: list[str], rating: float, *, start: int = 0) -> list[dict[str, Any]]:
    return [
        {"user_id": f"u{start + n}", "item_id": "target", "rating": rating, "text": text}
        for n, text in enumerate(texts)
    ]


def test_an_item_that_reviewers_disagree_about_gets_a_caveat(ask: Ask) -> None:
    reply = ask(rated(GOOD, 5) + rated(BAD[:2], 1, start=10))
    assert [s.kind for s in reply.sentences][-1] == "caveat"
    assert any(s.kind == "merit" for s in reply.sentences)


def test_an_item_that_all_praise_gets_none(ask: Ask) -> None:
    assert all(s.kind != "caveat" for s in ask(rated(GOOD, 5)).sentences)


def test_an_item_with_mostly_bad_reviews_begins_with_the_caveat(ask: Ask) -> None:
    assert ask(rated(GOOD[:1], 5) + rated(BAD, 1, start=10)).sentences[0].kind == "caveat"


def test_a_dislike_is_never_presented_as_a_liking(ask: Ask) -> None:
    disliked = [
        {"user_id": "me", "item_id": "other", "rating": 1, "text": "The grilled prawns were rubbery and awful."}
    ]
    reply = ask(rated(GOOD, 5) + disliked, user={"id": "me"})
    for sentence in reply.sentences:
        own = [e for e in reply.evidence if e.side == "history" and e.label in {c.label for c in sentence.citations}]
        if own:
            assert "complained" in sentence.text
            assert not {"praised", "gave"} & set(sentence.text.split())


def test_the_users_own_review_of_the_target_is_no_evidence(ask: Ask) -> None:
    mine = [{"user_id": "me", "item_id": "target", "rating": 5, "text": "The lobster bisque was heavenly and rich."}]
    reply = ask(rated(GOOD, 5) + mine, user={"id": "me"})
    assert "lobster" not in reply.model_dump_json()
    assert "lobster" in ask(rated(GOOD, 5) + mine, user={"id": "someone"}, max_sentences=6).model_dump_json()


def test_a_review_of_low_trust_is_no_evidence_on_the_item_side_but_stays_the_users_own(ask: Ask) -> None:
    spam = [
        {"user_id": "me", "item_id": "other", "rating": 5, "text": "The grilled prawns were delicious.", "trust": 0.1}
    ]
    untrusted = [
        {"user_id": "x", "item_id": "target", "rating": 5, "text": "The lobster bisque was heavenly.", "trust": 0.1}
    ]
    reply = ask(rated(GOOD, 5) + spam + untrusted, user={"id": "me"})
    assert "lobster" not in reply.model_dump_json()
    assert any(e.side == "history" for e in reply.evidence)


def test_no_passage_is_cited_in_two_sentences(ask: Ask) -> None:
    reply = ask(rated(GOOD, 5) + rated(BAD[:1], 1, start=10), max_sentences=5)
    labels = [label for s in reply.sentences for label in {c.label for c in s.citations}]
    assert len(labels) == len(set(labels))


def test_many_is_said_only_of_two_reviewers(ask: Ask) -> None:
    alike = ["The prawns were delicious.", "The prawns were really tasty."]
    texts = [s.text for s in ask(rated(alike, 5)).sentences]
    assert any("More than one reviewer praises the prawns" in text for text in texts)
    same = [{**row, "user_id": "u0"} for row in rated(alike, 5)]
    assert not any("More than one" in s.text for s in ask(same).sentences)


def test_who_speaks_twice_is_not_put_behind_for_it() -> None:
    said = [("ida", "a"), ("gus", "b"), ("tom", "c"), ("ida", "d")]
    ranked = [
        Evidence(name, Passage(name, "review", name, "text", "target", 0, 1, "x", "en", user_id=user), "review", "")
        for user, name in said
    ]
    assert [e.id for e in of_each_author(ranked)] == ["a", "b", "c"]


def test_an_item_that_the_user_disliked_is_not_named_beside_the_one_she_bought(ask: Ask) -> None:
    events = [{"user_id": "me", "item_id": item, "event": "purchase"} for item in ("other", "third")]
    disliked = [{"user_id": "me", "item_id": "other", "rating": 1, "text": "Nothing here was worth the money at all."}]
    reply = ask(rated(GOOD, 5) + disliked, events, user={"id": "me"})
    assert not any("bought Tide Table" in s.text for s in reply.sentences)


def test_one_han_character_is_no_aspect(ask: Ask) -> None:
    texts = ["碎石坡走起来很稳，坡很漂亮。", "草坡上风景好，坡很漂亮，路也好走。", "沿着山坡走，坡很漂亮，一路都是花。"]
    assert not any("不止一位" in s.text for s in ask(rated(texts, 5), language="zh").sentences)


PLATITUDES = ["The food is great.", "Very good food and nice place.", "Good service, good food."]
COPIED = "The kitchen grilled our prawns over beech wood and they were smoky and delicious."


def test_platitudes_are_kept_out_where_something_specific_was_said(ask: Ask) -> None:
    common = [{"user_id": f"c{n}", "item_id": "other", "rating": 5, "text": t} for n, t in enumerate(PLATITUDES * 9)]
    specific = ["The grilled prawns were smoky and delicious.", "The terrace view over the lagoon was beautiful."]
    reply = ask(rated(PLATITUDES + specific, 5) + common, max_sentences=2)
    texts = [e.text for e in reply.evidence if e.side == "review"]
    assert sorted(texts) == sorted(specific)


def test_copies_of_one_review_speak_once(ask: Ask) -> None:
    reply = ask(rated([COPIED, COPIED.replace("our", "the"), COPIED, GOOD[0]], 5))
    assert "More than one" not in reply.rationale
    assert sum("beech wood" in e.text for e in reply.evidence) == 1
    assert all(s.support is None for s in reply.sentences)


def test_the_newer_and_the_more_trusted_of_two_alike_is_cited(ask: Ask) -> None:
    alike = ["The grilled prawns were delicious."] * 2
    year = 31_557_600
    dated = [r | {"timestamp": t} for r, t in zip(rated(alike, 5), (year, 9 * year), strict=True)]
    trusted = [r | {"trust": t} for r, t in zip(rated(alike, 5), (0.6, 1.0), strict=True)]
    for rows in (dated, trusted):
        reply = ask(rows, max_sentences=2)
        assert next(e.source_id for e in reply.evidence if e.side == "review") == "r1"


def test_a_listed_fact_is_told_in_a_sentence_of_its_own_language(ask: Ask) -> None:
    facts = "国家：日本；类型：喜剧、动画；片长：98分钟。"
    reply = ask([], item={"title": "灯塔夜话", "description": facts}, language="zh", max_sentences=1)
    assert re.fullmatch(r"[^。]*介绍[^。]*[：，]类型是喜剧、动画\[1\]。", reply.rationale)
    assert reply.sentences[0].citations[0].cited_text == "类型：喜剧、动画"


def test_what_only_lists_where_and_how_long_is_no_reason(ask: Ask) -> None:
    facts = "国家：日本；片长：98分钟。"
    reply = ask([], item={"title": "灯塔夜话", "description": facts}, language="zh", max_sentences=1)
    assert (reply.status, reply.reason) == ("abstained", "nothing_specific")
