"""Rationales as the service gives them: out of the cache where nothing changed, else written; each one logged.

Evaluation asks the explainer itself, and leaves no trace.
"""

from __future__ import annotations

import logging
import math
import secrets
import sqlite3
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rag_rationale import __version__
from rag_rationale.config import Settings
from rag_rationale.errors import RagRationaleError, UnknownTemplateError
from rag_rationale.grounding import VERSION
from rag_rationale.index import SnapshotReader
from rag_rationale.retrieval import Candidate, Crowd, candidates
from rag_rationale.service.cache import RationaleCache
from rag_rationale.service.clock import Clock
from rag_rationale.service.explainer import Explainer, Step, share_of
from rag_rationale.service.forgetting import Forgotten
from rag_rationale.service.heeding import heeding_embedder
from rag_rationale.service.log import RationaleLog
from rag_rationale.service.slices import Slices
from rag_rationale.service.state import FILE, State
from rag_rationale.types import (
    LANGUAGES,
    Rationale,
    RationaleRequest,
    RecommendationRequest,
    Snapshot,
    SourceReply,
    Timings,
)

_MEGABYTE = 1 << 20
_LONGEST_REQUEST = 3600  # seconds, and more
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Erased:
    """What is gone of a user: cached rationales for her or quoting her, and rows of the log.

    `indexes` still hold her on disk and are answered from as if they did not; the next build without her makes it last.
    """

    rationales: int
    logged: int
    indexes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a reply belongs in the cache, and what it must have been made of to go there."""

    key: bytes
    index: str
    templates: tuple[str, ...]


class Answers:
    """Answers over an explainer, which stays the caller's to close. Without `cache` or `log` there is none."""

    def __init__(
        self,
        explainer: Explainer,
        *,
        cache: RationaleCache | None = None,
        log: RationaleLog | None = None,
        forgotten: Forgotten | None = None,
    ) -> None:
        self.explainer, self.cache, self.log = explainer, cache, log
        self._forgotten = forgotten or Forgotten()
        explainer.snapshots.on_open = self._forgotten.heed  # before a new version answers anyone
        settled = (__version__, VERSION, explainer.engine.name)
        self._crowds: dict[str, tuple[str, Crowd]] = {}
        self._erased: dict[str, float] = {}  # users, and when
        self._keeping = threading.Lock()  # what quotes somebody is kept before she is erased, or not at all
        self._slices = Slices([*settled, str(explainer.settings.min_trust)])

    def answer(self, request: RationaleRequest) -> Rationale:
        """The rationale for one request. Errors as of `Explainer.explain`."""
        return next(step.rationale for step in self.steps(request) if step.rationale is not None)

    def steps(self, request: RationaleRequest, *, stop: threading.Event | None = None) -> Generator[Step, None, None]:
        """The steps to the rationale, all at once where it is cached. Errors as of `Explainer.steps`."""
        for _, step in self.many([request], stop=stop):
            if isinstance(step, RagRationaleError):
                raise step
            yield step

    def many(
        self, requests: Sequence[RationaleRequest], *, stop: threading.Event | None = None
    ) -> Generator[tuple[int, Step | RagRationaleError], None, None]:
        """Steps or errors of several requests about one user and one index, by position, as of `Explainer.many`."""
        places: list[_Place | None] = []
        missing: list[int] = []
        if requests:
            self._opened(requests[0].index)
        for position, request in enumerate(requests):
            began = time.perf_counter()
            place = self._place(request)
            places.append(place)
            kept = None
            with _spared("read"):
                kept = self.cache.get(place.key) if self.cache is not None and place else None
            if kept is None:
                missing.append(position)
            else:
                yield from ((position, step) for step in self._again(request, kept, began))
        began = time.perf_counter()
        for n, step in self.explainer.many([requests[position] for position in missing], stop=stop):
            position = missing[n]
            if isinstance(step, Step) and step.rationale is not None:
                self._keep(requests[position], places[position], step.rationale, began)
            yield position, step

    def candidates(self, request: RecommendationRequest, *, stop: threading.Event | None = None) -> list[Candidate]:
        """Items that the user may like and has not met, best first; none for a user without a history.

        Once `stop` is set CancelledError is raised.
        """
        self._opened(request.index)
        index = self.explainer.snapshots.open(request.index)
        return candidates(
            request.user,
            index.snapshot,
            heeding_embedder(index.embedder, Clock(None, stop).heed),
            k=request.count,
            diversity=request.diversity,
            crowd=self._crowd(index.snapshot) if request.popularity > 0 else None,
            popularity=request.popularity,
        )

    def erase(self, user_id: str) -> Erased:
        """Delete what cache and log hold about a user and what quotes her to others; answer as if no index knew her."""
        held = []
        for name in self.explainer.snapshots.names():
            if self._forgotten.add(self._opened(name), user_id):
                self._drop(name)
                held.append(name)
        now = time.perf_counter()
        with self._keeping:
            recent = {user: when for user, when in self._erased.items() if now - when < _LONGEST_REQUEST}
            self._erased = recent | {user_id: now}
            return Erased(
                indexes=tuple(held),
                rationales=0 if self.cache is None else self.cache.erase(user_id),
                logged=0 if self.log is None else self.log.erase(user_id),
            )

    def evidence(self, evidence_id: str, *, user_id: str | None = None, admin: bool = False) -> SourceReply:
        """A passage inside its whole source, as of `Explainer.evidence`."""
        index = evidence_id.partition(":")[0]
        if index in self.explainer.snapshots.names():
            self._opened(index)
        return self.explainer.evidence(evidence_id, user_id=user_id, admin=admin)

    def _crowd(self, snapshot: SnapshotReader) -> Crowd:
        """Who met what in a version, read once: a second for some hundred thousand reviews."""
        name, label = snapshot.manifest.name, snapshot.manifest.label
        known = self._crowds.get(name)
        if known is None or known[0] != label:
            known = self._crowds[name] = (label, Crowd(snapshot))
        return known[1]

    def _opened(self, index: str) -> SnapshotReader:
        """The snapshot, without those who are to be forgotten."""
        snapshot = self.explainer.snapshots.get(index)
        if self._forgotten.heed(snapshot):
            self._drop(index)
        return snapshot

    def _drop(self, index: str) -> None:
        """Read anew what an index says: it was told to forget something."""
        self._slices.drop(index)
        self._crowds.pop(index, None)

    def _place(self, request: RationaleRequest) -> _Place | None:
        """None where nothing is cached, or nothing of this request may be."""
        if self.cache is None:
            return None
        snapshot = self.explainer.snapshots.get(request.index)
        templates = tuple(self._templates(request))
        key = self._slices.key(request, snapshot, templates)
        return None if key is None else _Place(key, snapshot.manifest.label, templates)

    def _templates(self, request: RationaleRequest) -> Iterator[str]:
        """The versions that may answer this user, one per language."""
        for language in LANGUAGES:
            try:
                user = share_of(request)
                yield self.explainer.templates.get(request.template, language=language, user=user).label
            except UnknownTemplateError:
                continue

    def _again(self, request: RationaleRequest, kept: Rationale, began: float) -> Iterator[Step]:
        """A cached reply under an id of its own. Its provenance stays that of its making."""
        yield Step("evidence", evidence=kept.evidence, cached=True)
        for sentence in kept.sentences:
            yield Step("sentence", sentence=sentence, cached=True)
        spent = round((time.perf_counter() - began) * 1000, 2)
        timings = Timings(retrieve=spent, write=0.0, verify=0.0, total=spent)
        reply = kept.model_copy(update={"id": f"rat_{secrets.token_hex(10)}", "timings_ms": timings})
        with self._keeping, _spared("written"):
            self._note(request, reply, began, made=kept.id)
        yield Step("done", rationale=reply, cached=True)

    def _keep(self, request: RationaleRequest, place: _Place | None, reply: Rationale, began: float) -> None:
        """Cache and log a reply. One that another version of index or template made than its key says is not cached,
        nor one that quotes whoever was erased meanwhile.
        """
        told = reply.provenance
        with self._keeping, _spared("written"):
            snapshot = self._opened(request.index)
            sound = place and told.index == place.index == snapshot.manifest.label and told.template in place.templates
            authors = _authors(reply, snapshot) if sound and self._is_known(request, began) else None
            if self.cache is not None and place and authors is not None:
                self.cache.put(place.key, reply, user=request.user.id, authors=authors)
            self._note(request, reply, began)

    def _note(self, request: RationaleRequest, reply: Rationale, began: float, *, made: str | None = None) -> None:
        if self.log is not None and self._is_known(request, began):
            self.log.add(reply, user=request.user.id, item=request.item.id, made=made)

    def _is_known(self, request: RationaleRequest, began: float) -> bool:
        """Whether the user was not erased since a request of hers began."""
        return request.user.id is None or self._erased.get(request.user.id, -math.inf) < began


