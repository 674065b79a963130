"""`rag-rationale explain NAME …`: one rationale for a person, or a file of requests for a program."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rag_rationale.cli.show import as_text
from rag_rationale.config import load_settings
from rag_rationale.connect import open_explainer
from rag_rationale.errors import InvalidRequestError
from rag_rationale.types import RationaleRequest


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("explain", help="explain one recommendation, or a file of them")
    parser.add_argument("index", metavar="NAME")
    parser.add_argument("--user", metavar="U", help="user id; left out for an unknown user")
    parser.add_argument("--item", metavar="I", help="item id")
    parser.add_argument("--query", metavar="TEXT", help="a question or topic that the rationale should speak to")
    parser.add_argument("--language", choices=["auto", "en", "zh"])
    parser.add_argument("--template", metavar="T")
    parser.add_argument("--seed", type=int, metavar="N")
    parser.add_argument(
        "--requests", type=Path, metavar="FILE", help="one request body per line, `-` for standard input"
    )
    parser.add_argument("--json", action="store_true", help="the whole reply, one JSON object per line")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    requests = list(_from_options_file(options) if options.requests else [_from_options(options)])
    explainer = open_explainer(load_settings())
    try:
        for request in requests:
            reply = explainer.explain(request)
            print(reply.model_dump_json() if options.json else as_text(reply), flush=True)
    finally:
        explainer.close()
    return 0


def _from_options(options: argparse.Namespace) -> RationaleRequest:
    if options.item is None:
        raise InvalidRequestError("Nothing to explain.", remedy="Give --item I (and --user U), or --requests FILE.")
    body: dict[str, Any] = {
        "index": options.index,
        "item": {"id": options.item},
        "user": {"id": options.user},
        "query": options.query,
        "language": options.language,
        "template": options.template,
        "seed": options.seed,
    }
    return _request({key: value for key, value in body.items() if value is not None}, "the command line")


def _from_options_file(options: argparse.Namespace) -> Iterator[RationaleRequest]:
    if options.item or options.user:
        raise InvalidRequestError("--requests stands instead of --item and --user.", remedy="Leave them out.")
    return requests_of(options.requests, options.index)


def requests_of(path: Path, index: str) -> Iterator[RationaleRequest]:
    """The requests of a file, `-` being standard input, one body per line, all about `index`.

    InvalidRequestError with file and line for what is none. Every line is checked before the first is answered, where
    the caller makes a list of them, so that a wrong file costs no time.
    """
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"Cannot read {path}: {error}.", remedy="Give a UTF-8 file.") from error
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            body = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise InvalidRequestError(f"{where}: not JSON: {error}.", remedy="One request body per line.") from error
        if not isinstance(body, dict):
            raise InvalidRequestError(f"{where}: expected a JSON object.", remedy="One request body per line.")
        if body.setdefault("index", index) != index:
            raise InvalidRequestError(
                f"{where}: names index {body['index']!r}, the command names {index!r}.",
                remedy="Leave `index` out of the lines, or run one command per index.",
            )
        yield _request(body, where)


def _request(body: dict[str, Any], where: str) -> RationaleRequest:
    try:
        return RationaleRequest.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidRequestError(f"{where}: `{place}`: {first['msg']}.", remedy="Correct the request.") from error
