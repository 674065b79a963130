"""`scripts/soak/engine` over a fake context, where it must see planted faults, and short over the real model."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import bounded
import pytest
from fakenative import FakeNative

import scripts
from rag_rationale.config import load_settings
from rag_rationale.errors import BackendError
from rag_rationale.generation import llama
from rag_rationale.generation.batching import Row
from rag_rationale.generation.memory import Lane, Memory
from rag_rationale.generation.native import Logits
from rag_rationale.types import ScoreRequest

SOAK = scripts.SCRIPTS / "soak" / "engine"
SEQUENCES = 63
LATE = 70  # decodes after which a planted fault happens: all requests were asked for alone by then


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """scripts/soak/engine as a module."""
    return scripts.script("soak/engine")


class Fake(FakeNative):
    """A fake context that an engine can open."""

    chat = None

    def __init__(self) -> None:
        super().__init__(context=600, sequences=SEQUENCES)
        self.tokenise = cache(super().tokenise)  # type: ignore[method-assign]

    def close(self) -> None:
        """Nothing to free."""


class Fickle(Fake):
    """One whose logits change once after a while, as those of rows that round otherwise in company would."""

    def decode(self, rows: Sequence[Row]) -> list[Logits]:
        told = super().decode(rows)
        return [logits[::-1] for logits in told] if len(self.decodes) == LATE else told


class Failing(Fake):
    """One that fails once."""

    def decode(self, rows: Sequence[Row]) -> list[Logits]:
        self.fail_next = len(self.decodes) == LATE
        return super().decode(rows)


def soaked(script: ModuleType, patch: pytest.MonkeyPatch, native: Fake, slots: int = 60) -> dict[str, Any]:
    """What the soak tells of the real engine over a fake context."""
    patch.setattr(llama, "Native", lambda *_, **__: native)
    engine = llama.LlamaEngine("fake", threads=1)
    try:
        told: dict[str, Any] = script.soak(engine, slots=slots, kinds=12)
    finally:
        engine.close()
    return told


def test_an_engine_whose_context_breaks_tells_everybody_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Fake):
        asked, go = threading.Event(), threading.Event()

        def decode(self, rows: Sequence[Row]) -> list[Logits]:
            self.asked.set()
            self.go.wait(30)
            raise RuntimeError(f"no context for {len(rows)} rows")

        def clear(self) -> None:
            raise RuntimeError("no memory either")

    native = Broken()
    monkeypatch.setattr(llama, "Native", lambda *_, **__: native)
    engine = llama.LlamaEngine("fake", threads=1)
    request = ScoreRequest("the pool", (" a", " the"))
    with bounded.Threads(4, seconds=60) as threads:
        asked = [threads.submit(engine.score, request) for _ in range(4)]
        assert native.asked.wait(30)
        bounded.until(lambda: engine.jobs == 4)
        native.go.set()
        assert all("broke" in str(each.exception()) or "no context" in str(each.exception()) for each in asked)
        with pytest.raises(BackendError, match=r"closed|broke"):
            engine.score(request)
        engine.close()


def test_an_engine_that_loses_nothing_passes(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    native = Fake()
    told = soaked(script, monkeypatch, native, slots=200)
    assert told["faults"] == {}
    assert told["left_behind"] == []
    assert native.cells == []
    assert native.loads > 0, "the context was never full"
    assert told["slots"] == sum(told["outcomes"].values()) > 150
    assert min(told["outcomes"].get(name, 0) for name in ("whole", "cancelled", "late")) > 3


def test_an_answer_that_differs_from_that_alone_is_told(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    (fault, *_) = soaked(script, monkeypatch, Fickle())["faults"]
    assert "instead of" in fault


def test_a_request_that_fails_is_told(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    told = soaked(script, monkeypatch, Failing())
    assert set(told["faults"]) == {f"{BackendError.__name__}: planted fault"}
    assert told["left_behind"] == []


def test_a_sequence_that_is_never_given_back_is_told(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    close, lost = Memory.close, list[int]()

    def forgetful(self: Memory, lane: Lane) -> None:
        close(self, lane)
        if not lost:
            lost.append(self._free.pop())

    monkeypatch.setattr(Memory, "close", forgetful)
    assert "not all sequences are free" in soaked(script, monkeypatch, Fake())["left_behind"]


def test_cells_that_nobody_frees_are_told(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    class Holding(Fake):
        def truncate(self, sequence: int, length: int = 0) -> None:
            if sequence != 5:
                super().truncate(sequence, length)

    told = soaked(script, monkeypatch, Holding())
    assert any(fault.startswith("sequence 5 holds") for fault in told["left_behind"]) or told["faults"]


@pytest.mark.slow
def test_the_real_engine_passes_with_flat_memory(tmp_path: Path) -> None:
    if not (load_settings().models / "gemma-3-270m-en-zh").exists():
        pytest.skip("needs the default model")
    told = tmp_path / "told.json"
    command = [sys.executable, str(SOAK), "--slots", "300", "--kinds", "30", "--context", "512", "--json", str(told)]
    done = bounded.ran(command, seconds=600)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(told.read_text(encoding="utf-8"))
    assert found["outcomes"]["whole"] > 200
    assert found["outcomes"]["cancelled"] > 5
    assert found["outcomes"]["late"] > 5
    assert -0.03 < found["rss_growth"] <= 0.03
