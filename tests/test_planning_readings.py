"""What a passage offers to be said, beyond what its grammar gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pytest

from rag_rationale.planning import Company, Reader
from rag_rationale.retrieval import Rarity
from rag_rationale.types import Analyser, Evidence, Language, Passage

STORY = "We wanted to try something that we had not had before, and went there."


def reading_room(
    known: Mapping[Language, Analyser],
    *,
    title: str = "Salt Room",
    known_names: str = "",
    rarity: Rarity | None = None,
    company: Company | None = None,
) -> Reader:
    return Reader(
        known,
        language="en",
        title=title,
        known_names=known_names,
        forbidden=(),
        limits=lambda _: 200,
        rarity=rarity or Rarity([]),
        company=company,
    )


def offered(known: Mapping[Language, Analyser], text: str, praise: float | None) -> set[str]:
    """The quotations that a review offers whose passage the index's head gives this probability of praise."""
    reader = reading_room(known)
    passage = Passage("p", "review", "r", "text", "i", 0, len(text), text, "en", rating=5.0)
    evidence = Evidence("e", passage, "review", "Salt Room", score=0.0, event=None, rating=5.0, praise=praise)
    return {span.text for span in reader.read(evidence).spans if span.shape == "quote"}


@pytest.mark.parametrize("praise", [0.7, 0.97, 0.02, None])
def test_a_quotation_that_only_tells_a_story_is_none(known: Mapping[Language, Analyser], praise: float | None) -> None:
    assert not offered(known, STORY, praise)
    assert not offered(known, "I use this to hold my picks on my acoustic guitar.", praise)


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
    reader = reading_room(known, rarity=rarity)
    passage = Passage("p", "review", "r", "text", "i", 0, len(text), text, "en", rating=5.0)
    reading = reader.read(Evidence("e", passage, "review", "Salt Room", score=0.0, event=None, rating=5.0))
    assert bool(reading.of("clause")) == told


def test_how_many_speak_of_what_everything_has_tells_nothing(known: Mapping[Language, Analyser]) -> None:
    reader = reading_room(known, rarity=talk(1600, "The taste was fine and so was the terrace."))
    assert reader.worth_counting("taste", ["taste"]) is None
    assert reader.worth_counting("terrace", ["terrace"]) is not None


def test_a_name_that_is_a_word_as_well_takes_no_article(known: Mapping[Language, Analyser]) -> None:
    told = []
    for title in ("Gravity", "Salt Room"):
        reader = reading_room(known, title=title)
        text = "Gravity was thin."
        passage = Passage("p", "review", "r", "text", "i", 0, len(text), text, "en", rating=2.0)
        reading = reader.read(Evidence("e", passage, "review", title, score=0.0, event=None, rating=2.0))
        told += [s.text for s in reading.spans if s.shape == "clause"]
    assert told == ["Gravity was thin", "the gravity was thin"]


def test_an_item_s_own_name_is_nothing_to_single_out(known: Mapping[Language, Analyser]) -> None:
    def phrases(text: str, title: str) -> set[str]:
        reader = reading_room(known, title="Oak Inn")
        passage = Passage("p", "review", "r", "text", "i", 0, len(text), text, "en", rating=5.0)
        reading = reader.read(Evidence("e", passage, "history", title, score=0.0, event="review", rating=5.0))
        return {s.text for s in reading.spans if s.shape == "np"}

    assert phrases("We loved the Mazzo.", "Mazzo - Executive Apartments") == set()
    assert "the garden" in phrases("We loved the garden.", "Garden House")


def test_what_was_here_is_not_told_beside_another_here(known: Mapping[Language, Analyser]) -> None:
    text = "The soup is warm and lovely here."
    passage = Passage("p", "review", "r", "text", "i", 0, len(text), text, "en", rating=5.0)

    def told(side: Literal["history", "review"]) -> bool:
        reader = reading_room(known, title="Oak Inn")
        reading = reader.read(Evidence("e", passage, side, "Elm Inn", score=0.0, event=None, rating=5.0))
        return any("here" in s.text for s in reading.spans)

    assert told("review")
    assert not told("history")


HEARD = [
    Passage(f"h{n}", "review", f"h{n}", "text", f"i{n % 9}", 0, len(t), t, "en")
    for n, t in enumerate(["The mutton and the paneer curry, the Kindle, the strap and the pizza."] * 1600)
]


def written(
    known: Mapping[Language, Analyser],
    text: str,
    shape: str,
    *others: str,
    side: Literal["review", "history"] = "review",
) -> set[str]:
    """The spans of a shape that a review offers where `others` reviewed the item, and people write as in `HEARD`."""
    spoken = [*["they had the mutton, the Kindle and a paneer curry"] * 9, *others]
    crowd = [
        Passage(f"p{n}", "review", f"r{n}", "text", "i", 0, len(t), t, "en", user_id=f"u{n}")
        for n, t in enumerate((*spoken, text))
    ]
    about = [Evidence(p.id, p, "review", "Salt Room", score=0.0, event=None) for p in crowd[9:]]
    reader = reading_room(
        known, known_names="the Kindle", rarity=Rarity(HEARD, spoken=crowd), company=Company(about, known["en"])
    )
    event = "review" if side == "history" else None
    one = Evidence("e", crowd[-1], side, "Salt Room", score=0.0, event=event, rating=5.0)
    return {span.text for span in reader.read(one).spans if span.shape == shape}


def test_words_are_small_where_people_write_them_small(known: Mapping[Language, Analyser]) -> None:
    assert written(known, "Mutton was really tender.", "clause") == {"the mutton was really tender"}
    assert written(known, "The Paneer curry was rich.", "clause") == {"the paneer curry was rich"}
    assert not written(known, "The Zorba curry was rich.", "clause")  # a name, for all we know


def test_a_name_keeps_its_capital_and_is_not_told_without(known: Mapping[Language, Analyser]) -> None:
    assert written(known, "The Kindle is lovely.", "clause") == {"the Kindle is lovely"}
    assert not written(known, "The kindle is lovely.", "clause")


def test_a_thing_that_nobody_else_speaks_of_is_not_singled_out(known: Mapping[Language, Analyser]) -> None:
    others = [f"The strap was good, said number {n}." for n in range(9)]
    told = written(known, "I love the strap. I love the pizza.", "np", *others)
    assert "the strap" in told
    assert "the pizza" not in told
    assert "the pizza" in written(known, "I love the pizza.", "np", *others[:2])  # too few to tell


def test_what_this_was_is_not_told_of_something_else(known: Mapping[Language, Analyser]) -> None:
    assert written(known, "This hotel is lovely.", "clause")
    assert not written(known, "This hotel is lovely.", "clause", side="history")
