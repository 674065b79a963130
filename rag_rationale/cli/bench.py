"""The actions of `rag-rationale prompts` that write: try, test, compare, and the outputs of diff."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rag_rationale.cli.progress import ProgressLine
from rag_rationale.cli.show import as_text
from rag_rationale.config import load_settings
from rag_rationale.connect import open_explainer
from rag_rationale.errors import InvalidRequestError
from rag_rationale.evaluation.comparing import changes_as_json, changes_as_text, compare
from rag_rationale.evaluation.instruments import INSTRUMENTS, evaluate
from rag_rationale.evaluation.judging import GroundedJudge
from rag_rationale.evaluation.running import prepare
from rag_rationale.grounding import Judge
from rag_rationale.prompting import TemplateStore
from rag_rationale.types import LANGUAGES, RationaleRequest
from rag_rationale.workshop.beside import as_lines, beside, most_changed, side_by_side
from rag_rationale.workshop.checking import run_tests
from rag_rationale.workshop.trying import try_out

COMPARED = ("citations", "references", "variety")
_SHOWN = 3  # cases that a comparison shows whole


def add_actions(actions: Any) -> None:
    tried = actions.add_parser("try", help="one case: plans, what the model is asked, candidates, verdicts, choice")
    tried.add_argument("template", metavar="T")
    _case(tried, required=True)
    tried.set_defaults(run=_try)
    tested = actions.add_parser("test", help="run the tests of the front matter; exit 1 where one fails")
    tested.add_argument("names", nargs="*", metavar="NAME", help="(all that have tests)")
    tested.add_argument("--index", default="sample", metavar="I", help="that the tests are run over (sample)")
    tested.set_defaults(run=_test)
    differ = actions.add_parser("diff", help="two templates side by side, and what they write of a case")
    differ.add_argument("left", metavar="A")
    differ.add_argument("right", metavar="B")
    _case(differ, required=False)
    differ.set_defaults(run=_diff)
    compared = actions.add_parser("compare", help="two templates over many cases: paired differences with intervals")
    compared.add_argument("left", metavar="A")
    compared.add_argument("right", metavar="B")
    compared.add_argument("--index", default="sample", metavar="I", help="(sample)")
    compared.add_argument("--cases", type=int, default=40, metavar="N", help="users and items asked about (40)")
    compared.add_argument("--seed", type=int, default=0, metavar="N")
    compared.add_argument(
        "--instruments", default=",".join(COMPARED), metavar="X,Y", help=f"of {', '.join(INSTRUMENTS)}"
    )
    compared.add_argument("--out", type=Path, default=Path("prompts-compare"), help="keeps the replies, to go on with")
    compared.add_argument("--json", action="store_true")
    compared.set_defaults(run=_compare)


def _case(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument("--index", default="sample", metavar="I", help="(sample)")
    parser.add_argument("--item", required=required, metavar="I", help="item id")
    parser.add_argument("--user", metavar="U", help="user id; left out for an unknown user")
    parser.add_argument("--query", metavar="TEXT", help="a question that the rationale should answer")
    parser.add_argument("--language", choices=["auto", *LANGUAGES], default="auto")
    parser.add_argument("--seed", type=int, default=0, metavar="N")


def _request(options: argparse.Namespace, template: str) -> RationaleRequest:
    body = {key: getattr(options, key) for key in ("index", "query", "language", "seed")}
    body |= {"item": {"id": options.item}, "user": {"id": options.user}, "template": template}
    try:
        return RationaleRequest.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidRequestError(f"`{place}`: {first['msg']}.", remedy="Correct the arguments.") from error


def _try(options: argparse.Namespace) -> int:
    request = _request(options, options.template)
    explainer = open_explainer(load_settings())
    try:
        reply, said = try_out(explainer, request)
    finally:
        explainer.close()
    print(*said, "", f"{reply.provenance.template}, {reply.language}:", as_text(reply), sep="\n")
    return 0


def _test(options: argparse.Namespace) -> int:
    settings = load_settings()
    store = TemplateStore(settings.prompts, state=settings.state)
    known = {t.name for t in store.all()}
    if unknown := set(options.names) - known:
        raise InvalidRequestError(f"There is no template '{min(unknown)}'.", remedy=f"There are: {', '.join(known)}.")
    chosen = [t for t in store.all() if t.meta.tests and (not options.names or t.name in options.names)]
    explainer = open_explainer(settings)
    failed = run = 0
    try:
        for template in chosen:
            for outcome in run_tests(template, explainer.explain, index=options.index):
                run, failed = run + 1, failed + bool(outcome.failures)
                mark = "FAIL" if outcome.failures else "ok  "
                print(f"{mark} {template.name}/{template.language}.v{template.number}: {outcome.test}", flush=True)
                print(*(f"       {told}" for told in outcome.failures), sep="\n", end="\n" if outcome.failures else "")
                if outcome.failures:
                    print(f"       {outcome.text}")
    finally:
        explainer.close()
    print(f"{run} tests, {failed} failed", file=sys.stderr)
    return int(failed > 0)


def _diff(options: argparse.Namespace) -> int:
    settings = load_settings()
    store = TemplateStore(settings.prompts, state=settings.state)
    width = _width()
    shared = [lang for lang in store.languages_of(options.left) if lang in store.languages_of(options.right)]
    wanted = [options.language] if options.language != "auto" else shared
    for language in wanted:
        left, right = (store.get(spec, language=language) for spec in (options.left, options.right))
        print(*beside(f"{left.label} {language}", f"{right.label} {language}", width=width), sep="\n")
        print("-" * width, *side_by_side(as_lines(left), as_lines(right), width=width), "", sep="\n")
    if options.item is None:
        return 0
    explainer = open_explainer(settings)
    try:
        replies = [explainer.explain(_request(options, spec)) for spec in (options.left, options.right)]
    finally:
        explainer.close()
    print(*beside(*(r.rationale or f"(no rationale: {r.reason})" for r in replies), width=width), sep="\n")
    return 0


def _compare(options: argparse.Namespace) -> int:
    explainer, progress, runs = open_explainer(load_settings()), ProgressLine(), []
    names = [name.strip() for name in options.instruments.split(",")]
    try:
        for spec in (options.left, options.right):
            material = prepare(
                explainer,
                options.index,
                n=options.cases,
                seed=options.seed,
                folder=options.out,
                template=spec,
                progress=progress,
            )
            if not material.subjects:
                raise InvalidRequestError(
                    f"No user of index '{options.index}' reviewed two items.", remedy="Name another index."
                )
            judge = GroundedJudge(Judge(embedder=material.indexer), material.snapshot, last="embedding")
            runs.append(evaluate(material, judge, folder=options.out, instruments=names).as_json())
    finally:
        progress.finish()
        explainer.close()
    changes = compare(*runs, seed=options.seed)
    if options.json:
        print(json.dumps(changes_as_json(changes), ensure_ascii=False))
    else:
        print(f"- {runs[0]['provenance']['template']}\n+ {runs[1]['provenance']['template']}")
        print(changes_as_text(changes, *runs))
        before, after = ({case: str(kept["text"]) for case, kept in run["texts"].items()} for run in runs)
        changed = most_changed(before, after)
        print(f"\n{len(changed)} of {len(before)} texts changed; those with least in common:")
        for case, old, new in changed[:_SHOWN]:
            print("", case, *beside(old, new, width=_width()), sep="\n")
    return 0


def _width() -> int:
    return shutil.get_terminal_size((160, 24)).columns
