"""Instrument 10: people read. Draws an unlabelled sample with planted falsehoods, and scores the labels that come back.

A reader sees sentences with what they cite, a tenth of them made false, and not which. How many of those she catches
tells how far her other labels can be trusted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from rag_rationale.errors import InvalidRequestError, RowError
from rag_rationale.evaluation.falsifying import KINDS, falsify
from rag_rationale.evaluation.finding import Case, Finding, Measure
from rag_rationale.evaluation.statistics import Estimate, wilson
from rag_rationale.types import Claim, Counted, Language, Rationale, Source, Support

PLANTED = 0.10
SUPPORTED, GRAMMATICAL = 0.95, 0.95
"""Targets, for the lower end of Wilson's interval and for the value."""
_Answer = Annotated[Literal["yes", "no"] | None, "None where the reader did not say"]


class Label(BaseModel):
    """What one reader says of one sentence. `supported`: all of it follows from what it cites."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: Annotated[str, StringConstraints(min_length=1)]
    supported: _Answer = None
    grammatical: _Answer = None
    comment: str = ""


def served_claims(path: Path, *, language: Language | None = None) -> list[Claim]:
    """Every sentence of a replies.jsonl of `eval run`, or of the one in a folder, with what it cites.

    Raises InvalidRequestError where there is no such file, RowError for a row that does not fit.
    """
    file = path / "replies.jsonl" if path.is_dir() else path
    claims: list[Claim] = []
    for number, row in _rows(file):
        try:
            reply, titles = Rationale.model_validate(row["reply"]), row["titles"]
            if language in (None, reply.language):
                claims += _claims(reply, titles, row.get("counted", {}), case=row["case"], title=row["title"])
        except (KeyError, TypeError, ValidationError) as error:
            raise RowError(file, number, "reply", f"no row of `eval run`: {error!r}") from error
    return claims


def draw_sample(claims: Sequence[Claim], *, n: int, seed: int) -> tuple[list[Claim], dict[str, Any]]:
    """`n` sentences in random order, a tenth of them made false, and the key: by id, the case and what was planted.

    Ids say nothing of either. Fewer than `n` where there are fewer.
    """
    rng = Random(seed)
    drawn = rng.sample(list(claims), min(n, len(claims)))
    wanted = round(PLANTED * len(drawn))
    sheet, key, planted = [], {}, 0
    for claim in drawn:
        false = _falsified(claim, claims, rng) if planted < wanted else None
        planted += false is not None
        key[claim.id] = {"case": claim.id, "planted": false.kind if false else None, "true": claim.sentence}
        sheet.append(false or claim)
    order = list(range(len(sheet)))
    rng.shuffle(order)
    names = {sheet[at].id: f"{number:04d}" for number, at in enumerate(order, 1)}
    blank = [sheet[at].model_copy(update={"id": names[sheet[at].id], "label": None, "kind": None}) for at in order]
    return blank, {"seed": seed, "sentences": {names[claim]: told for claim, told in key.items()}}


def _falsified(claim: Claim, claims: Sequence[Claim], rng: Random) -> Claim | None:
    """The claim made false in the first way, of all in random order, that applies to it."""
    others = [c for c in claims if c.id.partition("#")[0] != claim.id.partition("#")[0]]
    kinds = rng.sample(sorted(KINDS), len(KINDS))
    return next((made for kind in kinds if (made := falsify(claim, kind, others, seed=rng.randrange(2**31)))), None)


def as_jsonl(sheet: Iterable[Claim]) -> str:
    """A line per sentence, with the fields of `Label` to be filled in with "yes" or "no". Where people are counted,
    `counted` holds what each of them wrote and of how many there are.
    """
    rows = (
        {
            "id": c.id,
            "sentence": c.sentence,
            "item": c.item,
            "evidence": [s.model_dump(exclude_none=True, exclude={"author"}) for s in c.evidence],
            **({"counted": {"of": c.counted.of, "texts": c.counted.texts}} if c.counted else {}),
            "supported": None,
            "grammatical": None,
            "comment": "",
        }
        for c in sheet
    )
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read_labels(path: Path) -> dict[str, Label]:
    """A reader's labels by sentence id. Raises InvalidRequestError or RowError for a file that holds none."""
    labels: dict[str, Label] = {}
    for number, row in _rows(path):
        try:
            label = Label.model_validate(row)
        except ValidationError as error:
            first = error.errors()[0]
            raise RowError(path, number, ".".join(map(str, first["loc"])), first["msg"]) from error
        if label.id in labels:
            raise RowError(path, number, "id", f"{label.id!r} is labelled twice")
        labels[label.id] = label
    return labels


def read_key(path: Path) -> dict[str, Any]:
    """The key of a sample. Raises InvalidRequestError for anything else."""
    try:
        key = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidRequestError(f"Cannot read {path}: {error}.", remedy="Give the key of `eval sample`.") from error
    if not isinstance(key, dict) or not isinstance(key.get("sentences"), dict):
        raise InvalidRequestError(f"{path} is no key.", remedy="Give the key of `eval sample`, behind the labels.")
    return key


