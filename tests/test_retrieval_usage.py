"""Usage: pairs of words that people of an index put next to each other."""

from __future__ import annotations

import pytest

from rag_rationale.retrieval.usage import Usage, words_and_marks
from rag_rationale.types import Language, Passage


def said(*texts: str, author: str | None = None, lang: Language = "en") -> list[Passage]:
    return [
        Passage(f"p{n}", "review", f"r{n}", "text", "i", 0, len(t), t, lang, user_id=author)
        for n, t in enumerate(texts)
    ]


def test_a_pair_that_three_people_wrote_is_usual() -> None:
    usage = Usage(said(*["The food was good."] * 197, *["The staff was good."] * 3, *["The seething was."] * 2))
    assert usage.unusual("The food was good") == usage.unusual("The staff was good") == 0
    assert usage.unusual("the seething was good") == 2
    assert usage.unusual("the food was relaxing") == 1
    assert usage.unusual("good was the food") == 2


def test_one_person_who_repeats_herself_makes_nothing_usual() -> None:
    often = said(*["The seething was good."] * 9, author="u1")
    usage = Usage([*often, *said(*["The food was good."] * 200)])
    assert usage.unusual("the food was good") == 0
    assert usage.unusual("the seething") == 1


def test_where_an_index_is_too_small_to_tell_nothing_is_unusual() -> None:
    few = said(*["The food was good."] * 199)
    various = said(*(f"Word{n} follows{n} another{n}" for n in range(400)))
    for passages in ([], few, various):
        assert Usage(passages).unusual("relaxing seething") == 0


def test_chinese_is_not_looked_at() -> None:
    assert Usage(said(*["服务很好"] * 200, lang="zh")).unusual("好很务服") == 0


def test_marks_and_numbers_count_as_words() -> None:
    assert words_and_marks("Didn’t like 2 pizzas, sadly") == ["didn’t", "like", "2", "pizzas", ",", "sadly"]


def test_a_run_that_nobody_else_wrote_is_a_risk() -> None:
    usage = Usage(said(*["The food was good."] * 197, *["We liked the rest of food."] * 3, "The rest of it was good."))
    assert usage.risk("the food was good") == 0
    assert usage.risk("the rest of food") == 0  # three wrote it
    assert usage.risk("of it was good") == pytest.approx(0.28 * 2 + 0.39 * 2)  # "of it", "it was"; "was good" is usual
    assert usage.risk("food") == 0
    assert Usage([]).risk("of it was good") == 0


def test_a_word_that_people_write_with_a_capital_is_a_name() -> None:
    usage = Usage(said(*["I love my Kindle and the case."] * 6, *["My kindle broke. The case held."] * 2))
    assert usage.is_name("Kindle")
    assert usage.is_name("kindle")
    assert not usage.is_name("case")
    assert usage.is_common("Case")
    assert not usage.is_common("kindle")
    assert not usage.is_common("broken")
    few = Usage(said(*["I love my Kindle."] * 4))
    assert not few.is_name("kindle")


def test_what_opens_a_sentence_tells_nothing_of_capitals() -> None:
    usage = Usage(said(*["Mutton was good. Mutton was tender: Mutton is best."] * 9))
    assert not usage.is_name("mutton")
    assert not usage.is_common("mutton")


def test_a_word_torn_in_two_is_as_bad_as_two_pairs() -> None:
    texts = [*["We liked the rooftop and the setup."] * 198, *["We liked the roof top and set up the tent."] * 4]
    usage = Usage(said(*texts))
    assert usage.unusual("the rooftop") == 0
    assert usage.unusual("the roof top") == 2
    assert usage.unusual("set up") == 0
