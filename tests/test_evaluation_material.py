"""Subjects are drawn as promised, replies and vectors are made once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import planted
import pytest
from serving import analysers

from rag_rationale.building import build
from rag_rationale.config import Settings
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.evaluation.memory import Memory, RememberingEmbedder
from rag_rationale.evaluation.running import Replies, judge_for, prepare
from rag_rationale.evaluation.subjects import draw_pairs, draw_subjects
from rag_rationale.generation import ScriptedEngine
from rag_rationale.index import SnapshotReader, open_snapshot
from rag_rationale.service import Explainer
from rag_rationale.types import Rationale, RationaleRequest, TextRole, Vectors


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    files = planted.write_catalogue(folder / "files")
    build("shop", **files, embedder=HashedEmbedder(), folder=folder / "indexes")
    return folder / "indexes"


@pytest.fixture
def snapshot(indexes: Path) -> Iterator[SnapshotReader]:
    opened = open_snapshot(indexes, "shop")
    yield opened
    opened.close()


class Counting(Explainer):
    """Counts what it is asked, and dies after `patience` requests."""

    asked: list[tuple[str, frozenset[str]]]
    patience = 10**6

    def explain(
        self, request: RationaleRequest, *, exclude: Collection[str] = (), as_of: int | None = None
    ) -> Rationale:
        if len(self.asked) == self.patience:
            raise KeyboardInterrupt
        self.asked.append((f"{request.user.id}/{request.item.id}", frozenset(exclude)))
        return super().explain(request, exclude=exclude, as_of=as_of)


@pytest.fixture
def explainer(indexes: Path) -> Iterator[Counting]:
    made = Counting(
        settings=Settings(indexes=indexes),
        embedder=HashedEmbedder(),
        engine=ScriptedEngine(),
        analysers=analysers(),
    )
    made.asked = []
    yield made
    made.close()


def test_subjects_are_reviewers_with_a_history_and_trusted(snapshot: SnapshotReader) -> None:
    subjects = draw_subjects(snapshot, n=99, seed=0, min_trust=0.5)
    reviews = {str(r["review_id"]): r for r in planted.reviews()}
    assert {s.review for s in subjects} == {name for name, r in reviews.items() if r["user_id"] != "u2"}
    for s in subjects:
        row = reviews[s.review]
        assert (s.user, s.item, s.text, s.rating) == (row["user_id"], row["item_id"], row["text"], row["rating"])
        assert s.others == 2
        assert s.language == ("zh" if int(s.item[1:]) % 2 else "en")
    assert len(draw_subjects(snapshot, n=99, seed=0, min_trust=0.1)) == 30


def test_every_item_comes_once_before_any_comes_twice(snapshot: SnapshotReader) -> None:
    ten = draw_subjects(snapshot, n=10, seed=0, min_trust=0.5)
    assert len({s.item for s in ten}) == 10
    assert ten == draw_subjects(snapshot, n=25, seed=0, min_trust=0.5)[:10]
    assert ten != draw_subjects(snapshot, n=10, seed=1, min_trust=0.5)


def test_pairs_share_an_item_and_come_in_both_orders(snapshot: SnapshotReader) -> None:
    pairs = draw_pairs(snapshot, n=99, seed=0, min_trust=0.5)
    assert len(pairs) == 20  # three reviewers an item, or two trusted ones: one couple
    assert all(one.item == other.item and one.user != other.user for one, other in pairs)
    assert {(other, one) for one, other in pairs} == set(pairs)
    assert set(Counter(one.item for one, _ in pairs).values()) == {2}
    assert draw_pairs(snapshot, n=5, seed=0, min_trust=0.5) == pairs[:5]


def test_an_interrupted_run_goes_on_where_it_was(explainer: Counting, tmp_path: Path) -> None:
    explainer.patience = 4
    with pytest.raises(KeyboardInterrupt):
        prepare(explainer, "shop", n=9, folder=tmp_path, embedder=HashedEmbedder())
    explainer.patience = 10**6
    seen: list[tuple[str, int, int | None]] = []
    material = prepare(
        explainer, "shop", n=9, folder=tmp_path, embedder=HashedEmbedder(), progress=lambda *told: seen.append(told)
    )
    assert len(explainer.asked) == len(material.replies) == 9
    assert seen == [("replies", n, 9) for n in range(1, 10)]
    for subject, (who, hidden) in zip(material.subjects, explainer.asked, strict=True):
        assert (who, hidden) == (f"{subject.user}/{subject.item}", {subject.review})
    again = prepare(explainer, "shop", n=9, folder=tmp_path, embedder=HashedEmbedder())
    assert again.replies == material.replies
    assert len(explainer.asked) == 9


def test_what_chose_the_text_does_not_judge_it(snapshot: SnapshotReader) -> None:
    e5, mini = "multilingual-e5-small@1", "all-minilm-l6-v2@2"
    english, mixed = {"en": 990, "zh": 10}, {"en": 500, "zh": 500}
    for embedder, languages, judge in (
        (e5, english, "all-minilm-l6-v2"),
        (mini, english, "multilingual-e5-small"),
        ("hashed-256", english, "all-minilm-l6-v2"),
        (e5, mixed, None),
    ):
        assert judge_for(replace(snapshot.manifest, embedder=embedder, languages=languages)) == judge


def test_other_exclusions_and_other_engines_are_asked_anew(explainer: Counting, tmp_path: Path) -> None:
    (subject,) = draw_subjects(explainer.snapshots.get("shop"), n=1, seed=0, min_trust=0.5)
    for engine in (ScriptedEngine(), ScriptedEngine(name="other")):
        explainer.engine = engine
        explain = Replies(explainer, "shop", folder=tmp_path)
        for exclude in (frozenset[str](), frozenset({"r9-9"}), frozenset({subject.review})):
            explain(subject, exclude)
    assert [hidden for _, hidden in explainer.asked] == [{subject.review}, {subject.review, "r9-9"}] * 2


class Embedding(HashedEmbedder):
    texts: list[str]

    def embed(self, texts: Sequence[str], *, role: TextRole, progress: object = None) -> Vectors:
        del progress
        self.texts += texts
        return super().embed(texts, role=role)


def test_vectors_are_made_once_per_text_and_role(tmp_path: Path) -> None:
    path, inner = tmp_path / "vectors.jsonl", Embedding()
    inner.texts = []
    texts = ["red lamp", "green door", "red lamp"]
    first = RememberingEmbedder(inner, Memory(path)).embed(texts, role="passage")
    with path.open("a") as file:
        file.write('{"key": "half')
    other = RememberingEmbedder(inner, Memory(path))
    assert (other.embed(texts[::-1], role="passage") == first[::-1]).all()
    assert (first == HashedEmbedder().embed(texts, role="passage")).all()
    assert inner.texts == ["red lamp", "green door"]
    other.embed(["red lamp"], role="query")
    other.embed(["blue soup"], role="passage")
    assert inner.texts[2:] == ["red lamp", "blue soup"]
    assert RememberingEmbedder(inner, Memory(path)).embed(["blue soup"], role="passage").any()
    assert len(inner.texts) == 4
