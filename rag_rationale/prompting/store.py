"""Finds the template a request names: `name`, `name:label` or `name@version`."""

from __future__ import annotations

from pathlib import Path

import yaml

from rag_rationale.errors import TemplateError, UnknownTemplateError
from rag_rationale.prompting.template import Template, load_template
from rag_rationale.types import LANGUAGES, Language


class TemplateStore:
    """All templates under `folder`, read and checked once when the store is made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise UnknownTemplateError(f"No prompts folder at {folder}.", remedy="Set RAG_RATIONALE_PROMPTS.")
        self._templates = [
            load_template(path, root=folder)
            for path in sorted(folder.glob("*/*.prompt"))
            if path.parent.name != "partials"
        ]
        self._labels = self._read_labels(folder / "labels.yaml")

    def get(self, spec: str, *, language: Language) -> Template:
        """The template for `spec` in `language`. A bare name means its label `production`."""
        name, label, version = spec, "production", ""
        if "@" in spec:
            name, _, version = spec.partition("@")
        elif ":" in spec:
            name, _, label = spec.partition(":")
        of_name = [t for t in self._templates if t.name == name and t.language == language]
        if not of_name:
            known = ", ".join(sorted({t.name for t in self._templates}))
            raise UnknownTemplateError(f"No template '{name}' in language '{language}'.", remedy=f"There are: {known}.")
        if version:
            wanted = [t for t in of_name if t.version == version]
        else:
            number = self._labels.get(name, {}).get(label)
            if number is None:
                known = ", ".join(sorted(self._labels.get(name, {})))
                raise UnknownTemplateError(f"Template '{name}' has no label '{label}'.", remedy=f"It has: {known}.")
            wanted = [t for t in of_name if t.number == number]
        if not wanted:
            known = ", ".join(f"v{t.number}@{t.version}" for t in of_name)
            raise UnknownTemplateError(f"No version '{spec}' of template '{name}'.", remedy=f"There are: {known}.")
        return wanted[0]

    def all(self) -> list[Template]:
        """Every template, by name, language and number."""
        return sorted(self._templates, key=lambda t: (t.name, t.language, t.number))

    def languages(self) -> tuple[Language, ...]:
        """The languages that any template is written in."""
        return tuple(lang for lang in LANGUAGES if any(t.language == lang for t in self._templates))

    def _read_labels(self, path: Path) -> dict[str, dict[str, int]]:
        try:
            labels = yaml.safe_load(path.read_text("utf-8"))
        except FileNotFoundError:
            raise TemplateError(path, 0, "the file of labels is missing.") from None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 0
            raise TemplateError(path, line, f"not YAML: {error.problem}.") from error
        if not isinstance(labels, dict) or not all(
            isinstance(of, dict) and all(isinstance(n, int) for n in of.values()) for of in labels.values()
        ):
            raise TemplateError(path, 1, "expected `template: {label: version number}`.")
        return labels
