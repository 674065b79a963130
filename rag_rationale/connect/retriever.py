"""The evidence of an explainer as a LangChain retriever: passages that could be cited, found by a query."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import run_in_executor
from pydantic import Field, ValidationError

from rag_rationale.errors import InvalidRequestError
from rag_rationale.retrieval import gather
from rag_rationale.service import Explainer, OpenIndex
from rag_rationale.service.assembling import cited
from rag_rationale.types import Evidence, ItemRef, Passage, RationaleRequest, Snapshot, UserRef


class EvidenceRetriever(BaseRetriever):
    """Passages that could be cited in answer to a query, best first, at most `k`.

    With an `item` (an id, or an ItemRef that carries its text): what a rationale of it could rest on, the user's
    history included, by centred cosine to the query. A blank query ranks the item's sides by the user's taste, her
    history behind them. Without an item: the nearest passages of the whole index, by cosine to the query; a user id
    keeps out that user's own reviews. Quarantined and untrusted passages never come. `invoke` takes a `k` of its own.

    A Document's `id` is the evidence id, which `Explainer.evidence` opens; its metadata is a reply's evidence with the
    id as `evidence_id`, and holds no author. Raises UnknownIndexError, UnknownItemError or InvalidRequestError.
    """

    explainer: Explainer
    index: str
    user: UserRef | str | None = None
    item: ItemRef | str | None = None
    k: int = Field(default=8, ge=1)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        del run_manager
        index = self.explainer.snapshots.open(self.index)
        most = self.k if k is None else k
        if self.item is None:
            own = self.user.id if isinstance(self.user, UserRef) else self.user
            found = self._anywhere(query, index, own=own, k=most)
        else:
            found = self._about(self._request(self.item, query), index)
        return [document_of(evidence) for evidence in found[: max(most, 0)]]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        return await run_in_executor(None, self._get_relevant_documents, query, run_manager=run_manager.get_sync(), k=k)

    def _request(self, item: ItemRef | str, query: str) -> RationaleRequest:
        try:
            return RationaleRequest(
                index=self.index,
                user=UserRef(id=self.user) if isinstance(self.user, str) else self.user or UserRef(),
                item=ItemRef(id=item) if isinstance(item, str) else item,
                query=query,
            )
        except ValidationError as error:
            raise InvalidRequestError(f"The retriever's fields and query make no request: {error}") from error

    def _about(self, request: RationaleRequest, index: OpenIndex) -> list[Evidence]:
        """The request's whole pool, best first."""
        least = self.explainer.settings.min_trust
        pool = gather(request, index.snapshot, index.embedder, min_trust=least)
        sides = [*pool.facts, *pool.reviews]
        if pool.query is None:
            return [*_ranked(sides), *pool.history]
        history = [replace(e, score=float(e.vector @ pool.query)) for e in pool.history if e.vector is not None]
        return _ranked([*sides, *history])

    def _anywhere(self, query: str, index: OpenIndex, *, own: str | None, k: int) -> list[Evidence]:
        """The nearest passages of the index; what must not come is made up for by asking for more."""
        vector, snapshot = index.embedder.embed([query], role="query"), index.snapshot
        asked, found = max(k, 1), list[Evidence]()
        while True:
            hits = snapshot.nearest(vector, k=asked, over="passages")[0]
            found = list(self._allowed(hits, snapshot, own=own))
            if len(found) >= k or len(hits) < asked:
                return found
            asked *= 2

    def _allowed(self, hits: list[tuple[str, float]], snapshot: Snapshot, *, own: str | None) -> Iterator[Evidence]:
        for name, score in hits:
            passage = snapshot.passage(name)
            if passage is not None and self._may_come(passage, own):
                yield evidence_of(passage, snapshot, score=score)

    def _may_come(self, passage: Passage, own: str | None) -> bool:
        if passage.quarantined is not None or (own is not None and passage.user_id == own):
            return False
        return passage.kind == "item" or passage.trust >= self.explainer.settings.min_trust


def evidence_of(passage: Passage, snapshot: Snapshot, *, score: float) -> Evidence:
    """A passage of an index as evidence about its item."""
    item = snapshot.item(passage.item_id)
    return Evidence(
        f"{snapshot.manifest.name}:{passage.id}",
        passage,
        passage.kind,
        item.title if item else "",
        score=score,
        rating=passage.rating,
        timestamp=passage.timestamp,
    )


def document_of(evidence: Evidence) -> Document:
    """A piece of evidence as a Document, without its author."""
    shown = cited(evidence, 0).model_dump(exclude={"label", "id", "text"})
    return Document(evidence.passage.text, id=evidence.id, metadata={"evidence_id": evidence.id, **shown})


def _ranked(evidence: list[Evidence]) -> list[Evidence]:
    return sorted(evidence, key=lambda e: -e.score)
