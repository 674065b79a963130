"""Mode `free`: a model words the sentence, the judge lets it through or the plan goes down one mode."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import planted
import pytest
from serving import analysers

from rag_rationale.building import build
from rag_rationale.config import Settings, load_settings
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.generation import ScriptedEngine
from rag_rationale.service import Explainer
from rag_rationale.types import Capability, GenerateRequest, Rationale, RationaleRequest

SOUP = "The smoked eel soup was warm and delicious."
TRUE = "One reviewer says the smoked eel soup was warm and delicious [1]."
Ask = Callable[..., Rationale]


class Mute(ScriptedEngine):
    """A writer without a chat template."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        return super().capabilities - {"chat"}


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Ask for one sentence on an item with one review, with a free template; the engine says what it is told."""
    prompts = tmp_path / "prompts" / "free"
    prompts.mkdir(parents=True)
    shipped = load_settings().prompts
    for language in ("en", "zh"):
        text = (shipped / "default" / f"{language}.v1.prompt").read_text("utf-8")
        (prompts / f"{language}.v1.prompt").write_text(text.replace("\nmode: slots\n", "\nmode: free\n", 1), "utf-8")
    (prompts.parent / "labels.yaml").write_text("free: {production: 1}\n", "utf-8")

    def run(*told: str, engine: ScriptedEngine | None = None, review: str = SOUP, language: str = "en") -> Rationale:
        files = {
            "items": planted.write_jsonl(
                tmp_path / "items.jsonl",
                [{"item_id": "i", "title": "Harbour Grill"}, {"item_id": "j", "title": "别处"}],
            ),
            "reviews": planted.write_jsonl(
                tmp_path / "reviews.jsonl",
                [{"review_id": "r", "user_id": "u", "item_id": "i", "rating": 5, "timestamp": 1, "text": review}],
            ),
        }
        build("shop", **files, embedder=HashedEmbedder(), folder=tmp_path / "indexes")
        engine = engine or ScriptedEngine()
        engine.enqueue(*told)
        settings = Settings(indexes=tmp_path / "indexes", prompts=tmp_path / "prompts")
        explainer = Explainer(settings=settings, embedder=HashedEmbedder(), engine=engine, analysers=analysers())
        body = {"index": "shop", "item": {"id": "i"}, "template": "free", "max_sentences": 1, "language": language}
        try:
            return explainer.explain(RationaleRequest.model_validate(body))
        finally:
            explainer.close()

    return run


def test_a_true_sentence_of_the_model_is_served_as_it_is(ask: Ask) -> None:
    engine = ScriptedEngine()
    reply = ask(TRUE, engine=engine)
    assert (reply.rationale, reply.sentences[0].mode) == (TRUE, "free")
    assert reply.evidence[0].text == SOUP
    asked = engine.history[0]
    assert isinstance(asked, GenerateRequest)
    assert [speaker for speaker, _ in asked.messages] == ["system", "user"]
    assert f"[1] One reviewer of Harbour Grill wrote: {SOUP}" in asked.messages[1][1]


def test_a_chinese_sentence_of_the_model_is_served_too(ask: Ask) -> None:
    told = "有评价者说烤虾很好吃，分量也足[1]。"
    reply = ask(told, review="烤虾很好吃，分量也足。", language="zh")
    assert (reply.rationale, reply.sentences[0].mode) == (told, "free")


def test_a_sentence_without_a_marker_cites_the_one_passage_it_was_shown(ask: Ask) -> None:
    assert ask(TRUE.replace(" [1]", "")).rationale == TRUE
    assert ask(TRUE.replace(" [1].", ". [1]")).rationale == TRUE


def test_a_later_candidate_is_taken_where_the_first_is_false(ask: Ask) -> None:
    reply = ask("One reviewer says the beef soup was cold [1].", TRUE)
    assert reply.rationale == TRUE


@pytest.mark.parametrize(
    "false",
    [
        "One reviewer says the smoked eel soup was not warm and delicious [1].",
        "One reviewer says the smoked eel soup cost 5 pounds [1].",
        "Most reviewers say the smoked eel soup was warm and delicious [1].",
        "You wrote that the smoked eel soup was warm and delicious [1].",
        "One reviewer says the smoked eel soup was warm and delicious [2].",
        "One reviewer says the smoked eel soup was warm and delicious [1]",
        "I say the smoked eel soup was warm and delicious [1].",
        "One reviewer says the soup was warm [1]. It is the best in town.",
        "One reviewer says [1].",
        "[1] One reviewer says the smoked eel soup was warm and delicious.",
        'One reviewer says: "One reviewer says: the smoked eel soup was warm and delicious [1].',
        "One reviewer says Marisol served the smoked eel soup, warm and delicious [1].",
    ],
)
def test_a_false_sentence_goes_down_to_slots(ask: Ask, false: str) -> None:
    reply = ask(false, false, false)
    assert reply.sentences[0].mode == "slots"
    assert "eel soup" in reply.rationale


def test_a_model_that_cannot_converse_writes_slots(ask: Ask) -> None:
    engine = Mute()
    assert ask(engine=engine).sentences[0].mode == "slots"
    assert not [r for r in engine.history if isinstance(r, GenerateRequest) and r.messages]
