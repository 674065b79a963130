"""`rag-rationale eval`, end to end without model weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import analysers, open_planted, weightless

from rag_rationale.cli.main import main
from rag_rationale.evaluation import citations


@pytest.fixture(scope="module", autouse=True)
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Index `shop`, named by the environment together with models that need no weights."""
    folder = tmp_path_factory.mktemp("evaluate")
    open_planted(folder, analysers()).close()
    with weightless(folder / "indexes"):
        yield


def evaluate(out: Path, *more: str) -> int:
    return main(["eval", "run", "shop", "--judge", "hashed", "--out", str(out), *more])


def test_a_run_leaves_a_report_a_page_and_the_replies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(tmp_path, "--instruments", "citations,references,counterpart") == 0
    out, err = capsys.readouterr()
    assert "citations.faults.verbatim" in out
    assert "targets met" in out
    assert "report.html" in err
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["targets"]["citations.faults.existence"]["met"] is True
    assert report["provenance"]["index"].startswith("shop@")
    assert report["provenance"]["template"].startswith("default@")
    replies = [json.loads(line) for line in (tmp_path / "replies.jsonl").read_text("utf-8").splitlines()]
    assert {r["case"] for r in replies} == set(report["texts"])
    assert "<title>Evaluation of shop@" in (tmp_path / "report.html").read_text("utf-8")


def test_a_structural_fault_fails_the_run_and_any_missed_target_a_strict_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = ("--instruments", "citations", "--no-counterpart")
    assert evaluate(tmp_path, *chosen) == 0
    assert evaluate(tmp_path, *chosen, "--strict") == 1  # no item of the shop has five reviews to judge silence by
    monkeypatch.setattr(citations, "find_faults", lambda *_: [("verbatim", "planted")])
    assert evaluate(tmp_path, *chosen) == 1


def test_runs_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        assert evaluate(tmp_path / name, "--instruments", "citations") == 0
    capsys.readouterr()
    assert main(["eval", "compare", str(tmp_path / "a"), str(tmp_path / "b"), "--json"]) == 0
    changes = json.loads(capsys.readouterr().out)
    assert changes["citations.words"]["difference"] == 0
    assert main(["eval", "compare", str(tmp_path / "a"), str(tmp_path / "none")]) == 2


def test_wrong_use_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(tmp_path, "--instruments", "astrology") == 2
    assert "There are: citations" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        evaluate(tmp_path, "--subjects", "0")
