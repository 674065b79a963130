"""The closed word classes and polarity words of each language, from the YAML files beside this module."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import yaml

from rag_rationale.types import Language


@cache
def lexicon(language: Language) -> dict[str, frozenset[str]]:
    """Word lists by class, lower case."""
    return {key: frozenset(str(w) for w in value) for key, value in _load(language).items() if isinstance(value, list)}


@cache
def valences(language: Language) -> dict[str, float]:
    """Extra word valences on VADER's scale of -4 to 4."""
    return {str(word): float(value) for word, value in _load(language).get("polarity", {}).items()}


@cache
def spellings(language: Language) -> dict[str, str]:
    """Words that are spelt in more than one way, each with the spelling that all of them are counted under."""
    return {str(word): str(one) for word, one in _load(language).get("spellings", {}).items()}


@cache
def confusions(language: Language) -> dict[str, str]:
    """Words that are often written for another one, each with that."""
    return {str(word): str(meant) for word, meant in _load(language).get("confusions", {}).items()}


@cache
def _load(language: Language) -> dict[str, Any]:
    text = resources.files("rag_rationale.language").joinpath("data", f"{language}.yaml").read_text("utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded
