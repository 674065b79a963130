"""Scenes: a few passages, with sentences that hold and sentences that fail by kind; how invented claims are written.

A file is a YAML list of scenes: `item`, `evidence` (rows of `FIELDS`), `holds` (sentences), `fails` (kind: sentences).
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from rag_rationale.types import Claim, Language

FIELDS = ("label", "side", "title", "text", "event", "rating", "author")


def read_scenes(text: str, language: Language) -> Iterator[tuple[int, Claim]]:
    """(number of the scene, claim) for every sentence, in order; a claim's evidence is what its sentence cites."""
    for number, scene in enumerate(yaml.safe_load(text)):
        rows = [dict(zip(FIELDS, row, strict=True)) for row in scene["evidence"]]
        for kind, sentences in ((None, scene["holds"]), *scene["fails"].items()):
            for sentence in sentences:
                yield (
                    number,
                    Claim.model_validate(
                        {
                            "language": language,
                            "item": scene["item"],
                            "sentence": sentence,
                            "evidence": [row for row in rows if f"[{row['label']}]" in sentence],
                            "label": "false" if kind else "true",
                            "kind": kind,
                        }
                    ),
                )
