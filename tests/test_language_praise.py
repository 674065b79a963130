"""What of an English text praises a part of what is reviewed, and what does not: cases that readers marked."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from rag_rationale.types import Analyser


def praised(known: Mapping[str, Analyser], text: str) -> set[str]:
    spans = known["en"].spans(text)
    return {s.text for s in spans if s.shape == "np" and s.polarity == "positive" and s.article == "definite"}


@pytest.mark.parametrize(
    ("text", "noun"),
    [
        ("I love the color.", "the color"),
        ("We loved their cakes.", "the cakes"),
        ("The tone is bright and lovely.", "the tone"),
        ("It has a great range.", "the range"),
        ("A cosy place with friendly staff.", "the friendly staff"),
        ("There is a lovely view.", "the lovely view"),
        ("They have friendly staff and tasty soup.", "the tasty soup"),
        ("It has a smooth surface and a clear sound.", "the clear sound"),
    ],
)
def test_a_part_is_praised_by_what_is_said_of_it(known: Mapping[str, Analyser], text: str, noun: str) -> None:
    assert noun in praised(known, text)


@pytest.mark.parametrize(
    "text",
    [
        "This is a great help.",  # what it is
        "It is the best capo on the market.",
        "I like this cleaner.",  # itself
        "What a great little stand.",
        "The ability to adjust the bass is nice.",  # half of something
        "I love the ease at which it opens.",
        "Use a good preamp with it.",  # advice
        "Give the brush a good flick.",
        "Having a good clean neck is where it starts.",
        "My pegs are in great shape.",  # the writer's own
        "I love my laptop.",
        "It comes close to my good headphones.",
        "With a good cord it charges fast.",
        "I coat the strings with a good string cleaner.",
        "I am a musician with perfect pitch.",
        "I love good projection.",  # a taste
        "I like a light string.",
        "I love it almost as much as I love pizza.",
        "Most good strings last a year.",  # not of this one
        "The less bright sound is the better one.",
        "It works with other smart devices.",
        "The clear cover has a short string on its end.",  # which one
        "The boost knob fell off.",
        "The speed is easy to read.",
        "It makes the strings feel nice.",
        "Although the amp is great, it lacks warmth.",
        "I felt a strong hatred.",
        "I have not found a good setup for it yet.",
        "It doesn't have great shielding.",
        "Once I find a good tone I keep it.",
        "She is online wherever there is free wifi.",
        "Fresh strings do a lot for the sound.",
        "The cable, 5 feet, is very well made.",
        "Bought two for my grandson and my grand daughter.",
        "And then we had the Apollo fish, Chilli prawns, Tender chicken, Bangla fry, and Crispy veg!",
        "Starters: kebab and fish .Fish was tasty though it was cold.",
        "Had the staff been a little attentive, I would have rated it a 4.",
        "Ordered four pastries: chocolate truffle, black forest, and fresh fruit on a Sunday.",
        "The cost is a little on the higher side but well worth it.",
        "Portion was small but tasty.",
        "The bread was okayish, soup nice and fresh.",
        "The rate changes seemed much less interesting.",
        "Kay bakers is the best place for getting pizza.",
        "Nice service chicken soup is delicious.",
        "I love love love Indian food.",
        "Very good soup. Not so great beer from their own brewery.",
        "All non vegetarian delicacies are brilliant.",
        "I said that the soup was,",
    ],
)
def test_what_is_no_praise_of_a_part_is_told_as_none(known: Mapping[str, Analyser], text: str) -> None:
    assert not praised(known, text)


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("This is a very good tablet.", "a very good tablet"),
        ("It's a good banjo capo. Works well.", "a good banjo capo"),
        ("This is a great bag, regardless of cost.", "a great bag"),
        ("This is not a great bag.", None),
        ("This would be a great bag.", None),
        ("The strap broke. This is a great bag.", None),  # of what, stands before
        ("This is a better bag than most.", None),
        ("This is a great thing.", None),
        ("The neck is a great joy.", None),
    ],
)
def test_only_what_opens_a_text_sums_the_item_up(known: Mapping[str, Analyser], text: str, called: str | None) -> None:
    found = {s.text for s in known["en"].spans(text) if s.shape == "identity" and s.polarity == "positive"}
    assert found == ({called} if called else set())


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("Through the bass amp, the tone is clear.", None),
        ("The cloth is so nice it is worth the cleaning.", None),
        ("It is not unusual to think a pedal sounds good.", None),
        ("In May, the tone is clear.", "the tone is clear"),
        ("The cloth is so nice.", "the cloth is so nice"),
        ("The food is awesome here.", "the food is awesome"),
        ("Kadai curry was tasteless.", "the kadai curry was tasteless"),
    ],
)
def test_a_clause_is_not_cut_from_what_limits_it(known: Mapping[str, Analyser], text: str, clause: str | None) -> None:
    found = {s.text for s in known["en"].spans(text) if s.shape == "clause" and "it is" not in s.text}
    assert found == ({clause} if clause else set())
