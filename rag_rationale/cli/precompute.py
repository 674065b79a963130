"""`rag-rationale precompute NAME PAIRS`: fill the cache, so that a shop can serve by look-up."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rag_rationale.cli.explain import requests_of
from rag_rationale.cli.progress import ProgressLine
from rag_rationale.config import load_settings
from rag_rationale.connect import open_explainer
from rag_rationale.errors import RagRationaleError, SettingsError
from rag_rationale.service.answering import open_answers


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("precompute", help="fill the cache of rationales for a list of pairs")
    parser.add_argument("index", metavar="NAME")
    parser.add_argument(
        "pairs", type=Path, metavar="FILE", help='a request body per line, {"user": …, "item": …}; `-`: standard input'
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """Exit 1 where a pair failed; the others are cached all the same."""
    requests = list(requests_of(options.pairs, options.index))
    settings = load_settings()
    if settings.cache_mb == 0:
        raise SettingsError("The cache is off.", remedy="Set RAG_RATIONALE_CACHE_MB.")
    explainer = open_explainer(settings)
    answers, state = open_answers(explainer)
    told = {"asked": len(requests), "written": 0, "known": 0, "abstained": 0, "failed": 0}
    progress = ProgressLine()
    try:
        for done, request in enumerate(requests, 1):
            try:
                step = next(s for s in answers.steps(request) if s.rationale is not None)
            except RagRationaleError as error:
                told["failed"] += 1
                print(f"rag-rationale: {error}", file=sys.stderr)
            else:
                assert step.rationale is not None
                told["known" if step.cached else "written"] += 1
                told["abstained"] += step.rationale.status == "abstained"
            progress("precompute", done, len(requests))
    finally:
        progress.finish()
        explainer.close()
        state.close()
    print(json.dumps(told))
    return int(told["failed"] > 0)
