"""Cuts a sentence at its markers and at its changes of speaker, so that each part is held against its own sources."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag_rationale.language.titles import spoken_titles
from rag_rationale.language.tokens import Token, tokens
from rag_rationale.language.wording import Voice, wording
from rag_rationale.types import Claim, Language, Side, Source, inside_quotation

MARKS = re.compile(r"(?:\s*[\[［【]\s*\d+(?:\s*[,，、]\s*\d+)*\s*[\]］】])+")
_LABEL = re.compile(r"\d+")
QUOTED = re.compile(r"[“\"「『]([^”\"」』]+)[”\"」』]|《([^》]+)》|(?<![A-Za-z])‘([^’]+)’(?![A-Za-z])")
_EDGE = re.compile(
    r"(?:^|[,;:.，；：、。—–(（]|\b(?:and|while|but|whereas|as|like|though|since|because|so)|而|但|也|且|又|和|跟|与)\s*$"
)
_AIMED = re.compile(r"^(?:while|as|since|because|if|when|so) you$")  # "while you bring your own tent" tells no deed
STARS = re.compile(r"\s*[- ]?(?:stars?\b|out of|/\s*5|颗?星|分(?!钟))", re.IGNORECASE)
"""What behind a number makes it a rating."""
SIDE_OF: dict[Voice, Side] = {"one": "review", "many": "review", "all": "review", "item": "item", "user": "history"}


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence with the sources it is held against.

    `masked` is the text with titles blanked out, which offsets of `words` count in. `voice` is who is said to speak,
    None where nobody is; `cue` the words that say so. `words` are those of the clause without cue, titles and markers.
    `quotes` are strings that stand in quotation marks.
    """

    text: str
    masked: str
    sources: tuple[Source, ...]
    voice: Voice | None
    cue: str
    words: tuple[Token, ...]
    quotes: tuple[str, ...]

    @property
    def said(self) -> str:
        """What the clause says, without the words that say who says it."""
        at = self.text.lower().find(self.cue) + len(self.cue) if self.cue and self.voice != "user" else 0
        return self.text[at:].strip(" ,;:，；：。.") or self.text

    @property
    def content(self) -> list[Token]:
        """The words that a source must hold."""
        return [w for w in self.words if not w.hollow]


def cut(claim: Claim) -> list[Clause]:
    """The clauses of a sentence, in order; parts that say nothing are left out.

    Words behind the last marker are held against the labels before them, a sentence without markers against everything.
    """
    by_label = {source.label: source for source in claim.evidence}
    segments: list[tuple[str, tuple[Source, ...]]] = []
    begin, cited = 0, tuple(claim.evidence)
    for marks in MARKS.finditer(claim.sentence):
        cited = tuple(by_label[n] for n in labels(marks[0]) if n in by_label)
        segments.append((claim.sentence[begin : marks.start()], cited))
        begin = marks.end()
    segments.append((claim.sentence[begin:], cited))
    if (
        len(segments) > 1 and _bare(segments[0][0], claim) and not _bare(segments[-1][0], claim)
    ):  # "One guest says [1] the soup is hot": markers in front
        moved = [text for text, _ in segments[1:]]
        segments = [
            (lead + text, sources)
            for lead, text, (_, sources) in zip([segments[0][0], *[""] * len(moved)], moved, segments, strict=False)
        ]
    segments = _joined(segments, claim)
    clauses = []
    for number, (text, sources) in enumerate(segments):
        for clause in _by_voice(text, sources, claim):
            if clause.content or clause.quotes or (clause.voice and number < len(segments) - 1):
                clauses.append(clause)
    return clauses


def _joined(segments: list[tuple[str, tuple[Source, ...]]], claim: Claim) -> list[tuple[str, tuple[Source, ...]]]:
    """Segments with those that only name a title ("... and the Moka Pot [2]") drawn into the one before."""
    made: list[tuple[str, tuple[Source, ...]]] = []
    for text, sources in segments:
        titled = any(title.lower() in text.lower() for s in sources for title in spoken_titles(s.title))
        rest = tokens(_masked(text, _titles(claim)), claim.language)
        if made and titled and len(rest) <= 2 and all(w.hollow for w in rest):
            made[-1] = (made[-1][0] + text, tuple(dict.fromkeys((*made[-1][1], *sources))))
        else:
            made.append((text, sources))
    return made


