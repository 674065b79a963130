"""Evidence, plans and drafts: what travels from retrieval through planning and writing to grounding."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rag_rationale.types.records import Language, Passage

Vectors = NDArray[np.float32]
"""float32, shape (n, d), every row of norm 1."""

Side = Literal["item", "review", "history"]
Kind = Literal["match", "merit", "caveat"]
Mode = Literal["quote", "slots", "free"]
Tier = Literal["lexical", "embedding", "likelihood"]
VerdictLabel = Literal["supported", "unsupported"]
Shape = Literal[
    "np",
    "identity",
    "clause",
    "liking",
    "entry",
    "remark",
    "quote",
    "title",
    "verb",
    "stars",
    "aspect",
    "count",
    "of",
]
"""What a slot may hold. The first seven are words of a passage: a noun phrase, what a description says the item is
("a pack for long hikes"), a third-person clause, a liking without its subject (喜欢男主的眼神), one entry of what it
lists ("the cuisines include Kebab"), a judgement without a verb ("Sturdy straps"), a verbatim quotation.
The others come from the evidence's row (its item's title, the verb of its event, its rating) or from a tally: the word
that several passages share, how many reviewers say it, and of how many.
"""

Polarity = Literal["positive", "negative", "neutral"]
Speakers = Literal["one", "many", "count"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage in the role it plays for one request.

    `id` is public and names its index. `title` is the title of the item the passage speaks of. `event` is set on the
    history side: "review" for the user's own words, else the verb of the event row that proves it. `score` is a cosine
    to where the user leans, or to the query, higher is better. `vector` is centred, of shape (d,) and norm 1;
    `specificity` is its length before it was normalised: what could be said of anything lies near the centre. `praise`
    is the probability that it praises, by the ratings of the index; None for what is no review, and where there are too
    few ratings.
    """

    id: str
    passage: Passage
    side: Side
    title: str
    score: float = 0.0
    event: str | None = None
    rating: float | None = None
    timestamp: int | None = None
    inline: bool = False
    specificity: float = 0.0
    praise: float | None = None
    vector: Vectors | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Span:
    """Words of one text that could fill a slot: a contiguous span, or `pieces` of one in their order.

    `start` and `end` are code points in the text and cover every piece. `text` is what a reader sees; its content words
    are the text's own. `head` is the lemma of its head word, lower case: what the span is about. `first_person` tells
    that the span speaks as "I" or "we", so only a quotation may hold it. `article` tells, where the language has them,
    whether a noun phrase stands with "the" or with the article of its source. `names` look like a person's, `strange`
    words are in no dictionary.
    """

    text: str
    start: int
    end: int
    shape: Shape
    head: str
    polarity: Polarity = "neutral"
    first_person: bool = False
    tense: Literal["past", "present", "none"] = "none"
    article: Literal["definite", "own"] | None = None
    names: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Noun:
    """Something a text names: `lemma` in lower case, one word or several, at `start` to `end` of the text."""

    lemma: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Mention:
    """Where a reviewer speaks of an aspect: `start`/`end` are offsets in the source of the words that do."""

    evidence: Evidence
    start: int
    end: int

    @property
    def words(self) -> str:
        passage = self.evidence.passage
        return passage.text[self.start - passage.start : self.end - passage.start]


@dataclass(frozen=True, slots=True)
class Tally:
    """A count: `mentions` has one of each reviewer who speaks so of `aspect` (a lemma), out of `of` who wrote at all.

    `polarity` tells whether every one of them praises it, complains of it, or ("neutral") only mentions it.
    """

    aspect: str
    polarity: Polarity
    mentions: tuple[Mention, ...]
    of: int


