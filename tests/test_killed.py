"""Builds killed with SIGKILL at random moments, and files of which one byte was flipped."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import bounded
import planted
import pytest
from test_incremental import assert_same

from rag_rationale.building import build
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.errors import RagRationaleError
from rag_rationale.index import Forgotten, current_version, list_versions, open_snapshot, verify

KILLING = Path(__file__).parent / "killing.py"
EMBEDDER = HashedEmbedder(64)


class Killer:
    """Runs builds in a process of its own and kills them."""

    def __init__(self, process: bounded.Process) -> None:
        self._process, self._runs = process, 0

    def run(self, seconds: float = float("inf")) -> str:
        """A build, killed after some seconds; "killed" or "done"."""
        told = cast(IO[str], self._process.popen.stdin)
        told.write(f"{seconds}\n")
        told.flush()
        self._runs += 1
        bounded.until(lambda: self._process.stdout.count("\n") == self._runs, seconds=120, of=self._process)
        return self._process.stdout.split()[-1]


@pytest.fixture
def killer(tmp_path: Path) -> Iterator[Killer]:
    command = [sys.executable, str(KILLING), str(tmp_path)]
    with bounded.started(command, stdin=subprocess.PIPE, text=True) as process:
        yield Killer(process)
        cast(IO[str], process.popen.stdin).close()
        assert process.ended(seconds=60) == 0


def _verify(folder: Path) -> None:
    """What `index verify` does."""
    verify(folder, "shop")
    Forgotten(folder / "shop")


def _rows(n: int) -> list[dict[str, object]]:
    """Reviews of the planted items: 300, of which a tenth is anew for each `n`."""
    rows = []
    for at in range(300):
        word = planted.ASPECTS[at % 10]
        said = f"Number {at} said that the {word} of edition {n if at % 10 == 0 else 0} is fine with everybody."
        rows.append({"review_id": f"r{at}", "user_id": f"u{at % 40}", "item_id": f"i{at % 10}", "text": said})
    return rows


@pytest.mark.slow
def test_a_build_killed_at_25_random_moments_harms_nothing_and_is_gone_on_with(tmp_path: Path, killer: Killer) -> None:
    chance = random.Random(5)
    files = planted.write_catalogue(tmp_path / "files")
    planted.write_jsonl(files["reviews"], _rows(0))
    folder, root = tmp_path / "indexes", tmp_path / "indexes" / "shop"
    assert killer.run() == "done"
    planted.write_jsonl(files["reviews"], _rows(1))
    began = time.monotonic()
    assert killer.run() == "done"
    lasts, kills = time.monotonic() - began, 0
    for n in range(10, 110):
        planted.write_jsonl(files["reviews"], _rows(n // 5))
        before = current_version(root)
        if killer.run(chance.uniform(0.02, 1.0) * lasts) == "killed":
            kills, lasts = kills + 1, 1.05 * lasts
            assert current_version(root) in {before, list_versions(root)[-1]}
        else:
            lasts *= 0.8  # the machine was less busy than it had been
        verify(folder, "shop")
        if kills == 25:
            break
    assert kills == 25
    assert killer.run() == "done"
    assert sorted(path.name for path in root.iterdir()) == [".lock", "CURRENT", "versions"]
    assert sorted(path.name for path in (root / "versions").iterdir()) == list_versions(root)
    build("shop", **files, embedder=EMBEDDER, folder=tmp_path / "whole")
    grown, whole = open_snapshot(folder, "shop"), open_snapshot(tmp_path / "whole", "shop")
    assert_same(grown, whole, embedder=EMBEDDER)
    grown.close()
    whole.close()


def test_a_flipped_byte_in_any_file_is_found(tmp_path: Path) -> None:
    files, chance = planted.write_catalogue(tmp_path / "files"), random.Random(3)
    planted.write_jsonl(files["reviews"], _rows(0))
    folder, root = tmp_path / "indexes", tmp_path / "indexes" / "shop"
    for n in range(2):  # two segments and a tombstone
        planted.write_jsonl(files["reviews"], _rows(n)[: 300 + n])
        build("shop", **files, embedder=EMBEDDER, folder=folder, forget=["u1"])
    version = root / "versions" / str(current_version(root))
    paths = [path for path in version.rglob("*") if path.is_file()] + [root / "CURRENT", root / "forgotten.json"]
    assert len(paths) > 10
    for path in paths:
        whole = path.read_bytes()
        for at in {0, len(whole) - 1, chance.randrange(len(whole))}:
            path.unlink()  # not in place: segments are shared with the version before
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :])
            with pytest.raises(RagRationaleError):
                _verify(folder)
        path.write_bytes(whole)
    verify(folder, "shop")
