"""Specificity and variety: would a sentence do for any other item, and does everyone get the same?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from rag_rationale.evaluation.choices import item_side
from rag_rationale.evaluation.closeness import Closeness
from rag_rationale.evaluation.commonness import TYPICAL, Commonness
from rag_rationale.evaluation.finding import Case, Finding, Measure, Standing
from rag_rationale.evaluation.judging import without_markers
from rag_rationale.evaluation.material import Material, Subject
from rag_rationale.evaluation.statistics import bootstrap_mean
from rag_rationale.language.words import words
from rag_rationale.types import Passage, Rationale

GENERIC = 0.10  # the target: fewer than this share of sentences
_COUNTED = 20_000  # passages in which words are counted
_COMPARED = 20  # passages of an item that a sentence is compared with
_OTHERS = 5  # other items that a sentence is compared with
_OPENING = 3  # words
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class _Said:
    """One sentence. `phrase` holds the item's side: what it cites of descriptions and of others' reviews."""

    subject: Subject
    text: str
    phrase: str
    sources: frozenset[str]


def measure_variety(material: Material) -> Finding:
    """Measures over every sentence of the material's replies. Intervals draw whole items.

    `variety.right_item`: is the item's side of a sentence closer to a passage of its own item (sources it cites left
    out) than to any of another item's, over as many passages each? `variety.generic`: see `commonness`.
    `variety.unique` and `variety.distinct_2`: different sentences, and pairs of neighbouring words, over all.
    `variety.opening_repeated`: replies in which two sentences begin with the same three words.
    """
    said = [one for s, r in zip(material.subjects, material.replies, strict=True) for one in _sentences(s, r)]
    chance = Random(material.seed)
    passages = {item: _passages(material, item) for item in sorted({s.item for s in material.subjects})}
    random = [
        _Said(o.subject, p.text, p.text, frozenset({p.source_id})) for o in said if (p := _any(passages, o, chance))
    ]
    common = Commonness(material.snapshot.sample_passages(_COUNTED))
    generic = {
        name: [float(common.fits_most(o.phrase, item=o.subject.item)) for o in group if o.phrase]
        for name, group in (("", said), (".random_passage", random))
    }
    specific = [o for o in said if o.phrase]
    near = _right_item(material, specific, random, passages)
    written = [
        (s, _words(r.rationale)) for s, r in zip(material.subjects, material.replies, strict=True) if r.sentences
    ]
    people = [(s, words(s.text)[: len(told)]) for s, told in written]
    measures = [
        *_both(material, "variety.right_item", near, specific, random),
        *_both(material, "variety.generic", generic, specific, random, target=GENERIC),
        _mean(material, "variety.unique", _once([o.text for o in said]), [o.subject for o in said]),
        _distinct(material, "variety.distinct_2", written),
        _distinct(material, "variety.distinct_2.hidden_reviews", people, standing="control"),
        _repeated(material, said),
    ]
    flags = dict(zip(_numbered(specific), generic[""], strict=True))
    return Finding(
        instrument="variety",
        measures=tuple(measures),
        per_case={
            "variety.generic": flags,
            "variety.right_item": dict(zip(_numbered(specific), near[""], strict=True)),
        },
        cases=tuple(_cases(specific, generic[""], common)),
        notes=(
            f"A sentence is generic where an item with {TYPICAL} passages more likely than not has one that holds "
            "three quarters of what the sentence says of its item, weighed by rarity.",
            "A random passage of the item stands beside: people write generic sentences too.",
            f"{len(said) - len(specific)} of {len(said)} sentences cite nothing of the item and are not judged so.",
        ),
    )


def _sentences(subject: Subject, reply: Rationale) -> Iterator[_Said]:
    for sentence in reply.sentences:
        about = item_side(reply, (sentence,))
        yield _Said(subject, without_markers(sentence.text), about.text, about.sources)


def _passages(material: Material, item: str) -> list[Passage]:
    """Passages of an item that may be evidence, in random order."""
    found = [
        p
        for p in material.snapshot.item_passages(item)
        if p.quarantined is None and p.field != "title" and (p.kind == "item" or p.trust >= material.min_trust)
    ]
    Random(f"{material.seed}\0{item}").shuffle(found)
    return found


def _any(passages: dict[str, list[Passage]], said: _Said, chance: Random) -> Passage | None:
    found = [p for p in passages[said.subject.item] if p.source_id != said.subject.review]
    return chance.choice(found) if found else None


def _right_item(
    material: Material, said: Sequence[_Said], random: Sequence[_Said], passages: dict[str, list[Passage]]
) -> dict[str, list[float]]:
    """Per sentence, the share of other items that it lies less close to than to its own, ties half."""
    used = {item: found[: 2 * _COMPARED] for item, found in passages.items()}
    texts = [p.text for found in used.values() for p in found] + [o.phrase for o in (*said, *random)]
    near = Closeness(material.embedder, texts, progress=material.progress)
    chance = Random(material.seed)

    def one(o: _Said) -> float:
        hidden = o.sources | {o.subject.review}
        own = [p.text for p in used[o.subject.item] if p.source_id not in hidden][:_COMPARED]
        rest = [item for item in used if item != o.subject.item and used[item]]
        if not own or not rest:
            return 0.5
        best = max(near.of(o.phrase, own))
        others = [
            max(near.of(o.phrase, [p.text for p in used[item][: len(own)]]))
            for item in chance.sample(rest, min(_OTHERS, len(rest)))
        ]
        return sum((best > other) + 0.5 * (best == other) for other in others) / len(others)

    return {"": [one(o) for o in said], ".random_passage": [one(o) for o in random]}


def _both(
    material: Material,
    name: str,
    values: dict[str, list[float]],
    said: Sequence[_Said],
    random: Sequence[_Said],
    *,
    target: float | None = None,
) -> Iterator[Measure]:
    yield _mean(material, name, values[""], [o.subject for o in said], target=target)
    beside = [o.subject for o in random]
    yield _mean(material, f"{name}.random_passage", values[".random_passage"], beside, standing="control")


def _mean(
    material: Material,
    name: str,
    values: Sequence[float],
    subjects: Sequence[Subject],
    *,
    target: float | None = None,
    standing: Standing = "result",
) -> Measure:
    found = bootstrap_mean(values, clusters=[s.item for s in subjects], seed=material.seed)
    at_most = target is not None
    return Measure(name, found.value, found.n, found.interval, target=target, at_most=at_most, standing=standing)


def _once(things: Sequence[object]) -> list[float]:
    """One over how often each thing occurs: the mean is the number of different things over all."""
    counts = Counter(things)
    return [1 / counts[thing] for thing in things]


def _distinct(
    material: Material, name: str, written: Iterable[tuple[Subject, list[str]]], *, standing: Standing = "result"
) -> Measure:
    """Distinct-2 (Li et al. 2016): different pairs of neighbouring words over all such pairs."""
    pairs = [(subject, pair) for subject, told in written for pair in pairwise(told)]
    return _mean(
        material, name, _once([pair for _, pair in pairs]), [subject for subject, _ in pairs], standing=standing
    )


def _repeated(material: Material, said: Sequence[_Said]) -> Measure:
    openings: dict[Subject, list[tuple[str, ...]]] = {}
    for o in said:
        openings.setdefault(o.subject, []).append(tuple(words(o.text)[:_OPENING]))
    several = {s: begun for s, begun in openings.items() if len(begun) > 1}
    values = [float(len(set(begun)) < len(begun)) for begun in several.values()]
    return _mean(material, "variety.opening_repeated", values, list(several))


def _words(text: str) -> list[str]:
    return words(without_markers(text))


def _numbered(said: Sequence[_Said]) -> list[str]:
    """Case ids of sentences: the subject's, with the sentence's place in her reply."""
    seen: Counter[str] = Counter()
    found = []
    for o in said:
        seen[o.subject.id] += 1
        found.append(f"{o.subject.id}/{seen[o.subject.id]}")
    return found


def _cases(said: Sequence[_Said], generic: Sequence[float], common: Commonness) -> Iterator[Case]:
    """The most generic sentences, worst first."""
    flagged = [o for o, flag in zip(said, generic, strict=True) if flag]
    shares = {id(o): common.share(o.phrase, item=o.subject.item) for o in flagged}
    for o in sorted(flagged, key=lambda o: -shares[id(o)])[:_SHOWN]:
        yield Case(o.subject.id, o.text, f"{shares[id(o)]:.1%} of the passages of other items say as much")
