"""The probability model the method was first described with: log P(rationale | user, item) and what the user adds.

The writer's own model reads the item, with or without the user, and says how likely the rationale is. Quoting a user
makes her likelier too, so another user's history, and what the user wrote herself, stand beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag_rationale.evaluation.finding import Case, Finding, Measure, Standing
from rag_rationale.evaluation.judging import without_markers
from rag_rationale.evaluation.material import Material, Subject
from rag_rationale.evaluation.statistics import bootstrap_mean
from rag_rationale.types import Language, Rationale, Score, ScoreRequest

_ITEM, _USER = 1200, 900  # characters of each that the model reads, so that all fits a small context
_SHOWN = 5
_LEADS: dict[Language, tuple[str, str, str]] = {
    "en": ("What is said of {}:", "What this reader wrote elsewhere:", "Why it may suit this reader:"),
    "zh": ("关于“{}”：", "这位读者在别处写过：", "推荐理由："),
}


@dataclass(frozen=True, slots=True)
class _Scored:
    """Mean log-probabilities per token, in nats, of one text under each context."""

    subject: Subject
    text: str
    both: float
    other: float
    item: float
    alone: float
    hidden: float


def measure_likelihood(material: Material, *, n: int = 60) -> Finding:
    """Measures over at most `n` grounded replies, texts without their labels, by `material.engine`; nothing where it
    has no log-probabilities.

    `likelihood.gain`: (log P(r | user, item) - log P(r | item)) per token, r a rationale; `.another_user` puts another
    subject's history in place of hers. `likelihood.fluency`: mean log-probability per token with no context at all;
    `.hidden_reviews` is that of what users wrote themselves, cut to the same length.
    """
    if "logprobs" not in material.engine.capabilities:
        return Finding("likelihood", (), notes=(f"{material.engine.name} gives no log-probabilities.",))
    done = _score_all(material, n)
    gains = {d.subject.id: d.both - d.item for d in done}
    others = {d.subject.id: d.other - d.item for d in done}
    columns: tuple[tuple[str, dict[str, float], Standing], ...] = (
        ("likelihood.gain", gains, "result"),
        ("likelihood.gain.another_user", others, "control"),
        ("likelihood.gain.own_over_another", {case: gains[case] - others[case] for case in gains}, "result"),
        ("likelihood.given_user_and_item", {d.subject.id: d.both for d in done}, "result"),
        ("likelihood.given_item", {d.subject.id: d.item for d in done}, "result"),
        ("likelihood.fluency", {d.subject.id: d.alone for d in done}, "result"),
        ("likelihood.fluency.hidden_reviews", {d.subject.id: d.hidden for d in done}, "control"),
    )
    homes = [d.subject.item for d in done]
    measures = []
    for name, values, standing in columns:
        found = bootstrap_mean(list(values.values()), clusters=homes, seed=material.seed)
        measures.append(Measure(name, found.value, found.n, found.interval, standing=standing))
    worst = sorted(done, key=lambda d: d.both - d.item)[:_SHOWN]
    return Finding(
        instrument="likelihood",
        measures=tuple(measures),
        per_case={name: values for name, values, standing in columns if standing == "result"},
        cases=tuple(
            Case(d.subject.id, d.text, f"knowing her adds {d.both - d.item:+.3f} nats per token") for d in worst
        ),
        notes=(
            f"Nats per token, by {material.engine.name}, which also chose among the drafts.",
            "The model reads the item's description and what the rationale cites of its reviews in both contexts.",
        ),
    )


def _score_all(material: Material, n: int) -> list[_Scored]:
    asked = [(s, r) for s, r in zip(material.subjects, material.replies, strict=True) if r.sentences][:n]
    histories = [_history(material, s) for s, _ in asked]
    done = []
    for at, (subject, reply) in enumerate(asked):
        text = without_markers(reply.rationale)
        another = next((h for h in (*histories[at + 1 :], *histories[:at]) if h != histories[at]), "")
        item = _item(material, subject, reply)
        lead = _LEADS[reply.language]
        prefixes = [
            _prefix(item, lead, history=histories[at]),
            _prefix(item, lead, history=another),
            _prefix(item, lead, history=""),
            lead[2],
        ]
        shared = [len(item)] * 3 + [0]  # the item is read once for the three that tell of it
        both, other, told, alone = (
            _mean(material, prefix, text, reply.language, shared=kept)
            for prefix, kept in zip(prefixes, shared, strict=True)
        )
        hidden = _mean(material, lead[2], subject.text[: len(text)], reply.language)
        done.append(_Scored(subject, text, both, other, told, alone, hidden))
        material.progress("likelihoods", at + 1, len(asked))
    return done


def _mean(material: Material, prefix: str, text: str, language: Language, *, shared: int = 0) -> float:
    gap = " " if language == "en" else ""
    scores: Sequence[Score] = material.engine.score(ScoreRequest(prefix, (gap + text,), shared=shared))
    return scores[0].mean


def _prefix(item: str, lead: tuple[str, str, str], *, history: str) -> str:
    return "\n".join([item, *([lead[1], history] if history else []), lead[2]])


def _item(material: Material, subject: Subject, reply: Rationale) -> str:
    item = material.snapshot.item(subject.item)
    cited = [e.text for e in reply.evidence if e.side != "history"]
    told = "\n".join([*cited, item.description if item else ""])
    return f"{_LEADS[reply.language][0].format(item.title if item else '')}\n{told[:_ITEM]}"


def _history(material: Material, subject: Subject) -> str:
    """What the user wrote of other items, newest first; a title goes before each item's words."""
    shown = [
        p for p in material.snapshot.user_passages(subject.user) if p.item_id != subject.item and not p.quarantined
    ]
    lines: list[str] = []
    told = ""
    for p in sorted(shown, key=lambda p: (-(p.timestamp or 0), p.row)):
        item = material.snapshot.item(p.item_id)
        if item and item.title != told:
            told = item.title
            lines.append(f"{told}:")
        lines.append(p.text)
    return "\n".join(lines)[:_USER]
