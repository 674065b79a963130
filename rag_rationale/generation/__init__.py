"""Engines: a local GGUF model through llama.cpp, or a scripted one. Importing this package loads no model library."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rag_rationale.errors import SettingsError
from rag_rationale.generation.scripted import ScriptedEngine

if TYPE_CHECKING:
    from rag_rationale.types import Engine

__all__ = ["ScriptedEngine", "open_engine"]


def open_engine(
    llm: Path | str,
    *,
    name: str | None = None,
    threads: int = 1,
    context: int = 4096,
    isolated: bool = False,
    key: str | None = None,
    lora: str | None = None,
) -> Engine:
    """The engine for a GGUF file (with the adapter that `lora` names as PATH or PATH:SCALE), for the URL of an
    OpenAI-compatible server (with `key`, if it asks for one), or the scripted one for "scripted"; with `isolated` in a
    process of its own.

    Raises ModelMissingError where there is no such file, BackendError where it cannot be loaded, SettingsError where
    the adapter does not fit.
    """
    if isolated:
        from rag_rationale.generation.isolated import IsolatedEngine

        return IsolatedEngine(
            partial(open_engine, llm, name=name, threads=threads, context=context, key=key, lora=lora)
        )
    if lora and (str(llm) == "scripted" or "://" in str(llm)):
        raise SettingsError(f"`lora` is {lora!r}, but {llm} is no GGUF file.", remedy="Leave one of them out.")
    if str(llm).startswith(("http://", "https://")):
        from rag_rationale.generation.remote import RemoteEngine

        return RemoteEngine(str(llm), key=key, context=context)
    if str(llm) == "scripted":
        return ScriptedEngine(name=name or "scripted", context_tokens=context, remembered=100)
    from rag_rationale.generation.llama import LlamaEngine

    return LlamaEngine(llm, name=name, threads=threads, context=context, lora=lora)
