"""What only an admin key may do: erase a user."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel

from rag_rationale.api import problems
from rag_rationale.api.guarding import admin_only
from rag_rationale.api.paths import ANY_ID
from rag_rationale.service import Answers


class ErasedReply(BaseModel):
    """Body of `DELETE /v1/users/{id}`: how many cached rationales and rows of the log went.

    `indexes` still hold her on disk; they are answered from as if they did not, until a version is built without her.
    """

    rationales: int
    logged: int
    indexes: list[str]


def router(answers: Answers) -> APIRouter:
    """The routes of operators."""
    routes = APIRouter(prefix="/v1", dependencies=[Depends(admin_only)])

    @routes.delete(
        f"/users/{{user_id:{ANY_ID}}}",
        summary="Erase a user",
        responses=problems.documented((401, 403, 409, 422, 429, 500, 503)),
    )
    def erase(
        user_id: Annotated[str, Path(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")],
    ) -> ErasedReply:
        """Delete what is kept about a user and what quotes her to others, and treat her as unknown from now on."""
        gone = answers.erase(user_id)
        return ErasedReply(rationales=gone.rationales, logged=gone.logged, indexes=list(gone.indexes))

    return routes
