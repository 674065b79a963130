"""The writer, the analysers and the embedder of one request, asked only while somebody waits for the answer.

Each call of one of them takes at most a moment, all of a request's together may take seconds. While a model answers,
other requests have their turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, cast

import numpy as np

from rag_rationale.service.turns import Away
from rag_rationale.types import (
    Analyser,
    Embedder,
    Engine,
    GenerateRequest,
    Language,
    Score,
    ScoreRequest,
    TextRole,
    TokenEvent,
    Vectors,
)

Heed = Callable[[], None]
"""Raises where nobody waits any more."""
_SLICE = 32  # texts embedded in one go


def heeding_engine(engine: Engine, heed: Heed, away: Away = nullcontext) -> Engine:
    """The engine; `heed` comes before each score and each token, and it is waited for `away`."""
    return cast(Engine, _HeedingEngine(engine, heed, away))


def heeding_analysers(analysers: Mapping[Language, Analyser], heed: Heed) -> dict[Language, Analyser]:
    """The analysers; `heed` comes before each text."""
    return {language: cast(Analyser, _Heeding(analyser, heed)) for language, analyser in analysers.items()}


def heeding_embedder(embedder: Embedder, heed: Heed, away: Away = nullcontext) -> Embedder:
    """The embedder; `heed` comes before each few texts, and it is waited for `away`."""
    return cast(Embedder, _HeedingEmbedder(embedder, heed, away))


class _Heeding:
    """Whatever it is put before, with `heed` before each of its methods."""

    def __init__(self, asked: Any, heed: Heed, away: Away = nullcontext) -> None:
        self._asked, self._heed, self._away = asked, heed, away

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._asked, name)
        if not callable(found):
            return found

        def heeding(*given: Any, **options: Any) -> Any:
            self._heed()
            return found(*given, **options)

        self.__dict__[name] = heeding
        return heeding


class _HeedingEngine(_Heeding):
    def score(self, request: ScoreRequest) -> list[Score]:
        self._heed()
        with self._away():
            scores: list[Score] = self._asked.score(request)
        return scores

    def generate(self, request: GenerateRequest) -> Iterator[TokenEvent]:
        self._heed()
        events = self._asked.generate(request)  # dropping it, which an error does, stops the engine
        while True:
            with self._away():
                event = next(events, None)
            if event is None:
                return
            yield event
            self._heed()


class _HeedingEmbedder(_Heeding):
    def embed(self, texts: Sequence[str], *, role: TextRole) -> Vectors:
        made = [np.zeros((0, self._asked.dimension), np.float32)]
        for at in range(0, len(texts), _SLICE):
            self._heed()
            with self._away():
                made.append(self._asked.embed(texts[at : at + _SLICE], role=role))
        return np.concatenate(made)
