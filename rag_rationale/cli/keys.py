"""`rag-rationale keys …`: the API keys of the service."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from typing import Any, get_args

from rag_rationale.api import Keys, Scope
from rag_rationale.api.guarding import Rates
from rag_rationale.config import load_settings


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("keys", help="make, list and revoke API keys")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    made = actions.add_parser("new", help="make a key and print it, once")
    made.add_argument("name", metavar="NAME", help="whose it is")
    made.add_argument(
        "--scope", choices=get_args(Scope), default="read", help="admin may also reload, erase and see all"
    )
    made.add_argument(
        "--rate", metavar="RATE", help='instead of RAG_RATIONALE_RATE, such as "100/minute"; "": no limit'
    )
    made.set_defaults(run=_new)
    actions.add_parser("list", help="ids, names and scopes").set_defaults(run=_list)
    gone = actions.add_parser("revoke", help="take a key out; it stops counting within a second")
    gone.add_argument("id", metavar="ID")
    gone.set_defaults(run=_revoke)


def _new(options: argparse.Namespace) -> int:
    if options.rate:
        Rates(options.rate)  # SettingsError where it is none
    print(_keys().create(options.name, options.scope, rate=options.rate))
    print("It is not kept and cannot be shown again.", file=sys.stderr)
    return 0


def _list(options: argparse.Namespace) -> int:
    del options
    for key in _keys().all():
        made = datetime.fromtimestamp(key.created, UTC).date()
        print(f"{key.id}  {key.scope:5}  {made}  {key.rate or '-':12}  {key.name}")
    return 0


def _revoke(options: argparse.Namespace) -> int:
    print(f"{_keys().revoke(options.id).name}: revoked")
    return 0


def _keys() -> Keys:
    return Keys(load_settings().state)
