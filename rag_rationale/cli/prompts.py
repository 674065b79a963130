"""`rag-rationale prompts …`: what needs no model: list, show, begin, lint, render, label the templates."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import resources
from typing import Any

from rag_rationale.cli import bench
from rag_rationale.config import load_settings
from rag_rationale.errors import InvalidRequestError
from rag_rationale.prompting import Template, TemplateStore
from rag_rationale.service.opening import open_analysers
from rag_rationale.types import LANGUAGES
from rag_rationale.workshop.beginning import begin
from rag_rationale.workshop.beside import as_lines
from rag_rationale.workshop.filling import drafts
from rag_rationale.workshop.linting import Fault, lint, lint_balance, searchable

_TITLE, _OWN = "The Harbour Clock", "The captions were easy to read."


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("prompts", help="edit, check, try and ship the templates")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("list", help="every template with its version and labels").set_defaults(run=_list)
    show = actions.add_parser("show", help="all that a template says, with what it takes from others")
    _named(show)
    show.set_defaults(run=_show)
    new = actions.add_parser("new", help="begin a template, or the next version of one, as a short valid file")
    new.add_argument("name", metavar="NAME")
    new.add_argument("--extend", default="default", metavar="T", help="the template it starts from (default)")
    new.set_defaults(run=_new)
    linted = actions.add_parser("lint", help="find what is wrong before anybody is served with it")
    linted.add_argument("names", nargs="*", metavar="NAME", help="(all)")
    linted.set_defaults(run=_lint)
    rendered = actions.add_parser("render", help="the text that the model reads, and every frame with sample words")
    _named(rendered)
    rendered.add_argument("--title", default=_TITLE, help="title of the item")
    rendered.add_argument("--own", default=_OWN, help="words of the user, '' for none")
    rendered.add_argument("--frames", type=int, default=2, metavar="N", help="samples of each frame, 20 at most (2)")
    rendered.set_defaults(run=_render)
    promoted = actions.add_parser("promote", help="let a label mean a version, or split it: `promote travel 1=90 2=10`")
    promoted.add_argument("name", metavar="NAME")
    promoted.add_argument("versions", nargs="+", metavar="N[=WEIGHT]")
    promoted.add_argument("--label", default="production", metavar="L")
    promoted.set_defaults(run=_promote)
    back = actions.add_parser("rollback", help="let a label mean what it meant before the last promotion")
    back.add_argument("name", metavar="NAME")
    back.add_argument("--label", default="production", metavar="L")
    back.set_defaults(run=_rollback)
    bench.add_actions(actions)


def _named(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("template", metavar="T", help="name, name@v2, name@hash or name:label")
    parser.add_argument("--language", choices=LANGUAGES, help="(both)")


def _store(*, tolerant: bool = False) -> TemplateStore:
    settings = load_settings()
    return TemplateStore(settings.prompts, state=settings.state, tolerant=tolerant)


def _chosen(options: argparse.Namespace) -> list[Template]:
    store = _store()
    languages = [options.language] if options.language else store.languages_of(options.template)
    return [store.get(options.template, language=language) for language in languages]


def _list(_: argparse.Namespace) -> int:
    store = _store(tolerant=True)
    for template in store.all():
        labels = [
            label if len(weights) == 1 else f"{label} {weights[template.number] / sum(weights.values()):.0%}"
            for label, weights in sorted(store.labels(template.name).items())
            if template.number in weights
        ]
        about = f"{template.language} v{template.number}  {len(template.frames)} frames"
        print(f"{template.label}  {about}  [{', '.join(labels)}]  {template.meta.description}")
    for fault in store.faults:
        print(fault, file=sys.stderr)
    return int(bool(store.faults))


def _show(options: argparse.Namespace) -> int:
    for template in _chosen(options):
        print(f"# {template.label} {template.language} v{template.number}", *as_lines(template), "", sep="\n")
    return 0


def _new(options: argparse.Namespace) -> int:
    written = begin(options.name, _store(), base=options.extend)
    number = written[0].name.split(".")[1].removeprefix("v")
    print(*written, sep="\n")
    print(f"edit these, then: rag-rationale prompts lint {options.name}", file=sys.stderr)
    print(f"to serve them:    rag-rationale prompts promote {options.name} {number}", file=sys.stderr)
    return 0


def _lint(options: argparse.Namespace) -> int:
    """0 where there is no error; warnings alone are no failure."""
    settings, store = load_settings(), _store(tolerant=True)
    names = options.names or sorted({t.name for t in store.all()})
    broken = [str(f) for f in store.faults if not options.names or any(f"/{n}/" in f.path for n in names)]
    analysers, found = open_analysers(settings), list[Fault]()
    for name in names:
        templates = [t for t in store.all() if t.name == name]
        if not templates and not broken:
            raise InvalidRequestError(f"There is no template '{name}'.", remedy="`rag-rationale prompts list`")
        for template in templates:
            texts = searchable(_sample_texts(), template.language)
            found += lint(template, analysers, context=settings.context, known_texts=texts)
        found += lint_balance(templates)
    print(*broken, *found, sep="\n" if broken or found else "")
    errors = len(broken) + sum(f.severity == "error" for f in found)
    print(f"{errors} errors, {len(found) + len(broken) - errors} warnings", file=sys.stderr)
    return int(errors > 0)


def _sample_texts() -> list[str]:
    """The texts of the bundled catalogue."""
    texts = []
    for name, fields in (("items", ("title", "description")), ("reviews", ("title", "text"))):
        file = resources.files("rag_rationale").joinpath("sample", f"{name}.jsonl")
        for line in file.read_text("utf-8").splitlines():
            texts += [value for field in fields if (value := json.loads(line).get(field))]
    return texts


def _render(options: argparse.Namespace) -> int:
    for template in _chosen(options):
        print(f"# {template.label} {template.language}", template.prompt(title=options.title, own=options.own or None))
        for frame in template.frames:
            print(f"\n{frame.kind} {frame.id}:")
            print(*(f"  {draft.words}" for draft in drafts(frame, template)[: options.frames]), sep="\n")
        print()
    return 0


def _promote(options: argparse.Namespace) -> int:
    store = _store()
    store.promote(options.name, dict(_weight(v) for v in options.versions), label=options.label)
    return _told(store, options)


def _rollback(options: argparse.Namespace) -> int:
    store = _store()
    store.rollback(options.name, label=options.label)
    return _told(store, options)


def _told(store: TemplateStore, options: argparse.Namespace) -> int:
    weights = store.labels(options.name).get(options.label, {})
    shares = ", ".join(f"v{n} ({w / sum(weights.values()):.0%})" for n, w in sorted(weights.items()))
    print(f"{options.name}:{options.label} is {shares or 'gone'}")
    return 0


def _weight(text: str) -> tuple[int, float]:
    number, _, weight = text.removeprefix("v").partition("=")
    try:
        made = int(number), float(weight or 1)
    except ValueError as error:
        raise InvalidRequestError(f"{text!r} is no version.", remedy="Give `2`, or `1=90 2=10`.") from error
    if not 0 < made[1] < float("inf"):
        raise InvalidRequestError(f"{text!r} has no weight above 0.", remedy="Leave the version out.")
    return made
