"""What a judge of sentences is given: any sentence with [n] markers, and the passages its labels stand for."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from rag_rationale.types.evidence import Side
from rag_rationale.types.records import Language

_Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Row):
    """What one label stands for: `text` is the cited passage, `title` the item it speaks of.

    `event` is set on the history side: "review" for the user's own words, "preference" for what she asked for, else
    the verb of the event row ("purchase"). `author` is opaque and serves to count distinct people; None on the item
    side, and a review without one counts as a person of its own.
    """

    label: int = Field(ge=1)
    side: Side
    title: str = ""
    text: _Text
    event: str | None = None
    rating: float | None = Field(default=None, ge=0, le=5)
    author: str | None = None


class Counted(_Row):
    """A count that the caller has proven over more passages than are cited: "18 of 25 reviewers".

    `texts` are what those counted wrote, for people to read; nothing is judged by them.
    """

    count: int = Field(ge=1)
    of: int = Field(ge=1)
    texts: tuple[str, ...] = ()


class Claim(_Row):
    """A sentence to be judged against its sources; `item` is the title of what is recommended.

    `id`, `label` ("true" or "false"), `kind` (of falsehood) and `wording` (how it is worded) serve evaluation and are
    not judged by.
    """

    id: str = ""
    language: Language
    item: str = ""
    sentence: _Text
    evidence: tuple[Source, ...]
    counted: Counted | None = None
    label: Annotated[str, StringConstraints(pattern="^(true|false)$")] | None = None
    kind: str | None = None
    wording: str | None = None

    @model_validator(mode="after")
    def _labels_are_distinct(self) -> Self:
        labels = [source.label for source in self.evidence]
        if len(set(labels)) < len(labels):
            raise ValueError(f"labels of evidence repeat: {labels}")
        return self
