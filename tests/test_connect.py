"""LangChain's models behind our protocols and ours behind its interface, with LangChain's own fakes and suite."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.language_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from rag_rationale.connect import LangChainEmbedder, LangChainEngine, RationaleEmbeddings, TextsLeaveWarning
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.errors import BackendError, SettingsError
from rag_rationale.types import Embedder, Engine, GenerateRequest, ScoreRequest

TEXTS = ["The pool was warm.", "房间很安静。", "Breakfast was cold."]


class Given(Embeddings):
    """Returns the rows it was given and keeps what it was asked."""

    def __init__(self, rows: list[list[float]]) -> None:
        self.rows, self.asked = rows, list[tuple[str, object]]()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.asked.append(("documents", texts))
        return self.rows

    def embed_query(self, text: str) -> list[float]:
        self.asked.append(("query", text))
        return self.rows[0]


def embedder(model: Embeddings) -> LangChainEmbedder:
    with pytest.warns(TextsLeaveWarning, match="'fake:model' and may leave this machine"):
        return LangChainEmbedder("fake:model", model=model)


def engine(*replies: str) -> LangChainEngine:
    with pytest.warns(TextsLeaveWarning):
        return LangChainEngine("fake:chat", model=FakeListChatModel(responses=list(replies)))


def test_vectors_are_langchains_own_normalised_in_float32() -> None:
    ours: Embedder = embedder(DeterministicFakeEmbedding(size=7))
    vectors = ours.embed(TEXTS, role="passage")
    raw = np.array(DeterministicFakeEmbedding(size=7).embed_documents(TEXTS))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, raw / np.linalg.norm(raw, axis=1, keepdims=True), atol=1e-6)
    assert ours.dimension == 7
    assert ours.name == "fake:model"
    assert ours.embed([], role="query").shape == (0, 7)


def test_queries_and_passages_take_their_own_ways() -> None:
    given = Given([[3.0, 4.0], [0.0, 2.0]])
    ours = embedder(given)
    np.testing.assert_allclose(ours.embed(["a", "b"], role="passage"), [[0.6, 0.8], [0, 1]], atol=1e-7)
    np.testing.assert_allclose(ours.embed(["q"], role="query"), [[0.6, 0.8]], atol=1e-7)
    assert given.asked == [("documents", ["a", "b"]), ("query", "q")]


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([[1.0, 0.0]], "returned 1 vectors .* for 2 texts"),
        ([[1.0, 0.0], [1.0]], r"of \[1, 2\] dimensions"),
        ([[1.0, 0.0], [0.0, 0.0]], "zero or not finite"),
        ([[1.0, 0.0], [float("nan"), 1.0]], "zero or not finite"),
    ],
)
def test_what_are_no_vectors_is_refused(rows: list[list[float]], complaint: str) -> None:
    with pytest.raises(BackendError, match=complaint):
        embedder(Given(rows)).embed(["a", "b"], role="passage")


def test_a_model_that_changes_its_dimension_is_refused() -> None:
    given = Given([[1.0, 0.0]])
    ours = embedder(given)
    assert ours.dimension == 2
    given.rows = [[1.0, 0.0, 0.0]]
    with pytest.raises(BackendError, match=r"\[3\] dimensions .*expected 2"):
        ours.embed(["a"], role="passage")


def test_an_unknown_provider_or_a_missing_package_is_told_before_any_call() -> None:
    for spec in ("nosuchprovider:m", "openai:gpt"):
        for kind in (LangChainEmbedder, LangChainEngine):
            with pytest.warns(TextsLeaveWarning), pytest.raises(SettingsError, match=rf"cannot open '{spec}'.*key"):
                kind(spec)


def test_a_provider_that_fails_raises_our_error_with_its_reason() -> None:
    class Down(Given):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:  # noqa: ARG002
            raise ConnectionError("no route")

    with pytest.raises(BackendError, match="fake:model failed with ConnectionError: no route"):
        embedder(Down([])).embed(["a"], role="passage")

    class Mute(FakeListChatModel):
        def _call(self, *_: Any, **__: Any) -> str:
            raise TimeoutError("too slow")

        def _stream(self, *_: Any, **__: Any) -> Iterator[Any]:
            raise TimeoutError("too slow")

    with pytest.warns(TextsLeaveWarning):
        mute = LangChainEngine("fake:chat", model=Mute(responses=["x"]))
    for request in (GenerateRequest("p"), GenerateRequest("p", choices=("a", "b"))):
        with pytest.raises(BackendError, match="TimeoutError: too slow"):
            list(mute.generate(request))


def test_a_stream_ends_before_its_stop_string_and_at_its_budget() -> None:
    ours: Engine = engine("a warm pool\nand more", "一二三四五六", "short")
    stopped = list(ours.generate(GenerateRequest("p", stop=("\n",))))
    assert ("".join(e.text for e in stopped), stopped[-1].finish) == ("a warm pool", "stop")
    cut = list(ours.generate(GenerateRequest("p", max_tokens=4)))
    assert ("".join(e.text for e in cut), cut[-1].finish) == ("一二三四", "length")
    whole = list(ours.generate(GenerateRequest("p", max_tokens=5)))
    assert ("".join(e.text for e in whole), whole[-1].finish) == ("short", "end")


def test_what_a_provider_says_at_the_end_of_a_stream_is_understood() -> None:
    class Telling(FakeListChatModel):
        reason: str

        def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
            yield from super()._stream(*args, **kwargs)
            yield ChatGenerationChunk(
                message=AIMessageChunk("", response_metadata={"finish_reason": self.reason}, chunk_position="last")
            )

    for reason, finish in (("stop", "end"), ("length", "length"), ("max_tokens", "length")):
        with pytest.warns(TextsLeaveWarning):
            ours = LangChainEngine("fake:chat", model=Telling(responses=["short"], reason=reason))
        events = list(ours.generate(GenerateRequest("p", max_tokens=5)))
        assert ("".join(e.text for e in events), events[-1].finish) == ("short", finish)


def test_the_prompt_reaches_the_model_as_the_users_text() -> None:
    seen: list[list[BaseMessage]] = []

    class Watching(GenericFakeChatModel):
        def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Any:
            seen.append(messages)
            return super()._generate(messages, *args, **kwargs)

    with pytest.warns(TextsLeaveWarning):
        ours = LangChainEngine("fake:chat", model=Watching(messages=iter([AIMessage("2"), AIMessage("ok")])))
    picked = next(ours.generate(GenerateRequest("Guests praise the", choices=(" pool\n1.", "房间"))))
    list(ours.generate(GenerateRequest("Guests praise the")))
    assert picked.text == "房间"
    asked = str(seen[0][-1].content)
    assert asked.startswith("Text:\nGuests praise the\n")
    assert '1. " pool\\n1."\n2. "房间"\n' in asked
    assert seen[1][-1].content == "Guests praise the"


@pytest.mark.parametrize(
    ("reply", "place"),
    [("2", 1), (" 3.\n", 2), ("3)", 2), ("4", 0), ("0", 0), ("the 2nd", 0), ("2 or 3", 0), ("", 0), ("-2", 0)],
)
def test_a_choice_is_a_number_or_the_first(reply: str, place: int) -> None:
    choices = ("pool", "lobby", "garden")
    (event,) = engine(reply).generate(GenerateRequest("p", choices=choices))
    assert (event.text, event.finish) == (choices[place], "choice")


def test_a_lone_choice_asks_nobody() -> None:
    ours = engine()
    assert [e.text for e in ours.generate(GenerateRequest("p", choices=("only",)))] == ["only"]


def test_a_chat_model_says_that_it_cannot_score() -> None:
    ours = engine("1")
    assert ours.capabilities == {"generate", "choices"}
    with pytest.raises(BackendError, match="fake:chat cannot score 2 candidates"):
        ours.score(ScoreRequest("p", ("a", "b")))


class OverRationaleEmbeddings:
    """What LangChain's suites ask of whom they are to test."""

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return RationaleEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"embedder": HashedEmbedder(16)}


