"""Small catalogues for tests of instruments, and material over them without a service."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import planted

from rag_rationale.building import build
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.evaluation.material import Material, Subject
from rag_rationale.evaluation.subjects import draw_subjects
from rag_rationale.generation import ScriptedEngine
from rag_rationale.index import SnapshotReader, open_snapshot
from rag_rationale.types import Language, Noun, Polarity, Rationale, Span

Explain = Callable[[Subject, frozenset[str]], Rationale]


def open_town(
    folder: Path,
    items: Sequence[str],
    reviews: Sequence[tuple[str | None, str, float | None, str]],
    *,
    about: str = "It stands in {} town, open daily.",
) -> SnapshotReader:
    """An index of items, named as given, and of reviews: (user, item, rating, text), numbered r0, r1, ..."""
    rows = {
        "items": [{"item_id": i, "title": f"The {i} house", "description": about.format(i)} for i in items],
        "reviews": [
            {"review_id": f"r{n}", "user_id": user, "item_id": item, "rating": rating, "timestamp": n, "text": text}
            for n, (user, item, rating, text) in enumerate(reviews)
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: planted.write_jsonl(folder / f"{name}.jsonl", made) for name, made in rows.items()}
    build("town", **paths, embedder=HashedEmbedder(), folder=folder / "indexes")
    return open_snapshot(folder / "indexes", "town")


def material_of(
    snapshot: SnapshotReader, explain: Explain, *, subjects: Sequence[Subject] | None = None, dimension: int = 1024
) -> Material:
    """Material over the subjects, or over all there are, with the replies that `explain` gives."""
    drawn = tuple(draw_subjects(snapshot, n=99, seed=0, min_trust=0.5) if subjects is None else subjects)
    return Material(
        index=snapshot.manifest.label,
        snapshot=snapshot,
        subjects=drawn,
        replies=tuple(explain(s, frozenset({s.review})) for s in drawn),
        explain=explain,
        engine=ScriptedEngine(),
        embedder=HashedEmbedder(dimension),
        seed=0,
        analysers={"en": Words("en"), "zh": Words("zh")},
    )


class Words:
    """An analyser that knows one good word and one bad one."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language

    def polarity(self, text: str) -> Polarity:
        signs: Mapping[str, Polarity] = {"splendid": "positive", "awful": "negative"}
        return next((sign for word, sign in signs.items() if word in text), "neutral")

    def spans(self, text: str) -> list[Span]:
        raise NotImplementedError

    def terms(self, text: str) -> tuple[Noun, ...]:
        raise NotImplementedError

    def nouns(self, text: str) -> tuple[Noun, ...]:
        raise NotImplementedError

    def negations(self, text: str) -> int:
        raise NotImplementedError

    def irrealis(self, text: str) -> bool:
        raise NotImplementedError
