"""What a build did, as kept in the manifest and shown to the person who ran it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rag_rationale.corpus import FileReport


@dataclass(slots=True)
class BuildReport:
    """`seconds` by stage; `quarantined` passages by reason; `languages` of the passages that may be evidence.

    What is told of the files is of all their rows; `masked`, `quarantined` and `languages` are of the rows that the
    version before did not hold, of which `unchanged` were not read further and `removed` are gone. `wordless` counts
    reviews without a word: one with a user and a rating is kept as a rating event. `forgotten` counts rows left out
    for their user's sake, `reused` passages that did not have to be embedded; `precision` is what the others' vectors
    were computed in, where the embedder tells: cosines between any two differ by under 0.01. `compacted` tells that all
    segments were written as one.
    """

    name: str
    version: str = ""
    promoted: bool = False
    files: dict[str, FileReport] = field(default_factory=dict)
    masked: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    wordless: int = 0
    forgotten: int = 0
    unchanged: int = 0
    removed: int = 0
    compacted: bool = False
    embedded: int = 0
    precision: str = ""
    reused: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def passages_per_second(self) -> float:
        spent = self.seconds.get("embed", 0.0)
        return self.embedded / spent if spent else 0.0

    def summary(self) -> dict[str, object]:
        """Plain values for a person or a scheduler: what became of it, and all of `as_json`."""
        state = {"name": self.name, "version": self.version, "promoted": self.promoted, "counts": self.counts}
        return {**state, "reused": self.reused, **self.as_json()}

    def as_json(self) -> dict[str, object]:
        """Plain values for the manifest."""
        return {
            "files": {name: report.as_json() for name, report in self.files.items()},
            "masked": self.masked,
            "quarantined": dict(self.quarantined.most_common()),
            "languages": dict(self.languages),
            "wordless": self.wordless,
            "forgotten": self.forgotten,
            "unchanged": self.unchanged,
            "removed": self.removed,
            "compacted": self.compacted,
            "embedded": self.embedded,
            "precision": self.precision,
            "passages_per_second": round(self.passages_per_second, 1),
            "seconds": {stage: round(spent, 2) for stage, spent in self.seconds.items()},
        }
