"""Which draft is served: it must read, tell and fit, and the user's fit is asked of its own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from rag_rationale.config import load_settings
from rag_rationale.generation import ScriptedEngine
from rag_rationale.prompting import TemplateStore
from rag_rationale.types import Cite, Draft, Evidence, Filler, Language, Passage, Score, ScoreRequest
from rag_rationale.writing import Ranker

FITS = {"the broth was thick": 0.3, "the garden was quiet": 0.0, "broth thick the was": 0.9}


class Reads(ScriptedEngine):
    """Finds every text equally likely, but for those in `garbled`."""

    garbled = "broth thick the was"

    def score(self, request: ScoreRequest) -> list[Score]:
        return [Score(-80.0 if self.garbled in c else -30.0, 10) for c in request.candidates]


def draft(words: str, *, score: float = 0.0) -> Draft:
    """One reviewer says these words, whose passage has that score."""
    passage = Passage(words, "review", words, "text", "item", 0, len(words), words, "en")
    evidence = Evidence(words, passage, "review", "Tide Table", score=score)
    filler = Filler("theirs.clause", words, "clause", evidence, 0, len(words))
    parts = ("One reviewer says ", filler, " ", Cite((evidence,), (0,), (len(words),)), ".")
    return Draft("merit", "slots", "reviewer-says", "en", parts)


def ranker(asked: list[str] | None = None) -> Ranker:
    def fit(texts: Sequence[str], lang: Language) -> list[float]:
        assert lang == "en" or not texts
        if asked is not None:
            asked.extend(texts)
        return [FITS[text] for text in texts]

    def alike(pairs: Sequence[tuple[str, str]], lang: Language) -> list[float]:
        assert lang == "en"
        return [0.6 if own.split()[1] == theirs.split()[1] else 0.0 for own, theirs in pairs]

    template = TemplateStore(load_settings().prompts).get("default", language="en")
    return Ranker(template, Reads(), lambda _: 0.5, lambda _: 0, fit, alike, title="Tide Table", own=None)


def test_of_drafts_that_read_and_tell_alike_the_one_that_fits_the_user_is_served() -> None:
    drafts = [draft("the garden was quiet"), draft("the broth was thick")]
    assert ranker().best(drafts, hurry=False) == 1
    assert ranker().best(drafts[::-1], hurry=False) == 0


def test_a_passage_that_fits_counts_as_much_as_its_words() -> None:
    drafts = [draft("the broth was thick"), draft("the garden was quiet", score=0.5)]
    assert ranker().best(drafts, hurry=False) == 1


def test_no_fit_makes_up_for_words_that_do_not_read() -> None:
    assert ranker().best([draft("broth thick the was"), draft("the garden was quiet")], hurry=False) == 1


def test_a_catalogue_s_own_words_need_not_read_as_prose() -> None:
    garbled = draft("broth thick the was")
    assert ranker().best([garbled], hurry=False) is None
    assert ranker().best([_of_the_item_itself(garbled)], hurry=False) == 0


def _of_the_item_itself(made: Draft) -> Draft:
    (filler,) = made.fillers
    listed = replace(filler, evidence=replace(filler.evidence, side="item"))
    return replace(made, parts=tuple(listed if part is filler else part for part in made.parts))


def beside(words: str, event: str = "review") -> Draft:
    """A quiet garden beside the user's own words."""
    about, own = draft("the garden was quiet"), draft(words)
    evidence = replace(own.fillers[0].evidence, side="history", event=event)
    mine = replace(own.fillers[0], slot="own.clause", evidence=evidence)
    return replace(about, kind="match", parts=("You wrote that ", mine, "; ", *about.parts))


def test_a_match_is_between_words_about_one_thing() -> None:
    assert ranker().best([beside("the broth was thick"), beside("the garden was wild")], hurry=False) == 1


@pytest.mark.parametrize(
    ("own", "event", "served"),
    [
        ("the broth was thick", "review", 1),
        ("the garden was wild", "review", 0),
        ("the broth was thick", "preference", 0),
    ],
)
def test_own_words_that_have_little_to_do_with_it_are_better_left_out(own: str, event: str, served: int) -> None:
    assert ranker().best([beside(own, event), draft("the garden was quiet")], hurry=False) == served


def test_own_words_about_something_else_are_not_quoted_even_for_want_of_better() -> None:
    assert ranker().best([beside("the broth was thick")], hurry=False) is None


def test_in_a_hurry_no_words_are_embedded_and_their_passages_tell() -> None:
    asked: list[str] = []
    drafts = [draft("the broth was thick"), draft("the garden was quiet", score=0.2)]
    assert ranker(asked).best(drafts, hurry=True) == 1
    assert asked == []


def test_words_are_embedded_once_however_often_they_are_tried() -> None:
    asked: list[str] = []
    tried = ranker(asked)
    for _ in range(2):
        tried.best([draft("the broth was thick"), draft("the broth was thick")], hurry=False)
    assert asked == ["the broth was thick"]


def test_a_quotation_of_another_language_is_for_want_of_one_in_the_replys_own() -> None:
    foreign = draft("the broth was thick")
    filler = foreign.fillers[0]
    passage = replace(filler.evidence.passage, lang="zh")
    spoken = replace(filler, evidence=replace(filler.evidence, passage=passage))
    foreign = replace(foreign, parts=tuple(spoken if p is filler else p for p in foreign.parts))
    own = draft("the garden was quiet")
    assert ranker().best([foreign, own], hurry=True) == 1
    assert ranker().best([foreign], hurry=True) == 0
