"""The API's bodies: what a request may hold and what a reply always holds.

Offsets count Unicode code points, end exclusive. A sentence's `start`/`end` are offsets in `rationale`; evidence's and
citations' are offsets in the source. `Rationale` checks its own structure, so a reply that is not true to the contract
cannot be built.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from rag_rationale.types.evidence import Kind, Mode, Side, Tier
from rag_rationale.types.records import Language

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
IndexName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
ShortText = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]
LongText = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00]*$")]
AbstentionReason = Literal[
    "no_evidence", "no_evidence_in_language", "nothing_specific", "nothing_supported", "no_answer_to_query"
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HistoryEntry(_Body):
    """One thing an inline user did: with an item of the index (`item_id`) or one described here (`title`)."""

    item_id: Identifier | None = None
    title: ShortText | None = None
    event: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}$")] = "view"
    rating: float | None = Field(default=None, ge=1, le=5)
    text: LongText | None = None
    timestamp: int | None = Field(default=None, ge=-(2**53), le=2**53)

    @model_validator(mode="after")
    def _names_an_item(self) -> Self:
        if self.item_id is None and not (self.title and self.title.strip()):
            raise ValueError("a history entry needs `item_id` or a `title` that is not empty")
        return self


class UserRef(_Body):
    """The user: an id known to the index, or a history and preferences given here; neither means an unknown user."""

    id: Identifier | None = None
    history: tuple[HistoryEntry, ...] = Field(default=(), max_length=200)
    preferences: tuple[ShortText, ...] = Field(default=(), max_length=50)

    @model_validator(mode="after")
    def _one_way_only(self) -> Self:
        if self.id is not None and self.history:
            raise ValueError("give `id` or `history`, not both: with an id the index's own history is used")
        return self


class ItemRef(_Body):
    """The item to explain: an id known to the index, or a title and description given here."""

    id: Identifier | None = None
    title: ShortText | None = None
    description: LongText | None = None

    @model_validator(mode="after")
    def _names_an_item(self) -> Self:
        if self.id is None and not (self.title and self.title.strip()):
            raise ValueError("an item needs `id` or a `title` that is not empty")
        return self


class _Ask(_Body):
    """What every request for rationales may say, whatever it asks about."""

    index: IndexName
    user: UserRef = UserRef()
    query: Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")] | None = None
    language: Literal["auto", "en", "zh"] = "auto"
    template: Annotated[str, StringConstraints(max_length=128, pattern=r"^[a-z0-9_-]+([@:][a-z0-9_-]+)?$")] = "default"
    max_sentences: int = Field(default=3, ge=1, le=6)
    deadline_ms: int | None = Field(default=None, ge=1, le=600_000)
    seed: int = Field(default=0, ge=0, le=2**31 - 1)

    def about(self, item: ItemRef) -> RationaleRequest:
        """The request for the rationale of one item that this one stands for."""
        shared = {name: getattr(self, name) for name in _Ask.model_fields}
        return RationaleRequest.model_construct(**shared, item=item, stream=False)


class RationaleRequest(_Ask):
    """Body of `POST /v1/rationales` and one line of `explain --requests`."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {"index": "sample", "user": {"id": "zh-u-hiker"}, "item": {"id": "zh-shop-trailpack"}},
                {
                    "index": "sample",
                    "user": {
                        "history": [
                            {"title": "Hiking boots", "event": "purchase"},
                            {
                                "title": "Day pack",
                                "event": "review",
                                "rating": 2,
                                "text": "The straps dug into my shoulders.",
                            },
                        ]
                    },
                    "item": {"id": "en-shop-trailpack"},
                    "language": "en",
                },
            ]
        },
    )

    item: ItemRef
    stream: bool = False


class BatchRequest(_Ask):
    """Body of `POST /v1/rationales/batch`: one user, several items. The deadline is the whole batch's."""

    items: tuple[ItemRef, ...] = Field(min_length=1, max_length=50)


class RecommendationRequest(_Ask):
    """Body of `POST /v1/recommendations`. `diversity` 0 ranks by fit alone, 1 by unlikeness to what is picked alone.

    `popularity` 0 judges fit by what items say of themselves, 1 by what those like who like the same and by what is met
    of late.
    """

    count: int = Field(default=5, ge=1, le=20)
    diversity: float = Field(default=0.3, ge=0, le=1)
    popularity: float = Field(default=0.5, ge=0, le=1)


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)  # errors are logged, texts not


