"""scripts/bench_fit: personal fit of what could be said, without a writer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from towns import open_town

from scripts import script

PLACES = ("north", "south", "east")


def test_the_bench_tells_every_rule_apart_without_a_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"sue": "Tomato broth thick enough for winter.", "gus": "Roses climb over every bench outside."}
    strangers = ("Broth thick and tomato red, served hot.", "Roses over one bench, benches under roses.", "Cars park.")
    reviews = [(user, place, 5.0, text) for place in PLACES for user, text in said.items()]
    open_town(tmp_path, PLACES, [*reviews, *((None, p, 5.0, t) for p in PLACES for t in strangers)]).close()
    monkeypatch.setenv("RAG_RATIONALE_INDEXES", str(tmp_path / "indexes"))
    monkeypatch.setattr("sys.argv", ["bench_fit", "town", "--judge", "hashed"])
    assert script("bench_fit").main() == 0
    told = capsys.readouterr().out
    assert told.startswith("chosen by hashed-256, judged by hashed\n")
    found = {rule.strip(): float(value) for rule, value in re.findall(r"^all +(.+?) +(\d\.\d+) \[", told, re.MULTILINE)}
    assert found["best_by_fit"] == found["user_only"] == 1.0
    assert found["newest"] == 0.5
    assert "rationale" not in found


def test_the_bench_can_measure_whole_rationales_by_the_scripted_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"sue": "The tomato broth is thick enough for winter.", "gus": "The roses climb over every bench outside."}
    reviews = [(user, place, 5.0, text) for place in PLACES for user, text in said.items()]
    strangers = [(None, place, 5.0, "The broth is thick and served hot.") for place in PLACES]
    open_town(tmp_path, PLACES, [*reviews, *strangers]).close()
    monkeypatch.setenv("RAG_RATIONALE_INDEXES", str(tmp_path / "indexes"))
    monkeypatch.setattr("sys.argv", ["bench_fit", "town", "--judge", "hashed", "--written", "--pairs", "6"])
    assert script("bench_fit").main() == 0
    assert re.search(r"^all +rationale +\d\.\d+ \[", capsys.readouterr().out, re.MULTILINE)
