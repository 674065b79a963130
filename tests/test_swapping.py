"""A version that becomes current while the service runs takes the old one's place, and nobody notices."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import bounded
import httpx
import planted
import pytest
from serving import REQUEST, REVIEWS, TOKEN, catalogue, open_planted, running

from rag_rationale.building import build
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.errors import EmbedderMismatchError
from rag_rationale.index import current_version, set_current
from rag_rationale.service import Embedders, Explainer, snapshots
from rag_rationale.types import Analyser, Language, RationaleRequest

ADMIN = {"Authorization": f"Bearer {TOKEN}"}
Rebuild = Callable[[int], str]


@pytest.fixture
def explainer(tmp_path: Path, known: Mapping[Language, Analyser]) -> Iterator[Explainer]:
    explainer = open_planted(tmp_path, known)
    yield explainer
    explainer.close()


@pytest.fixture
def rebuild(tmp_path: Path) -> Rebuild:
    """Makes version `n` of the shop current, in which every review of the pack tells its number; returns its name."""

    def make(n: int) -> str:
        files = catalogue(tmp_path / f"files-{n}")
        rows = [
            {
                "review_id": f"r{k}",
                "user_id": user,
                "item_id": item,
                "rating": rating,
                "timestamp": 100 * k,
                "text": text,
            }
            for k, (user, item, rating, text) in enumerate(REVIEWS)
        ]
        rows = [row | {"text": f"Edition {n}: {row['text']}"} if row["item_id"] == "pack" else row for row in rows]
        planted.write_jsonl(files["reviews"], rows)
        return build("shop", **files, embedder=HashedEmbedder(), folder=tmp_path / "indexes").version

    return make


def _label(explainer: Explainer) -> str:
    return explainer.explain(RationaleRequest.model_validate(REQUEST)).provenance.index


def test_the_service_notices_a_new_version_by_itself(
    explainer: Explainer, rebuild: Rebuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _label(explainer)
    version = rebuild(1)
    assert _label(explainer) == first  # it has looked within the last second
    monkeypatch.setattr(snapshots, "PATIENCE", 0.0)
    bounded.until(lambda: _label(explainer) == f"shop@{version}")


def test_current_is_looked_at_once_a_second_at_most(explainer: Explainer, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    def look(root: Path) -> str | None:
        looks.append(root)
        return current_version(root)

    explainer.snapshots.get("shop")
    monkeypatch.setattr(snapshots, "current_version", look)
    monkeypatch.setattr(snapshots, "PATIENCE", 3600.0)
    for _ in range(100):
        explainer.snapshots.get("shop")
    assert len(looks) == 0
    monkeypatch.setattr(snapshots, "PATIENCE", 0.0)
    explainer.snapshots.get("shop")
    assert len(looks) == 1


def test_an_old_version_is_let_go_at_once_when_nobody_holds_it(explainer: Explainer, rebuild: Rebuild) -> None:
    gc.disable()  # nothing that it holds may wait for the collector of cycles
    try:
        _let_go(explainer, rebuild)
    finally:
        gc.enable()


def _let_go(explainer: Explainer, rebuild: Rebuild) -> None:
    steps = explainer.steps(RationaleRequest.model_validate(REQUEST))
    next(steps)
    old = weakref.ref(explainer.snapshots.get("shop"))
    segment = weakref.ref(explainer.snapshots.get("shop").rows.segments[0])
    label = explainer.snapshots.get("shop").manifest.label
    rebuild(1)
    explainer.snapshots.reload("shop")
    assert old() is not None  # the request that began with it goes on with it
    assert [step.rationale.provenance.index for step in steps if step.rationale] == [label]
    del steps
    assert old() is None
    assert segment() is None


def test_a_broken_version_is_told_of_and_the_old_one_goes_on(
    explainer: Explainer, rebuild: Rebuild, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(snapshots, "PATIENCE", 0.0)
    first, root = _label(explainer), explainer.settings.indexes / "shop"
    version = rebuild(1)
    manifest = root / "versions" / version / "manifest.json"
    whole = manifest.read_bytes()
    manifest.write_text("{", encoding="utf-8")
    bounded.until(lambda: _label(explainer) == first and "shop" in explainer.snapshots.troubles())
    with running(explainer) as url:
        state = httpx.get(f"{url}/readyz", timeout=30).json()["indexes"][0]
        assert state["label"] == first
        assert "does not open" in state["trouble"]
        assert httpx.post(f"{url}/v1/indexes/shop/reload", headers=ADMIN, timeout=30).status_code == 503
        assert _label(explainer) == first
        manifest.write_bytes(whole)
        assert httpx.post(f"{url}/v1/indexes/shop/reload", headers=ADMIN, timeout=30).json()["version"] == version
        assert httpx.get(f"{url}/readyz", timeout=30).json()["indexes"][0]["trouble"] is None
    assert sum("goes on" in record.message for record in caplog.records) == 1  # not at every look
    set_current(root, first.partition("@")[2])
    bounded.until(lambda: _label(explainer) == first)


def test_eight_clients_meet_no_error_and_no_mixture_while_versions_are_swapped(
    explainer: Explainer, rebuild: Rebuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "PATIENCE", 0.02)
    editions, ends = {explainer.snapshots.get("shop").manifest.label: ""}, False

    seen: list[tuple[str, set[str]]] = []

    def ask(url: str) -> None:
        with httpx.Client(timeout=30) as client:
            while not ends:
                reply = client.post(f"{url}/v1/rationales", json=REQUEST | {"max_sentences": 4})
                assert reply.status_code == 200, reply.text
                body = reply.json()
                cited = [e["text"] for e in body["evidence"] if e["item_id"] == "pack" and e["side"] == "review"]
                told = {text.split(":")[0] for text in cited if text.startswith("Edition")}
                seen.append((body["provenance"]["index"], told))

    with running(explainer) as url, bounded.Threads(8, seconds=180) as clients:
        asked = [clients.submit(ask, url) for _ in range(8)]
        try:
            for n in range(1, 5):
                editions[f"shop@{rebuild(n)}"] = f"Edition {n}"
                bounded.until(lambda: seen[-1:] != [] and seen[-1][0] == list(editions)[-1])
        finally:
            ends = True
        for client in asked:
            client.result()  # raises what it met
    assert {label for label, _ in seen} == set(editions)
    assert any(told for _, told in seen)
    for label, told in seen:
        assert told <= {editions[label]}, label


def test_the_indexes_are_listed_and_reloaded_by_an_admin_only(explainer: Explainer, rebuild: Rebuild) -> None:
    with running(explainer) as url:
        (shown,) = httpx.get(f"{url}/v1/indexes", timeout=30).json()
        assert shown["embedder"] == "hashed-256"
        assert shown["counts"]["items"] == 3
        version = rebuild(1)
        assert httpx.post(f"{url}/v1/indexes/shop/reload", timeout=30).status_code == 403
        assert httpx.get(f"{url}/v1/indexes", timeout=30).json()[0]["version"] == shown["version"]
        assert httpx.post(f"{url}/v1/indexes/shop/reload", headers=ADMIN, timeout=30).json()["version"] == version
        assert httpx.get(f"{url}/v1/indexes", timeout=30).json()[0]["version"] == version
        assert httpx.post(f"{url}/v1/indexes/nowhere/reload", headers=ADMIN, timeout=30).status_code == 404
        assert json.loads(httpx.get(f"{url}/readyz", timeout=30).text)["indexes"][0]["label"] == f"shop@{version}"


def test_each_index_is_opened_with_the_embedder_that_built_it(tmp_path: Path, explainer: Explainer) -> None:
    wide, asked = HashedEmbedder(64), []
    for name in ("one", "two"):
        build(name, **catalogue(tmp_path / name), embedder=wide, folder=tmp_path / "indexes")

    def named(name: str) -> HashedEmbedder | None:
        asked.append(name)
        return wide if name == wide.name else None

    embedders = Embedders(HashedEmbedder(), open_named=named)
    over = Explainer(settings=explainer.settings, embedder=embedders, engine=explainer.engine, analysers={})
    assert over.snapshots.open("shop").embedder.name == "hashed-256"
    assert over.snapshots.open("one").embedder is over.snapshots.open("two").embedder
    assert over.snapshots.open("one").embedder.name == wide.name
    assert asked == ["hashed-64"]
    for name in ("shop", "one", "two"):
        over.snapshots.get(name).close()
    other = Explainer(settings=explainer.settings, embedder=HashedEmbedder(), engine=explainer.engine, analysers={})
    with pytest.raises(EmbedderMismatchError, match=r"built with hashed-64 .*RAG_RATIONALE_EMBEDDER"):
        other.snapshots.open("one")