class TestRationaleEmbeddings(OverRationaleEmbeddings, EmbeddingsUnitTests):
    """LangChain's own suite."""


class TestRationaleEmbeddingsAtWork(OverRationaleEmbeddings, EmbeddingsIntegrationTests):
    """LangChain's own suite of a model that answers."""


def test_langchain_gets_our_vectors_in_plain_lists_also_asynchronously() -> None:
    ours = HashedEmbedder(16)
    theirs = RationaleEmbeddings(ours)
    documents = theirs.embed_documents(TEXTS)
    np.testing.assert_array_equal(np.array(documents, np.float32), ours.embed(TEXTS, role="passage"))
    assert type(documents[0][0]) is float
    assert asyncio.run(theirs.aembed_documents(TEXTS)) == documents
    assert asyncio.run(theirs.aembed_query(TEXTS[0])) == theirs.embed_query(TEXTS[0]) == documents[0]
    assert theirs.embed_documents([]) == []


def test_langchain_gets_queries_embedded_as_queries() -> None:
    class Roles(HashedEmbedder):
        def embed(self, texts: Any, *, role: Any, progress: Any = None) -> Any:
            return super().embed([f"{role} {t}" for t in texts], role=role, progress=progress)

    theirs, plain = RationaleEmbeddings(Roles(64)), RationaleEmbeddings(HashedEmbedder(64))
    assert theirs.embed_query("pool") == plain.embed_query("query pool")
    assert theirs.embed_documents(["pool"]) == plain.embed_documents(["passage pool"])
