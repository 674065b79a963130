"""`python -m rag_rationale.models list | prepare [NAME…] [--all] | verify [NAME…]`, for scripts/setup.

Exit codes: 0 done, 1 the job failed or a check did not hold, 2 wrong use.
"""

from __future__ import annotations

import argparse
import sys
import time

from rag_rationale.config import load_settings
from rag_rationale.errors import RagRationaleError, UsageError
from rag_rationale.models import list_models, load_registry, prepare, verify_models

DEFAULTS = ("gemma-3-270m", "multilingual-e5-small", "en-core-web-sm")


class _Progress:
    """A percentage on standard error, rewritten in place on a terminal and left out elsewhere."""

    def __init__(self, name: str) -> None:
        self.name, self.shown = name, -1

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        percent = 100 * done // total if total else 0
        if sys.stderr.isatty() and percent != self.shown:
            self.shown = percent
            print(f"\r{self.name}: {stage} {percent:3d} %", end="" if percent < 100 else "\n", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m rag_rationale.models")
    parser.add_argument("command", choices=["list", "prepare", "verify"])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--all", action="store_true", help="every known model")
    options = parser.parse_args(arguments)
    names = list(load_registry()) if options.all else options.names or list(DEFAULTS)
    try:
        return {"list": _list, "prepare": _prepare, "verify": _verify}[options.command](names)
    except RagRationaleError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1


def _list(_: list[str]) -> int:
    for row in list_models(folder=load_settings().models):
        state = "prepared" if row.prepared else "not prepared"
        print(f"{row.name}  {row.role}  {'+'.join(row.languages)}  {row.size / 1e6:.0f} MB  {state}")
        print(f"    {row.description}")
        print(f"    licence: {row.licence}{f', text in {row.terms}' if row.terms else ''}")
        if row.notice:
            print(f"    {row.notice}")
    return 0


def _prepare(names: list[str]) -> int:
    for name in names:
        started = time.monotonic()
        place = prepare(name, into=load_settings().models, progress=_Progress(name))
        print(f"{name}: {place} ({time.monotonic() - started:.1f} s)", file=sys.stderr)
    return 0


def _verify(names: list[str]) -> int:
    failed = False
    for check in verify_models(names, folder=load_settings().models):
        print(f"{check.name}: {check.problem or 'every hash holds'}")
        failed |= check.problem is not None
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
