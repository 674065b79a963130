"""The bundled catalogue is what the README says it is."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import rag_rationale
from rag_rationale.corpus import review_passages
from rag_rationale.corpus.read import FileReport, read_items, read_reviews

SAMPLE = Path(rag_rationale.__file__).parent / "sample"
USES = {
    "en": {"shop", "films and news", "help desk", "social topics", "travel", "health food"},
    "zh": {"购物", "影视资讯", "客服帮助", "社交话题", "旅行", "健康食品"},
}


def rows(name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (SAMPLE / f"{name}.jsonl").read_text("utf-8").splitlines()]


def test_it_covers_six_uses_in_two_languages_with_enough_rows() -> None:
    items, reviews = rows("items"), rows("reviews")
    assert len(items) >= 40
    assert len(reviews) >= 400
    for lang, uses in USES.items():
        assert {item["categories"][0] for item in items if item["lang"] == lang} == uses  # type: ignore[index]


def test_every_row_is_good() -> None:
    report = FileReport("items.jsonl")
    known = {item.item_id for item in read_items(SAMPLE / "items.jsonl", report=report, strict=True)}
    reviews = FileReport("reviews.jsonl")
    assert len(list(read_reviews(SAMPLE / "reviews.jsonl", report=reviews, known_items=known, strict=True))) >= 400


def test_it_holds_contradictions_complaints_and_hostile_rows() -> None:
    reviews = rows("reviews")
    ratings: dict[object, list[float]] = {}
    for review in reviews:
        if isinstance(review["rating"], (int, float)):
            ratings.setdefault(review["item_id"], []).append(float(review["rating"]))
    assert sum(min(r) <= 2 and max(r) >= 4 for r in ratings.values()) >= 12
    known = {str(review["item_id"]) for review in reviews}
    report = FileReport("reviews.jsonl")
    read = read_reviews(SAMPLE / "reviews.jsonl", report=report, known_items=known)
    reasons = Counter(p.quarantined for r in read for _, cut in review_passages(r) for p in cut if p.quarantined)
    assert {"steering", "model_tokens", "invisible", "markup", "link", "citation_marker"} <= set(reasons)
