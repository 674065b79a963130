"""`rag-rationale serve`: the HTTP service."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from typing import Any

from rag_rationale.api import Keys, bind, serve, telemetry
from rag_rationale.api.guarding import Rates
from rag_rationale.config import load_settings
from rag_rationale.connect import open_explainer
from rag_rationale.service import open_answers


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("serve", help="run the HTTP service")
    parser.add_argument("--host", help="instead of RAG_RATIONALE_HOST")
    parser.add_argument("--port", type=int, help="instead of RAG_RATIONALE_PORT")
    parser.set_defaults(run=_serve)


def _serve(options: argparse.Namespace) -> int:
    settings = load_settings(host=options.host, port=options.port)
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(name)s %(message)s")
    _log_requests_as_lines()
    telemetry.export_spans()
    keys = Keys(settings.state)
    Rates(settings.rate)
    bound = bind(settings, keys)  # what cannot be served so is refused before a model is loaded
    explainer = open_explainer(settings)
    answers, state = open_answers(explainer)
    # For the time after the server has drained, when it would else end the process where it stands. Not before: while
    # a model loads the interpreter may be in a callback of native code, which swallows what a handler raises.
    signal.signal(signal.SIGTERM, _stop)
    try:
        serve(explainer, bound, answers=answers, keys=keys)
    finally:
        explainer.close()
        state.close()
    return 0


def _log_requests_as_lines() -> None:
    """Requests are JSON, a line each, with nothing before it."""
    lines = logging.StreamHandler()
    lines.setFormatter(logging.Formatter("%(message)s"))
    telemetry.REQUESTS.addHandler(lines)
    telemetry.REQUESTS.propagate = False


def _stop(*_: object) -> None:
    sys.exit(0)
