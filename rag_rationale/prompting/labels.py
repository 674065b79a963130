"""What each label of each template means: `labels.yaml` beside the templates, overridden by a file outside of them.

A label means one version number, or several with fixed weights: `production: {1: 90, 2: 10}`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import yaml
from filelock import FileLock
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel, ValidationError

from rag_rationale.errors import TemplateError, UnknownTemplateError
from rag_rationale.prompting.files import read_text, read_yaml

PRODUCTION = "production"


def _weights(value: object) -> object:
    return {value: 1} if isinstance(value, int) else value


Weights = Annotated[
    dict[int, Annotated[float, Field(gt=0, allow_inf_nan=False)]], BeforeValidator(_weights), Field(min_length=1)
]
"""Version numbers with how much of the traffic each gets; they need not add up to anything."""

Meanings = dict[str, dict[str, Weights]]


class _Shipped(RootModel[Meanings]):
    pass


class _State(BaseModel):
    """The state file. `before`: what a label meant before each promotion, newest last; None for what is shipped."""

    model_config = ConfigDict(extra="forbid")

    labels: Meanings = {}
    before: dict[str, dict[str, list[Weights | None]]] = {}


_Held = TypeVar("_Held", _Shipped, _State)


class Labels:
    """Labels as `shipped` (labels.yaml) and `state` (may be missing; None: there is none) say when this is made.

    Raises TemplateError with file and line.
    """

    def __init__(self, shipped: Path, state: Path | None) -> None:
        self._path = state
        if not shipped.is_file():
            raise TemplateError(shipped, 0, "the file of labels is missing.")
        self._shipped = _read(shipped, _Shipped).root
        self._state = _read(state, _State) if state is not None else _State()

    def of(self, name: str) -> dict[str, Weights]:
        """Every label of a template with what it means."""
        return self._shipped.get(name, {}) | self._state.labels.get(name, {})

    def pick(self, name: str, label: str, *, user: str) -> int | None:
        """The version number that `label` means for this user, always the same; None where there is no such label."""
        weights = self.of(name).get(label)
        if weights is None:
            return None
        digest = hashlib.sha256(f"{name}\0{label}\0{user}".encode("utf-8", "replace")).digest()
        left = int.from_bytes(digest[:8], "big") / 2**64 * sum(weights.values())
        for number in sorted(weights):
            left -= weights[number]
            if left < 0:
                return number
        return max(weights)

    def promote(self, name: str, label: str, weights: Mapping[int, float]) -> None:
        """Let `label` mean these versions from now on; what it meant is kept for `rollback`."""
        with self._changing() as state:
            was = state.labels.get(name, {}).get(label)
            state.before.setdefault(name, {}).setdefault(label, []).append(was)
            state.labels.setdefault(name, {})[label] = dict(weights)

    def rollback(self, name: str, label: str) -> dict[str, Weights]:
        """Let `label` mean what it meant before the last promotion; returns the template's labels.

        UnknownTemplateError where nothing was promoted.
        """
        with self._changing() as state:
            past = state.before.get(name, {}).get(label, [])
            if not past:
                raise UnknownTemplateError(
                    f"Label '{label}' of '{name}' was never promoted.", remedy="There is nothing to go back to."
                )
            was = past.pop()
            if was is None:
                del state.labels[name][label]
            else:
                state.labels[name][label] = was
        return self.of(name)

    @contextmanager
    def _changing(self) -> Iterator[_State]:
        """The state, read anew under its lock, and written when all went well."""
        if self._path is None:
            raise ValueError("labels without a state file cannot be changed")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self._path}.lock"):
            self._state = _read(self._path, _State)
            yield self._state
            text = yaml.safe_dump(self._state.model_dump(), allow_unicode=True)
            part = self._path.with_suffix(".part")
            part.write_text(f"# Written by `rag-rationale prompts promote` and `rollback`.\n{text}", "utf-8")
            part.replace(self._path)


def _read(path: Path, kind: type[_Held]) -> _Held:
    """The file as `kind`; empty where there is no file."""
    data = read_yaml(path, read_text(path)) if path.is_file() else None
    try:
        return kind.model_validate(data or {})
    except ValidationError as error:
        raise TemplateError(
            path, 1, "expected `template: {label: version number}`, or `{label: {number: weight}}`."
        ) from error