def score(readers: Sequence[Mapping[str, Label]], key: Mapping[str, Any]) -> Finding:
    """Rates over the sentences that every reader labelled, planted ones apart.

    A sentence counts as supported, or grammatical, where all readers say so. Sensitivity: the share of planted
    sentences that a reader refuses. Agreement of two readers: Cohen's kappa (1960) over all sentences.
    """
    sentences: Mapping[str, Mapping[str, Any]] = key["sentences"]
    unknown = {name for labels in readers for name in labels} - sentences.keys()
    if unknown:
        raise InvalidRequestError(
            f"The key knows no sentence {min(unknown)!r}.", remedy="Give labels and key of one sample."
        )
    measures = [
        *_rates("supported", readers, sentences, target=SUPPORTED),
        *_rates("grammatical", readers, sentences, target=GRAMMATICAL),
        *_sensitivity(readers, sentences),
    ]
    if len(readers) == 2:
        measures += [_agreement(what, *readers) for what in ("supported", "grammatical")]
    return Finding("reading", tuple(measures), cases=tuple(_disputed(readers, sentences)))


def _rates(
    what: str, readers: Sequence[Mapping[str, Label]], sentences: Mapping[str, Mapping[str, Any]], *, target: float
) -> list[Measure]:
    served = [name for name, told in sentences.items() if told["planted"] is None]
    answers = [[getattr(labels[name], what) if name in labels else None for labels in readers] for name in served]
    full = [said for said in answers if None not in said]
    both = wilson(sum(set(said) == {"yes"} for said in full), len(full))
    bound: Literal["worse", "value"] = "worse" if what == "supported" else "value"
    measures = [_measure(f"reading.{what}", both, target=target, bound=bound)]
    if len(readers) > 1:
        for number, said in enumerate(zip(*answers, strict=True), 1):
            given = [answer for answer in said if answer is not None]
            measures.append(_measure(f"reading.{what}.reader_{number}", wilson(given.count("yes"), len(given))))
    return measures


def _sensitivity(
    readers: Sequence[Mapping[str, Label]], sentences: Mapping[str, Mapping[str, Any]]
) -> Iterable[Measure]:
    planted = [name for name, told in sentences.items() if told["planted"] is not None]
    for number, labels in enumerate(readers, 1):
        said = [labels[name].supported for name in planted if name in labels and labels[name].supported is not None]
        name = "reading.sensitivity" + (f".reader_{number}" if len(readers) > 1 else "")
        yield _measure(name, wilson(said.count("no"), len(said)))


def _agreement(what: str, one: Mapping[str, Label], other: Mapping[str, Label]) -> Measure:
    pairs = [(getattr(one[name], what), getattr(other[name], what)) for name in sorted(one.keys() & other.keys())]
    said = [pair for pair in pairs if None not in pair]
    name = f"reading.kappa.{what}"
    agreed = sum(a == b for a, b in said) / max(len(said), 1)
    yes = [sum(pair[reader] == "yes" for pair in said) / max(len(said), 1) for reader in (0, 1)]
    chance = yes[0] * yes[1] + (1 - yes[0]) * (1 - yes[1])
    if not said or chance == 1:  # both say the same of everything: kappa is not defined
        return Measure(name, float("nan"), len(said))
    return Measure(name, (agreed - chance) / (1 - chance), len(said))


def _measure(
    name: str, made: Estimate, *, target: float | None = None, bound: Literal["worse", "value"] = "value"
) -> Measure:
    return Measure(name, made.value, made.n, made.interval, target=target, bound=bound)


def _disputed(readers: Sequence[Mapping[str, Label]], sentences: Mapping[str, Mapping[str, Any]]) -> Iterable[Case]:
    """Served sentences that a reader refuses, and planted ones that a reader lets pass."""
    for name, told in sentences.items():
        wrong = "yes" if told["planted"] else "no"
        said = [labels[name] for labels in readers if name in labels]
        if any(label.supported == wrong for label in said):
            why = f"planted ({told['planted']}), passed" if told["planted"] else "served, refused"
            comments = tuple(("comment", label.comment) for label in said if label.comment)
            yield Case(f"{name} {told['case']}", told["true"], why, comments)


def _claims(
    reply: Rationale, titles: Mapping[str, str], counted: Mapping[str, str], *, case: str, title: str
) -> Iterable[Claim]:
    by_label = {e.label: e for e in reply.evidence}
    for number, sentence in enumerate(reply.sentences, 1):
        cited = [by_label[label] for label in dict.fromkeys(c.label for c in sentence.citations)]
        yield Claim(
            id=f"{case}#{number}",
            language=reply.language,
            item=title,
            sentence=sentence.text,
            counted=_counted(sentence.support, counted) if sentence.support else None,
            evidence=tuple(
                Source(
                    label=e.label,
                    side=e.side,
                    title=titles.get(e.item_id or "", ""),
                    text=e.text,
                    event=e.event,
                    rating=e.rating,
                    author=None if e.side == "item" else "me" if e.side == "history" else e.source_id,
                )
                for e in cited
            ),
        )


def _counted(support: Support, texts: Mapping[str, str]) -> Counted:
    told = tuple(texts[name] for name in dict.fromkeys(support.evidence_ids) if name in texts)
    return Counted(count=support.count, of=support.of, texts=told)


def _rows(path: Path) -> Iterable[tuple[int, dict[str, Any]]]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"Cannot read {path}: {error}.", remedy="Give a file or folder of `eval`.") from error
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise RowError(path, number, "row", f"not JSON: {error}") from error
        if not isinstance(row, dict):
            raise RowError(path, number, "row", "expected a JSON object")
        yield number, row
