"""Personal fit over a town where two people review every house, each always of her own matter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import planted
import pytest
from replies import make_reply
from towns import Explain, material_of, open_town

from rag_rationale.building import build
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.evaluation.choices import CONTROLS, choices, item_side
from rag_rationale.evaluation.closeness import Closeness
from rag_rationale.evaluation.finding import Finding
from rag_rationale.evaluation.material import Material, Subject
from rag_rationale.evaluation.personal import measure_personal
from rag_rationale.index import SnapshotReader, open_snapshot
from rag_rationale.types import Rationale

PLACES = ("north", "south", "east", "west", "upper", "lower")
OWN = {
    "sue": "They ladle tomato broth thick enough for winter {}.",
    "gus": "Roses climb over every bench beside our pond {}.",
}
OTHERS = (
    "Tomato broth thick enough ladled for cold winter days.",
    "Broth with noodles came steaming out within minutes.",
    "Roses climb beside every bench around one quiet pond.",
    "Benches under willows invite anybody who likes shade.",
    "Parking costs nothing after seven on weekday evenings.",
    "Cars find parking behind houses along High Street.",
)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnapshotReader]:
    folder = tmp_path_factory.mktemp("town")
    items = [
        {"item_id": p, "title": f"The {p} house", "description": f"It stands in {p} town, open daily."} for p in PLACES
    ]
    reviews = []
    for n, place in enumerate(PLACES):
        told = [(user, text.format(place)) for user, text in OWN.items()] + [(None, text) for text in OTHERS]
        reviews += [
            {
                "review_id": f"{place}-{k}",
                "user_id": user,
                "item_id": place,
                "rating": 5,
                "timestamp": 100 * n + k,
                "text": text,
            }
            for k, (user, text) in enumerate(told)
        ]
    paths = {
        "items": planted.write_jsonl(folder / "items.jsonl", items),
        "reviews": planted.write_jsonl(folder / "reviews.jsonl", reviews),
    }
    build("town", **paths, embedder=HashedEmbedder(), folder=folder / "indexes")
    opened = open_snapshot(folder / "indexes", "town")
    yield opened
    opened.close()


def measured(snapshot: SnapshotReader, explain: Explain) -> tuple[Material, Finding]:
    material = material_of(snapshot, explain)
    return material, measure_personal(material, pairs=99)


def cites(snapshot: SnapshotReader, subject: Subject, text: str) -> Rationale:
    """A reply that cites one of the strangers' reviews of the item, and the user herself."""
    about = next(p for p in snapshot.item_passages(subject.item) if p.text == text)
    own = next(p for p in snapshot.user_passages(subject.user) if p.item_id != subject.item)
    return make_reply([("match", "You said this; one reviewer says that", [("history", own), ("review", about)])])


def test_who_follows_taste_fits_and_who_follows_it_the_wrong_way_does_not(snapshot: SnapshotReader) -> None:
    seen: list[tuple[str, frozenset[str]]] = []

    def follow(subject: Subject, exclude: frozenset[str]) -> Rationale:
        seen.append((subject.item, exclude))
        return cites(snapshot, subject, OTHERS[0] if subject.user == "sue" else OTHERS[2])

    material, found = measured(snapshot, follow)
    figures = {m.name: m for m in found.measures}
    assert (figures["personal.pairs.all"].value, figures["personal.pairs.all"].n) == (1.0, 12)
    assert figures["personal.pairs.four_or_more"].met
    assert figures["personal.pairs.all.item_only"].value == 0.5
    assert figures["personal.pairs.all.newest"].value == 0.5
    assert figures["personal.pairs.all.user_only"].value == 1.0
    assert figures["personal.pairs.all.nearest_to_the_history"].value == 1.0
    assert 0.2 <= figures["personal.pairs.all.random"].value <= 0.8
    assert figures["personal.pairs.all.random"].standing == "control"
    assert seen[12:] == [(item, frozenset({f"{item}-0", f"{item}-1"})) for item, _ in seen[12:]]
    assert len(seen) == 24
    # of seven other reviews, only the cited one stands above the hidden one
    assert figures["personal.percentile"].value == pytest.approx(6 / 7)
    assert figures["personal.percentile.uncited"].value == 1.0
    assert set(found.per_case["personal.percentile"]) == {s.id for s in material.subjects}
    (points,) = (points for name, points in found.curves[0].series.items() if name == "rationale")
    assert [(p.x, p.y, p.n) for p in points] == [(4, 1.0, 12)]

    _, found = measured(snapshot, lambda s, _: cites(snapshot, s, OTHERS[2] if s.user == "sue" else OTHERS[0]))
    figures = {m.name: m for m in found.measures}
    assert figures["personal.pairs.all"].value == 0.0
    assert not figures["personal.pairs.all"].met
    assert len(found.cases) == 5
    assert dict(found.cases[0].details)["her hidden review"] != dict(found.cases[0].details)["the other's review"]


