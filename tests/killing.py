"""A process that forks builds and kills them with SIGKILL, so that 25 of them do not cost 25 starts of Python.

Each line it reads is one build: a number of seconds after which to kill it, or "inf" to let it be; for each it answers
with "killed" or "done". Run as `killing.py FOLDER`, which holds `files` and gets `indexes`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from rag_rationale.building import pipeline
from rag_rationale.embedding import HashedEmbedder

SLEEP = 0.004  # seconds that embedding a chunk takes, so that many a kill falls into that


class Slow(HashedEmbedder):
    """Hashed words, at leisure."""

    def embed(self, texts, *, role, progress=None):  # type: ignore[no-untyped-def]
        time.sleep(SLEEP)
        return super().embed(texts, role=role, progress=progress)


def build(folder: Path) -> None:
    """The build of whatever the files hold now."""
    files = {path.stem: path for path in sorted((folder / "files").glob("*.jsonl"))}
    pipeline._CHUNK = 8
    pipeline.build("shop", **files, embedder=Slow(64), folder=folder / "indexes")  # type: ignore[arg-type]


def main() -> None:
    folder = Path(sys.argv[1])
    for line in sys.stdin:
        child = os.fork()
        if not child:
            build(folder)
            os._exit(0)
        ends = time.monotonic() + float(line)
        state = (0, 0)
        while state[0] == 0 and time.monotonic() < ends:
            state = os.waitpid(child, os.WNOHANG)
            time.sleep(0.001)
        if state[0] == 0:
            os.kill(child, signal.SIGKILL)
            state = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(state[1]) else "done" if state[1] == 0 else "failed", flush=True)


if __name__ == "__main__":
    main()