def labels(text: str) -> list[int]:
    """The numbers inside markers, in order."""
    return [int(n) for marks in MARKS.finditer(text) for n in _LABEL.findall(marks[0])]


def plain(text: str) -> str:
    """The text without its markers."""
    return MARKS.sub("", text)


def _tells(text: str, start: int, end: int, language: Language) -> bool:
    """Whether a verb of speech is in a wording of a speaker, or follows; "at most eight guests" only counts people."""
    return wording(language).tells.search(text[start : end + (24 if language == "en" else 10)].lower()) is not None


def _bare(text: str, claim: Claim) -> bool:
    return all(w.hollow for w in tokens(_masked(text, _titles(claim), quotes=False), claim.language))


def _by_voice(text: str, sources: Sequence[Source], claim: Claim) -> list[Clause]:
    """One clause for each speaker that the text names at the edge of a clause, or one for the whole text."""
    sides = {s.side for s in sources}
    cues = [
        (start, end, voice)
        for start, end, voice in _cues(text, claim.language, _titles(claim))
        if (voice == "user" and (sides != {"item"} or not _AIMED.search(text[start:end].lower())))
        or (
            voice != "user"
            and (
                sides != {"item"}
                or SIDE_OF[voice] in sides
                or _tells(text, start, end, claim.language)
                or text.startswith("有人")
            )
        )
    ]
    kept: list[tuple[int, int, Voice]] = []
    for start, end, voice in cues:
        if not kept or (start >= kept[-1][1] and _EDGE.search(text[:start].lower())):
            kept.append((start, end, voice))
    if len(kept) < 2:
        return [_clause(text, tuple(sources), kept[0] if kept else None, claim)]
    made = []
    begins = [0, *[start for start, _, _ in kept[1:]], len(text)]
    for (start, end, voice), begin, stop in zip(kept, begins, begins[1:], strict=False):
        own = tuple(s for s in sources if s.side == SIDE_OF[voice]) or tuple(sources)
        made.append(_clause(text[begin:stop], own, (start - begin, end - begin, voice), claim))
    return made


def _cues(text: str, language: Language, titles: Sequence[str]) -> list[tuple[int, int, Voice]]:
    """(start, end, voice) of every wording of a speaker outside quotation marks and titles, in order; where two
    overlap, the one that begins first, then the longer."""
    masked = _masked(text, titles).lower()
    found = [
        (match.start(), -match.end(), order, voice)
        for order, voice in enumerate(("all", "many", "item", "user", "one"))
        for match in wording(language).voices[voice].finditer(masked)  # type: ignore[index]
    ]
    cues: list[tuple[int, int, Voice]] = []
    for start, end, _, voice in sorted(found):
        if not cues or start >= cues[-1][1]:
            cues.append((start, -end, voice))  # type: ignore[arg-type]
    return cues


def _clause(text: str, sources: tuple[Source, ...], cue: tuple[int, int, Voice] | None, claim: Claim) -> Clause:
    quotes = tuple(q for m in QUOTED.finditer(text) if (q := (m[1] or m[2] or m[3]).strip()))
    masked = _masked(text, _titles(claim), quotes=False)
    words = tokens(masked, claim.language)
    if cue is None:
        return Clause(text.strip(), masked, sources, None, "", words, quotes)
    start, end, voice = cue
    if voice != "user":  # "a reader with two children" says nothing that must be cited
        words = tuple(w for w in words if not start <= w.start < end)
    return Clause(text.strip(), masked, sources, voice, text[start:end].lower(), words, quotes)


def _titles(claim: Claim) -> list[str]:
    """The titles that the claim may hold, as they are and as they stand between quotation marks, longest first."""
    named = {t for title in (claim.item, *(s.title for s in claim.evidence)) for t in spoken_titles(title)}
    return sorted(named | {inside_quotation(title) for title in named}, key=len, reverse=True)


def _masked(text: str, titles: Sequence[str], *, quotes: bool = True) -> str:
    """The text with titles, and with `quotes` what stands in quotation marks, blanked out, offsets kept."""
    for title in titles:
        if title.lower() in text.lower():
            text = re.sub(re.escape(title), lambda m: " " * len(m[0]), text, flags=re.IGNORECASE)
    return QUOTED.sub(lambda m: m[0][0] + " " * (len(m[0]) - 2) + m[0][-1], text) if quotes else text