def test_what_fits_everybody_or_says_nothing_is_a_guess(snapshot: SnapshotReader) -> None:
    for explain in (lambda s, _: cites(snapshot, s, OTHERS[4]), lambda *_: make_reply([])):
        _, found = measured(snapshot, explain)
        assert {m.name: m.value for m in found.measures}["personal.pairs.all"] == 0.5
    assert "12 of 12 rationales in pairs and 12 of 12 others" in found.notes[1]
    assert {m.name: m.value for m in found.measures}["personal.percentile"] == 0.5


def test_the_item_s_side_leaves_out_the_users_own_words(snapshot: SnapshotReader) -> None:
    material, _ = measured(snapshot, lambda s, _: cites(snapshot, s, OTHERS[4]))
    assert item_side(material.replies[0]).text == OTHERS[4]


def test_controls_choose_what_they_are_named_for_and_nothing_hidden(snapshot: SnapshotReader) -> None:
    material, _ = measured(snapshot, lambda s, _: cites(snapshot, s, OTHERS[4]))
    subject = next(s for s in material.subjects if s.user == "sue" and s.item == "west")
    hidden = frozenset({"west-0", "west-1"})
    made = choices(material, subject, cites(snapshot, subject, OTHERS[0]), exclude=hidden)
    assert set(made) == {"rationale", *CONTROLS}
    assert made["newest"].text == OTHERS[-1]
    assert made["longest"].text == max(OTHERS, key=len)
    assert made["nearest to the history"].text.split("\n")[0] == OTHERS[0]
    assert made["nearest to the history"].text.count("\n") == 2
    assert made["user only"].text.split("\n")[0] == OWN["sue"].format("lower")
    assert made["best by fit"].text.split("\n")[0] == OTHERS[0]
    assert not hidden & frozenset().union(*(choice.sources for choice in made.values()))


def test_the_best_by_fit_are_of_three_people(tmp_path: Path) -> None:
    reviews: list[tuple[str | None, str, float | None, str]] = [
        ("sue", "north", 5.0, "Broth thick enough for any cold winter."),
        ("sue", "south", 5.0, "Broth thick enough for any cold winter here."),
        ("gus", "south", 5.0, "Broth thick enough to stand a spoon in.\n\nBroth thick enough to eat with a fork."),
        ("ida", "south", 5.0, "Broth was served."),
        ("pam", "south", 5.0, "Roses climb beside each quiet bench there."),
        ("tom", "north", 5.0, "Roses climb over every bench outside."),
    ]
    town = open_town(tmp_path, ["north", "south"], reviews)
    material = material_of(town, lambda *_: make_reply([]))
    subject = next(s for s in material.subjects if (s.user, s.item) == ("sue", "south"))
    made = choices(material, subject, make_reply([]), exclude=frozenset({"r1"}))["best by fit"]
    town.close()
    assert len(made.sources) == len(made.text.split("\n")) == 3
    assert {"r2", "r3"} < made.sources


def test_closeness_is_the_cosine_of_the_texts_asked_for() -> None:
    near = Closeness(HashedEmbedder(), ["red lamp", "red door", "blue soup", "red lamp"])
    assert near.of("red lamp", ["blue soup", "red lamp", "red door"]) == pytest.approx([0, 1, 0.5], abs=0.01)
