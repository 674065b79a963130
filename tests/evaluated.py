"""What the tests of evaluation stand on: the small shop of `serving`, asked about by its own reviewers."""

from __future__ import annotations

from pathlib import Path

from serving import analysers, open_planted

from rag_rationale.embedding import HashedEmbedder
from rag_rationale.evaluation.material import Material
from rag_rationale.evaluation.running import prepare
from rag_rationale.generation import ScriptedEngine


def shop_material(folder: Path) -> Material:
    """All three subjects of the shop; nothing needs a model's weights."""
    explainer = open_planted(folder, analysers())
    return prepare(explainer, "shop", n=99, folder=folder / "remembered", embedder=HashedEmbedder(512))


def scripted(material: Material) -> ScriptedEngine:
    """The material's engine."""
    assert isinstance(material.engine, ScriptedEngine)
    return material.engine
