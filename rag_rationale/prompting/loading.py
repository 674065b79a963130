"""Makes a template from its file, checking everything that a file can get wrong and naming file and line.

A template's version is the hash of all that shapes its texts: merged front matter, body, and what the body includes.
"""

from __future__ import annotations

import hashlib
import json
import re
import traceback
from collections.abc import Callable
from pathlib import Path

import jinja2
import jinja2.meta
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import ValidationError

from rag_rationale.errors import TemplateError
from rag_rationale.prompting.files import Merged, Source, read_merged, read_text, strip_head
from rag_rationale.prompting.frames import read_frame
from rag_rationale.prompting.template import FrontMatter, Template
from rag_rationale.types import Language

BODY_VARIABLES = frozenset(("title", "own", "examples"))
_UNSHAPING = {"description", "domain", "tests"}  # no text depends on them


def load_template(path: Path, *, root: Path) -> Template:
    """Read `prompts/<name>/<lang>.v<N>.prompt`; what it extends and includes is looked up from `root`, the folder.

    Raises TemplateError with file and line for a broken front matter, an undeclared variable, a frame that loses its
    citation or cites what it does not use, a body that does not render.
    """
    named = re.fullmatch(r"(en|zh)\.v(\d+)\.prompt", path.name)
    if named is None:
        raise TemplateError(path, 0, "a template file is named <en|zh>.v<number>.prompt.")
    merged = read_merged(path, root=root)
    meta = _front_matter(merged)
    frames = tuple(read_frame(spec, number, merged) for number, spec in enumerate(meta.frames))
    body = _Body(merged.body, root)
    shaping = meta.model_dump(mode="json", exclude=_UNSHAPING)
    closure = [json.dumps(shaping, ensure_ascii=False, sort_keys=True), *body.closure.values()]
    version = hashlib.sha256("\x00".join(closure).encode()).hexdigest()[:12]
    language: Language = "en" if named[1] == "en" else "zh"
    variables = frozenset(body.variables)
    template = Template(path.parent.name, int(named[2]), version, language, meta, frames, variables, body.compiled)
    body.check(lambda: (template.prompt(title="x", own="x"), template.prompt(title="x", own=None)))
    return template


def _front_matter(merged: Merged) -> FrontMatter:
    try:
        return FrontMatter.model_validate(merged.data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"])
        raise merged.error(first["loc"], f"`{place}`: {first['msg']}.") from error


class _Body:
    """The text that the writer model reads: `closure` holds it and all that it includes, by their names in the folder.

    It is compiled out of the closure alone, so that a file that changes later changes no template made before.
    """

    def __init__(self, source: Source, root: Path) -> None:
        self._source, self._root = source, root
        self.closure: dict[str, str] = {}
        self.variables: set[str] = set()
        self._environment = ImmutableSandboxedEnvironment(
            loader=jinja2.DictLoader(self.closure), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
        )
        name = source.path.relative_to(root).as_posix()
        self._walk(name, source.body, source.body_line)
        self.compiled = self._environment.get_template(name)

    def check(self, render: Callable[[], object]) -> None:
        """Raises TemplateError where the body compiles and does not render, whatever it stumbles over."""
        try:
            render()
        except Exception as error:
            lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename in ("<template>", "")]
            at = (lines[-1] if lines and lines[-1] else 1) + self._source.body_line - 1
            raise TemplateError(self._source.path, at, f"{str(error).rstrip('.')}.") from error

    def _walk(self, name: str, text: str, first: int) -> None:
        """Take in a source text whose first line is line `first` of its file, then what it names."""
        path = self._root / name
        self.closure[name] = text
        try:
            tree = self._environment.parse(text)
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(path, first + error.lineno - 1, f"{error.message}.") from error
        used = jinja2.meta.find_undeclared_variables(tree)
        for unknown in sorted(used - BODY_VARIABLES):
            line = first + _lines_before(rf"\b{re.escape(unknown)}\b", text)
            remedy = f"A prompt may use {', '.join(sorted(BODY_VARIABLES))}."
            raise TemplateError(path, line, f"undeclared variable '{unknown}'.", remedy=remedy)
        self.variables |= used
        for other in jinja2.meta.find_referenced_templates(tree):
            if other is None or ".." in other or not (self._root / other).is_file():
                line = first + _lines_before(re.escape(str(other)), text)
                raise TemplateError(path, line, f"no file '{other}' in the prompts folder.")
            if other not in self.closure:
                whole = read_text(self._root / other)
                included = strip_head(whole)
                self._walk(other, included, whole.count("\n") - included.count("\n") + 1)


def _lines_before(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return text[: found.start()].count("\n") if found else 0
