"""The bench of the index: every figure beside its baseline, on an index small enough for a test."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import bounded
import pytest

BENCH = Path(__file__).resolve().parents[1] / "scripts" / "bench_index"


@pytest.mark.slow
def test_figures_are_written_beside_their_baselines(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    parts = [f"--only={part}" for part in ("embed", "build", "grow", "retrieve", "langchain")]
    small = ["--passages", "3000", "--texts", "60", "--grow", "900"]
    done = bounded.ran([sys.executable, str(BENCH), *parts, *small, "--json", str(told)], seconds=600)
    assert done.returncode == 0, done.stderr
    found = json.loads(told.read_text(encoding="utf-8"))
    assert set(found) == {
        "build_speedup", "recall_at_10", "peak_rss_mb_1m", "retrieve_p99_ms_10k", "retrieve_p99_ms_1m", "open_ms_1m",
        "langchain_speedup", "langchain_returned_share", "grow_1_time_share", "grow_1_embedded_share",
        "grow_10_time_share", "grow_10_embedded_share",
    }  # fmt: skip
    assert all({"value", "what"} <= set(row["baseline"]) for row in found.values())
    assert set(found["retrieve_p99_ms_1m"]["paths"]) == {
        "known user and item", "inline user", "cold item", "candidates",
    }  # fmt: skip
    assert found["langchain_returned_share"]["value"] == 1.0
    assert found["langchain_returned_share"]["baseline"]["value"] < 0.5
    assert 50 < found["peak_rss_mb_1m"]["value"] < 1500
    assert found["recall_at_10"]["value"] > 0.9
    for grown in ("grow_1_embedded_share", "grow_10_embedded_share"):
        assert 0 < found[grown]["value"] < 1.5 * found[grown]["baseline"]["value"]
    for name in found:
        assert name in done.stdout
