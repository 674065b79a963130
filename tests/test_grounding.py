"""The verifier lets true drafts through and catches each way of making one false."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from rag_rationale.grounding import Verifier
from rag_rationale.types import Analyser, Asserts, Cite, Draft, Evidence, Filler, Language, Passage

VERBS = {"purchase": "bought", "view": "looked at"}
TEXT = "We came twice. The 2 grilled prawns were really tasty and not oily."
CLAUSE = "the 2 grilled prawns were really tasty and not oily"
POSITIVE = Asserts(side="review", polarity="positive", speakers="one")


def passage(text: str = TEXT, *, user: str = "u2", source: str = "r1", lang: Language = "en") -> Passage:
    return Passage(
        f"p-{source}", "review", source, "text", "i1", 10, 10 + len(text), text, lang, user_id=user, rating=5
    )


def evidence(text: str = TEXT, **fields: str) -> Evidence:
    made = passage(text, **fields)  # type: ignore[arg-type]
    return Evidence(f"shop:{made.id}", made, "review", "Harbour Grill", rating=5)


def says(text: str, quoted: str, *, of: Evidence | None = None, asserts: Asserts = POSITIVE) -> Draft:
    """`One reviewer says {text}`, citing `quoted`, words of the evidence's passage."""
    said = of or evidence()
    start = said.passage.start + said.passage.text.index(quoted)
    filler = Filler("theirs.clause", text, "clause", said, start, start + len(quoted), asserts, "positive")
    return Draft(
        "merit", "slots", "says", "en", ("One reviewer says ", filler, " ", _cite(said, start, len(quoted)), ".")
    )


def _cite(said: Evidence, start: int, length: int) -> Cite:
    return Cite((said,), (start,), (start + length,))


TRUE = says(CLAUSE, "The 2 grilled prawns were really tasty and not oily")


def faults(known: Mapping[Language, Analyser], draft: Draft, *, language: Language = "en", longest: int = 200) -> str:
    verdict = Verifier(known, language=language, verbs=VERBS, longest=longest).verify(draft)
    assert (verdict.label == "supported") == (not verdict.reasons)
    return "; ".join(verdict.reasons)


def test_a_true_draft_is_supported(known: Mapping[Language, Analyser]) -> None:
    verdict = Verifier(known, language="en", verbs=VERBS, longest=200).verify(TRUE)
    assert (verdict.label, verdict.tier, verdict.reasons) == ("supported", "lexical", ())
    assert 0.5 < verdict.score < 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CLAUSE.replace("2", "3"), "lacks: 3"),
        (CLAUSE.replace("not ", ""), "negation"),
        (CLAUSE.replace("tasty", "salty"), "lacks: salty"),
        (CLAUSE.replace("grilled prawns", "prawns grilled"), "lacks"),
        (CLAUSE.replace("the 2 grilled prawns", "we"), "it is not"),
        (CLAUSE.replace(" and not oily", ", "), "space at its edge"),
    ],
)
def test_a_changed_word_number_order_negation_or_person_is_caught(
    known: Mapping[Language, Analyser], text: str, told: str
) -> None:
    assert told in faults(known, says(text, "The 2 grilled prawns were really tasty and not oily"))


def test_a_complaint_made_a_praise_is_caught(known: Mapping[Language, Analyser]) -> None:
    cold = evidence("The coffee was cold and bitter.")
    assert "asserted positive" in faults(
        known, says("the coffee was cold and bitter", "The coffee was cold and bitter", of=cold)
    )


@pytest.mark.parametrize(
    "text",
    [
        "The soup could have been delicious today.",
        "The soup used to be delicious here.",
        "I hope the soup is delicious.",
    ],
)
def test_what_was_wished_or_formerly_so_is_caught(known: Mapping[Language, Analyser], text: str) -> None:
    said = evidence(text)
    words = text.rstrip(".").removeprefix("I hope ")
    quoted = words[0].lower() + words[1:]
    assert "wished, expected or formerly so" in faults(known, says(quoted, words, of=said))


def test_words_of_another_passage_are_caught(known: Mapping[Language, Analyser]) -> None:
    draft = says(CLAUSE, "We came twice")
    assert "lacks" in faults(known, draft)


