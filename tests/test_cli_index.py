"""`rag-rationale index …` as a scheduler and a person call it: exit codes, what is printed, what is on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import planted
import pytest

from rag_rationale.cli.main import main
from rag_rationale.index import current_version, list_versions, locked, open_snapshot

WORDS = "Quokkas nibbled my xylophone while the zeppelin hummed."
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def indexes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for key, value in {"INDEXES": tmp_path / "indexes", "STATE": tmp_path / "state", "EMBEDDER": "hashed"}.items():
        monkeypatch.setenv(f"RAG_RATIONALE_{key}", str(value))
    return tmp_path / "indexes"


@pytest.fixture
def command(indexes: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `index ACTION shop …`; exit code, output and errors."""

    def run(action: str, *arguments: object) -> tuple[int, str, str]:
        code = main(["index", action, "shop", *map(str, arguments)])
        return code, *capsys.readouterr()

    del indexes
    return run


@pytest.fixture
def files(tmp_path: Path) -> list[object]:
    paths = planted.write_catalogue(tmp_path / "files")
    own = {"review_id": "zz1", "user_id": "zyx", "item_id": "i0", "text": WORDS, "rating": 5}
    planted.write_jsonl(paths["reviews"], [*planted.reviews(), own])
    return [part for name, path in paths.items() for part in (f"--{name}", path)]


def test_a_quiet_build_prints_one_line_and_with_json_one_object(command: Command, files: list[object]) -> None:
    code, out, err = command("build", *files, "--quiet")
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert "(active): 10 items, 31 reviews" in out
    code, out, err = command("build", *files, "--json")
    told = json.loads(out)
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert (told["promoted"], told["embedded"], told["unchanged"], told["reused"]) == (True, 0, 41, 61)
    assert told["files"]["reviews"]["good"] == 31


def test_faults_are_counted_in_the_report_and_shown_to_a_person(
    command: Command, files: list[object], tmp_path: Path
) -> None:
    good = {"review_id": "a", "item_id": "i0", "user_id": "u1", "rating": 4, "text": "The battery lasts for days."}
    rows = [
        good,
        good,
        good | {"review_id": "b", "item_id": "nowhere"},
        good | {"review_id": "c", "user_id": None},
        good | {"review_id": "d", "rating": 11},
        good | {"review_id": "e", "text": "One sentence of many. " * 500_000},
        good | {"review_id": "f", "text": " "},
    ]
    path = planted.write_jsonl(tmp_path / "faulty.jsonl", rows)
    with path.open("ab") as file:
        file.write(b'{"review_id": "g", "item_id": "i0", "text": "A broken \xff letter."}\n{"review_id": \n')
    arguments = [path if part == tmp_path / "files" / "reviews.jsonl" else part for part in files]
    code, out, _ = command("build", *arguments, "--json")
    told = json.loads(out)["files"]["reviews"]
    assert code == 0
    expected = {"read": 9, "good": 5, "bad": 2, "duplicates": 1, "orphans": 1, "repaired": 1, "cut": 1, "anonymous": 2}
    assert expected.items() <= told.items()
    assert json.loads(out)["wordless"] == 1
    code, _, err = command("build", *arguments)
    assert code == 0
    assert '"orphans": 1' in err
    code, _, err = command("build", *arguments, "--strict")
    assert code == 1
    assert "faulty.jsonl:2" in err


def test_only_a_build_that_is_promoted_exits_with_0(
    command: Command, files: list[object], tmp_path: Path, indexes: Path
) -> None:
    assert command("build", *files, "--quiet")[0] == 0
    current, few = current_version(indexes / "shop"), planted.write_jsonl(tmp_path / "few.jsonl", planted.reviews()[:3])
    code, out, err = command("build", *files, "--reviews", few, "--quiet")
    assert (code, out) == (1, "")
    assert "index promote shop" in err
    assert current_version(indexes / "shop") == current
    code, out, _ = command("build", *files, "--no-promote", "--quiet")
    assert (code, current_version(indexes / "shop")) == (0, current)
    assert "(not promoted)" in out
    assert command("build", *files, "--items", tmp_path / "none.jsonl", "--quiet")[0] == 1
    with locked(indexes / "shop"):
        code, _, err = command("build", *files, "--quiet")
    assert code == 1
    assert "another process" in err
    with pytest.raises(SystemExit) as wrong:
        command("build")
    assert wrong.value.code == 2


def test_a_user_is_forgotten_what_is_left_compacted_and_older_versions_purged(
    command: Command, files: list[object], indexes: Path
) -> None:
    command("build", *files, "--quiet")
    code, out, _ = command("forget", "--user", "zyx")
    assert (code, "index purge shop" in out) == (0, True)
    assert command("compact")[0] == 0
    assert len(list_versions(indexes / "shop")) == 3
    assert _holds_words(indexes)
    code, out, _ = command("purge")
    assert (code, out.count("deleted 2")) == (0, 2)
    assert "deleted 0 cached rationales and 0 rows of the log" in out
    assert not _holds_words(indexes)
    assert command("verify")[0] == 0
    snapshot = open_snapshot(indexes, "shop")
    assert (len(snapshot.manifest.segments), snapshot.manifest.counts["reviews"]) == (1, 30)
    snapshot.close()


@pytest.mark.parametrize("action", ["forget", "compact", "purge", "verify", "rollback", "gc"])
def test_an_index_that_is_not_there_is_wrong_use(command: Command, action: str) -> None:
    arguments = ["--user", "u1"] if action == "forget" else []
    code, out, err = command(action, *arguments)
    assert (code, out) == (2, "")
    assert "shop" in err


def _holds_words(root: Path) -> bool:
    return any(b"Quokkas" in path.read_bytes() for path in root.rglob("*") if path.is_file())
