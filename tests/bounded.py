"""Whatever a test waits for, with an end: commands, processes, threads, conditions.

What is late is killed, with all that it started, and the test fails with what it had said. Nothing here keeps pytest
from ending: its threads are daemons, and what a process says goes to files, which never fill up as pipes do.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, NoReturn, TypeVar

import pytest

T = TypeVar("T")
_SHOWN = 20_000  # characters of what a process said, the last ones


class Process:
    """A process in a group of its own, whose output can be read at any time. Made by `started`."""

    def __init__(self, command: Sequence[str], folder: Path, options: dict[str, Any]) -> None:
        self._command, self._said = command, [folder / name for name in ("stdout", "stderr")]
        with self._said[0].open("wb") as out, self._said[1].open("wb") as err:
            self.popen = subprocess.Popen(command, stdout=out, stderr=err, start_new_session=True, **options)

    @property
    def stdout(self) -> str:
        return self._said[0].read_text("utf-8", "replace")

    @property
    def stderr(self) -> str:
        return self._said[1].read_text("utf-8", "replace")

    def tell(self, number: int) -> None:
        """Send it a signal."""
        self.popen.send_signal(number)

    def match(self, pattern: str, *, seconds: float) -> re.Match[str]:
        """Where the pattern is in what it says on standard error; the test fails where it ends or is late before."""
        until(lambda: re.search(pattern, self.stderr) or self.popen.poll() is not None, seconds=seconds, of=self)
        return re.search(pattern, self.stderr) or self.fail(f"ended without saying {pattern!r}")

    def ended(self, *, seconds: float) -> int:
        """Its exit code."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.fail(f"did not end within {seconds} s")

    def fail(self, what: str) -> NoReturn:
        """Kill it and fail with what it had said."""
        self.kill()
        pytest.fail(f"{self} {what}; it had said:\n{self.stdout[-_SHOWN:]}\n{self.stderr[-_SHOWN:]}")

    def kill(self) -> None:
        """End it and all that it started, whatever they are doing."""
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(30)  # a process that survives SIGKILL is the kernel's, and worth an error

    def __str__(self) -> str:
        return " ".join(map(str, self._command))[:500]


@contextmanager
def started(command: Sequence[str], **options: Any) -> Iterator[Process]:
    """A process that is gone at the end of the block, with whatever it started. `options` are those of Popen."""
    with tempfile.TemporaryDirectory() as folder:
        process = Process(command, Path(folder), options)
        try:
            yield process
        finally:
            process.kill()


def ran(command: Sequence[str], *, seconds: float, **options: Any) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` with its output captured, of a command that ends in time."""
    with started(command, stdin=subprocess.DEVNULL, **options) as process:
        code = process.ended(seconds=seconds)
        return subprocess.CompletedProcess(command, code, process.stdout, process.stderr)


def lives(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(holds: Callable[[], object], *, seconds: float = 30.0, of: Process | None = None) -> None:
    """Wait until something holds; the test fails where it does not in time."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            late = f"was not what was awaited within {seconds} s"
            of.fail(late) if of else pytest.fail(f"it {late}")
        time.sleep(0.01)


class Due(Future[T]):
    """What a thread will have made until `end`, of `time.monotonic`; TimeoutError where it has not."""

    def __init__(self, end: float) -> None:
        super().__init__()
        self._end = end

    def result(self, timeout: float | None = None) -> T:
        return super().result(self._left(timeout))

    def exception(self, timeout: float | None = None) -> BaseException | None:
        return super().exception(self._left(timeout))

    def _left(self, timeout: float | None) -> float:
        return max(self._end - time.monotonic(), 0) if timeout is None else timeout


class Threads:
    """A `ThreadPoolExecutor` that waits for `seconds` in all: what is late then fails the test and is left behind."""

    def __init__(self, count: int, *, seconds: float = 60.0) -> None:
        self._end, self._seconds = time.monotonic() + seconds, seconds
        self._work: SimpleQueue[tuple[Due[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._serve, name=f"bounded-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[..., T], *given: Any, **options: Any) -> Due[T]:
        """Have it done by the next thread that is free."""
        due: Due[T] = Due(self._end)
        self._work.put((due, lambda: work(*given, **options)))
        return due

    def map(self, work: Callable[[Any], T], given: Iterable[Any]) -> Iterator[T]:
        """What it makes of each, in order."""
        made = [self.submit(work, each) for each in given]
        return (due.result() for due in made)

    def _serve(self) -> None:
        while (given := self._work.get()) is not None:
            due, work = given
            try:
                due.set_result(work())
            except BaseException as error:
                due.set_exception(error)

    def __enter__(self) -> Threads:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        for _thread in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join(max(self._end - time.monotonic(), 0.5))
        late = [thread for thread in self._threads if thread.is_alive()]
        if late and kind is None:
            frames = sys._current_frames()
            stands = [frames[thread.ident] for thread in late if thread.ident in frames]
            where = "\n".join("".join(traceback.format_stack(frame)[-6:]) for frame in stands[:4])
            pytest.fail(f"{len(late)} threads did not come back within {self._seconds} s; some stand here:\n{where}")
