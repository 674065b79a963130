"""Scripts of the repository as modules: they have no suffix that Python would import them by."""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

SCRIPTS = Path(__file__).parents[1] / "scripts"


def script(path: str) -> ModuleType:
    """The script at a path under scripts/, imported anew."""
    name = path.replace("/", "_")
    loader = SourceFileLoader(name, str(SCRIPTS / path))
    spec = spec_from_loader(name, loader)
    assert spec is not None
    made = module_from_spec(spec)
    sys.modules[name] = made
    loader.exec_module(made)
    return made