def test_a_citation_outside_its_passage_is_caught(known: Mapping[Language, Analyser]) -> None:
    filler = TRUE.fillers[0]
    off = replace(filler, start=filler.start - 30)
    parts = tuple(off if part is filler else part for part in TRUE.parts)
    assert "outside its passage" in faults(known, replace(TRUE, parts=parts))


def test_a_draft_that_cites_nothing_is_caught(known: Mapping[Language, Analyser]) -> None:
    parts = tuple(part for part in TRUE.parts if not isinstance(part, Cite))
    assert "not cited" in faults(known, replace(TRUE, parts=parts))


def test_the_users_words_are_not_put_in_the_guests_mouth(known: Mapping[Language, Analyser]) -> None:
    own = replace(evidence(), side="history", event="review")
    assert "rests on history" in faults(known, says(CLAUSE, TEXT[15:-1], of=own))


def test_a_verb_without_its_event_row_is_caught(known: Mapping[Language, Analyser]) -> None:
    viewed = replace(evidence("Harbour Grill"), side="history", event="view")
    start, end = viewed.passage.start, viewed.passage.end
    verb = Filler("own.verb", "bought", "verb", viewed, start, end, Asserts(side="history", event="any"))
    title = Filler("own.title", "Harbour Grill", "title", viewed, start, end, Asserts(side="history", event="any"))
    draft = Draft(
        "match", "slots", "did", "en", ("You ", verb, " ", title, " ", _cite(viewed, start, end - start), ".")
    )
    assert "no event row proves 'bought'" in faults(known, draft)
    right = replace(draft, parts=tuple(replace(p, text="looked at") if p is verb else p for p in draft.parts))
    assert faults(known, right) == ""


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Move your sign-in codes to a new phone", "“Move your sign-in codes to a new phone”"),
        ("Printer shows offline", "“Printer shows offline”"),
        ("Night Ferry Skarvik to Olmouth", "Night Ferry Skarvik to Olmouth"),
        ("登山鞋", "登山鞋"),
        ("Say “yes” and mean it", "Say “yes” and mean it"),
    ],
)
def test_a_title_like_a_sentence_stands_in_quotation_marks(
    known: Mapping[Language, Analyser], title: str, shown: str
) -> None:
    met = replace(evidence(title), title=title, side="history", event="view")
    start, end = met.passage.start, met.passage.end
    verb, named = (
        Filler(f"own.{shape}", text, shape, met, start, end, Asserts(side="history", event="any"))  # type: ignore[arg-type]
        for shape, text in (("verb", "looked at"), ("title", title))
    )
    parts = ("You ", verb, " ", named, " ", _cite(met, start, end - start), ".")
    draft = Draft("match", "slots", "did", "en", parts)
    assert draft.words == f"You looked at {shown}."
    assert faults(known, draft) == ""


def test_a_chinese_title_with_quotation_marks_gets_inner_ones() -> None:
    met = replace(evidence("“大”人物"), title="“大”人物", side="history", event="view")
    start, end = met.passage.start, met.passage.end
    verb, named = (
        Filler(f"own.{shape}", text, shape, met, start, end, Asserts(side="history", event="any"))  # type: ignore[arg-type]
        for shape, text in (("verb", "看过"), ("title", met.title))
    )
    draft = Draft("match", "slots", "did", "zh", ("您", verb, "“", named, "”", _cite(met, start, end - start), "。"))
    assert draft.words == "您看过“‘大’人物”。"


def test_a_rating_that_the_row_lacks_is_caught(known: Mapping[Language, Analyser]) -> None:
    own = replace(evidence(), side="history", event="review", rating=3)
    stars = Filler("own.stars", "5", "stars", own, 10, 20, Asserts(side="history"))
    draft = Draft("match", "slots", "rated", "en", ("You gave it ", stars, " stars ", _cite(own, 10, 10), "."))
    assert "no rating of 5" in faults(known, draft)


def _many(*said: Evidence) -> Draft:
    first = said[0]
    at = first.passage.text.lower().index("service")
    start = first.passage.start
    asserts = Asserts(side="review", polarity="positive", speakers="many")
    filler = Filler("theirs.aspect", "service", "aspect", first, start + at, start + at + 7, asserts)
    cite = Cite(said, tuple(e.passage.start for e in said), tuple(e.passage.end for e in said))
    return Draft("merit", "slots", "many", "en", ("More than one reviewer praises ", filler, " ", cite, "."))


