"""Hostile input in reviews, requests, ids and bodies: none is obeyed, leaks, is cited, or breaks the server.

The cases are in hostile.yaml. Each carries a word of its own, its canary, that nothing may ever show.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import planted
import pytest
import yaml
from fastapi.testclient import TestClient

from rag_rationale.api import create_app
from rag_rationale.building import build
from rag_rationale.config import Settings
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.generation import ScriptedEngine
from rag_rationale.service import Explainer
from rag_rationale.types import LANGUAGES, Analyser, Language

CASES = yaml.safe_load((Path(__file__).parent / "hostile.yaml").read_text("utf-8"))
CANARY: dict[Language, str] = {"en": "zorblax", "zh": "锆蒻璃"}
ITEMS = {"en": "pack", "zh": "beibao"}
TOLD: dict[Language, tuple[str, list[str], list[str]]] = {
    "en": (
        "Ridge pack",
        ["This is a light pack for long hikes.", "The hip belt has two deep pockets."],
        ["The hip belt spreads the load very well.", "The straps are soft on long hikes.", "Sadly the zip broke."],
    ),
    "zh": (
        "山脊背包",
        ["这是一款适合长途徒步的背包。", "腰带有两个很深的口袋。"],
        ["腰带很舒服，走一天也不累。", "口袋很大，很好用。", "可惜拉链用了三天就坏了。"],
    ),
}
POST = {"Content-Type": "application/json"}


def _said(language: Language) -> list[str]:
    return [text.format(c=CANARY[language]) for text in CASES["reviews"][language]]


@pytest.fixture(scope="module")
def explainer(tmp_path_factory: pytest.TempPathFactory, known: Mapping[Language, Analyser]) -> Iterator[Explainer]:
    folder, embedder = tmp_path_factory.mktemp("hostile"), HashedEmbedder()
    items: list[dict[str, Any]] = []
    reviews: list[dict[str, Any]] = []
    for language in LANGUAGES:
        title, described, honest = TOLD[language]
        items.append({"item_id": ITEMS[language], "title": title, "description": "\n".join(described)})
        items.append({"item_id": f"other-{language}", "title": {"en": "Moor boots", "zh": "登山鞋"}[language]})
        for n, text in enumerate([*honest, *_said(language)]):
            rating = 1 if n == 2 else 5
            row = {"review_id": f"{language}{n}", "user_id": f"{language}-u{n}", "item_id": ITEMS[language]}
            reviews.append(row | {"rating": rating, "timestamp": 1000 + n, "text": text})
        own = {"review_id": f"{language}-own", "user_id": f"reader-{language}", "item_id": f"other-{language}"}
        text = {"en": "The lining is soft and dry.", "zh": "鞋子很舒服，很好用。"}[language]
        reviews.append(own | {"rating": 5, "timestamp": 900, "text": text})
    files = {
        "items": planted.write_jsonl(folder / "items.jsonl", items),
        "reviews": planted.write_jsonl(folder / "reviews.jsonl", reviews),
    }
    build("shop", **files, embedder=embedder, folder=folder / "indexes")
    settings = Settings(indexes=folder / "indexes", admin_token="operator")
    made = Explainer(settings=settings, embedder=embedder, engine=ScriptedEngine(), analysers=known)
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(explainer: Explainer) -> Iterator[TestClient]:
    with TestClient(create_app(explainer), raise_server_exceptions=False) as made:
        yield made


def test_there_are_sixty_cases_and_more_in_both_languages() -> None:
    told = [case for kind in ("reviews", "requests") for language in LANGUAGES for case in CASES[kind][language]]
    assert len(told) >= 60
    assert len(CASES["reviews"]["zh"]) >= 20
    assert len(told) + len(CASES["ids"]) + len(CASES["bodies"]) >= 90


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_hostile_review_is_a_candidate_cited_or_shown_to_the_model(
    client: TestClient, explainer: Explainer, language: Language
) -> None:
    canary, item = CANARY[language], ITEMS[language]
    quarantined = [p for p in explainer.snapshots.get("shop").item_passages(item) if canary in p.text]
    assert len(quarantined) >= 0.8 * len(_said(language))  # personal data in some is masked, canary and all
    assert [p.text for p in quarantined if p.quarantined is None] == []
    for n, user in enumerate([{"id": f"reader-{language}"}, {}, {"id": f"{language}-u1"}]):
        body = {"index": "shop", "user": user, "item": {"id": item}, "seed": n, "language": language, "stream": True}
        reply = client.post("/v1/rationales", json=body)
        assert reply.status_code == 200
        assert '"status":"grounded"' in reply.text  # the honest ones still count
        assert canary not in reply.text
        assert not [p.id for p in quarantined if p.id in reply.text]
    for passage in quarantined:
        shown = client.get(f"/v1/evidence/shop:{passage.id}", headers={"Authorization": "Bearer operator"})
        assert shown.status_code == 404
    assert isinstance(explainer.engine, ScriptedEngine)
    assert not [r for r in explainer.engine.history if canary in str(r)]


@pytest.mark.parametrize(
    ("language", "case"), [(lang, case) for lang in LANGUAGES for case in CASES["requests"][lang]], ids=str
)
def test_a_hostile_request_is_answered_as_if_it_had_said_nothing(
    client: TestClient, explainer: Explainer, language: Language, case: dict[str, Any]
) -> None:
    canary = CANARY[language]
    brought = json.loads(json.dumps(case, ensure_ascii=False).replace("{c}", canary))
    user = {key: brought[key] for key in ("preferences", "history") if key in brought}
    body = {"index": "shop", "user": user, "item": {"id": ITEMS[language]}, "query": brought.get("query")}
    reply = client.post("/v1/rationales", json=body | {"language": language, "stream": True})
    assert reply.status_code == 200
    assert canary not in reply.text
    assert isinstance(explainer.engine, ScriptedEngine)
    assert not [r for r in explainer.engine.history if canary in str(r)]


@pytest.mark.parametrize("odd", CASES["ids"])
def test_an_id_is_never_a_path_and_never_a_failure(client: TestClient, odd: str, tmp_path: Path) -> None:
    plain = {"index": "shop", "item": {"id": "pack"}}
    admin = {"Authorization": "Bearer operator"}
    statuses = {
        "index": client.post("/v1/rationales", json=plain | {"index": odd}).status_code,
        "item": client.post("/v1/rationales", json=plain | {"item": {"id": odd}}).status_code,
        "template": client.post("/v1/rationales", json=plain | {"template": odd}).status_code,
        "evidence": client.get(f"/v1/evidence/{odd}").status_code,
    }
    assert set(statuses.values()) <= {404, 422}, statuses
    assert client.post("/v1/rationales", json=plain | {"user": {"id": odd}}).status_code == 200  # a stranger
    assert client.delete(f"/v1/users/{odd}", headers=admin).status_code in {200, 404, 422}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("case", CASES["bodies"], ids=str)
def test_a_body_that_is_no_request_is_refused_clearly(client: TestClient, case: dict[str, Any]) -> None:
    body = str(eval(case["make"])).encode()
    for path in ("/v1/rationales", "/v1/rationales/batch", "/v1/recommendations"):
        reply = client.post(path, content=body, headers=POST)
        if path == "/v1/rationales":
            assert reply.status_code == case["status"], reply.text
        assert 400 <= reply.status_code < 500
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["detail"]
        assert len(reply.content) < 10_000


def test_claims_that_a_template_forbids_are_not_served_even_as_a_quotation(
    tmp_path: Path, known: Mapping[Language, Analyser]
) -> None:
    """`forbidden` of the default template: a cure is promised in no form, whoever promised it."""
    items = [
        {"item_id": "tea", "title": "Hill tea", "description": "This is a tea of mountain herbs."},
        {"item_id": "cha", "title": "山茶", "description": "这是一款山里的草本茶。"},
    ]
    claims = {
        "tea": ["It cured my diabetes in a week.", "I stopped taking my tablets thanks to it.", "The taste is mild."],
        "cha": ["喝了一周治好了我的糖尿病。", "喝了它我就停药了。", "味道很清香，很好喝。"],
    }
    reviews = [
        {
            "review_id": f"{item}{n}",
            "user_id": f"u{item}{n}",
            "item_id": item,
            "rating": 5,
            "timestamp": n,
            "text": text,
        }
        for item, texts in claims.items()
        for n, text in enumerate(texts)
    ]
    files = {
        "items": planted.write_jsonl(tmp_path / "items.jsonl", items),
        "reviews": planted.write_jsonl(tmp_path / "reviews.jsonl", reviews),
    }
    embedder = HashedEmbedder()
    build("shop", **files, embedder=embedder, folder=tmp_path / "indexes")
    settings = Settings(indexes=tmp_path / "indexes")
    explainer = Explainer(settings=settings, embedder=embedder, engine=ScriptedEngine(), analysers=known)
    with TestClient(create_app(explainer)) as client:
        for item, words in (("tea", ("cured", "tablets")), ("cha", ("治好", "停药"))):
            for deadline in (None, 1):  # 1 ms: quotations only
                body = {"index": "shop", "item": {"id": item}, "max_sentences": 6, "deadline_ms": deadline}
                reply = client.post("/v1/rationales", json=body).json()
                assert reply["status"] == "grounded"
                assert not [word for word in words if word in json.dumps(reply, ensure_ascii=False)]
    explainer.close()


def test_the_state_file_holds_no_canary_of_a_request_that_brought_its_own_words(
    explainer: Explainer, tmp_path: Path
) -> None:
    from rag_rationale.service import Answers
    from rag_rationale.service.cache import RationaleCache
    from rag_rationale.service.log import RationaleLog
    from rag_rationale.service.state import FILE, State

    state = State(tmp_path)
    cache, log = RationaleCache(state, largest=1 << 20, days=1), RationaleLog(state, days=1)
    with TestClient(create_app(explainer, answers=Answers(explainer, cache=cache, log=log))) as client:
        user = {"history": [{"title": "Moor boots", "event": "review", "rating": 5, "text": "The zorblax is warm."}]}
        client.post("/v1/rationales", json={"index": "shop", "user": user, "item": {"id": "pack"}})
    state.flush()
    state.close()
    with sqlite3.connect(tmp_path / FILE) as db:
        assert db.execute("SELECT COUNT(*) FROM served").fetchone() == (1,)
    assert b"zorblax" not in b"".join(path.read_bytes() for path in tmp_path.glob(FILE + "*"))
