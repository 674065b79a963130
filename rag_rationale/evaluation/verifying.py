"""Instrument 2: how well the shipped verifier tells true sentences from false ones, and how long it takes.

False sentences are generated from served ones or written by hand; served sentences and the hand-written true ones
count false alarms. The weights are fixed: nothing here is fitted. The verifier was improved over one hand-written set,
`developed`; `handwritten` was written without sight of it and is only ever measured on, and so is the later `fresh`,
half of whose true sentences are reworded. `reworded` holds true sentences
in other words than their source's and subtle falsehoods in its words: what words alone cannot tell apart.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np

from rag_rationale.errors import RowError
from rag_rationale.evaluation.claims import claims_of
from rag_rationale.evaluation.falsifying import KINDS, falsify
from rag_rationale.evaluation.finding import Case, Finding, Measure
from rag_rationale.evaluation.material import Material
from rag_rationale.evaluation.scenes import read_scenes
from rag_rationale.evaluation.statistics import auc, wilson
from rag_rationale.grounding import Judge, read_claims
from rag_rationale.grounding.judge import examine
from rag_rationale.types import LANGUAGES, Claim, Source, Tier, Verdict

GENERATED, HANDWRITTEN, FALSE_ALARMS = 0.95, 0.85, 0.05
LATENCY: dict[Tier, float] = {"lexical": 2.0, "embedding": 25.0, "likelihood": 150.0}
"""Targets: shares detected and refused, and milliseconds a sentence up to and with each tier."""
_TIMED = 60  # sentences timed per tier
_SHOWN = 20  # mistakes shown


@dataclass(frozen=True, slots=True)
class _Outcome:
    claim: Claim
    verdict: Verdict

    @property
    def refused(self) -> bool:
        return self.verdict.label == "unsupported"


def measure_verifier(material: Material, *, wice: Path | None = None) -> Finding:
    """Detection and false alarms by kind and language, AUC on a WiCE file where one is given, and latency by tier."""
    judge = Judge(embedder=material.indexer or material.embedder, engine=material.engine)
    served = served_claims(material)
    generated = [
        made for claim in served for kind in KINDS if (made := falsify(claim, kind, served, seed=material.seed))
    ]
    written = handwritten("held.")
    # before anything is embedded, which would be remembered
    spent = _latency([*served, *written, *generated], material)
    sets = {
        "generated": [*served, *generated],
        "handwritten": written,
        "fresh": handwritten("fresh."),
        "developed": handwritten(),
        "reworded": reworded(),
    }
    outcomes = {origin: [_Outcome(c, judge.judge(c)) for c in claims] for origin, claims in sets.items()}
    measures: list[Measure] = []
    for origin, target in (
        ("generated", GENERATED),
        ("handwritten", HANDWRITTEN),
        ("fresh", None),
        ("developed", None),
        ("reworded", None),
    ):
        measures += _detection(origin, outcomes[origin], target)
    for language in LANGUAGES:
        measures.append(_auc(f"reworded.{language}", [o for o in outcomes["reworded"] if o.claim.language == language]))
    if wice is not None:
        measures.append(_auc("wice", [_Outcome(c, judge.judge(c)) for c in read_wice(wice)]))
    measures += spent
    mistakes = [
        o for origin in ("generated", "developed") for o in outcomes[origin] if o.refused == (o.claim.label != "false")
    ]
    return Finding(
        instrument="verifier",
        measures=tuple(measures),
        per_case={
            "verifier.false_alarms.served": {
                o.claim.id: float(o.refused) for o in outcomes["generated"] if o.claim.label != "false"
            }
        },
        cases=tuple(_case(o) for o in mistakes[:_SHOWN]),
        notes=(
            f"The judge has these tiers: {', '.join(judge.tiers())}.",
            "Served sentences have already passed the verifier, so their false alarms are those of the judge alone, "
            "without the check of the draft.",
            "Mistakes of the held-out set are not shown: who reads them, tunes on them.",
            "The WiCE figure is a guide: Wikipedia, English, and nobody speaks.",
        ),
    )


def served_claims(material: Material) -> list[Claim]:
    """Every sentence that was served, as a claim."""
    claims: list[Claim] = []
    for subject, reply in zip(material.subjects, material.replies, strict=True):
        item = material.snapshot.item(subject.item)
        claims += claims_of(reply, material.snapshot, title=item.title if item else "", case=subject.id)
    return claims


def handwritten(held: Literal["", "held.", "fresh."] = "") -> list[Claim]:
    """The sentences written by hand, both languages: those the verifier was improved over, or one of the two sets that
    are only measured on."""
    folder = resources.files("rag_rationale.evaluation").joinpath("data")
    found: list[Claim] = []
    for language in LANGUAGES:
        file = folder.joinpath(f"handwritten.{held}{language}.jsonl")
        found += read_claims(Path(file.name), file.read_text("utf-8"))
    return found


def reworded() -> list[Claim]:
    """True sentences strongly reworded and subtle falsehoods, both languages; of those never fitted to."""
    folder = resources.files("rag_rationale.evaluation").joinpath("data")
    return [
        claim
        for language in LANGUAGES
        for _, claim in read_scenes(folder.joinpath(f"reworded.{language}.yaml").read_text("utf-8"), language)
    ]


def read_wice(path: Path) -> list[Claim]:
    """Claims of a WiCE file (Kamoi et al. 2023) with their evidence as one source; "true" where fully supported.

    Raises RowError for a row without `claim`, `evidence` or `label`.
    """
    claims = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        row = json.loads(line)
        if missing := {"claim", "evidence", "label"} - row.keys():
            raise RowError(path, number, min(missing), "is missing")
        text = " ".join(row["evidence"]).strip()[:20_000] or "-"
        title = str(row.get("meta", {}).get("claim_title", ""))
        claims.append(
            Claim(
                id=str(number),
                language="en",
                item=title,
                sentence=f"{row['claim']} [1]",
                evidence=(Source(label=1, side="item", title=title, text=text),),
                label="true" if row["label"] == "supported" else "false",
            )
        )
    return claims


def _detection(origin: str, outcomes: Sequence[_Outcome], target: float | None) -> list[Measure]:
    """Detection over all, by kind and by each language that is met, and false alarms alike; without `target` neither
    has one."""
    alarms = FALSE_ALARMS if target else None
    false = [o for o in outcomes if o.claim.label == "false"]
    true = [o for o in outcomes if o.claim.label != "false"]
    measures = [
        _share(f"verifier.detected.{origin}", false, target),
        _share(f"verifier.false_alarms.{origin}", true, alarms, at_most=True),
    ]
    for language in (lang for lang in LANGUAGES if any(o.claim.language == lang for o in outcomes)):
        own = [o for o in false if o.claim.language == language]
        measures.append(_share(f"verifier.detected.{origin}.{language}", own, target))
        own = [o for o in true if o.claim.language == language]
        measures.append(_share(f"verifier.false_alarms.{origin}.{language}", own, alarms, at_most=True))
        for kind in sorted({o.claim.kind or "unnamed" for o in false if o.claim.language == language}):
            named = [o for o in false if (o.claim.kind or "unnamed") == kind and o.claim.language == language]
            measures.append(_share(f"verifier.detected.{origin}.{language}.{kind}", named, None))
    return measures


def _share(name: str, outcomes: Sequence[_Outcome], target: float | None, *, at_most: bool = False) -> Measure:
    share = wilson(sum(o.refused for o in outcomes), len(outcomes))
    return Measure(name, share.value, share.n, share.interval, target=target, at_most=at_most)


def _auc(name: str, outcomes: Sequence[_Outcome]) -> Measure:
    value = auc(scores=[o.verdict.score for o in outcomes], labels=[o.claim.label == "true" for o in outcomes])
    return Measure(f"verifier.auc.{name}", value, len(outcomes))


def _latency(claims: Sequence[Claim], material: Material) -> list[Measure]:
    """Milliseconds a sentence up to and with each tier that the judge has: median, and the 95th percentile, over the
    first sentences that are asked of it. The closeness of clauses is asked where they share hardly a word with their
    sources, and where words have not decided.
    """
    measures = []
    judge = Judge(embedder=material.indexer or material.embedder, engine=material.engine)
    words = 0.0
    for tier in judge.tiers():
        asked = (
            claims if tier == "lexical" else [c for c in claims if (found := examine(c)).remote and not found.faults]
        )
        spent = []
        for claim in asked[:_TIMED]:
            begin = time.perf_counter()
            judge.judge(claim, last=tier)
            spent.append((time.perf_counter() - begin) * 1000 + words)
        median, slow = (float(np.quantile(spent, q)) if spent else float("nan") for q in (0.5, 0.95))
        words = median if tier == "lexical" else words  # parses are remembered, so it is added to what comes behind
        measures.append(
            Measure(f"verifier.milliseconds.{tier}", median, len(spent), target=LATENCY[tier], at_most=True)
        )
        measures.append(Measure(f"verifier.milliseconds.{tier}.p95", slow, len(spent)))
    return measures


def _case(outcome: _Outcome) -> Case:
    claim, verdict = outcome.claim, outcome.verdict
    sources = tuple((f"[{s.label}] {s.side}", s.text) for s in claim.evidence)
    why = f"{'refused' if outcome.refused else 'let through'} by the {verdict.tier} tier at {verdict.score:.2f}"
    told = "; ".join(verdict.reasons)
    return Case(
        f"{claim.label or 'true'} ({claim.kind or 'served'})", claim.sentence, f"{why}. {told}".strip(), sources
    )
