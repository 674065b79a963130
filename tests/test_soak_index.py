"""Half a minute of `scripts/soak/index`, which is meant for hours."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import bounded
import pytest

SOAK = Path(__file__).resolve().parents[1] / "scripts" / "soak" / "index"


@pytest.mark.slow
def test_nightly_rebuilds_under_eight_readers_go_without_a_fault(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    done = bounded.ran([sys.executable, str(SOAK), "--minutes", "0.5", "--json", str(told)], seconds=400)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(told.read_text(encoding="utf-8"))
    assert found["nights"] >= 2
    assert found["kinds"]["kill"] >= 1
    assert found["versions"] >= 2
    assert found["asked"] > 100
    assert found["faults"] == []
