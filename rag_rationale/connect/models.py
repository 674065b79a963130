"""Models behind LangChain as ours, and ours as LangChain's: `provider:model` strings become an embedder or an engine.

The one door to LangChain's models. What a provider does with a text is out of our hands, so opening one warns.
"""

from __future__ import annotations

import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from langchain.chat_models import init_chat_model
from langchain.embeddings import init_embeddings
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from rag_rationale.errors import BackendError, SettingsError
from rag_rationale.generation.text import Assembler
from rag_rationale.types import (
    Capability,
    Embedder,
    GenerateRequest,
    Score,
    ScoreRequest,
    TextRole,
    TokenEvent,
    Vectors,
)

LOG = logging.getLogger(__name__)
_NUMBER = re.compile(r"\s*(\d{1,4})[.)]?\s*")
_CONTINUE = "Continue the user's text where it ends. Reply with the continuation only, without quotes or comment."
_CHOOSE = "You are given a text and numbered options. Reply with the number of the option that continues the text best."
_Model = TypeVar("_Model")


class TextsLeaveWarning(UserWarning):
    """Texts of users and items go to a model that this process does not run."""


class LangChainEmbedder:
    """An embedder behind LangChain: documents and queries go where `spec`'s provider sends them.

    `model` stands in for what `spec` names. Raises SettingsError where the provider is unknown or its package missing.
    """

    def __init__(self, spec: str, *, model: Embeddings | None = None) -> None:
        _warn(spec)
        self._name = spec
        self._model = model or _open(spec, lambda: init_embeddings(spec))
        self._dimension: int | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def dimension(self) -> int:
        """Found out by embedding one word, the first time it is asked for."""
        if self._dimension is None:
            self._dimension = int(self.embed(["dimension"], role="passage").shape[1])
        return self._dimension

    def embed(self, texts: Sequence[str], *, role: TextRole) -> Vectors:
        """Vectors of shape (len(texts), dimension), float32, norm 1, in the order given.

        Raises BackendError where the provider fails or returns what are no such vectors.
        """
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        try:
            if role == "query":
                rows = [self._model.embed_query(text) for text in texts]
            else:
                rows = self._model.embed_documents(list(texts))
        except Exception as error:
            raise _failed(self._name, error) from error
        return self._normalised(rows, len(texts))

    def _normalised(self, rows: Sequence[Sequence[float]], count: int) -> Vectors:
        lengths = {len(row) for row in rows}
        expected = {self._dimension} if self._dimension else lengths
        if len(rows) != count or len(lengths) != 1 or lengths != expected:
            raise BackendError(
                f"{self._name} returned {len(rows)} vectors of {sorted(lengths)} dimensions for {count} texts "
                f"(expected {self._dimension or 'one length'}).",
                remedy="Check that the model name is that of an embedding model.",
            )
        vectors = np.asarray(rows, np.float32)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(norms).all() and norms.all()):
            raise BackendError(f"{self._name} returned a vector that is zero or not finite.")
        return np.asarray(vectors / norms, np.float32)


class LangChainEngine:
    """A chat model behind LangChain: it can write and choose, not score.

    `model` stands in for what `spec` names. Raises SettingsError where the provider is unknown or its package missing.
    """

    def __init__(self, spec: str, *, model: BaseChatModel | None = None, context_tokens: int = 8192) -> None:
        _warn(spec)
        self._name = spec
        self._model = model or _open(spec, lambda: init_chat_model(spec, temperature=0))
        self._context_tokens = context_tokens

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset(("generate", "choices"))

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    def score(self, request: ScoreRequest) -> list[Score]:
        """Chat models tell no likelihood of given texts: raises BackendError."""
        raise BackendError(
            f"{self._name} cannot score {len(request.candidates)} candidates.", remedy="Use `generate` with `choices`."
        )

    def generate(self, request: GenerateRequest) -> Iterator[TokenEvent]:
        """Token events until one carries `finish`; a chunk of the stream counts as a token.

        With `choices` the model is asked for the number of one, and an answer that is no such number means the first.
        Sampling is the model's own: `temperature` and `seed` are not passed on. Raises BackendError where it fails.
        """
        return self._choose(request) if request.choices else self._write(request)

    def close(self) -> None:
        """Nothing to free."""

    def _choose(self, request: GenerateRequest) -> Iterator[TokenEvent]:
        place = 0
        if len(request.choices) > 1:
            options = "\n".join(f"{i}. {json.dumps(c, ensure_ascii=False)}" for i, c in enumerate(request.choices, 1))
            reply = self._call(f"Text:\n{request.prefix}\n\nOptions:\n{options}\n\nNumber:")
            match = _NUMBER.fullmatch(reply)
            if match and 1 <= int(match[1]) <= len(request.choices):
                place = int(match[1]) - 1
            else:
                LOG.warning("%s answered %r, not a number up to %d", self._name, reply[:80], len(request.choices))
        yield TokenEvent(request.choices[place], finish="choice")

    def _call(self, text: str) -> str:
        try:
            return str(self._model.invoke([SystemMessage(_CHOOSE), HumanMessage(text)]).text)
        except Exception as error:
            raise _failed(self._name, error) from error

    def _write(self, request: GenerateRequest) -> Iterator[TokenEvent]:
        assembler = Assembler(request.stop)
        messages = [SystemMessage(_CONTINUE), HumanMessage(request.prefix)]
        taken, cut = 0, False
        for chunk in self._stream(messages, request.stop):
            cut = cut or chunk.response_metadata.get("finish_reason") in ("length", "max_tokens")
            piece = str(chunk.text)
            if piece and taken == request.max_tokens:
                cut = True
                break
            taken += bool(piece)
            text = assembler.feed(piece.encode())
            if assembler.stopped:
                yield TokenEvent(text, finish="stop")
                return
            if text:
                yield TokenEvent(text)
        yield TokenEvent(assembler.flush(), finish="length" if cut else "end")

    def _stream(self, messages: list[BaseMessage], stop: Sequence[str]) -> Iterator[BaseMessage]:
        try:
            yield from self._model.stream(messages, stop=list(stop) or None)
        except Exception as error:
            raise _failed(self._name, error) from error


class RationaleEmbeddings(Embeddings):
    """Any embedder of this package as LangChain's `Embeddings`, queries and documents kept apart."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector of norm 1 per text, in the order given; [] for none."""
        return [[float(x) for x in row] for row in self.embedder.embed(texts, role="passage")]

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query, of norm 1."""
        return [float(x) for x in self.embedder.embed([text], role="query")[0]]


def _warn(spec: str) -> None:
    warnings.warn(
        f"Texts of users and items go to {spec!r} and may leave this machine.", TextsLeaveWarning, stacklevel=3
    )


def _open(spec: str, opener: Callable[[], _Model]) -> _Model:
    try:
        return opener()
    except Exception as error:  # a missing package, an unknown name, a missing key: each provider has its own
        raise SettingsError(
            f"LangChain cannot open {spec!r}: {(str(error).splitlines() or [type(error).__name__])[0]}",
            remedy="Expected `provider:model`, with the provider's package installed and its key in the environment.",
        ) from error


def _failed(name: str, error: Exception) -> BackendError:
    return BackendError(
        f"{name} failed with {type(error).__name__}: {error}", remedy="Check its key, its name and the network."
    )
