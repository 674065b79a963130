"""Figures of recommendations, against ones worked out by hand, and the whole command over a planted shop."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import planted
import pytest

from rag_rationale.building import build
from rag_rationale.cli.main import main
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.evaluation.recommending import (
    Case,
    Met,
    cases_of,
    measure,
    ndcg_at,
    popularity,
    recall_at,
    split_time,
)


def test_recall_and_ndcg_are_those_worked_out_by_hand() -> None:
    ranked = ["a", "b", "c", "d"]
    assert recall_at(ranked, {"b", "d", "x"}, k=3) == pytest.approx(1 / 3)
    # b at place 2 gains 1/log2(3), d at place 4 1/log2(5); the ideal of three is 1 + 1/log2(3) + 1/log2(4)
    gained = 1 / math.log2(3) + 1 / math.log2(5)
    assert ndcg_at(ranked, {"b", "d", "x"}, k=4) == pytest.approx(gained / (1 + 1 / math.log2(3) + 0.5))
    assert ndcg_at(ranked, {"a"}, k=4) == 1.0
    assert ndcg_at(ranked, {"a", "b", "c"}, k=2) == 1.0  # a list of two cannot hold three
    assert ndcg_at([], {"a"}) == recall_at([], {"a"}) == 0.0


MET = [
    Met("u", "a", 1, 5.0),
    Met("u", "a", 6, 5.0),  # again: nothing new
    Met("u", "b", 7, 4.0),
    Met("u", "c", 8, 2.0),  # not liked
    Met("u", "d", 9),  # an event
    Met("v", "a", 2, 1.0),
    Met("v", "b", 3, 5.0),
    Met("w", "b", 10, 5.0),  # unknown at the split
    Met("x", "a", 4, 5.0),  # meets nothing after it
    Met("x", "a", 5, 5.0),
]


def test_what_a_user_came_to_like_after_the_split_is_hidden() -> None:
    assert split_time(MET) == 9
    assert cases_of(MET, at=5) == [Case("u", frozenset("a"), frozenset("bd"))]
    assert popularity(MET, at=5) == ["a", "b"]  # three users against one; x counts once


def test_coverage_and_tail_are_shares_of_lists_categories_and_items() -> None:
    cases = [Case("u", frozenset(), frozenset("a")), Case("v", frozenset(), frozenset("b"))]
    lists = {"u": ["a", "b"], "v": ["c"]}
    kinds = {"a": ("x",), "b": ("x", "y"), "c": ("z",), "d": ()}
    made = measure("w", lists, cases, popular={"u": ["b"], "v": ["b"]}, head={"a"}, categories=kinds, items=4)
    assert made.recall.value == 0.5
    assert made.ndcg_over_popular.value == pytest.approx((1 - 0) / 2 + (0 - 1) / 2)
    assert made.categories.value == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert made.tail.value == pytest.approx((1 / 2 + 1) / 2)
    assert made.catalogue == 3 / 4


def test_the_command_finds_a_planted_taste_that_popularity_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of the readers keep to lanterns, half to violins; everybody has met the popular kettle."""
    kinds = {"lantern": "light", "violin": "music", "kettle": "kitchen"}
    items: list[Mapping[str, object]] = [
        {
            "item_id": f"{kind}{n}",
            "title": f"{kind} {n}",
            "description": f"A {kind} for {kind} lovers.",
            "categories": [c],
        }
        for kind, c in kinds.items()
        for n in range(12)
    ]
    reviews: list[Mapping[str, object]] = []
    for n in range(40):
        kind = ("lantern", "violin")[n % 2]
        for time, item in ((n, f"{kind}{n % 12}"), (n, f"kettle{n % 3}"), (1000 + n, f"{kind}{(n + 2) % 12}")):
            text = f"A fine {item.rstrip('0123456789')} it is."
            rating = 3 if item.startswith("kettle") else 5
            row = {"review_id": f"{n}-{item}", "user_id": f"u{n}", "item_id": item, "rating": rating}
            reviews.append(row | {"timestamp": time, "text": text})
    files = {
        "items": planted.write_jsonl(tmp_path / "items.jsonl", items),
        "reviews": planted.write_jsonl(tmp_path / "reviews.jsonl", reviews),
    }
    build("shop", **files, embedder=HashedEmbedder(), folder=tmp_path / "indexes")
    monkeypatch.setenv("RAG_RATIONALE_INDEXES", str(tmp_path / "indexes"))
    monkeypatch.setenv("RAG_RATIONALE_EMBEDDER", "hashed")
    assert main(["eval", "recommendations", "shop", "--diversity", "0", "0.9", "--popularity", "0", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    popular, drawn, plain, varied = told["ways"]
    assert (popular["way"], drawn["way"]) == ("popularity", "chance")
    assert plain["recall"]["value"] > drawn["recall"]["value"] + 0.1
    assert told["provenance"]["users"] > 10
    assert plain["ndcg"]["value"] > popular["ndcg"]["value"] + 0.1
    assert plain["ndcg_over_popular"]["value"] == pytest.approx(plain["ndcg"]["value"] - popular["ndcg"]["value"])
    assert varied["categories"]["value"] > plain["categories"]["value"]
    assert plain["tail"]["value"] > popular["tail"]["value"]
    assert told["provenance"]["chosen_on"] is None
    assert main(["eval", "recommendations", "shop"]) == 0
    assert "diversity 0.3" in capsys.readouterr().out
    assert main(["eval", "recommendations", "shop", "--diversity", "0", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["provenance"]
    earlier = told["chosen_on"]
    assert earlier["split"] < told["split"]
    assert earlier["users"] > 0
    best = max(earlier["ndcg"].values())
    assert earlier["ndcg"][f"{told['popularity']:g}"] == best > min(earlier["ndcg"].values())
