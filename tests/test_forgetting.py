"""What is deleted is gone: out of the next version at once, out of every file after a purge, and it stays away."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import planted
import pytest

from rag_rationale.building import BuildReport, build, compact_index, forget_users, purge
from rag_rationale.cli.main import main
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.errors import SnapshotError
from rag_rationale.index import Forgotten, SnapshotReader, list_versions, open_snapshot, rollback, verify

WORDS = "Quokkas nibbled my xylophone while the zeppelin hummed."
USER = "user-zyx-98"
Run = Callable[..., BuildReport]


def _reviews() -> list[dict[str, object]]:
    own = [
        {"review_id": "zz1", "user_id": USER, "item_id": "i0", "text": WORDS, "rating": 5},
        {"review_id": "zz2", "user_id": USER, "item_id": "i1", "text": "", "rating": 1},
    ]
    return [*planted.reviews(), *own]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    files = planted.write_catalogue(tmp_path / "files")
    event = {"user_id": USER, "item_id": "i3", "event": "view", "timestamp": 99_999}
    planted.write_jsonl(files["events"], [*planted.events(), event])
    planted.write_jsonl(files["users"], [*planted.users(), {"user_id": USER, "trust": 0.9}])
    planted.write_jsonl(files["reviews"], _reviews())

    def make(**changes: object) -> BuildReport:
        arguments = files | {"embedder": HashedEmbedder(), "folder": tmp_path / "indexes"} | changes
        return build("shop", **arguments)  # type: ignore[arg-type]

    return make


def _opened(tmp_path: Path) -> SnapshotReader:
    return open_snapshot(tmp_path / "indexes", "shop")


def _holding(root: Path, *texts: str) -> set[str]:
    """The files under `root` in which any of the texts stands, in any case or as JSON writes it."""
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and any(text.encode() in path.read_bytes() for text in texts)
    }


def _assert_forgotten(snapshot: SnapshotReader) -> None:
    assert snapshot.user_passages(USER) == []
    assert snapshot.user_events(USER) == []
    assert snapshot.user_trust(USER) == 1.0
    assert not [p for p in snapshot.item_passages("i0") if p.source_id == "zz1"]
    assert snapshot.source("review", "zz1", "text") is None
    query = HashedEmbedder().embed([WORDS], role="query")
    assert snapshot.nearest(query, k=1, over="passages")[0][0][1] < 0.5
    assert snapshot.manifest.newest_timestamp == 90_000
    assert snapshot.manifest.counts == {
        "items": 10, "reviews": 30, "users": 10, "events": 2, "passages": 60, "quarantined": 0,
    }  # fmt: skip
    assert _holding(snapshot.folder, USER, "Quokkas", "xylophone") == set()
    snapshot.close()


@pytest.mark.parametrize("how", ["build", "forget"])
def test_a_forgotten_user_is_gone_from_the_next_version_and_after_a_purge_from_every_file(
    run: Run, tmp_path: Path, how: str
) -> None:
    root = tmp_path / "indexes" / "shop"
    run()
    assert len(_holding(root, USER)) == len(_holding(root, "Quokkas")) == 1
    if how == "build":
        assert run(forget=[USER]).forgotten == 4
    else:
        forget_users("shop", [USER], folder=tmp_path / "indexes")
    _assert_forgotten(_opened(tmp_path))
    assert _holding(root, USER) != set()
    old = list_versions(root)[:-1]
    assert purge("shop", folder=tmp_path / "indexes") == old
    assert _holding(root, USER, "Quokkas", "xylophone", "zeppelin") == set()
    assert len(list_versions(root)) == 1
    verify(tmp_path / "indexes", "shop")


def test_a_forgotten_user_stays_forgotten_when_the_sources_still_tell_of_her(run: Run, tmp_path: Path) -> None:
    run(forget=[USER])
    for _ in range(2):
        run()
        _assert_forgotten(_opened(tmp_path))
    assert USER not in (tmp_path / "indexes" / "shop" / "forgotten.json").read_text(encoding="utf-8")
    assert run(folder=tmp_path / "others").forgotten == 0


def test_what_an_open_version_adds_up_of_an_item_loses_the_user_too(run: Run, tmp_path: Path) -> None:
    run()
    snapshot = _opened(tmp_path)
    snapshot.forget(USER)
    for item, (total, n) in snapshot.item_offsets(["i0", "i1"]).items():
        left, count = snapshot.offsets(snapshot.item_passages(item))
        assert n == count == 6
        np.testing.assert_allclose(total, left, atol=1e-5)
    snapshot.close()


def test_going_back_to_an_older_version_brings_no_forgotten_user_back(run: Run, tmp_path: Path) -> None:
    run()
    folder, query = tmp_path / "indexes", HashedEmbedder().embed([WORDS], role="query")
    forget_users("shop", [USER], folder=folder)
    rollback(folder, "shop")
    old = _opened(tmp_path)
    assert old.user_passages(USER) == old.user_events(USER) == []
    assert not [p for p in old.item_passages("i0") if p.source_id == "zz1"]
    assert old.nearest(query, k=1, over="passages")[0][0][1] < 0.5
    assert old.user_passages("u1") != []
    old.close()
    whole = open_snapshot(folder, "shop", whole=True)
    assert len(whole.user_passages(USER)) == 1
    whole.close()
    run()  # a build upon it writes her out again
    _assert_forgotten(_opened(tmp_path))


def test_one_command_erases_a_user_from_every_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    run(reviews=planted.write_jsonl(tmp_path / "r.jsonl", _reviews()[1:]))
    for name in ("INDEXES", "STATE"):
        monkeypatch.setenv(f"RAG_RATIONALE_{name}", str(tmp_path / name.lower()))
    monkeypatch.setenv("RAG_RATIONALE_EMBEDDER", "hashed")
    assert main(["erase", USER, "--purge"]) == 0
    assert json.loads(capsys.readouterr().out)["indexes"] == ["shop"]
    assert _holding(tmp_path / "indexes", USER, "Quokkas", "xylophone") == set()
    assert len(list_versions(tmp_path / "indexes" / "shop")) == 1


def test_other_users_keep_all_they_had(run: Run, tmp_path: Path) -> None:
    run()
    before = _opened(tmp_path)
    forget_users("shop", [USER], folder=tmp_path / "indexes")
    after = _opened(tmp_path)
    for n in range(10):
        assert before.user_events(f"u{n}") == after.user_events(f"u{n}")
        one, two = before.user_passages(f"u{n}"), after.user_passages(f"u{n}")
        assert [p.id for p in one] == [p.id for p in two] != []
        assert (before.vectors(one) == after.vectors(two)).all()
    before.close()
    after.close()


@pytest.mark.parametrize("kind", ["reviews", "items"])
def test_a_row_deleted_from_the_sources_leaves_with_its_bytes(run: Run, tmp_path: Path, kind: str) -> None:
    secret = {"item_id": "i0", "title": "The battery choice", "description": "It once held forty marmosets at bay."}
    rows = {
        "reviews": [*planted.reviews(), {"review_id": "s", "item_id": "i0", "text": secret["description"]}],
        "items": [*planted.items(), secret | {"item_id": "i99"}],
    }[kind]
    run(**{kind: planted.write_jsonl(tmp_path / "more.jsonl", rows)})
    report = run(**{kind: planted.write_jsonl(tmp_path / "less.jsonl", rows[:-1])})
    assert report.removed == 1
    snapshot = _opened(tmp_path)
    assert _holding(snapshot.folder, "marmosets") == set()
    snapshot.close()


def test_a_changed_text_leaves_when_it_is_purged(run: Run, tmp_path: Path) -> None:
    root, rows = tmp_path / "indexes" / "shop", _reviews()
    rows[0]["text"] = "Forty marmosets held the battery at bay for me."
    run(reviews=planted.write_jsonl(tmp_path / "r.jsonl", rows))
    report = run()
    assert not report.compacted
    assert _holding(root / "versions" / report.version, "marmosets") != set()
    purge("shop", folder=tmp_path / "indexes")
    assert _holding(root, "marmosets") == set()
    snapshot = _opened(tmp_path)
    assert snapshot.manifest.counts == run().counts
    snapshot.close()


def test_compacting_changes_nothing_that_a_reader_sees(run: Run, tmp_path: Path) -> None:
    run(reviews=planted.write_jsonl(tmp_path / "r.jsonl", planted.reviews()))
    run()
    before = _opened(tmp_path)
    assert len(before.manifest.segments) == 2
    compact_index("shop", folder=tmp_path / "indexes")
    after = _opened(tmp_path)
    assert len(after.manifest.segments) == 1
    assert after.manifest.counts == before.manifest.counts
    for item in before.item_ids():
        one, two = before.item_passages(item), after.item_passages(item)
        assert {p.id for p in one} == {p.id for p in two}
        assert after.item(item) == before.item(item)
    assert run().unchanged == 41  # rows that were compacted are known again
    before.close()
    after.close()


def test_a_damaged_list_of_the_forgotten_stops_builds_and_is_found(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(forget=[USER])
    path = tmp_path / "indexes" / "shop" / "forgotten.json"
    known = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(known | {"salt": "00" + known["salt"][2:]}), encoding="utf-8")
    with pytest.raises(SnapshotError, match=r"forgotten\.json is damaged"):
        run()
    monkeypatch.setenv("RAG_RATIONALE_INDEXES", str(tmp_path / "indexes"))
    assert main(["index", "verify", "shop"]) == 1
    assert "forgotten.json" in capsys.readouterr().err


def test_the_list_knows_users_by_their_salted_hash_alone(tmp_path: Path) -> None:
    one, two = Forgotten(tmp_path), Forgotten(tmp_path / "other")
    one.add(["ann", "bob"])
    assert "ann" in one
    assert "ann" not in two
    assert "ann" in Forgotten(tmp_path)
    assert None not in Forgotten(tmp_path)
    assert len(Forgotten(tmp_path)) == 2
