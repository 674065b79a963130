"""What the tests of the API stand on: an explainer over a small shop, and a reader of event streams."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import planted
import pytest

from rag_rationale.api import bind, open_server
from rag_rationale.building import build
from rag_rationale.config import Settings, load_settings
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.errors import ModelError
from rag_rationale.generation import ScriptedEngine
from rag_rationale.service import Explainer, Step
from rag_rationale.service.opening import open_analysers
from rag_rationale.types import Analyser, Language, RationaleRequest

TOKEN = "a-secret-of-the-operator"
REQUEST = {"index": "shop", "user": {"id": "author-ann"}, "item": {"id": "pack"}}
"""A request that has candidates of every side and enough said about its item for several sentences."""

DESCRIPTIONS = {
    "pack": ("Ridge pack", "This is a light pack for long hikes. The hip belt has two deep pockets."),
    "boots": ("Moor boots", "These are waterproof boots for wet ground. The sole can be replaced."),
    "tent": ("Gale tent", "This is a tent for two people. The poles are made of aluminium."),
}
REVIEWS = [
    ("author-ann", "boots", 5, "The lining kept my feet dry for a week. The laces are strong."),
    ("author-ann", "tent", 4, "The poles held in a heavy storm."),
    ("author-bob", "pack", 5, "The hip belt spreads the load very well. The pockets are large and useful."),
    ("author-cleo", "pack", 5, "The straps are soft and comfortable on long hikes."),
    ("author-dan", "pack", 2, "Sadly the zip broke after three days."),
    ("author-bob", "tent", 3, "The tent was heavy to carry."),
]
EVENTS = [{"user_id": "author-ann", "item_id": "tent", "event": "purchase", "timestamp": 900}]


def analysers() -> Mapping[Language, Analyser]:
    """The real ones; skips the test where the English syntax model is not prepared."""
    try:
        return open_analysers(load_settings())
    except ModelError as error:
        pytest.skip(f"needs the English syntax model: {error}")


@contextmanager
def weightless(indexes: Path) -> Iterator[None]:
    """The environment names a folder for indexes, and models that need no weights."""
    with pytest.MonkeyPatch.context() as patch:
        for key, value in {"INDEXES": str(indexes), "LLM": "scripted", "EMBEDDER": "hashed"}.items():
            patch.setenv(f"RAG_RATIONALE_{key}", value)
        yield


def catalogue(folder: Path) -> dict[str, Path]:
    """The catalogue as files. Every author's id begins with `author-`, no other text does."""
    folder.mkdir()
    items = [{"item_id": id_, "title": title, "description": text} for id_, (title, text) in DESCRIPTIONS.items()]
    reviews = [
        {"review_id": f"r{n}", "user_id": user, "item_id": item, "rating": rating, "timestamp": 100 * n, "text": text}
        for n, (user, item, rating, text) in enumerate(REVIEWS)
    ]
    rows = {"items": items, "reviews": reviews, "events": EVENTS}
    return {name: planted.write_jsonl(folder / f"{name}.jsonl", rows[name]) for name in rows}


def open_planted(folder: Path, known: Mapping[Language, Analyser], *, admin_token: str | None = TOKEN) -> Explainer:
    """An explainer over index `shop`, built in `folder` from `catalogue` if it is not there yet."""
    embedder = HashedEmbedder()
    if not (folder / "indexes" / "shop").exists():
        build("shop", **catalogue(folder / "files"), embedder=embedder, folder=folder / "indexes")
    settings = Settings(indexes=folder / "indexes", admin_token=admin_token)
    return Explainer(settings=settings, embedder=embedder, engine=ScriptedEngine(), analysers=known)


class Staged(Explainer):
    """An explainer that gives its first step, then waits for `go`, then raises `error` or ends as the real one does."""

    def __init__(self, real: Explainer, error: Exception | None = None) -> None:
        self.__dict__.update(real.__dict__)
        self.error = error
        self.go, self.closed = threading.Event(), threading.Event()

    def steps(self, request: RationaleRequest, **options: Any) -> Iterator[Step]:
        try:
            steps = super().steps(request, **options)
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


def local(explainer: Explainer) -> socket.socket:
    """A socket on a free loopback port."""
    return bind(explainer.settings.model_copy(update={"host": "127.0.0.1", "port": 0}))


@contextmanager
def running(explainer: Explainer) -> Iterator[str]:
    """The base URL of a real server on a free loopback port, stopped at the end."""
    bound = local(explainer)
    server = open_server(explainer, bound)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    with bound:
        thread.start()
        try:
            host, port = bound.getsockname()
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
            thread.join(timeout=30)
    assert not thread.is_alive()
