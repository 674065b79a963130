"""`rag-rationale erase USER`: one person out of cache, log, answers and, with `--purge`, every file of the indexes."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from rag_rationale.building import forget_users, purge
from rag_rationale.config import load_settings
from rag_rationale.connect import open_embedder
from rag_rationale.generation import ScriptedEngine
from rag_rationale.index import list_indexes
from rag_rationale.service import Explainer, open_answers


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("erase", help="erase a user from what the service keeps and answers with")
    parser.add_argument("user", metavar="USER", help="the id")
    parser.add_argument(
        "--purge", action="store_true", help="write the indexes without her now, and delete their other versions"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """A running service with the same state folder heeds it with its next request.

    No version of an index gives her back, older ones neither, and no later build takes her in.
    """
    settings = load_settings()
    explainer = Explainer(
        settings=settings, embedder=open_embedder(settings), engine=ScriptedEngine(), analysers={}
    )  # nothing is written, so neither writer nor analysers are needed
    answers, state = open_answers(explainer)
    try:
        gone = answers.erase(options.user)
    finally:
        explainer.close()
        state.close()
    print(json.dumps(asdict(gone)))
    if options.purge:
        for name in list_indexes(settings.indexes):
            forget_users(name, [options.user], folder=settings.indexes)
            purge(name, folder=settings.indexes)
    elif gone.indexes:
        print("On disk she is in these indexes until their next build and `index purge`.", file=sys.stderr)
    return 0
