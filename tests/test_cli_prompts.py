"""`rag-rationale prompts …`: what a writer types, over the bundled catalogue, without model weights."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import analysers, weightless
from test_cli import BUILD

from rag_rationale.cli.main import main
from rag_rationale.config import load_settings

HOTEL = ["--item", "en-travel-hotel", "--language", "en"]


@pytest.fixture(scope="module", autouse=True)
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder for indexes, named by the environment together with models that need no weights."""
    analysers()
    folder = tmp_path_factory.mktemp("cli-prompts")
    with weightless(folder):
        yield folder


@pytest.fixture(scope="module")
def sample(indexes: Path) -> Path:
    """The same folder with index `sample`."""
    assert main(BUILD) == 0
    return indexes


@pytest.fixture
def prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A prompts folder to write in, with the default template and that for travel, and an empty state."""
    made = tmp_path / "prompts"
    for name in ("default", "travel", "partials"):
        shutil.copytree(load_settings().prompts / name, made / name)
    (made / "labels.yaml").write_text("default: {production: 1}\ntravel: {production: 1}\n", "utf-8")
    monkeypatch.setenv("RAG_RATIONALE_PROMPTS", str(made))
    monkeypatch.setenv("RAG_RATIONALE_STATE", str(tmp_path / "state"))
    return made


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """What the command prints; it must end with `code`."""
    capsys.readouterr()
    got = main(["prompts", *arguments])
    out, err = capsys.readouterr()
    assert got == code, out + err
    return out + err


def begin_anew(prompts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Version 2 of `travel` in English, which says guest for traveller."""
    assert "en.v2.prompt" in told(capsys, "new", "travel")
    path = prompts / "travel" / "en.v2.prompt"
    path.write_text(path.read_text("utf-8").replace("frames:", "words: {traveller: guest}\nframes:", 1), "utf-8")


def test_a_new_tone_is_promoted_listed_and_taken_back(prompts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shipped = load_settings().prompts / "labels.yaml"
    before = shipped.read_bytes()
    begin_anew(prompts, capsys)
    assert "0 errors" in told(capsys, "lint", "travel")
    rendered = told(capsys, "render", "travel@v2", "--language", "en", "--frames", "20")
    assert len(set(re.findall(r"^  One guest says (.*)\.$", rendered, re.M))) == 20
    assert "travel:production is v2 (100%)" in told(capsys, "promote", "travel", "2")
    assert re.search(r"^travel@\w+  en v2 .*\[production\]", told(capsys, "list"), re.M)
    assert "travel:production is v1 (75%), v2 (25%)" in told(capsys, "promote", "travel", "1=75", "2=25")
    assert re.search(r"^travel@\w+  en v2 .*\[production 25%\]", told(capsys, "list"), re.M)
    assert "v2 (100%)" in told(capsys, "rollback", "travel")
    assert "v1 (100%)" in told(capsys, "rollback", "travel")
    assert "nothing to go back to" in told(capsys, "rollback", "travel", code=2)
    assert shipped.read_bytes() == before


def test_a_new_file_speaks_of_people_as_what_it_extends_and_says_how_to_call_them_otherwise(
    prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told(capsys, "new", "travel")
    for language, was, now in (("en", "traveller", "guest"), ("zh", "游客", "住客")):
        path = prompts / "travel" / f"{language}.v2.prompt"
        text = path.read_text("utf-8")
        assert "domain: travel" in text
        path.write_text(text.replace("# words:", "words:"), "utf-8")
        rendered = told(capsys, "render", "travel@v2", "--language", language)
        frames = rendered[rendered.index("match wrote-says:") :]
        own = frames.index("merit travel-hears:")
        assert was not in frames[:own]
        assert was in frames[own:]
        assert now in frames[:own]
    assert "0 errors" in told(capsys, "lint", "travel")


@pytest.mark.slow
@pytest.mark.usefixtures("sample")
def test_a_new_tone_is_tried_and_set_beside_the_old(prompts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begin_anew(prompts, capsys)
    tried = told(capsys, "try", "travel@v2", *HOTEL)
    for part in ("plan 1:", "the model is asked", "supported, frame", "chosen: frame", "guest"):
        assert part in tried
    beside = told(capsys, "diff", "travel", "travel@v2", *HOTEL)
    assert re.search(r"traveller.* \| .*guest", beside)


@pytest.mark.slow
@pytest.mark.usefixtures("sample")
def test_a_new_template_is_served_by_its_bare_name_from_the_first_promotion_on(
    prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "prompts promote beach 1" in told(capsys, "new", "beach", "--extend", "travel")
    assert (prompts / "beach" / "zh.v1.prompt").is_file()
    assert "prompts promote" in told(capsys, "try", "beach", *HOTEL, code=2)
    told(capsys, "promote", "beach", "1")
    assert "beach@" in told(capsys, "try", "beach", *HOTEL)


@pytest.mark.slow
@pytest.mark.usefixtures("sample")
def test_tests_of_the_front_matter_end_with_1_where_one_fails(
    prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = prompts / "travel" / "en.v1.prompt"
    for name in ("default", "travel"):
        (prompts / name / "zh.v1.prompt").unlink()
    text = path.read_text("utf-8")
    assert "ok   travel/en.v1" in told(capsys, "test", "travel")
    path.write_text(text.replace("contains: [traveller]", "contains: [zebra]"), "utf-8")
    failed = told(capsys, "test", "travel", code=1)
    assert "FAIL travel/en.v1" in failed
    assert "does not contain “zebra”" in failed
    assert "There is no template 'beach'" in told(capsys, "test", "beach", code=2)


@pytest.mark.slow
@pytest.mark.usefixtures("sample")
def test_a_comparison_prints_paired_differences_and_the_cases_that_changed_most(
    prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del prompts
    run = ["compare", "default", "travel", "--cases", "4", "--instruments", "variety", "--out", str(tmp_path / "kept")]
    shown = told(capsys, *run)
    assert re.search(r"^- default@\w+", shown, re.M)
    assert re.search(r"^\+ travel@\w+", shown, re.M)
    assert re.search(r"^  variety\.\w+ .* \([+-]\d.* to [+-]\d", shown, re.M)
    assert re.search(r"^4 of 4 texts changed", shown, re.M)
    assert re.search(r"\S+ .* \| \S+", shown)
    capsys.readouterr()
    assert main(["prompts", *run, "--json"]) == 0
    changes = json.loads(capsys.readouterr().out)
    assert any("variety" in str(change) for change in changes)


def test_lint_ends_with_1_for_a_fault_and_names_the_file_that_does_not_load(
    prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = prompts / "travel" / "en.v1.prompt"
    text = path.read_text("utf-8")
    path.write_text(text.replace("One traveller came back saying", "Every traveller came back saying"), "utf-8")
    assert "speaks for all" in told(capsys, "lint", "travel", code=1)
    path.write_text(text.replace("domain: travel", "domain: [travel"), "utf-8")
    assert re.search(r"travel/en\.v1\.prompt:\d+: .*not YAML", told(capsys, "lint", "travel", code=1))


def test_show_prints_what_a_template_takes_over(prompts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del prompts
    shown = told(capsys, "show", "travel", "--language", "en")
    assert "merit reviewer-says: One traveller says {{ theirs.clause }}" in shown
    assert "purchase: booked" in shown
