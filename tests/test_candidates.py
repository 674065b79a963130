"""Candidates for a recommendation: against brute force, without what was met, and varied."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import planted
import pytest

from rag_rationale.building import build
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.index import SnapshotReader, centre_vectors, open_snapshot
from rag_rationale.retrieval import Candidate, candidates
from rag_rationale.retrieval.candidates import _varied
from rag_rationale.types import HistoryEntry, UserRef, Vectors

EMBEDDER = HashedEmbedder(1024)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnapshotReader]:
    folder = tmp_path_factory.mktemp("candidates")
    build("shop", **planted.write_catalogue(folder / "files"), embedder=EMBEDDER, folder=folder / "indexes")
    reader = open_snapshot(folder / "indexes", "shop")
    yield reader
    reader.close()


def _wishing(text: str) -> UserRef:
    return UserRef(preferences=(text,))


def _means(snapshot: SnapshotReader, lang: str) -> dict[str, Vectors]:
    """By id, each item of a language: the mean of its own passages less the language's centre, norm 1."""
    found = {}
    for name in snapshot.item_ids():
        own = [p for p in snapshot.item_passages(name) if p.kind == "item" and p.quarantined is None]
        item = snapshot.item(name)
        if item is not None and item.lang == lang:
            mean = snapshot.vectors(own).mean(axis=0)
            rest = mean / np.linalg.norm(mean) - snapshot.centre(item.lang)
            found[name] = rest / np.linalg.norm(rest)
    return found


@pytest.mark.parametrize(("wish", "lang", "first"), [("a violin case", "en", "i4"), ("冰川的照片", "zh", "i9")])
def test_scores_are_centred_cosines_to_the_taste(snapshot: SnapshotReader, wish: str, lang: str, first: str) -> None:
    found = candidates(_wishing(wish), snapshot, EMBEDDER, k=10)
    centre = snapshot.centre(lang)  # type: ignore[arg-type]
    (taste,) = centre_vectors(EMBEDDER.embed([wish], role="passage"), centre)
    wanted = {name: float(vector @ taste) for name, vector in _means(snapshot, lang).items()}
    assert found[0].item_id == first
    assert {c.item_id: c.score for c in found if c.item_id in wanted} == pytest.approx(wanted, abs=5e-4)
    assert len(wanted) == 5
    assert [c.score for c in found] == sorted((c.score for c in found), reverse=True)


def test_what_the_user_has_met_never_comes(snapshot: SnapshotReader) -> None:
    met = {p.item_id for p in snapshot.user_passages("u1")} | {e.item_id for e in snapshot.user_events("u1")}
    assert met >= {"i3", "i4"}
    found = candidates(UserRef(id="u1"), snapshot, EMBEDDER, k=10)
    assert {c.item_id for c in found} == set(snapshot.item_ids()) - met
    fewer = candidates(UserRef(id="u1"), snapshot, EMBEDDER, k=10, exclude=[found[0].item_id])
    assert [c.item_id for c in fewer] == [c.item_id for c in found[1:]]


def test_what_is_later_than_as_of_has_not_been_met(snapshot: SnapshotReader) -> None:
    found = candidates(UserRef(id="u1"), snapshot, EMBEDDER, k=10, as_of=79_999)
    assert {"i3", "i4"} <= {c.item_id for c in found}


def test_an_inline_history_counts_as_met_and_as_taste(snapshot: SnapshotReader) -> None:
    history = (HistoryEntry(item_id="i4", event="purchase"), HistoryEntry(title="lantern", event="purchase"))
    found = candidates(UserRef(history=history), snapshot, EMBEDDER, k=10)
    assert found[0].item_id == "i8"
    assert "i4" not in {c.item_id for c in found}


def test_nobody_known_and_nothing_liked_get_none(snapshot: SnapshotReader) -> None:
    bad = HistoryEntry(title="lantern", event="rating", rating=1.0)
    for user in (UserRef(id="nobody"), UserRef(), UserRef(history=(bad,))):
        assert candidates(user, snapshot, EMBEDDER, k=5) == []
    assert candidates(_wishing("violin"), snapshot, EMBEDDER, k=0) == []


def test_diversity_trades_nearness_for_variety() -> None:
    vectors = np.array([[1.0, 0.0], [0.99, 0.14], [0.6, 0.8], [0.6, -0.8]], np.float32)
    scores = vectors[:, 0]
    assert _varied(scores, vectors, k=4, diversity=0.0) == [0, 1, 2, 3]
    # after 0: 1 is worth 0.5 * 0.99 - 0.5 * 0.99 = 0, and so are 2 and 3; a little more weight on variety decides
    assert _varied(scores, vectors, k=3, diversity=0.6) == [0, 2, 3]
    assert _varied(scores, vectors, k=9, diversity=1.0)[:2] == [0, 2]


def test_diversity_keeps_each_candidate_s_own_score(snapshot: SnapshotReader) -> None:
    plain = candidates(_wishing("violin"), snapshot, EMBEDDER, k=10)
    varied = candidates(_wishing("violin"), snapshot, EMBEDDER, k=10, diversity=0.7)
    assert varied[0] == plain[0]
    assert set(varied) == set(plain)
    assert isinstance(varied[0], Candidate)


def test_items_without_words_or_unknown_have_vectors_of_zeros(snapshot: SnapshotReader) -> None:
    found = snapshot.item_vectors(["i9", "none", "i0", "i9"])
    own = snapshot.vectors([p for p in snapshot.item_passages("i9") if p.kind == "item"]).mean(axis=0)
    np.testing.assert_allclose(found[0], own / np.linalg.norm(own), atol=3e-4)
    np.testing.assert_array_equal(found[1], 0)
    np.testing.assert_array_equal(found[0], found[3])
    assert snapshot.item_vectors([]).shape == (0, EMBEDDER.dimension)
