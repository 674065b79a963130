"""A service of its own to be loaded: a catalogue by nights, an index, templates, a state folder and the process."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import httpx
import psutil

from rag_rationale.config import Settings
from rag_rationale.index import SnapshotReader, list_versions, open_snapshot

MARKS = {"en": "Edited: ", "zh": "改写："}  # no template begins so
"""What the edited templates put before each sentence."""
_CLI = [sys.executable, "-m", "rag_rationale.cli.main"]
_FILES = ("items", "reviews", "events", "users")
_LONGEST_BUILD, _LONGEST_START = 1800, 300  # seconds, on a busy machine


class Stage:
    """Folders for one soak. `nights` of the catalogue follow each other by `rebuild`."""

    def __init__(self, place: Path, settings: Settings, *, catalogue: Path, index: str, new: float, old: float) -> None:
        """The first night lacks the newest share `new` of the reviews, the last also the oldest share `old`."""
        self.index, self.indexes, self.prompts = index, place / "indexes", place / "prompts"
        self.log = place / "serve.log"
        self._place, self._files = place, {n: p for n in _FILES if (p := catalogue / f"{n}.jsonl").is_file()}
        self.environment = {
            "RAG_RATIONALE_INDEXES": str(self.indexes),
            "RAG_RATIONALE_PROMPTS": str(self.prompts),
            "RAG_RATIONALE_STATE": str(place / "state"),
            "RAG_RATIONALE_PORT": "0",
        }
        shutil.copytree(settings.prompts, self.prompts)
        if (settings.indexes / index / "CURRENT").is_file():  # its vectors are taken from it
            shutil.copytree(settings.indexes / index, self.indexes / index)
        rows = self._files["reviews"].read_text("utf-8").splitlines()
        rows.sort(key=lambda row: json.loads(row).get("timestamp") or 0)
        cut, gone = round(len(rows) * (1 - new)), round(len(rows) * old)
        self.nights = {"first": rows[:cut], "next": rows, "last": rows[gone:]}
        self.rebuild("first")

    def rebuild(self, night: str) -> None:
        """Have `rag-rationale index build` make a version of a night and promote it."""
        reviews = self._place / f"{night}.jsonl"
        reviews.write_text("\n".join(self.nights[night]) + "\n", "utf-8")
        files = [f"--{n}={reviews if n == 'reviews' else path}" for n, path in self._files.items()]
        command = [*_CLI, "index", "build", self.index, *files, "--quiet"]
        log = self._place / "build.log"
        environment, both = os.environ | self.environment, subprocess.STDOUT
        with log.open("w") as told, subprocess.Popen(command, env=environment, stdout=told, stderr=both) as build:
            _ended(build, log, seconds=_LONGEST_BUILD)

    def edit_templates(self) -> None:
        """Have every sentence of the default template begin with its mark from now on."""
        for lang, mark in MARKS.items():
            path = self.prompts / "default" / f"{lang}.v1.prompt"
            head, frames, rest = path.read_text("utf-8").partition("\nframes:\n")
            marked = re.sub(r'^((?:    text:|      -) ")', rf"\g<1>{mark}", rest, flags=re.M)
            path.write_text(head + frames + marked, "utf-8")

    def opened(self) -> SnapshotReader:
        return open_snapshot(self.indexes, self.index)

    def every_version(self) -> list[SnapshotReader]:
        """Opened, whichever is current."""
        versions = list_versions(self.indexes / self.index)
        return [open_snapshot(self.indexes, self.index, version=version) for version in versions]

    @contextmanager
    def serving(self, **changes: str) -> Iterator[tuple[str, psutil.Process]]:
        """URL and process of `rag-rationale serve`, ready; ended by SIGTERM, which it must heed within a minute."""
        environment = os.environ | self.environment | changes
        with self.log.open("w") as log, subprocess.Popen([*_CLI, "serve"], env=environment, stderr=log) as process:
            try:
                url = _ready(process, self.log)
                yield url, psutil.Process(process.pid)
            finally:
                process.terminate()
                _ended(process, self.log, seconds=60)


def _ended(process: subprocess.Popen[Any], log: Path, *, seconds: float) -> None:
    """Wait for a process; RuntimeError with what it said where it fails, or is late and killed."""
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise RuntimeError(f"{process.args} did not end within {seconds} s: {log.read_text()[-5000:]}") from None
    if code:
        raise RuntimeError(f"{process.args} ended with {code}: {log.read_text()[-5000:]}")


def pairs_of(snapshot: SnapshotReader, *, seed: int) -> Iterator[tuple[str | None, str]]:
    """Users of the index, now and then nobody, each with any item; without end."""
    chance, items = random.Random(seed), snapshot.item_ids()
    some = chance.sample(items, min(len(items), 300))
    users = sorted({p.user_id for item in some for p in snapshot.item_passages(item) if p.user_id is not None})
    while True:
        yield (chance.choice(users) if chance.random() < 0.9 else None), chance.choice(items)


def rss(process: psutil.Process) -> int:
    """Resident bytes of a process and its children."""
    return sum(each.memory_info().rss for each in [process, *process.children(recursive=True)])


def metrics(url: str) -> dict[str, float]:
    """What /metrics tells, by name with labels."""
    # httpx would read certificates each time: 30 ms of a busy processor
    with urlopen(f"{url}/metrics", timeout=60) as reply:
        lines = [line for line in reply.read().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def _ready(process: subprocess.Popen[Any], log: Path) -> str:
    end = time.monotonic() + _LONGEST_START
    while process.poll() is None and time.monotonic() < end:
        found = re.search(r"listens on (\S+)", log.read_text())
        if found and httpx.get(f"{found[1]}/readyz", timeout=60).status_code == 200:
            return found[1]
        time.sleep(0.1)
    raise RuntimeError(f"the service did not get ready: {log.read_text()[-2000:]}")
