"""`rag-rationale models …`: which models are known, under what terms, prepared and whole."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from rag_rationale.cli.progress import ProgressLine
from rag_rationale.config import load_settings
from rag_rationale.models import list_models, load_registry, prepare, verify_models

DEFAULTS = ("gemma-3-270m-en-zh", "multilingual-e5-small", "en-core-web-sm")


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("models", help="list, prepare and verify models")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("list", help="every known model, its licence and state").set_defaults(run=_list)
    for name, run, text in (
        ("prepare", _prepare, "make models ready from their installed packages (default: the three the defaults need)"),
        ("verify", _verify, "check every hash of prepared models (default: those that are prepared)"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("names", nargs="*", metavar="NAME")
        action.add_argument("--all", action="store_true", help="every known model")
        action.set_defaults(run=run)


def _list(_: argparse.Namespace) -> int:
    for row in list_models(folder=load_settings().models):
        state = "prepared" if row.prepared else "not prepared"
        print(f"{row.name}  {row.role}  {'+'.join(row.languages)}  {row.size / 1e6:.0f} MB  {state}")
        print(f"    {row.description}")
        print(f"    licence: {row.licence}{f', text in {row.terms}' if row.terms else ''}")
        if row.notice:
            print(f"    {row.notice}")
    return 0


def _prepare(options: argparse.Namespace) -> int:
    names = list(load_registry()) if options.all else options.names or list(DEFAULTS)
    for name in names:
        started = time.monotonic()
        progress = ProgressLine()
        place = prepare(name, into=load_settings().models, progress=progress)
        progress.finish()
        print(f"{name}: {place} ({time.monotonic() - started:.1f} s)", file=sys.stderr)
    return 0


def _verify(options: argparse.Namespace) -> int:
    folder = load_settings().models
    prepared = [row.name for row in list_models(folder=folder) if row.prepared]
    names = list(load_registry()) if options.all else options.names or prepared
    failed = False
    for check in verify_models(names, folder=folder):
        print(f"{check.name}: {check.problem or 'every hash holds'}")
        failed |= check.problem is not None
    return int(failed)
