"""Prepare a model: out of its packages' files, the folder its loader opens; and verify it later.

A model is whole or it is not there: it is built beside its place, checked, sealed by model.json, then renamed into it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

from rag_rationale.errors import ModelError, ModelHashError, ModelMissingError
from rag_rationale.models.encoder import write_encoder
from rag_rationale.models.packages import PackageFile, find_files
from rag_rationale.models.registry import REGISTRY, KnownModel, known_model
from rag_rationale.types import Progress

SEAL = "model.json"
_SPARE = 64 << 20


def _quiet(stage: str, done: int, total: int | None) -> None:
    """The progress nobody watches."""


def prepare(
    name: str, *, into: Path, progress: Progress = _quiet, registry: Mapping[str, KnownModel] | None = None
) -> Path:
    """Prepare the model in `into`/`name` and return that folder; nothing is done if it is there and looks whole.

    Raises SettingsError for an unknown name, ModelMissingError where a package is not installed, ModelHashError where
    a file is not the one the registry pins, ModelError where the disk is too full or not writable. On an error nothing
    is left behind, and a folder that was there before stays.
    """
    model = known_model(name, registry=registry)
    folder = into / name
    if is_prepared(model, folder):
        return folder
    files = find_files(model)
    try:
        into.mkdir(parents=True, exist_ok=True)
        with FileLock(into / f".{name}.lock"):
            if not is_prepared(model, folder):
                _check_space(into, model, files)
                _build(model, files, folder, progress)
    except OSError as error:
        raise ModelError(
            f"Could not prepare {name} in {into}: {error}.",
            remedy="Make the folder writable, or set RAG_RATIONALE_MODELS to another one.",
        ) from error
    return folder


def is_prepared(model: KnownModel, folder: Path) -> bool:
    """Whether the folder was sealed for this very entry and its files kept their sizes; reads no weights."""
    try:
        sealed = json.loads((folder / SEAL).read_text(encoding="utf-8"))["files"]
        return {path: seal["sha256"] for path, seal in sealed.items()} == model.files and all(
            (folder / path).stat().st_size == seal["bytes"] for path, seal in sealed.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def verify(name: str, folder: Path, *, registry: Mapping[str, KnownModel] | None = None) -> None:
    """Read every file of the model prepared in `folder`/`name` and compare its sha256 with the registry's.

    Raises ModelMissingError if the model was not prepared, ModelHashError naming the first file that is missing, not
    the registry's (with the sha256 found and expected) or not part of the model.
    """
    model = known_model(name, registry=registry)
    if not (folder / name / SEAL).is_file():
        raise missing(model, folder / name)
    _check_files(model, folder / name)


def missing(model: KnownModel, folder: Path) -> ModelMissingError:
    """The error for a model that is not prepared in `folder`."""
    return ModelMissingError(
        f"Model {model.name} is not prepared: {folder} is not there or not whole.",
        remedy=f"Run: rag-rationale models prepare {model.name}",
    )


def _check_space(into: Path, model: KnownModel, files: list[PackageFile]) -> None:
    free = shutil.disk_usage(into).free
    needed = model.size + _SPARE + (_size(files) if model.recipe == "trim" else 0)
    if free < needed:
        raise ModelError(
            f"{into} has {free >> 20} MB free; {model.name} needs {needed >> 20} MB.",
            remedy="Make room, or set RAG_RATIONALE_MODELS to a folder on another disk.",
        )


def _size(files: list[PackageFile]) -> int:
    return sum(file.path.stat().st_size for file in files)


def _build(model: KnownModel, files: list[PackageFile], folder: Path, progress: Progress) -> None:
    building, replaced = (folder.with_name(f".{model.name}.{state}") for state in ("building", "replaced"))
    _remove(building)
    _remove(replaced)
    building.mkdir()
    try:
        _write(model, files, building, progress)
        sizes = _check_files(model, building)
        _seal(model, sizes, building)
        if folder.exists():
            folder.rename(replaced)
        building.rename(folder)
        _sync(folder.parent)
        _remove(replaced)
    finally:
        _remove(building)


def _write(model: KnownModel, files: list[PackageFile], folder: Path, progress: Progress) -> None:
    if model.recipe == "dequantise":
        for file in files:
            for _ in file.blocks():
                pass
        write_encoder(files[0].path, folder, prefixes=model.prefixes, progress=progress)
        return
    done, total = 0, _size(files)
    for file in files:
        target = folder / file.target
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("ab") as out:
            for block in file.blocks():
                done += out.write(block)
                progress("copying", done, total)
    if model.recipe == "trim" and model.joined and model.kept:
        from rag_rationale.models.trimming import read_kept, trim_vocabulary  # its library is slow to import

        whole = folder / model.joined
        trim_vocabulary(whole, folder / model.load, read_kept(REGISTRY.parent / model.kept), progress=progress)
        whole.unlink()


def _check_files(model: KnownModel, folder: Path) -> dict[str, int]:
    """Size of each file, once all are found to be those the registry pins and no other file lies among them."""
    remedy = f"Remove {folder} and run: rag-rationale models prepare {model.name}"
    sizes = {}
    for path, expected in model.files.items():
        if not (folder / path).is_file():
            raise ModelHashError(f"{folder / path} is missing, expected sha256 {expected}.", remedy=remedy)
        with (folder / path).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            sizes[path] = file.tell()
        if found != expected:
            raise ModelHashError(f"{folder / path} has sha256 {found}, expected {expected}.", remedy=remedy)
    for stray in sorted(path for path in folder.rglob("*") if path.is_file()):
        if stray.relative_to(folder).as_posix() not in {*model.files, SEAL}:
            raise ModelHashError(f"{stray} is no part of {model.name}, expected no such file.", remedy=remedy)
    return sizes


def _seal(model: KnownModel, sizes: dict[str, int], folder: Path) -> None:
    """Bring every file to the disk, then write model.json: a folder that has it is whole."""
    for path in folder.rglob("*"):
        _sync(path)
    seal = {
        "name": model.name,
        "licence": model.licence,
        "files": {path: {"sha256": sha256, "bytes": sizes[path]} for path, sha256 in model.files.items()},
    }
    (folder / SEAL).write_text(json.dumps(seal, indent=2) + "\n", encoding="utf-8")
    _sync(folder / SEAL)
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
