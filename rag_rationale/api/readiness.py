"""Whether this process can answer: the engine has, and an index opens."""

from __future__ import annotations

import logging
import threading

from pydantic import BaseModel

from rag_rationale.errors import DeadlineError, RagRationaleError
from rag_rationale.service import Explainer
from rag_rationale.types import GenerateRequest, ScoreRequest

_PATIENCE_MS = 10_000  # of the first question to the engine
_log = logging.getLogger(__name__)


class IndexState(BaseModel):
    """An index by name, with the version that answers (`name@version`) and its embedder, null where none opens.

    `trouble` tells why the current version does not answer, though one before it may.
    """

    name: str
    label: str | None
    embedder: str | None = None
    trouble: str | None = None


class Readiness(BaseModel):
    """Body of `/readyz`. `reason` says why not, null where ready. The rest is null for those who may not know."""

    ready: bool
    reason: str | None
    model: str | None = None
    embedder: str | None = None
    indexes: list[IndexState] | None = None

    def bare(self) -> Readiness:
        """The same without names."""
        return Readiness(ready=self.ready, reason=self.reason)


class Probe:
    """Asks the engine until it has answered and again once it is doubted, the indexes every time. Safe to share between
    threads.
    """

    def __init__(self, explainer: Explainer) -> None:
        self._explainer = explainer
        self._lock = threading.Lock()
        self._answered = False

    def doubt(self) -> None:
        """Ask the engine anew: it failed somebody."""
        self._answered = False

    def check(self) -> Readiness:
        """What answers now. Does not wait for an engine that is already being asked."""
        indexes = open_indexes(self._explainer)
        reason = self._engine_trouble()
        if reason is None and not any(index.label for index in indexes):
            reason = "no index opens" if indexes else "there is no index yet"
        return Readiness(
            ready=reason is None,
            reason=reason,
            model=self._explainer.engine.name,
            embedder=", ".join(sorted({index.embedder for index in indexes if index.embedder})) or "none",
            indexes=indexes,
        )

    def _engine_trouble(self) -> str | None:
        if self._answered:
            return None
        if not self._lock.acquire(blocking=False):
            return "the engine is being asked for the first time"
        try:
            _ask(self._explainer)
            self._answered = True
        except Exception:
            _log.exception("the engine does not answer")
            return "the engine does not answer; the log tells why"
        finally:
            self._lock.release()
        return None


def open_indexes(explainer: Explainer) -> list[IndexState]:
    """Every index of the folder, opened; the log tells why one does not open."""
    states = []
    for name in explainer.snapshots.names():
        try:
            manifest = explainer.snapshots.get(name).manifest
        except RagRationaleError as error:
            _log.error("index %s does not open: %s", name, error)
            states.append(IndexState(name=name, label=None, trouble="does not open; the log tells why"))
            continue
        trouble = "another version is current and does not open" if name in explainer.snapshots.troubles() else None
        states.append(IndexState(name=name, label=manifest.label, embedder=manifest.embedder, trouble=trouble))
    return states


def _ask(explainer: Explainer) -> None:
    engine = explainer.engine
    if "logprobs" in engine.capabilities:
        engine.score(ScoreRequest(prefix="One two three", candidates=(" four",), deadline_ms=_PATIENCE_MS))
    else:
        for event in engine.generate(GenerateRequest("One two three", max_tokens=1, deadline_ms=_PATIENCE_MS)):
            if event.finish == "deadline":
                raise DeadlineError(f"The engine did not answer within {_PATIENCE_MS} ms.")