def open_answers(explainer: Explainer) -> tuple[Answers, State]:
    """Answers with the cache and the log that the explainer's settings ask for, and their file, to be closed after."""
    settings = explainer.settings
    state = State(settings.state)
    cache = RationaleCache(state, largest=settings.cache_mb * _MEGABYTE, days=settings.cache_days)
    log = RationaleLog(state, days=settings.log_days)
    answers = Answers(
        explainer,
        cache=cache if settings.cache_mb else None,
        log=log if settings.log_days else None,
        forgotten=Forgotten(state),
    )
    return answers, state


def purge_answers(settings: Settings, index: str, *, keep: str) -> tuple[int, int]:
    """Delete what cache and log hold of versions of an index but the one of this label; how many replies and rows."""
    if not (settings.state / FILE).exists():
        return 0, 0
    state = State(settings.state)
    try:
        cache = RationaleCache(state, largest=settings.cache_mb * _MEGABYTE, days=settings.cache_days)
        return cache.purge(index, keep=keep), RationaleLog(state, days=settings.log_days).purge(index, keep=keep)
    finally:
        state.close()


def _authors(reply: Rationale, snapshot: Snapshot) -> set[str] | None:
    """Whose reviews a reply quotes; None where one of them is not there any more."""
    passages = [snapshot.passage(e.id.split(":")[1]) for e in reply.evidence if not e.id.startswith("inline:")]
    return None if None in passages else {p.user_id for p in passages if p is not None and p.user_id is not None}


@contextmanager
def _spared(what: str) -> Iterator[None]:
    """A reply is worth more than a note of it: what the file of cache and log refuses is told of, and that is all."""
    try:
        yield
    except sqlite3.Error as error:
        _log.error("cache and log cannot be %s: %s", what, error)
