"""Several rationales in one reply: what is shared, what fails alone, and what stops when nobody waits."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import serving
from fastapi.testclient import TestClient

from rag_rationale.api import create_app
from rag_rationale.errors import CancelledError
from rag_rationale.retrieval import Candidate
from rag_rationale.service import Answers, Explainer
from rag_rationale.types import Rationale, RationaleRequest, RecommendationRequest

ITEMS = [{"id": "pack"}, {"id": "nowhere"}, {"id": "tent"}, {"title": "Oak bench", "description": "It is a bench."}]
BATCH = {"index": "shop", "user": {"id": "author-ann"}, "items": ITEMS}


@pytest.fixture(scope="module")
def client(shop: Explainer) -> Iterator[TestClient]:
    with TestClient(create_app(shop), raise_server_exceptions=False) as made:
        yield made


def _unlike(reply: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in reply.items() if key not in {"id", "timings_ms"}}


def test_a_batch_has_an_entry_per_item_equal_to_what_each_alone_would_get(client: TestClient) -> None:
    reply = client.post("/v1/rationales/batch", json=BATCH)
    assert reply.status_code == 200
    entries = reply.json()["entries"]
    assert [entry["item_id"] for entry in entries] == ["pack", "nowhere", "tent", None]
    for item, entry in zip(ITEMS, entries, strict=True):
        alone = client.post("/v1/rationales", json={"index": "shop", "user": {"id": "author-ann"}, "item": item})
        if alone.status_code == 200:
            assert _unlike(entry["rationale"]) == _unlike(alone.json())
            assert entry["problem"] is None
        else:
            assert entry["rationale"] is None
            assert (entry["problem"]["status"], entry["problem"]["type"]) == (404, alone.json()["type"])
    assert Rationale.model_validate(entries[0]["rationale"]).personal


def test_a_batch_reads_the_user_s_rows_once(shop: Explainer, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, read = shop.snapshots.get("shop"), Counter[str]()
    real = snapshot.user_passages

    def counted(user: str) -> Any:
        read[user] += 1
        return real(user)

    monkeypatch.setattr(snapshot, "user_passages", counted, raising=False)
    asked = [RationaleRequest.model_validate(serving.REQUEST | {"item": {"id": item}}) for item in ("pack", "tent")]
    assert {position for position, _ in shop.many(asked)} == {0, 1}
    assert read == {"author-ann": 1}


@pytest.mark.parametrize("items", [[], [{"id": "pack"}] * 51, [{}], "pack"])
def test_a_batch_of_none_or_of_too_many_is_refused(client: TestClient, items: Any) -> None:
    reply = client.post("/v1/rationales/batch", json=BATCH | {"items": items})
    assert (reply.status_code, reply.headers["content-type"]) == (422, "application/problem+json")


def test_an_unknown_index_fails_the_whole_batch(client: TestClient) -> None:
    assert client.post("/v1/rationales/batch", json=BATCH | {"index": "nowhere"}).status_code == 404


def test_work_that_nobody_waits_for_stops_in_the_middle_of_a_sentence(shop: Explainer) -> None:
    stop = threading.Event()
    steps = shop.steps(RationaleRequest.model_validate(serving.REQUEST), stop=stop)
    next(steps)
    asked = len(shop.engine.history)  # type: ignore[attr-defined]
    stop.set()
    with pytest.raises(CancelledError):
        next(steps)
    assert len(shop.engine.history) == asked  # type: ignore[attr-defined]


def test_a_batch_stops_when_its_client_leaves(shop: Explainer) -> None:
    class Endless(Explainer):
        stopped = threading.Event()

        def __init__(self) -> None:
            self.__dict__.update(shop.__dict__)

        def many(self, requests: Any, *, stop: threading.Event | None = None) -> Iterator[Any]:
            assert stop is not None
            for step in super().many(requests, stop=stop):
                yield step
                while not stop.wait(0.02):
                    pass
                self.stopped.set()

    body = json.dumps(BATCH).encode()
    head = "POST /v1/rationales/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    endless = Endless()
    with serving.running(endless) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            time.sleep(0.3)
            assert not endless.stopped.is_set()
        assert endless.stopped.wait(10)


def test_a_request_past_its_deadline_answers_with_quotations(shop: Explainer) -> None:
    request = RationaleRequest.model_validate(serving.REQUEST | {"deadline_ms": 1})
    asked = len(shop.engine.history)  # type: ignore[attr-defined]
    reply = shop.explain(request)
    assert reply.degraded
    assert [(s.kind, s.mode) for s in reply.sentences] == [("merit", "quote"), ("caveat", "quote")]
    assert len(shop.engine.history) == asked  # type: ignore[attr-defined]


def test_searching_for_items_counts_towards_the_deadline(shop: Explainer) -> None:
    class Slow(Answers):
        def candidates(self, request: RecommendationRequest, **options: Any) -> list[Candidate]:
            time.sleep(0.4)
            return super().candidates(request, **options)

    body = {"index": "shop", "user": {"id": "author-cleo"}, "deadline_ms": 300}
    with TestClient(create_app(shop, answers=Slow(shop))) as client:
        made = client.post("/v1/recommendations", json=body).json()["recommendations"]
    assert made
    assert all(each["rationale"]["degraded"] for each in made)
