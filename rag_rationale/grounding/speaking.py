"""Faults in who is said to speak, how many of them, and what the reader is said to have done."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag_rationale.grounding.clauses import QUOTED, SIDE_OF, Clause
from rag_rationale.language.tokens import mood, tokens
from rag_rationale.language.wording import wording
from rag_rationale.types import Claim, Language, Source

_EVENTS: dict[str, frozenset[str]] = {
    "bought": frozenset(("purchase", "buy", "order")),
    "viewed": frozenset(("view", "click", "browse")),
    "carted": frozenset(("cart", "basket", "add_to_cart")),
    "saved": frozenset(("save", "favorite", "favourite", "wishlist", "bookmark", "follow")),
    "asked": frozenset(("preference", "query", "request", "search")),
}
_WORDED = frozenset(("review", "preference", "rating", "comment", "query", "request"))
_SCALE = re.compile(
    r"(?<![\d.])([1-5](?:\.\d)?|one|two|three|four|five|[一二两三四五])"
    r"(?:[- ]?stars?\b|\s*(?:out of|/)\s*(?:5|five)|颗?星|分(?!钟))"
)
_LESS = re.compile(
    r"\b(?:less|not|n['’]t|hardly|un) ?(?:\w+ )?(?:happy|pleased|impressed|delighted|satisfied|convinced|taken)\b"
    r"|\bnot all (?:is|was) praise\b"
)
_READER = re.compile(r"\b(?:you|your)\b|您|你")
_SOMEBODY = re.compile(r"\b(?:some|no|every|any) ?(?:one|body)\b|有人")  # "someone answered you"
_APART = re.compile(r"[:：]|\b(?:one|another|the other)\b")
_LOW, _HIGH = 2.5, 3.5  # a rating below is no liking, one above no dislike
_FEW = {"en": {"two": 2, "both": 2, "couple": 2}, "zh": {"两": 2, "俩": 2}}


def speaking_faults(clause: Clause, claim: Claim) -> list[str]:
    """What is wrong with the attribution of a clause; empty where nothing is."""
    language = claim.language
    faults = []
    if clause.voice is not None and clause.sources:
        sides = {s.side for s in clause.sources}
        told = sides == {"history"} and _SOMEBODY.search(clause.cue) and _READER.search(clause.text.lower())
        if SIDE_OF[clause.voice] not in sides and not told:
            faults.append(
                f"'{clause.cue}' needs a source of side {SIDE_OF[clause.voice]}, cited is {_named(clause.sources)}"
            )
    if clause.voice == "user":
        faults += _deed_faults(clause, language)
    elif attitude(clause, language) > 0 and clause.sources and clause.content:
        rated = [s.rating for s in clause.sources if s.rating is not None]
        if rated and max(rated) < _LOW and mood(clause.content) < -0.15:
            faults.append(f"a complaint of {_named(clause.sources)} is told as a liking: {clause.said}")
    faults += _number_faults(clause, claim)
    faults += _star_faults(clause, language)
    return faults


def attitude(clause: Clause, language: Language) -> float:
    """1 where the wording has somebody like the thing, -1 dislike it, 0 neither or both."""
    known = wording(language)
    text = QUOTED.sub(" ", clause.masked).lower()
    if language == "en" and _LESS.search(text):
        return -1.0
    if clause.voice == "user":
        blames = bool(known.deeds["disliked"].search(text))
        rest = known.deeds["disliked"].sub(" ", text)
        praises = bool(known.deeds["liked"].search(rest))
    elif language == "en":
        words = {w.text.lower() for w in clause.words if w.hollow or w.text.lower() in known.blames}
        praises, blames = bool(words & known.praises), bool(words & known.blames)
    else:
        blames = any(word in text for word in known.blames)
        praises = not blames and any(word in text for word in known.praises)
    return float(praises) - float(blames)


def _named(sources: Sequence[Source]) -> str:
    return ", ".join(f"[{s.label}] {s.side}" for s in sources)


def _deed_faults(clause: Clause, language: Language) -> list[str]:
    """The deeds that the wording ascribes to the reader against the events, ratings and words of her sources."""
    own = [s for s in clause.sources if s.side == "history"]
    if not own:
        return []
    wording_own = QUOTED.sub(" ", clause.masked).lower()
    deeds = {name for name, pattern in wording(language).deeds.items() if pattern.search(wording_own)}
    events = {s.event for s in own if s.event}
    worded = [s for s in own if s.event in _WORDED and s.text.strip() != s.title.strip()]
    said = " ".join(s.text.lower() for s in worded)
    faults = []
    claimed = [proofs for deed, proofs in _EVENTS.items() if deed in deeds]
    if claimed and len(own) > 1 and not worded:
        faults += [
            f"no deed that is claimed of [{s.label}] is its own: {_row([s])}"
            for s in own
            if s.event
            and not any(s.event in p for p in claimed)
            and not (deeds & {"rated", "liked", "disliked"} and s.rating is not None)
        ]
    for deed, proofs in _EVENTS.items():
        in_words = bool(wording(language).deeds[deed].search(said))
        if deed not in deeds or events & proofs or in_words or not events:
            continue
        if deed == "viewed" and language == "zh" and "看过" in clause.text and events & _WORDED:
            continue  # 看过 of a film is to have watched it
        if deed == "asked" and events & _WORDED:
            continue
        faults.append(f"'{deed}' needs an event of {'/'.join(sorted(proofs))}, the row says {_row(own)}")
    silent = bool(events) and not worded
    ratings = [s.rating for s in own if s.rating is not None]
    if "rated" in deeds and not ratings:
        faults.append(f"a rating is claimed, the row has none: {_row(own)}")
    if silent and not ratings and deeds & {"liked", "disliked"}:
        faults.append(f"a liking or dislike is claimed, the row only says {_row(own)}")
    elif silent and "wrote" in deeds and not deeds & {*_EVENTS, "rated"}:
        faults.append(f"words of the reader are claimed, the row only says {_row(own)}")
    return faults + _liking_faults(clause, own, language)


def _liking_faults(clause: Clause, own: Sequence[Source], language: Language) -> list[str]:
    """A liking out of a complaint, or a complaint out of a liking."""
    towards = attitude(clause, language)
    ratings = [s.rating for s in own if s.rating is not None]
    if not towards or not ratings:
        return []
    spoken = sum(mood(tokens(s.text, language)) for s in own)
    if towards > 0 and max(ratings) < _LOW and spoken <= 0.4:
        return [f"a liking is claimed of what was rated {max(ratings):g}"]
    if towards < 0 and min(ratings) > _HIGH + 0.9 and spoken >= 0.2:
        return [f"a dislike is claimed of what was rated {min(ratings):g}"]
    return []


def _number_faults(clause: Clause, claim: Claim) -> list[str]:
    """Too few people behind a number or a plural. Where the sentence goes on to tell them apart ("one ..., the other
    ..."), all whom it cites count.
    """
    language, counted = claim.language, claim.counted
    if clause.voice not in ("many", "all") or not any(s.side == "review" for s in clause.sources):
        return []
    said = [int(w.number) for w in tokens(clause.cue, language) if w.number is not None]
    said += [
        n for word, n in _FEW[language].items() if re.search(rf"\b{word}\b" if language == "en" else word, clause.cue)
    ]
    stated = {int(w.number) for w in tokens(clause.masked, language) if w.number is not None}
    if counted is not None and counted.count in stated and {*said} <= {counted.count, counted.of}:
        return []
    behind = claim.sentence.lower().partition(clause.cue)[2]
    sources = claim.evidence if clause.voice == "many" and _APART.search(behind) else clause.sources
    people = {s.author or f"[{s.label}]" for s in sources if s.side == "review"}
    if clause.voice == "all":
        return [f"'{clause.cue}' speaks for all, cited are {len(people)} reviewers"]
    needed = max([2, *said]) if not counted else counted.count
    if len(people) < needed:
        return [f"'{clause.cue}' needs {needed} reviewers, cited are {len(people)}"]
    return []


def _star_faults(clause: Clause, language: Language) -> list[str]:
    known = wording(language).numbers
    ratings = {s.rating for s in clause.sources if s.rating is not None}
    faults = []
    for match in _SCALE.finditer(clause.text.lower()):
        value = known[match[1]] if match[1] in known else float(match[1])
        if ratings and value not in ratings and not any(match[0] in s.text.lower() for s in clause.sources):
            faults.append(f"'{match[0]}' is claimed, the rating is {'/'.join(f'{r:g}' for r in sorted(ratings))}")
    return faults


def _row(own: Sequence[Source]) -> str:
    return ", ".join(f"'{s.event}'" + (f" rated {s.rating:g}" if s.rating is not None else "") for s in own)
