"""`rag-rationale index …`: build, list, inspect and switch snapshots."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rag_rationale.building import BuildReport, build, compact_index, forget_users, purge
from rag_rationale.cli.progress import ProgressLine
from rag_rationale.config import load_settings
from rag_rationale.connect import open_embedder
from rag_rationale.corpus import read_columns, ready_maps
from rag_rationale.index import (
    Forgotten,
    collect_garbage,
    describe_versions,
    diff,
    index_root,
    list_indexes,
    open_snapshot,
    promote,
    rollback,
)
from rag_rationale.index import verify as verify_index
from rag_rationale.service import purge_answers

_SHOWN_FAULTS = 5
_BUILD_NOTES = """exit codes: 0 built (and active, unless --no-promote); 1 it failed, or was written but not promoted
because it shrank by over 20 % or does not find its own items; 2 wrong use. Only 0 changes what readers see.

rows that are not taken as they are (each counted in the report, and shown with file, line, field and reason):
  a second row with one id          the first is kept
  a review or event of no item      skipped as an orphan
  a review without a user           kept; nobody's history
  a rating out of 1 to 5            the row is skipped as bad
  bytes that are not UTF-8          become U+FFFD
  a text over 100,000 characters    cut behind its last sentence before that
  a review without a word           kept as a rating event
