"""Engines for a process of their own: one that aborts as native code does, one that cannot be opened."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from rag_rationale.errors import BackendError
from rag_rationale.generation import ScriptedEngine
from rag_rationale.types import Engine, GenerateRequest, TokenEvent


class OddError(Exception):
    """One that cannot be made of its words alone, as pickle would."""

    def __init__(self, *, code: int) -> None:
        super().__init__(f"code {code}")


class AbortingEngine(ScriptedEngine):
    """Aborts when asked to write on "abort", fails on "odd", hangs on "hang" and writes slowly on "slow"."""

    @property
    def evaluated_tokens(self) -> int:
        return len(self.history)

    def generate(self, request: GenerateRequest) -> Iterator[TokenEvent]:
        if request.prefix == "abort":
            os.abort()
        if request.prefix == "odd":
            raise OddError(code=7)
        if request.prefix == "hang":
            time.sleep(600)
        for event in super().generate(request):
            time.sleep(1 if request.prefix.startswith("slow") else 0)
            yield event


def open_aborting() -> Engine:
    return AbortingEngine(name="aborting")


def open_once(mark: Path) -> Engine:
    """An engine the first time, an error afterwards."""
    if mark.exists():
        raise BackendError("no second time")
    mark.touch()
    return open_aborting()


def open_never() -> Engine:
    raise BackendError("no such model", remedy="none")


def open_dead() -> Engine:
    os.abort()
