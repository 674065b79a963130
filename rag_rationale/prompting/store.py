"""Finds the template a request names: `name`, `name:label`, `name@version`. Files are read anew when they change."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rag_rationale.errors import TemplateError, UnknownTemplateError
from rag_rationale.prompting.labels import PRODUCTION, Labels
from rag_rationale.prompting.loading import load_template
from rag_rationale.prompting.template import Template
from rag_rationale.types import LANGUAGES, Language, TemplateInfo, TemplatesReply

LOOK = 0.3  # seconds after which files are looked at again
STATE_FILE = "labels.yaml"
_PARTIALS = "partials"
_log = logging.getLogger(__name__)

_Stamps = dict[Path, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Read:
    """What the files said when they were last read: the last good template of each, and what is wrong with which.

    `gone` are files that were not there, whose templates stay until they are missed again: editors rename to save.
    """

    stamps: _Stamps
    templates: dict[Path, Template]
    labels: Labels | None
    faults: dict[Path, TemplateError]
    gone: frozenset[Path] = frozenset()


class TemplateStore:
    """All templates under `folder`. A file that changes is live within `LOOK` seconds of the next call; one that breaks
    is reported, and its last good version goes on. Safe to share between threads.

    `state` is the folder of the file that overrides `labels.yaml`. Raises TemplateError where a file is broken from the
    start, unless `tolerant`: then `faults` tells.
    """

    def __init__(self, folder: Path, *, state: Path | None = None, tolerant: bool = False) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise UnknownTemplateError(f"No prompts folder at {folder}.", remedy="Set RAG_RATIONALE_PROMPTS.")
        self._state = state / STATE_FILE if state is not None else None
        self._lock = threading.Lock()
        self._former: dict[str, Template] = {}  # replaced while we ran, by language and label
        self._read = self._load(_Read({}, {}, None, {}))
        self._looked = time.monotonic()
        if self._read.faults and not tolerant:
            raise next(iter(self._read.faults.values()))

    def get(self, spec: str, *, language: Language, user: str = "") -> Template:
        """The template for `spec` in `language`. A bare name means its label `production`, which may mean another
        version to another `user`; `name@v2` is the file of that number. Raises UnknownTemplateError.
        """
        name, mark, wanted = spec, ":", PRODUCTION
        for mark_ in "@:":
            if mark_ in spec:
                name, mark, wanted = spec.partition(mark_)
        read = self._now()
        of_name = [t for t in _sorted(read) if t.name == name and t.language == language]
        if not of_name:
            known = ", ".join(sorted({t.name for t in read.templates.values()}))
            raise UnknownTemplateError(f"No template '{name}' in language '{language}'.", remedy=f"There are: {known}.")
        if mark == "@":
            found = [t for t in of_name if wanted in (t.version, f"v{t.number}")]
            found += [t for t in [self._former.get(f"{language} {spec}")] if t is not None]
        else:
            number = self._labels(read).pick(name, wanted, user=user)
            if number is None:
                known = (
                    ", ".join(sorted(self._labels(read).of(name))) or "none: `rag-rationale prompts promote` gives one"
                )
                raise UnknownTemplateError(f"Template '{name}' has no label '{wanted}'.", remedy=f"It has: {known}.")
            found = [t for t in of_name if t.number == number]
        if not found:
            known = ", ".join(f"v{t.number}@{t.version}" for t in of_name)
            raise UnknownTemplateError(f"No version '{spec}' of template '{name}'.", remedy=f"There are: {known}.")
        return found[0]

    def all(self) -> list[Template]:
        """Every template, by name, language and number."""
        return _sorted(self._now())

    def labels(self, name: str) -> Mapping[str, Mapping[int, float]]:
        """The labels of a template, each with the version numbers it means and their weights."""
        return self._labels(self._now()).of(name)

    def told(self) -> TemplatesReply:
        """Every template as the API tells of it."""
        read = self._now()
        faults = {str(path): str(fault) for path, fault in read.faults.items()}
        made = []
        for path, t in sorted(
            read.templates.items(), key=lambda pair: (pair[1].name, pair[1].language, pair[1].number)
        ):
            shares = {}
            for label, weights in self._labels(read).of(t.name).items():
                if t.number in weights:
                    shares[label] = weights[t.number] / sum(weights.values())
            made.append(
                TemplateInfo(
                    name=t.name,
                    version=t.version,
                    number=t.number,
                    language=t.language,
                    description=t.meta.description,
                    domain=t.meta.domain,
                    labels=shares,
                    fault=faults.pop(str(path), None),
                )
            )
        return TemplatesReply(templates=tuple(made), faults=tuple(faults.values()))

    @property
    def faults(self) -> list[TemplateError]:
        """What is wrong with files as they are now; their last good version, if there was one, is served."""
        return list(self._now().faults.values())

    def languages_of(self, spec: str) -> list[Language]:
        """The languages in which a spec can be had; all that the name has where it can be had in none, so that asking
        for one tells why."""
        name = re.split("[@:]", spec)[0]
        of_name = [lang for lang in LANGUAGES if any((t.name, t.language) == (name, lang) for t in self.all())]
        found = []
        for language in of_name or list(LANGUAGES):
            with suppress(UnknownTemplateError):
                found.append(self.get(spec, language=language).language)
        return found or of_name or list(LANGUAGES)

    def languages(self) -> tuple[Language, ...]:
        """The languages that any template is written in."""
        return tuple(lang for lang in LANGUAGES if any(t.language == lang for t in self.all()))

    def promote(self, name: str, weights: Mapping[int, float], *, label: str = PRODUCTION) -> None:
        """Let a label mean these versions, each of which must exist in every language the template is written in."""
        of_name = [t for t in self.all() if t.name == name]
        languages = {t.language for t in of_name}
        for number in weights:
            missing = languages - {t.language for t in of_name if t.number == number}
            if missing or not of_name:
                known = ", ".join(f"{t.language} v{t.number}" for t in of_name) or "none of that name"
                raise UnknownTemplateError(
                    f"Template '{name}' has no v{number} in {', '.join(sorted(missing)) or 'any language'}.",
                    remedy=f"There are: {known}. A file of the line `extends: {name}/zh.v1` takes everything over.",
                )
        self._labels(self._now()).promote(name, label, weights)
        self._looked = 0.0

    def rollback(self, name: str, *, label: str = PRODUCTION) -> None:
        """Let a label mean what it meant before the last `promote`. UnknownTemplateError where there was none."""
        self._labels(self._now()).rollback(name, label)
        self._looked = 0.0

    def _labels(self, read: _Read) -> Labels:
        if read.labels is None:
            raise next(e for p, e in read.faults.items() if p.name == STATE_FILE)
        return read.labels

    def _now(self) -> _Read:
        """What the files say, looked at again where it is time and nobody else is doing so."""
        if time.monotonic() - self._looked >= LOOK and self._lock.acquire(blocking=False):
            try:
                if self._read.gone or self._stamps() != self._read.stamps:
                    self._read = self._load(self._read)
                self._looked = time.monotonic()
            finally:
                self._lock.release()
        return self._read

    def _stamps(self) -> _Stamps:
        paths = [p for p in self.folder.rglob("*") if p.is_file()]
        paths += [p for p in [self._state] if p is not None]
        stamps = {}
        for path in paths:
            try:
                found = path.stat()
            except FileNotFoundError:  # gone between the listing and now, or no state yet
                continue
            stamps[path] = (found.st_mtime_ns, found.st_size)
        return stamps

    def _load(self, last: _Read) -> _Read:
        stamps = self._stamps()
        templates, faults = {}, {}
        for path in sorted(self.folder.glob("*/*.prompt")):
            if path.parent.name == _PARTIALS:
                continue
            try:
                templates[path] = load_template(path, root=self.folder)
            except TemplateError as error:
                faults[path] = error
                if path in last.templates:
                    templates[path] = last.templates[path]
            except FileNotFoundError:
                continue
        gone = frozenset(last.templates.keys() - templates.keys() - last.gone)
        templates |= {path: last.templates[path] for path in gone}
        labels = last.labels
        try:
            labels = Labels(self.folder / STATE_FILE, self._state)
        except TemplateError as error:
            faults[Path(error.path)] = error
        for path, fault in faults.items():
            if str(fault) != str(last.faults.get(path)):
                _log.warning("%s%s", fault, " The last good version goes on." if last.stamps else "")
        for template in last.templates.values():
            self._former[f"{template.language} {template.label}"] = template
        return _Read(stamps, templates, labels, faults, gone)


def _sorted(read: _Read) -> list[Template]:
    return sorted(read.templates.values(), key=lambda t: (t.name, t.language, t.number))