a row of over 64 MB, of no JSON or of wrong types is skipped as bad; --strict stops at the first bad row."""


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("index", help="build, list, inspect and switch indexes")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    made = actions.add_parser(
        "build",
        help="build a new version from catalogue files",
        epilog=_BUILD_NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("name", metavar="NAME")
    made.add_argument("--items", type=Path, required=True, metavar="FILE", help="a file or folder")
    made.add_argument("--reviews", type=Path, required=True, metavar="FILE")
    made.add_argument("--events", type=Path, metavar="FILE")
    made.add_argument("--users", type=Path, metavar="FILE")
    made.add_argument(
        "--columns", metavar="MAP", help=f"what the files call their columns: a YAML file, or {', '.join(ready_maps())}"
    )
    made.add_argument("--embedder", metavar="MODEL", help="instead of RAG_RATIONALE_EMBEDDER")
    made.add_argument("--no-promote", action="store_true", help="leave the current version active")
    made.add_argument("--strict", action="store_true", help="stop at the first bad row")
    made.add_argument(
        "--forget-user", action="append", default=[], metavar="USER", help="leave a user out, now and in later builds"
    )
    made.add_argument("--quiet", action="store_true", help="no progress, one summary line")
    made.add_argument("--json", action="store_true", help="print the report as one line of JSON instead of the summary")
    made.set_defaults(run=_build)
    for name, run, text in (
        ("info", _info, "what the current version holds"),
        ("list", _list, "the versions of an index, or all indexes"),
        ("verify", _verify, "check every hash of a version"),
        ("promote", _promote, "make a version the current one"),
        ("rollback", _rollback, "go back to the version before"),
        ("diff", _diff, "what two versions do not share"),
        ("gc", _gc, "delete old versions"),
        ("forget", _forget, "make a version without some users, who stay out of later builds"),
        ("compact", _compact, "write the current version's segments as one"),
        (
            "purge",
            _purge,
            "delete all other versions, bytes of what is gone, and what cache and log hold of them",
        ),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("name", metavar="NAME", nargs="?" if name == "list" else None)
        if name in {"info", "verify"}:
            action.add_argument("--version", metavar="VERSION")
        if name == "promote":
            action.add_argument("version", metavar="VERSION")
        if name == "diff":
            action.add_argument("old", metavar="OLD")
            action.add_argument("new", metavar="NEW")
        if name == "gc":
            action.add_argument("--keep", type=int, default=3, help="versions before the current one to keep")
        if name == "forget":
            action.add_argument("--user", action="append", required=True, metavar="USER")
        action.set_defaults(run=run)


def _build(options: argparse.Namespace) -> int:
    settings = load_settings(embedder=options.embedder)
    progress = ProgressLine(quiet=options.quiet or options.json)
    report = build(
        options.name,
        items=options.items,
        reviews=options.reviews,
        events=options.events,
        users=options.users,
        columns=read_columns(options.columns) if options.columns else None,
        embedder=open_embedder(settings, bulk=True),
        folder=settings.indexes,
        promote=not options.no_promote,
        strict=options.strict,
        forget=options.forget_user,
        progress=progress,
    )
    progress.finish()
    if options.json:
        print(json.dumps(report.summary(), ensure_ascii=False))
        return 0
    if not options.quiet:
        _report_faults(report)
    counts = ", ".join(f"{count:,} {what}" for what, count in report.counts.items())
    state = "active" if report.promoted else "not promoted"
    print(f"{report.name}@{report.version} ({state}): {counts}; {sum(report.seconds.values()):.1f} s")
    return 0


def _report_faults(report: BuildReport) -> None:
    for name, of_file in report.files.items():
        row: dict[str, Any] = dict(of_file.as_json())
        problems = {key: value for key, value in row.items() if key not in {"path", "read", "good", "shown"} and value}
        if problems:
            print(f"{name}: {json.dumps(problems, ensure_ascii=False, default=str)}", file=sys.stderr)
    if report.quarantined:
        told = ", ".join(f"{count} {reason}" for reason, count in report.quarantined.most_common())
        print(f"quarantined passages: {told}", file=sys.stderr)


def _info(options: argparse.Namespace) -> int:
    snapshot = open_snapshot(load_settings().indexes, options.name, version=options.version)
    manifest = snapshot.manifest
    snapshot.close()
    print(f"{manifest.label}, made {manifest.created}")
    print(f"embedder  {manifest.embedder} ({manifest.dimension} dimensions)")
    print(f"holds     {', '.join(f'{count:,} {what}' for what, count in manifest.counts.items())}")
    print(f"languages {', '.join(f'{count:,} {lang}' for lang, count in manifest.languages.items())}")
    print(f"segments  {len(manifest.segments)}; FAISS {', '.join(f'{k}: {v}' for k, v in manifest.faiss.items())}")
    print(f"report    {json.dumps(manifest.report, ensure_ascii=False)}")
    return 0


def _list(options: argparse.Namespace) -> int:
    folder = load_settings().indexes
    for name in [options.name] if options.name else list_indexes(folder):
        for version in describe_versions(folder, name):
            mark = "*" if version.current else " "
            manifest = version.manifest
            print(f"{mark} {manifest.label}  {version.bytes / 1e6:,.1f} MB  {manifest.counts}  {manifest.embedder}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    folder = load_settings().indexes
    manifest = verify_index(folder, options.name, version=options.version)
    Forgotten(index_root(folder, options.name))  # raises where the list is damaged
    print(f"{manifest.label}: {len(manifest.files)} files, every hash holds")
    return 0


def _promote(options: argparse.Namespace) -> int:
    print(f"{promote(load_settings().indexes, options.name, options.version).label} is current")
    return 0


def _rollback(options: argparse.Namespace) -> int:
    print(f"{rollback(load_settings().indexes, options.name).label} is current")
    return 0


def _diff(options: argparse.Namespace) -> int:
    print(json.dumps(diff(load_settings().indexes, options.name, options.old, options.new), indent=2))
    return 0


def _gc(options: argparse.Namespace) -> int:
    for deleted in collect_garbage(load_settings().indexes, options.name, keep=options.keep):
        print(f"deleted {deleted}")
    return 0


def _forget(options: argparse.Namespace) -> int:
    made = forget_users(options.name, options.user, folder=load_settings().indexes)
    print(f"{made.label} is current; older versions hold them until `rag-rationale index purge {options.name}`")
    return 0


def _compact(options: argparse.Namespace) -> int:
    print(f"{compact_index(options.name, folder=load_settings().indexes).label} is current")
    return 0


def _purge(options: argparse.Namespace) -> int:
    settings = load_settings()
    for deleted in purge(options.name, folder=settings.indexes):
        print(f"deleted {deleted}")
    current = open_snapshot(settings.indexes, options.name)
    current.close()
    replies, rows = purge_answers(settings, options.name, keep=current.manifest.label)
    print(f"deleted {replies:,} cached rationales and {rows:,} rows of the log that rested on other versions")
    return 0
