"""Turn what a setting says of a model into what its loader opens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rag_rationale.errors import ModelMissingError, SettingsError
from rag_rationale.models.preparing import is_prepared, missing
from rag_rationale.models.registry import KnownModel, Role, load_registry

Kind = Literal["prepared", "path", "hub", "provider", "url", "scripted"]

_PROVIDER = re.compile(r"[a-z][a-z0-9_-]*:[^/\\]\S*")
_URL = re.compile(r"https?://\S+$")
_HUB = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_SHAPES = {
    "writer": "a GGUF file",
    "embedder": "a sentence-transformers folder",
    "syntax": "a spaCy pipeline folder",
}
_MARKS = {"embedder": ("modules.json", "config.json"), "syntax": ("config.cfg",)}


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """What a spec stands for. `path` is what to open ("prepared" and "path"), `known` the registry's entry
    ("prepared"). For "hub", "provider" and "url" the spec itself is what to hand on; "scripted" writes without a model.
    """

    spec: str
    role: Role
    kind: Kind
    path: Path | None = None
    known: KnownModel | None = None


def resolve(spec: str, role: Role, *, folder: Path, registry: Mapping[str, KnownModel] | None = None) -> ResolvedModel:
    """What `spec` stands for: a name of the registry (prepared in `folder`), a path, for an embedder a hub name
    `owner/name`, or `provider:model` and a writer's URL or `scripted`, which are returned as they are.

    A file or folder that is there wins over a hub or provider name. Raises ModelMissingError with the command to run
    where a known model is not prepared, or where a path leads nowhere or to something else; SettingsError for a name
    of another role or one that means nothing.
    """
    models = load_registry() if registry is None else registry
    if spec in models:
        return _prepared(models[spec], role, folder)
    if role == "writer" and spec == "scripted":
        return ResolvedModel(spec, role, "scripted")
    if role == "writer" and _URL.match(spec):
        return ResolvedModel(spec, role, "url")
    path = Path(spec).expanduser()
    if path.exists() or _looks_like_a_path(spec):
        return ResolvedModel(spec, role, "path", path=_opened(path, role))
    if _PROVIDER.fullmatch(spec):
        return ResolvedModel(spec, role, "provider")
    if role == "embedder" and _HUB.fullmatch(spec):
        return ResolvedModel(spec, role, "hub")
    raise SettingsError(
        f"{spec!r} names no {role}: expected a model of the registry or {_SHAPES[role]}.",
        remedy=f"Known: {', '.join(name for name, model in models.items() if model.role == role)}.",
    )


def _prepared(model: KnownModel, role: Role, folder: Path) -> ResolvedModel:
    if model.role != role:
        raise SettingsError(f"Model {model.name} is of role {model.role}, expected {role}.")
    place = folder / model.name
    if not is_prepared(model, place):
        raise missing(model, place)
    return ResolvedModel(model.name, role, "prepared", path=place / model.load, known=model)


def _looks_like_a_path(spec: str) -> bool:
    return spec.startswith(("/", "./", "../", "~")) or spec.endswith(".gguf")


def _opened(path: Path, role: Role) -> Path:
    fits = _is_gguf(path) if role == "writer" else any((path / mark).is_file() for mark in _MARKS[role])
    if not fits:
        state = "is not" if path.exists() else "is not there; expected"
        raise ModelMissingError(f"{path} {state} {_SHAPES[role]}.", remedy="Correct the path, or name a known model.")
    return path


def _is_gguf(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"GGUF"
