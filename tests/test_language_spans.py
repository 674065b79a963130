"""What each analyser finds in a text that may fill a slot: hand-checked cases, right ones and refused ones."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from rag_rationale.language import english as english_module
from rag_rationale.language.english import English
from rag_rationale.types import Analyser, Language


def of(known: Mapping[Language, Analyser], language: Language, text: str, shape: str) -> dict[str, str]:
    """Text of each span of a shape, with its polarity."""
    return {s.text: s.polarity for s in known[language].spans(text) if s.shape == shape}


@pytest.mark.parametrize(
    ("language", "text", "clauses"),
    [
        (
            "en",
            "Service was great and the food was cold.",
            {"the service was great": "positive", "the food was cold": "negative"},
        ),
        ("en", "The staff is also friendly.", {"the staff is friendly": "positive"}),
        ("en", "The starters were equally tasty.", {"the starters were tasty": "positive"}),
        ("en", "This place serves lovely soup.", {"this place serves lovely soup": "positive"}),
        ("en", "The staff speak clearly.", {"the staff speak clearly": "positive"}),
        ("en", "Thirty five dollars and the zip broke in May.", {"the zip broke in May": "negative"}),
        ("en", "Thirty two pounds and the lid came off in week two.", {"the lid came off in week two": "neutral"}),
        ("en", "The strap and the lid broke in May.", {"the strap and the lid broke in May": "negative"}),
        (
            "en",
            "Two bulbs and the switch were broken on day one.",
            {"two bulbs and the switch were broken on day one": "negative"},
        ),
        (
            "zh",
            "但是背负系统很透气，防雨罩收在底部夹层里。",
            {"背负系统很透气": "positive", "防雨罩收在底部夹层里": "neutral"},
        ),
        ("zh", "早餐九点就收了，房间不隔音。", {"早餐九点就收了": "neutral"}),
    ],
)
def test_third_person_clauses_are_found_with_their_polarity(
    known: Mapping[Language, Analyser], language: Language, text: str, clauses: dict[str, str]
) -> None:
    assert clauses.items() <= of(known, language, text, "clause").items()


def test_texts_parsed_at_once_are_parsed_to_the_bit_as_one_by_one(known: Mapping[Language, Analyser]) -> None:
    english = known["en"]
    assert isinstance(english, English)
    subjects = ("The hip belt", "Our guide from Lyon", "A cold, salty soup with leeks", "Nobody at the desk", "It")
    rests = ("was padded.", "never came back, though we had waited.", "costs 12 euros; worth it!", "is what I'd skip.")
    texts = [f"{subject} {rest}" for subject in subjects for rest in rests]
    english.prepare(texts)
    for text in texts:
        alone = english._nlp(text)
        assert english._docs[text].to_bytes() == alone.to_bytes()


def test_no_more_parses_are_kept_than_told(known: Mapping[Language, Analyser], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(english_module, "_KEPT", 3)
    english = known["en"]
    assert isinstance(english, English)
    english.prepare([f"The bowl number {n} was warm." for n in range(5)])
    english.prepare(["The bowl number 2 was warm."])
    english.prepare(["The bowl number 9 was warm."])
    assert list(english._docs) == [f"The bowl number {n} was warm." for n in (4, 2, 9)]
    assert "the bowl number 0 was warm" in of(known, "en", "The bowl number 0 was warm.", "clause")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "We loved it."),
        ("en", "It was delicious."),
        ("en", "This dish tops the list."),
        ("en", "He served our table with a smile."),
        ("en", "Is the food good?"),
        ("en", "If the soup is hot."),
        ("en", "Great place, good food."),
        ("en", "A must visit place for foodies."),
        ("en", "Great taste and texture of the ices is good."),
        ("en", "The service was excellent rice and service excellent."),
        ("en", "Their oat bars is highly recommend with tea."),
        ("en", "The staff was kind enough to take as many orders as we liked."),
        ("en", "Who on earth prints the menu on a beer mat."),
        ("en", "The other dishes were warm."),
        ("en", "The pancakes tastes like home."),
        ("en", "The behaviour of the guides were calm."),
        ("en", "Jam and scones is good."),
        ("en", "The hinge in the lid didn't worked completely."),
        ("en", "This hostel is one of the reliable place for hikers."),
        ("en", "The cakes are moist and the coffee."),
        ("en", "The management has to take this seriously."),
        ("en", "The pages are thick, true."),
        ("en", "From heart shaped pancakes to a classic breakfast, there they are."),
        ("zh", "没有新意每一集都一样不值得看。"),
        ("zh", "大家不要刷屏了。"),
        ("zh", "和店员配合得也很好。"),
        ("zh", "林沐之新的惊喜。"),
        ("zh", "我觉得很舒服。"),
        ("zh", "它很好用。"),
        ("zh", "虽然房间很小。"),
        ("zh", "早餐怎么样呢？"),
        ("zh", "吴桐、赵乾乾、段余乐。"),
    ],
)
def test_what_cannot_stand_in_reported_speech_is_no_clause(
    known: Mapping[Language, Analyser], language: Language, text: str
) -> None:
    assert of(known, language, text, "clause") == {}


@pytest.mark.parametrize("text", ["The crew are kind.", "The family was kind.", "Two hours is plenty for the museum."])
def test_a_crowd_is_one_or_many(known: Mapping[Language, Analyser], text: str) -> None:
    assert of(known, "en", text, "clause") != {}


@pytest.mark.parametrize(
    ("text", "remarks"),
    [
        ("Sturdy straps. The lid rattles.", {"Sturdy straps": "positive"}),
        ("Good sound, great captions.", {"Good sound, great captions": "positive"}),
        ("Great knowledge, terrible pace.", {"Great knowledge": "positive", "terrible pace": "negative"}),
        ("Reclining seat.", {}),  # judges nothing
        ("A great place.", {}),  # of what could be anything
        ("The sound is good.", {}),
        ("We had great soup.", {}),
        ("Not a good lamp.", {}),
    ],
)
def test_a_remark_judges_without_a_verb(known: Mapping[Language, Analyser], text: str, remarks: dict[str, str]) -> None:
    assert of(known, "en", text, "remark") == remarks


def test_what_a_remark_says_is_not_said_by_half(known: Mapping[Language, Analyser]) -> None:
    assert of(known, "en", "Sturdy straps.", "np") == {}


def test_an_adjective_behind_a_noun_makes_no_noun_phrase(known: Mapping[Language, Analyser]) -> None:
    assert (
        of(known, "en", "We had the almond cake slice lovely taste.", "np")
        .keys()
        .isdisjoint({"the almond cake slice lovely taste"})
    )


def test_a_comma_stays_where_sentences_follow_each_other(known: Mapping[Language, Analyser]) -> None:
    assert "激动人心，一切都刚刚好" in of(known, "zh", "激动人心，一切都刚刚好。", "clause")


def test_a_verb_glued_to_the_sentence_before_it_is_no_subject(known: Mapping[Language, Analyser]) -> None:
    found = of(known, "en", "The walls looked tired since long...won't recommend anyone to visit.", "clause")
    assert not any("recommend" in text for text in found)


def test_a_noun_is_praised_only_by_what_is_said_of_it(known: Mapping[Language, Analyser]) -> None:
    praised = of(known, "en", "Amazing live music, but the service was slow. A nice place for a date.", "np")
    assert praised["the amazing live music"] == "positive"
    assert praised["the service"] == "negative"
    assert praised.get("the date", "neutral") == "neutral"


def test_too_much_of_something_is_no_praise(known: Mapping[Language, Analyser]) -> None:
    assert known["en"].polarity("the gravy is too sweet") == "negative"
    assert known["en"].polarity("the food is too good") == "positive"
    assert known["zh"].polarity("换46又太长") == "negative"


@pytest.mark.parametrize(
    ("text", "polarity"),
    [
        ("腰带不舒服", "negative"),
        ("一点也不吵", "positive"),
        ("没有异味", "positive"),
        ("不闪不刺眼", "positive"),
        ("又轻又结实", "positive"),
    ],
)
def test_chinese_negation_turns_polarity(known: Mapping[Language, Analyser], text: str, polarity: str) -> None:
    assert known["zh"].polarity(text) == polarity


@pytest.mark.parametrize(
    ("language", "text", "is_"),
    [
        ("en", "Ridge 58 is a long-distance pack with a floating lid.", "a long-distance pack with a floating lid"),
        ("zh", "一款适合长途徒步的登山包。容量58升。", "一款适合长途徒步的登山包"),
    ],
)
def test_a_description_says_what_the_item_is(
    known: Mapping[Language, Analyser], language: Language, text: str, is_: str
) -> None:
    assert is_ in of(known, language, text, "identity")


@pytest.mark.parametrize(
    "text", ["There is a canteen until midnight and one lift.", "Step 3 is a factory reset with the button."]
)
def test_what_there_is_and_what_one_step_is_is_not_the_item(known: Mapping[Language, Analyser], text: str) -> None:
    assert of(known, "en", text, "identity") == {}


def test_a_quotation_is_verbatim_and_starts_behind_its_connective(known: Mapping[Language, Analyser]) -> None:
    text = "But the drying room saved our whole week."
    (span,) = [s for s in known["en"].spans(text) if s.shape == "quote"]
    assert span.text == text[span.start : span.end] == "the drying room saved our whole week"


def test_every_span_lies_where_it_says(known: Mapping[Language, Analyser]) -> None:
    text = "Service was great, honestly. The ginger chicken was tasty as well!\nLovely view."
    for span in known["en"].spans(text):
        inside = text[span.start : span.end].lower()
        assert span.text.split()[-1].strip(".!").lower() in inside


def test_wishes_and_what_used_to_be_are_not_so(known: Mapping[Language, Analyser]) -> None:
    assert known["en"].irrealis("it could have been crisper")
    assert known["en"].irrealis("the soup used to be good")
    assert not known["en"].irrealis("the soup was good")
    assert known["zh"].irrealis("希望背带能宽一点")
    assert known["zh"].irrealis("后面不崩的话就改五星")
    assert not known["zh"].irrealis("背带很宽")


@pytest.mark.parametrize(
    ("text", "liking"),
    [
        ("特别喜欢小姑子的演技。", "特别喜欢小姑子的演技"),
        ("喜欢这样的人物。", None),
        ("我喜欢男主的眼神。", "喜欢男主的眼神"),
        ("他喜欢男主的眼神。", None),
    ],
)
def test_a_liking_without_its_subject_is_found(
    known: Mapping[Language, Analyser], text: str, liking: str | None
) -> None:
    assert list(of(known, "zh", text, "liking")) == ([liking] if liking else [])


@pytest.mark.parametrize(
    "text",
    [
        "I don't think the food is good.",
        "I doubt the staff are friendly.",
        "Nobody could say the room was clean.",
        "I would not say the soup was tasty.",
    ],
)
def test_what_is_denied_from_outside_the_clause_is_not_so(known: Mapping[Language, Analyser], text: str) -> None:
    assert known["en"].irrealis(text)
    assert of(known, "en", text, "clause") == {}
    assert known["en"].irrealis("Not that the service was friendly.")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "If the soup were hot it would be a great lunch for us."),
        ("en", "Though the staff were kind the whole evening was a mess."),
        ("en", "Unless you book early the terrace is a lovely but full place."),
        ("zh", "本来服务态度挺好的地方。"),
        ("zh", "缺点就是背负系统太硬了。"),
    ],
)
def test_a_quotation_never_loses_the_word_that_turns_it(
    known: Mapping[Language, Analyser], language: Language, text: str
) -> None:
    quotes = [s for s in known[language].spans(text) if s.shape == "quote"]
    assert all(s.start == 0 for s in quotes)


def test_not_too_much_is_no_complaint(known: Mapping[Language, Analyser]) -> None:
    assert known["en"].polarity("the tea is not too sweet") != "negative"
    assert known["en"].polarity("the tea isn't too sweet") != "negative"
    assert known["zh"].irrealis("本来服务很好")


@pytest.mark.parametrize(
    "text", ["17 km in eight hours with a stop at each gate.", "£12 for a bowl of soup is too much."]
)
def test_a_quotation_keeps_the_number_it_begins_with(known: Mapping[Language, Analyser], text: str) -> None:
    assert [s.text for s in known["en"].spans(text) if s.shape == "quote"] == [text.rstrip(".")]


def test_nothing_takes_no_article(known: Mapping[Language, Analyser]) -> None:
    assert not any(text.startswith("the nothing") for text in of(known, "en", "Nothing beats the soup here.", "clause"))
    assert known["en"].irrealis("The soup has to be good.")


def test_a_wish_praises_nothing_and_hard_to_beat_does(known: Mapping[Language, Analyser]) -> None:
    assert of(known, "en", "I'd like a half size.", "np")["the half size"] == "neutral"
    assert of(known, "en", "I like the half size.", "np")["the half size"] == "positive"
    clause = of(known, "en", "19 g protein for 65 g dry is hard to beat for the trail.", "clause")
    assert set(clause.values()) == {"positive"}


def test_a_clause_does_not_break_off_before_what_tells_its_noun_apart(known: Mapping[Language, Analyser]) -> None:
    told = of(known, "en", "The story is about a woman who reads the tide gauge.", "clause")
    assert "the story is about a woman who reads the tide gauge" in told


STEPS = (
    "Step 1 is a power cycle of 60 seconds, step 2 moves the 2.4 GHz band to channel 1, 6 or 11, and step 3 is a reset."
)


def test_a_numbered_step_takes_no_article(known: Mapping[Language, Analyser]) -> None:
    assert "step 2 moves the 2.4 GHz band" in of(known, "en", STEPS, "clause")


def test_what_it_takes_is_no_praise_and_a_moment_is_no_thing(known: Mapping[Language, Analyser]) -> None:
    assert of(known, "zh", "有时候要翻好几页才找到干货。", "clause") == {"有时候要翻好几页才找到干货": "negative"}
    assert of(known, "zh", "要亲自去看才知道有多美。", "clause").get("要亲自去看才知道有多美") != "negative"
    assert "保温的时候" not in of(known, "zh", "就是保温的时候那个蓝灯太亮。", "np")


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("The lid still sticks but the seal is tight now so.", "The lid still sticks but the seal is tight now"),
        ("The neighbours have one and they all say so.", "The neighbours have one and they all say so"),
    ],
)
def test_a_quotation_ends_before_a_word_that_joins_nothing(
    known: Mapping[Language, Analyser], text: str, quote: str
) -> None:
    assert list(of(known, "en", text, "quote")) == [quote]
