"""What stages ask of each other, as protocols, so that a stage is handed its neighbours and imports none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rag_rationale.types.evidence import Noun, Polarity, Span, Vectors
from rag_rationale.types.records import Event, Item, Language, Passage, SourceKind

TextRole = Literal["query", "passage"]
Capability = Literal["logprobs", "choices", "prefix", "generate", "chat"]
Speaker = Literal["system", "user", "assistant"]
Progress = Callable[[str, int, int | None], None]
"""(stage, done, total or None): called often, cheap."""


class Embedder(Protocol):
    """Turns texts into vectors. A query and a passage are embedded differently; the role is never guessed."""

    @property
    def name(self) -> str:
        """Identity of the model and its treatment; an index answers only to the embedder it was built with."""

    @property
    def dimension(self) -> int: ...

    def embed(self, texts: Sequence[str], *, role: TextRole) -> Vectors:
        """Vectors of shape (len(texts), dimension), float32, norm 1, in the order given; (0, dimension) for none."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """manifest.json of one version, written last. `sha256` is over the file without this field."""

    name: str
    version: str
    created: str
    embedder: str
    dimension: int
    segments: tuple[str, ...]
    counts: dict[str, int]
    languages: dict[str, int]
    newest_timestamp: int | None
    faiss: dict[str, str]
    files: dict[str, dict[str, object]]
    format: int = 1
    report: dict[str, object] = field(default_factory=dict)
    sha256: str = ""

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}"


@runtime_checkable
class Snapshot(Protocol):
    """One version of one index, read-only and safe to share between threads.

    Row order is build order. Quarantined and low-trust passages are returned too, marked; retrieval decides.
    """

    @property
    def manifest(self) -> Manifest: ...

    def item(self, item_id: str) -> Item | None: ...

    def item_texts(self, item_ids: Sequence[str], field: Literal["title", "description"]) -> dict[str, str]:
        """One text of those of these items that are there, by id, in one go."""

    def item_ids(self) -> list[str]:
        """Ids of every item, in row order."""

    def sample_passages(self, n: int) -> list[Passage]:
        """About `n` passages spread evenly over the rows, fewer where there are fewer."""

    def item_passages(self, item_id: str) -> list[Passage]:
        """Every passage that speaks of the item: its own fields first, then its reviews, in row order."""

    def user_passages(self, user_id: str) -> list[Passage]:
        """Every passage the user wrote, in row order."""

    def user_events(self, user_id: str) -> list[Event]:
        """The user's events, oldest first."""

    def user_trust(self, user_id: str) -> float: ...

    def meetings(self) -> Iterator[tuple[str, str, int | None, float | None]]:
        """(user, item, unix seconds, rating) of every review and event with a user, a review as often as it was cut."""

    def passage(self, passage_id: str) -> Passage | None: ...

    def source(self, kind: SourceKind, source_id: str, field: str) -> str | None:
        """The whole source a passage was cut from."""

    def source_passages(self, kind: SourceKind, source_id: str, field: str) -> list[Passage]: ...

    def vectors(self, passages: Sequence[Passage]) -> Vectors:
        """Stored vectors of these passages, shape (n, d), in the order given."""

    def item_vectors(self, item_ids: Sequence[str]) -> Vectors:
        """What `nearest` searches over items: per item the normalised mean of its own passages, shape (n, d).

        Zeros where an item is unknown or has no passage.
        """

    def offsets(self, passages: Sequence[Passage]) -> tuple[Vectors, int]:
        """Sum, shape (d,), of these passages' vectors less their language's centre, and how many they are."""

    def item_offsets(self, item_ids: Sequence[str]) -> dict[str, tuple[Vectors, int]]:
        """By item, `offsets` of every clean passage that speaks of it, added up when the version was written."""

    def centre(self, lang: Language) -> Vectors:
        """Mean vector of the passages in that language, shape (d,); zeros where there are none."""

    def background(self, quantile: float) -> float:
        """The centred cosine that this share of random passage pairs stays below."""

    def kinship(self, quantile: float) -> float:
        """The cosine between `item_offsets` of two items that this share of random pairs of items stays below.

        -1 where there are too few items to tell.
        """

    def praise(self, vectors: Vectors, lang: Language) -> NDArray[np.float64] | None:
        """How likely each centred vector of shape (n, d) praises, by this catalogue's own ratings, shape (n,).

        None where the language has too few ratings to tell.
        """

    def knn(self, queries: Vectors, passages: Sequence[Passage], *, k: int) -> list[list[tuple[int, float]]]:
        """Exact search within `passages`: per query the (position, cosine) of the k best, best first."""

    def nearest(self, queries: Vectors, *, k: int, over: Literal["passages", "items"]) -> list[list[tuple[str, float]]]:
        """Search the whole index: per query the (passage id or item id, cosine) of the k best, best first."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Ask how likely each of `candidates` is as the continuation of `prefix`, by teacher forcing.

    `shared` counts the leading characters of `prefix` worth keeping for later requests (a template's few-shot text).
    After `deadline_ms` an engine gives up with DeadlineError.
    """

    prefix: str
    candidates: tuple[str, ...]
    shared: int = 0
    deadline_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """`logprob`: sum over the candidate's tokens, natural log; `tokens`: how many there were."""

    logprob: float
    tokens: int

    @property
    def mean(self) -> float:
        return self.logprob / max(self.tokens, 1)


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """Ask for a continuation. Generation ends at a stop string (not returned), at `max_tokens`, at end of text.

    After `deadline_ms` it ends too; with `choices`, which come whole or not at all, by DeadlineError. `messages` stand
    instead of a prefix: a conversation, put as the model's chat template has it (capability "chat"). Events tell
    log-probabilities if `logprobs` asks for them, as each costs a pass over the vocabulary.
    """

    prefix: str
    max_tokens: int = 64
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int = 0
    shared: int = 0
    choices: tuple[str, ...] = ()
    deadline_ms: int | None = None
    messages: tuple[tuple[Speaker, str], ...] = ()
    logprobs: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a prompt, and tokens written after it."""

    prompt: int
    written: int


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """One piece of text as it comes; the last event has `finish` set, and `usage` where the engine can tell."""

    text: str
    logprob: float | None = None
    finish: Literal["stop", "length", "end", "choice", "deadline"] | None = None
    usage: Usage | None = None


class Engine(Protocol):
    """A language model behind plain, serialisable requests. Safe to call from several threads."""

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    @property
    def context_tokens(self) -> int: ...

    def score(self, request: ScoreRequest) -> list[Score]:
        """One score per candidate, in the order given. Needs the capability "logprobs"."""

    def generate(self, request: GenerateRequest) -> Iterator[TokenEvent]:
        """Token events until one carries `finish`. With `choices`, the text is exactly one of them."""

    def close(self) -> None: ...


class Judge(Protocol):
    """How likely texts praise, by the ratings of an index. It embeds them, so it is asked only where it matters."""

    def __call__(self, texts: Sequence[str], lang: Language) -> Sequence[float] | None:
        """A probability per text; None where the index has too few ratings in that language."""


class Analyser(Protocol):
    """What one language can tell of a text. Deterministic."""

    @property
    def language(self) -> Language: ...

    def prepare(self, texts: Sequence[str]) -> None:
        """Learn of texts that will be read soon, where reading many at once is cheaper. Changes no answer."""

    def spans(self, text: str) -> list[Span]:
        """Noun phrases, clauses and quotable sentences of a text, in text order."""

    def terms(self, text: str) -> tuple[Noun, ...]:
        """Words, and pairs of words that stand together, that may be nouns, in text order. Far cheaper than `nouns`."""

    def nouns(self, text: str) -> tuple[Noun, ...]:
        """Those of the `terms` that are nouns in this text."""

    def negations(self, text: str) -> int:
        """How many negations the text holds."""

    def polarity(self, text: str) -> Polarity:
        """Polarity of a clause by its own words; "neutral" where they do not tell."""

    def irrealis(self, text: str) -> bool:
        """Whether the text tells of what was not so: wishes, conditions, what used to be or was only expected."""