def test_many_needs_two_people_who_say_so(known: Mapping[Language, Analyser]) -> None:
    one = evidence("The service was friendly.", source="r1", user="u2")
    two = evidence("Very good service.", source="r2", user="u3")
    same = evidence("Very good service.", source="r2", user="u2")
    bad = evidence("The service was rude and awful.", source="r3", user="u4")
    other = evidence("Very good soup.", source="r4", user="u5")
    assert faults(known, _many(one, two)) == ""
    assert "cites one" in faults(known, _many(one))
    assert "one reviewer is made many" in faults(known, _many(one, same))
    assert "not positive about it" in faults(known, _many(one, bad))
    assert "does not name it" in faults(known, _many(one, other))


def test_a_quotation_must_be_verbatim(known: Mapping[Language, Analyser]) -> None:
    said = evidence()
    quoted = "The 2 grilled prawns were really tasty"
    start = said.passage.start + TEXT.index(quoted)
    filler = Filler("theirs.quote", quoted, "quote", said, start, start + len(quoted), POSITIVE, "positive")
    parts = ("One reviewer writes: “", filler, "” ", _cite(said, start, len(quoted)), ".")
    draft = Draft("merit", "quote", "q", "en", parts)
    assert faults(known, draft) == ""
    cleaned = replace(filler, text=quoted.replace("really ", ""))
    assert "not verbatim" in faults(known, replace(draft, parts=(parts[0], cleaned, *parts[2:])))


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        ("One reviewer says  ", ".", "stray space"),
        ("One reviewer says ", "", "no end mark"),
        ("“One says ", ".", "unbalanced"),
        ("“one says ", "”.", "small letter"),
    ],
)
def test_the_form_gate_refuses_what_does_not_read(
    known: Mapping[Language, Analyser], start: str, end: str, told: str
) -> None:
    parts = (start, *TRUE.parts[1:-1], end)
    assert told in faults(known, replace(TRUE, parts=parts))


def test_a_sentence_longer_than_the_template_allows_is_refused(known: Mapping[Language, Analyser]) -> None:
    assert "the template allows 30" in faults(known, TRUE, longest=30)


def test_chinese_negation_and_polarity_are_held(known: Mapping[Language, Analyser]) -> None:
    text = "背负系统很透气，腰带不舒服。"
    said = evidence(text, lang="zh")

    def zh(words: str, quoted: str) -> Draft:
        start = said.passage.start + text.index(quoted)
        filler = Filler("theirs.clause", words, "clause", said, start, start + len(quoted), POSITIVE, "positive")
        return Draft("merit", "slots", "says", "zh", ("有人说", filler, _cite(said, start, len(quoted)), "。"))

    assert faults(known, zh("背负系统很透气", "背负系统很透气"), language="zh") == ""
    assert "asserted positive" in faults(known, zh("腰带不舒服", "腰带不舒服"), language="zh")
    assert "negation" in faults(known, zh("腰带舒服", "腰带不舒服"), language="zh")


@pytest.mark.parametrize(
    ("language", "listed", "told", "held"),
    [
        ("en", "Cuisines: Kebab, Basque", "the cuisines include Basque", True),
        ("en", "Cuisines: Kebab, Basque", "the cuisines include Thai", False),
        ("en", "Cuisines: Kebab, Basque", "the chefs include Basque", False),
        ("zh", "类型：剧情、悬疑", "类型里有悬疑", True),
        ("zh", "类型：剧情、悬疑", "类型里没有悬疑", False),
        ("zh", "类型：剧情、悬疑", "主演里有悬疑", False),
    ],
)
def test_an_entry_is_told_with_its_own_label(
    known: Mapping[Language, Analyser], language: Language, listed: str, told: str, held: bool
) -> None:
    fact = Evidence("f", Passage("f", "item", "t", "description", "t", 0, len(listed), listed, language), "item", "T")
    filler = Filler("facts.entry", told, "entry", fact, 0, len(listed), Asserts(side="item"))
    draft = Draft("match", "slots", "lists", language, (filler, Cite((fact,), (0,), (len(listed),)), "."))
    assert bool(faults(known, draft, language=language)) is not held
