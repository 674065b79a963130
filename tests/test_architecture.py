"""The shape of the package: who may import whom, what importing costs, and the public names."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import bounded
import pytest

import rag_rationale

ROOT = Path(rag_rationale.__file__).parent
STAGES = (
    {"types", "errors", "config", "memory"},
    {"language"},
    {"corpus", "embedding", "index", "models", "prompting", "generation", "grounding"},
    {"retrieval"},
    {"planning"},
    {"writing", "building"},
    {"service"},
    {"evaluation", "workshop"},
    {"api", "connect"},
    {"cli"},
)
DOORS = {
    "sentence_transformers": "embedding",
    "torch": "embedding",
    "openvino": "embedding",
    "faiss": "index",
    "sklearn": "index",
    "llama_cpp": "generation",
    "langchain": "connect",
    "langchain_core": "connect",
    "spacy": "language",
    "jieba": "language",
    "fastapi": "api",
    "uvicorn": "api",
}
STAGE_OF = {name: number for number, stage in enumerate(STAGES) for name in stage}


def imports(path: Path) -> list[str]:
    """Every module that a file names in an import, those inside functions included."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append(node.module or "")
    return found


def stage(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_every_part_of_the_package_has_a_stage() -> None:
    parts = {stage(p) for p in ROOT.rglob("*.py")} - {"__init__"}
    assert parts == set(STAGE_OF)


def test_a_module_imports_only_from_stages_to_its_left_and_never_a_neighbour() -> None:
    wrong = []
    for path in ROOT.rglob("*.py"):
        own = stage(path)
        if own == "__init__":
            continue
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "rag_rationale" or len(parts) == 1 or parts[1] == own:
                continue
            first = STAGES[0]
            if STAGE_OF[parts[1]] >= STAGE_OF[own] and not (own in first and parts[1] in first):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


def test_each_heavy_library_has_one_door() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in ROOT.rglob("*.py")
        for name in imports(path)
        if name.split(".")[0] in DOORS and DOORS[name.split(".")[0]] != stage(path)
    ]
    assert wrong == []


def _normal(requirement: str) -> str:
    """The distribution that a requirement names, as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


def test_what_is_imported_is_declared() -> None:
    # what happens to be installed here is not there on a new machine
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text("utf-8"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = {_normal(line) for lines in lists for line in lines}
    folders = (ROOT, ROOT.parent / "tests", ROOT.parent / "scripts")
    files = [path for folder in folders for path in folder.rglob("*") if _is_python(path)]
    own = {path.stem for path in files} | {ROOT.name}
    carriers = packages_distributions()
    undeclared = {
        f"{path.relative_to(ROOT.parent)} imports {top}"
        for path in files
        for top in {name.split(".")[0] for name in imports(path)} - own - sys.stdlib_module_names
        if not declared & {_normal(name) for name in carriers.get(top, [])}
    }
    assert undeclared == set()


def _is_python(path: Path) -> bool:
    if path.suffix:
        return path.suffix == ".py"
    return path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/env python")


def test_importing_the_package_loads_no_heavy_library() -> None:
    code = "import sys, rag_rationale; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = bounded.ran([sys.executable, "-c", code], seconds=120)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert loaded & set(DOORS) == set()


def test_the_public_names_are_these() -> None:
    assert rag_rationale.__all__ == ["Explainer", "Rationale", "RationaleRequest", "__version__"]


def test_the_top_level_holds_what_was_agreed_and_nothing_else() -> None:
    agreed = {"pyproject.toml", "rag_rationale", "indexes", "prompts", "tests", "scripts", "README.md"}
    listed = bounded.ran(["git", "ls-files"], seconds=60, cwd=ROOT.parent)
    found = {line.split("/")[0] for line in listed.stdout.splitlines()}
    if not found:
        pytest.skip("not a git checkout")
    assert {name for name in found if not name.startswith(".")} == agreed | {"LICENSE", "CHANGELOG.md"}
