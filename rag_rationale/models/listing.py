"""What a person wants to know of the models: which there are, under what terms, and whether they are here and whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rag_rationale.errors import ModelError
from rag_rationale.models.preparing import is_prepared, verify
from rag_rationale.models.registry import KnownModel, Role, load_registry
from rag_rationale.types import Language


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One known model. `size` is in bytes, prepared. `terms` is its licence's text on this disk, None until prepared
    or where its package brings none; `notice` is the sentence that its licence asks to be shown."""

    name: str
    role: Role
    languages: tuple[Language, ...]
    licence: str
    notice: str | None
    terms: Path | None
    prepared: bool
    size: int
    description: str


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """The outcome of verifying one model; `problem` is None where every hash held."""

    name: str
    problem: str | None


def list_models(*, folder: Path, registry: Mapping[str, KnownModel] | None = None) -> list[ModelRow]:
    """Every known model, in the registry's order, and whether it is prepared in `folder`. Reads no weights."""
    models = load_registry() if registry is None else registry
    return [_row(model, folder / model.name) for model in models.values()]


def verify_models(
    names: Iterable[str], *, folder: Path, registry: Mapping[str, KnownModel] | None = None
) -> Iterator[ModelCheck]:
    """Verify each model prepared in `folder`, one outcome at a time. Raises SettingsError for an unknown name."""
    for name in names:
        try:
            verify(name, folder, registry=registry)
        except ModelError as error:
            yield ModelCheck(name, str(error))
        else:
            yield ModelCheck(name, None)


def _row(model: KnownModel, place: Path) -> ModelRow:
    prepared = is_prepared(model, place)
    return ModelRow(
        name=model.name,
        role=model.role,
        languages=model.languages,
        licence=model.licence,
        notice=model.notice,
        terms=place / model.licence_file if prepared and model.licence_file else None,
        prepared=prepared,
        size=model.size,
        description=model.description,
    )
