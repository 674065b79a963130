"""What others' likings tell: neighbours found by hand, time, and nobody's own."""

from __future__ import annotations

from pathlib import Path

import planted
import pytest

from rag_rationale.building import build
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.index import SnapshotReader, open_snapshot
from rag_rationale.retrieval import Crowd, candidates
from rag_rationale.types import HistoryEntry, UserRef

DAY = 86_400
# (user, item, rating, day): ann and bob like lamps, cleo likes jugs; dan met a lamp and did not like it
ROWS = [
    ("ann", "lamp-1", 5, 0), ("ann", "lamp-2", 5, 0),
    ("bob", "lamp-1", 5, 0), ("bob", "lamp-3", 5, 0),
    ("cleo", "jug-1", 5, 0), ("cleo", "jug-2", 5, 0),
    ("dan", "lamp-1", 1, 0), ("dan", "jug-3", 5, 0),
]  # fmt: skip


def _snapshot(folder: Path, rows: list[tuple[str, str, int, int]]) -> SnapshotReader:
    items = [
        {"item_id": f"{k}-{n}", "title": f"{k} {n}", "description": f"A {k} of ours."}
        for k in ("lamp", "jug")
        for n in (1, 2, 3)
    ]
    reviews = [
        {
            "review_id": str(n),
            "user_id": u,
            "item_id": i,
            "rating": r,
            "timestamp": (1000 + d) * DAY,
            "text": "I tried it.",
        }
        for n, (u, i, r, d) in enumerate(rows)
    ]
    folder.mkdir(exist_ok=True)
    files = {
        "items": planted.write_jsonl(folder / "i.jsonl", items),
        "reviews": planted.write_jsonl(folder / "r.jsonl", reviews),
    }
    build("shop", **files, embedder=HashedEmbedder(), folder=folder / "indexes")
    return open_snapshot(folder / "indexes", "shop")


def _scores(crowd: Crowd, *likings: str, user: str | None = None, day: int = 0) -> dict[str, float]:
    return dict(zip(crowd.items, crowd.scores(likings, user=user, now=(1000 + day) * DAY).tolist(), strict=True))


def test_what_neighbours_like_scores_as_worked_out_by_hand(tmp_path: Path) -> None:
    snapshot = _snapshot(tmp_path, ROWS)
    found = _scores(Crowd(snapshot), "lamp-1")
    # company: ann and bob count 1/sqrt(2) each; lamp-1 has both of them over 2 ** .25; trend: log 4 of lamp-1 leads
    assert found["lamp-1"] == pytest.approx(1.0)
    assert found["lamp-2"] == found["lamp-3"] == pytest.approx(0.25 * (0.5 * 2**0.25) + 0.75 * 0.5)  # log 2 / log 4
    assert (
        found["jug-1"] == found["jug-3"] == pytest.approx(0.75 * 0.5)
    )  # nobody who likes it likes the lamp; dan did not
    own = _scores(Crowd(snapshot), "lamp-1", user="ann")
    assert own["lamp-2"] == pytest.approx(0.75 * 0.5)  # she is not her own neighbour
    snapshot.close()


def test_later_meetings_count_more_and_those_to_come_not_at_all(tmp_path: Path) -> None:
    snapshot = _snapshot(tmp_path, [*ROWS, ("eve", "jug-1", 5, 60), ("eve", "lamp-1", 5, 60)])
    crowd = Crowd(snapshot)
    assert _scores(crowd, "lamp-1")["jug-1"] == pytest.approx(0.375)
    later = _scores(crowd, "lamp-1", day=60)
    assert later["jug-1"] > later["lamp-2"]
    snapshot.forget("eve")
    without = _snapshot(tmp_path / "other", ROWS)
    assert _scores(Crowd(snapshot), "lamp-1", day=60) == _scores(Crowd(without), "lamp-1", day=60)
    snapshot.close()
    without.close()


def test_how_fast_meetings_fade_is_chosen_by_what_they_foretold(tmp_path: Path) -> None:
    """In one shop each week has a favourite of its own, in the other people come back to the old ones."""
    weekly = [(f"u{n}", f"{('lamp', 'jug')[n // 60 % 2]}-{n // 20 % 3 + 1}", 5, n // 5) for n in range(400)]
    lasting = [(f"u{n}", "lamp-1" if not 200 < n <= 320 else f"jug-{n % 3 + 1}", 5, n // 2) for n in range(400)]
    chosen = {}
    for name, rows in (("weekly", weekly), ("lasting", lasting)):
        snapshot = _snapshot(tmp_path / name, rows)
        crowd, end = Crowd(snapshot), (1000 + rows[-1][3]) * DAY
        chosen[name] = crowd.half_life(end)
        assert crowd.half_life(end - 60 * DAY) == Crowd(snapshot).half_life(end - 60 * DAY)
        assert crowd.half_life(1000 * DAY) == 60 * DAY  # too little had been met
        snapshot.close()
    assert chosen["weekly"] == 10 * DAY
    assert chosen["lasting"] > 60 * DAY


def test_popularity_leads_from_what_is_alike_to_what_is_liked(tmp_path: Path) -> None:
    rows = [*ROWS, *((f"u{n}", item, 5, 0) for n in range(5) for item in ("lamp-1", "jug-3"))]
    snapshot = _snapshot(tmp_path, rows)
    user, crowd = UserRef(history=(HistoryEntry(item_id="lamp-1", rating=5),)), Crowd(snapshot)
    alike = candidates(user, snapshot, HashedEmbedder(), k=5, crowd=crowd, popularity=0)
    liked = candidates(user, snapshot, HashedEmbedder(), k=5, crowd=crowd, popularity=1)
    assert alike[0].item_id.startswith("lamp")
    assert liked[0].item_id == "jug-3"
    assert {c.item_id for c in alike} == {c.item_id for c in liked}
    snapshot.close()
