"""Real reviews, real models, and the independent judge: every reply must be true to the contract.

The data are for development only and not part of the repository; where they are absent the tests are skipped. Nothing
of their text is written down here.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from contract import Catalogue, Row, check_reply
from planted import write_jsonl

from rag_rationale.building import build
from rag_rationale.config import Settings
from rag_rationale.connect.opening import open_embedder
from rag_rationale.errors import ModelMissingError
from rag_rationale.service import open_explainer
from rag_rationale.types import Language, RationaleRequest

pytestmark = pytest.mark.slow

DATA = Path(__file__).parents[2] / "shared" / "data"
MOST_PASSAGES = 5000  # of one case; about 90 a second are embedded on two cores
GROUNDED = 0.8


@dataclass(frozen=True)
class Case:
    """Catalogue files cut down for time, and one request for each sampled user."""

    name: str
    language: Language
    files: dict[str, Path]
    requests: list[Row]


def _rows(folder: str, file: str) -> list[Row]:
    path = DATA / folder / f"{file}.jsonl"
    if not path.is_file():
        pytest.skip(f"the development data are not there: {'/'.join(path.parts[-4:])}")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _thinned(items: list[Row], kept: list[Row], requests: list[Row]) -> Iterator[Row]:
    """The items that a review names; one that nobody asks for keeps its title alone."""
    named, asked = {r["item_id"] for r in kept}, {r["item"]["id"] for r in requests}
    for item in items:
        if item["item_id"] in named:
            yield item if item["item_id"] in asked else {key: item[key] for key in ("item_id", "title", "lang")}


def zomato(folder: Path) -> Case:
    """Twelve restaurants with their 75 newest reviews, and all that 50 users with three or more reviews wrote.

    Every second user is explained a restaurant that she has reviewed, where there is one: her review must not be used.
    """
    items, reviews = _rows("zomato_en", "items"), _rows("zomato_en", "reviews")
    rng = random.Random(17)
    count = Counter(r["user_id"] for r in reviews)
    users = rng.sample(sorted(u for u, n in count.items() if n >= 3), 50)
    targets = rng.sample(sorted({r["item_id"] for r in reviews}), 12)
    newest: Counter[str] = Counter()
    kept = []
    for review in sorted(reviews, key=lambda r: -(r["timestamp"] or 0)):
        newest[review["item_id"]] += 1
        if review["user_id"] in users or (review["item_id"] in targets and newest[review["item_id"]] <= 75):
            kept.append(review)
    requests = []
    for n, user in enumerate(users):
        known = sorted({r["item_id"] for r in kept if r["user_id"] == user} & set(targets))
        fresh = sorted(set(targets) - set(known))
        target = rng.choice(known if n % 2 and known else fresh)
        requests.append({"index": "zomato", "user": {"id": user}, "item": {"id": target}})
    files = {
        "items": write_jsonl(folder / "items.jsonl", _thinned(items, kept, requests)),
        "reviews": write_jsonl(folder / "reviews.jsonl", kept),
    }
    return Case("zomato", "en", files, requests)


def douban(folder: Path) -> Case:
    """All reviews, and for each user with two films or more one film with two reviews or more.

    Accounts whose review the source marks as spam get a trust of 0.1.
    """
    items, reviews = _rows("douban_zh", "items"), _rows("douban_zh", "reviews")
    rng = random.Random(17)
    seen = Counter(user for user, _ in {(r["user_id"], r["item_id"]) for r in reviews})
    named = Counter(r["item_id"] for r in reviews)
    targets = sorted(i["item_id"] for i in items if named[i["item_id"]] >= 2)
    requests = [
        {"index": "douban", "user": {"id": user}, "item": {"id": rng.choice(targets)}}
        for user in sorted(user for user, n in seen.items() if n >= 2)
    ]
    users = [
        {"user_id": row["user_id"], "trust": 0.1 if row["spam_label"] == 0 else 1.0}
        for row in _rows("douban_zh", "users")
    ]
    files = {
        "items": write_jsonl(folder / "items.jsonl", _thinned(items, reviews, requests)),
        "reviews": write_jsonl(folder / "reviews.jsonl", reviews),
        "users": write_jsonl(folder / "users.jsonl", users),
    }
    return Case("douban", "zh", files, requests)


@pytest.fixture(scope="module", params=[zomato, douban], ids=["zomato_en", "douban_zh"])
def answered(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Case, list[Row]]]:
    """A case and the reply to each of its requests, as JSON, by the default models."""
    folder = tmp_path_factory.mktemp("real")
    case: Case = request.param(folder)
    settings = Settings(_env_file=None, indexes=folder / "indexes")  # type: ignore[call-arg]
    try:
        explainer = open_explainer(settings)
    except ModelMissingError as error:
        pytest.skip(str(error))
    report = build(case.name, **case.files, embedder=open_embedder(settings), folder=settings.indexes)  # type: ignore[arg-type]
    assert report.embedded <= MOST_PASSAGES
    replies = [explainer.explain(RationaleRequest.model_validate(r)) for r in case.requests]
    yield case, [json.loads(reply.model_dump_json()) for reply in replies]
    explainer.close()


def test_no_reply_has_a_fault(answered: tuple[Case, list[Row]]) -> None:
    case, replies = answered
    catalogue = Catalogue.read(**case.files)
    faults = [
        f"{request['user']['id']} {request['item']['id']}: {fault}"
        for request, reply in zip(case.requests, replies, strict=True)
        for fault in check_reply(reply, request=request, catalogue=catalogue)
    ]
    assert faults == []


def test_a_reply_judged_by_another_request_is_full_of_faults(answered: tuple[Case, list[Row]]) -> None:
    case, replies = answered
    catalogue = Catalogue.read(**case.files)
    for at, reply in enumerate(replies):
        other = case.requests[at - 1]
        if reply["evidence"] and other["item"] != case.requests[at]["item"]:
            assert check_reply(reply, request=other, catalogue=catalogue), other


def test_most_replies_are_grounded(answered: tuple[Case, list[Row]]) -> None:
    case, replies = answered
    outcomes = Counter(reply["reason"] or "grounded" for reply in replies)
    assert outcomes["grounded"] >= GROUNDED * len(case.requests), outcomes


def test_replies_are_in_the_language_of_the_reviews(answered: tuple[Case, list[Row]]) -> None:
    case, replies = answered
    assert {reply["language"] for reply in replies} == {case.language}
