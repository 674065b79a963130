"""The registry: what is known of each model, read from registry.yaml.

A model is made of files that travel inside Python packages. The registry pins a sha256 for every file taken and for
every file prepared, so nothing is trusted that was not seen before. This module opens no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from rag_rationale.errors import SettingsError
from rag_rationale.types import Language, TextRole

REGISTRY = Path(__file__).parent / "registry.yaml"

Role = Literal["writer", "embedder", "syntax"]
Prompting = Literal["few-shot", "chat", "none"]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _stays_inside(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\\" in path:
        raise ValueError(f"{path!r} must be a relative path that stays inside its folder")
    return path


Inside = Annotated[str, AfterValidator(_stays_inside)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Row):
    """Files of one installed package: `files` maps a path under `root` to its sha256.

    Each file keeps its path in the prepared folder, unless `join` names the file that these are appended to, in order.
    """

    package: str
    version: str
    root: Inside = ""
    files: dict[Inside, Sha256] = Field(min_length=1)
    join: Inside | None = None


class KnownModel(_Row):
    """One model of the registry.

    `load` is what its loader opens, relative to the prepared folder ("." for the folder). `size` counts the prepared
    bytes. `results` pins the files a recipe makes; a copied file is pinned by its source. `trim` joins parts as `copy`
    does and leaves of the vocabulary what the file `kept`, beside the registry, says. `prefixes` go before a text
    to embed, by its role. `licence_file` and `notice` are what its licence asks to be handed on.
    """

    name: str
    role: Role
    description: str
    languages: tuple[Language, ...] = Field(min_length=1)
    licence: str
    licence_file: Inside | None = None
    notice: str | None = None
    size: int = Field(gt=0)
    load: Inside = "."
    prompting: Prompting = "none"
    context: int | None = Field(default=None, gt=0)
    prefixes: dict[TextRole, str] = Field(default_factory=dict)
    recipe: Literal["copy", "dequantise", "trim"] = "copy"
    kept: Inside | None = None
    sources: tuple[Source, ...] = Field(min_length=1)
    results: dict[Inside, Sha256] = Field(default_factory=dict)

    @property
    def files(self) -> dict[str, str]:
        """Every file of the prepared folder and its sha256, sorted by path."""
        copied = {
            path: sha256
            for source in self.sources
            if self.recipe != "dequantise" and source.join is None
            for path, sha256 in source.files.items()
        }
        return dict(sorted({**copied, **self.results}.items()))

    @property
    def joined(self) -> str | None:
        """The file that parts are joined to, if any."""
        return next((source.join for source in self.sources if source.join), None)

    @property
    def requirements(self) -> tuple[str, ...]:
        """The packages it comes in, each once, as pip spells them."""
        return tuple(dict.fromkeys(f"{source.package}=={source.version}" for source in self.sources))

    @model_validator(mode="after")
    def _names_files_it_holds(self) -> Self:
        files = self.files
        if self.recipe == "trim" and not (self.joined and self.kept):
            raise ValueError(f"{self.name} is to be trimmed but does not say what file of, or what is kept")
        joined = self.joined if self.recipe == "copy" else None
        wanted = {self.licence_file, None if self.load == "." else self.load, joined} - {None}
        if missing := wanted - files.keys():
            raise ValueError(f"{self.name} pins no file {', '.join(sorted(map(str, missing)))}")
        return self


@cache
def load_registry(path: Path = REGISTRY) -> Mapping[str, KnownModel]:
    """The known models by name, in the order of the file. Raises pydantic's ValidationError on a broken registry."""
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {name: KnownModel(name=name, **row) for name, row in rows.items()}


def known_model(name: str, *, registry: Mapping[str, KnownModel] | None = None) -> KnownModel:
    """The registry's entry of that name. Raises SettingsError naming those there are."""
    models = load_registry() if registry is None else registry
    if name not in models:
        raise SettingsError(f"There is no model {name!r} in the registry.", remedy=f"Known: {', '.join(models)}.")
    return models[name]
