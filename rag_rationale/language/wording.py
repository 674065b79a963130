"""What the wording of a sentence claims beside its content: who speaks, what the reader did, how sure it is.

From `data/<language>.claims.yaml`. Patterns are meant for lower-case text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml

from rag_rationale.types import Language

Voice = Literal["one", "many", "all", "item", "user"]
"""Who is said to speak: one reviewer, several, all or most, the item's own text, or the reader of the rationale."""


@dataclass(frozen=True, slots=True)
class Wording:
    """One language's patterns and word lists. `opposites` maps a word to those it excludes, `alike` to
    the groups of words that say much the same; `cues` shift a sentence where they stand on one side
    only; `moods` are valences, -1 to 1, beside those of the lexicon."""

    voices: dict[Voice, re.Pattern[str]]
    deeds: dict[str, re.Pattern[str]]
    tells: re.Pattern[str]
    named: re.Pattern[str]
    unreal: re.Pattern[str]
    modal: re.Pattern[str]
    fine: re.Pattern[str]
    cues: dict[str, re.Pattern[str]]
    wished: re.Pattern[str]
    hollow: frozenset[str]
    vouch: frozenset[str]
    hedges: frozenset[str]
    doubts: frozenset[str]
    praises: frozenset[str]
    blames: frozenset[str]
    calendar: frozenset[str]
    numbers: dict[str, float]
    loose_numbers: frozenset[str]
    opposites: dict[str, frozenset[str]]
    alike: dict[str, frozenset[int]]
    irregular: dict[str, str]
    moods: dict[str, float]


@cache
def wording(language: Language) -> Wording:
    """The wording of a language, read once."""
    text = resources.files("rag_rationale.language").joinpath("data", f"{language}.claims.yaml").read_text("utf-8")
    raw: dict[str, Any] = yaml.safe_load(text)
    deed = "(?:" + "|".join(raw["deeds"].values()) + ")"
    voices = {
        voice: re.compile("|".join(p.replace("PEOPLE", raw["people"]).replace("DEED", deed) for p in patterns))
        for voice, patterns in raw["voices"].items()
    }
    return Wording(
        voices=voices,
        deeds={name: re.compile(pattern) for name, pattern in raw["deeds"].items()},
        tells=re.compile(raw["tells"]),
        named=re.compile(raw["named"]),
        unreal=re.compile(raw["unreal"]),
        modal=re.compile(raw["modal"]),
        fine=re.compile(raw["fine"].strip()),
        cues={name: re.compile(pattern) for name, pattern in raw["cues"].items()},
        wished=re.compile(raw["wished"]),
        hollow=frozenset(raw["hollow"].split()),
        vouch=frozenset(raw["vouch"].split()),
        hedges=frozenset(raw["hedges"].split()),
        doubts=frozenset(raw["doubts"].split()),
        praises=frozenset(raw["praises"]),
        blames=frozenset(raw["blames"]),
        calendar=frozenset(raw["calendar"]),
        numbers={str(word): float(value) for word, value in raw["numbers"].items()},
        loose_numbers=frozenset(raw["loose_numbers"]),
        opposites=_opposites([*raw["opposites"], *(line[n:] for line in raw["families"] for n in range(len(line)))]),
        alike=_alike(raw["alike"]),
        irregular=raw["irregular"],
        moods={word: value / 4 for value, words in raw["moods"].items() for word in words},
    )


def _opposites(lines: list[list[str]]) -> dict[str, frozenset[str]]:
    """The first word of a line against the others, both ways."""
    pairs: dict[str, set[str]] = {}
    for first, *others in lines:
        for other in others:
            pairs.setdefault(first, set()).add(other)
            pairs.setdefault(other, set()).add(first)
    return {word: frozenset(others) for word, others in pairs.items()}


def _alike(lines: list[list[str]]) -> dict[str, frozenset[int]]:
    groups: dict[str, set[int]] = {}
    for number, line in enumerate(lines):
        for word in line:
            groups.setdefault(word, set()).add(number)
    return {word: frozenset(numbers) for word, numbers in groups.items()}
