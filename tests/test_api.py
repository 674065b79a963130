"""The API: replies and streams, evidence and who may read it, failures as problems, readiness, and a real server."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import serving
import uvicorn
from fastapi.testclient import TestClient
from starlette.requests import ClientDisconnect

from rag_rationale import errors
from rag_rationale.api import Keys, bind, create_app, examples, problems, serve
from rag_rationale.api.limits import LARGEST_BODY
from rag_rationale.api.streaming import EventStream
from rag_rationale.api.workers import Workers
from rag_rationale.config import Settings
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.service import Explainer, Step
from rag_rationale.types import Analyser, Language, Rationale, RationaleRequest, Score, ScoreRequest, SourceReply

JSON = {"Content-Type": "application/json"}
SLUG = "urn:problem-type:rag-rationale:"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def explainer(folder: Path, known: Mapping[Language, Analyser]) -> Iterator[Explainer]:
    made = serving.open_planted(folder, known)
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(explainer: Explainer) -> Iterator[TestClient]:
    with TestClient(create_app(explainer), raise_server_exceptions=False) as made:
        yield made


class Failing(Explainer):
    """Raises `error` before the first step."""

    def __init__(self, real: Explainer, error: Exception) -> None:
        self.__dict__.update(real.__dict__)
        self.error = error

    def steps(self, *_: Any, **__: Any) -> Iterator[Any]:
        raise self.error
        yield


def _client(explainer: Explainer, **arguments: Any) -> TestClient:
    return TestClient(create_app(explainer, **arguments), raise_server_exceptions=False)


def _candidate(client: TestClient, side: str) -> str:
    """The id of a candidate of this side."""
    stream = client.post("/v1/rationales", json=serving.REQUEST | {"stream": True}).text
    return next(each["id"] for each in serving.events(stream)[0][1]["candidates"] if each["side"] == side)


# --- rationales -------------------------------------------------------------------------------------------------------


def test_a_reply_is_a_rationale_true_to_the_contract(client: TestClient, explainer: Explainer) -> None:
    reply = client.post("/v1/rationales", json=serving.REQUEST)
    rationale = Rationale.model_validate_json(reply.content)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json")
    assert rationale.status == "grounded"
    assert rationale.provenance.index == explainer.snapshots.get("shop").manifest.label
    assert rationale.rationale == explainer.explain(RationaleRequest.model_validate(serving.REQUEST)).rationale


def test_a_stream_brings_candidates_then_each_sentence_then_the_whole(client: TestClient) -> None:
    reply = client.post("/v1/rationales", json=serving.REQUEST | {"stream": True})
    assert reply.headers["content-type"].startswith("text/event-stream")
    found = serving.events(reply.text)
    done = Rationale.model_validate(found[-1][1])
    assert [name for name, _ in found] == ["evidence", *["sentence"] * len(done.sentences), "done"]
    assert len(done.sentences) >= 2
    assert [data for name, data in found if name == "sentence"] == [s.model_dump(mode="json") for s in done.sentences]
    whole = Rationale.model_validate_json(client.post("/v1/rationales", json=serving.REQUEST).content)
    changing = {"id", "timings_ms"}
    assert done.model_dump(exclude=changing) == whole.model_dump(exclude=changing)


def test_candidates_are_told_by_id_and_side_only_and_hold_all_that_is_cited(client: TestClient) -> None:
    found = serving.events(client.post("/v1/rationales", json=serving.REQUEST | {"stream": True}).text)
    candidates = found[0][1]["candidates"]
    assert {frozenset(each) for each in candidates} == {frozenset({"id", "side"})}
    sides = {each["id"]: each["side"] for each in candidates}
    assert set(sides.values()) == {"item", "review", "history"}
    assert all(sides[e["id"]] == e["side"] for e in found[-1][1]["evidence"])


def test_a_stream_that_waits_is_kept_alive_by_comments(explainer: Explainer) -> None:
    class Slow(Explainer):
        def __init__(self) -> None:
            self.__dict__.update(explainer.__dict__)

        def steps(self, *arguments: Any, **options: Any) -> Iterator[Any]:
            for step in explainer.steps(*arguments, **options):
                time.sleep(0.2)
                yield step

    reply = _client(Slow(), heartbeat=0.05).post("/v1/rationales", json=serving.REQUEST | {"stream": True})
    names = [name for name, _ in serving.events(reply.text)]
    assert names[0] == "comment"
    assert names.count("comment") >= 4
    assert names[-1] == "done"


def test_what_fails_before_the_first_event_keeps_its_status_in_a_stream(client: TestClient) -> None:
    reply = client.post("/v1/rationales", json=serving.REQUEST | {"item": {"id": "nowhere"}, "stream": True})
    assert (reply.status_code, reply.json()["type"]) == (404, SLUG + "unknown-item")


def test_what_fails_later_comes_as_an_error_event_without_the_machine_s_secrets(explainer: Explainer) -> None:
    staged = serving.Staged(explainer, errors.BackendError("cannot map /secret/model.gguf"))
    staged.go.set()
    reply = _client(staged).post("/v1/rationales", json=serving.REQUEST | {"stream": True})
    (_, (name, problem)) = serving.events(reply.text)
    assert (name, problem["status"], problem["type"]) == ("error", 503, SLUG + "model-unavailable")
    assert "secret" not in reply.text


# --- evidence ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["item", "review"])
def test_evidence_about_the_item_is_shown_inside_its_source_to_anyone(client: TestClient, side: str) -> None:
    shown = SourceReply.model_validate_json(client.get(f"/v1/evidence/{_candidate(client, side)}").content)
    about = {
        "item": serving.DESCRIPTIONS["pack"],
        "review": [text for _, item, _, text in serving.REVIEWS if item == "pack"],
    }
    assert shown.text == shown.source[shown.start : shown.end]
    assert shown.source in about[side]


def test_history_is_shown_to_its_own_user_and_to_the_admin_only(client: TestClient) -> None:
    place = f"/v1/evidence/{_candidate(client, 'history')}"
    asked = {
        "own": client.get(place, params={"user": "author-ann"}),
        "admin": client.get(place, headers={"Authorization": f"Bearer {serving.TOKEN}"}),
        "nobody": client.get(place),
        "other": client.get(place, params={"user": "author-bob"}),
        "wrong": client.get(place, headers={"Authorization": f"Bearer {serving.TOKEN}x"}),
        "beyond ascii": client.get(place, headers={"Authorization": "Bearer é".encode("latin-1")}),
        "basic": client.get(place, headers={"Authorization": f"Basic {serving.TOKEN}"}),
    }
    statuses = {reader: reply.status_code for reader, reply in asked.items()}
    assert statuses == dict.fromkeys(asked, 404) | {"own": 200, "admin": 200}
    assert asked["own"].json() == asked["admin"].json()


@pytest.mark.parametrize("token", [None, ""])
def test_without_an_admin_token_nobody_is_admin(
    folder: Path, known: Mapping[Language, Analyser], client: TestClient, token: str | None
) -> None:
    place = f"/v1/evidence/{_candidate(client, 'history')}"
    unguarded = _client(serving.open_planted(folder, known, admin_token=token))
    for credentials in ("", "None", serving.TOKEN):
        assert unguarded.get(place, headers={"Authorization": f"Bearer {credentials}"}).status_code == 404


def test_no_reply_names_an_author(client: TestClient) -> None:
    texts = []
    for item in serving.DESCRIPTIONS:
        reply = client.post("/v1/rationales", json=serving.REQUEST | {"item": {"id": item}, "stream": True})
        texts.append(reply.text)
        for each in serving.events(reply.text)[0][1]["candidates"]:
            shown = client.get(f"/v1/evidence/{each['id']}", params={"user": "author-ann"})
            assert shown.status_code == 200
            texts.append(shown.text)
    assert len(texts) > 20
    assert not re.search("user_id|author", "".join(texts))


# --- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "slug", "told"),
    [
        (errors.UnknownIndexError("in /secret"), 404, "unknown-index", False),
        (errors.UnknownItemError("no i9", remedy="Do this."), 404, "unknown-item", True),
        (errors.UnknownEvidenceError("no e"), 404, "unknown-evidence", True),
        (errors.UnknownTemplateError("no t"), 404, "unknown-template", True),
        (errors.InvalidRequestError("bad"), 422, "invalid-request", True),
        (errors.LockedError("/secret/lock"), 409, "locked", False),
        (errors.EmbedderMismatchError("/secret"), 503, "embedder-mismatch", False),
        (errors.SnapshotError("/secret"), 503, "snapshot-unusable", False),
        (errors.ModelMissingError("/secret"), 503, "model-unavailable", False),
        (errors.ModelHashError("/secret"), 503, "model-unavailable", False),
        (errors.BackendError("/secret"), 503, "model-unavailable", False),
        (errors.SettingsError("/secret"), 500, "internal", False),
        (errors.RowError("/secret", 1, "f", "r"), 500, "internal", False),
        (errors.TemplateError("/secret", 1, "r"), 500, "internal", False),
        (ZeroDivisionError("/secret"), 500, "internal", False),
    ],
)
def test_every_error_becomes_its_problem(
    explainer: Explainer, error: Exception, status: int, slug: str, told: bool
) -> None:
    reply = _client(Failing(explainer, error)).post("/v1/rationales", json=serving.REQUEST)
    problem = reply.json()
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
    assert (problem["status"], problem["type"]) == (status, SLUG + slug)
    assert "secret" not in reply.text
    assert "Traceback" not in reply.text
    assert ("instance" in problem) == (status >= 500)
    if told:
        assert isinstance(error, errors.RagRationaleError)
        assert (problem["detail"], problem.get("remedy", "")) == (error.what, error.remedy)


def test_what_only_the_operator_can_mend_is_logged_under_the_instance_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    problem = problems.problem_of(errors.SnapshotError("/secret is damaged"))
    (record,) = caplog.records
    assert problem.instance is not None
    assert problem.instance in record.getMessage()
    assert "/secret is damaged" in record.getMessage()


@pytest.mark.parametrize(
    ("change", "slug"),
    [
        ({"index": "nowhere"}, "unknown-index"),
        ({"item": {"id": "nowhere"}}, "unknown-item"),
        ({"user": {"history": [{"item_id": "nowhere"}]}}, "unknown-item"),
        ({"template": "nowhere"}, "unknown-template"),
    ],
)
def test_what_the_index_does_not_hold_is_not_found(client: TestClient, change: dict[str, Any], slug: str) -> None:
    reply = client.post("/v1/rationales", json=serving.REQUEST | change)
    assert (reply.status_code, reply.json()["type"]) == (404, SLUG + slug)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"max_sentences": 7}, "body.max_sentences"),
        ({"user": {"history": [{"title": "a"}, {"title": "b", "rating": 6}]}}, "body.user.history[1].rating"),
        ({"user": {"history": [{"title": "a", "timestamp": 10**400}]}}, "body.user.history[0].timestamp"),
        ({"user": {"id": "author-ann", "history": [{"title": "a"}]}}, "body.user"),
        ({"item": {"id": "pack\0"}}, "body.item.id"),
        ({"query": "\ud800"}, "body.query"),
        ({"typo": 1}, "body.typo"),
    ],
)
def test_a_field_that_does_not_fit_is_named(client: TestClient, change: dict[str, Any], field: str) -> None:
    reply = client.post("/v1/rationales", content=json.dumps(serving.REQUEST | change), headers=JSON)
    assert (reply.status_code, reply.json()["type"]) == (422, SLUG + "invalid-request")
    assert [fault["field"] for fault in reply.json()["fields"]] == [field]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"query": "a\0b"}, "body.query"),
        ({"item": {"id": "pack", "title": "\0"}}, "body.item.title"),
        ({"user": {"preferences": ["good", "b\0d"]}}, "body.user.preferences[1]"),
        ({"user": {"history": [{"title": "a", "text": "\0"}]}}, "body.user.history[0].text"),
    ],
)
def test_a_nul_in_a_text_is_refused_by_its_place(client: TestClient, change: dict[str, Any], field: str) -> None:
    reply = client.post("/v1/rationales", json=serving.REQUEST | change)
    assert reply.status_code == 422
    assert [fault["field"] for fault in reply.json()["fields"]] == [field]


def test_odd_characters_in_an_address_are_no_failure_of_the_server(client: TestClient) -> None:
    asked = ("shop:a%00b", "shop:ab?user=%00", "%ED%A0%80", "shop:ab?user=%ED%A0%80", "x" * 300)
    statuses = [client.get(f"/v1/evidence/{rest}").status_code for rest in asked]
    assert statuses == [422, 422, 404, 404, 422]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"", 422),
        (b"[]", 422),
        (b"null", 422),
        (b'{"index": "\xff"}', 400),
        (b"[" * 400_000, 400),
        (b'{"user":' * 100_000, 400),
        (b'{"user":' * 700 + b"1" + b"}" * 700, 422),
        (b'{"seed":' + b"9" * 5000 + b"}", 400),
        (b'{"index":"shop","item":{"id":"pack"},"user":{"history":[{"title":"a","rating":NaN}]}}', 422),
        (b'{"index":"shop","item":{"id":"pack"},"\\ud800":1}', 422),
        (b'{"index":"shop","item":{"id":"pack","\\udc00":1}}', 422),
    ],
)
def test_a_body_that_is_no_request_is_refused(client: TestClient, body: bytes, status: int) -> None:
    reply = client.post("/v1/rationales", content=body, headers=JSON)
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")


def test_a_body_not_sent_as_json_is_told_how_to_send_it(client: TestClient) -> None:
    reply = client.post("/v1/rationales", content=json.dumps(serving.REQUEST), headers={"Content-Type": "text/plain"})
    assert reply.status_code == 422
    assert "Content-Type: application/json" in reply.json()["fields"][0]["reason"]


def test_what_does_not_fit_is_never_sent_back(client: TestClient) -> None:
    long = "long" * 100_000
    for change in ({"query": long}, {long: 1}, {f"k{n}" * 20: 1 for n in range(5000)}, {"item": {"id": long}}):
        reply = client.post("/v1/rationales", json=serving.REQUEST | change)
        assert reply.status_code == 422
        assert len(reply.content) < 5000


@pytest.mark.parametrize("over", [0, 1])
def test_a_body_over_the_limit_is_refused_whether_its_length_is_told_or_not(client: TestClient, over: int) -> None:
    body = json.dumps(serving.REQUEST).encode()
    body += b" " * (LARGEST_BODY - len(body) + over)

    def chunks() -> Generator[bytes, None, None]:
        for at in range(0, len(body), 100_000):
            yield body[at : at + 100_000]

    told = client.post("/v1/rationales", content=body, headers=JSON)
    streamed = client.post("/v1/rationales", content=chunks(), headers=JSON)
    assert "content-length" not in streamed.request.headers
    assert [told.status_code, streamed.status_code] == ([413, 413] if over else [200, 200])


def test_unknown_routes_and_methods_are_problems_too(client: TestClient) -> None:
    nowhere, wrong = client.get("/nowhere"), client.put("/v1/rationales")
    assert [nowhere.status_code, wrong.status_code] == [404, 405]
    assert wrong.headers["allow"] == "POST"
    assert {r.headers["content-type"] for r in (nowhere, wrong)} == {"application/problem+json"}


# --- threads ----------------------------------------------------------------------------------------------------------


def test_too_many_requests_at_once_are_told_to_come_back(explainer: Explainer) -> None:
    async def run() -> None:
        workers = Workers(threads=1, waiting=1)
        under_way = [workers.pull((n for n in range(3)), tick=1) for _ in range(3)]
        assert [await anext(items) for items in under_way[:2]] == [0, 0]
        with pytest.raises(problems.BusyError):
            await anext(under_way[2])
        await under_way[0].aclose()
        assert await anext(workers.pull((n for n in range(3)), tick=1)) == 0
        workers.close()

    asyncio.run(run())
    reply = _client(Failing(explainer, problems.BusyError("Busy."))).post("/v1/rationales", json=serving.REQUEST)
    assert (reply.status_code, reply.json()["detail"], reply.headers["retry-after"]) == (503, "Busy.", "1")


def test_closing_early_closes_the_iterator_even_while_a_thread_works_on_it() -> None:
    closed, go = threading.Event(), threading.Event()

    def slow() -> Generator[int, None, None]:
        try:
            go.wait(10)
            yield 1
        finally:
            closed.set()

    async def run() -> None:
        workers = Workers(threads=1)
        items = workers.pull(slow(), tick=0.01)
        assert await anext(items) is None
        await items.aclose()
        assert not closed.is_set()
        go.set()
        assert await asyncio.to_thread(closed.wait, 10)
        workers.close()

    asyncio.run(run())


def test_a_stream_that_cannot_be_sent_on_closes_its_steps(explainer: Explainer) -> None:
    staged = serving.Staged(explainer)

    async def refuse(_: object) -> None:
        raise OSError

    async def run() -> None:
        workers = Workers()
        made = staged.steps(RationaleRequest.model_validate(serving.REQUEST))
        steps = workers.pull(cast(Generator[Step, None, None], made), tick=1)
        stream = EventStream(await anext(steps), steps)
        with pytest.raises(ClientDisconnect):
            await stream({"type": "http", "asgi": {"spec_version": "2.4"}}, _never, refuse)
        assert staged.closed.wait(10)
        workers.close()

    asyncio.run(run())


async def _never() -> Any:
    raise AssertionError("nothing is to be received")


# --- readiness and the document ---------------------------------------------------------------------------------------


def test_a_process_with_an_engine_and_an_index_is_ready(client: TestClient, explainer: Explainer) -> None:
    reply = client.get("/readyz")
    label = explainer.snapshots.get("shop").manifest.label
    assert client.get("/healthz").json() == {"status": "ok"}
    assert (reply.status_code, reply.json()["ready"]) == (200, True)
    assert reply.json()["indexes"] == [{"name": "shop", "label": label, "embedder": "hashed-256", "trouble": None}]


def test_without_an_index_a_process_is_alive_but_not_ready(explainer: Explainer, tmp_path: Path) -> None:
    settings = explainer.settings.model_copy(update={"indexes": tmp_path})
    empty = Explainer(settings=settings, embedder=explainer.embedder, engine=explainer.engine, analysers={})
    asked = _client(empty)
    assert asked.get("/healthz").status_code == 200
    assert (asked.get("/readyz").status_code, asked.get("/readyz").json()["reason"]) == (503, "there is no index yet")


def test_an_index_of_another_embedder_is_listed_as_not_open_and_not_served(explainer: Explainer) -> None:
    embedder = HashedEmbedder(128)
    other = Explainer(settings=explainer.settings, embedder=embedder, engine=explainer.engine, analysers={})
    asked = _client(other)
    ready, reply = asked.get("/readyz"), asked.post("/v1/rationales", json=serving.REQUEST)
    assert (ready.status_code, ready.json()["reason"]) == (503, "no index opens")
    (shown,) = ready.json()["indexes"]
    assert (shown["name"], shown["label"], shown["embedder"]) == ("shop", None, None)
    assert "the log tells why" in shown["trouble"]
    assert (reply.status_code, reply.json()["type"]) == (503, SLUG + "embedder-mismatch")


def test_a_process_is_ready_once_its_engine_has_answered(explainer: Explainer) -> None:
    class Waking(type(explainer.engine)):  # type: ignore[misc]
        asked = 0

        def score(self, request: ScoreRequest) -> list[Score]:
            self.asked += 1
            if self.asked == 1:
                raise errors.BackendError("/secret")
            return list(super().score(request))

    engine = Waking()
    waking = serving.Staged(explainer)
    waking.engine = engine
    asked = _client(waking)
    replies = [asked.get("/readyz") for _ in range(4)]
    assert [r.status_code for r in replies] == [503, 200, 200, 200]
    assert "secret" not in replies[0].text
    assert engine.asked == 2


def test_names_that_callers_make_up_take_no_room(client: TestClient, explainer: Explainer) -> None:
    before = {name: len(each) for name, each in vars(explainer.snapshots).items() if isinstance(each, dict)}
    assert {"_open", "_opening", "_looked"} <= set(before)
    for n in range(20):
        assert client.post("/v1/rationales", json=serving.REQUEST | {"index": f"made-up-{n}"}).status_code == 404
    after = {name: len(each) for name, each in vars(explainer.snapshots).items() if isinstance(each, dict)}
    assert after == before


@pytest.mark.parametrize("path", ["/v1/rationales", "/v1/rationales/batch"])
def test_a_process_whose_engine_broke_is_not_ready_any_more(explainer: Explainer, path: str) -> None:
    class Breaking(type(explainer.engine)):  # type: ignore[misc]
        broken = False

        def score(self, request: ScoreRequest) -> list[Score]:
            if self.broken:
                raise errors.BackendError("The engine is closed.")
            return list(super().score(request))

    breaking = serving.Staged(explainer)
    breaking.go.set()
    breaking.engine = engine = Breaking()
    asked = _client(breaking)
    body = {"index": "shop", "user": {"id": "author-ann"}}
    body |= {"items": [{"id": "pack"}]} if path.endswith("batch") else {"item": {"id": "pack"}}
    assert asked.get("/readyz").status_code == 200
    engine.broken = True
    assert asked.get("/readyz").status_code == 200  # nobody knows yet
    assert "model-unavailable" in asked.post(path, json=body).text
    assert asked.get("/readyz").status_code == 503
    engine.broken = False
    assert asked.get("/readyz").status_code == 200


def test_the_document_shows_examples_true_to_the_contract_and_every_status(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    post, get = paths["/v1/rationales"]["post"], paths["/v1/evidence/{evidence_id}"]["get"]
    Rationale.model_validate(post["responses"]["200"]["content"]["application/json"]["example"])
    shown = SourceReply.model_validate(get["responses"]["200"]["content"]["application/json"]["example"])
    assert shown.text == shown.source[shown.start : shown.end]
    stream = serving.events(post["responses"]["200"]["content"]["text/event-stream"]["example"])
    assert [name for name, _ in stream] == ["evidence", "sentence", "done"]
    assert stream[-1][1] == examples.RATIONALE
    told = {
        (int(status), slug)
        for operation in (post, get, paths["/v1/users/{user_id}"]["delete"])
        for status, reply in operation["responses"].items()
        for slug in reply["content"].get("application/problem+json", {}).get("examples", {})
    }
    assert told == {(kind.status, kind.slug) for kind in problems.KINDS.values()}
    assert {"413", "422"} <= set(post["responses"])
    assert "HTTPValidationError" not in client.get("/openapi.json").text


# --- a real server ----------------------------------------------------------------------------------------------------


def test_a_real_server_answers_streams_and_stays_awake_beside_slow_work(explainer: Explainer) -> None:
    staged = serving.Staged(explainer)
    with serving.running(staged) as url, httpx.Client(base_url=url, timeout=20) as http:
        slow = threading.Thread(
            target=lambda: replies.append(http.post("/v1/rationales", json=serving.REQUEST)), daemon=True
        )
        replies: list[httpx.Response] = []
        slow.start()
        assert http.get("/healthz").json() == {"status": "ok"}
        assert slow.is_alive()
        staged.go.set()
        slow.join(20)
        assert Rationale.model_validate_json(replies[0].content).sentences
        streamed = http.post("/v1/rationales", json=serving.REQUEST | {"stream": True})
        assert serving.events(streamed.text)[-1][0] == "done"
        assert "server" not in streamed.headers


def test_a_body_said_to_be_too_large_is_refused_before_it_is_sent(explainer: Explainer) -> None:
    head = f"POST /v1/rationales HTTP/1.1\r\nHost: x\r\nContent-Length: {LARGEST_BODY + 1}\r\n\r\n"
    with serving.running(explainer) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(head.encode())
            assert _read_until(connection, "\r\n").startswith("HTTP/1.1 413 ")


def _read_until(connection: socket.socket, wanted: str) -> str:
    text, end = "", time.monotonic() + 60
    while wanted not in text and time.monotonic() < end and (more := connection.recv(65536)):
        text += more.decode()
    return text


@pytest.mark.parametrize("stream", [True, False])
def test_work_stops_when_the_client_leaves(explainer: Explainer, stream: bool) -> None:
    staged = serving.Staged(explainer)
    body = json.dumps(serving.REQUEST | {"stream": stream}).encode()
    head = f"POST /v1/rationales HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    with serving.running(staged) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(head.encode() + b"\r\n\r\n" + body)
            if stream:
                assert "event: evidence" in _read_until(connection, "event: evidence")
            else:
                time.sleep(0.2)
            assert not staged.closed.is_set()
        assert staged.closed.wait(10)


def test_connections_send_small_packets_at_once(explainer: Explainer) -> None:
    bound = serving.local(explainer)
    bound.listen()
    with bound, socket.create_connection(bound.getsockname(), timeout=20):
        accepted, _ = bound.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_serving_tells_where_it_listens_and_what_it_has_loaded(
    explainer: Explainer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(uvicorn.Server, "run", lambda *_, **__: None)
    serve(explainer, serving.local(explainer))
    told = capsys.readouterr()
    assert told.out == ""
    assert re.search(r"http://127\.0\.0\.1:[1-9]\d+\n", told.err)
    for loaded in ("scripted", "hashed-256", explainer.snapshots.get("shop").manifest.label):
        assert loaded in told.err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "no such host"])
def test_serving_to_other_machines_needs_a_key(host: str, tmp_path: Path) -> None:
    with pytest.raises(errors.SettingsError, match="RAG_RATIONALE_"):
        bind(Settings(host=host, port=0, admin_token=None), Keys(tmp_path))


def test_with_a_key_or_an_admin_token_serving_to_other_machines_is_allowed(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.create("shop", "read")
    for bound in (
        bind(Settings(host="0.0.0.0", port=0), keys),
        bind(Settings(host="0.0.0.0", port=0, admin_token="x")),
    ):
        with bound:
            assert bound.getsockname()[0] == "0.0.0.0"


def test_a_port_in_use_is_a_setting_to_correct() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(errors.SettingsError, match="Cannot listen"):
        bind(Settings(host="127.0.0.1", port=taken.getsockname()[1]))
