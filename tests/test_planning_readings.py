"""What a passage offers to be said, beyond what its grammar gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pytest

from rag_rationale.planning import Reader
from rag_rationale.retrieval import Rarity
from rag_rationale.types import Analyser, Evidence, Language, Passage

STORY = "We wanted to try something that we had not had before, and went there."


def offered(known: Mapping[Language, Analyser], text: str, praise: float | None) -> set[str]:
    """The quotations that a review offers whose passage the index's head gives this probability of praise."""
    reader = Reader(
        known, language="en", title="Salt Room", known_names="", forbidden=(), limits=lambda _: 200, rarity=Rarity([])
    )
    passage = Passage("p", "review", "r", "text", "i", 0, len(text), text, "en", rating=5.0)
    evidence = Evidence("e", passage, "review", "Salt Room", score=0.0, event=None, rating=5.0, praise=praise)
    return {span.text for span in reader.read(evidence).spans if span.shape == "quote"}


@pytest.mark.parametrize(("praise", "sure"), [(0.7, False), (0.97, True), (None, True)])
def test_a_quotation_that_only_tells_a_story_is_none_unless_the_head_is_sure(
    known: Mapping[Language, Analyser], praise: float | None, sure: bool
) -> None:
    assert bool(offered(known, STORY, praise)) == sure


def test_a_story_that_praises_may_be_quoted(known: Mapping[Language, Analyser]) -> None:
    assert offered(known, "We loved the wonderful soup and went there again.", 0.7)


def talk(count: int, *said: str) -> Rarity:
    """What is said of `count` items, each of `said` of three of them."""
    texts = [f"The room number {n} was warm." for n in range(count)]
    told = [(text, item) for text in said for item in ("a", "b", "c")] + [(text, "d") for text in texts]
    return Rarity(
        [Passage(f"p{n}", "review", f"r{n}", "text", item, 0, len(t), t, "en") for n, (t, item) in enumerate(told)]
    )


@pytest.mark.parametrize(
    ("text", "count", "told"),
    [
        ("The veiw from the balcony was lovely.", 1600, False),
        ("The veiw from the balcony was lovely.", 10, True),  # too few to know what people say
        ("The sambhal with the rice was lovely.", 1600, True),  # in no dictionary, and said of other items too
        ("The view from the balcony was lovely.", 1600, True),
    ],
)
def test_what_no_dictionary_and_nobody_else_says_is_misspelt(
    known: Mapping[Language, Analyser], text: str, count: int, told: bool
) -> None:
    rarity = talk(count, "The sambhal was hot.")
    reader = Reader(
        known, language="en", title="Salt Room", known_names="", forbidden=(), limits=lambda _: 200, rarity=rarity
    )
    passage = Passage("p", "review", "r", "text", "i", 0, len(text), text, "en", rating=5.0)
    reading = reader.read(Evidence("e", passage, "review", "Salt Room", score=0.0, event=None, rating=5.0))
    assert bool(reading.of("clause")) == told


def test_how_many_speak_of_what_everything_has_tells_nothing(known: Mapping[Language, Analyser]) -> None:
    reader = Reader(
        known,
        language="en",
        title="Salt Room",
        known_names="",
        forbidden=(),
        limits=lambda _: 200,
        rarity=talk(1600, "The taste was fine and so was the terrace."),
    )
    assert reader.worth_counting("taste", ["taste"]) is None
    assert reader.worth_counting("terrace", ["terrace"]) is not None


def test_a_name_that_is_a_word_as_well_takes_no_article(known: Mapping[Language, Analyser]) -> None:
    told = []
    for title in ("Gravity", "Salt Room"):
        reader = Reader(
            known, language="en", title=title, known_names="", forbidden=(), limits=lambda _: 200, rarity=Rarity([])
        )
        text = "Gravity was thin."
        passage = Passage("p", "review", "r", "text", "i", 0, len(text), text, "en", rating=2.0)
        reading = reader.read(Evidence("e", passage, "review", title, score=0.0, event=None, rating=2.0))
        told += [s.text for s in reading.spans if s.shape == "clause"]
    assert told == ["Gravity was thin", "the gravity was thin"]


def test_an_item_s_own_name_is_nothing_to_single_out(known: Mapping[Language, Analyser]) -> None:
    def phrases(text: str, title: str) -> set[str]:
        reader = Reader(
            known, language="en", title="Oak Inn", known_names="", forbidden=(), limits=lambda _: 200, rarity=Rarity([])
        )
        passage = Passage("p", "review", "r", "text", "i", 0, len(text), text, "en", rating=5.0)
        reading = reader.read(Evidence("e", passage, "history", title, score=0.0, event="review", rating=5.0))
        return {s.text for s in reading.spans if s.shape == "np"}

    assert phrases("We loved the Mazzo.", "Mazzo - Executive Apartments") == set()
    assert "the garden" in phrases("We loved the garden.", "Garden House")


def test_what_was_here_is_not_told_beside_another_here(known: Mapping[Language, Analyser]) -> None:
    text = "The soup is warm and lovely here."
    passage = Passage("p", "review", "r", "text", "i", 0, len(text), text, "en", rating=5.0)

    def told(side: Literal["history", "review"]) -> bool:
        reader = Reader(
            known, language="en", title="Oak Inn", known_names="", forbidden=(), limits=lambda _: 200, rarity=Rarity([])
        )
        reading = reader.read(Evidence("e", passage, side, "Elm Inn", score=0.0, event=None, rating=5.0))
        return any("here" in s.text for s in reading.spans)

    assert told("review")
    assert not told("history")
