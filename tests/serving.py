"""What the tests of the API stand on: an explainer over the planted catalogue, and a reader of event streams."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import planted
import pytest

from rag_rationale.api import open_server
from rag_rationale.building import build
from rag_rationale.config import Settings, load_settings
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.errors import ModelError
from rag_rationale.generation import ScriptedEngine
from rag_rationale.service import Explainer, Step
from rag_rationale.service.opening import open_analysers
from rag_rationale.types import Analyser, Language, RationaleRequest

TOKEN = "a-secret-of-the-operator"
PERSONAL = {"index": "shop", "user": {"id": "u1"}, "item": {"id": "i0"}}
"""A request that the planted catalogue answers with sentences that cite the user's history."""


def analysers() -> Mapping[Language, Analyser]:
    """The real ones; skips the test where the English syntax model is not prepared."""
    try:
        return open_analysers(load_settings())
    except ModelError as error:
        pytest.skip(f"needs the English syntax model: {error}")


def open_planted(folder: Path, known: Mapping[Language, Analyser], *, admin_token: str | None = TOKEN) -> Explainer:
    """An explainer over index `shop`, built in `folder` from the planted catalogue if it is not there yet."""
    embedder = HashedEmbedder()
    if not (folder / "indexes" / "shop").exists():
        build("shop", **planted.write_catalogue(folder / "files"), embedder=embedder, folder=folder / "indexes")
    settings = Settings(indexes=folder / "indexes", admin_token=admin_token)
    return Explainer(settings=settings, embedder=embedder, engine=ScriptedEngine(), analysers=known)


class Staged(Explainer):
    """An explainer that gives its first step, then waits for `go`, then raises `error` or ends as the real one does."""

    def __init__(self, real: Explainer, error: Exception | None = None) -> None:
        self.__dict__.update(real.__dict__)
        self.error = error
        self.go, self.closed = threading.Event(), threading.Event()

    def steps(
        self, request: RationaleRequest, *, exclude: Collection[str] = (), as_of: int | None = None
    ) -> Iterator[Step]:
        try:
            steps = super().steps(request, exclude=exclude, as_of=as_of)
            yield next(steps)
            while not self.go.wait(0.01):
                yield Step("evidence")
            if self.error is not None:
                raise self.error
            yield from steps
        finally:
            self.closed.set()


def events(text: str) -> list[tuple[str, Any]]:
    """(event, data) of a stream, in order; a comment is ("comment", its text)."""
    found: list[tuple[str, Any]] = []
    assert text.endswith("\n\n")
    for block in text[:-2].split("\n\n"):
        if block.startswith(":"):
            found.append(("comment", block[1:].strip()))
            continue
        match = re.fullmatch(r"event: (\w+)\ndata: (.+)", block)
        assert match is not None, block
        found.append((match[1], json.loads(match[2])))
    return found


@contextmanager
def running(explainer: Explainer) -> Iterator[str]:
    """The base URL of a real server on a free loopback port, stopped at the end."""
    server, bound = open_server(explainer, "127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    with bound:
        thread.start()
        try:
            host, port = bound.getsockname()
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
            thread.join(timeout=20)
    assert not thread.is_alive()
