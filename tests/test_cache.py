"""Cache and log of rationales: what is kept, what is written anew, what is gone when somebody is erased."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NoReturn

import planted
import pytest
import serving
from fastapi.testclient import TestClient

from rag_rationale.api import create_app
from rag_rationale.building import build
from rag_rationale.errors import SettingsError, UnknownEvidenceError
from rag_rationale.index import rollback
from rag_rationale.service import Answers, Explainer, Step, open_answers, purge_answers
from rag_rationale.service.cache import RationaleCache
from rag_rationale.service.forgetting import Forgotten
from rag_rationale.service.log import RationaleLog
from rag_rationale.service.state import FILE, State
from rag_rationale.types import Analyser, Language, Rationale, RationaleRequest

ASKED = RationaleRequest.model_validate(serving.REQUEST)


class Kept:
    """Answers over a state folder, with a clock that can be set."""

    def __init__(self, explainer: Explainer, folder: Path, *, largest: int = 1 << 20) -> None:
        self.time = 1_000_000.0
        self.state = State(folder)
        self.cache = RationaleCache(self.state, largest=largest, days=30, now=lambda: self.time)
        self.log = RationaleLog(self.state, days=90, now=lambda: self.time)
        self.answers = Answers(explainer, cache=self.cache, log=self.log)

    def ask(self, request: RationaleRequest = ASKED, **changes: Any) -> Step:
        """The last step to the answer."""
        body = request.model_dump(exclude_unset=True) | changes
        return list(self.answers.steps(RationaleRequest.model_validate(body)))[-1]


@pytest.fixture
def kept(shop: Explainer, tmp_path: Path) -> Iterator[Kept]:
    made = Kept(shop, tmp_path)
    yield made
    made.state.close()


def _text(step: Step) -> str:
    assert step.rationale is not None
    return step.rationale.rationale


def test_what_did_not_change_is_answered_again_under_an_id_of_its_own(kept: Kept, shop: Explainer) -> None:
    first = kept.ask()
    asked = len(shop.engine.history)  # type: ignore[attr-defined]
    second = kept.ask(stream=True, deadline_ms=5)  # which shape no text
    assert (first.cached, second.cached) == (False, True)
    assert first.rationale is not None
    assert second.rationale is not None
    assert first.rationale.id != second.rationale.id
    changing = {"id", "timings_ms"}
    assert first.rationale.model_dump(exclude=changing) == second.rationale.model_dump(exclude=changing)
    assert len(shop.engine.history) == asked  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"language": "en"},
        {"max_sentences": 2},
        {"query": "pockets"},
        {"user": {"id": "author-bob"}},
        {"user": {}},
        {"item": {"id": "tent"}},
        {"template": "default:production"},
    ],
)
def test_what_was_asked_otherwise_is_written(kept: Kept, change: dict[str, Any]) -> None:
    kept.ask()
    assert not kept.ask(**change).cached
    assert kept.ask(**change).cached


@pytest.mark.parametrize(
    "change",
    [
        {"user": {"history": [{"title": "Boots"}]}},
        {"user": {"id": "author-ann", "preferences": ["warm feet"]}},
        {"item": {"title": "Bench", "description": "It is a bench of oak."}},
        {"item": {"id": "pack", "description": "It is a pack of wool."}},
    ],
)
def test_what_came_with_the_request_is_not_stored(kept: Kept, change: dict[str, Any]) -> None:
    for _ in range(2):
        assert not kept.ask(**change).cached
    assert len(kept.cache) == 0


def test_a_degraded_reply_is_not_cached(kept: Kept) -> None:
    late = kept.ask(deadline_ms=1)
    assert late.rationale is not None
    assert late.rationale.degraded
    assert not kept.ask().cached
    assert kept.ask(deadline_ms=1).cached


def test_an_old_entry_is_written_anew(kept: Kept) -> None:
    kept.ask()
    kept.time += 29 * 86_400
    assert kept.ask().cached
    kept.time += 2 * 86_400
    assert not kept.ask().cached
    assert kept.ask().cached


def test_the_cache_outlives_the_process(kept: Kept, shop: Explainer, tmp_path: Path) -> None:
    kept.ask()
    kept.state.close()
    again = Kept(shop, tmp_path)
    assert again.cache.size > 0
    assert again.ask().cached
    again.state.close()


def test_a_full_cache_drops_what_was_not_used_for_longest(shop: Explainer, tmp_path: Path) -> None:
    small = Kept(shop, tmp_path, largest=20_000)
    for seed in range(3):
        small.ask(seed=seed)
        small.time += 10
    small.time += 4000
    assert small.ask(seed=0).cached
    seed = 3
    while len(small.cache) == seed and seed < 50:  # until the first eviction
        small.ask(seed=seed)
        small.time += 10
        seed += 1
    assert small.cache.size <= 18_000
    assert len(small.cache) >= 2
    assert small.ask(seed=0).cached
    assert not small.ask(seed=1).cached
    small.state.close()


def test_a_nightly_rebuild_keeps_what_did_not_change(tmp_path: Path, known: Mapping[Language, Analyser]) -> None:
    explainer = serving.open_planted(tmp_path, known)
    kept = Kept(explainer, tmp_path / "state")
    asked = {"kept": ("author-ann", "pack"), "item": ("author-dan", "tent"), "user": ("author-bob", "boots")}

    def cached() -> dict[str, bool]:
        return {name: kept.ask(user={"id": u}, item={"id": i}).cached for name, (u, i) in asked.items()}

    assert cached() == dict.fromkeys(asked, False)
    assert cached() == dict.fromkeys(asked, True)
    files = serving.catalogue(tmp_path / "next")
    rows = list(map(json.loads, files["reviews"].read_text("utf-8").splitlines()))
    planted.write_jsonl(files["reviews"], [row for row in rows if row["review_id"] != "r5"])  # author-bob's of the tent
    build("shop", **files, embedder=explainer.embedder, folder=tmp_path / "indexes")
    explainer.close()
    fresh = serving.open_planted(tmp_path, known)
    kept.answers = Answers(fresh, cache=kept.cache, log=kept.log)
    assert cached() == {"kept": True, "item": False, "user": False}
    kept.state.close()
    fresh.close()


@pytest.fixture
def own_shop(tmp_path: Path, shop: Explainer) -> Iterator[Explainer]:
    """An explainer over an index `shop` of its own, in which people may be forgotten."""
    made = serving.open_planted(tmp_path, shop.analysers)
    yield made
    made.close()


def test_of_an_erased_user_nothing_is_left_that_was_written_for_her_or_quotes_her(
    own_shop: Explainer, tmp_path: Path
) -> None:
    kept = Kept(own_shop, tmp_path)
    own = kept.ask(user={"id": "author-dan"}, item={"id": "tent"})
    quoting, other = kept.ask(), kept.ask(user={"id": "author-cleo"}, item={"id": "boots"})
    assert "zip broke" in _text(quoting)  # author-dan's words
    erased = kept.answers.erase("author-dan")
    assert (erased.rationales, erased.logged, erased.indexes) == (2, 1, ("shop",))
    assert len(kept.cache) == 1
    assert own.rationale is not None
    assert kept.log.get(own.rationale.id) is None
    assert kept.log.get(quoting.rationale.id) is not None  # type: ignore[union-attr]
    held = b"".join(path.read_bytes() for path in tmp_path.glob(FILE + "*"))
    assert b"zip broke" not in held
    assert b"author-" not in held
    anew = kept.ask()
    assert not anew.cached
    assert "zip broke" not in _text(anew)
    assert kept.ask(user={"id": "author-cleo"}, item={"id": "boots"}).cached
    assert other.rationale is not None
    kept.state.close()


@pytest.mark.parametrize("erased", ["author-dan", "author-ann"])
def test_what_was_under_way_when_a_user_was_erased_is_not_kept(
    own_shop: Explainer, tmp_path: Path, erased: str
) -> None:
    """author-dan is quoted, author-ann asks."""
    kept = Kept(own_shop, tmp_path)
    steps = kept.answers.steps(ASKED)
    next(steps)
    kept.answers.erase(erased)
    last = list(steps)[-1]
    assert "zip broke" in _text(last)
    assert last.rationale is not None
    assert len(kept.cache) == 0
    assert (kept.log.get(last.rationale.id) is None) == (erased == "author-ann")
    assert b"zip broke" not in b"".join(path.read_bytes() for path in tmp_path.glob(FILE + "*"))
    assert not kept.ask().cached
    assert kept.ask().cached
    kept.state.close()


def test_a_full_disk_costs_the_cache_and_the_log_but_no_reply(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> NoReturn:
        raise sqlite3.OperationalError("database or disk is full")

    first = kept.ask()
    with monkeypatch.context() as patch:
        patch.setattr(State, "writing", full)
        assert kept.ask().cached
        assert _text(kept.ask(seed=1)) == _text(kept.ask(seed=1)) != ""
        patch.setattr(RationaleCache, "get", full)
        assert _text(kept.ask()) == _text(first)
    assert "cannot be written: database or disk is full" in caplog.text
    assert "cannot be read: database or disk is full" in caplog.text
    assert not kept.ask(seed=1).cached
    monkeypatch.setattr(State, "writing", full)
    with pytest.raises(sqlite3.OperationalError):  # who asks for this must know
        kept.answers.erase("author-nobody")


def test_an_erased_user_is_unknown_at_once_after_a_restart_and_in_another_process(
    own_shop: Explainer, tmp_path: Path
) -> None:
    def opened(explainer: Explainer) -> tuple[Answers, State]:
        settings = explainer.settings.model_copy(update={"state": tmp_path})
        explainer.settings = settings
        return open_answers(explainer)

    body = RationaleRequest.model_validate(serving.REQUEST | {"user": {"id": "author-ann"}, "item": {"id": "pack"}})
    running, state = opened(own_shop)
    assert running.answer(body).personal
    candidate = next(e.id for s in running.steps(body) for e in s.evidence if e.side == "history")
    assert running.evidence(candidate, user_id="author-ann").text
    command = serving.open_planted(tmp_path, own_shop.analysers)
    erasing, second = opened(command)
    assert erasing.erase("author-ann").indexes == ("shop",)
    assert erasing.erase("author-ann").indexes == ()
    assert erasing.erase("author-nobody").indexes == ()
    restarted = serving.open_planted(tmp_path, own_shop.analysers)
    again, third = opened(restarted)
    for answers in (running, erasing, again):
        assert not answers.answer(body).personal
        with pytest.raises(UnknownEvidenceError):
            answers.evidence(candidate, user_id="author-ann")
    for each in (state, second, third):
        each.close()
    for made in (command, restarted):
        made.close()


def test_a_rollback_after_erasing_brings_nobody_back(own_shop: Explainer, tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    answers = Answers(own_shop, forgotten=Forgotten(state))
    assert "zip broke" in answers.answer(ASKED).model_dump_json()  # author-dan's words
    answers.erase("author-dan")
    indexes = tmp_path / "indexes"
    build(
        "shop", **serving.catalogue(tmp_path / "next"), embedder=own_shop.embedder, folder=indexes
    )  # still tells of him
    own_shop.snapshots.reload("shop")
    assert "zip broke" not in answers.answer(ASKED).model_dump_json()
    assert state.rows("SELECT user FROM forgotten") == []
    rollback(indexes, "shop")
    own_shop.snapshots.reload("shop")
    assert "zip broke" not in answers.answer(ASKED).model_dump_json()
    state.close()


def test_the_id_of_an_erased_user_goes_once_the_index_is_built_without_her(
    tmp_path: Path, known: Mapping[Language, Analyser]
) -> None:
    explainer, state = serving.open_planted(tmp_path, known), State(tmp_path / "state")
    forgotten = Forgotten(state)
    assert forgotten.add(explainer.snapshots.get("shop"), "author-dan")
    assert state.rows("SELECT user FROM forgotten") == [("author-dan",)]
    assert Forgotten(state).heed(explainer.snapshots.get("shop"))  # the same version, asked by another process
    files = serving.catalogue(tmp_path / "next")
    rows = list(map(json.loads, files["reviews"].read_text("utf-8").splitlines()))
    planted.write_jsonl(files["reviews"], [row for row in rows if row["user_id"] != "author-dan"])
    build("shop", **files, embedder=explainer.embedder, folder=tmp_path / "indexes")
    explainer.close()
    fresh = serving.open_planted(tmp_path, known)
    forgotten.heed(fresh.snapshots.get("shop"))
    assert state.rows("SELECT user FROM forgotten") == []
    fresh.close()
    state.close()


def test_the_log_knows_ids_versions_and_verdicts_and_no_text(kept: Kept) -> None:
    first, second = kept.ask().rationale, kept.ask().rationale
    assert first is not None
    assert second is not None
    row, again = kept.log.get(first.id), kept.log.get(second.id)
    assert row is not None
    assert again is not None
    assert (row.made, again.made) == (None, first.id)
    assert (row.index, row.template) == (first.provenance.index, first.provenance.template)
    assert [v["mode"] for v in row.verdicts] == [s.mode for s in first.sentences]
    assert row.user == again.user == kept.state.hashed("author-ann").hex()
    assert replace(row, id="", made=None) == replace(again, id="", made=None)
    (cells,) = kept.state.rows("SELECT * FROM served WHERE id = ?", (first.id,))
    told = " ".join(map(str, cells))
    assert not [word for word in ("author", "belt", "zip", "broke") if word in told]
    kept.time += 91 * 86_400
    assert kept.log.get(first.id) is None
    kept.ask(seed=7)
    assert len(kept.state.rows("SELECT id FROM served")) == 1


def test_a_purge_leaves_nothing_that_rests_on_other_versions(kept: Kept, shop: Explainer, tmp_path: Path) -> None:
    label, text = shop.snapshots.get("shop").manifest.label, _text(kept.ask())
    settings = shop.settings.model_copy(update={"state": tmp_path})
    assert purge_answers(settings, "shop", keep=label) == (0, 0)
    assert purge_answers(settings, "sho", keep="sho@later") == (0, 0)
    assert kept.ask().cached
    assert purge_answers(settings, "shop", keep="shop@later") == (1, 2)
    assert not kept.state.rows("SELECT * FROM quoted UNION SELECT id, at FROM served")
    assert text.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob(f"{FILE}*"))
    assert purge_answers(settings.model_copy(update={"state": tmp_path / "none"}), "shop", keep="") == (0, 0)
    assert not (tmp_path / "none").exists()


def test_two_installations_hash_a_user_differently(tmp_path: Path) -> None:
    one, two = State(tmp_path / "one"), State(tmp_path / "two")
    assert one.hashed("u") == one.hashed("u") != two.hashed("u")
    assert (tmp_path / "one" / FILE).stat().st_mode & 0o077 == 0
    one.close()
    two.close()


def test_a_state_folder_that_cannot_be_written_is_a_setting_to_correct(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="RAG_RATIONALE_STATE"):
        State(tmp_path / "file")


def test_a_batch_takes_from_the_cache_what_is_there(kept: Kept) -> None:
    kept.ask()
    asked = [RationaleRequest.model_validate(serving.REQUEST | {"item": {"id": i}}) for i in ("pack", "tent", "gone")]
    last = dict(kept.answers.many(asked))
    assert isinstance(last[0], Step)
    assert isinstance(last[1], Step)
    assert (last[0].cached, last[1].cached) == (True, False)
    assert isinstance(last[2], Exception)


def test_a_hit_is_told_and_fast_over_http_in_json_and_as_a_stream(kept: Kept, shop: Explainer) -> None:
    with TestClient(create_app(shop, answers=kept.answers)) as client:
        miss = client.post("/v1/rationales", json=serving.REQUEST)
        spent = []
        for _ in range(20):
            began = perf_counter()
            hit = client.post("/v1/rationales", json=serving.REQUEST)
            spent.append(perf_counter() - began)
        assert (miss.headers["x-cache"], hit.headers["x-cache"]) == ("miss", "hit")
        streamed = [serving.REQUEST | {"stream": True, "seed": seed} for seed in (0, 1)]
        told = [client.post("/v1/rationales", json=body).headers["x-cache"] for body in streamed]
        assert told == ["hit", "miss"]
        assert Rationale.model_validate_json(hit.content).timings_ms.write == 0
        assert median(spent) < 0.1  # scripts/soak/service measures it; here only that nothing is written
        events = serving.events(client.post("/v1/rationales", json=serving.REQUEST | {"stream": True}).text)
        assert [name for name, _ in events] == ["evidence", *["sentence"] * len(hit.json()["sentences"]), "done"]


def test_recommendations_are_unseen_items_each_with_its_rationale(shop: Explainer) -> None:
    with TestClient(create_app(shop)) as client:
        found = client.post("/v1/recommendations", json={"index": "shop", "user": {"id": "author-cleo"}}).json()
        assert {each["item_id"] for each in found["recommendations"]} == {"boots", "tent"}  # she reviewed the pack
        scores = [each["score"] for each in found["recommendations"]]
        assert scores == sorted(scores, reverse=True)
        for each in found["recommendations"]:
            asked = {"user": {"id": "author-cleo"}, "item": {"id": each["item_id"]}}
            alone = client.post("/v1/rationales", json=serving.REQUEST | asked)
            assert each["rationale"]["rationale"] == alone.json()["rationale"]
        nobody = client.post("/v1/recommendations", json={"index": "shop"}).json()
        assert nobody == {"recommendations": [], "reason": "no_history"}
