"""What a strict reader marks in a sentence: such sentences are shown in no form, and their like that are right are."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from rag_rationale.types import Analyser, Language


def shown(known: Mapping[Language, Analyser], text: str) -> list[str]:
    """Whatever of a text may be shown as a whole: in quotation marks, or as a clause of all its words."""
    whole = len(text) - 4
    return [s.text for s in known["en"].spans(text) if s.shape in {"clause", "quote"} and len(s.text) > whole]


@pytest.mark.parametrize(
    "text",
    [
        "The drivers was kind to our children.",
        "They was kind to our children.",
        "The hut have a warm drying room.",
        "We liked the lamps that fits on a shelf.",
        "The cabin and the sauna was lovely.",
        "Both guides could spoke three languages.",
        "This is good place for long walks.",
        "The shop has nice spread of maps.",
        "This was best trail of the summer.",
        "This is one of the lovely trail near the lake.",
        "The staffs are friendly and quick.",
        "It is a amazing view from the hut.",
        "The cabin keeps it's warmth all night.",
        "Its a lovely walk along the river.",
        "The soup was lovely , warm and thick.",
        "I was there and i loved the view.",
        "The guide was very very patient with us.",
        "The view from the hut is gud.",
        "The rent was quiet high for that room.",
        "The boots are light, they dried over night.",
        "The boots are light they dried over night.",
        "The Guide Was Kind And The Hut Was Warm.",
        "Walked there twice with the whole class and loved it.",
        "The best parts of the tour are.",
        "The view was lovely, the tea were weak.",
        "The hut is a bad maintained one near the lake.",
        "The hike was lovely especially the descent.",
        "We had a LOVELY walk around the lake.",
        "Do you know what is lovely about this hut?",
        "There is no lantern only candles.",
        "The ferry office is too worst for families.",
        "The garden is descent and quiet.",
        "The set lunch is good and rather than the big menu.",
        "We liked the thai soup and the bread.",
        "We liked the salad with mix of herbs.",
        "Otherwise the tour was lovely and calm.",
        "Thanks for the lovely evening at the lake!",
        "Hill themed guesthouse with a large garden and a view.",
        "After the soup the Disaster came to our table.",
        "The guide told us to bring a WARM jacket.",
        "Every crossing took at least 40mins to be over.",
        "The hut is a mess was shocked to see it.",
        "Good soup good bread from the oven.",
        "The hut lived up the expectation of our group.",
        "The taste of the soup is absolutely very bad.",
        "No soup was warm neither the red one nor the green.",
        "Though the soup was warm but the bread was stale.",
        "The two halls are contrasting with each other.",
        "Super b soup and a warm bed for walkers.",
        "Waiter's tone is rude and his answers are short.",
        "We had the soup which was lovely and warm.",
        "The starters are too good and the bread is warm.",
        "The amount of walking trails is lovely.",
        "Orders are taken good and the food is warm.",
        "It has always been my weekend spots for a walk.",
        "Ordered a soup from the hut, the bread was stale.",
        "Lovely people and enjoyed a lot at the lake.",
        "The hut stands on a hill with decent view.",
        "The food quality and quantity both are good.",
        "The rice was little undercooked for our taste.",
        "The ambience of cafe is calm and warm.",
        "Dogs are not allowed on dance floor after eight.",
        "Lovely soup at good price for walkers.",
        "The hut has warm beds, very calm and cosy place.",
        "The guide was very kind, totally worth the visit.",
        "The wrap has good quantity of cheese inside.",
        "The soup is too much salty for our taste.",
        "The soup Was cold and the bread was stale.",
        "They show great respect towards customer.",
        "A decent hut with a regular kitchen but the price is high.",
        "The hut is warm and overall a good place to sleep.",
        "Visitors get ill by eating such kind of soup here.",
        "The guides dont care for walkers at all.",
        "The shops ambience is calm and the staff is kind.",
        "Its better to bring your own soup and bread.",
        "The goat soup- tastes good and it is warm.",
        "The hut is good ambience wise for a short stay.",
        "The hut is calm and as well as warm at night.",
        "The hut is exceptional and with adequate lights.",
        "The soup was salty hence faced trouble at night.",
        "The guides are slow even not in the busy hours.",
        "They say 90% items in the menu are gone.",
        "The soup of the house is rich, deep.",
        "The overall food in the hut is lovely.",
        "Their rooms are one of the best near the lake.",
        "The rice taste seems to be of low quality.",
        "The portion was enough for two people with large appetite.",
        "The hut and the soup was good so as desserts.",
        "Every food that they cook is warm and lovely.",
        "The hut was pleasant to hangout with our friends.",
        "The tour was late so called the guide twice.",
        "Coming to the soup, the bread was soft and warm.",
        "Food variety and taste is good in this hut.",
        "The variety of soups in the hut are lovely.",
        "The soup was not pretty good on that day.",
        "The packing of the soups is worst.",
        "The food was awesome and the best place for parties.",
        "The rice not baked properly and the soup was cold.",
        "The name of the hut and the view is lovely.",
        "A friendly guide and the new bridge is a value to all.",
        "The hut is small and too much crowded at night.",
        "Rest of soup was tasty.",
        "The taste of the soup has been consistent over the time.",
        "There was hardly any one in the hall.",
        "The hut is just okay kind of nothing great.",
        "The bread was waste.",
        "The view is too good for a pleasant evening.",
        "The soup was cold, again salty.",
        "We waited an hour for the guide, that too when it was cold.",
        "All three were warm and clean.",
        "The soup was served hot fresh and on time.",
        "The hut had no spices and salt.",
        "The guide was extremely rude including the cook.",
        "The atmosphere of the hut is spacious and warm.",
        "The hut is cosy and not a very loud.",
        "There is no cheese in pizza.",
        "The hut is not good for tea lover lovers.",
        "As usual soup is awesome.",
        "Non-veg is really good.",
        "Delivery and packing also good.",
        "Last but not the least, the guide was kind.",
        "The soup was ok due to rush.",
        "THe guides are kind and quick.",
        "The starters served cold in the hall.",
        "The soup was smelling.",
        "The only option is buffet.",
        "Crispy corns were lovely.",
        "The dj was good that night.",
        "The stuff is quite courteous.",
        "The guide is very professional polite and friendly.",
        "Fish fingers all are lovely.",
        "Very nice service from delivery guy.",
    ],
)
def test_a_sentence_with_a_flaw_is_not_shown(known: Mapping[Language, Analyser], text: str) -> None:
    assert shown(known, text) == []


@pytest.mark.parametrize(
    "text",
    [
        "The drivers were kind to our children.",
        "The hut has a warm drying room and a good view.",
        "We liked the lamps that fit on a shelf.",
        "The cabin and the sauna were lovely.",
        "This is a good place for long walks.",
        "This is one of the loveliest trails near the lake.",
        "The crew are friendly and quick.",
        "It was an hour well spent at an honest price.",
        "The boots are light, and they dried over night.",
        "The boots are light because they are made of felt.",
        "I think the boots are light.",
        "We waited while the guide unpacked the ropes.",
        "The guide who led us was patient with the children.",
        "A good thing to read when others are asleep.",
        "They call this a warm room?",
        "It is a quiet little village with a good bakery.",
        "We took the Lantern Walk and a bus on Monday.",
        "The cabin has a TV and the guide a GPS.",
        "The crossing took 40 minutes and 3 x 2 cars fit.",
        "It lived up to the expectations of our group.",
        "Though the soup was warm, the bread was stale.",
        "The halls contrast with the garden behind them.",
        "The waiter's tone is rude and his answers are short.",
        "The halls contrast with each other in every way.",
        "At one time the hut was a school for guides.",
        "There are two trails, one of which is steep.",
        "The price was not too bad for such a hut.",
        "It is worth at least two visits in a year.",
        "Both the soup and the bread were warm.",
        "The attic room is the quietest.",
        "It is the absolute best of the three huts.",
        "The lamp works with either hand.",
        "We very much enjoyed the walk.",
        "There was no fuss and no noise.",
        "It is a good class for children.",
        "It is the best lamp out there.",
        "The hut is good no matter how cold it gets.",
        "The hut is great for price and comfort.",
        "Things were calm on the last day.",
        "They lived up the hill from the old bakery.",
        "The amount of glass in the hall is lovely.",
        "The hut is warm and overall it was a lovely stay.",
        "The hut is calm, and with a fire lit it is warm.",
        "Their hut is one of the best near the lake.",
        "The portion was enough for two people with a large appetite.",
        "The soup has the taste of a wood fire.",
        "They came so late that we left the hut.",
        "The variety of soups in the hut is lovely.",
        "We came early and the food was warm.",
        "The mix of bread and soup is lovely.",
        "The quick and patient guide is kind to all.",
        "The rice was not baked properly that day.",
        "It was our first time visiting the old lighthouse.",
        "The rest area is clean and near the trail.",
        "Of all the seats the one by the window is best.",
        "The hut is warm and not pretty from the outside.",
        "We had no point of contact on the ferry.",
        "The rest of the soup was tasty.",
        "The rest of us loved the view.",
        "The trail got steeper over the time that we spent there.",
        "Any one of the three huts will do.",
        "The bread was a waste of money.",
        "All three huts were warm and clean.",
        "All of the guides were kind.",
        "The soup was served hot, fresh and on time.",
        "It was great, including the soup.",
        "It is not a very large hut.",
        "There is cheese in the pizza.",
        "The soup was warm again after a minute.",
        "The staff and the cook are kind.",
        "The food was late due to rush hour.",
        "The food served in the hall was warm.",
        "The delivery was also good.",
        "The guides and TVs are new.",
        "The guide is professional, polite and friendly.",
        "The big old quiet and warm hut is near.",
        "Our Saturday night dinner was lovely.",
        "The meatballs are served in gravy.",
        "Its only drawback is the noise.",
        "The staff of the local branch are kind.",
    ],
)
def test_a_sentence_without_one_is(known: Mapping[Language, Analyser], text: str) -> None:
    assert text.rstrip(".") in [s.text for s in known["en"].spans(text) if s.shape == "quote"]


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("Grilled cheese was juicy.", "the grilled cheese was juicy"),
        ("Only drawback is the noise.", "the only drawback is the noise"),
        ("Gravy was very thin.", "the gravy was very thin"),
        ("Second Lantern is a lovely club for readers.", "Second Lantern is a lovely club for readers"),
        ("Even the attic was warm.", "the attic was warm"),
        ("Lantern oil cost was moderate.", "the lantern oil cost was moderate"),
        ("Cheese was not properly grated.", "the cheese was not properly grated"),
        ("The tea was good too along with the warm bread.", "the tea was good along with the warm bread"),
        ("The tea was too salty.", "the tea was too salty"),
        ("Camp food was good.", "the camp food was good"),
        ("Berlin is lovely in May.", "Berlin is lovely in May"),
        ("Two rooms are warm.", "two rooms are warm"),
        ("Manager's tone is totally rude.", "the manager's tone is totally rude"),
        ("Paratha had some sort of foul smell.", "the paratha had some sort of foul smell"),
        ("Here Food is awesome.", "the food is awesome"),
        ("Soup was good.", "the soup was good"),
        ("Chicken masala curry had only 1 piece.", "the chicken masala curry had only 1 piece"),
        ("Every room is warm.", "every room is warm"),
        ("Rooms are lovely.", "the rooms are lovely"),
        ("Rooms are upstairs.", "rooms are upstairs"),
        ("Half of the order was cold.", "half of the order was cold"),
        ("The Lantern Cake was rich.", "the Lantern Cake was rich"),
    ],
)
def test_a_clause_gets_the_article_that_its_subject_lacks(
    known: Mapping[Language, Analyser], text: str, clause: str
) -> None:
    assert clause in [s.text for s in known["en"].spans(text) if s.shape == "clause"]


def test_words_that_no_dictionary_has_are_told(known: Mapping[Language, Analyser]) -> None:
    strange = {s.strange for s in known["en"].spans("The veiw from the balcony was lovely.") if s.shape == "clause"}
    assert strange == {("veiw",)}
    assert {s.strange for s in known["en"].spans("The hut is quiet and the stuff inside is warm.")} == {()}
    assert {s.strange for s in known["en"].spans("The views were lovely and went on for miles.")} == {()}


def test_praise_behind_a_but_that_denies_is_told_neither_way(known: Mapping[Language, Analyser]) -> None:
    text = "Nothing special on the menu but the soup and the staff were good."
    assert not [s for s in known["en"].spans(text) if s.shape == "clause" and "but" in s.text]


def test_a_title_in_capitals_that_names_nothing_loses_them(known: Mapping[Language, Analyser]) -> None:
    assert {s.text for s in known["en"].spans("Good Delivery") if s.shape == "np"} == {"the delivery", "good delivery"}


def test_what_needs_care_is_not_praised(known: Mapping[Language, Analyser]) -> None:
    assert known["en"].polarity("the last ladder needs care") == "neutral"
    assert known["en"].polarity("the nurses take good care of everybody") == "positive"
    assert known["en"].polarity("the tower is lovely too coupled with the garden") == "positive"


@pytest.mark.parametrize(
    "text",
    [
        "It is really hard to get good bread.",
        "It is calmer than lovely markets in the old town.",
        "I really like the quality.",
        "What a pleasant surprise!",
        "You can sit there and enjoy a cup of tea.",
        "It is for everyone who loves ferries.",
        "They did not quite fully enjoyed the songs.",
        "Keep up the good work.",
        "You seldom get proper authentic soup there.",
        "Nice soup but losing its warmth of late.",
        "We loved the taste of the variety.",
        "We loved the design of it.",
        "The view of the other hut is better.",
        "I heard this hut serves good coffee.",
    ],
)
def test_what_is_only_sought_compared_or_said_of_everything_is_not_singled_out(
    known: Mapping[Language, Analyser], text: str
) -> None:
    assert [s.text for s in known["en"].spans(text) if s.shape == "np" and s.polarity == "positive"] == []


def test_what_a_comma_is_missing_before_is_not_praised_by_it(known: Mapping[Language, Analyser]) -> None:
    spans = known["en"].spans("Soup was perfect desserts, tea was weak.")
    assert not [s.text for s in spans if s.shape == "np" and s.head == "dessert"]


def test_only_what_is_offered_or_judged_is_praised_by_its_adjective(known: Mapping[Language, Analyser]) -> None:
    def praised(text: str) -> set[str]:
        return {s.head for s in known["en"].spans(text) if s.shape == "np" and s.polarity == "positive"}

    assert praised("She suggested us the best trails on the map.") == set()
    assert praised("The seating could have been better.") == set()
    assert praised("The hut has lovely trails nearby.") == {"trail"}
    assert praised("They serve excellent soup.") == {"soup"}
    assert praised("Our friends enjoyed their soup.") == set()
    assert praised("We enjoyed the soup.") == praised("I love the soup more than anything.") == {"soup"}
    assert praised("We visited a newly opened lovely shop.") == set()


@pytest.mark.parametrize(
    "text",
    [
        "They fool you by saying the soup is sold out.",  # the staff say so
        "A bowl was 200 and one plate was not enough.",
        "The hut was friendly with the cook coming to make sure of it.",
        "The soup was bad and please rather than this serve bread.",
        "The goat was finger licking good.",
        "I heard that this place serves good soup.",
    ],
)
def test_what_others_say_or_what_is_cut_off_is_no_clause(known: Mapping[Language, Analyser], text: str) -> None:
    assert [s.text for s in known["en"].spans(text) if s.shape == "clause"] == []


def test_a_text_cut_off_anywhere_can_be_read(known: Mapping[Language, Analyser]) -> None:
    text = "Also this hut is near to all the trails, so they have, like never before, soup and bread for us, all warm."
    for end in range(1, len(text)):
        known["en"].spans(text[:end])


def test_one_word_in_two_spellings_is_one_thing(known: Mapping[Language, Analyser]) -> None:
    heads = {s.head for s in known["en"].spans("The ambiance was calm. The ambience was calm.") if s.shape == "clause"}
    assert heads == {"ambience"}
    terms = [n.lemma for n in known["en"].terms("ambiance and colors")]
    assert terms == ["ambience", "colour"]


def test_a_quotation_begins_where_its_sentence_does(known: Mapping[Language, Analyser]) -> None:
    texts = [
        "He called the office and they say that nobody had responded to the call and so they had to cancel the tour.",
        "The tour was long, so so long, and so they had to cancel the supper for us.",
    ]
    for text in texts:
        assert all(s.start == 0 for s in known["en"].spans(text) if s.shape == "quote")
