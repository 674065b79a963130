"""The command line, end to end without model weights, and the README's own code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import analysers, weightless
from threadpoolctl import threadpool_info

import rag_rationale
from rag_rationale.cli.main import main
from rag_rationale.config import Settings

ROOT = Path(__file__).parents[1]
SAMPLE = Path(rag_rationale.__file__).parent / "sample"
BUILD = ["index", "build", "sample", "--quiet"]
for _name in ("items", "reviews", "events", "users"):
    BUILD += [f"--{_name}", str(SAMPLE / f"{_name}.jsonl")]


@pytest.fixture(scope="module", autouse=True)
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with index `sample`, named by the environment together with models that need no weights."""
    analysers()
    folder = tmp_path_factory.mktemp("cli")
    with weightless(folder):
        assert main(BUILD) == 0
        yield folder


def test_info_tells_what_an_index_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["index", "info", "sample"]) == 0
    out = capsys.readouterr().out
    assert "51 items" in out
    assert "474 reviews" in out


def test_an_explanation_is_printed_with_its_quotations(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "sample", "--user", "zh-u-hiker", "--item", "zh-shop-trailpack"]) == 0
    out = capsys.readouterr().out
    assert "»登山鞋«" in out.split("[2]")[-1] or "»登山鞋«" in out
    assert re.search(r"^  \[1\] ", out, re.MULTILINE)


def test_numpy_keeps_to_one_thread_beside_the_engine() -> None:
    assert main(["explain", "sample", "--item", "en-shop-boots"]) == 0
    pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert pools
    assert set(pools) == {1}


def test_a_file_of_requests_is_answered_line_by_line_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bodies = [{"item": {"id": "en-shop-boots"}}, {"index": "sample", "item": {"id": "zh-shop-boots"}}]
    file = tmp_path / "requests.jsonl"
    file.write_text("\n".join(map(json.dumps, bodies)) + "\n\n", "utf-8")
    assert main(["explain", "sample", "--requests", str(file), "--json"]) == 0
    replies = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [reply["language"] for reply in replies] == ["en", "zh"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["explain", "nowhere", "--item", "x"], "sample"),
        (["explain", "sample", "--item", "no-such-item"], "no-such-item"),
        (["explain", "sample"], "--item"),
        (["explain", "sample", "--item", "en-shop-boots", "--template", "nonsense"], "default"),
        (["explain", "sample", "--requests", "no-such-file"], "no-such-file"),
        (["index", "info", "nowhere"], "index build"),
    ],
)
def test_wrong_use_exits_with_2_and_says_what_to_do(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"item": ', "not JSON"),
        ('["item"]', "JSON object"),
        ('{"item": {"id": "x"}, "index": "other"}', "other"),
        ('{"item": {"id": "x"}, "colour": 1}', "colour"),
        ('{"item": {}}', "item"),
    ],
)
def test_a_bad_request_line_is_told_with_its_number(
    tmp_path: Path, line: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text('{"item": {"id": "en-shop-boots"}}\n' + line + "\n", "utf-8")
    assert main(["explain", "sample", "--requests", str(file)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{file}:2" in err
    assert told in err


def test_an_index_of_another_embedder_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rag_rationale.embedding import HashedEmbedder

    monkeypatch.setattr("rag_rationale.service.opening.HashedEmbedder", lambda *_: HashedEmbedder(dimension=64))
    assert main(["explain", "sample", "--item", "en-shop-boots"]) == 1
    assert "RAG_RATIONALE_EMBEDDER" in capsys.readouterr().err


def test_a_missing_model_file_is_told_with_the_path(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAG_RATIONALE_LLM", "./no-such-model.gguf")
    assert main(["explain", "sample", "--item", "en-shop-boots"]) == 1
    assert "no-such-model.gguf" in capsys.readouterr().err


def test_the_templates_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompts", "list"]) == 0
    assert len(re.findall(r"^default@[0-9a-f]{12}  (?:en|zh) v1", capsys.readouterr().out, re.MULTILINE)) == 2


def test_the_readmes_python_runs() -> None:
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert block is not None
    names: dict[str, object] = {}
    exec(block[1], names)
    assert names["passages"]
    assert names["reply"].status == "grounded"  # type: ignore[attr-defined]


def test_the_table_of_settings_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings"]) == 0
    printed = capsys.readouterr().out
    assert len(Settings.model_fields) == printed.count("\n") - 2
    kept = (ROOT / "scripts" / "deploy" / "settings.md").read_text("utf-8")
    assert kept.endswith(printed), "run `rag-rationale settings` and put its table into scripts/deploy/settings.md"


def test_the_readme_opens_with_the_two_commands_and_their_output_by_line_25() -> None:
    head = (ROOT / "README.md").read_text("utf-8").splitlines()[:25]
    assert "$ scripts/demo" in head
    assert "$ scripts/test" in head
    assert any("登山包[3]" in line for line in head)
    assert any(re.search(r"\d+ passed", line) for line in head)