class Support(_Reply):
    """How many of how many reviewers a counting sentence speaks for, and the passages that prove it."""

    count: int
    of: int
    evidence_ids: tuple[str, ...]


class Citation(_Reply):
    """`cited_text == source[start_char_index:end_char_index]`, verbatim."""

    label: int
    evidence_id: str
    cited_text: str
    start_char_index: int
    end_char_index: int


class Sentence(_Reply):
    """One verified sentence of the rationale."""

    text: str
    start: int
    end: int
    kind: Kind
    mode: Mode
    verdict: Literal["supported"]
    tier: Tier
    score: float
    support: Support | None = None
    citations: tuple[Citation, ...]


class CitedEvidence(_Reply):
    """A passage that a sentence cites. `event` names the row that proves a verb on the history side."""

    label: int
    id: str
    side: Side
    item_id: str | None
    source_id: str
    field: str
    start: int
    end: int
    text: str
    lang: Language
    event: str | None = None
    rating: float | None = None
    timestamp: int | None = None
    score: float


class Provenance(_Reply):
    """Everything that shaped the text."""

    index: str
    template: str
    model: str
    embedder: str
    verifier: str
    seed: int


class Timings(_Reply):
    """Milliseconds by stage."""

    retrieve: float
    write: float
    verify: float
    total: float


class Rationale(_Reply):
    """The reply. `status` "abstained" comes with a `reason` and no sentence; that is a result, not an error."""

    id: str
    status: Literal["grounded", "abstained"]
    language: Language
    personal: bool
    degraded: bool
    rationale: str
    sentences: tuple[Sentence, ...]
    evidence: tuple[CitedEvidence, ...]
    reason: AbstentionReason | None
    provenance: Provenance
    timings_ms: Timings

    @model_validator(mode="after")
    def _proves_itself(self) -> Self:
        if (self.status == "abstained") != (not self.sentences) or (self.reason is None) == (not self.sentences):
            raise ValueError("a reply has sentences, or abstains and says why")
        by_label = {e.label: e for e in self.evidence}
        first_use: list[int] = []
        for sentence in self.sentences:
            if self.rationale[sentence.start : sentence.end] != sentence.text:
                raise ValueError(f"sentence offsets {sentence.start}-{sentence.end} do not hold its text")
            if not sentence.citations:
                raise ValueError(f"sentence without a citation at {sentence.start}")
            for c in sentence.citations:
                e = by_label.get(c.label)
                if e is None or e.id != c.evidence_id:
                    raise ValueError(f"citation [{c.label}] names no evidence")
                if not e.start <= c.start_char_index < c.end_char_index <= e.end:
                    raise ValueError(f"citation [{c.label}] leaves its passage")
                if e.text[c.start_char_index - e.start : c.end_char_index - e.start] != c.cited_text:
                    raise ValueError(f"citation [{c.label}] does not quote its passage")
                if c.label not in first_use:
                    first_use.append(c.label)
        if first_use != list(range(1, len(first_use) + 1)) or sorted(by_label) != sorted(first_use):
            raise ValueError("labels must run 1..n in order of first use, and evidence be what is cited")
        return self


class SourceReply(_Reply):
    """Body of `GET /v1/evidence/{id}`: the passage inside its whole source."""

    id: str
    item_id: str
    source_id: str
    field: str
    start: int
    end: int
    text: str
    source: str
    lang: Language


class TemplateInfo(_Reply):
    """One version of a template. `labels` holds each label that means it, with its share of that label's traffic.

    `fault` says what is wrong with the file as it is now, where this is the last good version of it.
    """

    name: str
    version: str
    number: int
    language: Language
    description: str
    domain: str
    labels: dict[str, float]
    fault: str | None = None


class TemplatesReply(_Reply):
    """Body of `GET /v1/templates`. `faults` are those of files that never held a good version, or of labels."""

    templates: tuple[TemplateInfo, ...]
    faults: tuple[str, ...] = ()
