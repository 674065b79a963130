"""Which indexes there are, and switching to a new version of one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel

from rag_rationale.api import problems
from rag_rationale.api.guarding import admin_only
from rag_rationale.api.readiness import open_indexes
from rag_rationale.index.layout import NAME
from rag_rationale.service import Explainer
from rag_rationale.types import Manifest


class IndexReply(BaseModel):
    """The version of an index that answers. `trouble` tells why the current one does not."""

    name: str
    version: str
    created: str
    embedder: str
    counts: dict[str, int]
    languages: dict[str, int]
    trouble: str | None = None


def router(explainer: Explainer) -> APIRouter:
    """The routes of indexes."""
    routes, snapshots = APIRouter(prefix="/v1/indexes"), explainer.snapshots

    @routes.get("", summary="List the indexes", responses=problems.documented((401, 422, 429, 500, 503)))
    def indexes() -> list[IndexReply]:
        """Every index with the version that answers. One that does not open is left out; `/readyz` tells of it."""
        states = [state for state in open_indexes(explainer) if state.label]
        return [_told(snapshots.get(state.name).manifest, state.trouble) for state in states]

    @routes.post(
        "/{name}/reload",
        summary="Switch to the current version of an index",
        responses=problems.documented((401, 403, 404, 422, 429, 500, 503)),
        dependencies=[Depends(admin_only)],
    )
    def reload(name: Annotated[str, Path(pattern=f"^{NAME.pattern}$")]) -> IndexReply:
        """Requests under way keep the version they began with. Without it the service looks by itself each second."""
        return _told(snapshots.reload(name), None)

    return routes


def _told(manifest: Manifest, trouble: str | None) -> IndexReply:
    return IndexReply(
        name=manifest.name,
        version=manifest.version,
        created=manifest.created,
        embedder=manifest.embedder,
        counts=manifest.counts,
        languages=manifest.languages,
        trouble=trouble,
    )
