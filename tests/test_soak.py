"""The soak, short: every part once on the scripted engine, the flow and the dying clients on the real one.

Times are the business of a machine of one's own; what must hold on any is asserted here.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import bounded
import pytest
import serving

from rag_rationale.config import load_settings

SOAK = Path(__file__).resolve().parents[1] / "scripts" / "soak" / "service"
TIMES = {
    "p50_ms",
    "free_after_s",
    "refused_p99_ms",
    "accepted_p99_over_light",
    "accepted_p99_over_sustained",
    "accepted_over_sustained",
    "asked_over_sustained",
    "rss_growth",
}


def _soak(folder: Path, *options: str) -> dict[str, dict[str, Any]]:
    """What the soak tells, by part, with a scratch index of hashed words."""
    told = folder / "told.json"
    environment = os.environ | {"RAG_RATIONALE_EMBEDDER": "hashed", "RAG_RATIONALE_INDEXES": str(folder / "none")}
    command = [sys.executable, str(SOAK), *options, "--json", str(told)]
    done = bounded.ran(command, seconds=600, env=environment)
    assert told.exists(), done.stderr
    found: dict[str, dict[str, Any]] = json.loads(told.read_text("utf-8"))
    missed = {
        part: [n for n, v in row.items() if isinstance(v, dict) and v.get("met") is False]
        for part, row in found.items()
    }
    assert (done.returncode == 1) == any(missed.values())
    for part, names in missed.items():
        assert set(names) <= TIMES, (part, found[part], done.stderr)
    return found


@pytest.mark.slow
def test_every_part_holds_on_the_scripted_engine(tmp_path: Path) -> None:
    serving.analysers()
    options = ["--requests", "80", "--seconds", "6", "--leavers", "2", "--pairs", "25"]
    found = _soak(tmp_path, "--llm", "scripted", *options)
    assert set(found) == {"flow", "hits", "leaving", "overload", "nightly", "mixed"}
    assert found["flow"]["requests"] == 80
    assert 0.99 < found["flow"]["rss_mb"][-1] / found["flow"]["rss_mb"][1] < 1.25
    assert found["overload"]["statuses"].get("503", 0) > found["overload"]["statuses"]["200"]
    assert 0.5 < found["nightly"]["kept"] <= 1
    assert found["mixed"]["cache_hits"] > 0


@pytest.mark.slow
def test_real_engine_stays_and_lets_go_of_clients_that_die(tmp_path: Path) -> None:
    model = load_settings().models / "gemma-3-270m-en-zh"
    if not model.exists():
        pytest.skip("needs the default model")
    found = _soak(tmp_path, "--only", "flow", "leaving", "--requests", "24", "--leavers", "3")
    assert found["leaving"]["killed"] == 3
