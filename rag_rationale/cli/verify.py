"""`rag-rationale verify FILE.jsonl`: judge sentences with [n] markers against the passages they cite."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rag_rationale.config import load_settings
from rag_rationale.grounding import Judge, calibrations, read_claims
from rag_rationale.service import Remembering
from rag_rationale.service.opening import open_embedder, open_writer
from rag_rationale.types import Claim, Tier, Verdict


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("verify", help="judge sentences with [n] markers against their passages")
    parser.add_argument("file", type=Path, metavar="FILE.jsonl", help="one sentence with its evidence per line, or `-`")
    parser.add_argument(
        "--tier",
        choices=["lexical", "embedding", "likelihood"],
        default="likelihood",
        help="the last tier that may be asked; `lexical` needs no model (default: likelihood)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """0 where every sentence is supported, else 1."""
    piped = str(options.file) == "-"
    claims = read_claims(options.file, sys.stdin.read() if piped else None)
    judge = _judge(options.tier)
    supported = True
    for claim in claims:
        verdict = judge.judge(claim, last=options.tier)
        supported &= verdict.label == "supported"
        print(_as_json(claim, verdict) if options.json else _as_text(claim, verdict), flush=True)
    return 0 if supported else 1


def _judge(last: Tier) -> Judge:
    """The judge with the models that its tiers read with, and no others."""
    settings = load_settings()
    embedder = Remembering(open_embedder(settings)) if last != "lexical" else None
    engine = open_writer(settings) if last == "likelihood" and "likelihood" in calibrations() else None
    return Judge(embedder=embedder, engine=engine)


def _as_json(claim: Claim, verdict: Verdict) -> str:
    body = {
        "id": claim.id,
        "verdict": verdict.label,
        "tier": verdict.tier,
        "score": verdict.score,
        "reasons": list(verdict.reasons),
    }
    return json.dumps(body, ensure_ascii=False)


def _as_text(claim: Claim, verdict: Verdict) -> str:
    lines = [f"{claim.id}: {verdict.label} ({verdict.tier}, {verdict.score:.2f})  {claim.sentence}"]
    return "\n".join([*lines, *(f"    {reason}" for reason in verdict.reasons)])
