"""How rare a word is: by what an index says, and by what a slip of the pen meant."""

from __future__ import annotations

import pytest

from rag_rationale.retrieval import Rarity
from rag_rationale.types import Passage


def _rarity(*texts: str) -> Rarity:
    return Rarity([Passage(f"p{n}", "review", f"r{n}", "text", "i", 0, len(t), t, "en") for n, t in enumerate(texts)])


@pytest.mark.parametrize(
    ("word", "meant"),
    [("chickn", "chicken"), ("chikcen", "chicken"), ("chiccken", "chicken"), ("chicker", "chicken")],
)
def test_a_misspelling_is_as_common_as_the_word_it_misspells(word: str, meant: str) -> None:
    rarity = _rarity(*["the chicken is warm"] * 30, f"the {word} is warm", *["a quiet corner by the window"] * 30)
    assert rarity.of(word) == rarity.of(meant) < rarity.of("lantern")


def test_a_rare_word_that_is_like_no_common_one_stays_rare() -> None:
    rarity = _rarity(*["the chicken is warm"] * 30, "the lantern is warm", *["a quiet corner by the window"] * 30)
    assert rarity.of("lantern") > rarity.of("chicken")


def test_a_strange_word_a_letter_off_a_much_commoner_one_is_a_misspelling() -> None:
    rarity = _rarity(*["the biryani is warm"] * 30, *["the briyani is warm"] * 3, *["the birdseed is warm"] * 3)
    assert rarity.misspells("Briyani")
    assert not rarity.misspells("biryani")
    assert not rarity.misspells("birdseed")


def test_a_word_that_is_often_written_for_a_commoner_one_is_a_misspelling() -> None:
    told = _rarity(*["the dessert is warm"] * 30, *["the desert is warm"] * 3)
    assert told.misspells("desert")
    elsewhere = _rarity(*["a night in the desert"] * 30, *["the dessert is warm"] * 3)
    assert not elsewhere.misspells("desert")
