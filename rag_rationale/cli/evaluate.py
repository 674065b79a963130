"""`rag-rationale eval …`: measure what the service writes, compare runs, have sentences read and score that."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from rag_rationale.cli.progress import ProgressLine
from rag_rationale.config import load_settings
from rag_rationale.connect import open_embedder, open_explainer
from rag_rationale.errors import InvalidRequestError
from rag_rationale.evaluation import reading
from rag_rationale.evaluation.citations import FAULTS
from rag_rationale.evaluation.comparing import changes_as_json, changes_as_text, compare
from rag_rationale.evaluation.instruments import INSTRUMENTS, evaluate
from rag_rationale.evaluation.judging import GroundedJudge
from rag_rationale.evaluation.page import as_page, as_sheet
from rag_rationale.evaluation.recommending import evaluate_recommendations, figures_as_json, figures_as_text
from rag_rationale.evaluation.report import Report, as_table, read_report
from rag_rationale.evaluation.running import prepare
from rag_rationale.grounding import Judge
from rag_rationale.index import check_embedder, open_snapshot
from rag_rationale.types import LANGUAGES, Tier


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("eval", help="measure rationales, compare runs, score readings")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    made = actions.add_parser("run", help="measure what is written over one index")
    made.add_argument("index", metavar="NAME")
    made.add_argument("--subjects", type=_positive, default=150, metavar="N", help="users and items asked about (150)")
    made.add_argument("--seed", type=int, default=0, metavar="N", help="of every random choice (0)")
    made.add_argument("--instruments", metavar="A,B", help=f"of {', '.join(INSTRUMENTS)} (all)")
    made.add_argument("--no-counterpart", action="store_true", help="leave the naive baseline out")
    made.add_argument("--template", default="default", metavar="T")
    made.add_argument("--judge", metavar="EMBEDDER", help="judges closeness, instead of the default for the language")
    made.add_argument("--wice", type=Path, metavar="FILE", help="labelled claims of WiCE, for the verifier")
    made.add_argument(
        "--tier",
        choices=["lexical", "embedding", "likelihood"],
        default="embedding",
        help="the last tier asked whether a sentence is supported (embedding)",
    )
    made.add_argument("--out", type=Path, metavar="FOLDER", help="for reports and what is remembered (eval-NAME)")
    made.add_argument(
        "--strict", action="store_true", help="exit 1 when any target is missed, not a structural one only"
    )
    made.set_defaults(run=_run)
    found = actions.add_parser("recommendations", help="recommended items on a temporal split, beside popularity")
    found.add_argument("index", metavar="NAME")
    found.add_argument(
        "--diversity", type=float, nargs="+", default=[0, 0.3, 0.6, 0.9], metavar="D", help="0 to 1 each"
    )
    found.add_argument("--popularity", type=float, metavar="P", help="0 to 1 (what is best on an earlier split)")
    found.add_argument("--users", type=_positive, default=1000, metavar="N", help="users asked about at most (1000)")
    found.add_argument("--seed", type=int, default=0, metavar="N")
    found.add_argument("--json", action="store_true")
    found.set_defaults(run=_recommendations)
    both = actions.add_parser("compare", help="what changed between two runs, pair by pair")
    both.add_argument("before", type=Path, metavar="A")
    both.add_argument("after", type=Path, metavar="B")
    both.add_argument("--json", action="store_true")
    both.add_argument("--anyway", action="store_true", help="also where indexes or cases differ")
    both.set_defaults(run=_compare)
    drawn = actions.add_parser("sample", help="draw sentences for people to read, a tenth of them made false")
    drawn.add_argument("run_folder", type=Path, metavar="FOLDER", help="of `eval run`")
    drawn.add_argument("--n", type=_positive, default=300, metavar="N", help="sentences (300)")
    drawn.add_argument("--seed", type=int, default=0, metavar="N")
    drawn.add_argument("--language", choices=LANGUAGES, help="of one language only")
    drawn.add_argument(
        "--out", type=Path, required=True, metavar="SHEET", help="a .html to read and label, or a .jsonl"
    )
    drawn.add_argument("--key", type=Path, required=True, metavar="FILE", help="what is planted: keep it from readers")
    drawn.set_defaults(run=_sample)
    scored = actions.add_parser("score", help="rates, sensitivity and agreement out of one or two readers' labels")
    scored.add_argument("labels", type=Path, nargs="+", metavar="LABELS")
    scored.add_argument("key", type=Path, metavar="KEY")
    scored.add_argument("--json", action="store_true")
    scored.set_defaults(run=_score)


def _run(options: argparse.Namespace) -> int:
    names = [n.strip() for n in options.instruments.split(",")] if options.instruments else list(INSTRUMENTS)
    if options.no_counterpart:
        names = [n for n in names if n != "counterpart"]
    settings = load_settings()
    folder = options.out or Path(f"eval-{options.index}")
    closeness = open_embedder(settings.model_copy(update={"embedder": options.judge})) if options.judge else None
    explainer = open_explainer(settings)
    progress = ProgressLine()
    try:
        material = prepare(
            explainer,
            options.index,
            n=options.subjects,
            seed=options.seed,
            folder=folder / "remembered",
            template=options.template,
            embedder=closeness,
            progress=progress,
        )
        if not material.subjects:
            raise InvalidRequestError(
                f"No user of index '{options.index}' reviewed two items.",
                remedy="Evaluation needs users with a history.",
            )
        command = shlex.join(["rag-rationale", *sys.argv[1:]])
        tier: Tier = options.tier
        judge = GroundedJudge(Judge(embedder=material.indexer, engine=explainer.engine), material.snapshot, last=tier)
        report = evaluate(
            material,
            judge,
            folder=folder / "remembered",
            wice=options.wice,
            instruments=names,
            told={"command": command},
        )
    finally:
        progress.finish()
        explainer.close()
    _write(report, folder)
    print(as_table(report))
    print(f"{folder / 'report.html'}", file=sys.stderr)
    missed = [m for m in report.measures if m.met is False]
    return int(any(options.strict or m.name.startswith(FAULTS) for m in missed))


def _write(report: Report, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    told = json.dumps(report.as_json(), ensure_ascii=False, indent=1, allow_nan=False)
    (folder / "report.json").write_text(told + "\n", "utf-8")
    (folder / "report.html").write_text(as_page(report), "utf-8")
    with (folder / "replies.jsonl").open("w", encoding="utf-8") as file:
        for written in report.written:
            file.write(json.dumps(written.as_json(), ensure_ascii=False) + "\n")


def _recommendations(options: argparse.Namespace) -> int:
    if not all(0 <= each <= 1 for each in (*options.diversity, options.popularity or 0.0)):
        raise InvalidRequestError(
            f"Diversity {options.diversity} and popularity {options.popularity} are not all between 0 and 1.",
            remedy="0 ranks by fit alone, and by what items say alone.",
        )
    settings = load_settings()
    embedder = open_embedder(settings)
    snapshot = open_snapshot(settings.indexes, options.index)
    try:
        check_embedder(snapshot.manifest, embedder)
        figures, told = evaluate_recommendations(
            snapshot,
            embedder,
            diversities=options.diversity,
            users=options.users,
            seed=options.seed,
            popularity_share=options.popularity,
        )
    finally:
        snapshot.close()
    if told["users"] == 0:
        raise InvalidRequestError(
            f"No user of index '{options.index}' liked something new after the split.",
            remedy="Recommendations are measured on reviews or events with times.",
        )
    made = figures_as_json(figures, told)
    print(json.dumps(made, ensure_ascii=False, allow_nan=False) if options.json else figures_as_text(figures, told))
    return 0


def _compare(options: argparse.Namespace) -> int:
    before, after = read_report(options.before), read_report(options.after)
    changes = compare(before, after, anyway=options.anyway)
    if options.json:
        print(json.dumps(changes_as_json(changes), ensure_ascii=False))
    else:
        print(changes_as_text(changes, before, after))
    return 0


def _sample(options: argparse.Namespace) -> int:
    claims = reading.served_claims(options.run_folder, language=options.language)
    if not claims:
        raise InvalidRequestError(
            f"{options.run_folder} holds no such sentence.", remedy="Give a folder of `eval run`."
        )
    sheet, key = reading.draw_sample(claims, n=options.n, seed=options.seed)
    written = as_sheet(sheet) if options.out.suffix == ".html" else reading.as_jsonl(sheet)
    options.out.write_text(written, "utf-8")
    options.key.write_text(json.dumps(key, ensure_ascii=False, indent=1) + "\n", "utf-8")
    planted = sum(told["planted"] is not None for told in key["sentences"].values())
    print(f"{options.out}: {len(sheet)} sentences, {planted} of them planted; key in {options.key}")
    return 0


def _score(options: argparse.Namespace) -> int:
    labels = [reading.read_labels(path) for path in options.labels]
    report = Report({}, (reading.score(labels, reading.read_key(options.key)),))
    print(json.dumps(report.as_json(), ensure_ascii=False) if options.json else as_table(report))
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {text}")
    return number