@dataclass(frozen=True, slots=True)
class Asserts:
    """What a frame's fixed wording claims of the evidence behind one slot; None claims nothing."""

    side: Side | None = None
    event: str | None = None
    polarity: Polarity | None = None
    speakers: Speakers | None = None
    tense: Literal["past", "present"] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One sentence to be: its kind and, per role, the passages it may rest on, fixed before a word is written.

    Roles: "own" (history), "theirs" (the item's reviews), "others" (those that disagree with them), "facts" (the item's
    description). `theirs` holds two or more passages of distinct reviewers only where they share an aspect (`aspect` is
    then its head word); where they were counted, `tallies` holds the count by role, and the passages are its first.
    `akin` tells that the user's item is of the target's kind, without which naming it is no reason.
    """

    kind: Kind
    evidence: dict[str, tuple[Evidence, ...]]
    aspect: str | None = None
    polarity: Polarity = "neutral"
    akin: bool = True
    tallies: dict[str, Tally] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Filler:
    """What stands in one slot. `start`/`end` are offsets in the source of the evidence, of the words it rests on.

    `tally` is the count that an aspect, or the number itself, rests on.
    """

    slot: str
    text: str
    shape: Shape
    evidence: Evidence
    start: int
    end: int
    asserts: Asserts = Asserts()
    polarity: Polarity = "neutral"
    head: str = ""
    tense: Literal["past", "present", "none"] = "none"
    tally: Tally | None = None


@dataclass(frozen=True, slots=True)
class Cite:
    """A place in a draft where the labels of `evidence` will stand. `start`/`end`: the cited words in each source."""

    evidence: tuple[Evidence, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]


def inside_quotation(title: str) -> str:
    """A title as it stands between quotation marks: “大”人物 as ‘大’人物."""
    return title.replace("“", "‘").replace("”", "’")


def _like_a_sentence(title: str) -> bool:
    """Whether most longer words have small letters: "Move your sign-in codes", not "Night Ferry to Olmouth"."""
    longer = [word for word in title.split() if len(word) > 3 and word[0].isalpha() and word.isascii()]
    small = sum(word[0].islower() for word in longer)
    return small * 2 > len(longer) and not set(title) & set('“”"')


_BEGIN_LARGE = frozenset(("np", "identity", "clause", "entry"))  # shapes whose spans stand as inside a sentence


@dataclass(frozen=True, slots=True)
class Draft:
    """A sentence before its labels are known: fixed words (str), fillers and citation places, in order."""

    kind: Kind
    mode: Mode
    frame: str
    language: Language
    parts: tuple[str | Filler | Cite, ...]

    @property
    def fillers(self) -> tuple[Filler, ...]:
        return tuple(part for part in self.parts if isinstance(part, Filler))

    @property
    def cites(self) -> tuple[Cite, ...]:
        return tuple(part for part in self.parts if isinstance(part, Cite))

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """The counts that it states, each once."""
        return tuple(dict.fromkeys(f.tally for f in self.fillers if f.tally is not None and f.shape == "count"))

    @property
    def words(self) -> str:
        """The sentence as read, without its citation labels and the spaces before them."""
        words = ""
        for part in self.parts:
            if isinstance(part, Cite):
                words = words.rstrip(" ")
            else:
                words += self.shown(part)
        return words

    def shown(self, part: str | Filler) -> str:
        """A part as the sentence shows it: with a capital where it is words of a passage that begin the sentence, in
        quotation marks where an English title is written like a sentence and would be read as a part of this one. A
        Chinese sentence puts titles in quotation marks, so those in them become inner ones.
        """
        if isinstance(part, str):
            return part
        if part.shape == "title" and self.language == "zh":
            return inside_quotation(part.text)
        if part.shape == "title" and self.language == "en" and _like_a_sentence(part.text):
            return f"“{part.text}”"
        begins = part is self.parts[0] and part.shape in _BEGIN_LARGE
        return part.text[:1].upper() + part.text[1:] if begins else part.text


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of grounding one draft; `tier` names the check that decided, `reasons` every fault found."""

    label: VerdictLabel
    tier: Tier
    score: float
    reasons: tuple[str, ...] = ()
